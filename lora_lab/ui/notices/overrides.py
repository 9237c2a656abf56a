"""What Qt asks of Python never raises into Qt: it is reported where all is, and answered plainly.

Qt asks while it was itself called from Python (a delegate paints and asks the model for a figure),
and an exception in an inner answer ends the process there: the outer one runs on top of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import monotonic
from types import FunctionType
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QRectF,
    QSize,
    Qt,
    QTranslator,
)
from PySide6.QtGui import QAccessibleInterface, QPainterPath
from PySide6.QtWidgets import QAbstractItemDelegate, QGraphicsItem, QWidget
from shiboken6 import Shiboken

# What Qt calls, by class, and what it is told where ours fails; any `…Event` is told nothing.
ASKED: dict[type, dict[str, Any]] = {
    QAbstractItemModel: {
        "data": None, "headerData": None, "setData": False, "flags": Qt.ItemFlag.NoItemFlags,
        "rowCount": 0, "columnCount": 0, "index": QModelIndex(), "parent": QModelIndex(),
        "sort": None, "mimeData": None, "mimeTypes": [], "dropMimeData": False,
        "supportedDropActions": Qt.DropAction.IgnoreAction,
    },
    QAbstractItemDelegate: {
        "paint": None, "sizeHint": QSize(), "initStyleOption": None, "createEditor": None,
        "setEditorData": None, "setModelData": None,
    },
    QWidget: {
        "sizeHint": QSize(), "minimumSizeHint": QSize(), "initStyleOption": None, "reject": None,
        "loadResource": None, "dataChanged": None, "selectionChanged": None, "stepBy": None,
        "textFromValue": "",
    },
    QGraphicsItem: {
        "boundingRect": QRectF(), "shape": QPainterPath(), "paint": None, "itemChange": None,
    },
    QAccessibleInterface: {"text": ""},
    QTranslator: {"translate": ""},
    QObject: {"event": False, "eventFilter": False},
}  # fmt: skip


AGAIN = (
    1.0  # seconds until the same fault of one place is told again: a table asks a thousand times
)
LETTERS = 200  # of a fault by which it is the same


def guard_all() -> None:
    """Guard the overrides of every class that is made from one of Qt's from now on."""

    def of_class(cls: type, **more: Any) -> None:
        super(Shiboken.Object, cls).__init_subclass__(**more)
        answers = {name: at for kind, of in ASKED.items() if issubclass(cls, kind)
                   for name, at in of.items()}  # fmt: skip
        for name, call in list(vars(cls).items()):
            if isinstance(call, FunctionType) and (name in answers or name.endswith("Event")):
                setattr(cls, name, guarded(call, answers.get(name)))

    Shiboken.Object.__init_subclass__ = classmethod(of_class)  # type: ignore[assignment]


def guarded(call: Callable[..., Any], answer: Any) -> Callable[..., Any]:
    """The same, but for what it raises, which is reported and answered with `answer`."""
    said, until = "", 0.0

    @wraps(call)
    def asked(*arguments: Any, **named: Any) -> Any:
        nonlocal said, until
        try:
            return call(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - any fault is reported in the one place
            words, now = repr(error)[:LETTERS], monotonic()
            if words != said or now >= until:
                said, until = words, now + AGAIN
                sys.excepthook(*sys.exc_info())
            return answer

    return asked
