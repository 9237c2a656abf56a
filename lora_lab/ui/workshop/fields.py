"""What the workshop's pages are made of: a path with Browse, an adapter's source, a delivery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.component_combo import ComponentCombo
from lora_lab.ui.widgets.controls import Combo, Number
from lora_lab.ui.widgets.dialogs import ask
from lora_lab.ui.widgets.form import Form
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.workshop.requests import DTYPES, MERGED, Delivered, Delivery, Source


class PathField(QWidget):
    """A path that may be a file or a folder."""

    changed = Signal(str)
    entered = Signal(str)  # chosen, or typed and confirmed

    def __init__(self, name: str, hint: str = "", files: str = "") -> None:
        super().__init__()
        adapters = self.tr("Adapters (*.safetensors *.gguf *.pt *.pth *.bin);;All files (*)")
        self._files = files or adapters
        self.edit = QLineEdit()
        self.edit.setAccessibleName(name)
        self.edit.setPlaceholderText(hint)
        self.edit.textChanged.connect(self.changed)
        self.edit.returnPressed.connect(lambda: self.entered.emit(self.path))
        browse = QToolButton()
        browse.setText(self.tr("Browse"))
        browse.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(browse)
        menu.addAction(self.tr("A folder…"), self._folder)
        menu.addAction(self.tr("A file…"), self._file)
        browse.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit, 1)
        row.addWidget(browse)
        self.setFocusProxy(self.edit)

    @property
    def path(self) -> str:
        text = self.edit.text().strip()
        return str(Path(text).expanduser()) if text else ""

    def set_path(self, path: str) -> None:
        self.edit.setText(path)
        self.entered.emit(self.path)

    def _folder(self) -> None:
        if result := QFileDialog.getExistingDirectory(self, self.edit.accessibleName(), self.path):
            self.set_path(result)

    def _file(self) -> None:
        title = self.edit.accessibleName()
        result, _ = QFileDialog.getOpenFileName(self, title, self.path, self._files)
        if result:
            self.set_path(result)


class SourceField(QWidget):
    """An adapter: where it is, and the α that its file may not say."""

    requested = Signal(object)  # Source

    def __init__(self, name: str) -> None:
        super().__init__()
        hint = self.tr("a PEFT folder, a run, or a file of kohya, diffusers, GGUF, loralib, MLX")
        self.where = PathField(name, hint)
        self.alpha = Number(0, 1e6)
        self.alpha.setSpecialValueText("α")  # none is given
        self.alpha.setButtonSymbols(Number.ButtonSymbols.NoButtons)
        self.alpha.setToolTip(self.tr("Only where the file stores no α, as with loralib"))
        self.alpha.setAccessibleName(self.tr("α of an adapter whose file stores none"))
        self.alpha.setFixedWidth(self.fontMetrics().averageCharWidth() * 8)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.where, 1)
        row.addWidget(self.alpha)
        self.where.entered.connect(lambda _: self._request())
        self.alpha.lineEdit().returnPressed.connect(self._request)
        self.setFocusProxy(self.where)

    @property
    def source(self) -> Source:
        return Source(self.where.path, self.alpha.value() or None)

    def _request(self) -> None:
        if self.where.path:
            self.requested.emit(self.source)


class DeliveryField(QWidget):
    """Format, type, base, target, and the button; below it how far it is and what became of it."""

    requested = Signal(object)  # Delivery
    cancelled = Signal()

    def __init__(
        self, formats: list[tuple[str, str, bool, str]], action: str, base: bool = False
    ) -> None:
        """`formats`: (name, title, whether it is one file, suffix). `action` names the button;
        with `base` the base model may be named for every format."""
        super().__init__()
        self.may_replace: Callable[[Path], bool] = self._ask
        self._formats = {name: (single, suffix) for name, _, single, suffix in formats}
        self.format_combo = Combo()
        for name, title, _, _ in formats:
            self.format_combo.addItem(title, name)
        self.format_combo.addItem(self.tr("merged checkpoint (base model + ΔW)"), MERGED)
        self.format_combo.currentIndexChanged.connect(self._on_format)
        self.format_combo.setAccessibleName(self.tr("Format"))
        self.type_combo = Combo()
        self.type_combo.setAccessibleName(self.tr("dtype"))
        for name in ("", *DTYPES):
            self.type_combo.addItem(name or self.tr("keep dtype"), name)
        self.component_combo = ComponentCombo()
        self.base = PathField(self.tr("Base model"), self.tr("folder of the base model"))
        self._always_base = base
        self.untie = QCheckBox(self.tr("&untie a weight that is used twice"))
        self.untie.setToolTip(
            self.tr(
                "Where embedding and head share one weight, a merge would change both. Untied, "
                "each has a weight of its own in the merged checkpoint."
            )
        )
        self.target = PathField(self.tr("Where to write"))
        self.target.changed.connect(self._update)
        self.base.changed.connect(self._update)
        self.button = QPushButton(action)
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._on_pressed)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancelled)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName(self.tr("Progress of the work"))
        self._progress.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self._doing = TextLabel()
        self._doing.setProperty("role", "muted")
        self.outcome = TextLabel()
        self.outcome.setWordWrap(True)
        self.outcome.setTextInteractionFlags(
            self.outcome.textInteractionFlags().TextSelectableByMouse
        )
        self._form = Form(widest=self.tr("Base model"))
        self._form.add(self.tr("&Format"), self.format_combo, self.component_combo, self.type_combo)
        self._form.add(self.tr("&Base model"), self.base)
        self._form.add(self.tr("Ties"), self.untie)
        self._form.add(self.tr("&Write to"), self.target, self.button)
        busy = QHBoxLayout()
        busy.addWidget(self._doing)
        busy.addWidget(self._progress, 1)
        busy.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        column.addLayout(busy)
        column.addWidget(self.outcome)
        self._busy = [self._doing, self._progress, self.cancel_button]
        self._ready = False
        self._place: Path | None = None
        self._suggested = ""
        self.set_busy(False)
        self.outcome.hide()
        self._update()

    def set_ready(self, ready: bool) -> None:
        """Whether there is something to write."""
        self._ready = ready
        self._update()

    def suggest(self, place: Path) -> None:
        """A place to write to, without its ending, that gives way to one a person names."""
        own = self.target.edit.text() not in ("", self._suggested)
        self._place = place
        if not own:
            self._suggest()

    def _suggest(self) -> None:
        _, suffix = self._formats.get(self.format_combo.currentData(), (False, ""))
        self._suggested = f"{self._place}{suffix}"
        self.target.edit.setText(self._suggested)

    def set_busy(self, busy: bool) -> None:
        for widget in self._busy:
            widget.setVisible(busy)
        self.button.setEnabled(not busy)
        if not busy:
            self._update()

    def show_progress(self, what: str, share: float) -> None:
        self._doing.setText(f"{what}…")
        self._progress.setRange(0, 1000 if share >= 0 else 0)
        self._progress.setValue(round(1000 * max(share, 0)))

    def show_outcome(self, outcome: Delivered) -> None:
        wrote = self.tr("Wrote {} ({})").format(outcome.path, outcome.size)
        self._say("\n".join([wrote, *outcome.words, *outcome.notes]), "good")

    def forget_outcome(self) -> None:
        """What was written is no longer what is shown."""
        self.outcome.hide()

    def show_refusal(self, message: str) -> None:
        self._say(message, "error")

    def _say(self, text: str, role: str) -> None:
        self.set_busy(False)
        theme.set_role(self.outcome, role)
        self.outcome.setText(text)
        self.outcome.show()

    def _on_format(self) -> None:
        if self._place is not None and self.target.edit.text() == self._suggested:
            self._suggest()
        self._update()

    def _update(self, *_: object) -> None:
        name = self.format_combo.currentData()
        needs_base = self._always_base or name in ("gguf", MERGED)
        self._form.setRowVisible(self.base, needs_base)
        self._form.setRowVisible(self.untie, name == MERGED)
        self.type_combo.setVisible(name != MERGED)
        self.component_combo.follow(name)
        single, suffix = self._formats.get(name, (False, ""))
        hint = self.tr("a file, as adapter{}").format(suffix) if single else self.tr("a new folder")
        self.target.edit.setPlaceholderText(hint)
        self.button.setEnabled(self._ready and bool(self.target.path))

    def _on_pressed(self) -> None:
        target = Path(self.target.path)
        there = target.is_file() or (target.is_dir() and any(target.iterdir()))
        if there and not self.may_replace(target):
            return
        self.outcome.hide()
        self.requested.emit(
            Delivery(
                str(target),
                self.format_combo.currentData(),
                self.type_combo.currentData(),
                self.base.path if self.base.isVisibleTo(self) else "",
                there,
                self.untie.isVisibleTo(self) and self.untie.isChecked(),
                component=self.component_combo.chosen(self.format_combo.currentData()),
            )
        )

    def _ask(self, target: Path) -> bool:
        return ask(
            self,
            self.tr("Replace what is there?"),
            self.tr("{}\nIt stays until the new one is complete.").format(target),
            self.tr("&Replace"),
            self.tr("Cancel"),
        )
