"""A disk without room for what is written: one error, nothing delivered, nothing left beside."""

import pytest

from lora_lab.errors import LabError
from lora_lab.formats.verify import export
from lora_lab.runs.archive import pack
from lora_lab.runs.event_files import write_events
from lora_lab.workshop.merge_base import write_merged
from lora_lab.workshop.requests import OF_FILES
from tests.formats.adapters import weights_of
from tests.models import tiny
from tests.runs.sample_run import write_sample

ROOM = (0, 100, 1000)  # bytes that a file may have
PLACED = ("kohya", "diffusers")  # whose layers are of a component of a pipeline
NAMED = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A base with an adapter of it, and a run."""
    folder = tmp_path_factory.mktemp("given")
    module = tiny.save(folder / "base", "llama")
    weights = weights_of(module, "lora", base=folder / "base", targets=[NAMED])
    return folder / "base", weights, write_sample(folder / "runs")


def writer(name):
    def merged(base, weights, run, target):
        write_merged(weights, base, target)

    def packed(base, weights, run, target):
        pack(run, target)

    def events(base, weights, run, target):
        pytest.importorskip("tensorboard")
        write_events(run, target)

    def exported(base, weights, run, target):
        export(weights, target, name, component="unet" if name in PLACED else "")

    return {"merged": merged, "a run's zip": packed, "event files": events}.get(name, exported)


@pytest.mark.parametrize(
    "name", [*(name for name, *_ in OF_FILES), "merged", "a run's zip", "event files"]
)
def test_nothing_is_left_of_what_had_no_room(given, room, tmp_path, capfd, name):
    write = writer(name)
    for size in ROOM:
        target = tmp_path / str(size) / "out"
        target.parent.mkdir()
        room(size)
        try:
            with pytest.raises(LabError) as refused:
                write(*given, target)
        finally:
            room(-1)
        assert "too large" in str(refused.value)
        assert "Errno" not in str(refused.value)
        assert list(target.parent.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    write(*given, tmp_path / "out")
    assert (tmp_path / "out").exists()
