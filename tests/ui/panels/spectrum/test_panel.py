"""The views of the spectrum draw what was measured, and the cut over the energy requests a rank."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QComboBox, QToolButton

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo
from lora_lab.records import (
    AppliedRecord,
    LayerSpectrum,
    PastEditRecord,
    ResumedRecord,
    SpectrumRecord,
    frozen_array,
)
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.spectrum.energy import share, together
from lora_lab.ui.panels.spectrum.panel import AUTO, MANY, SpectrumPanel
from lora_lab.ui.panels.spectrum.views import VIEWS
from lora_lab.ui.preview import feed, samples
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.heat import shades
from tests.ui.seen import named, words

SIGMA = np.array([4.0, 2.0, 1.0, 0.5])


def layer(name, sigma=SIGMA, rank=4, zeros=0):
    sigma = np.array(sigma, float)
    norm = float(np.linalg.norm(sigma))
    return LayerSpectrum(
        name, frozen_array(sigma), len(sigma) - zeros, 2.0, 3.0, norm, rank, 8.0, 2.0
    )


def loaded(names, **fields):
    infos = tuple(LayerInfo(name, (64, 32), 5.0, max_rank=32) for name in names)
    hyper = Hyperparameters(rank=4, alpha=8)
    return replace(samples("digits", 2)[0], layers=infos, hyper=hyper, max_rank=32, **fields)


@pytest.fixture
def make(qtbot):
    def build(count=2, view=AUTO, **fields):
        panel = SpectrumPanel()
        panel.resize(700, 420)
        qtbot.addWidget(panel)
        names = [f"block.{place}.proj" for place in range(count)]
        panel.standing.take(loaded(names, **fields))
        feed(panel, [SpectrumRecord(10, tuple(layer(name) for name in names))])
        panel.choose_view(view)
        panel.show()
        panel.redraw()
        return panel

    return build


def overlay(names, sigma=(3.0, 1.0), place=0):
    rows = tuple(layer(name, sigma, rank=len(sigma)) for name in names)
    return Overlay("elsewhere", "another run", place, spectrum=SpectrumRecord(99, rows))


@pytest.mark.parametrize(("count", "view"), [(1, "bars"), (MANY, "bars"), (MANY + 1, "heat")])
def test_many_layers_are_a_heat_map_unless_another_view_is_chosen(make, count, view):
    panel = make(count)
    assert panel.view == view
    panel.choose_view("energy")
    assert panel.view == "energy"
    panel.choose_view("never heard of")
    assert panel.view == "energy"
    panel.choose_view(AUTO)
    panel.choose_layer("block.0.proj")
    assert panel.view == "bars"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("log", [True, False])
def test_every_view_draws_in_both_schemes_and_says_what_it_shows(make, view, count, log):
    panel = make(count, view)
    panel.set_overlays([overlay(["block.0.proj"]), overlay(["nowhere"], place=1)])
    panel.standing.preview(Hyperparameters(rank=2, alpha=8))
    switch = named(panel, "Logarithmic axis", QToolButton)
    switch.setChecked(log)
    for colors in (theme.DARK, theme.LIGHT):
        panel.restyle(colors)
        panel.redraw()
        assert switch.isChecked() is log
        assert not panel.grab().isNull()
        assert "numerical rank 4 at step 10" in panel.summary()
        picture = panel.views[view].picture
        assert picture.accessibleName()
        assert picture.accessibleDescription() == panel.summary()


@pytest.mark.parametrize("view", VIEWS)
def test_views_survive_what_is_not_finite_beside_what_is(make, view):
    panel = make(2, view)
    broken = replace(layer("block.1.proj"), sigma=frozen_array([math.nan] * 4), numerical_rank=0)
    feed(panel, [SpectrumRecord(20, (layer("block.0.proj"), broken))])
    panel.redraw()
    assert "nan" not in panel.summary()
    assert not panel.grab().isNull()


def test_a_chosen_view_can_be_reached_by_keys_and_is_drawn(make, qtbot):
    panel = make(2)
    panel.view_combo.setFocus()
    for _ in range(5):
        qtbot.keyClick(panel.view_combo, Qt.Key.Key_Down)
    assert panel.view == "energy"
    assert panel.views["energy"].widget.isVisible()


def test_the_log_switch_is_kept_for_each_view(make):
    panel = make(2, "energy")
    switch = named(panel, "Logarithmic axis", QToolButton)
    assert not switch.isChecked()
    panel.choose_view("bars")
    assert switch.isChecked()
    switch.setChecked(False)
    panel.choose_view("heat")
    assert switch.isChecked()
    panel.choose_view("bars")
    assert not switch.isChecked()
    assert panel.views["bars"].plot.left.log is False


# -- bars and pictures -------------------------------------------------------------------------


def test_bars_of_one_layer_make_room_for_what_another_run_learned(make):
    panel = make(2, "bars")
    panel.choose_layer("block.0.proj")
    wide = np.linspace(5, 1, 20)
    panel.set_overlays([overlay(["block.0.proj"], wide)])
    panel.redraw()
    bars = panel.views["bars"]
    x, y = bars.plot.shown()["another run"]
    assert np.allclose(x.reshape(-1, 2).mean(axis=1), np.arange(1, 21))
    assert np.allclose(y[::2], np.log10(wide))
    assert bars.plot.view.viewRange()[0][1] > 20
    panel.choose_layer("")  # all of them: none is left out, nor reaches into the next layer
    x, y = bars.plot.shown()["another run"]
    assert np.allclose(y[::2], np.log10(wide))
    own = bars.bars.opts["x"]
    assert x.max() < own[own > 4].min()
    panel.set_overlays([])
    assert "another run" not in bars.plot.shown()


def test_the_heat_map_has_a_shade_per_value_and_a_place_where_there_is_none(make):
    panel = make(2, "heat")
    rows = (layer("block.0.proj", [1e0, 1e-2]), layer("block.1.proj", [1e-4, 0, 0], zeros=2))
    feed(panel, [SpectrumRecord(20, rows)])
    panel.views["heat"].range.forget()
    panel.redraw()
    heat = panel.views["heat"].widget
    cells, pixels = heat.shown().cells, heat.shown().pixels
    assert np.allclose(cells[:, :2], [[0, -2], [-4, -30]])
    assert math.isnan(cells[0, 2])
    assert pixels[0, 2, 3] == 0
    assert list(pixels[1, 1, :3]) == list(shades(theme.current())[0, :3])
    grey = pixels[..., :3].astype(int).sum(axis=-1)
    assert grey[0, 0] < grey[0, 1] < grey[1, 0] < grey[1, 1]  # on a light panel more is darker
    assert heat.words(0, 1) == "block.0.proj: σ2 = 0.0100"
    panel.set_overlays([overlay(["block.0.proj"])])
    assert not [text for text in words(panel) if "other" in text]


@pytest.mark.parametrize("colors", [theme.LIGHT, theme.DARK])
def test_shades_only_grow_or_only_fall_in_lightness(colors):
    rgb = shades(colors)[:, :3].astype(float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness = linear @ [0.2126, 0.7152, 0.0722]  # WCAG 2.2, relative luminance
    steps = np.diff(lightness)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert abs(lightness[-1] - lightness[0]) > 0.3


def test_of_rows_finer_than_a_pixel_the_strongest_shows(make):
    panel = make(2000, "heat")
    rows = [layer(f"block.{place}.proj", [1e-3]) for place in range(2000)]
    rows[777] = layer("block.777.proj", [1.0])
    feed(panel, [SpectrumRecord(20, tuple(rows))])
    panel.views["heat"].range.forget()
    panel.redraw()
    image = panel.views["heat"].widget.shown().pixels
    assert len(image) < 1000
    strongest = shades(theme.current())[:, :3].astype(int).sum(axis=1)
    sums = image[:, 0, :3].astype(int).sum(axis=1)
    assert (sums == sums.min()).sum() == 1
    assert sums.min() < strongest[200]


@pytest.mark.parametrize("view", ["heat", "multiples"])
def test_a_click_chooses_the_layer_below_it(make, qtbot, view):
    panel = make(3, view)
    widget = panel.views[view].widget
    panel.grab()  # painted once: now it is known what lies where
    if view == "heat":
        scene = widget.plot.view.mapViewToScene(widget.plot.view.viewRect().center())
        at = widget.plot.mapFromScene(scene)
        qtbot.mouseClick(widget.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
        chosen = "block.1.proj"
    else:
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(8, 12))
        chosen = "block.0.proj"
    assert named(panel, "Layer whose singular values are shown", QComboBox).currentData() == chosen
    assert panel.view == view


# -- over time ---------------------------------------------------------------------------------


def marked(plot):
    """The steps of the edits that have a line."""
    return [round(x) for x in plot.shown()["edits"][0][::2]]


def test_over_time_draws_a_line_per_value_with_the_edits_marked(make):
    panel = make(2)
    feed(panel, [PastEditRecord(12, (("alpha", 8.0, 4.0),))])  # before the view is ever shown
    for step in range(20, 60, 10):
        rows = (layer("block.0.proj", SIGMA * step), layer("block.1.proj"))
        feed(panel, [SpectrumRecord(step, rows)])
    hyper = Hyperparameters(rank=4, alpha=16)
    panel.choose_view("time")
    panel.choose_layer("block.0.proj")
    feed(panel, [AppliedRecord(40, hyper, (("alpha", 8.0, 16.0),))])
    panel.redraw()
    view = panel.views["time"]
    lines = view.plots[0]
    x, y = lines.shown()["σ, tone 0"]
    assert np.array_equal(x[:-1], [10, 20, 30, 40, 50])
    assert np.allclose(y[:-1], np.log10([4, 80, 120, 160, 200]))
    assert math.isnan(y[-1])
    assert marked(lines) == [12, 40]
    feed(panel, [ResumedRecord(30, (0, 100), edits=1)])
    panel.redraw()
    assert lines.shown()["σ, tone 0"][0][-2] == 30
    assert marked(lines) == [12]
    panel.choose_layer("")
    heat = view.widget.currentWidget()
    assert np.allclose(heat.shown().cells[0, [0, -1]], np.log10([4, 120]))
    assert "3 snapshots from step 10 on" in panel.summary()


def test_over_time_leaves_out_what_is_rounding(make):
    panel = make(1, "time")
    feed(panel, [SpectrumRecord(20, (layer("block.0.proj", [1, 1e-8], zeros=1),))])
    panel.redraw()
    curves = panel.views["time"].plots[0].shown()
    heights = np.concatenate([y for name, (_, y) in curves.items() if "tone" in name])
    assert np.nanmin(heights) > -1


def drag(qtbot, plot, begin, end):
    """The mouse from one x to another, at half the height."""
    _, (low, high) = plot.view.viewRange()
    places = [
        plot.mapFromScene(plot.view.mapViewToScene(QPointF(x, (low + high) / 2)))
        for x in np.linspace(begin, end, 6)
    ]
    qtbot.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        where = QPointF(place)
        on_screen = QPointF(plot.viewport().mapToGlobal(place))
        none = Qt.KeyboardModifier.NoModifier
        button = Qt.MouseButton.LeftButton
        move = QMouseEvent(
            QEvent.Type.MouseMove, where, on_screen, Qt.MouseButton.NoButton, button, none
        )
        QCoreApplication.sendEvent(plot.viewport(), move)
    qtbot.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=places[-1])


# -- energy ------------------------------------------------------------------------------------


def test_energy_is_that_of_eckart_and_young():
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(12, 7))
    left, sigma, right = np.linalg.svd(matrix, full_matrices=False)
    lost = together([sigma])
    for rank in range(8):
        cut = (left[:, :rank] * sigma[:rank]) @ right[:rank]
        wanted = np.linalg.norm(matrix - cut) ** 2 / np.linalg.norm(matrix) ** 2
        assert lost[rank] == pytest.approx(wanted, abs=1e-12)
    both = together([sigma, np.array([1.0])])
    assert both[1] == pytest.approx(np.square(sigma[1:]).sum() / (np.square(sigma).sum() + 1))
    tiny = together([np.array([1.0, 1e-9])])
    assert tiny[1] == pytest.approx(1e-18)


@pytest.mark.parametrize(
    ("kept", "words"),
    [(0.952, "95.2 %"), (1.0, "100 %"), (0.99999, "99.9990 %"), (0.0, "0.0 %"), (math.nan, "—")],
)
def test_a_share_never_rounds_up_to_everything(kept, words):
    assert share(kept) == words


def test_where_nothing_is_cut_no_cut_is_told(make):
    panel = make(2, "energy")
    rows = (layer("block.0.proj"), layer("block.1.proj", (3.0, 1.0), rank=2))  # at its most
    feed(panel, [SpectrumRecord(11, rows)])
    panel.redraw()
    assert panel.views["energy"].words().startswith("r 2 – 4 keeps 100 %")


def test_dragging_the_cut_tells_what_is_kept_and_the_button_requests_it(make, qtbot):
    panel = make(2, "energy")
    view, told = panel.views["energy"], []
    panel.requested.connect(told.append)
    assert view.rank.value() == 4
    drag(qtbot, view.plot, 4, 1.3)
    assert view.rank.value() == view.line.value() == 1
    kept = 16 / np.square(SIGMA).sum()
    assert f"r 4 → 1 keeps {100 * kept:.1f} % of ΔW’s energy" in view.words()
    assert "95 % needs r 3" in view.words()
    assert "a hint: energy is not loss" in view.words()
    assert view.words() in panel.summary()
    panel.redraw()
    assert view.rank.value() == 1  # where a person put it, it stays
    view.button.click()
    assert told == [{"rank": 1}]
    panel.choose_layer("block.1.proj")
    assert view.rank.value() == 4
    view.rank.setFocus()
    qtbot.keyClick(view.rank, Qt.Key.Key_Down)
    assert view.line.value() == 3
    view.button.click()
    assert told[-1] == {"layer_ranks": (("block.1.proj", 3),)}


def test_a_rank_of_its_own_joins_those_of_other_layers(make):
    panel = make(2, "energy")
    panel.standing.preview(Hyperparameters(rank=4, alpha=8, layer_ranks=(("block.0.proj", 2),)))
    panel.choose_layer("block.1.proj")
    told = []
    panel.requested.connect(told.append)
    panel.views["energy"].rank.setValue(1)
    panel.views["energy"].button.click()
    assert told == [{"layer_ranks": (("block.0.proj", 2), ("block.1.proj", 1))}]


def test_the_cut_follows_the_request_until_a_person_moves_it(make):
    panel = make(2, "energy")
    panel.standing.preview(Hyperparameters(rank=2, alpha=8))
    panel.redraw()
    assert panel.views["energy"].line.value() == 2
    assert "rank 2 would discard" in panel.summary()


@pytest.mark.parametrize(
    ("variant", "locked", "words"),
    [
        ("lora", (("rank", "a merged adapter keeps its rank"),), "energy is not loss"),
        ("dora", (), "not what truncating the factors removes"),
        ("full", (("rank", "full fine-tuning has no rank"),), "not what truncating the factors"),
    ],
)
def test_the_energy_says_where_a_rank_cannot_be_set_or_foretold(make, variant, locked, words):
    panel = make(2, "energy", variant=variant, locked=locked)
    view = panel.views["energy"]
    assert view.button.isEnabled() is not bool(locked)
    assert not locked or view.button.toolTip() == locked[0][1]
    assert words in view.words()


def test_energy_of_full_fine_tuning_and_of_the_truth_lie_over_it(make):
    true = frozen_array([5.0, 1.0, 0.0])
    panel = make(1, "energy", true_sigma=true)
    panel.set_overlays([overlay(["block.0.proj"], np.linspace(3, 1, 8))])
    panel.redraw()
    view = panel.views["energy"]
    _, known = view.plot.shown()["true"]
    assert np.allclose(known, [0, 100 * 25 / 26, 100])
    x, other = view.plot.shown()["another run"]
    wanted = np.cumsum(np.square(np.linspace(3, 1, 8)))
    assert list(x) == list(range(9))
    assert np.allclose(other[1:], 100 * wanted / wanted[-1])
    (legend,) = (text for text in words(panel) if "true" in text)
    assert "1 other" in legend
