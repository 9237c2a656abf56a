"""What is kept comes back as it was put, or not at all."""

import pytest

from lora_lab.runs.kept_states import NAME, KeptStates

KEYS = [bytes([i]) * 16 for i in range(4)]


def filled(folder, key="a base"):
    kept = KeptStates(folder, key, 10**6)
    for i, digest in enumerate(KEYS):
        kept.put(digest, bytes([i]) * (100 + i))
    return kept


def test_what_was_put_is_found_by_a_later_process(tmp_path):
    filled(tmp_path).close()
    later = KeptStates(tmp_path, "a base", 10**6)
    assert [bytes(later.get(d)) for d in KEYS] == [bytes([i]) * (100 + i) for i in range(4)]
    assert later.get(b"x" * 16) is None
    later.close()


@pytest.mark.parametrize("damage", ["torn", "flipped", "other key", "no header", "empty"])
def test_what_is_not_what_was_put_is_not_found(tmp_path, damage):
    filled(tmp_path).close()
    raw = bytearray((tmp_path / NAME).read_bytes())
    whole = range(4)
    if damage == "torn":
        raw, whole = raw[:-5], range(3)
    elif damage == "flipped":
        raw[-1] ^= 1
        whole = range(3)
    elif damage == "no header":
        raw, whole = raw[7:], ()
    elif damage == "empty":
        raw, whole = b"", ()
    elif damage == "other key":
        whole = ()
    (tmp_path / NAME).write_bytes(raw)
    later = KeptStates(tmp_path, "a base" if damage != "other key" else "another", 10**6)
    assert [i for i, d in enumerate(KEYS) if later.get(d) is not None] == list(whole)
    for i, digest in enumerate(KEYS):  # and may be put again
        later.put(digest, bytes([i]) * 50)
        assert later.get(digest) is not None
    later.close()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"of somebody")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        KeptStates(tmp_path / "run", "a base", 10**6)
    assert (tmp_path / "elsewhere").read_bytes() == b"of somebody"
