"""The run of an earlier lab in the window: its curves, its edits, its spectra, its rank."""

import math
import shutil

from lora_lab import paths
from lora_lab.records import State
from lora_lab.ui.widgets.plot import Plot
from tests.runs.earlier.copied import CUT, END, earlier_run
from tests.ui.seen import named


def test_it_is_opened_with_its_past(qtbot, lab):
    lab.flows.runs.open_run(str(earlier_run(paths.runs())))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    assert lab.sessions.step == CUT
    assert lab.hyper_dock.requested.rank == 2
    panels = {panel.key: panel for panel in lab.panels}
    loss, spectrum = panels["loss"], panels["spectrum"]
    qtbot.waitUntil(lambda: bool(spectrum.figure_data()), timeout=20_000)
    curves = loss.figure_data()
    points = [*zip(curves["curve"], curves["step"], curves["loss"], strict=True)]
    assert [step for name, step, _ in points if name == "train"] == list(range(1, CUT + 1))
    assert {step for name, step, _ in points if name == "validation"} >= {0, 3, 6, 9, 12, 15, CUT}
    assert all(math.isfinite(y) for *_, y in points)
    qtbot.waitUntil(lambda: len(loss.marks.words()) == 5, timeout=20_000)  # they are drawn
    assert loss.marks.words()[0] == "r 2→3"
    assert "rank 2" in spectrum.summary()
    assert named(lab.strip, "Step").text() == f"step {CUT} / {END}"


def test_every_display_has_the_goal_of_a_run_in_its_second_stage(qtbot, lab):
    lab.flows.runs.open_run(str(earlier_run(paths.runs())))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    panels = {panel.key: panel for panel in lab.panels}
    axis = panels["loss"].findChild(Plot).view
    qtbot.waitUntil(lambda: round(axis.viewRange()[0][1]) == END, timeout=20_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=20_000)
    assert named(lab.strip, "Step").text() == f"step {END} / {END}"
    assert named(lab.strip, "Progress of the run").value() == 1000
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > END, timeout=20_000)
    assert named(lab.strip, "Step").text().endswith(f"/ {END + 12}")
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=20_000)
    assert named(lab.strip, "Step").text() == "step 36 / 36"
    qtbot.waitUntil(lambda: round(axis.viewRange()[0][1]) == END + 12, timeout=20_000)


def test_one_that_ended_before_its_first_checkpoint_is_begun_again(qtbot, lab):
    folder = earlier_run(paths.runs())
    shutil.rmtree(folder / "checkpoints")
    lab.flows.runs.open_run(str(folder))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    assert (lab.sessions.step, lab.sessions.folder) == (0, None)
    assert lab.sessions.config.hyper.learning_rate == 2e-3
    assert named(lab.strip, "Step").text() == "step 0 / 12"
