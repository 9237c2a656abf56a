"""What was open lately: models, data, adapters and runs, kept from start to start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

from PySide6.QtCore import QSettings

Sort = Literal["model", "data", "adapter", "run"]
KEY = "recent"
MOST = 12


class Recent:
    """The newest first, each once; what is not there any more is left out and forgotten."""

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    def note(self, sort: Sort, path: str) -> None:
        """It was opened now."""
        entry = (sort, str(Path(path).expanduser().absolute()))
        self._keep([entry, *(other for other in self._kept() if other != entry)])

    def listed(self) -> list[tuple[Sort, str]]:
        """What of it is still there."""
        kept = self._kept()
        there = [entry for entry in kept if Path(entry[1]).exists()]
        if there != kept:
            self._keep(there)
        return there

    def clear(self) -> None:
        """Forget it all."""
        self._keep([])

    def _kept(self) -> list[tuple[Sort, str]]:
        try:
            rows = json.loads(str(self._settings.value(KEY, "[]")))
            return [(sort, path) for sort, path in rows if sort in get_args(Sort)]
        except (ValueError, TypeError):
            return []  # somebody has edited the file

    def _keep(self, entries: list[tuple[Sort, str]]) -> None:
        self._settings.setValue(KEY, json.dumps(entries[:MOST]))
