"""Any adapter found anywhere: which convention it follows, and the adapter itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.door import door
from lora_lab.errors import AdapterError, CheckpointError, LabError
from lora_lab.formats import (
    bare_factors,
    diffusers,
    gguf_adapter,
    kohya,
    lycoris,
    mlx,
    peft,
    peft_products,
    xlabs,
)
from lora_lab.formats.base_layers import base_layers
from lora_lab.formats.elsewhere import elsewhere
from lora_lab.formats.factor_file import PICKLES, read_factor_file
from lora_lab.formats.no_lora import no_adapter_folder, no_lora
from lora_lab.models.checkpoint import regular_size
from lora_lab.models.safetensors_file import read_header
from lora_lab.models.shards import homes_of
from lora_lab.names import shown
from lora_lab.variants import SUBSPACE, THETA, VARIANTS

RUN_ADAPTER = "adapter"  # inside a run folder
TITLES = {
    "peft": "PEFT folder",
    "kohya": "kohya file",
    "diffusers": "diffusers file",
    "gguf": "GGUF adapter for llama.cpp",
    "mlx": "MLX",
    "peft-product": "PEFT folder of another method",
    **{name: convention.title for name, convention in bare_factors.CONVENTIONS.items()},
}

ASKED = ("mlx", *bare_factors.CONVENTIONS)  # whose files may not say the scale


class Told(NamedTuple):
    """What a person or the base says where a file may not."""

    alpha: float | None = None
    scale: float | None = None
    names: Iterable[str] = ()
    base: str = ""


@door(AdapterError)
def open_adapter(
    path: str | Path,
    *,
    alpha: float | None = None,
    scale: float | None = None,
    names: Iterable[str] = (),
    base: str = "",
) -> AdapterWeights:
    """The adapter at `path`: a folder of PEFT, diffusers, MLX or of a run, or one file.

    `alpha` or `scale` (s itself) is for files that say none, `names` are module paths of the base,
    for files that write them with underscores, and `base` takes the place of the base that the
    file names. `extra["format"]` of what is returned names the convention, `extra["notes"]` says
    how it was understood. Raises AdapterError for what is damaged, unsafe, or not wholly
    understood.
    """
    path = Path(path).expanduser()
    told = Told(alpha, scale, names, base)
    weights = _folder(path, told) if path.is_dir() else _file(path, told)
    if not weights.layers:
        raise AdapterError(f"{path}: its factors are all zero, so that it adapts no layer")
    for layer in weights.layers:  # what prints a name would let it write lines of its own
        if len(layer.name.splitlines()) > 1:
            raise AdapterError(
                f"{path}: the name of a layer, {shown(layer.name)}, has more than one line, as "
                "that of no layer has"
            )
    extra = {"format": "peft", "notes": (), **weights.extra}
    if extra["format"] == "peft":
        rule = "α/√r (use_rslora)" if weights.extra.get("use_rslora") else "α/r"
        extra["notes"] = (f"s = {rule}, as adapter_config.json says", *extra["notes"])
    if extra["format"] not in ASKED and (alpha is not None or scale is not None):
        extra["notes"] = (
            *extra["notes"],
            "the file says its own scale: what was given is not used",
        )
    extra["notes"] = (*extra["notes"], *elsewhere(weights))
    return replace(weights, base=base or " ".join(weights.base.splitlines()), extra=extra)


def is_adapter(path: Path) -> bool:
    """Whether `path` looks like an adapter rather than a model; only names are looked at."""
    if path.is_dir():
        names = (peft.CONFIG, peft.TENSORS, diffusers.FILE, mlx.FILE)
        return any((path / name).exists() for name in names) or (path / RUN_ADAPTER).is_dir()
    try:
        if path.suffix == ".gguf":
            regular_size(path)
            with path.open("rb") as file:
                return b"adapter.type" in file.read(4096)
        keys = _keys(path)
        return _follows(keys) or bool(no_lora(keys))
    except (OSError, LabError):
        return False


def _keys(path: Path) -> list[str]:
    """The names of a file's tensors: of safetensors the header alone is read."""
    if path.suffix in PICKLES:
        return list(read_factor_file(path).tensors)
    size = regular_size(path)  # before a pipe is opened, which would block
    with path.open("rb") as file:
        return list(read_header(file, size).entries)


def _follows(keys: list[str]) -> bool:
    """Whether any name of a tensor is a factor's, or another part of an adapter's."""
    return (
        kohya.follows(keys)
        or mlx.follows(keys)
        or bare_factors.convention_of(keys) is not None
        or any(key.endswith((*diffusers.DOWN, *diffusers.UP)) for key in keys)
        or any(lycoris.other(key) for key in keys)
        or any(diffusers.NAMED.fullmatch(key) or xlabs.KEY.fullmatch(key) for key in keys)
    )


def base_names(base: str | Path) -> dict[str, tuple[int, ...]]:
    """Module paths of a base's weights with their shapes. Raises CheckpointError."""
    return base_layers(base)


def _held(folder: Path) -> None:
    """Raise AdapterError for a link out of an adapter's folder, or of its cached repository: what
    is made of this adapter may be given away, and what lies elsewhere is not its author's."""
    home = folder.resolve(strict=True)
    # A folder of a repository in the cache has links to where the repository keeps its files.
    homes = {place for up in (home, *home.parents[:2]) for place in homes_of(up)[up != home :]}
    with os.scandir(folder) as entries:
        links = [entry for entry in entries if entry.is_symlink()]
    for link in links:
        named = link.name == RUN_ADAPTER or link.name.endswith((".json", ".safetensors", *PICKLES))
        if named and Path(os.path.realpath(link.path)).parent not in homes:
            raise AdapterError(
                f"{folder}: {shown(link.name)} is a link that leads out of it, and is not "
                "followed. Copy what it leads to into the folder"
            )


def _folder(path: Path, told: Told) -> AdapterWeights:
    _held(path)
    if (path / diffusers.FILE).exists():
        return _file(path / diffusers.FILE, told)
    if (path / mlx.FILE).exists() and not (path / peft.TENSORS).exists():
        return mlx.load(path, told.scale, told.alpha)
    if peft_products.method_of(path):
        shapes = told.names if isinstance(told.names, Mapping) else {}
        return peft_products.load(path, shapes)
    if (path / peft.CONFIG).exists():
        return peft.load(path)
    if (path / RUN_ADAPTER).is_dir():
        return _folder(path / RUN_ADAPTER, told)
    if (path / peft.TENSORS).exists():
        return _file(path / peft.TENSORS, told)
    if said := no_adapter_folder(path):
        raise AdapterError(f"{path}: there is no adapter here: {said}")
    raise AdapterError(
        f"{path}: there is no adapter here: no {peft.CONFIG}, no {diffusers.FILE}, no {mlx.FILE}, "
        f"and no run with an {RUN_ADAPTER} folder"
    )


def _file(path: Path, told: Told) -> AdapterWeights:
    if not path.exists():
        raise AdapterError(f"{path}: there is no such file or folder")
    if path.suffix == ".gguf":
        return gguf_adapter.load(path, told.base)
    if path.name in (peft.CONFIG, peft.TENSORS) and (path.parent / peft.CONFIG).exists():
        _held(path.parent)
        product = peft_products.method_of(path.parent)
        return _folder(path.parent, told) if product else peft.load(path)
    try:
        keys = _keys(path)
    except (OSError, CheckpointError):  # the reader of adapters says what is wrong
        keys = list(read_factor_file(path).tensors)
    if kohya.follows(keys):
        return kohya.load(path, told.names, told.base)
    if mlx.follows(keys):
        return mlx.load(path, told.scale, told.alpha)
    if (name := bare_factors.convention_of(keys)) is not None:
        return bare_factors.load(path, name, told.alpha, told.scale)
    if what := next((what for key in keys if (what := lycoris.other(key))), ""):
        raise AdapterError(
            f"{path}: it holds {what}, so that its ΔW is not in the file. Merge it with the "
            "program that made it, then extract an adapter from the two models"
        )
    if _follows(keys):
        return diffusers.load(path)
    if said := VARIANTS[SUBSPACE].no_factors if path.name == THETA else no_lora(keys):
        raise AdapterError(f"{path}: {said}")
    raise AdapterError(
        f"{path}: no key of it is a factor of a LoRA layer (the first is {keys[0]!r}), so this is "
        "a model or another kind of adapter"
        if keys
        else f"{path}: the file has no tensors"
    )
