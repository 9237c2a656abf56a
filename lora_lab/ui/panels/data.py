"""The data before training: rows as the model will see them, lengths, cuts, classes, columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTextBrowser,
    QWidget,
)

from lora_lab.measured import TokenLossRecord, WrongRecord
from lora_lab.opening_records import DataRecord, DataRow, LoadedRecord
from lora_lab.records import ErrorRecord, EvalRecord, Record
from lora_lab.task_info import TASKS
from lora_lab.training.questions import MeasureTokens, ShowWrong
from lora_lab.ui.panels.data_row import losses_html, pair_html
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.panels.pictures import Pictures, WrongPictures
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import entry
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.bars import Balance, LengthHistogram
from lora_lab.ui.widgets.controls import Combo, toggle_button
from lora_lab.ui.widgets.labels import label, show

translate = QCoreApplication.translate

Forms = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]

NONE = "–"
OFFERED = 1000  # columns in a list: nobody looks for one among more, and a file may have a million


class DataPanel(Panel):
    """Twenty rows, token by token: what the loss asks for stands out from what is only read."""

    key = "data"
    name = QT_TRANSLATE_NOOP("Panel", "Data")

    columns_requested = Signal(tuple)  # ((role, column), …): read the data anew so

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._record: DataRecord | None = None
        self._form = label(role="title")
        self._rows_label, self._counts = label(role="small"), label(role="small")
        self._rows_label.setWordWrap(True)
        self._counts.setWordWrap(True)
        self.head.addWidget(self._form)
        self.head.addWidget(self._rows_label, 1, Qt.AlignmentFlag.AlignVCenter)
        self._columns = QHBoxLayout()
        self._columns.setSpacing(6)
        self.column_combos: dict[str, QComboBox] = {}
        self._needed: tuple[str, ...] = ()
        self.form_combo = Combo()
        self.form_combo.setAccessibleName(self.tr("What the rows are"))
        self.form_combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.form_combo.activated.connect(self._on_form)
        self.head.insertWidget(0, self.form_combo)  # where else the form is only named
        self.apply_button = QPushButton(self.tr("Apply"))
        self.apply_button.setProperty("role", "primary")
        self.apply_button.clicked.connect(self._on_apply)
        self.rows = QListWidget()
        self.rows.setAccessibleName(self.tr("Rows of the data"))
        self.rows.setFont(theme.font())
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.currentRowChanged.connect(self._show_row)
        self.text = QTextBrowser()
        self.text.setAccessibleName(self.tr("The row as tokens"))
        self.text.setOpenLinks(False)
        split = QSplitter()
        split.addWidget(self.rows)
        split.addWidget(self.text)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([self.fontMetrics().horizontalAdvance("m") * 11, 600])
        self.pictures = Pictures(self.tr("Images of the data"))
        self.wrong = WrongPictures()
        self.wrong_button = toggle_button(
            self.tr("wrong answers"), self.tr("Validation images that the model misclassifies")
        )
        self.wrong_button.toggled.connect(self._on_wrong)
        self.head.addWidget(self.wrong_button)
        self.losses_button = toggle_button(
            self.tr("loss per token"), self.tr("Colour each token of the row by its loss now")
        )
        self.losses_button.toggled.connect(lambda _: self._show_row(self.rows.currentRow()))
        self.losses_button.hide()
        self.head.addWidget(self.losses_button)
        self._views = QStackedWidget()
        self._views.addWidget(split)
        self._views.addWidget(self.pictures)
        self._views.addWidget(self.wrong)
        self._notes = label(role="small")
        self._notes.setWordWrap(True)
        self.histogram, self.balance = LengthHistogram(), Balance()
        self.body.addWidget(self._counts)
        self.body.addLayout(self._columns)
        self.body.addWidget(self._views, 1)
        self.body.addWidget(self._notes)
        self.body.addWidget(self.histogram)
        self.body.addWidget(self.balance)

    def reset(self, loaded: LoadedRecord) -> None:
        self._record = None
        self.rows.clear()
        self.form_combo.hide()
        self.wrong_button.setChecked(False)
        self.losses_button.setChecked(False)
        self.losses_button.hide()
        self.wrong.reset()
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, DataRecord):
                self._record = record
                self.dirty = True
            elif isinstance(record, TokenLossRecord):
                self._show_losses(record)
            elif isinstance(record, WrongRecord):
                self.wrong.show_wrong(record)
            elif isinstance(record, ErrorRecord) and record.ends(ShowWrong):
                self.wrong.refuse(record.message)
            elif isinstance(record, EvalRecord) and record.step and self._looks_at_wrong():
                self.command_asked.emit(ShowWrong())

    def redraw(self) -> None:
        self.dirty = False
        record = self._record
        if record is None:
            show(self._form, "")
            show(self._rows_label, "")
            self.wrong_button.hide()
            self.say(
                self.tr(
                    "Built-in data; nothing to configure. Use Open for a model and data of your "
                    "own."
                )
            )
            return
        self.say("")
        show(self._form, record.form)
        rows, *more = self._figures(record)
        show(self._rows_label, rows)
        show(self._counts, " · ".join(more))
        self._counts.setVisible(bool(more))
        self._show_columns(record)
        show(self._notes, "\n".join(record.notes))
        self._notes.setVisible(bool(record.notes))
        self.histogram.setVisible(record.lengths is not None and not record.classes)
        if record.lengths is not None and len(record.lengths):
            self.histogram.show_lengths(record.lengths, record.max_length)
        self.balance.setVisible(bool(record.classes) and not self.wrong_button.isChecked())
        if record.classes:
            counts = record.class_counts, record.validation_counts
            self.balance.show_counts(record.classes, *counts, any(row.tags for row in record.rows))
        images = any(row.image is not None for row in record.rows)
        self.wrong_button.setVisible(images and bool(record.classes))
        self._views.setCurrentIndex(int(images) + (images and self.wrong_button.isChecked()))
        loaded = self.standing.loaded
        scores = loaded is not None and loaded.scores_tokens
        self.losses_button.setVisible(scores and not images and bool(record.rows))
        if images:
            self.pictures.show_rows(record.rows)
        else:
            self._list_rows(record.rows)

    def _looks_at_wrong(self) -> bool:
        return self.wrong_button.isChecked() and self.isVisible()

    def _on_wrong(self, on: bool) -> None:
        if on:
            self.wrong.reset()
            self.command_asked.emit(ShowWrong())
        self.dirty = True

    def _figures(self, record: DataRecord) -> list[str]:
        words = self.tr("{:,} training rows, {:,} validation rows")
        parts = [words.format(record.train_rows, record.validation_rows)]
        if record.supervised_tokens and record.tokens:
            asked = 100 * record.supervised_tokens / record.tokens
            parts.append(self.tr("{:,} tokens, {:.0f} % label tokens").format(record.tokens, asked))
        elif record.tokens:
            parts.append(self.tr("{:,} tokens").format(record.tokens))
        if record.cut_rows:
            words = self.tr("{:,} rows truncated at {:,} tokens")
            parts.append(words.format(record.cut_rows, record.max_length))
        return parts

    # -- columns ---------------------------------------------------------------------------------

    def _show_columns(self, record: DataRecord) -> None:
        """The form, and a list per column of it; "Apply" appears once one was moved."""
        forms = _forms_beside(record.form)
        self.form_combo.clear()
        self.form_combo.addItems(list(forms))
        self.form_combo.setCurrentText(record.form)
        several = len(forms) > 1
        self.form_combo.setVisible(several)
        self._form.setVisible(not several)
        self._lay_columns(record, forms)

    def _lay_columns(self, record: DataRecord, forms: Forms) -> None:
        """A list for each role of the form that is chosen."""
        while self._columns.count():
            widget = self._columns.takeAt(0).widget()
            if widget not in (None, self.apply_button):
                widget.deleteLater()
        self.column_combos = {}
        used = dict(record.roles)
        offered = dict.fromkeys((*record.columns[:OFFERED], *used.values()))
        needed, further = forms.get(self.form_combo.currentText(), ((), ()))
        for role in (*needed, *further):
            combo = Combo()
            combo.setAccessibleName(self.tr("Column of {}").format(role))
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.setMinimumContentsLength(3)
            combo.addItem(NONE, "")
            for column in offered:
                combo.addItem(column, column)
            if len(record.columns) > OFFERED:
                combo.addItem(self.tr("{} more").format(f"{len(record.columns) - OFFERED:,}"), "")
                combo.model().item(combo.count() - 1).setEnabled(False)
            combo.setCurrentIndex(max(0, combo.findData(used.get(role, ""))))
            combo.activated.connect(self._on_moved)
            title = label(role, "small")
            title.setBuddy(combo)
            self._columns.addWidget(title)
            self._columns.addWidget(combo, 1)
            self.column_combos[role] = combo
        self._columns.addWidget(self.apply_button)
        self._needed = needed
        self._on_moved()

    def requested_columns(self) -> tuple[tuple[str, str], ...]:
        """(role, column) as the lists stand."""
        pairs = ((role, combo.currentData()) for role, combo in self.column_combos.items())
        return tuple((role, column) for role, column in pairs if column)

    def _on_moved(self) -> None:
        record = self._record
        requested = self.requested_columns()
        moved = record is not None and set(requested) != set(record.roles)
        self.apply_button.setVisible(moved)
        missing = [role for role in self._needed if role not in dict(requested)]
        self.apply_button.setEnabled(not missing)
        words = self.tr("Choose a column for {}").format(", ".join(missing))
        self.apply_button.setToolTip(
            words if missing else self.tr("Read the data again with these columns")
        )

    def _on_form(self) -> None:
        record = self._record
        if record is not None:
            self._lay_columns(record, _forms_beside(record.form))

    def _on_apply(self) -> None:
        self.columns_requested.emit(self.requested_columns())

    # -- rows ------------------------------------------------------------------------------------

    def _list_rows(self, rows: Sequence[DataRow]) -> None:
        chosen = max(0, self.rows.currentRow())
        self.rows.clear()
        for row in rows:
            words = self.tr("row {:,}").format(row.number)
            other = row.rejected or row.target
            count = len(row.tokens) + (len(other.tokens) if other else 0)
            words += "  " + (row.label or self.tr("{:,} tokens").format(count))
            self.rows.addItem(entry(words))
        if rows:
            self.rows.setCurrentRow(min(chosen, len(rows) - 1))

    def _show_row(self, place: int) -> None:
        if self._record is None or not 0 <= place < len(self._record.rows):
            self.text.clear()
            return
        self.text.setHtml(pair_html(self._record.rows[place], theme.current()))
        if self.losses_button.isChecked():
            self.command_asked.emit(MeasureTokens(self._record.rows[place].number))
        self.text.verticalScrollBar().setValue(0)  # Qt scrolls to its cursor in a view of no height

    def _show_losses(self, record: TokenLossRecord) -> None:
        """The chosen row again, each token as dark as its loss is large."""
        place = self.rows.currentRow()
        rows = self._record.rows if self._record is not None else ()
        if not (0 <= place < len(rows)) or rows[place].number != record.row:
            return  # another row is looked at by now
        if self.losses_button.isChecked():
            self.text.setHtml(losses_html(rows[place], record, theme.current()))

    def restyle(self, colors: Colors) -> None:
        self.dirty = True
        self.histogram.update()
        self.balance.update()

    def figure_data(self) -> Columns:
        """A row for each that is shown; of text the tokens joined."""
        rows = self._record.rows if self._record is not None else ()
        return {
            "row": [row.number for row in rows],
            "label": [row.label for row in rows],
            "tokens": [len(row.tokens) for row in rows],
            "asked_for": [sum(row.supervised) for row in rows],
            "cut": [row.cut for row in rows],
            "text": ["".join(row.tokens) for row in rows],
            **_others(rows, "rejected"),
            **_others(rows, "target"),
        }

    def summary(self) -> str:
        record = self._record
        if record is None:
            return super().summary()
        return f"{record.form}: {'; '.join(self._figures(record))}."


def _others(rows: Sequence[DataRow], which: str) -> Columns:
    """The second text of each row, where rows have one: a rejected answer, or a target."""
    others = [other for row in rows if (other := getattr(row, which)) is not None]
    return {which: ["".join(other.tokens) for other in others]} if others else {}


def _forms_beside(form: str) -> Forms:
    """The forms that rows read as `form` may be read as, with the roles of each."""
    return next((task.forms for task in TASKS.values() if form in task.forms), {})
