"""The adapter of an open run as plain weights: what an export, a save and the best step copy."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lora_lab.adapters import AdapterLayer, FullLayer, SubspaceLayer
from lora_lab.adapters.space import space_of
from lora_lab.adapters.vera import shared_pair
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.config import RunConfig
from lora_lab.errors import ExportError
from lora_lab.training import packed_base
from lora_lab.variants import PLAIN, VARIANTS


def weights_of(
    config: RunConfig, layers: Collection[AdapterLayer], base: str, fingerprint: str, dropout: float
) -> AdapterWeights:
    """A copy of the factors on the CPU; raises ExportError where the variant has none.

    A random subspace has whole layers in their place, for a merge into the base.
    """
    entire = FullLayer | SubspaceLayer
    whole = [x.whole_layer() for x in layers if isinstance(x, entire)]
    rows = [x.layer_weights() for x in layers if not isinstance(x, entire)]
    if space_of(layers) is None and (not rows or any(row is None for row in rows)):
        raise ExportError(
            f"{VARIANTS[config.variant].subject} has no low-rank factors to export. Train with "
            f"variant {PLAIN}."
        )
    folder = config.model or ""  # which other programs look names up in
    named = folder and (Path(folder) / "config.json").is_file()
    return AdapterWeights(
        variant=config.variant,
        layers=tuple(row for row in rows if row is not None),
        whole=tuple(whole),
        base=folder if named else base,
        base_fingerprint=fingerprint,
        dropout=dropout,
        shared=shared_pair(layers),
        extra=packed_base.kept_with(config),
    )
