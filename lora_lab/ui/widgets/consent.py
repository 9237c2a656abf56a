"""The question before somebody's own code is run, asked once for each function of each file."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from lora_lab.ui.widgets.dialogs import ask

translate = QCoreApplication.translate


def agrees_to_run(parent: QWidget, factory: str) -> bool:
    """Whether the person will have `factory` run; "" is nothing to run.

    Raises LabError where there is no such module.
    """
    if not factory:
        return True
    from lora_lab.models.factory import agree, describe_factory, is_agreed

    if is_agreed(factory):
        return True
    agreed = ask(
        parent,
        translate("agrees_to_run", "Run the code that builds this model?"),
        describe_factory(factory),
        translate("agrees_to_run", "&Run it"),
        translate("agrees_to_run", "Don’t"),
    )
    if agreed:
        agree(factory)
    return agreed
