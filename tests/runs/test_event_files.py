"""Event files as TensorBoard's own reader reads them back, of a finished run and of one that goes.

Where tensorboard is not installed, only what is said of that is tested.
"""

import io
import json
import math
import sys
import threading
import warnings
from itertools import pairwise

import pytest
from rich.console import Console

from lora_lab.cli.headless import drive
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import get_preset
from lora_lab.records import StepRecord
from lora_lab.runs.event_files import EventFiles, write_events
from lora_lab.runs.story import story_of
from lora_lab.training.opening import New
from tests.runs.sample_run import HELD, LAYERS, LOSSES, SIGMA, records, spectrum, write_sample

CONSOLE = Console(quiet=True)


@pytest.fixture
def read():
    """A function that reads a folder with tensorboard's accumulator: scalars, times and texts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own imports
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def reader(folder):
        found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        tags = found.Tags()
        scalars = {tag: found.Scalars(tag) for tag in tags["scalars"]}
        texts = {
            tag: [(e.step, e.tensor_proto.string_val[0].decode()) for e in found.Tensors(tag)]
            for tag in tags["tensors"]
        }
        return scalars, texts

    return reader


def values(events):
    return {event.step: event.value for event in events}


def test_a_finished_run_comes_back(tmp_path, read):
    assert write_events(write_sample(tmp_path), tmp_path / "events") == 5
    scalars, texts = read(tmp_path / "events")
    assert values(scalars["loss/training"]) == dict(enumerate(LOSSES, 1))
    rates = {n: 1e-3 / n for n in range(1, 6)}
    assert values(scalars["settings/learning_rate"]) == pytest.approx(rates)
    assert values(scalars["loss/held_out"]) == HELD
    assert values(scalars["loss/held_out_adapter_off"]) == {0: 2.0}
    assert values(scalars["accuracy/held_out"]) == pytest.approx({0: 0.9, 2: 0.8, 5: 0.75})
    assert values(scalars["settings/rank"]) == {0: 4, 2: 8, 4: 8}
    assert values(scalars["settings/alpha"]) == {0: 4, 2: 4, 4: 4}
    for layer in LAYERS:
        for place, sigma in enumerate(SIGMA[layer.name], 1):
            found = values(scalars[f"sigma_{place}/{layer.name}"])
            assert found == {0: 0, 2: sigma, 5: sigma}
        assert values(scalars[f"effective_rank/{layer.name}"]) == pytest.approx(
            {0: 2.2, 2: 2.2, 5: 2.2}
        )
        assert values(scalars[f"rank/{layer.name}"]) == {0: 3, 2: 3, 5: 3}
        assert values(scalars[f"alpha/{layer.name}"]) == {0: 6, 2: 6, 5: 6}
    edits = texts["edits/text_summary"]
    assert edits == [(2, "    rank: 4 → 8\n    a note"), (4, "    learning_rate: 4e-06 → 1e-05")]
    (asked,) = texts["run/text_summary"]
    assert '"preset": "digits"' in asked[1]
    times = [event.wall_time for event in scalars["loss/training"]]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([0.5] * 4)


def test_a_run_writes_them_as_it_goes(tmp_path, read):
    config = changed(get_preset("known-rank").config, max_steps=60)
    facts = drive(New(config, tmp_path / "run"), CONSOLE, tensorboard=tmp_path / "live")
    live, _ = read(tmp_path / "live")
    write_events(tmp_path / "run", tmp_path / "after")
    after, _ = read(tmp_path / "after")
    assert live.keys() == after.keys()
    losses = {row["step"]: row["loss"] for row in story_of(tmp_path / "run").of("StepRecord")}
    assert values(live["loss/training"]) == pytest.approx(losses)
    assert values(live["loss/training"]) == values(after["loss/training"])
    assert values(live["loss/held_out"]) == values(after["loss/held_out"])
    sigma = facts["singular_values"]["layer"]
    for found in (live, after):  # the last spectrum is written, however thinned those before were
        assert values(found["sigma_1/layer"])[60] == pytest.approx(sigma[0], rel=1e-6)


def test_spectra_are_thinned_while_it_goes(tmp_path, read, monkeypatch):
    monkeypatch.setattr("lora_lab.runs.event_files.SHARE", 1e-9)
    files = EventFiles(tmp_path)
    files.note(next(records()))
    for step in range(1, 30):
        files.note(spectrum(step))
    files.close()
    files.close()
    scalars, _ = read(tmp_path)
    assert list(values(scalars["sigma_1/fc1"])) == [1, 29]


def test_the_training_of_a_base_and_what_is_not_finite(tmp_path, read):
    loaded = next(records())
    stage = LoadedRecord(**{**vars(loaded), "stage": "full training of the base"})
    files = EventFiles(tmp_path)
    for record in (stage, StepRecord(1, 9.0, 1.0, 1.0), loaded, StepRecord(1, math.nan, 0.5, 1.0)):
        files.note(record)
    files.close()
    scalars, _ = read(tmp_path)
    (event,) = scalars["loss/training"]
    assert math.isnan(event.value)


def test_two_runs_do_not_share_a_folder(tmp_path, read):
    run = write_sample(tmp_path)
    write_events(run, tmp_path / "events")
    with pytest.raises(LabError, match="holds event files already"):
        write_events(run, tmp_path / "events")
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot be written"):
        write_events(run, tmp_path / "file")


def test_a_disk_that_is_full_is_one_error_and_leaves_nothing(tmp_path, read, room, capfd):
    run = write_sample(tmp_path)
    threads = threading.active_count()
    room(2000)
    with pytest.raises(LabError, match="events cannot be written"):
        write_events(run, tmp_path / "events")
    room(-1)
    assert not (tmp_path / "events").exists()
    assert threading.active_count() == threads, "nobody writes beside it"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["note_settings", "note", "close"])
def test_what_they_refuse_is_said_once(tmp_path, read, monkeypatch, name):
    real = getattr(EventFiles, name)

    def refuse(self, *arguments):
        real(self, *arguments)
        raise OSError(28, "No space left on device")

    config = changed(get_preset("known-rank").config, max_steps=5)
    monkeypatch.setattr(EventFiles, name, refuse)
    console = Console(record=True, soft_wrap=True, file=io.StringIO())
    assert (
        drive(New(config, tmp_path / "run"), console, tensorboard=tmp_path / "live")["steps"] == 5
    )
    assert console.export_text().count("event files end here (the disk is full)") == 1


def test_without_tensorboard_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(LabError, match="pip install tensorboard"):
        write_events(write_sample(tmp_path), tmp_path / "events")
    with pytest.raises(LabError, match="pip install tensorboard"):
        drive(New(get_preset("known-rank").config, tmp_path / "new"), CONSOLE, tensorboard=tmp_path)
    assert not (tmp_path / "new").exists(), "it is said before anything is trained"


def test_they_are_not_written_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(LabError, match="it is a link, to"):
        EventFiles(tmp_path / "link")
    assert not list((tmp_path / "real").iterdir())


def test_what_a_run_says_is_no_page_that_asks_a_network(tmp_path, read):
    """tensorboard shows Markdown, and loads its pictures."""
    run = write_sample(tmp_path)
    said = "![x](https://example.org/x.png)\u2028<img src='https://example.org/a.png'>\n# b\x1b"
    row = {"record": "AppliedRecord", "step": 5, "hyper": {"rank": 4, "alpha": 4.0},
           "changes": [[said, said, 8]], "notes": [said], "discarded_energy": 0.0}  # fmt: skip
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    write_events(run, tmp_path / "events")
    _, texts = read(tmp_path / "events")
    (_, last) = texts["edits/text_summary"][-1]
    assert "example.org" in last
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own cleaner
        from tensorboard.plugin_util import markdown_to_safe_html

        page = markdown_to_safe_html(last)
    assert "<img" not in page
    assert "<a" not in page
    assert "<h1" not in page
