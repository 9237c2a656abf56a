"""What is in a model's files, read without building it: tensors, shapes, types, singular values."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lora_lab.door import door
from lora_lab.errors import CheckpointError, system_reason
from lora_lab.models.architecture import PURPOSES, not_yet, purposes
from lora_lab.models.checkpoint import count_nonfinite, kind_of, read_state, regular_size
from lora_lab.models.gguf_file import check_gguf
from lora_lab.models.hf_config import read_config
from lora_lab.models.net_words import net_words
from lora_lab.models.quantized import UNDONE, quantization
from lora_lab.models.safetensors_file import read_header
from lora_lab.models.shards import weight_files
from lora_lab.models.tokenizer_file import TOKENIZERS
from lora_lab.names import shown
from lora_lab.progress import Report, silent
from lora_lab.task_info import TASKS


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: what the header says of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # "float32", "bfloat16", "Q8_0" …
    bytes: int

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class ModelCard:
    """What a model is, before anything of it is trusted, built or trained."""

    path: str
    kind: str  # "Hugging Face folder", "safetensors", "GGUF", "PyTorch archive" …
    tensors: tuple[TensorInfo, ...]
    tasks: tuple[str, ...]  # names in TASKS that it can be opened for, the likeliest first
    model_type: str = ""
    details: tuple[tuple[str, str], ...] = ()  # (label, value), for people
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        return sum(tensor.count for tensor in self.tensors)

    @property
    def bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)


@door(CheckpointError)
def describe(path: str | Path, report: Report = silent) -> ModelCard:
    """The card of a Hugging Face folder or of one file. Of safetensors only headers are read.

    Raises CheckpointError for what is damaged or unsafe, like opening it would.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path, report)
    tensors, kind, beside = _tensors(path, report)
    if kind == "GGUF":
        forms = Counter(t.dtype for t in tensors if len(t.shape) == 2)
        details = (("matrices in", ", ".join(f"{form} × {n:,}" for form, n in forms.items())),)
        return ModelCard(str(path), kind, tensors, tuple(_tasks_for("gguf")), "gguf", details)
    details, notes = net_words(path, {t.name: t.shape for t in tensors})
    return ModelCard(
        str(path),
        kind,
        tensors,
        tuple(_tasks_for("file")),
        details=details,
        notes=(*((beside,) if beside else ()), *notes),
    )


def tensors_of(path: str | Path, report: Report = silent) -> tuple[TensorInfo, ...]:
    """The tensors of a folder's weights, or of one file, whatever its config says.

    Raises CheckpointError for what is damaged.
    """
    path = Path(path)
    files = weight_files(path) if path.is_dir() else (path,)
    return tuple(tensor for file in files for tensor in _tensors(file, report)[0])


def singular_values(path: str | Path, name: str, report: Report = silent) -> np.ndarray:
    """σ of one weight, descending, in float64; a kernel counts as a matrix (out × in·kernel).

    Raises CheckpointError where there is no such tensor, or none with two sides.
    """
    tensor = read_tensor(path, name, report)
    if tensor.dim() < 2 or not tensor.is_floating_point() or tensor.numel() == 0:
        raise CheckpointError(f"{shown(name)} is no matrix, so it has no singular values.")
    if count := count_nonfinite(tensor):
        raise CheckpointError(f"{shown(name)} has {count:,} values that are NaN or infinite.")
    report("Singular values", -1)
    return torch.linalg.svdvals(tensor.flatten(1).double()).numpy()


@door(CheckpointError)
def read_tensor(path: str | Path, name: str, report: Report = silent) -> torch.Tensor:
    """One tensor of a folder or a file. Raises CheckpointError where there is none of that name."""
    path = Path(path)
    for file in weight_files(path) if path.is_dir() else (path,):
        size = regular_size(file)
        with file.open("rb") as opened:
            if kind_of(opened, size, file.name) != "safetensors":
                state = read_state(file, report)
                if name in state:
                    return state[name]
                continue
            entry = read_header(opened, size).entries.get(name)
            if entry is not None:
                opened.seek(entry.begin, 1)
                tensor = torch.empty(entry.shape, dtype=entry.dtype)
                if tensor.numel():
                    opened.readinto(memoryview(tensor.view(-1).view(torch.uint8).numpy()))
                return tensor
    raise CheckpointError(f"{path.name} has no tensor {shown(name)}.")


def _tasks_for(sort: str) -> list[str]:
    """The tasks that a model of this sort may be opened for: a folder, a file, or GGUF."""
    return [name for name, task in TASKS.items() if sort in task.models]


def _folder(folder: Path, report: Report) -> ModelCard:
    config = read_config(folder)
    tensors = tensors_of(folder, report)
    kind = str(config["model_type"])
    able = purposes(config)
    classes = [str(name) for name in config.get("architectures") or ()]
    architectures = " ".join(classes)
    if classes:  # what it is of says whether it has a head of words
        able = {p: of for p, of in able.items() if not PURPOSES[p].own_head or of & set(classes)}
    tasks = [task for task in _tasks_for("folder") if TASKS[task].purpose in able]
    # What the checkpoint is of comes first; without a head of its own it would rather get one.
    tasks.sort(key=lambda task: (not able[TASKS[task].purpose].intersection(classes),
                                 TASKS[task].says_text))  # fmt: skip
    notes = []
    is_text = any(TASKS[task].data == "rows" for task in tasks)
    if is_text and not any((folder / name).is_file() for name in TOKENIZERS):
        notes.append("there is no tokenizer in the folder, so it cannot be trained on text")
    if not tasks:
        notes.append(not_yet(kind) or f"a {kind} model is none that can be trained here")
    notes += _of_experts(kind, tensors)
    if what := quantization(tensors):
        done = "undone by its own rule when it is opened" if what in UNDONE else "not read here"
        notes.append(f"the weights are quantized ({what}): {done}")
    details = [("model type", kind), ("architecture", architectures)]
    inner = config.get("text_config")  # of a model that reads more than text
    if isinstance(inner, dict):
        config = {**inner, **config}
    if any("image" in TASKS[task].roles for task in tasks):
        details.append(("reads", "images with text; of text alone its language part learns"))
    for key, label in (
        ("num_hidden_layers", "layers"), ("n_layer", "layers"), ("hidden_size", "hidden size"),
        ("n_embd", "hidden size"), ("num_attention_heads", "heads"), ("vocab_size", "vocabulary"),
        ("max_position_embeddings", "context length"), ("image_size", "image size"),
    ):  # fmt: skip
        if config.get(key) is not None:
            value = config[key]
            details.append((label, f"{value:,}" if type(value) is int else str(value)))
    details = [(label, value) for label, value in details if value]
    return ModelCard(
        str(folder), "Hugging Face folder", tensors, tuple(tasks), kind, tuple(details),
        tuple(notes),
    )  # fmt: skip


def _of_experts(kind: str, tensors: tuple[TensorInfo, ...]) -> list[str]:
    """What share of a mixture is in experts, where its model has them in one parameter."""
    own = [x for x in tensors if ".experts." in x.name and len(x.shape) > 1]
    if not own:
        return []
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    from transformers.core_model_loading import MergeModulelist

    joined = any(
        isinstance(step, MergeModulelist)
        for entry in get_checkpoint_conversion_mapping(kind) or ()
        for step in getattr(entry, "operations", ())
    )
    if not joined and not any(len(tensor.shape) == 3 for tensor in own):
        return []  # each expert is a module of linear layers
    share = sum(x.count for x in own) / (sum(x.count for x in tensors) or 1)
    return [
        f"experts hold {100 * share:.0f} % of the parameters; all-linear leaves them as they are, "
        "and all-linear+experts adapts each of them as well"
    ]


def _tensors(file: Path, report: Report) -> tuple[tuple[TensorInfo, ...], str, str]:
    """What one file holds, what kind of file it is, and a note on weights that are not read."""
    try:
        size = regular_size(file)
        with file.open("rb") as opened:
            kind = kind_of(opened, size, file.name)
            if kind == "safetensors":
                entries = read_header(opened, size).entries
                return (
                    tuple(
                        TensorInfo(name, e.shape, _name(e.dtype), e.end - e.begin)
                        for name, e in entries.items()
                    ),
                    "safetensors",
                    "",
                )
    except CheckpointError as error:
        raise CheckpointError(f"{file.name}: {error}") from None
    except OSError as error:
        reason = system_reason(error)
        raise CheckpointError(f"{file.name}: cannot be read ({reason}).") from error
    if kind == "gguf":
        return tuple(TensorInfo(*tensor[:4]) for tensor in check_gguf(file)), "GGUF", ""
    state = read_state(file, report)
    return (
        tuple(
            TensorInfo(name, tuple(t.shape), _name(t.dtype), t.numel() * t.element_size())
            for name, t in state.items()
        ),
        "NumPy archive" if kind == "numpy" else "PyTorch archive",
        state.note,
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
