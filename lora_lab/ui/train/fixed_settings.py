"""The settings that are fixed for a run, as rows of a form made from their declarations.

They are only shown and collected here. Whoever holds the rows asks for `settings` on restart.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from lora_lab.config import RunConfig
from lora_lab.opening_records import LoadedRecord
from lora_lab.rules import named_by
from lora_lab.setting import Place, Setting, limits_of, settings_of
from lora_lab.task_info import TASKS, own_tasks
from lora_lab.ui.style.figures import in_words, setting_words, tip_lines
from lora_lab.ui.train import choices
from lora_lab.ui.train.targets_button import TargetsButton
from lora_lab.ui.widgets.controls import DECIMALS, Number, Whole
from lora_lab.ui.widgets.form import ChoiceCombo, Form, data_files, gives_way, muted
from lora_lab.ui.widgets.path_choice import PathChoice

Control = ChoiceCombo | Number | Whole | PathChoice | TargetsButton

# Not named beside "More": each task with data of its own starts with other ones.
UNNAMED = ("validation", "max_length", "batching", "eval_steps")
# Field → the field that may lock it, and why it does.
LOCKS = {
    "init": ("variant", choices.init_locked),
    "b_rate_ratio": ("variant", choices.ratio_locked),
    "projection": ("variant", choices.projection_locked),
    "structure": ("variant", choices.projection_locked),
    "space": ("variant", choices.space_locked),
    "momentum": ("optimizer", choices.momentum_locked),
    "batch_size": ("batch_tokens", choices.batch_locked),
}


def control_of(field: str, setting: Setting) -> Control:
    """The control of one field of `RunConfig`; each has `value`, `show_value` and `edited`."""
    kind = RunConfig.model_fields[field].annotation
    label, help = in_words(setting.label).replace("&", ""), in_words(setting.help)
    control: Control
    if field == "targets":
        control = TargetsButton()
    elif setting.choices:
        control = ChoiceCombo(setting.choices, help)
    elif kind is int:
        control = gives_way(Whole(*limits_of(RunConfig, field, 1)))
    elif kind is float:
        limits = limits_of(RunConfig, field, 10.0**-DECIMALS)
        control = gives_way(Number(*limits, setting.step))
    elif kind == str | None:
        control = PathChoice(label, label, data_files())
        control.button.setEnabled(field != "adapter")  # its file has other settings with it
    else:
        raise TypeError(f"there is no control for {field}, which is {kind}")
    if not isinstance(control, ChoiceCombo | TargetsButton):  # these explain what is chosen
        control.setToolTip(tip_lines(help))
    control.setAccessibleName(label)
    return control


class FixedSettings(QObject):
    """A control for each field of `RunConfig` with a place; those used less are behind "More"."""

    edited = Signal()  # a field was moved, by hand or by program
    renewed = Signal()  # by program: other settings are shown, and none of them is an edit

    def __init__(self, form: Form, parent: QWidget) -> None:
        super().__init__(parent)
        self._form = form
        self._config: RunConfig | None = None
        self._shown: dict[str, Any] = {}
        self._settings = {f: s for f, s in settings_of(RunConfig).items() if s.place}
        self.controls = {f: control_of(f, s) for f, s in self._settings.items()}
        self.targets: TargetsButton = self.controls["targets"]
        self.more_button = QToolButton()
        self.more_button.setProperty("role", "disclosure")
        self.more_button.setCheckable(True)
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.more_button.toggled.connect(self._show_more)
        self.controls["batch_tokens"].edited.connect(self._whole_steps)
        for control in self.controls.values():
            control.edited.connect(self._on_edited)
        self._add_rows("always")
        form.addRow(self.more_button)
        self._less_used = self._add_rows("more")
        self._of_own_data = self._add_rows("own data")
        self._show_more(False)

    def _add_rows(self, place: Place) -> list[Any]:
        """The controls of one place in the order of their fields, two small ones to a row."""
        rows, waiting = [], None  # the first of a pair
        for field in (f for f, setting in self._settings.items() if setting.place == place):
            control, label = self.controls[field], in_words(self._settings[field].label)
            if isinstance(control, TargetsButton | PathChoice):
                rows.append(self._form.add(label, control))
            elif waiting is None:
                waiting = (label, control)
            else:
                rows.append(self._form.add(*waiting, muted(label, control), control))
                waiting = None
        return [*rows, self._form.add(*waiting)] if waiting else rows

    def show_config(self, config: RunConfig) -> None:
        """Show what is (being) opened; nothing here counts as an edit of the person."""
        self._config = config
        self.controls["keep_data"].folder = TASKS[config.task].data == "images"
        for task in TASKS.values():
            words = "" if task is TASKS[config.task] else self.tr("Only for {}").format(task.title)
            for field in self.controls.keys() & set(task.settings):
                self._lock(field, words)
        for field, control in self.controls.items():
            control.show_value(getattr(config, field))
        self._shown = self.values()
        self._show_more(self.more_button.isChecked())
        self.renewed.emit()
        self._on_edited()

    def reset(self, loaded: LoadedRecord, config: RunConfig) -> None:
        """A model is ready, opened with `config`: its layers are what can be targeted."""
        steps = self.controls["max_steps"]
        if config.epochs is not None and steps.value() == self._shown["max_steps"]:
            steps.show_value(loaded.max_steps)  # now it is known how many steps they are
            self._shown["max_steps"] = steps.value()
            steps.setToolTip(self.tr("{:g} passes over the data").format(config.epochs))
        targets = config.targets
        if config.adapter and not targets:  # now it is known which layers its file adapts
            adapted = tuple(layer.name for layer in loaded.layers if layer.max_rank)
            every = named_by(loaded.adaptable, adapted) == named_by(loaded.adaptable, ())
            targets = self._shown["targets"] = () if every else adapted
            self.targets.show_value(targets)
        self.targets.reset(loaded, targets)
        self.renewed.emit()
        self._on_edited()

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The settings as they are shown; one that a box cannot hold stays until it is moved."""
        settings = {
            field: getattr(config, field) if value == self._shown.get(field) else value
            for field, value in self.values().items()
        }
        if settings["max_steps"] != config.max_steps:
            settings["epochs"] = None  # steps were given in their place
        return settings

    def values(self) -> dict[str, Any]:
        """The value of every control."""
        return {field: control.value() for field, control in self.controls.items()}

    def put(self, values: dict[str, Any]) -> None:
        """Set some fields, as a person would."""
        for field, value in values.items():
            self.controls[field].show_value(value)
        self._on_edited()

    def _on_edited(self, *_: object) -> None:
        values = self.values()
        for field, (other, reason) in LOCKS.items():
            self._lock(field, reason(values[other]))
        hindered = choices.inits_hindered(self.targets.kinds(), values["base_bits"])
        self.controls["init"].allow(hindered)
        self._name_hidden(values)
        self.edited.emit()

    def _whole_steps(self, *_: object) -> None:
        """Tokens that are chosen bound the memory by themselves, and rows need their parts."""
        parts, config = self.controls["accumulation"], self._config
        if config is not None and not config.batch_tokens:
            chosen = bool(self.controls["batch_tokens"].value())
            before, then = (config.accumulation, 1) if chosen else (1, config.accumulation)
            if parts.value() == before:  # else a person has said it
                parts.show_value(then)

    def _lock(self, field: str, reason: str) -> None:
        control = self.controls[field]
        if isinstance(control, ChoiceCombo):
            control.lock(reason)
        else:
            control.setEnabled(not reason)
            control.setToolTip(tip_lines(reason or in_words(self._settings[field].help)))

    def _name_hidden(self, values: dict[str, Any]) -> None:
        """Beside "More", what is hidden there and differs from its default."""
        words = [
            self._words(field, values[field])
            for field, setting in self._settings.items()
            if setting.place != "always" and field not in UNNAMED
            and values[field] != RunConfig.model_fields[field].default
        ]  # fmt: skip
        hidden = "" if self.more_button.isChecked() else " · ".join(words)
        self.more_button.setText(self.tr("More") + (f"  {hidden}" if hidden else ""))

    def _words(self, field: str, value: Any) -> str:
        setting = self._settings[field]
        if setting.choices:
            return setting.choices[value].title
        short = in_words(setting.short)
        return short if isinstance(value, str) else f"{short} {setting_words(value)}"

    def _show_more(self, on: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow
        self.more_button.setArrowType(arrow)
        own = self._config is not None and self._config.task in own_tasks()
        for row in self._less_used:
            self._form.setRowVisible(row, on)
        for row in self._of_own_data:
            self._form.setRowVisible(row, on and own)
        self._name_hidden(self.values())
