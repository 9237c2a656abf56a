"""What is kept comes back as it was put, or not at all."""

import os

import pytest

from lora_lab.runs.kept_states import ENTRY, NAME, KeptStates

KEYS = [bytes([i]) * 16 for i in range(4)]


def filled(folder, key="a base"):
    kept = KeptStates(folder, key, 10**6)
    for i, digest in enumerate(KEYS):
        kept.put(digest, bytes([i]) * (100 + i))
    return kept


def test_what_was_put_is_found_by_a_later_process(tmp_path):
    filled(tmp_path).close()
    later = KeptStates(tmp_path, "a base", 10**6)
    assert [bytes(later.get(d, 100 + i)) for i, d in enumerate(KEYS)] == [
        bytes([i]) * (100 + i) for i in range(4)
    ]
    assert later.get(b"x" * 16, 1) is None
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
    assert [i for i, d in enumerate(KEYS) if later.get(d, 100 + i) is not None] == list(whole)
    for i, digest in enumerate(KEYS):  # and may be put again
        later.put(digest, bytes([i]) * 50)
        assert later.get(digest, 100 + i if i in whole else 50) is not None
    later.close()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"of somebody")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        KeptStates(tmp_path / "run", "a base", 10**6)
    assert (tmp_path / "elsewhere").read_bytes() == b"of somebody"


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        (b"", 0),  # no bytes each, without end
        (ENTRY.pack(KEYS[0], 2**38, 0), 0),
        (ENTRY.pack(KEYS[0], 1, 0) + b"x", 1),
        (ENTRY.pack(KEYS[0], 10**6, 0), 0),  # more than may be kept
    ],
    ids=["nothing", "all there is", "one", "too long"],
)
def test_a_file_that_says_it_is_huge_costs_neither_time_nor_memory(tmp_path, entry, kept):
    """It has holes: a terabyte that takes no room on the disk."""
    filled(tmp_path).close()
    path = tmp_path / NAME
    head = path.read_bytes().partition(b"\n")[0] + b"\n"
    path.write_bytes(head + entry)
    try:
        os.truncate(path, 2**40)
    except OSError:
        pytest.skip("this disk has no files with holes")
    later = KeptStates(tmp_path, "a base", 10**6)
    assert len(later) == kept
    assert path.stat().st_size == len(head) + kept * len(entry)
    later.close()


def test_what_is_kept_of_another_length_is_not_taken(tmp_path):
    kept = filled(tmp_path)
    assert kept.get(KEYS[0], 96) is None
    kept.put(KEYS[0], b"y" * 96)
    assert kept.get(KEYS[0], 96) == b"y" * 96
    kept.close()
    later = KeptStates(tmp_path, "a base", 10**6)
    assert later.get(KEYS[0], 96) == b"y" * 96
    later.close()
