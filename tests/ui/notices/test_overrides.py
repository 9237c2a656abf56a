"""What Qt asks of Python: whatever a model or a widget raises, the process goes on."""

import importlib
import pkgutil
import subprocess
import sys
from textwrap import dedent
from types import FunctionType

import pytest
from PySide6.QtCore import QRectF, QSize
from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene, QGraphicsView, QTableView, QWidget
from shiboken6 import Shiboken

import lora_lab.ui
from lora_lab.ui.notices import overrides
from lora_lab.ui.widgets.heat_cells import HEAT, HeatCells
from lora_lab.ui.widgets.rows import Column, RowsModel

FAILS = None  # what raises now


def asked(what, answer):
    if what == FAILS:
        raise ZeroDivisionError(what)
    return answer


class Rows(RowsModel):
    def data(self, index, role=0):
        heat = ("1", 0.5, None) if index.row() else None
        return asked(f"data {int(role)}", heat if role == HEAT else "1")

    def headerData(self, *at):
        return asked("headerData", "head")

    def flags(self, index):
        return asked("flags", super().flags(index))


class Cells(HeatCells):
    def paint(self, *at):
        super().paint(*at)
        asked("paint", None)

    def sizeHint(self, *at):
        return asked("sizeHint", super().sizeHint(*at))

    def initStyleOption(self, *at):
        super().initStyleOption(*at)
        asked("initStyleOption", None)


class Box(QWidget):
    def sizeHint(self):
        return asked("hint", QSize(9, 9))

    def paintEvent(self, event):
        asked("paintEvent", None)

    def resizeEvent(self, event):
        asked("resizeEvent", None)

    def event(self, event):
        return asked("event", super().event(event))


class Item(QGraphicsItem):
    def boundingRect(self):
        return asked("boundingRect", QRectF(0, 0, 9, 9))

    def paint(self, *at):
        asked("item", None)


@pytest.mark.parametrize("what", [
    "data 0", f"data {int(HEAT)}", "headerData", "flags", "paint", "sizeHint", "initStyleOption",
    "hint", "paintEvent", "resizeEvent", "event", "boundingRect", "item", "nothing",
])  # fmt: skip
def test_a_fault_within_an_answer_to_qt_is_reported_and_ends_nothing(qtbot, monkeypatch, what):
    told = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append(str(error)))
    monkeypatch.setattr(sys.modules[__name__], "FAILS", what)
    table, model, box, scene = QTableView(), Rows([Column("a", str)] * 2), Box(), QGraphicsScene()
    table.setModel(model)
    cells = Cells(table)
    table.setItemDelegate(cells)
    model.show_rows([1, 2, 3])
    scene.addItem(Item())
    view = QGraphicsView(scene)
    for widget in (table, box, view):
        qtbot.addWidget(widget)
        widget.show()
        widget.adjustSize()
        widget.grab()
    table.resizeColumnsToContents()
    model.index(0, 0).data(int(HEAT))
    assert set(told) == ({what} - {"nothing"})


def test_the_same_fault_of_one_place_is_reported_once_a_while(qtbot, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: told.append(what))
    monkeypatch.setattr(sys.modules[__name__], "FAILS", "data 0")
    model = Rows([Column("a", str)])
    model.show_rows([1])
    monkeypatch.setattr(overrides, "monotonic", lambda: 1e9)
    for _ in range(100):
        assert model.index(0, 0).data() is None
    assert len(told) == 1


NEVER_ASKED = {"addItem", "addItems", "setAccessibleName", "setInformativeText", "setText",
               "setToolTip", "setValue", "setMaximum", "close"}  # fmt: skip  # Python calls them


def test_what_the_window_and_its_plots_answer_is_guarded():
    for module in pkgutil.walk_packages(lora_lab.ui.__path__, "lora_lab.ui."):
        importlib.import_module(module.name)
    ours = {kind for kind in below(Shiboken.Object) if kind.__module__.startswith("lora_lab.ui.")}
    assert len(ours) > 100
    for kind in ours:
        for name, call in vars(kind).items():
            if isinstance(call, FunctionType) and not name.startswith("_") and any(
                name in vars(base) for base in kind.__mro__ if base.__module__.startswith("PySide6")
            ):  # fmt: skip
                assert hasattr(call, "__wrapped__") or name in NEVER_ASKED, (kind, name)


def test_those_of_plots_are_guarded_as_well():
    code = """\
    import lora_lab.ui, pyqtgraph
    for name in ("paint", "boundingRect", "setData"):  # the last is no answer of a curve to Qt
        print(hasattr(getattr(pyqtgraph.PlotCurveItem, name), "__wrapped__"))"""
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr


def below(kind):
    for one in type.__subclasses__(kind):
        yield from (one, *below(one))
