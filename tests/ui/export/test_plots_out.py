"""Every panel becomes PNG, SVG and CSV; read back, each says of which run it is and what it saw."""

import csv
import io
import json
import re
import threading
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QMenu, QProgressDialog, QPushButton

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import EvalRecord, LayerSpectrum, SpectrumRecord, StepRecord, frozen_array
from lora_lab.ui.export import plots_out
from lora_lab.ui.panels import PANELS
from lora_lab.ui.panels.spectrum.measures import Measures
from lora_lab.ui.preview import feed, samples
from lora_lab.ui.widgets.plot import Plot

SVG = "{http://www.w3.org/2000/svg}"
ABOUT = {
    "Title": "Spectrum",
    "Description": "ΔW of <net.0> & more",
    "Step": "120",
    "Settings": RunConfig(task="digits").model_dump_json(),
}
SHOWS = {"data": "text", "generation": "text"}  # the sample in which a panel has numbers


@pytest.fixture
def make(qtbot):
    def build(key, preset="", steps=120):
        panel = PANELS[key]()
        panel.resize(520, 340)
        qtbot.addWidget(panel)
        loaded, *rest = samples(preset or SHOWS.get(key, "digits"), steps)
        panel.standing.take(loaded)
        feed(panel, rest)
        panel.show()
        panel.redraw()
        return panel

    return build


def read_csv(data):
    """(comments, columns by name) as a reader that knows nothing of the lab finds them."""
    lines = data.decode("utf-8").splitlines(keepends=True)
    comments = dict(line[2:].strip().split(": ", 1) for line in lines if line.startswith("# "))
    rows = list(csv.reader(io.StringIO("".join(li for li in lines if not li.startswith("# ")))))
    head, *body = rows
    return comments, {name: [row[i] for row in body] for i, name in enumerate(head)}


@pytest.mark.parametrize("key", PANELS)
def test_a_png_is_twice_as_sharp_and_says_which_run_it_shows(make, key):
    panel = make(key)
    picture = Image.open(io.BytesIO(plots_out.png(panel, ABOUT)))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size == (2 * panel.width(), 2 * panel.height())
    assert {name: picture.text[name] for name in ABOUT} == ABOUT
    assert json.loads(picture.text["Settings"])["task"] == "digits"
    assert len(picture.getcolors(10**6)) > 10  # something is drawn


@pytest.mark.parametrize("key", PANELS)
def test_an_svg_is_letters_and_lines_and_says_which_run_it_shows(make, key):
    panel = make(key)
    root = ElementTree.fromstring(plots_out.svg(panel, ABOUT))
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == f"0 0 {panel.width()} {panel.height()}"
    assert root.find(f"{SVG}title").text == "Spectrum"
    assert json.loads(root.find(f"{SVG}desc").text) == ABOUT
    words = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert len(words) > 20


def test_a_plot_in_an_svg_is_cut_at_its_own_edges(make):
    panel = make("loss")
    plot = panel.findChild(Plot)
    root = ElementTree.fromstring(plots_out.svg(panel, ABOUT))
    corner = plot.mapTo(panel, QPoint(0, 0))
    seen = plot.mapFromScene(plot.view.sceneBoundingRect()).boundingRect().translated(corner)
    found = []
    for clip in root.iter(f"{SVG}clipPath"):
        numbers = re.findall(r"-?[\d.]+", clip.find(f"{SVG}path").get("d"))
        found.append((*map(float, numbers[:2]), *map(float, numbers[4:6])))
    wanted = (seen.left(), seen.top(), seen.right(), seen.bottom())
    assert any(np.allclose(clip, wanted, atol=2) for clip in found)
    marks = [group.get("clip-path") for group in root.iter(f"{SVG}g")]
    ids = {f"url(#{clip.get('id')})" for clip in root.iter(f"{SVG}clipPath")}
    assert set(marks) - {None} <= ids
    words = ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]
    assert "step" in words  # the axis
    assert "train" in " ".join(words)  # the legend


@pytest.mark.parametrize("key", PANELS)
def test_a_picture_has_no_buttons(make, key):
    """Where one stands, a saved picture has the panel's own colour and nothing else."""
    panel = make(key)
    plots = panel.findChildren(Plot)
    for plot in plots:
        plot.follow_button.show()
    picture = plots_out.image(panel, ABOUT)
    buttons = [b for b in panel.findChildren(QAbstractButton) if b.isVisible() and b.width() > 4]
    assert all(plot.follow_button in buttons for plot in plots if plot.isVisible())
    for button in buttons:
        at = button.mapTo(panel, QPoint())
        part = picture.copy(2 * at.x(), 2 * at.y(), 2 * button.width(), 2 * button.height())
        if button.parent() not in plots:
            colors = {part.pixel(x, y) for x in range(part.width()) for y in range(part.height())}
            assert len(colors) == 1, button.text()
    assert all(plot.follow_button.isVisible() for plot in plots if plot.isVisible())


@pytest.mark.parametrize("key", PANELS)
def test_a_csv_holds_what_the_panel_holds(make, key):
    columns = plots_out.table(make(key))
    comments, read = read_csv(plots_out.csv_bytes(columns, ABOUT))
    assert comments == ABOUT
    assert list(read) == list(columns)
    for name, values in columns.items():
        assert len(read[name]) == len(values) > 0
        for text, value in zip(read[name], values, strict=True):
            assert text == str(value) or float(text) == value


@pytest.mark.parametrize("between", [",", ";"])
def test_no_cell_of_a_comment_is_a_formula_however_its_line_is_divided(between):
    about = {
        "Run": "a,=cmd|' /C calc'!A0;@SUM(1),+1+cmd(),  =x",
        "Settings": json.dumps({"classes": ["a", "=cmd()"], "rates": [1, -2, +0.5, -1e-05]}),
    }
    data = plots_out.csv_bytes({"step": [1]}, about).decode()
    rows = list(csv.reader(io.StringIO(data), delimiter=between))
    cells = [cell.strip() for row in rows for cell in row]
    assert not [c for c in cells if c.startswith(("=", "@", "+"))]
    assert " -2, 0.5, -1e-05]" in data, "numbers stay"


@pytest.mark.parametrize("between", [",", ";", "|", "\t"])
def test_no_cell_of_a_table_is_a_formula_however_its_line_is_divided(between):
    texts = ["x;=cmd|' /C calc'!A0", "a\t=1+1", "＝1+1", "a |  +cmd()", 'a;"=1', 'a;""@x', "a\n=1",
             "=1 ;=2 , -cmd()", ' =1', ";=1"]  # fmt: skip
    harmless = ["a = b", "c-d, -2; +0.5, -1e-05", "x ; y", "e=mc²", 'he said: "a-b"', "a, b"]
    columns = {"a;=b": texts + harmless, "rate": [-1.0] * len(texts + harmless)}
    data = plots_out.csv_bytes(columns, {}).decode()
    rows = list(csv.reader(io.StringIO(data), delimiter=between))
    cells = [cell.strip().strip('"').strip() for row in rows for cell in row]
    signs = ("=", "@", "+", "-", "＝")
    assert not [c for c in cells if c.startswith(signs) and not plots_out.NUMBER.match(c)]
    read = [row[0] for row in csv.reader(io.StringIO(data))]
    assert read[-len(harmless) :] == harmless
    began = time.process_time()
    plots_out.csv_bytes({"a": [",\t " * 10**6, '"' * 10**6, "=" * 10**6, ",=" * 10**5]}, {})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("key", PANELS)
def test_a_panel_without_numbers_says_so(qtbot, key):
    panel = PANELS[key]()
    qtbot.addWidget(panel)
    panel.redraw()
    with pytest.raises(LabError, match=f"{panel.title} shows no numbers yet"):
        plots_out.table(panel)
    assert plots_out.png(panel, ABOUT)


# -- the numbers, against what was fed in ------------------------------------------------------


def numbers_of(panel):
    return read_csv(plots_out.csv_bytes(plots_out.table(panel), {}))[1]


def test_the_loss_is_written_at_every_step(make):
    panel = make("loss", "digits", 1500)
    records = samples("digits", 1500)
    read = numbers_of(panel)
    rows = list(zip(read["curve"], map(int, read["step"]), map(float, read["loss"]), strict=True))
    for curve, fed in (
        ("train", [(r.step, r.loss) for r in records if isinstance(r, StepRecord)]),
        (
            "validation",
            [(r.step, r.loss) for r in records if isinstance(r, EvalRecord) and r.enabled],
        ),
    ):
        steps, losses = zip(*fed, strict=True)
        assert [step for name, step, _ in rows if name == curve] == list(steps)
        assert np.allclose([y for name, _, y in rows if name == curve], losses, rtol=1e-6)
    assert [row[1:] for row in rows if row[0].startswith("base model")] == [
        (0, pytest.approx(2.31))
    ]


@pytest.mark.parametrize("view", ["bars", "multiples", "heat"])
def test_the_spectrum_is_written_value_by_value(make, view):
    panel = make("spectrum")
    panel.choose_view(view)
    fed = {layer.name: layer for layer in samples("digits", 120)[-1].layers}
    read = numbers_of(panel)
    for name, layer in fed.items():
        mine = [i for i, text in enumerate(read["layer"]) if text == name]
        assert [float(read["sigma"][i]) for i in mine] == layer.sigma.tolist()
        above = sum(int(read["above_rounding"][i]) for i in mine)
        assert above == layer.numerical_rank


def test_the_spectrum_over_time_and_its_energy_are_written(make):
    panel = make("spectrum")
    panel.choose_layer("net.2")
    panel.choose_view("time")
    read = numbers_of(panel)
    fed = [r for r in samples("digits", 120) if isinstance(r, SpectrumRecord)]
    wanted = {
        (record.step, i): value
        for record in fed
        for i, value in enumerate(record.layers[1].sigma, 1)
    }
    found = zip(map(int, read["step"]), map(int, read["i"]), map(float, read["sigma"]), strict=True)
    assert {(step, i): pytest.approx(value, rel=1e-6) for step, i, value in found} == wanted
    panel.choose_view("energy")
    read = numbers_of(panel)
    squares = np.square(fed[-1].layers[1].sigma)
    kept = np.concatenate([[0], np.cumsum(squares)]) / squares.sum()
    assert np.allclose(list(map(float, read["kept"])), kept)
    assert np.allclose(list(map(float, read["discarded"])), 1 - kept)


def test_counts_classes_and_confusions_are_written(make):
    counts = make("counts")
    counts.standing.preview(Hyperparameters(rank=16, alpha=16))
    read = numbers_of(counts)
    assert read["layer"] == ["net.0", "net.2", "net.4"]
    assert list(map(int, read["parameters"])) == [8 * 192, 8 * 256, 8 * 138]
    assert list(map(int, read["parameters_requested"])) == [16 * 192, 16 * 256, 10 * 138]
    panel = make("before_after")
    read = numbers_of(panel)
    assert read["class"] == list("0123456789")
    assert list(map(int, read["correct_off"])) == [36, 34, 35, 37, 36, 37, 37, 36, 31, 1]
    assert read["trained"] == [*"000000000", "1"]
    confusion = tuple(tuple(10 * i + j for j in range(10)) for i in range(10))
    feed(panel, [EvalRecord(130, True, 0.3, 0.5, (1,) * 10, (2,) * 10, 0.0, confusion)])
    panel.confusion_button.setChecked(True)
    panel.redraw()
    read = numbers_of(panel)
    assert list(map(int, read["count"])) == list(range(100))
    assert (read["class"][34], read["predicted"][34]) == ("3", "4")
    losses = numbers_of(make("before_after", "known-rank"))
    assert losses["adapter"] == ["off", "on"]
    assert float(losses["validation_loss"][0]) == samples("known-rank", 120)[2].loss


def test_rows_and_answers_are_written(make):
    read = numbers_of(make("data"))
    assert list(map(int, read["row"])) == [1 + 3 * i for i in range(20)]
    assert read["text"][0].startswith("Review: A film that knows what it wants.\nVerdict:")
    assert set(read["asked_for"]) == {"2"}
    answers = numbers_of(make("generation"))
    assert answers["on"][0] == " positive"
    assert list(map(int, answers["step"])) == [120, 0]


def test_other_runs_and_the_truth_are_written_beside(make, tmp_path):
    from lora_lab.ui.panels.overlays import Overlay

    rows = (LayerSpectrum("linear", frozen_array([9.0, 4.0]), 2, 1, 1, 1, 2, 4, 2),)
    other = Overlay("elsewhere", "another run", 0, spectrum=SpectrumRecord(9, rows))
    other.train.extend([1, 2], [0.5, 0.25])
    spectrum, loss = make("spectrum", "known-rank"), make("loss", "known-rank")
    for panel in (spectrum, loss):
        panel.set_overlays([other])
        panel.redraw()
    read = numbers_of(spectrum)
    beside = [
        float(v) for s, v in zip(read["source"], read["sigma"], strict=True) if s == "another run"
    ]
    true = [float(v) for s, v in zip(read["source"], read["sigma"], strict=True) if s == "true"]
    assert beside == [9.0, 4.0]
    assert true == [3.0, 1.6, 0.7, 0.25]
    read = numbers_of(loss)
    assert read["loss"][-2:] == ["0.5", "0.25"]
    assert read["curve"][-1] == "another run, train, smoothed"


def test_two_other_runs_of_one_name_are_both_written(make):
    from lora_lab.ui.panels.overlays import Overlay

    loss = make("loss", "known-rank")
    others = [Overlay(f"/runs/{place}", "r 4", number) for number, place in enumerate("ab")]
    for number, other in enumerate(others):
        other.train.extend([1], [0.5 + number])
    loss.set_overlays(others)
    loss.redraw()
    read = numbers_of(loss)
    assert read["curve"][-2:] == [f"r 4 ({place}), train, smoothed" for place in "ab"]
    assert read["loss"][-2:] == ["0.5", "1.5"]


# -- through the window ------------------------------------------------------------------------


@pytest.fixture
def opened(window, presets, qtbot):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.sessions.shown is not None)
    window.sessions.toggle()
    qtbot.waitUntil(lambda: window.sessions.step > 20)
    window.sessions.toggle()
    return window


def told(qtbot, window, words):
    """Wait until the window says so."""
    bar = window.notice_bar
    qtbot.waitUntil(lambda: bar.notice is not None and words in bar.notice.message)


def test_copy_takes_the_panel_that_was_clicked_last(opened, qtbot):
    spectrum = next(panel for panel in opened.panels if panel.key == "spectrum")
    assert opened.flows.plots.panel.key == "loss"
    qtbot.mouseClick(spectrum.findChild(Measures), Qt.MouseButton.LeftButton)
    opened.commands.copy_plot.trigger()
    data = QGuiApplication.clipboard().mimeData()
    picture = Image.open(io.BytesIO(data.data("image/png").data()))
    assert picture.size == (2 * spectrum.width(), 2 * spectrum.height())
    assert picture.text["Title"] == "Spectrum"
    assert data.hasImage()
    assert ElementTree.fromstring(data.data("image/svg+xml").data()).tag == f"{SVG}svg"
    told(qtbot, opened, "Copied Spectrum")


def test_the_corner_of_a_panel_copies_and_saves_it(opened, qtbot, monkeypatch, tmp_path):
    panel = next(panel for panel in opened.panels if panel.key == "spectrum")
    panel.choose_view("energy")
    menu = panel.corner.findChild(QMenu)
    actions = {action.text(): action for action in menu.actions()}
    actions["Copy numbers"].trigger()
    _, read = read_csv(QGuiApplication.clipboard().text().encode())
    assert read["rank"][:2] == ["0", "1"]
    for kind in ("png", "svg", "csv"):
        target = tmp_path / f"plot.{kind}"
        answer = str(tmp_path / "plot"), f"Picture (*.{kind})"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, a=answer: a)
        actions[f"Save {kind.upper()}…"].trigger()
        qtbot.waitUntil(target.exists)
        told(qtbot, opened, str(target))
    settings = opened.sessions.config.model_dump()
    comments, _ = read_csv((tmp_path / "plot.csv").read_bytes())
    picture = Image.open(tmp_path / "plot.png")
    drawing = ElementTree.parse(tmp_path / "plot.svg").getroot()
    about = json.loads(drawing.find(f"{SVG}desc").text)
    for said in (comments, picture.text, about):
        assert RunConfig(**json.loads(said["Settings"])).model_dump() == settings
        assert said["Step"] == str(opened.sessions.step)
        assert said["Description"] == panel.summary()


def test_the_settings_written_are_those_in_force(opened, qtbot, sessions_made):
    opened.hyper_dock.request(rank=3)
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.rank == 3)
    about = opened.flows.plots.about(opened.panels[0])
    assert RunConfig(**json.loads(about["Settings"])).hyper.rank == 3


def test_a_place_that_cannot_be_written_is_told(opened, qtbot, monkeypatch, tmp_path):
    answer = str(tmp_path / "no folder" / "plot.png"), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    opened.commands.save_plot.trigger()
    told(qtbot, opened, "was not written")
    told(qtbot, opened, "Choose another place")
    assert not list(tmp_path.glob("no folder*"))


def test_a_cut_over_the_energy_moves_the_slider_and_reaches_the_run(opened, qtbot, sessions_made):
    panel = next(panel for panel in opened.panels if panel.key == "spectrum")
    panel.choose_view("energy")
    panel.redraw()
    view = panel.views["energy"]
    view.rank.setValue(2)
    view.button.click()
    assert opened.hyper_dock.sliders["rank"].value() == 2
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.rank == 2)


def test_the_chosen_view_is_kept_from_start_to_start(opened):
    panel = next(panel for panel in opened.panels if panel.key == "spectrum")
    panel.choose_view("time")
    opened.appearance.save()
    panel.choose_view("bars")
    opened.appearance.restore()
    assert panel.chosen_view == "time"


def test_numbers_too_many_for_the_clipboard_are_refused(opened, qtbot, monkeypatch):
    monkeypatch.setattr("lora_lab.ui.export.plots_flow.MOST_COPIED", 3)
    opened.flows.plots.copy_numbers(opened.panels[0])
    told(qtbot, opened, "too many to copy")


def test_a_button_at_the_corner_covers_nothing(opened, qtbot):
    for panel in opened.panels:
        if not panel.isVisible():
            continue
        corner = panel.corner.geometry()
        for i in range(panel.head.count()):
            widget = panel.head.itemAt(i).widget()
            if widget is not None and widget.isVisible():
                assert not corner.intersects(widget.geometry()), panel.key


def test_a_long_file_can_be_cancelled_and_leaves_nothing(opened, qtbot, monkeypatch, tmp_path):
    ended = threading.Event()

    def endless(columns, about, report):
        try:
            while not ended.wait(0.01):
                report("Writing rows", 0.5)
        finally:
            ended.set()

    monkeypatch.setattr(plots_out, "csv_bytes", endless)
    answer = str(tmp_path / "plot.csv"), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    flow = opened.flows.plots
    flow.save(opened.panels[0], "csv")
    qtbot.waitUntil(lambda: opened.findChild(QProgressDialog) is not None)
    bar = opened.findChild(QProgressDialog)
    qtbot.waitUntil(bar.isVisible)
    assert bar.value() == 50
    bar.findChild(QPushButton).click()
    qtbot.waitUntil(ended.is_set, timeout=20_000)
    assert not list(tmp_path.glob("plot*"))


def test_a_second_file_does_not_call_the_first_one_off(opened, qtbot, monkeypatch, tmp_path):
    made, may_go = plots_out.csv_bytes, threading.Event()

    def held(columns, about, report):
        may_go.wait(60)
        return made(columns, about, report)

    monkeypatch.setattr(plots_out, "csv_bytes", held)
    names = [tmp_path / "first.csv", tmp_path / "second.csv"]
    flow = opened.flows.plots
    for name in names:
        answer = str(name), ""
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, answer=answer: answer)
        flow.save(opened.panels[0], "csv")
    may_go.set()
    qtbot.waitUntil(lambda: all(name.exists() for name in names), timeout=20_000)
    qtbot.waitUntil(lambda: opened.findChild(QProgressDialog) is None, timeout=20_000)


def test_a_million_rows_are_written_in_parts_that_say_how_far_they_are():
    shares = []
    columns = {"step": np.arange(50_000), "loss": np.linspace(0, 1, 50_000)}
    data = plots_out.csv_bytes(columns, {}, lambda _, share: shares.append(share))
    assert shares == [0.0, 0.4, 0.8]
    assert data.count(b"\n") == 50_001
    assert data.endswith(b"49999,1.0\n")
