"""The button that says which layers are adapted, and opens the list of them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from lora_lab.opening_records import LoadedRecord
from lora_lab.ui.train.targets import adapted, as_targets, target_words
from lora_lab.ui.train.targets_dialog import TargetsDialog


class TargetsButton(QPushButton):
    """Holds the targets of the next start; the layers are known once a model is loaded."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dialog: TargetsDialog | None = None
        self._loaded: LoadedRecord | None = None
        self._opened: tuple[str, ...] = ()  # the targets of the run that is loaded
        self._targets: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.choose)
        self._show()

    def value(self) -> tuple[str, ...]:
        """The targets as `RunConfig` has them; () for all linear layers."""
        return self._targets

    def show_value(self, targets: tuple[str, ...]) -> None:
        """Show targets by program; emits nothing."""
        self._targets = targets
        self._show()

    def reset(self, loaded: LoadedRecord, opened: tuple[str, ...]) -> None:
        """A model is ready, opened with the targets `opened`: its layers can be chosen from."""
        self._loaded, self._opened = loaded, opened
        if self.dialog is not None:
            self.dialog.reject()
        self._show()

    def layers(self) -> frozenset[str] | None:
        """The layers that the targets name; None before a model is loaded."""
        if self._loaded is None or not self._loaded.adaptable:
            return None
        return adapted(self._loaded, self._opened, self._targets)

    def kinds(self) -> set[str]:
        """The kinds of layer among the targets, as far as they are known."""
        layers = self.layers()
        if not layers or self._loaded is None:
            return set()
        return {target.kind for target in self._loaded.adaptable if target.name in layers}

    def target(self, layers: frozenset[str]) -> None:
        """Adapt these layers, one at least, from the next start."""
        if self._loaded is not None and layers:
            self._take(as_targets(self._loaded, self._opened, layers))

    def choose(self) -> None:
        """Open the list of layers; the button shows what is chosen there."""
        chosen = self.layers()
        if chosen is None or self._loaded is None:
            return
        if self.dialog is None:
            linear = adapted(self._loaded, self._opened, ())
            self.dialog = TargetsDialog(
                self._loaded.adaptable, chosen, linear, self._targets, self.window()
            )
            self.dialog.finished.connect(self._on_chosen)
        self.dialog.open()

    def _on_chosen(self, accepted: int) -> None:
        dialog, self.dialog = self.dialog, None
        if accepted:
            self._take(dialog.targets)
        dialog.deleteLater()

    def _take(self, targets: tuple[str, ...]) -> None:
        self.show_value(targets)
        self.edited.emit()

    def _show(self) -> None:
        layers = self.layers()
        self.setText(target_words(self._targets, None if layers is None else len(layers)))
        self.setEnabled(layers is not None)
        self.setToolTip(
            self.tr("Choose the layers that are adapted")
            if layers is not None
            else self.tr("The layers are known once the model is loaded.")
        )
