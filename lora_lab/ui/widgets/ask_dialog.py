"""A dialog that asks the session for figures: a message, progress, the figures, and the buttons.

It knows no session: `requested` carries a command, and `ui/session/ask_flow.py` brings the answers.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QProgressBar, QVBoxLayout, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import button_row, dialog_column
from lora_lab.ui.widgets.labels import TextLabel


class AskDialog(QDialog):
    """Stays open beside the window; the base of those that measure something of the open model.

    A subclass says what to ask for (`command`), puts what is
    shown into `body` (and what is set first into `head`), and shows the answer.
    """

    requested = Signal(object)  # Command
    cancelled = Signal()  # the command that was requested last is not wanted any more
    value_chosen = Signal(str, object)  # a hyperparameter and the value that the figures suggest
    help_requested = Signal(str)  # page of the handbook
    asks_at_once = True  # when it opens, without a button being pressed

    def __init__(
        self, title: str, again: str, parent: QWidget | None, cancel: str = "", page: str = ""
    ) -> None:
        """`again` and `cancel` are words of buttons; `page` of the handbook explains it."""
        super().__init__(parent)
        self.setWindowTitle(title)
        self.busy = False
        self.message = TextLabel(wordWrap=True)
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName(self.tr("Progress of the measurement"))
        self.progress.setFixedHeight(6)
        self.head, self.body = QVBoxLayout(), QVBoxLayout()
        buttons = button_row(self)
        roles = QDialogButtonBox.ButtonRole
        self.again_button = buttons.addButton(again, roles.ActionRole)
        self.again_button.clicked.connect(self.ask)
        self.cancel_button = buttons.addButton(cancel, roles.ActionRole) if cancel else None
        if self.cancel_button is not None:
            self.cancel_button.clicked.connect(self.cancel)
        if page:  # in this role at the left on every desktop
            self.help_button = buttons.addButton(self.tr("&How it works"), roles.ResetRole)
            self.help_button.clicked.connect(lambda: self.help_requested.emit(page))
        column = dialog_column(self)
        column.addLayout(self.head)
        column.addWidget(self.message)
        column.addWidget(self.progress)
        column.addLayout(self.body, 1)
        column.addWidget(buttons)
        self.say("muted", "", busy=False)

    def command(self) -> Any:
        """What is requested of the session."""
        raise NotImplementedError

    def begin(self) -> None:
        """The command is about to be requested."""
        raise NotImplementedError

    def show_result(self, record: Any) -> None:
        """A record that answers the command; `say` ends the wait with the last one."""
        raise NotImplementedError

    def ask(self) -> None:
        """Request the figures; those of before are replaced."""
        self.begin()
        self.requested.emit(self.command())

    def refuse(self, message: str) -> None:
        """The figures could not be had."""
        self.say("error", message, busy=False)

    def cancel(self) -> None:
        """Stop waiting."""
        self.cancelled.emit()
        self.say("muted", self.tr("Cancelled; nothing was changed."), busy=False)

    def say(self, role: str, message: str, *, busy: bool) -> None:
        """Show a message in a role of the theme, and whether more is to come."""
        if busy and not self.busy:
            self.progress.setRange(0, 0)
        self.busy = busy
        theme.set_role(self.message, role)
        self.message.setText(message)
        self.progress.setVisible(busy)
        self.again_button.setEnabled(not busy)
        if self.cancel_button is not None:
            self.cancel_button.setVisible(busy)
            self.cancel_button.setEnabled(busy)

    def reject(self) -> None:
        if self.busy and self.cancel_button is not None:
            self.cancel()
        super().reject()
