"""From the menus to the pages that teach; each is made once and stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.dialogs import bring_to_front

if TYPE_CHECKING:
    from lora_lab.ui.help.flow import HelpFlow
    from lora_lab.ui.learn.claims_dialog import ClaimsDialog
    from lora_lab.ui.learn.dimension_dialog import DimensionDialog
    from lora_lab.ui.learn.found_dialog import FoundDialog
    from lora_lab.ui.learn.lessons_dialog import LessonsDialog
    from lora_lab.ui.learn.numbers_dialog import NumbersDialog
    from lora_lab.ui.learn.race_dialog import RaceDialog
    from lora_lab.ui.queue.flow import QueueFlow
    from lora_lab.ui.runs.flow import RunsFlow


class LearnFlow(QObject):
    """Holds the pages, made when they are first asked for."""

    def __init__(
        self,
        sessions: Sessions,
        handbook: HelpFlow,
        queue: QueueFlow,
        runs: RunsFlow,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sessions, self._help, self._window = sessions, handbook, window
        self._queue, self._runs = queue, runs
        self.found: FoundDialog | None = None
        self.claims: ClaimsDialog | None = None
        self.dimension: DimensionDialog | None = None
        self.lessons: LessonsDialog | None = None
        self.race: RaceDialog | None = None
        self.numbers: NumbersDialog | None = None

    def start(self) -> None:
        """Show the page for the model and data at hand."""
        if self.dimension is None:
            from lora_lab.ui.learn.dimension_dialog import DimensionDialog

            self.dimension = DimensionDialog(lambda: self._sessions.config, self._window)
            self.dimension.help_requested.connect(self._help.show_page)
        bring_to_front(self.dimension)

    def start_found(self) -> None:
        """Show what LoRA found, for the model and data at hand."""
        if self.found is None:
            from lora_lab.ui.learn.found_dialog import FoundDialog

            self.found = FoundDialog(lambda: self._sessions.config, self._window)
            self.found.help_requested.connect(self._help.show_page)
            self.found.queue_requested.connect(self._queue.train)
            self.found.run_requested.connect(self._runs.open_run)
            self._queue.ended.connect(self.found.refresh)
        bring_to_front(self.found)

    def start_claims(self) -> None:
        """Show the claims of papers, to be tried on the model and data at hand."""
        if self.claims is None:
            from lora_lab.ui.learn.claims_dialog import ClaimsDialog

            self.claims = ClaimsDialog(lambda: self._sessions.config, self._window)
            self.claims.help_requested.connect(self._help.show_page)
            self.claims.queue_requested.connect(self._queue.train)
            self._queue.ended.connect(self.claims.refresh)
        bring_to_front(self.claims)

    def start_numbers(self) -> None:
        """Show how LoRA and random numbers do with as many of them."""
        if self.numbers is None:
            from lora_lab.ui.learn.numbers_dialog import NumbersDialog

            self.numbers = NumbersDialog(lambda: self._sessions.config, self._window)
            self.numbers.help_requested.connect(self._help.show_page)
        bring_to_front(self.numbers)

    def start_race(self) -> None:
        """Show the rank race for the model and data at hand."""
        if self.race is None:
            from lora_lab.ui.learn.race_dialog import RaceDialog

            self.race = RaceDialog(lambda: self._sessions.config, self._window)
            self.race.help_requested.connect(self._help.show_page)
            self.race.run_kept.connect(self._runs.open_run)
        bring_to_front(self.race)

    def start_lessons(self) -> None:
        """Show the lessons."""
        if self.lessons is None:
            from lora_lab.ui.learn.lessons_dialog import LessonsDialog

            self.lessons = LessonsDialog(self._window)
        bring_to_front(self.lessons)

    def close(self) -> None:
        """End what is being measured."""
        measuring = (self.dimension, self.numbers, self.race)
        for page in (*measuring, self.found, self.claims, self.lessons):
            if page is not None:
                page.finish()
                page.close()
