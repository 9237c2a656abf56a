"""What is opened: preset, data, base model, device, and the settings that are fixed for a run.

Choosing a preset or a device opens it at once; the fixed settings apply on restart, and the dock
says so as long as they differ from the run that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from lora_lab.config import RunConfig, changed
from lora_lab.records import CountsRecord, LoadedRecord
from lora_lab.ui.docks.column import Column
from lora_lab.ui.panels.counts import share_words

if TYPE_CHECKING:
    from lora_lab.presets import Preset
    from lora_lab.training.devices import DeviceChoice

SEED_LIMIT = 2**31 - 1  # what a spin box can hold; a seed file may say more


def what_learns(loaded: LoadedRecord, counts: CountsRecord | None) -> str:
    """One sentence on what is trained on what, and how much of the model that is."""
    layers = len(loaded.layers)
    said = [f"{layers} layer{'' if layers == 1 else 's'}"]
    if loaded.trained_classes and loaded.trained_classes != loaded.classes:
        said.insert(0, f"only {', '.join(loaded.trained_classes)} of {len(loaded.classes)} classes")
    if counts is not None:
        share = counts.adapter / max(1, loaded.base_parameters)
        said.append(f"{counts.adapter:,} parameters, {share_words(share)}")
    return " · ".join(said)


class SetupDock(QDockWidget):
    """Preset, data folder, base, device, and the fixed settings of the run."""

    preset_chosen = Signal(object)  # RunConfig of the preset, with its data folder
    device_chosen = Signal(str)
    checkpoint_wished = Signal()  # the person wants to choose a checkpoint file
    restart_wished = Signal()  # begin again at step 0 with the settings shown

    def __init__(self, presets: Sequence[Preset], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("setup")
        self.setWindowTitle(self.tr("Setup"))
        self._presets = list(presets)
        self._config: RunConfig | None = None
        self._loaded: LoadedRecord | None = None
        self._choose_folder: Callable[[], str] = self._ask_for_folder

        self.preset_combo = QComboBox()
        self.preset_combo.setAccessibleName(self.tr("Preset"))
        for preset in self._presets:
            self.preset_combo.addItem(preset.title, preset.name)
            row = self.preset_combo.count() - 1
            self.preset_combo.setItemData(row, preset.summary, Qt.ItemDataRole.ToolTipRole)
        _shrinks(self.preset_combo)
        self.preset_combo.activated.connect(self._on_preset)
        self._summary = QLabel()
        self._summary.setWordWrap(True)
        self._summary.setProperty("role", "small")

        self.data_button = QPushButton()
        self.data_button.setAccessibleName(self.tr("Data folder"))
        self.data_button.clicked.connect(self._on_data)
        self._base = QLabel()
        self._base.setWordWrap(True)
        self._base.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.checkpoint_button = QToolButton()
        self.checkpoint_button.setText(self.tr("&Open…"))
        self.checkpoint_button.setToolTip(self.tr("Open another base checkpoint"))
        self.checkpoint_button.setAccessibleName(self.tr("Open checkpoint"))
        self.checkpoint_button.clicked.connect(self.checkpoint_wished)
        self.device_combo = QComboBox()
        self.device_combo.setAccessibleName(self.tr("Device"))
        _shrinks(self.device_combo)
        self.device_combo.activated.connect(self._on_device)

        self._variant = QLabel()
        self._learns = QLabel()
        self._learns.setWordWrap(True)
        self.init_combo = QComboBox()
        _shrinks(self.init_combo)
        self.init_combo.currentIndexChanged.connect(self._on_edited)
        self.steps_box = self._spin(1, 1_000_000_000)
        self.batch_box = self._spin(1, 1_000_000)
        self.seed_box = self._spin(0, SEED_LIMIT)
        self.restart_button = QPushButton(self.tr("Restart with these settings"))
        self.restart_button.setProperty("role", "primary")
        self.restart_button.clicked.connect(self.restart_wished)

        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setVerticalSpacing(5)
        self._form.setHorizontalSpacing(10)
        for label, fields in (
            (self.tr("&Data"), (self.data_button,)),
            (self.tr("Base"), (self._base, self.checkpoint_button)),
            (self.tr("De&vice"), (self.device_combo,)),
            (self.tr("Learns"), (self._learns,)),
            (self.tr("&Init"), (self._variant, self.init_combo)),
            (self.tr("S&teps"), (self.steps_box,)),
            (
                self.tr("&Batch"),
                (self.batch_box, _muted(self.tr("S&eed"), self.seed_box), self.seed_box),
            ),
        ):
            self._add_row(label, fields)
        self.seed_box.setAccessibleName(self.tr("Seed"))
        column = Column(spacing=6)
        column.rows.addWidget(self.preset_combo)
        column.rows.addWidget(self._summary)
        column.rows.addLayout(self._form)
        column.rows.addWidget(self.restart_button)
        column.rows.addStretch(1)
        self.setWidget(column)
        self._form.setRowVisible(self.data_button, False)
        self.restart_button.hide()

    @property
    def preset(self) -> Preset | None:
        """The preset that is chosen in the list."""
        index = self.preset_combo.currentIndex()
        return self._presets[index] if 0 <= index < len(self._presets) else None

    @property
    def config(self) -> RunConfig | None:
        """What is shown: open, or being opened, or tried last."""
        return self._config

    @property
    def edited(self) -> bool:
        """Whether the fixed settings differ from the run that is shown."""
        config = self._config
        return config is not None and any(
            getattr(config, name) != value for name, value in self._settings(config).items()
        )

    def choose_preset(self, name: str) -> None:
        """Choose a preset as if in the list."""
        row = self.preset_combo.findData(name)
        if row >= 0:
            self.preset_combo.setCurrentIndex(row)
            self._on_preset()

    def show_config(self, config: RunConfig) -> None:
        """Show what is (being) opened; nothing here counts as an edit of the person."""
        self._config = config
        quiet = (self.preset_combo, self.init_combo, self.seed_box, self.steps_box, self.batch_box)
        for widget in quiet:
            widget.blockSignals(True)
        self.preset_combo.setCurrentIndex(self.preset_combo.findData(config.preset))
        if self.init_combo.findText(config.init) < 0:
            self.init_combo.addItem(config.init)
        self.init_combo.setCurrentText(config.init)
        self.seed_box.setValue(min(config.seed, SEED_LIMIT))
        self.steps_box.setValue(config.max_steps)
        self.batch_box.setValue(config.batch_size)
        for widget in quiet:
            widget.blockSignals(False)
        self._variant.setText(config.variant)
        if self._loaded is None:
            self._base.setText("…")
            self._learns.setText("…")
        self._show_preset(self.preset, config.data)
        self._show_device(config.device)
        self._on_edited()

    def reset(self, loaded: LoadedRecord) -> None:
        """A model stands ready: say which, and what learns."""
        self._loaded = loaded
        self._base.setText(loaded.base)
        self._learns.setText(what_learns(loaded, None))

    def set_counts(self, counts: CountsRecord) -> None:
        """The applied parameter counts, for the line on what learns."""
        if self._loaded is not None:
            self._learns.setText(what_learns(self._loaded, counts))

    def offer_inits(self, names: Iterable[str]) -> None:
        """The inits that exist; known once the engine is imported."""
        chosen = self.init_combo.currentText()
        before = self.init_combo.blockSignals(True)
        self.init_combo.clear()
        self.init_combo.addItems(list(names))
        if chosen and self.init_combo.findText(chosen) < 0:
            self.init_combo.addItem(chosen)
        self.init_combo.setCurrentText(chosen)
        self.init_combo.blockSignals(before)

    def offer_devices(self, choices: Iterable[DeviceChoice]) -> None:
        """The devices of this machine; what is absent stands there disabled, with the reason."""
        before = self.device_combo.blockSignals(True)
        self.device_combo.clear()
        model = self.device_combo.model()
        for choice in choices:
            title = choice.label if choice.available else f"{choice.label}: {choice.reason}"
            self.device_combo.addItem(title, choice.name)
            row = self.device_combo.count() - 1
            tip = choice.reason or choice.label
            self.device_combo.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
            if isinstance(model, QStandardItemModel):
                model.item(row).setEnabled(choice.available)
        self.device_combo.blockSignals(before)
        if self._config is not None:
            self._show_device(self._config.device)

    def wished_config(self, config: RunConfig) -> RunConfig:
        """`config` with the fixed settings as they stand in the dock."""
        return changed(config, **self._settings(config))

    def _settings(self, config: RunConfig) -> dict[str, Any]:
        """The edited settings; a seed too large for the box stays unless the box was moved."""
        seed = self.seed_box.value()
        return {
            "init": self.init_combo.currentText() or config.init,
            "seed": config.seed if seed == min(config.seed, SEED_LIMIT) else seed,
            "max_steps": self.steps_box.value(),
            "batch_size": self.batch_box.value(),
        }

    def _on_edited(self, *_: object) -> None:
        self.restart_button.setVisible(self.edited)

    def _on_preset(self) -> None:
        preset = self.preset
        if preset is None:
            return
        data = self._config.data if self._config and self._config.preset == preset.name else None
        data = data or preset.config.data
        self._show_preset(preset, data)
        if preset.needs_data and not data:
            self._on_data()
        else:
            self.preset_chosen.emit(changed(preset.config, data=data))

    def _on_data(self) -> None:
        preset = self.preset
        if preset is None:
            return
        if folder := self._choose_folder():
            self._show_preset(preset, folder)
            self.preset_chosen.emit(changed(preset.config, data=folder))
        elif self._config is not None and self._config.preset != preset.name:
            self.show_config(self._config)  # nothing chosen: what was open stays chosen

    def _ask_for_folder(self) -> str:
        preset = self.preset
        wanted = preset.needs_data if preset is not None else ""
        return QFileDialog.getExistingDirectory(self, self.tr("Choose {}").format(wanted))

    def _on_device(self) -> None:
        name = self.device_combo.currentData()
        if self._config is not None and name and name != self._config.device:
            self.device_chosen.emit(name)

    def _show_preset(self, preset: Preset | None, data: str | None) -> None:
        self._summary.setText(preset.summary if preset is not None else "")
        self._summary.setVisible(preset is not None)
        needs = preset is not None and bool(preset.needs_data)
        self._form.setRowVisible(self.data_button, needs)
        if needs:
            folder = Path(data).name if data else self.tr("Choose a folder…")
            self.data_button.setText(folder)
            self.data_button.setToolTip(data or self.tr("Needs {}").format(preset.needs_data))

    def _show_device(self, name: str) -> None:
        row = self.device_combo.findData("cuda:0" if name == "cuda" else name)
        if row < 0:
            self.device_combo.addItem(name, name)
            row = self.device_combo.count() - 1
        self.device_combo.setCurrentIndex(row)  # `activated` is the person's alone

    def _add_row(self, label: str, fields: Sequence[QWidget]) -> None:
        named = next(f for f in fields if not isinstance(f, QLabel) or len(fields) == 1)
        title = _muted(label, named)
        if not named.accessibleName():
            named.setAccessibleName(label.replace("&", ""))
        if len(fields) == 1:
            self._form.addRow(title, fields[0])
            return
        row = QHBoxLayout()
        row.setSpacing(8)
        for field in fields:
            wide = isinstance(field, QSpinBox | QComboBox) or field is self._base
            row.addWidget(field, int(wide), Qt.AlignmentFlag.AlignVCenter)
        self._form.addRow(title, row)

    def _spin(self, minimum: int, maximum: int) -> QSpinBox:
        box = QSpinBox()
        box.setRange(minimum, maximum)
        box.setGroupSeparatorShown(True)
        box.setKeyboardTracking(False)
        box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        box.setMinimumWidth(box.fontMetrics().horizontalAdvance("000,000") + 28)
        box.valueChanged.connect(self._on_edited)
        return box


def _muted(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    label.setBuddy(buddy)
    return label


def _shrinks(combo: QComboBox) -> None:
    """Let a long entry be cut off instead of widening the dock."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
