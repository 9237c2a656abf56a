"""A Hugging Face folder, or a GGUF file, as a model of transformers with weights that we read.

transformers builds the architecture and places the tensors; it never opens a file of weights by
itself, imports no code from the folder, and asks no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab.door import door
from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.architecture import (
    PURPOSES,
    Purpose,
    architecture,
    first_line,
    quiet,
)
from lora_lab.models.frame import BUILDING, laid_out
from lora_lab.models.framed import Given, filled, framed
from lora_lab.models.gguf_blocks import read_as_it_lies
from lora_lab.models.gguf_file import check_gguf, read_gguf
from lora_lab.models.hf_config import check_counts, check_frame, check_sizes, read_config
from lora_lab.models.inspect import tensors_of
from lora_lab.models.packed_folder import check_undone, read_packed, read_undone
from lora_lab.models.quantized import quantization
from lora_lab.models.room import FORM_OF_BITS, check_room
from lora_lab.models.shards import inside, read_weights
from lora_lab.models.state_names import unwrapped
from lora_lab.models.strict_json import read_json
from lora_lab.names import shown
from lora_lab.progress import Report, silent


@dataclass(frozen=True)
class Opened:
    """A model whose weights are in place, on the CPU, in eval mode."""

    module: nn.Module
    new_layers: tuple[str, ...]  # modules that the checkpoint does not have, drawn anew
    notes: tuple[str, ...]
    name: str


@door(CheckpointError)
def open_model(
    path: str | Path,
    purpose: Purpose,
    *,
    classes: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
    bits: str = "float",
    seed: int = 0,
    report: Report = silent,
) -> Opened:
    """Build the model of a folder, or of a `.gguf` file, for `purpose`.

    `bits` is a key of BASE_BITS: how its matrices are held. A classifier's head is made for
    `classes`; where the checkpoint has none that fits, it is drawn from `seed` and named in
    `new_layers`. Raises CheckpointError for whatever is unsafe, damaged,
    missing, or no model for this purpose.
    """
    path = Path(path)
    report(f"Opening {path.name}", 0.0)
    given = _given(path, purpose, dtype, bits, report)
    config, kind = architecture(given.values, purpose, path.name)
    count = len(given.shapes)
    check_sizes(
        given.values,
        given.shapes,
        is_used=lambda size: any(
            size in p.shape for p in laid_out(config, kind, path.name, count).parameters()
        ),
    )
    for name, tensor in given.state.items():
        if tensor.is_floating_point() and tensor.dtype != dtype:
            given.state[name] = tensor.to(dtype)
    report("Building the model", -1)
    opened = _built(given, purpose, tuple(classes), dtype, seed, path)
    return replace(opened, notes=(*given.notes, *opened.notes))


def _given(path: Path, purpose: Purpose, dtype: torch.dtype, bits: str, report: Report) -> Given:
    """What the checkpoint gives, its matrices in floats or in blocks."""
    if path.suffix == ".gguf" and not path.is_dir():
        if bits in FORM_OF_BITS:
            raise ConfigError(
                f"{path.name} is packed already, and packing it anew would round it twice. Leave "
                "the bits of the base out: it is trained on as it lies there."
            )
        check_room(check_gguf(path), bits, _name(dtype), True, path.name)
        if bits == "float":
            return Given(*read_gguf(path, purpose, report))
        return read_as_it_lies(path, purpose, dtype, report)
    values = {k: v for k, v in read_config(path).items() if k != "quantization_config"}
    architecture(values, purpose, path.name)  # before half a gigabyte is read
    tensors = tensors_of(path)
    check_room(tensors, bits, _name(dtype), False, path.name)
    check_undone(tensors, path.name)
    if bits in FORM_OF_BITS:
        return read_packed(path, values, purpose, FORM_OF_BITS[bits], dtype, report)
    if quantization(tensors):
        return read_undone(path, values, dtype, report)
    state, note = unwrapped(read_weights(path, report))
    return Given(values, state, notes=(note,) if note else ())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _built(
    given: Given,
    purpose: Purpose,
    classes: tuple[str, ...],
    dtype: torch.dtype,
    seed: int,
    path: Path,
) -> Opened:
    values, state = given.values, given.state
    config, kind = architecture(values, purpose, path.name)
    notes: list[str] = []
    if classes:
        notes += _name_classes(config, path, classes)
        config.use_cache = False
    check_counts(values, len(given.shapes), "config.json")
    frame = laid_out(config, kind, path.name, len(given.shapes))
    check_frame(frame, given.numbers, "config.json")
    with BUILDING, torch.random.fork_rng(devices=[]), quiet(path.name):
        torch.manual_seed(seed)
        try:
            model, info = framed(kind, given.blocks).from_pretrained(
                None,
                config=config,
                state_dict=state,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        except Exception as error:
            reason = first_line(error)
            raise CheckpointError(f"{path.name}: the model cannot be built ({reason}).") from error
    model = filled(model, kind, given.blocks)
    is_body = _body(model, kind, config) if classes else lambda name: True
    prefix = f"{model.base_model_prefix}."
    mismatched = sorted({str(row[0]) for row in info["mismatched_keys"]})
    missing = sorted(str(name) for name in info["missing_keys"])
    for names, what in ((missing, "lacks"), (mismatched, "has in another shape")):
        body = [name for name in names if is_body(name)]
        if body:
            more = f" and {len(body) - 1} more" if len(body) > 1 else ""
            if not classes and not any(n.startswith(prefix) for n in body):
                raise CheckpointError(
                    f"{path.name}: the checkpoint has no head of {PURPOSES[purpose].what} "
                    f"({shown(body[0])}{more}), and one that is drawn at random says nothing. "
                    f"Choose a checkpoint of a {kind.__name__}, or another task."
                )
            if any(
                ".base_layer." in n or "base_model.model." in n for n in info["unexpected_keys"]
            ):
                raise CheckpointError(
                    f"{path.name}: its weights are those of a model that PEFT is wrapped around. "
                    "Save the model that merge_and_unload() gives, or choose its base."
                )
            raise CheckpointError(
                f"{path.name}: the checkpoint {what} {shown(body[0])}{more}. Config and weights "
                "are of different models, or not all was downloaded."
            )
    new_layers = tuple(dict.fromkeys(n.rpartition(".")[0] for n in (*missing, *mismatched)))
    for names, why in (
        (missing, "not in the checkpoint"),
        (mismatched, "in the checkpoint for another number of classes"),
    ):
        if layers := dict.fromkeys(n.rpartition(".")[0] for n in names):
            notes.append(f"{', '.join(layers)}: {why}, so newly initialised and fully trained")
    unexpected = sorted(str(name) for name in info["unexpected_keys"])
    if unexpected:
        more = f" and {len(unexpected) - 1} more" if len(unexpected) > 1 else ""
        notes.append(f"not used from the checkpoint: {unexpected[0]}{more}")
    if model.can_generate():
        _set_endings(model, path)
    return Opened(model.eval(), new_layers, tuple(notes), path.name)


def _body(model: Any, kind: Any, config: Any) -> Callable[[str], bool]:
    """Whether a tensor belongs to what a checkpoint must have, and not to a head for its classes.

    Most classes hold their body under one name. Of the others, as CLIP's, the head is what has
    another shape for another number of classes.
    """
    prefix = model.base_model_prefix
    if hasattr(model, prefix):
        return lambda name: name.startswith(f"{prefix}.") and "pooler" not in name
    more = deepcopy(config)
    more.num_labels = config.num_labels + 1
    with torch.device("meta"):
        twin = dict(kind(more).named_parameters())
    mine = dict(model.named_parameters())
    heads = {n.partition(".")[0] for n, p in twin.items() if n in mine and p.shape != mine[n].shape}
    return lambda name: name.partition(".")[0] not in heads and "pooler" not in name


def class_names(path: str | Path) -> tuple[str, ...]:
    """What the head of a checkpoint calls its classes, in their order; () where it has no names."""
    path = Path(path)
    if not path.is_dir():
        return ()
    named = read_config(path).get("id2label")
    if not isinstance(named, dict):
        return ()
    try:
        names = [str(named[key]) for key in sorted(named, key=int)]
    except (TypeError, ValueError):
        return ()
    return () if all(name.startswith("LABEL_") for name in names) else tuple(names)


def _name_classes(config: Any, path: Path, classes: tuple[str, ...]) -> list[str]:
    """Give the head its classes; a note where the checkpoint calls as many by other names."""
    before = class_names(path)
    config.num_labels = len(classes)
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: number for number, name in enumerate(classes)}
    if len(before) == len(classes) and before != classes:
        return [f"the checkpoint calls its classes {', '.join(before[:10])}, in this order"]
    return []


def _set_endings(model: Any, path: Path) -> None:
    """Where generating begins and stops, from generation_config.json; numbers only."""
    name = "generation_config.json"
    if not path.is_dir() or not (path / name).exists():
        return
    values = read_json(inside(path, name), 2**20)
    ends = values.get("eos_token_id")
    if isinstance(ends, int) or (isinstance(ends, list) and all(type(n) is int for n in ends)):
        model.generation_config.eos_token_id = ends
    for name in ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"):
        if type(values.get(name)) is int:
            setattr(model.generation_config, name, values[name])
