"""An index is a stranger's list of names: only sound files of the folder itself are opened."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.errors import CheckpointError
from lora_lab.models.shards import read_weights

ONE, TWO = {"a": torch.ones(2)}, {"b": torch.zeros(3)}


def write(folder, weight_map, one=ONE, two=TWO):
    save_file(one, folder / "one.safetensors")
    save_file(two, folder / "two.safetensors")
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": weight_map}))
    return folder


GOOD = {"a": "one.safetensors", "b": "two.safetensors"}
NAMES = [
    "../one.safetensors", "/etc/passwd", "C:\\one.safetensors", "\\\\host\\share.safetensors",
    "one\0.safetensors", "sub/one.safetensors", "..", "", ".hidden.safetensors", "one.bin", 7,
]  # fmt: skip


def test_shards_are_read_together(tmp_path):
    told = []
    state = read_weights(write(tmp_path, GOOD), lambda what, share: told.append(share))
    assert sorted(state) == ["a", "b"]
    assert told == sorted(told)


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_only_bare_names_are_followed(tmp_path, name):
    with pytest.raises(CheckpointError, match="bare name"):
        read_weights(write(tmp_path, {"a": name}))


MISFITS = {
    "missing shard": ({**GOOD, "c": "three.safetensors"}, ONE, TWO, "three.safetensors is missing"),
    "lacking tensor": ({**GOOD, "c": "two.safetensors"}, ONE, TWO, "lacks tensor 'c'"),
    "tensor in two shards": (GOOD, ONE, {**TWO, "a": torch.ones(2)}, "puts elsewhere"),
    "tensor in no shard": ({"a": "one.safetensors"}, {**ONE, "x": torch.ones(1)}, TWO, "elsewhere"),
    "empty": ({}, ONE, TWO, "no shards"),
    "no table": ([], ONE, TWO, "no shards"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_shards_hold_just_what_the_index_says(tmp_path, name):
    weight_map, one, two, reason = MISFITS[name]
    with pytest.raises(CheckpointError, match=reason):
        read_weights(write(tmp_path, weight_map, one, two))


def _outside(folder):
    (folder / "one.safetensors").rename(folder.parent / "stolen.safetensors")
    (folder / "one.safetensors").symlink_to(folder.parent / "stolen.safetensors")


def _loop(folder):
    (folder / "one.safetensors").unlink()
    (folder / "one.safetensors").symlink_to(folder / "one.safetensors")


def _pipe(folder):
    (folder / "one.safetensors").unlink()
    os.mkfifo(folder / "one.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(_outside, "leads out"), (_loop, "leads nowhere|missing"), (_pipe, "regular")],
)
def test_links_out_and_pipes_are_not_opened(tmp_path, spoil, reason):
    folder = tmp_path / "model"
    folder.mkdir()
    spoil(write(folder, GOOD))
    with pytest.raises(CheckpointError, match=reason):
        read_weights(folder)


@pytest.mark.parametrize("inner", ["text_encoder", "a/b"])
def test_a_folder_within_a_cached_repository_is_of_it(tmp_path, inner):
    """As one part of a pipeline is opened."""
    repository = tmp_path / "models--a--b"
    part, blobs = repository / "snapshots" / "0123" / inner, repository / "blobs"
    part.mkdir(parents=True)
    blobs.mkdir()
    save_file(ONE, blobs / "cafe")
    (part / "model.safetensors").symlink_to(os.path.relpath(blobs / "cafe", part))
    assert sorted(read_weights(part)) == ["a"]
    (part / "model.safetensors").unlink()
    save_file(ONE, tmp_path / "cafe")
    (part / "model.safetensors").symlink_to(tmp_path / "cafe")
    with pytest.raises(CheckpointError, match="leads out"):
        read_weights(part)


def test_the_caches_own_links_are_followed(tmp_path):
    repository = tmp_path / "models--a--b"
    snapshot, blobs = repository / "snapshots" / "0123", repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    save_file(ONE, blobs / "cafe")
    (snapshot / "model.safetensors").symlink_to(blobs / "cafe")
    assert sorted(read_weights(snapshot)) == ["a"]
    (snapshot / "model.safetensors").unlink()
    save_file(ONE, tmp_path / "cafe")
    (snapshot / "model.safetensors").symlink_to(tmp_path / "cafe")
    with pytest.raises(CheckpointError, match="leads out"):
        read_weights(snapshot)
