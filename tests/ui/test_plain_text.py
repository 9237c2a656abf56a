"""Every name that a file can give, in every place of the window: shown, never followed."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPoint, Qt
from PySide6.QtGui import Qt as rich_text
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLabel,
    QMessageBox,
    QTableView,
    QTextEdit,
    QWidget,
)

import lora_lab.ui
from lora_lab.measured import Direction, DirectionsRecord, Excited, WrittenTokens
from lora_lab.names import ILLEGIBLE
from lora_lab.opening_records import DataRow
from lora_lab.records import State
from lora_lab.runs.listing import list_runs
from lora_lab.ui.open.adapter_flow import AdapterOffer
from lora_lab.ui.panels.direction_html import direction_html
from lora_lab.ui.panels.pictures import Pictures
from lora_lab.ui.style import theme
from lora_lab.ui.style import tips as tips_shown
from lora_lab.ui.style.figures import plain_tip, tip_lines
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.dialogs import TextBox, ask
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.path_choice import PathChoice
from lora_lab.ui.widgets.rows import Column, RowsModel
from tests.runs.sample_run import write_sample
from tests.ui import conftest
from tests.ui.seen import of_each_dialog

EVIL = "<img src='/dev/zero'><a href='x'>a</a> & <h1>&lt;\u202e\x1b[2J\u2066"
ROOMS = Path(lora_lab.ui.__file__).parent


def followed(root):
    """Texts of `root` and all in it that Qt would take for HTML, or that turn the reading."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        tip = widget.toolTip()
        if "<img" in tip or "<a " in tip or ILLEGIBLE.search(tip):
            found.append((widget, tip))
        if isinstance(widget, QLabel):
            text, kind = widget.text(), widget.textFormat()
            rich = kind is Qt.TextFormat.RichText or (
                kind is Qt.TextFormat.AutoText and rich_text.mightBeRichText(text)
            )
            if (rich and re.search(r"<(img|a|h1)\b", text)) or ILLEGIBLE.search(text):
                found.append((widget, text))
            elif kind is Qt.TextFormat.AutoText and text:
                found.append((widget, f"not plain: {text}"))
        if isinstance(widget, QTextEdit) and "/dev/zero" in re.sub(
            "&lt;.*?&gt;", "", widget.toHtml()
        ):
            found.append((widget, widget.toHtml()))
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            for role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.DisplayRole):
                words = told(widget.model(), role)
                html = role is Qt.ItemDataRole.ToolTipRole
                found += [(widget, text) for text in words if (html and "<img" in text)
                          or ILLEGIBLE.search(text)]  # fmt: skip
    return found


@pytest.mark.parametrize("text", ["a" * 10**6, "a b\n" * 10**5, "<b>" * 10**5])
def test_no_text_is_longer_than_a_window_can_lay_out(qtbot, text):
    label, combo, box = TextLabel(), Combo(), TextBox()
    for widget in (label, combo, box):
        qtbot.addWidget(widget)
    began = time.process_time()
    label.setText(text)
    combo.addItem(text, 1)
    box.setText(text)
    box.setInformativeText(text)
    model = RowsModel((Column(text, lambda row: row),))
    model.rows = [text]
    said = [
        label.text(),
        combo.itemText(0),
        box.text(),
        box.informativeText(),
        plain_tip(text),
        tip_lines(text),
        model.data(model.index(0, 0)),
        model.headerData(0, Qt.Orientation.Horizontal, 0),
    ]
    assert max(map(len, said)) < 50_000
    assert time.process_time() - began < 0.5


ROOT = QModelIndex()


def told(model, role, parent=ROOT):
    """What the cells and heads of a table say."""
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(parent)
    for column in range(columns):
        yield str(model.headerData(column, Qt.Orientation.Horizontal, role) or "")
    for row in range(min(model.rowCount(parent), 20)):
        for column in range(columns):
            index = model.index(row, column, parent)
            yield str(model.data(index, role) or "")
        first = model.index(row, 0, parent)
        if model.rowCount(first):
            yield from told(model, role, first)


@pytest.fixture
def evil_lab(qtbot, monkeypatch, request):
    """A window whose base, layers, classes, preset and folder are called so."""
    monkeypatch.setattr(conftest, "SHAPES", {f"{EVIL}.{n}": s for n, s in conftest.SHAPES.items()})
    real = conftest.FakeSession.loaded

    def loaded(self):
        from dataclasses import replace

        return replace(real(self), title=EVIL, base=EVIL, device=EVIL, notes=(EVIL,),
                       classes=(EVIL, "b"), trained_classes=(EVIL,))  # fmt: skip

    monkeypatch.setattr(conftest.FakeSession, "loaded", loaded)
    return request.getfixturevalue("window")


def test_the_whole_window_takes_text_as_text(qtbot, evil_lab, presets, tmp_path, monkeypatch):
    window = evil_lab
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.sessions.step > 20, timeout=20_000)
    window.commands.train.trigger()
    for tell in (window.notices.news, window.notices.warning, window.notices.error):
        tell(EVIL, EVIL)
    window.strip.say(EVIL)
    run = write_sample(tmp_path, "run")
    (run / "label.json").write_text('{"name": "<img src=\'/dev/zero\'>", "note": "<a href=x>"}')
    (run / "state.json").write_text('{"state": "<h1>", "hyper": [1]}')
    window.runs_dock.show_runs(list_runs(tmp_path))
    window.runs_dock.table.selectRow(0)
    QApplication.processEvents()
    assert followed(window) == []


@pytest.mark.slow
def test_whatever_opens_from_a_menu_takes_text_as_text(qtbot, evil_lab, presets, monkeypatch):
    window = evil_lab
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    seen = of_each_dialog(window, monkeypatch, followed)
    assert {title: texts for title, texts in seen.items() if texts} == {}


def test_a_question_takes_text_as_text(qtbot, monkeypatch):
    parent, seen = QWidget(), []
    qtbot.addWidget(parent)
    monkeypatch.setattr(QMessageBox, "exec", lambda box: seen.extend(followed(box) or ["plain"]))
    ask(parent, EVIL, EVIL, "&Yes", "No")
    assert seen == ["plain"]


def test_labels_legends_and_tooltips(qtbot):
    label, legend = TextLabel(EVIL), Legend()
    for widget in (label, legend):
        qtbot.addWidget(widget)
    label.setText(EVIL)
    legend.show_rows([("■", "#000000", EVIL), ("", "#000000", EVIL)])
    assert followed(label) == followed(legend) == []
    assert "<img" not in plain_tip(EVIL)
    assert "<img" not in tip_lines(EVIL)
    assert plain_tip("r = 4\nα = 8 & more") == "r = 4\nα = 8 & more"
    assert plain_tip("a < b\nc") == "<span>a &lt; b<br>c</span>"


def test_an_adapters_name_is_shown_as_it_is_written(qtbot):
    offer = AdapterOffer("/tmp/<img src='file:%2F%2F%2Fdev%2Fzero'>\u202e", None)
    qtbot.addWidget(offer)
    assert followed(offer) == []
    assert "<img src=" in offer.text()


def test_a_path_is_shown_as_it_is_written(qtbot):
    choice = PathChoice("x", "x", "*")
    qtbot.addWidget(choice)
    choice.show_value("/tmp/<img src='x'>")
    assert followed(choice) == []


def test_what_is_pointed_at_is_shown_as_it_is_written(qtbot, monkeypatch):
    seen = []
    monkeypatch.setattr(
        tips_shown.QToolTip, "showText", lambda where, text, widget: seen.append(text)
    )
    tips_shown.show_tip(QPoint(), EVIL, QWidget())
    tips_shown.show_tip(QPoint(), "", QWidget())
    assert "<img" not in seen[0]
    assert not ILLEGIBLE.search(seen[0])
    assert seen[1] == ""


# One that was made without a format would take a name for HTML.
ONLY = {
    r"(?<!Text)\bQLabel\(": (),
    r"\bQMessageBox\(": (),
    r"\bQToolTip\.showText\(": ("style/tips.py",),
    r"\b(QErrorMessage|QInputDialog)\b": (),
    r"^class \w+\(QLabel\)": ("widgets/labels.py", "widgets/legend.py"),
    r"^class \w+\(QMessageBox\)": ("widgets/dialogs.py",),
}


@pytest.mark.parametrize("pattern", ONLY)
def test_text_is_shown_in_no_other_way(pattern):
    made = {
        path.relative_to(ROOMS).as_posix()
        for path in ROOMS.rglob("*.py")
        if re.search(pattern, path.read_text("utf-8"), re.M)
    }
    assert made == set(ONLY[pattern])


def test_lists_tables_and_pictures(qtbot):
    combo, pictures, counted = Combo(), Pictures("x"), RowsModel([Column(EVIL, str, tip="x")])
    table = QTableView()
    for widget in (combo, pictures, table):
        qtbot.addWidget(widget)
    table.setModel(counted)
    counted.show_rows([EVIL])
    combo.addItems([EVIL])
    combo.addItem(EVIL, EVIL)
    assert combo.currentText() != EVIL
    assert combo.itemData(1) == EVIL
    pictures.show_rows([DataRow(1, label=EVIL, image=np.zeros((4, 4), np.uint8))])
    for widget in (combo, pictures, table):
        assert followed(widget) == []


def test_a_page_of_directions_turns_no_reading():
    tokens = WrittenTokens(((EVIL, 1.0),), ((EVIL, -1.0),))
    rows = (Excited(1, 1.0, EVIL, EVIL, EVIL, EVIL, None),)
    record = DirectionsRecord(
        1, EVIL, 1, (Direction(1.0, 1.0, tokens, rows, None),), "", True, 1, "", 0.1
    )
    page = direction_html(record, record, theme.current())
    assert "<img" not in page
    assert not ILLEGIBLE.search(page)
