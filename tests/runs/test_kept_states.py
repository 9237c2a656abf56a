"""What is kept comes back as it was put, or not at all."""

import os
import stat

import pytest

from lora_lab.runs.kept_states import ENTRY, NAME, KeptStates
from lora_lab.runs.own_key import own_key

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


@pytest.mark.parametrize("entries", [0, 4])
def test_what_a_stranger_has_kept_is_begun_anew(tmp_path, monkeypatch, entries):
    """Digests and checksums are anybody's to make; the key is not in the folder of the run."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("LORA_LAB_HOME", str(tmp_path / "elsewhere"))
        filled(tmp_path).close()
    path = tmp_path / NAME
    forged = path.read_bytes()
    rest = forged.partition(b"\n")[2]
    filled(tmp_path).close()
    own = path.read_bytes()
    assert own != forged
    if entries:  # under a first line that this lab has written
        path.write_bytes(own.partition(b"\n")[0] + b"\n" + rest)
    else:
        path.write_bytes(forged)
    later = KeptStates(tmp_path, "a base", 10**6)
    assert len(later) == entries
    assert [later.get(digest, 100 + i) for i, digest in enumerate(KEYS)] == [None] * 4
    later.close()


def test_entries_of_another_base_are_none_of_this_one(tmp_path):
    (tmp_path / "other").mkdir()
    filled(tmp_path).close()
    filled(tmp_path / "other", key="another").close()
    head = (tmp_path / NAME).read_bytes().partition(b"\n")[0]
    rest = (tmp_path / "other" / NAME).read_bytes().partition(b"\n")[2]
    (tmp_path / NAME).write_bytes(head + b"\n" + rest)
    later = KeptStates(tmp_path, "a base", 10**6)
    assert later.get(KEYS[0], 100) is None
    later.close()


def test_the_key_is_this_persons_alone_and_without_it_keeping_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "home"))
    filled(tmp_path).close()
    key = tmp_path / "home" / "key"
    assert (len(key.read_bytes()), own_key("x") == own_key("x") != own_key("y")) == (32, True)
    assert os.name == "nt" or stat.S_IMODE(key.stat().st_mode) == 0o600
    key.write_bytes(b"torn")
    kept = filled(tmp_path)
    assert bytes(kept.get(KEYS[0], 100)) == bytes(100)
    kept.close()
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / NAME))  # a file: nothing is kept within
    kept = filled(tmp_path)
    assert bytes(kept.get(KEYS[1], 101)) == b"\1" * 101
    kept.close()
    assert own_key("x") == own_key("x"), "in this process it is the same"


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
        (ENTRY.pack(KEYS[0], 2**38, b""), 0),
        (ENTRY.pack(KEYS[0], 1, b"") + b"x", 1),
        (ENTRY.pack(KEYS[0], 10**6, b""), 0),  # more than may be kept
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
