"""The line under each control: figures of the present, checked by hand; and the way to its page."""

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import KNOBS, Hyperparameters
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import ResumedRecord, SpectrumRecord, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Resume
from lora_lab.training.run import run
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.train.explain import Explanations
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.note_line import NoteLine
from tests.runs.earlier.copied import earlier_run


@pytest.fixture
def session(fake_session):
    return fake_session(RunConfig(preset="digits", task="digits"))


def explained(session, spectrum=None, names=(), **settings):
    """Of the fake's three layers, which may have other `names`."""
    loaded = session.loaded()
    layers = zip(loaded.layers, names or [layer.name for layer in loaded.layers], strict=True)
    loaded = replace(loaded, layers=tuple(replace(la, name=name) for la, name in layers))
    standing = Standing()
    standing.config = changed(session.config, **settings)
    standing.take(loaded)
    made = Explanations(standing)
    made.spectrum = spectrum
    return made


def spectrum(session, used, norms):
    rows = session.spectrum().layers
    return SpectrumRecord(7, tuple(
        replace(row, effective_rank=e, delta_norm=n)
        for row, e, n in zip(rows, used, norms, strict=True)
    ))  # fmt: skip


HYPER = Hyperparameters(rank=8, alpha=16)
# r·(in + out), capped at the smaller side: 8·128 + 8·96 + 8·42 of 6,570
TRAINED = 8 * 128 + 8 * 96 + 8 * 42


@pytest.mark.parametrize(
    ("field", "settings", "line"),
    [
        ("rank", {}, f"{TRAINED:,} ({100 * TRAINED / 6570:.3g} %) · uses 2.1–5.2 of 8"),
        ("alpha", {}, "‖ΔW‖/‖W‖ 0.5–3.1 %, most in fc2"),  # of ‖W‖ = 4 each
        ("learning_rate", {}, "current LR 0.001 ≈ step per weight"),
        ("learning_rate", {"warmup_steps": 100}, "current LR 1e-5 ≈ step per weight"),
        ("learning_rate", {"optimizer": "sgd"}, "current LR 0.001 × gradient"),
        (
            "learning_rate",
            {"b_rate_ratio": 16},
            "current LR A 0.001, B 0.016 ≈ step per weight",
        ),
        ("weight_decay", {}, "no weight decay"),
        ("dropout", {}, "no dropout"),
    ],
)
def test_a_line_holds_the_figures_of_now(session, field, settings, line):
    seen = spectrum(session, (2.1, 5.2, 3.0), (0.02, 0.124, 0.05))
    assert explained(session, seen, **settings).words(field, HYPER) == line


def test_of_one_layer_where_one_is_chosen(session):
    made = explained(session, spectrum(session, (2.1, 5.2, 3.0), (0.02, 0.124, 0.05)))
    made.chosen = "fc2"
    assert made.words("alpha", HYPER) == "‖ΔW‖/‖W‖ 3.1 % in this layer"
    assert made.words("rank", HYPER).endswith("uses 5.2 of 8")
    made.chosen = ""
    assert made.words("alpha", HYPER) == "‖ΔW‖/‖W‖ 0.5–3.1 %, most in fc2"


def test_before_there_is_anything_to_tell(session):
    nothing = spectrum(session, (math.nan,) * 3, (0.0,) * 3)
    for seen in (None, nothing):
        made = explained(session, seen)
        assert made.words("alpha", HYPER) == "ΔW is still 0"
        assert "uses" not in made.words("rank", HYPER)


def test_decay_and_rate_follow_the_schedule(session):
    made = explained(session)
    made.set_step(StepRecord(50, 1.0, 2.5e-4, 0.1))  # a quarter of the peak, 1e-3
    requested = changed(HYPER, learning_rate=4e-3, weight_decay=0.1, dropout=0.2)
    assert made.words("learning_rate", requested).startswith("current LR 0.001 ≈")
    # Each step keeps 1 − 0.001·0.1 of A and B: 6931 of them halve it.
    assert pytest.approx((1 - 1e-4) ** 6931, rel=1e-3) == 0.5
    assert made.words("weight_decay", requested) == "halves A and B in 6,931 steps, 0.01 % in each"
    tiny = changed(requested, learning_rate=1e-9)
    assert made.words("weight_decay", tiny) == "negligible at this learning rate"
    assert made.words("dropout", requested) == "zeroes 20 % of A’s inputs, the rest × 1.25"


def test_after_going_back_the_rate_is_that_of_then(session):
    made = explained(session, schedule="linear")
    made.set_step(StepRecord(90, 1.0, 1e-4, 0.1))
    made.set_back(ResumedRecord(26, stage=(0, 100)))
    assert made.rate_now(HYPER) == pytest.approx(0.75 * HYPER.learning_rate)  # of its 26th step
    made.set_back(ResumedRecord(0, stage=(0, 100)))
    assert made.rate_now(HYPER) == HYPER.learning_rate


def test_a_run_in_its_second_stage_has_the_rate_of_it_once_resumed(tmp_path):
    """Whatever comes in one tick: the rate is known once the record of resuming is there."""
    folder = earlier_run(tmp_path)
    config = RunFolder.at(folder).load_config()
    records, last, made = run(Resume.at(folder), Controls(config.hyper)), None, None
    for record in records:
        if isinstance(record, LoadedRecord):
            standing = Standing()
            standing.config = config
            standing.take(record)
            made = Explanations(standing)
        elif isinstance(record, StepRecord):
            last = record
        elif isinstance(record, ResumedRecord):
            made.set_back(record)
            break
    records.close()
    assert last.step == record.step
    assert made.rate_now(config.hyper) == pytest.approx(last.learning_rate, rel=1e-9)


def test_a_layer_is_named_by_what_tells_it_from_the_others(session):
    seen = spectrum(session, (2.0,) * 3, (0.02, 0.124, 0.05))
    long = [f"model.layers.{i}.self_attn.q_proj" for i in range(3)]
    rows = tuple(replace(row, name=name) for row, name in zip(seen.layers, long, strict=True))
    made = explained(session, replace(seen, layers=rows), names=long)
    assert made.words("alpha", HYPER).endswith("most in 1")


@pytest.fixture
def dock(qtbot, session):
    made = HyperparametersDock()
    qtbot.addWidget(made)
    made.show()
    made.standing.take(session.loaded())
    made.standing.config = session.config
    return made


@pytest.mark.parametrize("field", KNOBS)
def test_f1_and_a_click_ask_for_the_page_of_the_control(qtbot, dock, field):
    heard = []
    dock.help_requested.connect(heard.append)
    slider = dock.sliders[field]
    assert slider.explanation()
    for widget in (slider.slider, slider.edit):
        qtbot.keyClick(widget, Qt.Key.Key_F1)
    slider.findChild(NoteLine).click()
    assert heard == [KNOBS[field].page] * 3


def test_what_is_said_moves_nothing(qtbot, dock, session):
    before = dock.widget().sizeHint()
    session.step = 100
    dock.set_spectrum(session.spectrum())
    dock.sliders["rank"].edit.setValue(2)
    assert "would discard" in dock.sliders["rank"].explanation()
    qtbot.waitUntil(lambda: "‖ΔW‖/‖W‖" in dock.sliders["alpha"].explanation())
    assert dock.widget().sizeHint() == before
    note = dock.sliders["rank"].findChild(NoteLine)
    note.show_line("a long line " * 40)
    assert note.shown().endswith("…")
    assert note.toolTip().split() == ["a", "long", "line"] * 40


def test_the_layer_chosen_in_the_tree_is_the_one_that_is_told_of(qtbot, window, session):
    window.open(session.config)
    qtbot.waitUntil(window.commands.train.isEnabled)
    window.commands.train.trigger()
    alpha = window.hyper_dock.sliders["alpha"]
    qtbot.waitUntil(lambda: "most in" in alpha.explanation())
    window.layers_dock.layer_chosen.emit("fc2")
    assert alpha.explanation().endswith("in this layer")
    window.layers_dock.layer_chosen.emit("")
    assert "most in" in alpha.explanation()


def test_a_dragged_slider_tells_what_it_would_do(dock):
    assert dock.sliders["rank"].explanation().startswith(f"{TRAINED:,} parameters")
    dock.sliders["weight_decay"].moved.emit("weight_decay", 0.5)
    assert "1,386 steps" in dock.sliders["weight_decay"].explanation()
