"""A widget as a person meets it: its parts by their accessible names, and the words on them."""

from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget


def named(parent, name, kind=QWidget):
    """The one part that a screen reader calls so."""
    parts = [part for part in parent.findChildren(kind) if part.accessibleName() == name]
    others = sorted({part.accessibleName() for part in parent.findChildren(kind)})
    assert len(parts) == 1, f"{len(parts)} parts are called {name!r}; there are {others}"
    return parts[0]


def words(parent):
    """The texts of all labels that are visible, without their markup."""
    labels = [label for label in parent.findChildren(QLabel) if label.isVisible()]
    return [QTextDocumentFragment.fromHtml(label.text()).toPlainText() for label in labels]


def buttons(parent):
    """The buttons that are visible, by what stands on them."""
    parts = [part for part in parent.findChildren(QAbstractButton) if part.isVisible()]
    return {part.text().replace("&", ""): part for part in parts if part.text()}
