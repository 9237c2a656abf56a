"""Ray itself, on loopback: a sweep that is cut off in every way ends as one that never was."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lora_lab.cluster.driver import TUNE
from lora_lab.cluster.trial import GOING, RUNS, outcome_of
from lora_lab.runs.lock import is_live
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import resumable
from tests.cluster.loopback import ADDRESS, TOKEN, Loopback, why_not
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can be had"),
]
PATIENCE = 300  # seconds for whatever a busy machine has to start
# Long enough to be met in its middle, and saved all the time.
STEPS = 4000
RUNS_OF_IT = ("--preset", "digits", "--rank", "1,2,4", "--seeds", "2", "--steps", f"{STEPS}",
              "--autosave", "0.2")  # fmt: skip


@pytest.fixture
def cluster(tmp_path):
    found = Loopback(tmp_path / "over")
    yield found
    found.kill()


class Person:
    """Who sends sweeps, inside the cluster's network, with user data of their own."""

    def __init__(self, cluster, home):
        self.cluster, self.home = cluster, home

    def begin(self, *arguments):
        environment = self.cluster.environment(self.home) | {"LORA_LAB_CLUSTER_TOKEN": TOKEN}
        return subprocess.Popen(
            self.cluster.inside(sys.executable, "-m", "lora_lab", "sweep", "--json", *arguments),
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def sweep(self):
        (folder,) = (self.home / "sweeps").iterdir()
        return folder


def ended(process, code=0):
    out, err = process.communicate(timeout=600)
    assert process.returncode == code, err
    return (json.loads(out) if code == 0 else None), err


def going_on(sent):
    """Whether who sent a sweep still follows it; where they gave up, fails with their words."""
    assert sent.poll() is None, sent.communicate()[1]
    return True


def begun(sent, over):
    """The folder of the sweep that is being sent."""
    return wait_until(lambda: going_on(sent) and next((over / "cluster").glob("*"), None), PATIENCE)


def figures(rows):
    return {(row["rank"], row["seed"]): (row["best"], row["steps"], row["state"]) for row in rows}


def saved_at(place, item, steps=STEPS):
    """The step that a run was saved at which is trained now, and not near its end; or None."""
    known = outcome_of(place, item)
    run = place / RUNS / known.run
    at = resumable(run) if known.state == GOING else None
    return at if at is not None and at < steps / 2 and is_live(run) else None


def in_middle(place, steps=STEPS):
    """The item of such a run; None: none now."""
    items = sorted(path.stem for path in (place / "outcomes").glob("*.json"))
    return next((item for item in items if saved_at(place, item, steps) is not None), None)


def met(sent, place, steps=STEPS):
    return wait_until(lambda: going_on(sent) and in_middle(place, steps), PATIENCE)


def forget_owners(place):
    """Numbers of processes from before: another cluster gives them to others."""
    for path in (place / RUNS).glob("*/owner.json"):
        path.unlink()


def states(place):
    """Tune's own, by age: none in the beginning."""
    return sorted((place / TUNE).glob("experiment_state-*.json"))


def tear(place):
    """The newest state of Tune's as where it was being written when the power went."""
    newest = states(place)[-1]
    newest.write_bytes(newest.read_bytes()[:-100])


def pid_of(place, item):
    """The process of a run, as the run's own lock has it; in the cluster's numbers. "": not yet."""
    run = place / RUNS / outcome_of(place, item).run
    try:
        return str(json.loads((run / "owner.json").read_text())["pid"])
    except FileNotFoundError:  # the lock is taken before its owner is named
        return ""


def one_killed(cluster, place):
    """A run whose process was killed in its middle, and how often it had been resumed before."""
    item = in_middle(place)
    pid = pid_of(place, item) if item else ""
    if not pid or not cluster.kill_inside([pid], signal.SIGSTOP):
        return None
    # it stands still: what is seen of it now is so when it dies
    resumed = metrics(place, item).count("ResumedRecord")
    if saved_at(place, item) is None or pid_of(place, item) != pid:
        cluster.kill_inside([pid], signal.SIGCONT)
        return None
    assert cluster.kill_inside([pid])
    return item, resumed


def metrics(place, item):
    return Path(place / RUNS / outcome_of(place, item).run / "metrics.jsonl").read_text()


def all_losses(rows):
    """Every validation of these runs here, by settings: what was lost and made again is one."""
    found = {}
    for row in rows:
        records = read_metrics(Path(row["run"]) / "metrics.jsonl")
        found[row["rank"], row["seed"]] = {
            (r["step"], r["enabled"]): r["loss"] for r in records if r["record"] == "EvalRecord"
        }
    return found


@pytest.mark.timeout(600)
def test_trials_driver_and_head_may_be_killed(tmp_path, cluster):
    calm, torn = Person(cluster, tmp_path / "calm"), Person(cluster, tmp_path / "torn")
    wanted, _ = ended(calm.begin(*RUNS_OF_IT))  # in one process, without Ray
    assert {row["state"] for row in wanted} == {"done"}

    sent = torn.begin(*RUNS_OF_IT, "--cluster", ADDRESS)
    place = begun(sent, tmp_path / "over")
    # the driver
    met(sent, place)
    assert cluster.kill_inside(cluster.pids("lora_lab.cluster.driver"))
    _, words = ended(sent, 1)
    assert re.search(r"ended early: .*exit code (137|-9).*--restore", words, re.S), words
    wait_until(lambda: not any(map(is_live, (place / RUNS).iterdir())), PATIENCE)
    restored = torn.begin("--continue", torn.sweep.name, "--restore")
    met(restored, place)  # in the job that continues
    wait_until(lambda: going_on(restored) and states(place), PATIENCE)
    # the head, and with it whoever watches from inside its network
    cluster.kill()
    restored.communicate()
    forget_owners(place)
    tear(place)
    cluster.start()
    _, words = ended(torn.begin("--continue", torn.sweep.name), 1)
    assert f"has forgotten the job {place.name}-2; its files are in {place} there" in words
    last = torn.begin("--continue", torn.sweep.name, "--restore")
    # one trial, which Ray begins again behind those that wait
    item, resumed = wait_until(lambda: going_on(last) and one_killed(cluster, place), PATIENCE)
    rows, _ = ended(last)
    assert metrics(place, item).count("ResumedRecord") > resumed
    assert figures(rows) == figures(wanted)
    seen = all_losses(rows)
    for settings, losses in all_losses(wanted).items():  # what resumes measures once more
        assert losses.items() <= seen[settings].items()
    for row in rows:
        assert (Path(row["run"]) / "adapter").is_dir()
    # nothing that was written anywhere has the token
    for path in [*tmp_path.rglob("*.json"), *tmp_path.rglob("*.log")]:
        assert TOKEN not in path.read_text("utf-8", "replace")


@pytest.mark.timeout(270)
def test_a_sweep_is_stopped_and_watched_again(tmp_path, cluster):
    person = Person(cluster, tmp_path / "me")
    sent = person.begin("--preset", "digits", "--rank", "1", "--steps", "10000000", "--eval-steps",
                        "1000", "--autosave", "0.1", "--cluster", ADDRESS)  # fmt: skip
    place = begun(sent, tmp_path / "over")
    item = met(sent, place, 10000000)
    assert cluster.pids("ray::ResourceTrainable")
    cluster.kill_inside(cluster.pids("lora_lab sweep"), signal.SIGINT)  # Ctrl-C lets go
    _, words = ended(sent, 130)
    assert f"it continues there; lora-lab sweep --continue {person.sweep} shows it again" in words
    rows, _ = ended(person.begin("--continue", person.sweep.name, "--stop"), 0)
    assert [row["state"] for row in rows] == ["waiting"]
    assert rows[0]["run"]
    wait_until(lambda: not cluster.pids("ray::ResourceTrainable"))
    assert resumable(place / RUNS / outcome_of(place, item).run)
