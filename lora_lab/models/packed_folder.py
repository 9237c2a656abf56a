"""A folder opened into blocks: each matrix is read, packed and dropped before the next is read.

So the model never stands in floats, whatever its size. Embeddings, norms, biases and heads stay as
they are, as in QLoRA (Dettmers et al. 2023, arXiv 2305.14314).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab.blocks.forms import FORMS, fits
from lora_lab.blocks.frozen import in_blocks
from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import Purpose, architecture
from lora_lab.models.base import Base
from lora_lab.models.checkpoint import check_weights
from lora_lab.models.frame import laid_out
from lora_lab.models.framed import Given
from lora_lab.models.hf_config import QUANTIZED, check_counts, check_frame
from lora_lab.models.key_map import Source, converted, sources_of
from lora_lab.models.quantized import UNDONE, Described, beside, quantization
from lora_lab.models.state_names import owners_names
from lora_lab.progress import Report, silent


def read_packed(
    path: Path,
    values: dict[str, Any],
    purpose: Purpose,
    form: str,
    dtype: torch.dtype,
    report: Report = silent,
) -> Given:
    """The weights of a folder whose checked config has `values`, its linear layers in `form`.

    `dtype` is what those are undone to. Raises CheckpointError where there is none to pack.
    """
    base = Base(path)
    config, kind = architecture(values, purpose, path.name)
    check_counts(values, len(base.tensors), "config.json")
    frame = laid_out(config, kind, path.name, len(base.tensors))
    check_frame(frame, sum(tensor.count for tensor in base.tensors.values()), "config.json")
    aside = beside({tensor.name: tensor.dtype for tensor in base.tensors.values()})
    files = {n: key for key, n in owners_names(base.tensors).items() if key not in aside}
    reader = _Reader(base, files, frame)
    chosen = _chosen(frame, reader.sources, form)
    if not chosen:
        raise CheckpointError(
            f"{path.name} has no linear layer that can be packed into blocks of "
            f"{FORMS[form].title}. Open it as it is: leave the bits of the base out."
        )
    given = Given(values, {})
    for number, (name, layer) in enumerate(chosen.items()):
        report(f"Packing {path.name}", number / len(chosen))
        W = reader.parameter(f"{name}.weight")
        if W.shape != layer.weight.shape:
            raise CheckpointError(
                f"{path.name}: {name} is {tuple(W.shape)}, and {tuple(layer.weight.shape)} by the "
                "config. Config and weights are of different models."
            )
        check_weights({f"{name}.weight": W})
        given.blocks[name] = in_blocks(layer, W, form, name).to(dtype)
        given.blocks[name].original = reader.again(f"{name}.weight")
    packed = {key for name in chosen for key in reader.sources[f"{name}.weight"].keys}
    used = {key for source in reader.sources.values() for key in source.keys}
    for key in files:
        if key not in packed:  # what goes nowhere is named, and not read
            given.state[key] = reader.read(key) if key in used else torch.empty(0)
    check_weights({key: given.state[key] for key in given.state if key in used})
    left = len(_linear(frame)) - len(chosen)
    if left:
        given.notes = (f"{left:,} linear layers are not packed: heads, or of other shapes",)
    return given


def check_undone(tensors: Iterable[Described], name: str) -> None:
    """Raise CheckpointError for weights that are quantized in a way that no formula here undoes."""
    if (what := quantization(tensors)) and what not in UNDONE:
        raise CheckpointError(f"{name}: {QUANTIZED.format(f' ({what})')}")


def read_undone(
    path: Path, values: dict[str, Any], dtype: torch.dtype, report: Report = silent
) -> Given:
    """The weights that a quantized folder stands for, in `dtype`, read one after the other.

    Raises CheckpointError where what undoes them is missing or damaged.
    """
    base = Base(path)
    kinds = {tensor.name: tensor.dtype for tensor in base.tensors.values()}
    names, aside = owners_names(base.tensors), beside(kinds)
    state: dict[str, torch.Tensor] = {}
    wanted = [key for key in names if key not in aside]
    for number, key in enumerate(wanted):
        report(f"Reading {path.name}", number / len(wanted))
        tensor = base.read(key)
        state[names[key]] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    check_weights(state)
    note = f"the checkpoint is quantized ({base.quantized}); it is undone by its own rule"
    return Given(values, state, notes=(note,))


class _Reader:
    """The parameters of a model, one at a time, as loading makes them of the files."""

    def __init__(self, base: Base, files: dict[str, str], frame: nn.Module) -> None:
        self._base, self._files, self._frame = base, files, frame
        self.sources, _ = sources_of(frame, files)
        self._group: tuple[Source, dict[str, torch.Tensor]] | None = None  # read last

    def read(self, key: str) -> torch.Tensor:
        """A tensor by its owner's name."""
        return self._base.read(self._files[key])

    def parameter(self, name: str) -> torch.Tensor:
        source = self.sources[name]
        if source.converter is None:
            return self.read(source.keys[0])
        if self._group is None or self._group[0].keys != source.keys:
            tensors = {key: self.read(key) for key in source.keys}
            self._group = source, converted(self._frame, source, tensors)
        return self._group[1][name]

    def again(self, name: str) -> Any:
        """What reads a parameter once more, as for an init that compares it with its blocks."""
        return lambda: self.parameter(name)


def held_as(frame: nn.Module, sources: dict[str, Source], form: str) -> dict[str, str]:
    """Tensor of the files → `form`, for all that `read_packed` packs.

    Raises CheckpointError where loading joins or splits one of them.
    """
    found = {}
    for name in _chosen(frame, sources, form):
        source = sources[f"{name}.weight"]
        if source.converter is not None:
            raise CheckpointError(
                f"{name} is joined or split on loading, and was packed behind that: its numbers "
                "as they were trained on have no place in the files."
            )
        found[source.keys[0]] = form
    return found


def _linear(frame: Any) -> dict[str, nn.Linear]:
    """The linear layers of a model's body: what its head is called stands outside of it."""
    body = f"{frame.base_model_prefix}."
    inside = body if hasattr(frame, frame.base_model_prefix) else ""
    head = frame.get_output_embeddings()
    return {
        name: module
        for name, module in frame.named_modules()
        if type(module) is nn.Linear and module is not head and name.startswith(inside)
    }


def _chosen(frame: nn.Module, sources: dict[str, Source], form: str) -> dict[str, nn.Linear]:
    """What is packed: in the order in which the files are read, and tensors that loading splits
    only where all that comes of them is packed."""
    able = {
        name: module
        for name, module in _linear(frame).items()
        if f"{name}.weight" in sources and fits(form, module.in_features)
    }
    whole = {key for name in able for key in sources[f"{name}.weight"].keys}
    whole -= set(_keys_of_others(sources, {f"{name}.weight" for name in able}))
    return {n: m for n, m in able.items() if whole.issuperset(sources[f"{n}.weight"].keys)}


def _keys_of_others(sources: dict[str, Source], names: set[str]) -> Iterator[str]:
    for name, source in sources.items():
        if name not in names:
            yield from source.keys
