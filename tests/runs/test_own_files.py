"""What a stranger's folder may hold under the names of a run: read at once or refused by name."""

import json
import os
import secrets
import shutil
import sys
import time
from contextlib import suppress

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import LabError
from lora_lab.folders import remove_folder
from lora_lab.runs.checkpoints import forget_after, tidy, write_checkpoint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.inputs import recorded_classes
from lora_lab.runs.listing import list_runs, summary_of, written_state
from lora_lab.runs.lock import is_live, owner
from lora_lab.runs.measure import measure_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.past import last_spectrum, last_trained, past_records
from lora_lab.runs.queue import Queue
from lora_lab.runs.report import report_of
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.runs.snapshots import write_snapshot
from tests.runs.earlier.copied import earlier_run

NAMES = ("config.json", "state.json", "label.json", "owner.json", "metrics.jsonl", "log.txt",
         "exports.jsonl", "lock", "checkpoints", "adapter")  # fmt: skip
READERS = (
    summary_of,
    written_state,
    SavedConfig.read,
    report_of,
    owner,
    is_live,
    lambda run: read_metrics(run / "metrics.jsonl"),
    lambda run: list(past_records(run / "metrics.jsonl", 10)),
    lambda run: last_spectrum(run / "metrics.jsonl"),
    lambda run: last_trained(run / "metrics.jsonl"),
    lambda run: recorded_classes(run / "metrics.jsonl"),
    lambda run: measure_of(run / "metrics.jsonl"),
)


def refusals(run):
    """What the readers say that refuse it; whatever else they raise is a fault."""
    said = []
    for read in READERS:
        try:
            read(run)
        except LabError as error:
            said.append(str(error))
    return said


@pytest.fixture
def run(tmp_path):
    return earlier_run(tmp_path)


def link(path, victim):
    path.symlink_to(victim)


def dead_link(path, victim):
    path.symlink_to(victim / "nowhere")


def endless(path, victim):
    path.symlink_to("/dev/zero")


def pipe(path, victim):
    os.mkfifo(path)


def second_name(path, victim):
    os.link(victim, path)


def socket(path, victim):
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path.parent)  # its address must be short
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


@pytest.fixture
def victim(tmp_path_factory):
    """A file of somebody's own, without a line end, and a folder of saves."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "notes").write_bytes(b"one line and no more")
    shutil.copytree(earlier_run(folder / "mine") / "checkpoints", folder / "checkpoints")
    return folder


def all_of(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [link, dead_link, endless, pipe, socket, second_name])
def test_a_run_is_never_written_to_through_it(run, victim, name, kind):
    """It is refused by name before anything is made, and every reader comes back."""
    path, other = run / name, victim / ("checkpoints" if name == "checkpoints" else "notes")
    if kind is second_name and name in ("checkpoints", "adapter"):
        pytest.skip("a folder has one name only")
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    kind(path, other if kind is not dead_link else victim)
    before, began = all_of(victim), time.process_time()
    replaced = kind is second_name and name not in (
        "metrics.jsonl",
        "log.txt",
        "exports.jsonl",
        "lock",
    )
    if not replaced:
        with pytest.raises(LabError, match=name.replace(".", r"\.")):
            RunFolder.at(run).lock()
    assert all(name in said or "no record" in said for said in refusals(run))
    assert len(list_runs(run.parent)) == 1
    assert time.process_time() - began < 2
    assert all_of(victim) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no path of an open folder")
@pytest.mark.parametrize(
    ("folder", "after"),
    [("checkpoints", 1), ("checkpoints/.step-*.tmp", 2), ("snapshots", 1), (".adapter.*.tmp", 2)],
)
def test_a_folder_that_becomes_a_link_while_it_is_written_leads_nowhere(
    tmp_path, victim, monkeypatch, folder, after
):
    """Exchanged when the write has just named what it makes: that is `after` so many names."""
    run, elsewhere = earlier_run(tmp_path), victim / "checkpoints"
    layer = LayerWeights("a", torch.ones(2, 5), torch.ones(3, 2), alpha=8.0, scaling=4.0)
    (run / "snapshots").mkdir()
    writes = {
        "c": lambda: write_checkpoint(run, 10**9 - 1, {"a": torch.ones(2)}, {}),
        "s": lambda: write_snapshot(run, 7, [layer]),
        ".": lambda: RunFolder.at(run).save_adapter(
            AdapterWeights("lora", ()), lambda _, inside: write_file(inside / "a", b"x")
        ),
    }
    before, named, token = all_of(victim), [], secrets.token_hex

    def exchanging(size):
        named.append(token(size))
        if len(named) == after:
            (made,) = run.glob(folder)
            made.rename(run / "aside")
            made.symlink_to(elsewhere)
        return named[-1]

    monkeypatch.setattr(secrets, "token_hex", exchanging)
    with suppress(OSError, LabError):
        writes[folder[0]]()
    assert len(named) >= after
    assert all_of(victim) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no path of an open folder")
@pytest.mark.parametrize("clean", [tidy, lambda run: forget_after(run, 0, 0)])
def test_saves_are_taken_away_from_no_folder_but_the_runs_own(tmp_path, victim, monkeypatch, clean):
    run, elsewhere = earlier_run(tmp_path), victim / "checkpoints"
    for folder in (run / "checkpoints", elsewhere):
        (folder / ".step-000000001.0123456789ab.tmp").mkdir()
        (folder / ".step-000000001.0123456789ab.tmp" / "a").touch()
    before = all_of(victim)

    def exchanging(path):
        if not (run / "aside").exists():
            (run / "checkpoints").rename(run / "aside")
            (run / "checkpoints").symlink_to(elsewhere)
        remove_folder(path)

    monkeypatch.setattr("lora_lab.runs.checkpoints.remove_folder", exchanging)
    clean(run)
    assert (run / "aside").exists()
    assert all_of(victim) == before


HUGE = "1" + "0" * 400
JUNK = {
    "empty": "",
    "half": '{"config": {',
    "a list": "[]",
    "a number": "7",
    "binary": "\x00\xff",
    "400 digits": f'{{"config": {HUGE}, "state": "running", "step": {HUGE}, "name": {HUGE}}}',
    "1e999": '{"config": {}, "step": 1e999, "loss": 1e999, "name": 1e999}',
    "nested": '{"config":' * 1500 + "1" + "}" * 1500,
    "nested 900": '{"config": {}, "hyper":' * 900 + "1" + "}" * 900,
    "nested lists": '{"config": {"hyper": ' + "[" * 5000 + "]" * 5000 + "}}",
    "hyper a list": '{"config": {"hyper": [1]}, "hyper": [1]}',
    "hyper a word": '{"config": {"hyper": "x"}, "hyper": "x"}',
    "rank a word": '{"config": {"hyper": {"rank": "x"}}, "hyper": {"rank": "x"}}',
    "α of 10^400": f'{{"config": {{"hyper": {{"alpha": {HUGE}}}}}, "hyper": {{"alpha": {HUGE}}}}}',
    "a true step": '{"config": {"max_steps": true}, "step": true}',
    "a step below 0": '{"config": {"max_steps": -1}, "step": -1}',
    "loss a table": '{"config": {"task": {}}, "loss": {}}',
    "words of numbers": '{"config": {"preset": 1}, "state": 1, "name": 1, "note": 1}',
    "origin": '{"config": {}, "origin": {"run": 1, "step": "x"}, "state": [], "name": []}',
    "started": '{"config": {}, "started": {}, "seconds": "x", "name": {}}',
    "long": '{"config": {"preset": "' + "x" * 2**21 + '"}}',
    "half a pair": '{"config": {"preset": "\\ud83d"}, "state": "\\ud83d", "name": "\\ud83d"}',
}


@pytest.mark.parametrize("name", ["config.json", "state.json", "label.json", "owner.json"])
@pytest.mark.parametrize("junk", JUNK)
def test_one_bad_member_hides_no_other(run, name, junk):
    """It is listed with what is wrong, and everybody who reads it says so in one sentence."""
    bad = run.parent / "bad"
    shutil.copytree(run, bad)
    (bad / name).write_text(JUNK[junk], "utf-8")
    began = time.process_time()
    found = {one.name: one for one in list_runs(run.parent)}
    assert found[run.name].interrupted
    assert not found[run.name].flaw
    if "bad" in found:
        words = " ".join(map(str, vars(found["bad"]).values()))
        words.encode()  # no half of a pair is left in it
        json.dumps(words)
    assert all(name in said for said in refusals(bad))
    assert time.process_time() - began < 2


def test_a_bad_member_is_named(run):
    """A damaged state does not take the settings with it, nor damaged settings the others."""
    states = {"config.json": "{", "state.json": '{"hyper": [1]}', "label.json": '{"name": 3}'}
    for number, (name, text) in enumerate(states.items()):
        bad = run.parent / f"bad {number}"
        shutil.copytree(run, bad)
        (bad / name).write_text(text)
    found = {one.name: one for one in list_runs(run.parent)}
    told = [(found[f"bad {n}"].state, found[f"bad {n}"].title) for n in range(3)]
    assert told == [("damaged", ""), ("damaged", "digits"), ("interrupted", "digits")]
    for number, name in enumerate(states):
        assert name in found[f"bad {number}"].flaw
    with pytest.raises(LabError, match=r"config\.json is not valid JSON"):
        summary_of(run.parent / "bad 0")
    for other in ("a folder", "a model"):
        (run.parent / other).mkdir()
    (run.parent / "a model" / "config.json").write_text('{"model_type": "bert"}')
    assert len(list_runs(run.parent)) == 4, "what is no run is none, and is no damage"


@pytest.mark.parametrize("junk", [None, 1, [], "x", {"a": 1}, {"torch": []}])
@pytest.mark.parametrize("key", ["started", "versions", "base_fingerprint", "inputs"])
def test_what_stands_beside_the_settings_is_checked_too(run, key, junk):
    about = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**about, key: junk}))
    if (key, junk) == ("inputs", None) or (
        isinstance(junk, str) and key not in ("versions", "inputs")
    ):
        assert report_of(run)
        return
    with pytest.raises(LabError, match=rf"config\.json is damaged: {key}"):
        report_of(run)


QUEUES = {
    "no table": "[]",
    "item no table": '{"schema": 1, "items": [1]}',
    "digits": f'{{"schema": 1, "items": [{HUGE}]}}',
    "nested": '{"a":' * 5000 + "1" + "}" * 5000,
}


@pytest.mark.parametrize("junk", QUEUES)
def test_a_damaged_queue_is_kept_aside(tmp_path, junk):
    (tmp_path / "queue.json").write_text(QUEUES[junk])
    with pytest.raises(LabError, match="could not be read"):
        Queue(tmp_path)
    queue = Queue(tmp_path)
    assert queue.items == ()
    queue.close()


@pytest.mark.parametrize("kind", [link, endless, pipe, second_name])
@pytest.mark.parametrize("name", ["queue.json", "lock", "owner.json"])
def test_a_queue_is_no_way_out_either(tmp_path, victim, name, kind):
    folder = tmp_path / "sweep"
    folder.mkdir()
    kind(folder / name, victim / "notes")
    before, began = all_of(victim), time.process_time()
    with suppress(LabError):
        Queue(folder).close()
    assert time.process_time() - began < 2
    assert all_of(victim) == before
