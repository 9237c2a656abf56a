"""What a screen reader is told of a label and a slider: the name together with what stands there.

Qt tells of a label its name in place of its text, and of a slider the place of its handle in place
of the value that the place means.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QAccessibleInterface,
    QTextDocumentFragment,
)
from PySide6.QtWidgets import QAccessibleWidget, QGraphicsView

from lora_lab.ui.widgets.controls import Slider
from lora_lab.ui.widgets.labels import TextLabel

BREAK = "\u200b"  # where a long name may go on in the next line


class _Spoken(QAccessibleWidget):
    """Name, and what stands there."""

    def text(self, what: QAccessible.Text) -> str:
        if what not in (QAccessible.Text.Name, QAccessible.Text.Value):
            return super().text(what)
        words, name = self.words().replace(BREAK, ""), self.object().accessibleName()
        if what is QAccessible.Text.Name:
            return ": ".join(filter(None, (name, words)))
        return words if name else ""

    def words(self) -> str:
        raise NotImplementedError


class _Label(_Spoken):
    def words(self) -> str:
        label = self.object()
        if label.textFormat() is Qt.TextFormat.RichText:
            return QTextDocumentFragment.fromHtml(label.text()).toPlainText()
        return label.text() if label.buddy() is None else label.text().replace("&", "")


class _Slider(_Spoken):
    def words(self) -> str:
        return self.object().spoken()


def _interface(_: str, thing: QObject) -> QAccessibleInterface | None:
    if isinstance(thing, TextLabel):
        return _Label(thing, QAccessible.Role.StaticText)
    if isinstance(thing, Slider) and thing.spoken is not None:
        return _Slider(thing, QAccessible.Role.Slider)
    if isinstance(thing, QGraphicsView):
        return QAccessibleWidget(thing, QAccessible.Role.Chart)
    return None  # as Qt tells it


@cache
def install() -> None:
    """From now on Qt asks here first. It does so only while something listens."""
    QAccessible.installFactory(_interface)


def name_changed(widget: QObject) -> None:
    """What stands there is another one: whoever listens asks again."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleEvent(widget, QAccessible.Event.NameChanged))


def announce(widget: QObject, text: str) -> None:
    """Have a screen reader say it now, whatever has the focus."""
    if QAccessible.isActive() and text:
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, text))
