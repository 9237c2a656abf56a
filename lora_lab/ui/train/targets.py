"""Which layers a list of targets names, in words and as a set of module paths.

The engine decides what is adapted; this tells beforehand, from the list of layers that a loaded
model says could be.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.opening_records import LoadedRecord
from lora_lab.rules import ALL_LINEAR_CONV, ALL_LINEAR_EXPERTS, is_all_linear, named_by
from lora_lab.ui.style.figures import layer_words
from lora_lab.variants import VARIANTS

translate = QCoreApplication.translate


def adapted(loaded: LoadedRecord, opened: Sequence[str], targets: Sequence[str]) -> frozenset[str]:
    """The layers that `targets` name in a model that was opened with the targets `opened`."""
    if tuple(targets) == tuple(opened) or (is_all_linear(targets) and is_all_linear(opened)):
        return frozenset(layer.name for layer in loaded.layers)
    return named_by(loaded.adaptable, targets)


def as_targets(
    loaded: LoadedRecord, opened: Sequence[str], layers: frozenset[str]
) -> tuple[str, ...]:
    """These layers in a run's own words: as it was opened, all of a kind, or by path."""
    for known in (tuple(opened), (), (ALL_LINEAR_CONV,), (ALL_LINEAR_EXPERTS,)):
        if layers == adapted(loaded, opened, known):
            return known
    return tuple(layer.name for layer in loaded.adaptable if layer.name in layers)


def target_words(targets: Sequence[str], count: int | None) -> str:
    """What is targeted: "all linear · 3 layers", "fc1", "12 layers"."""
    layers = "" if count is None else layer_words(count)
    if is_all_linear(targets):
        return (
            translate("targets", "all linear · {}").format(layers)
            if layers
            else translate("targets", "all linear")
        )
    if len(targets) <= 2:
        named = ", ".join(targets)
        return named if count == len(targets) or not layers else f"{named} · {layers}"
    return layers or translate("targets", "{:,} targets").format(len(targets))


def without_lost_layers(
    hyper: Hyperparameters, config: RunConfig, layers: frozenset[str]
) -> Hyperparameters:
    """`hyper` without the ranks and freezes that a run of `config` on `layers` could not have."""
    ranked = VARIANTS[config.variant].factored and not INITS[config.init].one_rank
    ranks = tuple(pair for pair in hyper.layer_ranks if ranked and pair[0] in layers)
    frozen = tuple(name for name in hyper.frozen_layers if name in layers)
    if layers <= set(frozen):
        frozen = ()
    return changed(hyper, layer_ranks=ranks, frozen_layers=frozen)
