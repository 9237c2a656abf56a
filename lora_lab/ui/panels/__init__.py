"""The panels: `PANELS` is the contents page, key → class."""

from __future__ import annotations

from lora_lab.ui.panels.before_after import BeforeAfterPanel
from lora_lab.ui.panels.counts import CountsPanel
from lora_lab.ui.panels.curves import CurvesPanel
from lora_lab.ui.panels.data import DataPanel
from lora_lab.ui.panels.directions import DirectionsPanel
from lora_lab.ui.panels.generation import GenerationPanel
from lora_lab.ui.panels.loss import LossPanel
from lora_lab.ui.panels.mix import MixPanel
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.panels.spectrum.panel import SpectrumPanel

PANELS: dict[str, type[Panel]] = {
    panel.key: panel
    for panel in (
        LossPanel, SpectrumPanel, CountsPanel, BeforeAfterPanel, DataPanel, GenerationPanel,
        DirectionsPanel, MixPanel,
        CurvesPanel,
    )
}  # fmt: skip
