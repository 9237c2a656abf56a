"""What the command palette lists: the menus, docks, controls and pages themselves, read anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollArea,
    QWidget,
)

from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.setting import settings_of
from lora_lab.ui.help.page import pages, title
from lora_lab.ui.shell.palette_words import ALSO, plain
from lora_lab.ui.style.figures import in_words

if TYPE_CHECKING:
    from lora_lab.ui.shell.main_window import MainWindow

translate = QCoreApplication.translate
SETTINGS = {**settings_of(RunConfig), **settings_of(Hyperparameters)}
CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)


@dataclass(frozen=True)
class Entry:
    """One thing that can be done or gone to; `reason`: why it cannot be now."""

    title: str
    place: str
    keys: str
    also: str
    reason: str
    run: Callable[[], object]
    page: bool = False  # of the handbook: what can be done comes first


def entries(window: MainWindow, show_page: Callable[[str], None]) -> list[Entry]:
    """Every action, panel, control and page, as they stand in the window now."""
    names = {action: name for name, action in vars(window.commands).items()
             if isinstance(action, QAction)}  # fmt: skip
    docks = {dock.toggleViewAction(): dock for dock in window.host.docks}
    found = [
        _of_action(action, " › ".join(path), names.get(action, ""), docks.get(action), window)
        for menu in window.commands.menus
        for path, action in _in_menu(menu, ())
    ]
    for dock in docks.values():
        found += _in_dock(dock, window)
    handbook = translate("palette", "Handbook")
    found += [
        Entry(title(page), handbook, "", ALSO.get(page.removesuffix(".md"), ""), "",
              partial(show_page, page), True)
        for page in pages()
    ]  # fmt: skip
    once: dict[tuple[str, str], Entry] = {}
    for entry in found:
        once.setdefault((entry.title, entry.place), entry)
    return list(once.values())


def _in_menu(menu: QMenu, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], QAction]]:
    path = (*path, plain(menu.title()))
    for action in menu.actions():
        if action.menu() is not None:
            yield from _in_menu(action.menu(), path)
        elif not action.isSeparator() and action.text():
            yield path, action


def _of_action(
    action: QAction, place: str, name: str, dock: QDockWidget | None, window: MainWindow
) -> Entry:
    words, run = plain(action.text()), action.trigger
    if dock is not None:  # whoever looks for a panel wants to see it, not to close it
        run = partial(window.host.bring_up, dock)
        name = dock.objectName().removeprefix("panel_")
    reason = "" if action.isEnabled() else action.toolTip() or words
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    also = f"{ALSO.get(name, '')} {action.toolTip() if name else ''}"
    return Entry(words, place, keys, also, reason, run)


def _in_dock(dock: QDockWidget, window: MainWindow) -> Iterator[Entry]:
    """Its own actions, and each control that has a name and can be reached."""
    place, inside = dock.windowTitle(), dock.widget()
    for action in dock.findChildren(QAction):
        if plain(action.text()) and action.menu() is None and action is not dock.toggleViewAction():
            yield _of_action(action, place, "", None, window)
    settings = _settings(window)
    for control in inside.findChildren(QWidget):
        field, name = settings.get(control, ("", control.accessibleName()))
        takes = control.focusPolicy() & Qt.FocusPolicy.TabFocus and isinstance(control, CONTROLS)
        if not field and not (takes and name and control.isVisibleTo(inside)):
            continue
        reason = "" if control.isEnabled() and inside.isEnabled() else control.toolTip() or name
        declared = SETTINGS.get(field)
        told = in_words(declared.help) if declared is not None else ""
        words = f"{ALSO.get(field, '')} {field} {told}"
        yield Entry(name, place, "", words, reason, partial(_go_to, window, dock, control))


def _settings(window: MainWindow) -> dict[QWidget, tuple[str, str]]:
    """The controls that are a field of the settings, with its name and what stands beside it."""
    sliders = {s.edit: (name, s.knob.label) for name, s in window.hyper_dock.sliders.items()}
    fixed = window.setup_dock.fixed.controls.items()
    device = window.setup_dock.device_combo
    return {
        **sliders,
        **{control: (name, control.accessibleName()) for name, control in fixed},
        device: ("device", device.accessibleName()),
    }


def _go_to(window: MainWindow, dock: QDockWidget, control: QWidget) -> None:
    """Give a control the focus, wherever it is; it may be folded away."""
    window.host.bring_up(dock)
    fixed = window.setup_dock.fixed
    if dock is window.setup_dock and not control.isVisibleTo(dock):
        fixed.more_button.setChecked(True)
    if not control.isVisibleTo(dock):
        window.notices.news(
            translate("palette", "{}: not of what is open now").format(control.accessibleName())
        )
        return
    dock.window().activateWindow()
    getattr(control, "button", control).setFocus(Qt.FocusReason.TabFocusReason)
    area = control.parentWidget()
    while area is not None and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    if area is not None:
        area.ensureWidgetVisible(control)
