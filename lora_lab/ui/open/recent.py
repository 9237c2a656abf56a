"""What was open lately: models, data, adapters and runs, kept from start to start."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal, get_args

from lora_lab.ui.style.settings import keep, kept

Sort = Literal["model", "data", "adapter", "run"]
KEY = "recent"
MOST = 12


class Recent:
    """The newest first, each once; what is not there any more is left out and forgotten."""

    def note(self, sort: Sort, path: str) -> None:
        """It was opened now."""
        entry = (sort, str(Path(path).expanduser().absolute()))
        self._keep([entry, *(other for other in self._kept() if other != entry)])

    def listed(self) -> list[tuple[Sort, str]]:
        """What of it is still there."""
        kept = self._kept()
        there = [entry for entry in kept if os.path.exists(entry[1])]
        if there != kept:
            self._keep(there)
        return there

    def clear(self) -> None:
        """Forget it all."""
        self._keep([])

    def _kept(self) -> list[tuple[Sort, str]]:
        try:
            rows = [(sort, path) for sort, path in json.loads(kept(KEY, "[]"))]
            return [(sort, str(path)) for sort, path in rows if sort in get_args(Sort)][:MOST]
        except (ValueError, TypeError, RecursionError):
            return []  # somebody has edited the file

    def _keep(self, entries: list[tuple[Sort, str]]) -> None:
        keep(KEY, json.dumps(entries[:MOST]))
