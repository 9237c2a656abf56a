"""What is opened: preset, data, base model, device, and the settings that are fixed for a run.

Choosing a preset or a device opens it at once; the fixed settings apply on restart, and the dock
says so as long as they differ from the run that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from lora_lab.config import RunConfig, changed
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import CountsRecord
from lora_lab.setting import settings_of
from lora_lab.task_info import TASKS, own_tasks
from lora_lab.ui.style.figures import in_words, layer_words, plain_tip, share_words
from lora_lab.ui.train.fixed_settings import FixedSettings
from lora_lab.ui.widgets.column import Column
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.form import Form, shrinks
from lora_lab.ui.widgets.labels import TextLabel

translate = QCoreApplication.translate

if TYPE_CHECKING:
    from lora_lab.presets import Preset
    from lora_lab.training.devices import DeviceChoice

BASE = ("preset", "task", "model")  # what makes it another model
LEARNS = ("data", "variant", "targets")  # and what makes other parts of it learn


def what_learns(loaded: LoadedRecord, counts: CountsRecord | None) -> str:
    """One sentence on what is trained on what, and how much of the model that is."""
    if loaded.stage:
        words = translate("setup", "Stage 1 of 2: {}, {:,} steps. The adapter follows by itself")
        number = counts.adapter if counts is not None else loaded.base_parameters
        parts = [words.format(in_words(loaded.stage), loaded.max_steps)]
        parts.append(translate("setup", "{:,} parameters").format(number))
        return " · ".join(parts)
    parts = [layer_words(len(loaded.layers))]
    if loaded.trained_classes and loaded.trained_classes != loaded.classes:
        only = ", ".join(loaded.trained_classes)
        words = translate("setup", "class {} only ({} of {})")
        if len(loaded.trained_classes) > 1:
            words = translate("setup", "classes {} only ({} of {})")
        parts.insert(0, words.format(only, len(loaded.trained_classes), len(loaded.classes)))
    if counts is not None:
        share = counts.adapter / max(1, loaded.base_parameters)
        words = translate("setup", "{:,} parameters, {}").format(counts.adapter, share_words(share))
        parts.append(words)
    return " · ".join(parts)


class SetupDock(QDockWidget):
    """Preset, data folder, base, device, and the fixed settings of the run."""

    preset_chosen = Signal(object)  # RunConfig of the preset, with its data folder
    device_chosen = Signal(str)
    data_requested = Signal()  # other data for a model of one's own
    checkpoint_requested = Signal()  # the person wants to choose a checkpoint file
    restart_requested = Signal()  # begin again at step 0 with the settings shown

    def __init__(self, presets: Sequence[Preset], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("setup")
        self.setWindowTitle(self.tr("Setup"))
        self._presets = list(presets)
        self._config: RunConfig | None = None
        self._loaded: LoadedRecord | None = None
        self._opened: RunConfig | None = None  # what `_loaded` was opened with
        self._counts: CountsRecord | None = None
        self.choose_folder: Callable[[], str] = self._ask_for_folder

        self.preset_combo = Combo()
        self.preset_combo.by_wheel = False  # another one closes what is open
        self.preset_combo.setAccessibleName(self.tr("Preset"))
        for preset in self._presets:
            self.preset_combo.addItem(in_words(preset.title), preset.name)
            row = self.preset_combo.count() - 1
            tip = in_words(preset.summary)
            self.preset_combo.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        shrinks(self.preset_combo)
        self.preset_combo.activated.connect(self._on_preset)
        self._summary = TextLabel()
        self._summary.setWordWrap(True)
        self._summary.setProperty("role", "small")

        self.data_button = QPushButton()
        self.data_button.setAccessibleName(self.tr("Data folder"))
        self.data_button.clicked.connect(self._on_data)
        self._base = TextLabel()
        self._base.setAccessibleName(self.tr("Base"))
        self._base.setWordWrap(True)
        self._base.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.checkpoint_button = QToolButton()
        self.checkpoint_button.setText(self.tr("&Open…"))
        self.checkpoint_button.setToolTip(self.tr("Open another base checkpoint"))
        self.checkpoint_button.setAccessibleName(self.tr("Open checkpoint"))
        self.checkpoint_button.clicked.connect(self.checkpoint_requested)
        self.device_combo = Combo()
        self.device_combo.by_wheel = False
        self.device_combo.setAccessibleName(self.tr("Device"))
        shrinks(self.device_combo)
        self.device_combo.activated.connect(self._on_device)

        self._learns = TextLabel()
        self._learns.setWordWrap(True)
        self.restart_button = QPushButton(self.tr("Restart with these settings"))
        self.restart_button.setProperty("role", "primary")
        self.restart_button.clicked.connect(self.restart_requested)

        labels = (
            in_words(s.label).replace("&", "") for s in settings_of(RunConfig).values() if s.place
        )
        self._form = Form(widest=max(labels, key=self.fontMetrics().horizontalAdvance))
        self._form.add(self.tr("&Data"), self.data_button)
        self._form.add(self.tr("Base"), self._base, self.checkpoint_button)
        self._form.add(self.tr("Dev&ice"), self.device_combo)
        self._form.add(self.tr("Trainable"), self._learns)
        self.fixed = FixedSettings(self._form, self)
        self.fixed.edited.connect(self._on_edited)
        column = Column(spacing=6)
        column.rows.addWidget(self.preset_combo)
        column.rows.addWidget(self._summary)
        column.rows.addLayout(self._form)
        column.rows.addStretch(1)
        column.set_foot(self.restart_button)
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
            getattr(config, name) != value for name, value in self.fixed.settings(config).items()
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
        with QSignalBlocker(self.preset_combo):
            self.preset_combo.setCurrentIndex(self.preset_combo.findData(config.preset))
        self.fixed.show_config(config)
        self._show_base()
        self._show_preset(self.preset, config.data)
        self._show_device(config.device)
        self._on_edited()

    def reset(self, loaded: LoadedRecord) -> None:
        """A model stands ready: say which, and what learns."""
        self._loaded, self._opened, self._counts = loaded, self._config, None
        self._show_base()
        if self._config is not None:
            self.fixed.reset(loaded, self._config)

    def set_counts(self, counts: CountsRecord) -> None:
        """The applied parameter counts, for the line on what learns."""
        self._counts = counts
        self._show_base()

    def offer_devices(self, choices: Iterable[DeviceChoice]) -> None:
        """The devices of this machine; what is absent stands there disabled, with the reason."""
        with QSignalBlocker(self.device_combo):
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
        if self._config is not None:
            self._show_device(self._config.device)

    def requested_config(self, config: RunConfig) -> RunConfig:
        """`config` with the fixed settings as they stand in the dock."""
        return changed(config, **self.fixed.settings(config))

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
            self.data_requested.emit()
            return
        if folder := self.choose_folder():
            self._show_preset(preset, folder)
            self.preset_chosen.emit(changed(preset.config, data=folder))
        elif self._config is not None and self._config.preset != preset.name:
            self.show_config(self._config)  # nothing chosen: what was open stays chosen

    def _ask_for_folder(self) -> str:
        preset = self.preset
        wanted = in_words(preset.needs_data) if preset is not None else ""
        return QFileDialog.getExistingDirectory(self, self.tr("Choose {}").format(wanted))

    def _on_device(self) -> None:
        name = self.device_combo.currentData()
        if self._config is not None and name and name != self._config.device:
            self.device_chosen.emit(name)

    def _show_preset(self, preset: Preset | None, data: str | None) -> None:
        task = self._config.task if self._config is not None else ""
        own = preset is None and task in own_tasks()
        if own:
            self.preset_combo.setPlaceholderText(in_words(TASKS[task].title))
        self._summary.setText(in_words(preset.summary) if preset is not None else "")
        self._summary.setVisible(preset is not None)
        needs = own or (preset is not None and bool(preset.needs_data))
        self._form.setRowVisible(self.data_button, needs)
        if needs:
            folder = Path(data).name if data else self.tr("Choose a folder…")
            self.data_button.setText(folder)
            wanted = in_words(preset.needs_data) if preset is not None else self.tr("data")
            self.data_button.setToolTip(data or self.tr("Needs {}").format(wanted))

    def _show_base(self) -> None:
        """The model that is open, or that which is being opened as far as it is known."""
        config, loaded, opened = self._config, self._loaded, self._opened
        base = learns = "…"
        if config is not None and config.model:
            base = Path(config.model).name
        if loaded is not None and _same(config, opened, BASE):
            base = loaded.base
            if _same(config, opened, LEARNS):
                learns = what_learns(loaded, self._counts)
        # A long file name has no spaces: let it break rather than be cut off.
        self._base.setText(re.sub(r"([_.\-/])", "\\1\u200b", base))
        self._base.setToolTip(plain_tip(base) if base != "…" else "")
        self._learns.setText(learns)

    def _show_device(self, name: str) -> None:
        row = self.device_combo.findData("cuda:0" if name == "cuda" else name)
        if row < 0:
            self.device_combo.addItem(name, name)
            row = self.device_combo.count() - 1
        self.device_combo.setCurrentIndex(row)  # `activated` is the person's alone


def _same(one: RunConfig | None, other: RunConfig | None, fields: Sequence[str]) -> bool:
    return all(getattr(one, field, None) == getattr(other, field, None) for field in fields)
