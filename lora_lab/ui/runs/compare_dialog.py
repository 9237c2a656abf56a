"""The settings of several runs side by side: only those that differ, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHeaderView, QVBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.runs.listing import RunSummary
from lora_lab.setting import setting_of
from lora_lab.ui.style.figures import clock, in_words, plain_number
from lora_lab.ui.widgets.dialogs import button_row, resize_within
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.plot import number

MOST = 6  # columns that can be read side by side
TOLD = 20  # of a list


class CompareRunsDialog(QDialog):
    """A row for each setting that is not the same in all, and a column for each run."""

    def __init__(self, runs: Sequence[RunSummary], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings that differ"))
        runs = runs[:MOST]
        heads = (self.tr("Setting"), *(run.label or run.name for run in runs))
        self.table = LayerTable(self.windowTitle(), heads, ["0" * 14] * len(runs))
        self.rows = [*differing([settings_of(run) for run in runs]), *self._outcomes(runs)]
        self.table.show_rows(self.rows)
        buttons = button_row(self)
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(buttons)
        header, metrics = self.table.horizontalHeader(), self.fontMetrics()
        columns = sum(header.sectionSize(column) for column in range(1, header.count()))
        names = max(metrics.horizontalAdvance(row[0]) for row in self.rows) + 60
        high = (8 + 2 * len(self.rows)) * metrics.height()
        if not resize_within(self, names + columns, high):  # many runs: their columns scroll
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(0, names - 24)
            self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)

    def _outcomes(self, runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
        tr = self.tr
        return [
            (tr("→ rank at the end"), *(str(run.rank) for run in runs)),
            (tr("→ α at the end"), *(f"{run.alpha:g}" for run in runs)),
            (tr("→ steps trained"), *(f"{run.step:,}" for run in runs)),
            (tr("→ training loss"), *(number(run.loss) for run in runs)),
            (tr("→ best validation loss"), *(number(run.best) for run in runs)),
            (
                tr("→ time"),
                *("—" if run.seconds != run.seconds else clock(run.seconds) for run in runs),
            ),
        ]


def settings_of(run: RunSummary) -> dict[str, Any]:
    """The settings of a run by name, the live ones as they began; {} where they cannot be read."""
    from lora_lab.runs.folder import RunFolder  # brings torch

    try:
        values = RunFolder.at(Path(run.path)).load_config().model_dump(mode="json")
    except LabError:
        return {}
    return {**values.pop("hyper"), **values}


def differing(settings: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """(name, value of each) of every setting that is not the same in all."""
    names = list(dict.fromkeys(name for values in settings for name in values))
    rows = []
    for name in names:
        values = [values.get(name, "—") for values in settings]
        if any(value != values[0] for value in values):
            rows.append((_name(name), *(_words(value) for value in values)))
    return rows


def _name(field: str) -> str:
    kind = Hyperparameters if field in Hyperparameters.model_fields else RunConfig
    return in_words(setting_of(kind, field).name)


def _words(value: Any) -> str:
    if value is None or value == [] or value == "":
        return "—"
    if isinstance(value, list):
        more = f", … + {len(value) - TOLD:,}" if len(value) > TOLD else ""
        return ", ".join(_words(item) for item in value[:TOLD]) + more
    if isinstance(value, float):
        return plain_number(value)
    return f"{value:,}" if type(value) is int else str(value)
