"""A widget as a person meets it: its parts by their names, the words on them, what was posted."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QFileDialog,
    QLabel,
    QWidget,
)


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


def of_each_dialog(window, monkeypatch, look):
    """What `look` finds in each dialog that the menus open, by its title; each is closed again."""
    for asked in ("getOpenFileName", "getSaveFileName"):  # the system's own dialogs
        monkeypatch.setattr(QFileDialog, asked, lambda *texts: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *texts: "")
    actions = [a for menu in window.commands.menus for a in menu.actions() if "…" in a.text()]
    assert len(actions) > 5
    seen = {}
    for action in actions:
        if action.isEnabled():
            action.trigger()
            settle()
            for dialog in QApplication.topLevelWidgets():
                if isinstance(dialog, QDialog) and dialog.isVisible():
                    seen[dialog.windowTitle()] = look(dialog)
                    dialog.close()
    assert len(seen) > 4, seen
    return seen
