"""Which records the docks of settings and layers follow, and how requests reach one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ResumedRecord,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.setup import SetupDock


def connect_docks(
    sessions: Sessions,
    setup: SetupDock,
    hyper: HyperparametersDock,
    layers: LayersDock,
    panels: Sequence[Panel],
) -> None:
    """Everything that moves a hyperparameter goes through the dock that can say what is wrong."""
    for dock in (hyper, layers):
        sessions.on(AppliedRecord, dock.note_applied)
        sessions.on(SpectrumRecord, dock.set_spectrum)
        sessions.on(CountsRecord, dock.set_counts)
    sessions.on(CountsRecord, setup.set_counts)
    sessions.on(StepRecord, hyper.set_step)
    sessions.on(ResumedRecord, hyper.set_back)
    layers.layer_chosen.connect(hyper.choose_layer)
    for panel in panels:
        layers.layer_chosen.connect(panel.choose_layer)
        panel.command_asked.connect(sessions.request)
        panel.command_cancelled.connect(sessions.cancel_command)
    for view in (layers, *panels):
        view.requested.connect(lambda fields: hyper.request(**fields))
