"""What a screen reader is told, asked of Qt's own tree: names, roles, values, and news."""

import pytest
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLabel, QWidget

from lora_lab.hyperparameters import KNOBS
from lora_lab.ui.widgets import spoken
from lora_lab.ui.widgets.controls import Combo, Slider
from lora_lab.ui.widgets.labels import TextLabel, label
from tests.ui.seen import put, settle

Role, Text = QAccessible.Role, QAccessible.Text
VALUED = {Role.Slider, Role.SpinBox, Role.ProgressBar}
CELLS = {Role.Cell, Role.TreeItem, Role.ListItem}  # named by what is in them


def ask(widget):
    return QAccessible.queryAccessibleInterface(widget)


def tree(interface):
    """An interface and all below it."""
    yield interface
    for place in range(min(interface.childCount(), 200)):
        child = interface.child(place)
        if child is not None:
            yield from tree(child)


def labels_of(interface):
    return [
        other.text(Text.Name) for other, _ in interface.relations(QAccessible.RelationFlag.Label)
    ]


def faults(root):
    """What takes the focus and has no name, and what has a value and does not tell it."""
    found = []
    for part in tree(ask(root)):
        state, thing = part.state(), part.object()
        hidden = isinstance(thing, QWidget) and not thing.isVisibleTo(root)
        if hidden or state.invisible or not state.focusable or part.role() in CELLS:
            continue
        words = (part.text(Text.Name), part.text(Text.Description), *labels_of(part))
        where = f"{type(thing).__name__} in {type(thing.parent()).__name__}" if thing else ""
        inner = isinstance(thing, QWidget) and thing.focusProxy() is not None
        if not any(words) and not inner and not owned(thing):
            found.append(("nameless", part.role().name, where))
        if part.role() in VALUED and not part.text(Text.Value):
            found.append(("without a value", part.role().name, where))
        if part.role() is Role.NoRole:
            found.append(("without a role", words[0], where))
    return found


def owned(thing):
    """What Qt puts into a control, and tells of as a part of it: a list's pop-up, a text's view."""
    above = thing.parent() if thing is not None else None
    return isinstance(above, Combo) or (isinstance(above, QWidget) and bool(above.accessibleName()))


def painted(root):
    """The visible widgets that are drawn by hand."""
    own = [w for w in root.findChildren(QWidget) if "paintEvent" in vars(type(w))]
    return [w for w in own if type(w).__module__.startswith("lora_lab") and w.isVisible()]


@pytest.fixture
def trained(trained):
    """Every dock open."""
    for dock in trained.host.docks:
        dock.show()
    settle()
    return trained


@pytest.fixture
def said(monkeypatch):
    """What is announced from now on."""
    heard = []
    monkeypatch.setattr(
        "lora_lab.ui.shell.announcer.announce", lambda widget, text: heard.append(text)
    )
    return heard


def test_whatever_takes_the_focus_in_the_window_is_told(trained):
    parts = list(tree(ask(trained)))
    assert sum(part.state().focusable for part in parts) > 60
    for dock in trained.host.docks:
        dock.raise_()
        settle()
        assert faults(dock) == []
    assert faults(trained) == []


def test_the_search_finds_a_control_without_a_name(qtbot):
    root = QWidget()
    qtbot.addWidget(root)
    slider = Slider(lambda: "")
    slider.setParent(root)
    root.show()
    kinds = {kind for kind, *_ in faults(root)}
    assert kinds == {"nameless", "without a value"}


def test_a_slider_tells_its_value_and_not_the_place_of_its_handle(trained, qtbot):
    for field, typed in (("learning_rate", "0.02"), ("rank", "5"), ("dropout", "0.1")):
        slider = trained.hyper_dock.sliders[field]
        put(qtbot, slider.edit, typed)
        told = ask(slider.slider)
        assert told.text(Text.Value) == slider.edit.text() == typed
        assert told.text(Text.Name) == f"{KNOBS[field].label}: {typed}"
        assert told.role() is Role.Slider
        assert told.state().focusable


def test_a_figure_is_told_with_its_name(qtbot):
    shown = label("3 / 3", name="Numerical rank")
    qtbot.addWidget(shown)
    assert ask(shown).text(Text.Name) == "Numerical rank: 3 / 3"
    shown.setText("2 / 3")
    assert ask(shown).text(Text.Name) == "Numerical rank: 2 / 3"
    plain = TextLabel("a_\u200bb")
    qtbot.addWidget(plain)
    assert ask(plain).text(Text.Name) == "a_b"


def test_every_figure_of_the_window_is_told(trained):
    figures = [w for w in trained.findChildren(TextLabel) if w.accessibleName() and w.text()]
    assert len(figures) > 15
    plain = [w for w in figures if "<" not in w.text()]
    told = {ask(w).text(Text.Name): w.text().replace("\u200b", "") for w in plain}
    assert {name: text for name, text in told.items() if text not in name} == {}


def test_a_list_tells_what_it_is_for_beside_what_is_chosen(qtbot):
    combo = Combo()
    qtbot.addWidget(combo)
    combo.addItems(["cpu", "cuda"])
    combo.setAccessibleName("Device")
    told = ask(combo)
    assert told.text(Text.Value) == "cpu"
    assert "Device" in told.text(Text.Name) + told.text(Text.Description)
    combo.setToolTip("Where it is computed")
    assert ask(combo).text(Text.Description) == "Device. Where it is computed"


def test_what_is_painted_by_hand_has_a_name(trained):
    known = {"MainWindow", "Whole", "Number"}  # painted over what Qt tells of them
    nameless = set()
    for dock in trained.host.docks:
        dock.raise_()
        settle()
        for widget in painted(trained):
            if not ask(widget).text(Text.Name) and type(widget).__name__ not in known:
                nameless.add(type(widget).__name__)
    assert nameless == set()


def test_whatever_opens_from_a_menu_is_told(trained, monkeypatch):
    for question in ("getOpenFileName", "getSaveFileName"):  # the system's own dialogs
        monkeypatch.setattr(QFileDialog, question, lambda *texts: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *texts: "")
    wrong, seen = {}, set()
    for action in [a for menu in trained.commands.menus for a in menu.actions()]:
        if "…" not in action.text() or not action.isEnabled():
            continue
        action.trigger()
        settle()
        for dialog in QApplication.topLevelWidgets():
            if isinstance(dialog, QDialog) and dialog.isVisible():
                seen.add(dialog.windowTitle())
                if found := faults(dialog):
                    wrong[dialog.windowTitle()] = found
                dialog.close()
    assert len(seen) > 5, seen
    assert wrong == {}


def test_edits_are_announced_once_they_rest(trained, qtbot, said):
    dock = trained.hyper_dock
    dock.request(learning_rate=0.02)
    dock.request(learning_rate=0.03)
    trained.commands.train.trigger()
    qtbot.waitUntil(lambda: any("Applied" in text for text in said))
    (edit,) = [text for text in said if "Applied" in text]
    assert edit.endswith(": learning rate from 0.001 to 0.03")


def test_begin_end_and_errors_are_announced(trained, qtbot, said):
    trained.commands.train.trigger()
    qtbot.waitUntil(lambda: any(text.startswith("Training, step") for text in said))
    trained.commands.stop.trigger()
    qtbot.waitUntil(lambda: any(text.startswith("Stopped, step") for text in said))
    trained.notices.news("Only news.")
    trained.notices.error("The folder is full.")
    qtbot.waitUntil(lambda: "The folder is full." in said)
    assert "Only news." not in said


def test_an_announcement_reaches_qt_where_something_listens(qtbot, monkeypatch):
    widget, events, reached = QLabel(), [], spoken.QAccessible
    qtbot.addWidget(widget)
    monkeypatch.setattr(
        spoken.QAccessible, "updateAccessibility", lambda e: events.append(e.message())
    )
    monkeypatch.setattr(reached, "isActive", lambda: False)
    spoken.announce(widget, "nobody hears")
    monkeypatch.setattr(reached, "isActive", lambda: True)
    spoken.announce(widget, "heard")
    assert events == ["heard"]
