"""Every panel takes the same life: reset, receive, redraw, restyle, and says what it shows."""

import math
import re
from dataclasses import replace
from time import thread_time

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QTableView, QToolButton, QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord, MemoryRecord, SpeedRecord
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    EvalRecord,
    PastEditRecord,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.rules import energy_beyond
from lora_lab.ui.panels import PANELS
from lora_lab.ui.panels.edit_marks import gathered
from lora_lab.ui.panels.spectrum.figures import share_span
from lora_lab.ui.panels.spectrum.measures import Measures
from lora_lab.ui.preview import SAMPLES, feed, samples
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import duration, rate_words, size_words
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.plot import Plot
from lora_lab.ui.widgets.smoothing import Smoothing
from tests.ui.seen import named, settle, words

NOTHING_TO_SHOW = {(key, p) for key in ("data", "generation") for p in ("digits", "known-rank")}


@pytest.fixture
def make(qtbot):
    def build(key, preset=None, steps=200, show=True):
        panel = PANELS[key]()
        panel.resize(500, 340)
        qtbot.addWidget(panel)
        if preset:
            loaded, *rest = samples(preset, steps)
            panel.standing.take(loaded)
            feed(panel, rest)
        if show:
            panel.show()
        return panel

    return build


def last_spectrum(preset, steps=200):
    """The one that `make` has shown last."""
    return [r for r in samples(preset, steps) if isinstance(r, SpectrumRecord)][-1]


def test_the_loss_of_another_run_does_not_linger(make):
    panel = make("loss", "digits")
    panel.redraw()
    figure = named(panel, "Smoothed training loss")
    assert figure.text() != "—"
    panel.standing.take(samples("digits", 3)[0])
    panel.redraw()
    assert figure.text() == "—"
    assert "step 0" in words(panel)


def test_the_label_of_a_late_edit_stays_inside(make):
    panel = make("loss", "digits")
    panel.marks.note(199, (("rank", 4, 16),))
    panel.redraw()
    panel.marks.draw(0.0, 200.0)
    items = named(panel, "Loss over steps", Plot).getPlotItem().items
    texts = [t for t in items if isinstance(t, pg.TextItem) and t.isVisible()]
    late = [text for text in texts if text.toPlainText() == "r 4→16"]
    assert [text.anchor.x() for text in late] == [1]


def texts_of(panel):
    """The words that stand in the plot of the loss, with their places on its axes."""
    plot = named(panel, "Loss over steps", Plot)
    items = [i for i in plot.getPlotItem().items if isinstance(i, pg.TextItem) and i.isVisible()]
    return [(i.toPlainText(), i.mapRectToDevice(i.boundingRect())) for i in items], plot


@pytest.mark.parametrize("size", [(330, 200), (500, 340), (1000, 500)])
@pytest.mark.parametrize(("preset", "steps"), [("digits", 12), ("digits", 400), ("text", 12)])
def test_no_word_in_the_plot_lies_over_the_curve_or_another_word(make, preset, steps, size):
    panel = make("loss", preset, steps)
    panel.resize(*size)
    for step in (3, 4, 6):
        panel.marks.note(step, (("rank", 4, 16), ("alpha_mode", "scale_effect", "keep_function")))
    settle()
    panel.redraw()
    texts, plot = texts_of(panel)
    legend = next(iter(panel.findChildren(Legend)))
    seen = " ".join([legend.toolTip(), legend.text(), *(text for text, _ in texts)])
    assert seen.count("base model (validation)") == 1, "told in one place or in the other"
    for n, (text, box) in enumerate(texts):
        assert not [other for other, place in texts[:n] if box.intersects(place)], text
    inner = [box for text, box in texts if "base model" in text]
    for name in ("train", "train, smoothed", "validation"):
        x, y = plot.shown().get(name, ((), ()))
        points = [plot.view.mapViewToDevice(pg.Point(a, b)) for a, b in zip(x, y, strict=True)]
        assert not [p for p in points for box in inner if box.contains(p)], name


@pytest.mark.parametrize("size", [(300, 190), (470, 260), (900, 500)])
@pytest.mark.parametrize("log", [True, False])
def test_labels_of_edits_lie_above_the_data(make, size, log):
    panel = make("loss", "digits", 300)
    panel.resize(*size)
    named(panel, "Logarithmic loss axis", QToolButton).setChecked(log)
    for step in (20, 21, 22, 150):
        panel.marks.note(step, (("rank", 4, 16), ("alpha", 4.0, 8.0), ("dropout", 0.0, 0.1)))
    settle()
    named(panel, "Loss over steps", Plot).follow()
    assert panel.marks.boxes
    _, y = named(panel, "Loss over steps", Plot).shown()["train"]
    assert min(low for _, _, low, _ in panel.marks.boxes) >= np.nanmax(y)


def test_what_the_curves_are_of_is_seen_in_the_narrowest_panel(make):
    panel = make("loss", "digits", 300)
    panel.resize(300, 190)
    for _ in "12":
        settle()
        panel.redraw()
    (legend,) = panel.findChildren(Legend)
    text = legend.text().replace("\u00a0", " ")
    assert "train (1/10)" in text
    assert "+" in text


def test_curves_of_different_data_say_so_where_they_are_named(make):
    panel = make("loss", "digits")  # trained on the nine alone, validated on every class
    panel.resize(1400, 340)
    settle()
    panel.redraw()
    (legend,) = panel.findChildren(Legend)
    assert "train (class 9 only)" in words(panel)[-1] + legend.text().replace("\u00a0", " ")
    assert "validation (all 10 classes)" in legend.text()
    panel = make("loss", "text")
    panel.redraw()
    assert "only" not in next(iter(panel.findChildren(Legend))).text()


def test_what_only_rounds_does_not_rise(make):
    panel = make("loss", "known-rank")
    steps = range(201, 400)
    noise = [2e-14 * (1 + 0.5 * (step % 3) + step / 200) for step in steps]
    feed(panel, [StepRecord(s, v, 1e-3, s / 100) for s, v in zip(steps, noise, strict=True)])
    assert "rising" not in panel.summary()
    feed(panel, [StepRecord(s, 0.1, 1e-3, s / 100) for s in range(400, 500)])
    assert "rising" in panel.summary()


@pytest.mark.parametrize(("height", "seen"), [(400, 6), (120, 3), (20, 0)])
def test_measures_are_shown_whole_or_not_at_all(qtbot, height, seen):
    around = QWidget()
    qtbot.addWidget(around)
    made = Measures()
    made.setParent(around)
    around.show()
    made.resize(made.width(), height)
    made.show()
    rows = samples("digits", 3)
    spectrum = next(r for r in rows if isinstance(r, SpectrumRecord))
    sizes = (1.4e-3, 4.6e-3, 3e-3)
    layers = [replace(x, delta_norm=n) for x, n in zip(spectrum.layers, sizes, strict=True)]
    made.show_measures(layers, {x.name: 7.0 for x in layers}, True)
    values = [value for value in made.findChildren(QLabel) if value.accessibleName()]
    shown = [value for value in values if value.isVisible()]
    assert len(shown) == seen
    for value in shown:
        assert value.fontMetrics().horizontalAdvance(value.text()) <= value.width()
        assert value.height() >= value.sizeHint().height()


def test_measures_claim_no_more_than_was_computed(qtbot):
    """Of a trained W the largest σ alone: neither its rank nor the others' effective ranks."""
    made = Measures()
    qtbot.addWidget(made)
    rows = samples("digits", 3)
    spectrum = next(r for r in rows if isinstance(r, SpectrumRecord))
    sigma = np.linspace(2, 1, 64)
    one, two, three = (
        replace(x, sigma=sigma, numerical_rank=64, rank=784, effective_rank=float("nan"))
        for x in spectrum.layers
    )
    made.show_measures([one, two, replace(three, effective_rank=9.64)], {}, False)
    said = {v.accessibleName(): v.text() for v in made.findChildren(QLabel) if v.accessibleName()}
    assert said["Numerical rank"] == "≥ 64 (first 64 σ)"
    assert said["Effective rank"] == "9.64 (net.4)"
    made.show_measures([replace(one, rank=64)], {}, False)
    said = {v.accessibleName(): v.text() for v in made.findChildren(QLabel) if v.accessibleName()}
    assert said["Numerical rank"] == "64 of 64", "all there are"


def test_no_measure_is_cut_in_two(qtbot):
    made = Measures()
    qtbot.addWidget(made)
    made.resize(made.width(), 600)
    made.show()
    rows = samples("digits", 3)
    spectrum = next(r for r in rows if isinstance(r, SpectrumRecord))
    sizes = (6471.271, 32704.786, 10000.0)
    layers = [replace(x, delta_norm=n) for x, n in zip(spectrum.layers, sizes, strict=True)]
    made.show_measures(layers, {x.name: 1.0 for x in layers}, True)
    said = {v.accessibleName(): v.text() for v in made.findChildren(QLabel) if v.accessibleName()}
    assert said["‖ΔW‖ / ‖W‖"] == "647,127 –\n3,270,479 %"
    for value in made.findChildren(QLabel):
        for line in value.text().split("\n"):
            assert value.fontMetrics().horizontalAdvance(line) <= made.width()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.98, 1.891), "98.0 – 189.1 %"),
        ((0.031, 0.052), "3.1 – 5.2 %"),
        ((0.0, 0.5), "0 – 50 %"),
        ((6471.27126, 32704.786), "647,127 – 3,270,479 %"),
        ((0.02, 2.5), "2 – 250.0 %"),
        ((math.nan, 0.25), "25 %"),
    ],
)
def test_the_ends_of_a_span_have_one_precision(values, text):
    assert share_span(values) == text


@pytest.mark.parametrize("preset", SAMPLES)
@pytest.mark.parametrize("key", PANELS)
def test_a_panel_lives(make, key, preset):
    panel = make(key, preset)
    assert (panel.key, panel.title) == (key, PANELS[key].name)
    assert panel.dirty
    for colors in (theme.DARK, theme.LIGHT):
        panel.redraw()
        assert not panel.dirty
        if (key, preset) in NOTHING_TO_SHOW:
            assert re.search(r"of your own|Only language models", panel.summary())
        else:
            assert re.search(r"\d", panel.summary()), "numbers are told in words too"
        assert not panel.grab().isNull()
        panel.restyle(colors)
        assert panel.dirty
    panel.standing.preview(Hyperparameters(rank=1))
    panel.redraw()


@pytest.mark.parametrize("key", PANELS)
def test_an_empty_panel_says_so(make, key):
    panel = make(key)
    panel.redraw()
    assert panel.summary()
    loaded, *rest = samples("digits", 10)
    panel.standing.take(loaded)
    panel.redraw()
    assert panel.summary()
    feed(panel, rest)
    panel.redraw()
    panel.standing.take(loaded)  # afresh: nothing of the old run is left
    panel.redraw()
    assert not panel.grab().isNull()


@pytest.mark.parametrize("key", PANELS)
def test_a_hidden_panel_collects_without_drawing(make, key, monkeypatch):
    panel = make(key, show=False)
    loaded, *rest = samples("digits", 50)
    monkeypatch.setattr(panel, "redraw", lambda: pytest.fail("receive must not draw"))
    panel.standing.take(loaded)
    for record in rest:
        feed(panel, [record])
    assert panel.dirty
    monkeypatch.undo()
    panel.show()
    panel.redraw()
    assert not panel.dirty


def test_records_of_other_rooms_leave_a_panel_clean(make):
    panel = make("counts", "digits")
    feed(panel, [StepRecord(n, 0.1, 1e-3, n / 50) for n in range(5000, 5200)])
    panel.redraw()
    feed(panel, [EvalRecord(5200, True, 0.1)])
    assert not panel.dirty
    feed(panel, [StepRecord(5200, 0.1, 1e-3, 104.0)])  # as fast as those before
    assert not panel.dirty


def test_loss_follows_the_floor_of_the_applied_rank_and_marks_edits(make):
    panel = make("loss", "known-rank")
    panel.redraw()
    assert "r=8 is 0" in panel.references.floor_text.toPlainText()
    shown = panel.marks.words()
    assert "r 2→8" in shown
    feed(panel, [AppliedRecord(200, Hyperparameters(rank=2, alpha=2), (("rank", 8, 2),))])
    panel.redraw()
    assert panel.references.floor_text.toPlainText() == "Eckart–Young tail at r=2"


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0, 1e-300, -1.0])
@pytest.mark.parametrize("log", [True, False])
def test_loss_takes_any_value(make, loss, log):
    panel = make("loss", "digits", steps=20)
    named(panel, "Logarithmic loss axis").setChecked(log)
    feed(panel, [StepRecord(21 + i, loss, 1e-3, 1.0) for i in range(3)])
    panel.redraw()
    assert not panel.grab().isNull()
    assert ("not finite" in panel.summary()) == (not math.isfinite(loss))


def test_loss_stands_still_after_a_hand_moved_it_until_followed(make, qtbot):
    panel = make("loss", "digits")
    panel.redraw()
    plot = named(panel, "Loss over steps", Plot)
    plot.view.setRange(xRange=(50, 60), padding=0)
    plot.view.sigRangeChangedManually.emit([True, True])
    feed(panel, [StepRecord(1000, 0.1, 1e-3, 1.0)])
    panel.redraw()
    assert plot.view.viewRange()[0] == [50, 60]
    assert plot.follow_button.isVisible()
    plot.follow_button.click()
    assert plot.view.viewRange()[0][1] >= 1000
    assert not plot.follow_button.isVisible()


def test_loss_draws_no_more_points_than_columns_however_many_steps(make):
    panel = make("loss", "digits", steps=2)
    feed(panel, [StepRecord(s, 1.0 + s % 7, 1e-3, s / 900) for s in range(3, 60_000)])
    panel.redraw()
    plot = named(panel, "Loss over steps", Plot)
    assert 0 < len(plot.shown()["train"][0]) <= 2 * plot.columns() + 4


def test_smoothing_follows_decades_and_ignores_failures():
    smoothing = Smoothing()
    for step in range(400):
        value = smoothing.add(10.0 ** (-step / 50))
    assert value < 1e-7
    assert smoothing.add(math.nan) == pytest.approx(value)
    assert smoothing.add(0.0) > 0.5 * value


def test_edits_become_one_label_only_where_their_lines_are_one():
    edits = [(step, "α", str(step), str(step + 1)) for step in range(100, 200)]
    assert gathered(edits, 100) == [(100, "α 100→200")]
    assert len(gathered([*edits, (500, "α", "200", "9")], 100)) == 2
    assert gathered(edits, 1) == [(step, f"α {step}→{step + 1}") for step in range(100, 200)]


def test_no_label_says_that_nothing_happened():
    """A rank that was cut and put back has cost what was cut."""
    assert gathered([(5, "r", "14", "1"), (6, "r", "1", "14")], 10) == [(5, "r 14→1→14")]
    rises = [(5, "r", "2", "4"), (900, "r", "4", "8"), (2000, "r", "8", "3")]
    assert gathered(rises, 70) == [(5, "r 2→4"), (900, "r 4→8"), (2000, "r 8→3")]


def test_spectrum_foretells_what_a_smaller_rank_discards(make):
    panel = make("spectrum", "known-rank")
    panel.standing.preview(Hyperparameters(rank=2))
    panel.redraw()
    assert "rank 2 would discard 4.5 % of ΔW’s energy" in panel.summary()
    assert energy_beyond(np.array([3.0, 4.0]), 1) == pytest.approx(0.64)
    assert energy_beyond(np.zeros(3), 1) == 0.0
    panel.standing.preview(Hyperparameters(rank=8))
    panel.redraw()
    assert "discard" not in panel.summary()


def test_spectrum_of_zero_is_a_friendly_sentence(make):
    panel = make("spectrum", "digits")
    record = last_spectrum("digits")
    zero = [
        type(layer)(layer.name, np.zeros(8), 0, math.nan, math.nan, 0.0, 8, 16.0, 2.0)
        for layer in record.layers
    ]
    feed(panel, [SpectrumRecord(0, tuple(zero))])
    panel.redraw()
    assert panel.summary() == "ΔW is zero."
    feed(panel, [record])
    panel.redraw()
    assert "numerical rank" in panel.summary()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("count", [1, 3])
def test_spectrum_survives_layers_that_are_not_finite(make, bad, count):
    panel = make("spectrum", "digits")
    layers = list(last_spectrum("digits").layers)
    for place in range(count):
        sigma = np.full(len(layers[place].sigma), bad)
        layers[place] = replace(
            layers[place], sigma=sigma, numerical_rank=0, stable_rank=bad, delta_norm=bad
        )
    feed(panel, [SpectrumRecord(9, tuple(layers))])
    panel.standing.preview(Hyperparameters(rank=1))
    panel.redraw()
    assert ("not finite" in panel.summary()) == (count == len(layers))
    assert "nan" not in panel.summary()
    assert count == len(layers) or panel.views["bars"].zero_texts[0].toPlainText() == "not finite"


def test_the_axes_follow_the_last_record_even_if_no_step_comes_after_it(make):
    panel = make("spectrum", "known-rank")
    panel.redraw()
    drawn = panel.views["bars"].range
    now = drawn.clock()
    drawn.clock = lambda: now
    measured = last_spectrum("known-rank").layers
    grown = tuple(replace(layer, sigma=layer.sigma * 100) for layer in measured)
    feed(panel, [SpectrumRecord(9, grown)])
    panel.redraw()
    assert panel.dirty  # the range may not move yet, and is asked for again
    drawn.clock = lambda: now + 1.0
    panel.redraw()
    assert not panel.dirty
    assert 10 ** drawn.ends[1] > grown[0].sigma[0]


def test_spectrum_chooser_shows_one_layer(make):
    panel = make("spectrum", "digits")
    named(panel, "Layer whose singular values are shown", QComboBox).setCurrentText("net.2")
    assert "net.2" in panel.summary()
    named(panel, "Logarithmic axis", QToolButton).setChecked(False)
    panel.redraw()


def test_counts_move_before_the_rank_is_applied(make):
    panel = make("counts", "digits")
    panel.redraw()
    adapter = named(panel, "Adapter parameters")
    assert adapter.text() == "4,688"
    panel.standing.preview(Hyperparameters(rank=64))
    panel.redraw()
    expected = 64 * (128 + 64) + 64 * 256 + 10 * 138  # the last layer is capped at 10
    assert adapter.text() == f"{expected:,}"
    (applied,) = (w for w in panel.findChildren(QLabel) if w.text().endswith(": 4,688"))
    assert applied.property("role") == "waiting"
    assert "4,688" in panel.summary()


def test_counts_of_full_fine_tuning_are_everything(make):
    panel = make("counts")
    loaded = samples("digits", 2)[0]
    values = {**vars(loaded), "variant": "full"}
    panel.standing.take(LoadedRecord(**values))
    panel.standing.preview(Hyperparameters(rank=64))
    panel.redraw()
    whole = named(panel, "Adapter parameters").text()
    assert whole == f"{sum(o * i for o, i in [(128, 64), (128, 128), (10, 128)]):,}"


def test_before_after_shows_gain_and_forgetting(make):
    panel = make("before_after", "digits")
    panel.redraw()
    assert named(panel, "Trained: 9").text().startswith("+97")
    assert named(panel, "All other classes").text().startswith("−")
    pairs = {pair.name: pair for pair in panel.pairs()}
    assert pairs["9"].trained
    assert pairs["3"].points < 0


def test_before_after_equals_the_base_while_the_adapter_is_off(make):
    panel = make("before_after", "digits")
    off = AppliedRecord(200, Hyperparameters(enabled=False), (("enabled", True, False),))
    feed(panel, [off])
    panel.redraw()
    assert all(pair.off == pair.on for pair in panel.pairs())
    assert "off" in panel.summary()


def test_before_after_without_classes_compares_losses(make):
    panel = make("before_after", "known-rank")
    feed(panel, [EvalRecord(500, True, 0.0)])
    panel.redraw()
    assert "0.189 off, 0 on" in panel.summary()


def cut_request(**values):
    return Hyperparameters(rank=8, alpha=16, **values)


def test_spectrum_foretells_the_cut_of_one_layer_alone(make):
    panel = make("spectrum", "digits")
    panel.standing.preview(cut_request(layer_ranks=(("net.2", 3),)))
    panel.redraw()
    assert "rank 3 would discard" in panel.summary()
    assert "net.2" in panel.summary()
    assert len(panel.views["bars"].cut_lines.getData()[0]) == 2  # one line, in one layer
    panel.standing.preview(
        Hyperparameters(rank=2, alpha=16, frozen_layers=("net.0", "net.2", "net.4"))
    )
    panel.redraw()
    assert "discard" not in panel.summary()  # what is frozen keeps its rank


@pytest.mark.parametrize("variant", ["dora", "full"])
def test_spectrum_foretells_no_cut_where_it_cannot(make, variant):
    panel = make("spectrum")
    loaded, *rest = samples("digits", 10)
    panel.standing.take(replace(loaded, variant=variant))
    feed(panel, rest)
    panel.standing.preview(cut_request(layer_ranks=(("net.2", 1),)))
    panel.redraw()
    assert "discard" not in panel.summary()


@pytest.mark.parametrize(
    ("variant", "formula"), [("lora", "s = α / r"), ("rslora", "s = α / √r"), ("dora", "s = α / r")]
)
def test_spectrum_names_the_scaling_of_the_variant(make, variant, formula):
    panel = make("spectrum")
    panel.standing.take(replace(samples("digits", 2)[0], variant=variant))
    assert formula in [label.text() for label in panel.findChildren(QLabel)]


def test_spectrum_tells_how_exact_its_values_are(make):
    panel = make("spectrum", "digits")
    panel.redraw()
    assert not [text for text in words(panel) if "within" in text]
    rough = tuple(replace(layer, error=3e-4) for layer in last_spectrum("digits").layers)
    feed(panel, [SpectrumRecord(77, rough)])
    panel.redraw()
    assert "step 77, σ ± 0.0003" in words(panel)


def test_counts_follow_ranks_of_their_own_and_freezes(make):
    panel = make("counts", "digits")
    panel.standing.preview(cut_request(layer_ranks=(("net.0", 2),), frozen_layers=("net.4",)))
    panel.redraw()
    assert named(panel, "Adapter parameters").text() == f"{2 * (128 + 64) + 8 * 256:,}"
    cells = named(panel, "Parameters per layer", QTableView).model()
    shown = [[cells.index(row, column).data() for column in (2, 3)] for row in range(3)]
    assert [rank for rank, _ in shown] == ["8 → 2", "8", "8"]
    assert shown[2][1] == "0"


def test_an_edit_of_somebody_elses_run_is_told_in_a_few_plain_letters(make):
    panel = make("loss", "digits")
    long = "\u202e<img src=x>" + "a b " * 10**6
    feed(panel, [PastEditRecord(3, ((long, "b", long),)), ClippedRecord(5, long, 1, 1.0, False)])
    panel.redraw()
    told = panel.marks.words()
    assert len(told) >= 2
    assert all(len(text) < 300 and "\u202e" not in text for text in told)


def test_clips_of_a_run_that_is_opened_are_told_one_by_one_at_the_same_cost(make):
    def clips(count):
        panel = make("loss", "digits")
        began = thread_time()
        panel.receive([ClippedRecord(i, "fc1", 1, 1.0, False) for i in range(count)])
        return thread_time() - began

    few, many = clips(2000), clips(16_000)
    assert many < 30 * few  # looked for among all before it: 64 times as much


def test_thirty_thousand_layers_do_not_hold_the_window(make):
    panel = make("counts", "digits")
    layers = tuple(LayerInfo(f"h.{i}.q", (64, 64), 4.0, max_rank=64) for i in range(30_000))
    panel.standing.take(replace(panel.standing.loaded, layers=layers))
    began = thread_time()
    panel.redraw()
    panel.grab()
    assert thread_time() - began < 0.4  # four items for each layer: 1.1 s
    cells = named(panel, "Parameters per layer", QTableView).model()
    assert cells.rowCount() == len(layers)
    last = [cells.index(29_999, column).data() for column in range(4)]
    assert last == ["h.29999.q", "64 × 64", "4", "512"]


def figures(panel, row="adapter"):
    panel.redraw()
    return {key: cell.text() for (name, key), cell in panel.ruler.cells.items() if name == row}


@pytest.mark.parametrize(
    ("fields", "dtype", "file", "optimizer", "keeps"),
    [
        ({}, "float32", "18.8 kB", "37.5 kB", "Optimizer\nstate"),
        ({}, "float64", "37.5 kB", "75 kB", "Optimizer\nstate"),
        ({"init": "pissa"}, "float32", "37.5 kB", "37.5 kB", "Optimizer\nstate"),
        ({"optimizer": "sgd", "momentum": 0.9}, "float32", "18.8 kB", "18.8 kB", "Momentum"),
        ({"optimizer": "sgd"}, "float32", "18.8 kB", "0", "Optimizer"),
        ({"variant": "full"}, "float32", "104 kB", "207 kB", "Optimizer\nstate"),
    ],
)
def test_counts_tell_the_bytes_of_file_and_optimizer(make, fields, dtype, file, optimizer, keeps):
    panel = make("counts")
    panel.standing.config = RunConfig(task="digits", **fields)
    loaded = replace(samples("digits", 2)[0], dtype=dtype, variant=fields.get("variant", "lora"))
    panel.standing.take(loaded)
    feed(panel, [AppliedRecord(1, cut_request(), (("rank", 4, 8),))])
    parameters = 8 * (128 + 64 + 256 + 138)
    assert parameters * 4 == pytest.approx(18_752, rel=1e-9)
    found = figures(panel)
    assert (found["file"], found["optimizer"]) == (file, optimizer)
    assert keeps in words(panel.ruler)
    full = panel.ruler.cells["full", "file"]
    assert full.isHidden() == (fields.get("variant") == "full")
    assert full.text() == size_words(loaded.base_parameters * (8 if dtype == "float64" else 4))


def test_loss_stands_on_the_floor_of_the_layers_own_rank(make):
    panel = make("loss", "known-rank")
    own = Hyperparameters(rank=8, alpha=8, layer_ranks=(("linear", 2),))
    feed(panel, [AppliedRecord(200, own, (("layer_ranks", "–", "linear=2"),))])
    panel.redraw()
    assert panel.references.floor_text.toPlainText() == "Eckart–Young tail at r=2"
    shown = panel.marks.words()
    assert "rank linear=2" in shown
    assert gathered([(9, "frozen", "fc1", "–")], 1) == [(9, "frozen fc1 off")]


@pytest.mark.parametrize(("height", "long"), [(1, False), (300, True), (500, True)])
def test_figures_and_headings_of_the_costs_are_whole_at_any_height(make, qtbot, height, long):
    panel = make("counts", "digits")
    feed(panel, [MemoryRecord(0, 150_000, 20_000, 10_000, 30_000, 0.01, device=300_000)])
    panel.resize(480, height)
    panel.redraw()
    assert panel.height() < 180 or long
    heads = [head for head in panel.findChildren(QLabel) if not head.isHidden()]
    qtbot.waitUntil(lambda: all(head.height() >= head.sizeHint().height() for head in heads))
    qtbot.waitUntil(lambda: any("\n" in head.text() for head in heads) == long)


def test_counts_tell_the_peak_of_a_step_and_carry_it_to_another_rank(make):
    panel = make("counts", "digits")
    panel.standing.config = RunConfig(task="digits")
    loaded = samples("digits", 2)[0]
    panel.standing.take(loaded)
    assert figures(panel)["peak"] == "—"
    feed(panel, [MemoryRecord(0, 150_000, 20_000, 10_000, 30_000, 0.01, device=300_000)])
    assert figures(panel)["peak"] == "210 kB"
    assert "Peak memory\n(of 300 kB)" in words(panel.ruler)
    full = panel.ruler.cells["full", "peak"]
    base = 4 * loaded.base_parameters  # bytes: 104 kB
    most = 130_000 + 2 * base + base  # weights, averages, gradients (more than activations)
    assert full.text() == f"≈ {size_words(most)}"
    assert full.property("role") == "error"  # more than there is
    assert "activations 30 kB" in panel.ruler.cells["adapter", "peak"].toolTip()
    applied = loaded.hyper
    panel.standing.preview(changed(applied, rank=applied.rank + 1))
    more = sum(sum(layer.shape) for layer in loaded.layers)
    # each number more: itself, its gradient, two averages, of four bytes
    assert figures(panel)["peak"] == size_words(210_000 + more * 16)
    panel.standing.preview(applied)
    feed(panel, [CountsRecord(9, 5, 5, (("net.0", 5),))])
    assert figures(panel)["peak"] == "—"
    assert figures(panel, "full")["peak"] == f"≈ {size_words(most)}"  # no rank moves it
    feed(panel, [MemoryRecord(9, 0, 0, 0, 0, 0.01, "The step looks at values.")])
    assert figures(panel)["peak"] == "—"
    assert panel.ruler.cells["adapter", "peak"].toolTip() == "The step looks at values."


def test_the_peak_is_carried_over_an_edit_until_it_is_estimated_anew(make):
    panel = make("counts", "digits")
    panel.standing.config = RunConfig(task="digits")
    loaded = samples("digits", 2)[0]
    panel.standing.take(loaded)
    applied = loaded.hyper
    held = sum(panel.figure_data()["parameters"])
    feed(panel, [
        CountsRecord(0, held, 5, (("fc1", held),)),
        MemoryRecord(0, 150_000, 20_000, 10_000, 30_000, 0.9, device=300_000),
    ])  # fmt: skip
    more = changed(applied, rank=applied.rank + 1)
    feed(panel, [
        AppliedRecord(9, more, (("rank", applied.rank, more.rank),)),
        CountsRecord(9, held + 1, 5, (("fc1", held + 1),)),
    ])  # fmt: skip
    panel.standing.preview(more)
    grown = sum(panel.figure_data()["parameters_requested"]) - held
    assert figures(panel)["peak"] == f"≈ {size_words(210_000 + grown * 16)}"
    assert "Peak memory\n(of 300 kB)" in words(panel.ruler)


def test_speed_and_time_come_from_a_measure_then_from_the_run_itself(make):
    panel = make("counts", "digits")
    panel.standing.config = RunConfig(task="digits")
    loaded = replace(samples("digits", 2)[0], goal=4000)
    panel.standing.take(loaded)
    counts = next(r for r in samples("digits", 2) if isinstance(r, CountsRecord))
    feed(panel, [counts])
    assert figures(panel)["per_second"] == figures(panel)["seconds"] == "—"
    feed(panel, [SpeedRecord(0, 100.0, counts.adapter, 0.2)])
    assert (figures(panel)["per_second"], figures(panel)["seconds"]) == ("100", "40 s")
    base, adapter = loaded.base_parameters, counts.adapter
    slower = 100 * (2 * base + 3 * adapter) / (3 * base)
    assert figures(panel, "full")["per_second"] == f"≈ {rate_words(slower)}"
    feed(panel, [StepRecord(1, 1.0, 1e-3, 0.1), StepRecord(2, 1.0, 1e-3, 0.2)])
    feed(panel, [StepRecord(n, 1.0, 1e-3, 0.2 + n / 50) for n in range(3, 300)])
    assert figures(panel)["per_second"] == "50"
    assert figures(panel)["seconds"] == "1.3 min"
    assert "Steps/s: 50" in panel.summary()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.04 s"), (12.3, "12 s"), (90, "1.5 min"), (5400, "1.5 h"), (864_000, "10 days")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said
