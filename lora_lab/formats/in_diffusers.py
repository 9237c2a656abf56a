"""What diffusers makes of an adapter folder: loaded by its own loaders, component by component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from torch import nn

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import ExportError
from lora_lab.formats.components import PIPELINE, split
from lora_lab.formats.in_peft import Merged, merged_layers
from lora_lab.formats.skeleton import grow

ENCODERS = "text_encoder"


def merged(folder: Path, weights: AdapterWeights) -> Iterator[Merged]:
    """Every layer as diffusers loads it and PEFT, which it loads with, merges it."""
    from diffusers.loaders.lora_pipeline import StableDiffusionLoraLoaderMixin

    state, alphas, metadata = StableDiffusionLoraLoaderMixin.lora_state_dict(
        str(folder), local_files_only=True, return_lora_metadata=True
    )
    components = dict.fromkeys(layer.name.partition(".")[0] for layer in weights.layers)
    foreign = [layer.name for layer in weights.layers if split(layer.name)[0] not in PIPELINE]
    if foreign:
        raise ExportError(
            f"{foreign[0]} is a name that each pipeline's loader translates, and which pipeline "
            "it is for is not said. Load it there, or leave --prove out."
        )
    for component in components:
        prefix = f"{component}."
        rows = tuple(x for x in weights.layers if x.name.startswith(prefix))
        root = _encoder() if component.startswith(ENCODERS) else _network()
        grow(root, rows, cut=prefix)
        if component.startswith(ENCODERS):
            from diffusers.loaders.lora_base import _load_lora_into_text_encoder

            _load_lora_into_text_encoder(
                state, alphas, root, prefix=component, text_encoder_name=component,
                metadata=metadata,
            )  # fmt: skip
        else:
            root.load_lora_adapter(
                state, prefix=component, network_alphas=alphas, metadata=metadata
            )
        bare = tuple(_bare(row, prefix) for row in rows)
        for name, W, found in merged_layers(root, bare, "diffusers"):
            yield prefix + name, W, found
    if not components:
        raise ExportError("The written file has no layers.")


def _bare(row: LayerWeights, prefix: str) -> LayerWeights:
    return replace(row, name=row.name.removeprefix(prefix))


def _network() -> nn.Module:
    from diffusers.loaders.peft import PeftAdapterMixin

    class Network(nn.Module, PeftAdapterMixin):
        """A unet or a transformer, as far as its loader looks."""

    return Network()


def _encoder() -> nn.Module:
    from transformers import PretrainedConfig, PreTrainedModel

    class Encoder(PreTrainedModel):
        """A text encoder, as far as its loader looks."""

        config_class = PretrainedConfig

    return Encoder(PretrainedConfig())
