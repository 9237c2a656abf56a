"""Export: choose what and where to, ask before it is replaced, show what the re-reading measured.

The file is written by a command on the session thread between two steps; this dialog asks for it
and shows the report. A refusal is shown here and as a notice; what stood in the folder stands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from lora_lab.exported import ExportReport
from lora_lab.training.commands import Export
from lora_lab.ui.export.which import Which
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import size_words, tip_lines
from lora_lab.ui.style.settings import keep, kept
from lora_lab.ui.widgets.busy import Busy
from lora_lab.ui.widgets.dialogs import ask, button_row, dialog_column
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.workshop.requests import FORMATS, MERGED


def stands(target: Path) -> bool:
    """Whether an export to this place would replace something."""
    return target.is_file() or (target.is_dir() and any(target.iterdir()))


SUFFIXES = {name: suffix for name, _, _, suffix in FORMATS}
PROVE = "export/prove"  # in the settings: whether the library is asked
# How the other programs take the file.
USES = {
    "peft": 'PeftModel.from_pretrained(base, "{}")',
    "peft-portable": "vllm serve BASE --enable-lora --lora-modules mine={}",
    "gguf": "llama-cli -m BASE.gguf --lora {}",
    "mlx": "mlx_lm.generate --model BASE --adapter-path {}",
}


class ExportDialog(QDialog):
    """Stays open beside the training window."""

    export_requested = Signal(object)  # Export
    cancel_requested = Signal()

    def __init__(self, folder: Path, base: str = "", parent: QWidget | None = None) -> None:
        """`folder`: where to write, but for the step; `base`: where the base model lies, or ""."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export adapter"))
        self.ask_to_replace: Callable[[Path], bool] = self._ask_to_replace
        self._busy = False
        self._cancelling = False
        self._format = ""  # of what is written

        self._place, self._suggested = folder, str(folder)
        self.folder_edit = QLineEdit(self._suggested)
        self.folder_edit.setAccessibleName(self.tr("Folder of the exported adapter"))
        self.folder_edit.setMinimumWidth(self.fontMetrics().averageCharWidth() * 52)
        browse = QPushButton(self.tr("&Browse…"))
        browse.setAutoDefault(False)  # Enter in the field exports
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.folder_edit, 1)
        row.addWidget(browse)
        self.which = which = Which(base)
        self.format_combo, self.component_combo = which.format_combo, which.component_combo
        which.save_chosen.connect(self._suggest)
        which.format_chosen.connect(self._on_format)
        self.prove_switch = QCheckBox(self.tr("&Prove it by the library it is for"))
        self.prove_switch.setChecked(kept(PROVE) == "on")
        self.prove_switch.toggled.connect(self._on_prove)
        label = TextLabel(self.tr("&Where to write it"))
        label.setBuddy(self.folder_edit)
        label.setProperty("role", "muted")

        self.progress = Busy(self.tr("Progress of the export"))
        self.progress.cancelled.connect(self._cancel)
        self._outcome = TextLabel()
        self._outcome.setWordWrap(True)
        self._report = self._make_report()

        self._buttons = button_row(self)
        self.export_button = self._buttons.addButton(
            self.tr("&Export"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.export_button.setProperty("role", "primary")
        self.export_button.clicked.connect(self._start)
        self.show_folder_button = self._buttons.addButton(
            self.tr("&Show folder"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.show_folder_button.clicked.connect(self._show_folder)
        self.copy_button = self._buttons.addButton(
            self.tr("&Copy report"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.copy_button.clicked.connect(self._copy)

        column = dialog_column(self)
        column.addWidget(self.which)
        column.addWidget(label)
        column.addLayout(row)
        column.addWidget(self.prove_switch)
        column.addWidget(self.progress)
        column.addWidget(self._outcome)
        column.addWidget(self._report)
        column.addStretch(1)
        column.addWidget(self._buttons)
        self.export_button.setDefault(True)  # known to the dialog only once it lies in it
        self._after = (self._report, self.show_folder_button, self.copy_button)
        for hidden in (self._outcome, *self._after):
            hidden.hide()
        self._offer_proof()

    @property
    def busy(self) -> bool:
        """Whether an export was asked for and has not been answered."""
        return self._busy

    def show_report(self, report: ExportReport) -> None:
        """The adapter is written, re-read and compared."""
        words = self.tr("Written, re-read, and equal to the trained adapter.")
        if report.format == MERGED:
            words = self.tr("Written and re-read: the base model with ΔW merged in.")
        if self._cancelling:
            words = self.tr("It finished before it could be cancelled. {}").format(words)
        self._say("good", words)
        values = {
            "step": self._step_words(report),
            "error": self.tr("{:.2g}   (mean {:.2g})").format(
                report.largest_error, report.mean_error
            )
            if report.largest_error
            else self.tr("0   (bit for bit)"),
            "size": size_words(report.bytes),
            "keys": self.tr("{}   ({} layers)").format(report.keys, len(report.layers))
            if report.keys
            else "",
            "sha": report.sha256,
            "path": report.path,
            "proved": report.proved,
            "use": USES.get(self._format, "").format(report.path),
            "notes": "\n".join(report.notes),
        }
        for name, text in values.items():
            self._values[name].setText(text)
        for name in ("step", "keys", "sha", "proved", "use", "notes"):
            self._form.setRowVisible(self._values[name], bool(values[name]))
        for widget in self._after:
            widget.show()
        self._fit()

    def show_progress(self, what: str, share: float) -> None:
        """What is being done, and how far it is."""
        if self._busy and not self._cancelling:
            self.progress.show_progress(what, share)

    def show_refusal(self, message: str) -> None:
        """The export was not done; the reason is the person's to mend."""
        self._say("error", message)
        self._fit()

    def show_cancelled(self) -> None:
        """The export was ended before it was done."""
        self._say("muted", self.tr("Cancelled: nothing was written; existing files are unchanged."))
        self._fit()

    def _say(self, role: str, words: str) -> None:
        """The export is over, and this is what became of it."""
        self._set_busy(False)
        self._report.hide()
        theme.set_role(self._outcome, role)
        self._outcome.setText(words)
        self._outcome.show()

    def _fit(self) -> None:
        """Wrapped labels ask for their height only when the width is known."""
        layout = self.layout()
        layout.activate()
        self.resize(self.width(), layout.totalHeightForWidth(self.width()))

    def _start(self) -> None:
        text = self.folder_edit.text().strip()
        if not text:
            self.show_refusal(self.tr("Name a folder for the adapter."))
            return
        folder = Path(text).expanduser()
        replace = stands(folder)
        if replace and not self.ask_to_replace(folder):
            return
        self._report.hide()
        self._outcome.hide()
        self._set_busy(True)
        self._format = self.format_combo.currentData()
        prove = self.prove_switch.isEnabled() and self.prove_switch.isChecked()
        component, which = self.component_combo.chosen(self._format), self.which
        untie = which.merged and which.untie.isChecked()
        self.export_requested.emit(
            Export(
                str(folder), self._format, replace, prove, component, which.save.at, which.dtype,
                which.base, untie,
            )
        )  # fmt: skip

    def _suggest(self) -> None:
        """A name that says which step it is, until a person names another place."""
        if self.folder_edit.text().strip() == self._suggested:
            place = f"{self._place}-step{self.which.save.step}"
            self._suggested = place + SUFFIXES.get(self.which.format, "")
            self.folder_edit.setText(self._suggested)

    def _on_format(self) -> None:
        """A file's name ends as its format's files do; a folder's in nothing."""
        text = self.folder_edit.text().strip()
        own = text != self._suggested
        for known in set(SUFFIXES.values()) - {""}:
            text = text.removesuffix(known)
        text += SUFFIXES.get(self.which.format, "")
        self._suggested = self._suggested if own else text
        self.folder_edit.setText(text)
        self._outcome.hide()
        self._offer_proof()

    def _step_words(self, report: ExportReport) -> str:
        if report.of_step < 0:
            return ""
        words = f"{report.of_step:,}"
        if report.validation_loss is not None:
            words += self.tr("   (validation loss {:.4g})").format(report.validation_loss)
        return words

    def _offer_proof(self) -> None:
        """Whether the format has a library that can be asked here, and else why not."""
        from lora_lab.formats.library_proof import hindrance

        reason = hindrance(self.format_combo.currentData())
        self.prove_switch.setEnabled(not reason)
        self.prove_switch.setVisible(not self.which.merged)
        words = self.tr("It loads the file before it is delivered, and its own ΔW is compared.")
        self.prove_switch.setToolTip(tip_lines(reason or words))

    def _on_prove(self, on: bool) -> None:
        keep(PROVE, "on" if on else "")

    def _set_busy(self, busy: bool) -> None:
        self._busy, self._cancelling = busy, False
        self.export_button.setEnabled(not busy)
        self.progress.cancel_button.setEnabled(True)
        if busy:
            self.progress.begin(self.tr("Waiting for the current step"))
        else:
            self.progress.end()

    def _cancel(self) -> None:
        """It ends where it can be left next; until that is told, it may still be written."""
        self._cancelling = True
        self.progress.cancel_button.setEnabled(False)
        self.progress.show_progress(self.tr("Cancelling"), -1)
        self.progress.show()
        self.cancel_requested.emit()

    def _browse(self) -> None:
        start = Path(self.folder_edit.text()).expanduser()
        start = next((p for p in (start, *start.parents) if p.is_dir()), Path.home())
        title = self.tr("Where to export to")
        single = {name: suffix for name, _, single, suffix in FORMATS if single}
        if suffix := single.get(self.format_combo.currentData()):
            chosen, _ = QFileDialog.getSaveFileName(self, title, str(start), f"*{suffix}")
        else:
            chosen = QFileDialog.getExistingDirectory(self, title, str(start))
        if chosen:
            self.folder_edit.setText(chosen)

    def _ask_to_replace(self, folder: Path) -> bool:
        return ask(
            self,
            self.tr("There is already an adapter. Replace it?"),
            self.tr("{}\nThe old one stays until the new one is complete.").format(folder),
            self.tr("&Replace"),
            self.tr("Cancel"),
        )

    def _show_folder(self) -> None:
        path = Path(self._values["path"].text())
        folder = path.parent if path.is_file() else path
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _make_report(self) -> QFrame:
        frame = QFrame()
        self._form = QFormLayout(frame)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(4)
        self._values: dict[str, QLabel] = {}
        for name, title in (
            ("step", self.tr("Of step")),
            ("error", self.tr("Largest relative error of ΔW")),
            ("proved", self.tr("Proved by")),
            ("size", self.tr("Size")),
            ("keys", self.tr("Tensors")),
            ("sha", self.tr("SHA-256")),
            ("path", self.tr("Path")),
            ("use", self.tr("To use it")),
            ("notes", self.tr("Notes")),
        ):
            value = TextLabel()
            value.setWordWrap(name in ("path", "use", "notes"))
            value.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            value.setAccessibleName(title)
            self._values[name] = value
            self._form.addRow(TextLabel(title), value)
            self._form.labelForField(value).setProperty("role", "muted")
        return frame

    def _copy(self) -> None:
        lines = [
            f"{self._form.labelForField(value).text()}: {value.text()}"
            for value in self._values.values()
            if value.text()
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))
