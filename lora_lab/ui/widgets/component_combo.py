"""The choice of a diffusion pipeline's component, shown for formats that name layers by it."""

from __future__ import annotations

from lora_lab.ui.widgets.controls import Combo
from lora_lab.workshop.requests import COMPONENTS, PIPELINES


class ComponentCombo(Combo):
    """Which component layers are of whose names say none; as named, unless one is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Component of a diffusion pipeline"))
        self.setToolTip(
            self.tr("Which part of a diffusion pipeline the adapter is of, where names say none")
        )
        self.addItem(self.tr("component: as named"), "")
        for name in COMPONENTS:
            self.addItem(name, name)

    def follow(self, format: str) -> None:
        """Shown where the format asks for it."""
        self.setVisible(format in PIPELINES)

    def chosen(self, format: str) -> str:
        """The component, "" as named or where the format asks for none."""
        return str(self.currentData()) if format in PIPELINES else ""
