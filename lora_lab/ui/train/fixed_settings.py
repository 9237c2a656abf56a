"""The settings that are fixed for a run, as rows of a form; those used less stand behind "More".

They are only shown and collected here. Whoever holds the rows asks for `settings` on restart.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QToolButton, QWidget

from lora_lab import choices as offered
from lora_lab.config import RunConfig
from lora_lab.inits import INITS
from lora_lab.records import LoadedRecord
from lora_lab.task_info import TASKS, own_tasks
from lora_lab.ui.style.figures import in_words, tip_lines
from lora_lab.ui.train import choices
from lora_lab.ui.train.targets import adapted, as_targets, target_words
from lora_lab.ui.train.targets_dialog import TargetsDialog
from lora_lab.ui.widgets.form import ChoiceCombo, Form, Number, Whole, data_files, muted
from lora_lab.ui.widgets.path_choice import PathChoice
from lora_lab.variants import VARIANTS

SEED_LIMIT = 2**31 - 1  # what a spin box can hold; a seed file may say more
FIELDS = RunConfig.model_fields


class FixedSettings(QObject):
    """Variant, init, targets, steps, and behind "More" the optimizer and its course."""

    edited = Signal()  # a field was moved, by hand or by program
    renewed = Signal()  # by program: other settings are shown, and none of them is an edit

    def __init__(self, form: Form, parent: QWidget) -> None:
        super().__init__(parent)
        tr = self.tr
        self._form = form
        self._config: RunConfig | None = None
        self._loaded: LoadedRecord | None = None
        self._opened: tuple[str, ...] = ()  # the targets of the run that is loaded
        self._targets: tuple[str, ...] = ()
        self._shown: dict[str, Any] = {}
        self.dialog: TargetsDialog | None = None

        self.variant_combo = ChoiceCombo(VARIANTS, tr("Kind of adapter"))
        self.init_combo = ChoiceCombo(INITS, tr("How A and B start"))
        self.targets_button = QPushButton()
        self.targets_button.setAccessibleName(tr("Targets"))
        self.targets_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.targets_button.clicked.connect(self.choose_targets)
        self.steps_box = Whole(1, 1_000_000_000)
        self.batch_box = Whole(1, 1_000_000)
        self.more_button = QToolButton()
        self.more_button.setProperty("role", "disclosure")
        self.more_button.setCheckable(True)
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.more_button.toggled.connect(self._show_more)
        self.optimizer_combo = ChoiceCombo(offered.OPTIMIZERS, tr("What turns gradients to steps"))
        self.ratio_box = Number(0.01, 10_000, 1, decimals=4)
        self.schedule_combo = ChoiceCombo(offered.SCHEDULES, tr("Course of the learning rate"))
        self.warmup_box = Whole(0, 1_000_000_000)
        self.momentum_box = Number(0, 0.999, 0.1, decimals=4)
        self.seed_box = Whole(0, SEED_LIMIT)
        self.parts_box = Whole(1, 1_000_000)
        self.norm_box = Number(0, 1000, 0.5, decimals=4)
        self.longest_box = Whole(2, 2**24)
        self.batching_combo = ChoiceCombo(offered.BATCHINGS, tr("Which rows stand together"))
        self.every_box = Whole(0, 1_000_000_000)
        self.patience_box = Whole(0, 1_000_000)
        self.held_box = Number(0, 0.9, 0.05, decimals=4)
        self.dtype_combo = ChoiceCombo(offered.DTYPES, tr("Type of the base's numbers"))
        self.keep_choice = PathChoice(
            tr("Rows of the old task"), tr("Rows of the old task"), data_files(), tr("not measured")
        )
        self.keep_choice.setToolTip(tip_lines(in_words(FIELDS["keep_data"].description)))
        self.keep_choice.set_path(None)
        self.keep_choice.chosen.connect(self._on_edited)
        self._widgets = {
            "variant": self.variant_combo, "init": self.init_combo,
            "max_steps": self.steps_box, "batch_size": self.batch_box,
            "optimizer": self.optimizer_combo, "b_rate_ratio": self.ratio_box,
            "schedule": self.schedule_combo, "warmup_steps": self.warmup_box,
            "momentum": self.momentum_box, "seed": self.seed_box,
            "accumulation": self.parts_box, "max_grad_norm": self.norm_box,
            "max_length": self.longest_box, "batching": self.batching_combo,
            "eval_steps": self.every_box, "patience": self.patience_box,
            "validation": self.held_box, "dtype": self.dtype_combo,
        }  # fmt: skip
        beside = {
            self.init_combo: tr("I&nit"), self.batch_box: tr("&Batch"),
            self.ratio_box: tr("LoRA+ λ"), self.warmup_box: tr("&Warm-up"),
            self.momentum_box: tr("&Momentum"), self.norm_box: tr("C&lip"),
            self.batching_combo: tr("Batches"), self.patience_box: tr("Patience"),
            self.dtype_combo: tr("T&ype"),
        }  # fmt: skip
        for field, widget in self._widgets.items():
            if isinstance(widget, ChoiceCombo):
                widget.currentIndexChanged.connect(self._on_edited)
            else:
                widget.setToolTip(tip_lines(in_words(FIELDS[field].description)))
                widget.valueChanged.connect(self._on_edited)
            if widget in beside:
                widget.setAccessibleName(beside[widget].replace("&", ""))

        def pair(label: str, first: QWidget, second: QWidget) -> Any:
            return form.add(label, first, muted(beside[second], second), second)

        pair(tr("Ada&pter"), self.variant_combo, self.init_combo)
        form.add(tr("Tar&gets"), self.targets_button)
        pair(tr("S&teps"), self.steps_box, self.batch_box)
        form.addRow(self.more_button)
        self._less_used = [
            pair(tr("Optimi&zer"), self.optimizer_combo, self.ratio_box),
            pair(tr("S&chedule"), self.schedule_combo, self.warmup_box),
            pair(tr("&Seed"), self.seed_box, self.momentum_box),
            pair(tr("Parts"), self.parts_box, self.norm_box),
        ]
        self._of_own_data = [
            pair(tr("Longest"), self.longest_box, self.batching_combo),
            pair(tr("Held out"), self.held_box, self.dtype_combo),
            pair(tr("Validate"), self.every_box, self.patience_box),
            form.add(tr("Old task"), self.keep_choice),
        ]
        self._show_more(False)

    def show_config(self, config: RunConfig) -> None:
        """Show what is (being) opened; nothing here counts as an edit of the person."""
        self._config = config
        for field, widget in self._widgets.items():
            value = getattr(config, field)
            if isinstance(widget, ChoiceCombo):
                widget.choose(value)
                continue
            with QSignalBlocker(widget):
                widget.setValue(min(value, widget.maximum()))
        self._targets = config.targets
        self.keep_choice.folder = TASKS[config.task].data == "images"
        self.keep_choice.set_path(config.keep_data)
        self._shown = self.values()
        self._show_more(self.more_button.isChecked())
        self.renewed.emit()
        self._on_edited()

    def reset(self, loaded: LoadedRecord, config: RunConfig) -> None:
        """A model stands ready, opened with `config`: its layers are what can be targeted."""
        self._loaded, self._opened = loaded, config.targets
        if config.epochs is not None and self.steps_box.value() == self._shown["max_steps"]:
            with QSignalBlocker(self.steps_box):  # now it is known how many steps they are
                self.steps_box.setValue(min(loaded.max_steps, self.steps_box.maximum()))
            self._shown["max_steps"] = self.steps_box.value()
            self.steps_box.setToolTip(self.tr("{:g} passes over the data").format(config.epochs))
        if self.dialog is not None:
            self.dialog.reject()
        self.renewed.emit()
        self._on_edited()

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The fixed settings as they stand; one that a box cannot hold stays until it is moved."""
        settings = {
            field: getattr(config, field) if value == self._shown.get(field) else value
            for field, value in self.values().items()
        }
        if settings["max_steps"] != config.max_steps:
            settings["epochs"] = None  # steps were said in their place
        return settings

    def targeted(self) -> frozenset[str] | None:
        """The layers that the chosen targets name; None before a model is loaded."""
        if self._loaded is None or not self._loaded.adaptable:
            return None
        return adapted(self._loaded, self._opened, self._targets)

    def target(self, layers: frozenset[str]) -> None:
        """Let the next start adapt these layers, one at least."""
        if self._loaded is not None and layers:
            self._targets = as_targets(self._loaded, self._opened, layers)
            self._on_edited()

    def choose_targets(self) -> None:
        """Open the list of layers; what is chosen there stands in the button afterwards."""
        chosen = self.targeted()
        if chosen is None or self._loaded is None:
            return
        if self.dialog is None:
            linear = adapted(self._loaded, self._opened, ())
            self.dialog = TargetsDialog(
                self._loaded.adaptable, chosen, linear, self._targets, self.parent()
            )
            self.dialog.finished.connect(self._on_chosen)
        self.dialog.open()

    def _on_chosen(self, accepted: int) -> None:
        dialog, self.dialog = self.dialog, None
        if accepted:
            self._targets = dialog.targets
            self._on_edited()
        dialog.deleteLater()

    def put(self, values: dict[str, Any]) -> None:
        """Set some fields, as a person would."""
        for field, value in values.items():
            if field == "targets":
                self._targets = value
            elif field == "keep_data":
                self.keep_choice.set_path(value)
            elif isinstance(widget := self._widgets[field], ChoiceCombo):
                widget.choose(value)
            else:
                with QSignalBlocker(widget):
                    widget.setValue(value)
        self._on_edited()

    def values(self) -> dict[str, Any]:
        """What stands in every field."""
        values = {
            field: widget.name() if isinstance(widget, ChoiceCombo) else widget.value()
            for field, widget in self._widgets.items()
        }
        return {**values, "targets": self._targets, "keep_data": self.keep_choice.path}

    def _on_edited(self, *_: object) -> None:
        values, layers = self.values(), self.targeted()
        words = target_words(self._targets, None if layers is None else len(layers))
        self.targets_button.setText(words)
        self.targets_button.setEnabled(layers is not None)
        self.targets_button.setToolTip(
            self.tr("Choose the layers that are adapted")
            if layers is not None
            else self.tr("The layers are known once the model is loaded.")
        )
        self.init_combo.lock(choices.init_locked(values["variant"]))
        kinds = {t.kind for t in self._loaded.adaptable if t.name in layers} if layers else set()
        self.init_combo.allow(choices.inits_hindered(kinds))
        self._lock(self.ratio_box, "b_rate_ratio", choices.ratio_locked(values["variant"]))
        self._lock(self.momentum_box, "momentum", choices.momentum_locked(values["optimizer"]))
        self._tell_hidden(values)
        self.edited.emit()

    def _lock(self, box: Number, field: str, reason: str) -> None:
        box.setEnabled(not reason)
        box.setToolTip(tip_lines(reason or in_words(FIELDS[field].description)))

    def _tell_hidden(self, values: dict[str, Any]) -> None:
        """Beside "More", whatever hides there and is not as it is for most."""
        tr = self.tr
        told = {
            "optimizer": tr("SGD"),
            "b_rate_ratio": tr("λ {:g}").format(values["b_rate_ratio"]),
            "schedule": values["schedule"],
            "warmup_steps": tr("warm-up {:,}").format(values["warmup_steps"]),
            "momentum": tr("momentum {:g}").format(values["momentum"]),
            "seed": tr("seed {}").format(values["seed"]),
            "accumulation": tr("{} parts").format(values["accumulation"]),
            "max_grad_norm": tr("clip {:g}").format(values["max_grad_norm"]),
            "patience": tr("patience {}").format(values["patience"]),
            "dtype": values["dtype"],
            "keep_data": tr("old task"),
        }
        apart = [text for field, text in told.items() if values[field] != FIELDS[field].default]
        hidden = "" if self.more_button.isChecked() else " · ".join(apart)
        self.more_button.setText(tr("More") + (f"  {hidden}" if hidden else ""))

    def _show_more(self, on: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow
        self.more_button.setArrowType(arrow)
        own = self._config is not None and self._config.task in own_tasks()
        for row in self._less_used:
            self._form.setRowVisible(row, on)
        for row in self._of_own_data:
            self._form.setRowVisible(row, on and own)
        self._tell_hidden(self.values())
