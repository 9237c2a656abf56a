"""The bench through its widgets: a matrix chosen, typed or loaded; its cut moved every way."""

import threading

import numpy as np
import pyqtgraph as pg
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from lora_lab import paths
from lora_lab.ui.bench.dialog import BenchDialog
from lora_lab.ui.bench.energy_bar import energy_words
from lora_lab.ui.bench.numbers import NOT_YET
from lora_lab.ui.bench.samples import SAMPLES
from lora_lab.ui.style import theme
from tests.ui.seen import settle

LESSON = np.array([[1.0, 2, 3], [2, 4, 6], [1, 3, 5]])


@pytest.fixture
def bench(qtbot):
    made = BenchDialog()
    qtbot.addWidget(made)
    made.show()
    yield made.page
    made.finish()


def typed(qtbot, page, text):
    """Type a matrix and wait until it is read."""
    before = page.analysis
    page.source.text.setPlainText(text)
    qtbot.waitUntil(lambda: page.analysis is not before, timeout=10_000)


def rested(qtbot, page):
    """Wait until the cut is measured."""
    qtbot.waitUntil(lambda: page.numbers.measured[1].text() != NOT_YET, timeout=30_000)


def values_written(page):
    """The words at the bars, from the first on."""
    items = page.plot.getPlotItem().items
    texts = [item for item in items if isinstance(item, pg.TextItem) and item.isVisible()]
    return [text.toPlainText() for text in sorted(texts, key=lambda text: text.pos().x())]


def ranks_shown(page):
    return {
        key: tuple(cell.text() for cell in cells) for key, cells in page.numbers.rank_cells.items()
    }


def test_it_opens_with_the_lesson(bench):
    assert bench.source.text.toPlainText() == "1 2 3\n2 4 6\n1 3 5"
    assert bench.source.message.text() == "3 × 3 · square"
    assert bench.k == 2
    assert ranks_shown(bench) == {
        "by_sigma": ("2", "2"),
        "by_elimination": ("2", "2"),
        "with_tolerance": ("2", "2"),
        "exact": ("2", ""),
    }
    assert bench.numbers.verdict.text() == "All methods agree."
    assert "Singular values 10.2, 0.535, " in bench.summary()
    assert values_written(bench) == ["10.23", "0.5353", "≈ 0"]
    assert [mark.text() for _, mark, _ in bench.numbers.penrose] == ["✓"] * 4
    assert [value.text() for _, value in bench.numbers.lora] == ["3 × 2", "2 × 3", "12", "9"]
    assert "Break-even is rank m·n/(m + n) = 1.5: fewer numbers up to 1." in (
        bench.numbers.lora_words.text()
    )


SAID = {
    "3 × 3 of rank 2": ("2", "2", "2"),
    "10 × 10 of rank 2": ("2", "10", "2"),
    "Tenths 3 × 3": ("2", "3", "2"),
    "Hilbert 12 × 12": ("11", "12", "12"),
    "Triangle 60 × 60": ("59", "60", "60"),
    "Digit 8 × 8": ("6", "6", "6"),
    "Gradient 256 × 256": ("2", None, "—"),
    "Rings 256 × 256": ("2", None, "—"),
    "Disc 256 × 256": (None, None, "—"),
}


def test_every_sample_says_what_its_title_promises(qtbot, bench):
    assert [sample.title for sample in SAMPLES] == list(SAID)
    for index, sample in enumerate(SAMPLES):
        before = bench.analysis
        bench.source.samples.setCurrentIndex(index)
        bench.source.samples.activated.emit(index)
        qtbot.waitUntil(lambda before=before: bench.analysis is not before, timeout=60_000)
        rested(qtbot, bench)
        shown = ranks_shown(bench)
        W = bench.analysis.parts.W
        by_sigma, eliminated, exact = SAID[sample.title]
        assert shown["by_sigma"][0] == str(np.linalg.matrix_rank(W))
        assert by_sigma in (shown["by_sigma"][0], None)
        assert eliminated in (shown["by_elimination"][0], None)
        assert shown["exact"][0] == exact
        differs = shown["by_elimination"][0] != shown["by_sigma"][0]
        assert differs == ("Elimination fails here" in bench.numbers.verdict.text())
        assert not bench.blocks.grab().isNull()


def test_the_cut_is_moved_by_slider_field_keys_and_mouse(qtbot, bench):
    sigma = np.linalg.svd(LESSON, compute_uv=False)
    numbers = bench.numbers

    def follows(k):
        knobs = (
            bench.k,
            bench.slider.value(),
            bench.spin.value(),
            round(bench.plot.cut_line.value() - 0.5),
        )
        assert knobs == (k,) * 4
        gap = LESSON - bench.analysis.parts.truncated(k)
        if k < 2:
            for cell, order in zip(numbers.measured, (None, 2), strict=True):
                assert float(cell.text().replace(",", "")) == pytest.approx(
                    np.linalg.norm(gap, order), rel=1e-3
                )
            assert numbers.predicted[0].text() == numbers.measured[0].text()
            share = (sigma[:k] ** 2).sum() / (sigma**2).sum()
            assert float(numbers.energy.text()[:-2]) == pytest.approx(100 * share, abs=0.005)
            assert numbers.energy.text() in bench.energy.accessibleDescription()
        assert f"Cut after {k}" in bench.plot.accessibleDescription()

    bench.slider.setFocus()
    qtbot.keyClick(bench.slider, Qt.Key.Key_Left)
    follows(1)
    bench.spin.setValue(0)
    follows(0)
    bench.plot.setFocus()
    for key, k in (
        (Qt.Key.Key_Right, 1), (Qt.Key.Key_Up, 2), (Qt.Key.Key_Left, 1), (Qt.Key.Key_End, 3),
        (Qt.Key.Key_Right, 3), (Qt.Key.Key_Home, 0), (Qt.Key.Key_Down, 0), (Qt.Key.Key_PageUp, 3),
    ):  # fmt: skip
        qtbot.keyClick(bench.plot, key)
        follows(k)
    bench.plot.cut_line.setValue(1.8)  # what a drag does
    follows(1)


def test_the_mouse_drags_the_cut_in_the_plot(qtbot, bench, monkeypatch):
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", -1)  # every move counts

    def at(k):
        scene = bench.plot.view.mapViewToScene(QPointF(k + 0.5, -5.0))
        return bench.plot.mapFromScene(scene)

    settle()
    viewport = bench.plot.viewport()
    qtbot.mouseMove(viewport, at(2))
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at(2))
    for share in np.linspace(0, 1, 12):
        point = at(2) + (at(1) - at(2)) * float(share)
        qtbot.mouseMove(viewport, QPoint(round(point.x()), round(point.y())))
        settle()
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at(1))
    assert bench.k == 1
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=at(3))
    qtbot.waitUntil(lambda: bench.k == 3)


def test_the_cut_is_dragged_in_the_factors_themselves(qtbot, bench):
    bench.blocks.grab()
    _, U, S, Vt, *_ = bench.blocks.areas
    left, blocks = Qt.MouseButton.LeftButton, bench.blocks
    third = QPointF(U.width() / 3, 0)
    inside = QPointF(0, U.height() / 2)
    qtbot.mousePress(blocks, left, pos=(U.topLeft() + inside + third).toPoint())
    assert bench.k == 1
    qtbot.mouseMove(blocks, (U.topLeft() + inside + 2 * third).toPoint())
    assert bench.k == 2
    qtbot.mouseMove(blocks, (Vt.topRight() + inside).toPoint())  # far out, and still in U's hand
    assert bench.k == 3
    qtbot.mouseRelease(blocks, left, pos=Vt.topLeft().toPoint())
    qtbot.mouseClick(blocks, left, pos=(Vt.topLeft() + QPointF(9, Vt.height() / 3)).toPoint())
    assert bench.k == 1
    qtbot.mouseClick(blocks, left, pos=(S.topLeft() + inside + 2 * third).toPoint())
    assert bench.k == 2
    qtbot.mouseMove(blocks, U.center().toPoint())
    assert blocks.cursor().shape() == Qt.CursorShape.SizeHorCursor
    qtbot.mouseMove(blocks, Vt.center().toPoint())
    assert blocks.cursor().shape() == Qt.CursorShape.SizeVerCursor
    qtbot.mouseClick(blocks, left, pos=QPoint(1, 1))
    assert bench.k == 2


@pytest.mark.parametrize(
    ("k", "marks", "said"),
    [
        (1, "✗✓✓✓", "X is that of W₁, not of W"),
        (2, "✓✓✓✓", "X is the pseudo-inverse of W"),
        (3, "✗✗✗✗", "1/σ₃ is the inverse of rounding: keep 2 at most"),
    ],
)
def test_the_conditions_say_what_the_cut_does_to_the_inverse(bench, k, marks, said):
    bench.spin.setValue(k)
    assert "".join(mark.text() for _, mark, _ in bench.numbers.penrose) == marks
    assert said in bench.numbers.inverse_words.text()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-7", "1 × 1 · a single number"),
        ("0 0 0; 0 0 0", "2 × 3 · every number is 0"),
        ("1 2 3 4", "1 × 4 · one row"),
        ("1;2;0", "3 × 1 · one column"),
        ("1 2 3; 4 5 6", "2 × 3 · wide"),
        ("1 2; 3 4; 5 6", "3 × 2 · tall"),
        ("1e90 2e90; 3e90 7e90", "2 × 2 · square"),
        ("1e-90 2e-90; 3e-90 7e-90", "2 × 2 · square"),
        (" ".join(["1"] * 30), "1 × 30 · one row"),
    ],
)
def test_every_shape_says_what_it_is_and_is_drawn_at_every_cut(qtbot, bench, text, what):
    typed(qtbot, bench, text)
    assert what in bench.source.message.text()
    for k in range(bench.analysis.parts.most + 1):
        bench.set_cut(k)
        assert NOT_YET not in bench.numbers.measured[1].text()
        assert not bench.grab().isNull()
    assert bench.source.samples.currentIndex() == -1


def test_what_is_typed_wrong_is_said_and_what_is_shown_stays(qtbot, bench):
    shown = bench.analysis
    bench.source.text.setPlainText("1 2 3\n4 5")
    qtbot.waitUntil(lambda: "Row 2 has 2 numbers" in bench.source.message.text())
    assert bench.source.message.property("role") == "error"
    assert bench.analysis is shown
    typed(qtbot, bench, "1 2 3\n4 5 6")
    assert bench.source.message.property("role") == "muted"


def test_a_long_text_is_read_beside_the_window(qtbot, bench):
    rows = np.random.default_rng(0).standard_normal((60, 60))
    text = "\n".join(" ".join(f"{x:.14f}" for x in row) for row in rows)
    typed(qtbot, bench, text)
    assert bench.analysis.parts.rank == 60
    shown = bench.analysis
    bench.source.text.setPlainText(text + "\n1 2")
    qtbot.waitUntil(lambda: "Row 61 has 2 numbers" in bench.source.message.text(), timeout=10_000)
    assert bench.analysis is shown


def test_files_are_loaded_beside_the_window(qtbot, bench, tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.1, 2.0], [3.0, -4.5]]))
    bench.load(str(tmp_path / "a.npy"))
    qtbot.waitUntil(lambda: bench.analysis.matrix.title == "a.npy", timeout=10_000)
    assert bench.source.text.toPlainText() == "0.1 2\n3 -4.5"
    bench.load(str(tmp_path / "none.csv"))
    qtbot.waitUntil(lambda: "no such file" in bench.source.message.text(), timeout=10_000)
    assert bench.analysis.matrix.title == "a.npy"


def test_an_image_that_is_dropped_is_cut_while_it_is_dragged(qtbot, bench, tmp_path):
    x = np.linspace(0, 9, 120)
    grey = 120 + 60 * np.outer(np.sin(x), np.cos(x)) + 40 * np.outer(np.cos(2 * x), np.sin(3 * x))
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "waves.png")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "waves.png"))])
    left = Qt.MouseButton.LeftButton
    drop = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, mime, left, Qt.KeyboardModifier.NoModifier
    )
    bench.window().dropEvent(drop)
    qtbot.waitUntil(lambda: bench.analysis.matrix.title == "waves.png", timeout=30_000)
    assert "120 × 120 grey values" in bench.source.text.placeholderText()
    for k in (1, 2, 3, 4, 50, 3):
        bench.slider.setValue(k)
        assert bench.numbers.measured[1].text() == NOT_YET  # it is measured when it rests
        frobenius = np.linalg.norm(bench.analysis.parts.W - bench.analysis.parts.truncated(k))
        shown = float(bench.numbers.measured[0].text().replace(",", ""))
        assert shown == pytest.approx(frobenius, rel=1e-3)
    rested(qtbot, bench)
    sigma = np.linalg.svd(bench.analysis.parts.W, compute_uv=False)
    assert float(bench.numbers.measured[1].text()) == pytest.approx(sigma[3], rel=1e-3)
    assert bench.numbers.penrose[1][1].text() == "✓"


def test_a_large_matrix_can_be_cancelled(qtbot, bench, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def slow(matrix, report):
        begun.set()
        go.wait(60)
        report("too late", 0.5)

    monkeypatch.setattr("lora_lab.ui.bench.page.analyse", slow)
    shown = bench.analysis
    bench.source.choose(len(SAMPLES) - 1)
    assert begun.wait(60)
    qtbot.waitUntil(bench.cancel_button.isVisible, timeout=5000)
    bench.cancel_button.click()
    go.set()
    assert not bench.cancel_button.isVisible()
    assert "Cancelled" in bench.source.message.text()
    assert bench.analysis is shown


def test_what_nobody_foresaw_ends_the_bar_and_is_told(qtbot, bench, monkeypatch):
    caught, go = [], threading.Event()

    def stumble(matrix, report):
        go.wait(60)
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr(threading, "excepthook", caught.append)
    monkeypatch.setattr("lora_lab.ui.bench.page.analyse", stumble)
    shown = bench.analysis
    bench.source.choose(len(SAMPLES) - 1)
    qtbot.waitUntil(bench.cancel_button.isVisible, timeout=5000)
    go.set()
    qtbot.waitUntil(lambda: not bench.cancel_button.isVisible(), timeout=20_000)
    assert "It failed" in bench.source.message.text()
    assert [str(one.exc_value) for one in caught] == ["nobody foresaw this"]
    assert bench.analysis is shown


def test_what_was_cancelled_is_measured_when_it_is_shown_again(qtbot, bench):
    bench.source.choose(len(SAMPLES) - 1)
    qtbot.waitUntil(lambda: bench.analysis.parts.most == 256, timeout=30_000)
    bench.set_cut(3)
    bench.window().close()
    assert bench.numbers.measured[1].text() == NOT_YET
    bench.window().show()
    rested(qtbot, bench)


def test_another_matrix_takes_the_place_of_one_that_is_still_computed(qtbot, bench):
    bench.source.choose(len(SAMPLES) - 1)
    bench.source.choose(0)
    bench.finish()
    QApplication.processEvents()
    assert bench.analysis.parts.shape == (3, 3)
    assert not bench.cancel_button.isVisible()


def test_the_pointer_tells_the_number_under_it(qtbot, bench):
    bench.set_cut(1)
    bench.blocks.grab()
    areas = bench.blocks.areas
    assert bench.blocks.words_at(areas[0].center()) == "W, row 2, column 2: 4.000"
    last = areas[1].bottomRight() - QPointF(2, 2)
    assert bench.blocks.words_at(last).startswith("U, row 3, column 3: ")
    assert bench.blocks.words_at(last).endswith(" (cut)")
    assert bench.blocks.words_at(QPointF(0, 0)) == ""


def test_it_follows_the_scheme(bench):
    app = QApplication.instance()
    before = theme.current()
    try:
        for scheme in ("dark", "light"):
            colors = theme.apply(app, scheme)
            bench.restyle(colors)
            bench.blocks.grab()
            image = bench.blocks.grab().toImage()
            area = bench.blocks.areas[0]
            ratio = image.devicePixelRatio()
            # The largest number of W, 6, has the full colour; its corner is free of figures.
            corner = QPointF(area.right() - 5, area.center().y() - area.height() / 6 + 5) * ratio
            assert image.pixelColor(corner.toPoint()).name() == colors.accent
    finally:
        theme.apply(app, "dark" if before is theme.DARK else "light")


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (0.0, "100 %"), (1e-17, "100 %"), (0.0027, "99.73 %"), (1.0, "0 %"), (0.5, "50.00 %"),
        (4e-11, "99.999999996 %"), (1e-6, "99.9999 %"), (float("nan"), "—"), (0.996, "0.40 %"),
    ],
)  # fmt: skip
def test_energy_is_never_rounded_up_to_all(lost, words):
    assert energy_words(lost) == words


def test_it_opens_from_the_menu_and_ends_with_the_window(qtbot, window):
    window.commands.bench.trigger()
    dialog = window.flows.bench.dialog
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert window.commands.bench.shortcut().toString() == "Ctrl+J"
    dialog.page.spin.setValue(1)
    dialog.close()
    window.commands.bench.trigger()
    assert window.flows.bench.dialog is dialog
    assert dialog.page.k == 1


def test_its_page_of_the_handbook_is_one_click_away(qtbot):
    dialog = BenchDialog()
    qtbot.addWidget(dialog)
    heard = []
    dialog.help_requested.connect(heard.append)
    dialog.page.help_button.click()
    dialog.finish()
    assert heard == ["svd"]
    assert (paths.resources() / "help" / "svd.md").is_file()
