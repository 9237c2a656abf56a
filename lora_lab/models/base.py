"""The files of a base checkpoint: its tensors one at a time, its config, its quantization."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from lora_lab.blocks.forms import dense, packed
from lora_lab.errors import CheckpointError
from lora_lab.models.checkpoint import kind_of, read_state, regular_size
from lora_lab.models.hf_config import check_config
from lora_lab.models.inspect import tensors_of
from lora_lab.models.key_map import Source, converted
from lora_lab.models.ldm_names import aliases
from lora_lab.models.quantized import dequantized, quantization
from lora_lab.models.safetensors_file import TensorEntry, read_header
from lora_lab.models.shards import inside, weight_files
from lora_lab.models.skeleton import Skeleton, skeletons
from lora_lab.models.state_names import COUNT, owners_names
from lora_lab.models.strict_json import read_json

KEPT = 2**31  # bytes of archives; the newest is kept however large it is
WORDS = 64  # of a name whose endings are looked up; real ones have a third of that


class _Archive:
    """What one of PyTorch's archives holds."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors

    def twin(self, key: str) -> str:
        """Another name of the same numbers; "" where there is none."""
        mine = self.tensors[key]
        same = self._names[mine.data_ptr(), mine.shape] if mine.numel() else []
        return next((name for name in same if name != key), "")

    @cached_property
    def _names(self) -> dict[tuple[int, torch.Size], list[str]]:
        found: dict[tuple[int, torch.Size], list[str]] = {}
        for name, tensor in self.tensors.items():
            found.setdefault((tensor.data_ptr(), tensor.shape), []).append(name)
        return found


class Base:
    """A folder or one file of weights, read a tensor at a time."""

    def __init__(self, path: Path) -> None:
        """Raises CheckpointError for what is damaged or unsafe."""
        self.path = path
        self.config = config_values(path)
        tensors = tensors_of(path)
        # What training put around a model of transformers is left out, as it is where it is opened.
        plain = [tensor.name for tensor in tensors if tensor.name != COUNT]
        self._owners = owners_names(plain) if "model_type" in self.config else {}
        self.tensors = {self._named(tensor.name): tensor for tensor in tensors}
        self.files = weight_files(path) if path.is_dir() else (path,)
        self.quantized = quantization(self.tensors.values())
        if not self.quantized and self.config.get("quantization_config"):
            settings = self.config["quantization_config"]
            method = settings.get("quant_method") if isinstance(settings, dict) else None
            self.quantized = str(method or "quantized")
        self._kinds = {name: tensor.dtype for name, tensor in self.tensors.items()}
        self._archived = any(map(_is_archive, self.files))
        self.held_as: dict[str, str] = {}  # tensor → the form of blocks that it counts as
        self._archives: dict[Path, _Archive] = {}
        self._places: dict[str, Path] = {}  # tensor → its archive, as far as they were read

    def read(self, key: str) -> torch.Tensor:
        """A tensor of the files; of a quantized one the W it stands for.

        One that is `held_as` blocks is what those undo to, in its own type.
        """
        W = dequantized(key, self._kinds, self.raw)
        if form := self.held_as.get(key):
            return dense(packed(W.float(), form), form, *W.shape, W.dtype)
        return W

    def raw(self, key: str) -> torch.Tensor:
        """A tensor as it is stored."""
        return self._archive_of(key).tensors[key] if self._archived else self._read_entry(key)

    def _archive_of(self, key: str) -> _Archive:
        """The one of PyTorch's archives that holds a tensor; some of those read last are kept."""
        for file in (self._places[key],) if key in self._places else self.files:
            if (archive := self._archives.pop(file, None)) is None:
                archive = _Archive(self.state(file))
                for name in archive.tensors:
                    self._places.setdefault(name, file)
            self._archives[file] = archive  # the newest is the last
            while len(self._archives) > 1 and sum(map(regular_size, self._archives)) > KEPT:
                del self._archives[next(iter(self._archives))]
            if key in archive.tensors:
                return archive
        raise KeyError(key)

    def state(self, file: Path) -> dict[str, torch.Tensor]:
        """All tensors of one of the files."""
        return {self._named(key): tensor for key, tensor in read_state(file).items()}

    def _named(self, key: str) -> str:
        return self._owners.get(key, key)

    def _read_entry(self, key: str) -> torch.Tensor:
        file, entry, start = self._entries[key]
        tensor = torch.empty(entry.shape, dtype=entry.dtype)
        if tensor.numel():
            with file.open("rb") as opened:
                opened.seek(start + entry.begin)
                view = memoryview(tensor.view(-1).view(torch.uint8).numpy())
                if opened.readinto(view) != len(view):
                    raise CheckpointError(f"{file.name} shrank while it was read.")
        return tensor

    @cached_property
    def by_ending(self) -> dict[str, str]:
        """What a tensor's name ends in, from any of its dots → the tensor; "" where several do."""
        found: dict[str, str] = {}
        for key in self.tensors:
            words = key.split(".")
            for at in range(1, len(words) if len(words) <= WORDS else 0):
                ending = ".".join(words[at:])
                found[ending] = "" if ending in found else key
        return found

    @cached_property
    def _entries(self) -> dict[str, tuple[Path, TensorEntry, int]]:
        """Tensor → its file, its place there, and where the numbers of that file begin."""
        found = {}
        for file in self.files:
            size = regular_size(file)  # before it is opened: a pipe would block
            with file.open("rb") as opened:
                entries = read_header(opened, size).entries
                start = opened.tell()
            found |= {self._named(key): (file, entry, start) for key, entry in entries.items()}
        return found

    def parameter(self, skeleton: Skeleton | None, source: Source, name: str) -> torch.Tensor:
        """A parameter of the model as loading makes it of the files."""
        if source.converter is None or skeleton is None:
            return self.read(source.keys[0])
        return self.parameters(skeleton, source)[name]

    def parameters(self, skeleton: Skeleton, source: Source) -> dict[str, torch.Tensor]:
        """All that a converter makes of its tensors, by the model's names."""
        return converted(skeleton.model, source, {key: self.read(key) for key in source.keys})

    def names(self) -> tuple[str, ...]:
        """Paths of modules with a weight: those of the model, then those of the files alone."""
        found = dict.fromkeys(self._modules())
        return tuple(found | dict.fromkeys(self._stems()) | dict.fromkeys(self.aliases))

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What other programs, or the owner's module, call a module → its path in the file."""
        stems = self._stems()
        owners = {name: stem for stem, name in owners_names(stems).items() if name != stem}
        return owners | aliases(stems)

    def _stems(self) -> list[str]:
        return [key.removesuffix(".weight") for key in self.tensors if key.endswith(".weight")]

    def _modules(self) -> Iterator[str]:
        if "model_type" not in self.config:
            return
        own = next(skeletons(self.config, self.tensors), None)
        if own is not None:
            yield from (name for name, kind in own.kinds.items() if kind)

    def turned(self, key: str) -> str:
        """How a matrix without config is held: by its bias, or as all are here; "" unknown."""
        shape = self.tensors[key].shape
        bias = self.tensors.get(f"{key.removesuffix('weight')}bias")
        if bias is not None and shape[0] != shape[1] and bias.shape == shape[1:]:
            return "conv1d_linear"
        if shape[0] != shape[1]:
            return "linear"
        return "" if self.holds_turned else "linear"

    @cached_property
    def holds_turned(self) -> bool:
        """Whether some matrix has a bias as long as its second side: it is held as (in, out)."""
        for name, tensor in self.tensors.items():
            bias = self.tensors.get(f"{name.removesuffix('weight')}bias")
            if name.endswith(".weight") and len(tensor.shape) == 2 and bias is not None:
                rows, columns = tensor.shape
                if rows != columns and bias.shape == (columns,):
                    return True
        return False

    def twin(self, key: str) -> str:
        """Another name of the same numbers in the file; "" where there is none.

        Archives keep shared memory; safetensors has no such thing, and its library writes the name
        that it dropped into the metadata (safetensors.torch.save_model).
        """
        if self._archived:
            return self._archive_of(key).twin(key)
        return self._dropped.get(key, "")

    @cached_property
    def _dropped(self) -> dict[str, str]:
        """Tensor → the other name of it that the library dropped."""
        found: dict[str, str] = {}
        for file in self.files:
            size = regular_size(file)
            with file.open("rb") as opened:
                metadata = read_header(opened, size).metadata
            for dropped, kept in metadata.items():
                if dropped not in self.tensors:
                    found.setdefault(kept, dropped)
        return found


def config_values(path: Path) -> dict[str, Any]:
    """The checked config.json of a folder, or beside a file of weights; {} where there is none.

    Quantization is told from the tensors as well, so a base that is quantized may be looked at.
    Raises CheckpointError for what is unsafe or cannot be.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / "config.json").is_file():
        if (folder / "model_index.json").is_file() and path.is_dir():
            raise CheckpointError(
                f"{path.name} is a pipeline of several models. Name the folder of one of them, "
                "as unet, transformer or text_encoder."
            )
        if path.is_dir():
            raise CheckpointError(
                f"{path.name} has no config.json, so it is no folder of a base model. Name one "
                "that has it, or a file of weights."
            )
        return {}
    values = read_json(inside(folder, "config.json"), 2**20, infinite=True)
    if "model_type" in values:
        plain = {key: value for key, value in values.items() if key != "quantization_config"}
        check_config(plain, "config.json")
    return values


def _is_archive(path: Path) -> bool:
    size = regular_size(path)
    with path.open("rb") as file:
        return kind_of(file, size, path.name) != "safetensors"
