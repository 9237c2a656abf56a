"""Runs from the command line: ended by a signal, listed, named, packed and unpacked."""

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.presets import get_preset
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.saves import listed
from tests.waiting import wait_until


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_as_the_button_does(name, tmp_path):
    """It finishes the step, saves, says how to go on, and exits as shells expect."""
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "lora_lab", "train", "--preset", "known-rank", "--steps", "1000000",
         "--out", str(out), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # What a shell ignores in the background (nohup) stays ignored in what it starts.
        preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_DFL),
    )  # fmt: skip
    wait_until(lambda: listed(out), 60)
    process.send_signal(getattr(signal, name))
    said, told = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name), told
    facts = json.loads(said)
    assert facts["interrupted"] == name
    found = summary_of(out)
    assert (found.state, found.step) == ("stopped", facts["steps"])
    assert listed(out)[-1][0] == facts["steps"], "the very last step is saved"
    assert (out / "adapter" / "adapter_model.safetensors").exists()
    words = f"stopped by {name} after step {facts['steps']:,} and saved; continue it with "
    words += f"lora-lab resume {out}"
    assert words in told
    assert "Traceback" not in told
    more = verb("resume", out, "--steps", facts["steps"] + 10, "--json")
    assert json.loads(more.stdout)["steps"] == facts["steps"] + 10
    assert json.loads(more.stdout)["interrupted"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_second_signal_does_not_wait():
    from lora_lab.cli.interrupts import stop_on_signals
    from lora_lab.hyperparameters import Hyperparameters
    from lora_lab.training.controls import Controls

    controls, before = Controls(Hyperparameters()), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(controls.stop) as came:
        os.kill(os.getpid(), signal.SIGTERM)
        assert controls.stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert came == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def runs(tmp_path):
    """A plain run, and a branch of it with a name and a note."""
    from lora_lab.config import Origin

    for name, origin in (("first", None), ("second", Origin("first", 7))):
        folder = RunFolder.create(tmp_path / "runs", name)
        folder.write_config(get_preset("digits").config, origin=origin)
        folder.write_summary(state="finished", step=9, max_steps=9, loss=0.5, seconds=2.0)
    return tmp_path / "runs"


def test_a_label_is_given_and_listed(runs):
    assert "notes" not in verb("runs", runs / "none").stdout
    assert verb("label", runs / "second", "--name", "wide", "--note", "r = 64").exit_code == 0
    assert verb("label", runs / "second", "--note", "α\n= 1").exit_code == 0
    found = {row["name"]: row for row in json.loads(verb("runs", runs, "--json").stdout)}
    assert found["second"]["label"] == "wide"
    assert found["second"]["note"] == "α\n= 1"
    assert (found["second"]["parent"], found["second"]["parent_step"]) == ("first", 7)
    assert found["first"]["bytes"] > 500
    table = verb("runs", runs).stdout
    assert "wide · α = 1 · from first at step 7" in table
    assert " kB" in table or " B" in table
    nothing = verb("label", runs / "second")
    assert nothing.exit_code == 1
    assert "Give --name" in nothing.stderr
    assert verb("label", runs / "third", "--name", "x").exit_code == 1


def test_a_run_is_packed_and_unpacked(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "other"))
    done = verb("pack", runs / "first")
    assert done.exit_code == 0, done.output
    assert "written: first.zip" in done.stdout
    taken = verb("pack", runs / "second", "--out", "first.zip")
    assert taken.exit_code == 1
    assert "exists already" in taken.stderr
    assert verb("pack", runs / "first", "--out", "first.zip", "--overwrite").exit_code == 0
    done = verb("unpack", "first.zip")
    assert done.stdout.split()[-1] == str(tmp_path / "other" / "runs" / "first")
    assert verb("unpack", "first.zip", "--to", runs).stdout.split()[-1] == str(runs / "first-2")
    (tmp_path / "torn.zip").write_bytes(b"PK")
    torn = verb("unpack", "torn.zip")
    assert torn.exit_code == 1
    assert "is not a whole zip" in torn.stderr
    assert "\n" not in torn.stderr.strip()
