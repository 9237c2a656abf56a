"""The verb sweep: a grid trained and compared, what is left out said, an interruption continued."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lora_lab.cli import app, headless
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.runs.queue import Queue


def images(folder):
    for number, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            pixels = np.full((4, 4, 3), 200 * number + i, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


def sweep(*arguments):
    return CliRunner().invoke(app, ["sweep", *(str(a) for a in arguments)])


def known_rank(*arguments):
    return sweep("--preset", "known-rank", "--steps", 60, *arguments)


def test_a_grid_as_json(home):
    done = known_rank("--rank", "4,1,64", "--alpha", "2r", "--variant", "lora,full",
                      "--learning-rate", "1e-2", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert "skipped: r 64 · lora: rank 64 is above what any of the layers can use" in done.stderr
    assert "full fine-tuning has no rank, α or init" in done.stderr
    assert [row["best"] for row in rows] == sorted(row["best"] for row in rows)
    assert {(row["variant"], row["rank"], row["alpha"], row["parameters"]) for row in rows} == {
        ("lora", 4, 8.0, 320), ("lora", 1, 2.0, 80), ("full", 4, 8.0, 1536),
    }  # fmt: skip
    beaten = [
        any(o["best"] <= row["best"] and o["parameters"] < row["parameters"] for o in rows)
        for row in rows
    ]
    assert [row["pareto"] for row in rows] == [not lost for lost in beaten]
    assert all(row["state"] == "done" and row["steps"] == 60 for row in rows)
    assert len(list((home / "runs").iterdir())) == 3


def test_the_table_is_sorted_and_stars_who_is_beaten_by_nobody():
    done = known_rank("--rank", "1,2", "--seeds", 2)
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if " r " in line]
    best = [float(line.split("done")[1].split()[1]) for line in lines]
    assert best == sorted(best)
    assert len(lines) == 4
    assert sum("seed 1" in line for line in lines) == 2
    assert any(line.strip().startswith("★") for line in lines)
    assert not all(line.strip().startswith("★") for line in lines)


def test_an_interrupted_sweep_is_continued(home, monkeypatch):
    real = headless.run

    def run(*arguments, **more):
        for record in real(*arguments, **more):
            yield record
            if isinstance(record, StepRecord) and record.step == 20:
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(headless, "run", run)
        first = known_rank("--rank", "1,2", "--json")
    (folder,) = (home / "sweeps").iterdir()
    assert first.exit_code == 128 + signal.SIGINT
    assert f"lora-lab sweep --continue {folder}" in first.stderr
    assert [row["state"] for row in json.loads(first.stdout)] == ["waiting", "waiting"]
    rest = sweep("--continue", folder, "--json")
    assert rest.exit_code == 0, rest.output
    assert [(row["state"], row["steps"]) for row in json.loads(rest.stdout)] == [("done", 60)] * 2


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_a_search_that_was_interrupted_ends_as_one_that_was_not(home, monkeypatch):
    pytest.importorskip("optuna", reason="the extra search installs it")
    wanted = ("--search", "tpe", "--trials", 7, "--rank", "1..8", "--learning-rate", "1e-5..1e-1")
    whole = known_rank(*wanted, "--json")
    assert whole.exit_code == 0, whole.output
    for folder in (home / "sweeps").iterdir():
        folder.rename(home / "whole")
    real, runs = headless.run, []

    def run(*arguments, **more):
        runs.append(arguments)
        for record in real(*arguments, **more):
            yield record
            if len(runs) == 3 and isinstance(record, StepRecord) and record.step == 2:
                signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(headless, "run", run)
        first = known_rank(*wanted, "--json")
    assert first.exit_code == 128 + signal.SIGTERM, first.output
    (folder,) = (home / "sweeps").iterdir()
    assert len(json.loads(first.stdout)) == 3
    rest = sweep("--continue", folder, "--json")
    assert rest.exit_code == 0, rest.output
    facts = ("trial", "rank", "learning_rate", "best", "state", "steps")
    found, wanted = (
        [
            [row[name] for name in facts]
            for row in sorted(json.loads(x.stdout), key=lambda r: r["trial"])
        ]
        for x in (rest, whole)
    )
    assert found == wanted
    assert len(found) == 7
    pruned = next(row for row in json.loads(whole.stdout) if row["state"] == "pruned")
    on = CliRunner().invoke(app, ["resume", pruned["run"], "--steps", "60", "--json"])
    assert on.exit_code == 0, on.output
    assert json.loads(on.stdout)["steps"] == 60
    table = sweep("--continue", home / "whole")
    assert "differences in loss among the best runs, by setting: learning rate" in table.stdout


def test_trials_without_a_search_are_refused():
    done = known_rank("--rank", "1,2", "--trials", 3)
    assert done.exit_code == 1
    assert "say which with --search" in done.stderr


@pytest.mark.parametrize(("answer", "ran"), [("", False), ("n\n", False), ("y\n", True)])
def test_the_code_of_a_strangers_sweep_is_asked_about(home, monkeypatch, answer, ran):
    monkeypatch.chdir(home)
    module = f"a_net_of_a_sweep_{ran}"
    (home / f"{module}.py").write_text(
        "import pathlib\npathlib.Path('ran').touch()\ndef net(): raise OSError('built')\n"
    )
    torch.save({"w": torch.ones(2, 2)}, home / "net.pt")
    images(home / "images")
    queue = Queue(home / "theirs")
    queue.add([starting_config("image_classification", model=str(home / "net.pt"),
                               data=str(home / "images"), factory=f"{module}:net")])  # fmt: skip
    queue.close()
    done = CliRunner().invoke(app, ["sweep", "--continue", str(home / "theirs")], input=answer)
    assert done.exit_code == 1, done.output
    assert ("built" in done.output) == ran
    assert (home / "ran").exists() == ran
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rank", "1,2"), "Say what to train"),
        (("--preset", "known-rank", "--rank", "two"), "rank 'two' is not a whole number"),
        (("--preset", "known-rank", "--alpha", "2q"), "multiple of the rank"),
        (("--preset", "known-rank", "--rank", "99"), "Nothing is left to train"),
        (("--continue", "nowhere"), "nowhere is not the folder of a sweep"),
        (("--preset", "known-rank", "--model", "x"), "leave them empty"),
    ],
)
def test_what_can_be_mended_is_one_clear_line(arguments, said):
    done = sweep(*arguments)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_a_sweep_of_failures_only_fails():
    # The digits' border is always white, so that their pixels span fewer than 64 directions.
    done = sweep("--preset", "digits", "--init", "eva", "--rank", "64", "--json")
    rows = json.loads(done.stdout)
    assert [row["state"] for row in rows] == ["failed"], rows
    assert done.exit_code == 1
    assert rows[0]["message"] in done.stderr


def test_a_grid_over_an_adapter_begins_each_run_with_it(tmp_path):
    run = tmp_path / "first"
    train = ["train", "--preset", "known-rank", "--rank", "3", "--steps", "100", "--out", str(run)]
    assert CliRunner().invoke(app, train).exit_code == 0
    done = known_rank("--adapter", run / "adapter", "--learning-rate", "1e-3,1e-2", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert {(row["rank"], row["state"]) for row in rows} == {(3, "done")}
    configs = [json.loads((Path(row["run"]) / "config.json").read_text()) for row in rows]
    assert {c["config"]["adapter"] for c in configs} == {str(run / "adapter")}
