"""A widget as a person meets it: its parts by their names, the words on them, what was posted."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget


def named(parent, name, kind=QWidget):
    """The one part that a screen reader calls so."""
    parts = [part for part in parent.findChildren(kind) if part.accessibleName() == name]
    others = sorted({part.accessibleName() for part in parent.findChildren(kind)})
    assert len(parts) == 1, f"{len(parts)} parts are called {name!r}; there are {others}"
    return parts[0]


def words(parent):
    """The texts of all labels that are visible, without their markup."""
    return [_plain(label) for label in parent.findChildren(QLabel) if label.isVisible()]


def _plain(label):
    if label.textFormat() is Qt.TextFormat.RichText:
        return QTextDocumentFragment.fromHtml(label.text()).toPlainText()
    return label.text()


def buttons(parent):
    """The buttons that are visible, by what stands on them."""
    parts = [part for part in parent.findChildren(QAbstractButton) if part.isVisible()]
    return {part.text().replace("&", ""): part for part in parts if part.text()}


def curve(panel, name):
    """Steps and values of one of the curves that the loss panel holds, every point."""
    columns = panel.figure_data()
    rows = zip(*columns.values(), strict=True)
    points = [(step, value) for whose, step, value in rows if whose == name]
    return [step for step, _ in points], [value for _, value in points]


def timer(owner):
    """The one timer that belongs to an object."""
    (one,) = owner.findChildren(QTimer, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return one


def settle():
    """Deliver all that was posted: queued signals, layouts, repaints."""
    for _ in range(3):
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def put(qtbot, box, text):
    """Type a number into a box over what stands there, and press Return."""
    box.setFocus()
    box.lineEdit().selectAll()
    if text:
        box.lineEdit().insert(text)  # keys of a test are Latin-1 alone; a person's are not
    else:
        qtbot.keyClick(box, Qt.Key.Key_Backspace)
    qtbot.keyClick(box, Qt.Key.Key_Return)
