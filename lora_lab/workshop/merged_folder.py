"""What a merged checkpoint holds beside its weights: names, an index, config, side files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_lab.errors import ExportError
from lora_lab.models.shards import homes_of

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".msgpack", ".h5", ".onnx", ".ot")
INDEX = ".index.json"
DEEPEST = 16  # folders in each other; a model has two or three
LONGEST = 2**20  # bytes of modules.json, which has a few rows
OLD, LINKS = "hold the old weights", "are links that lead out of the base"
DEEP = "lie too deep in it"


def file_name(base: Path) -> str:
    """The file that holds what `base` held, as transformers looks for it."""
    name = base.with_suffix(".safetensors").name
    return name.replace("pytorch_model", "model", 1) if name.startswith("pytorch_model") else name


def write_index(folder: Path, keys: Mapping[str, str], size: int) -> None:
    """The index of shards, `keys` tensor → file, where there are several; `size` in bytes."""
    if len(set(keys.values())) < 2:
        return
    stem = next(iter(keys.values())).partition("-0")[0]
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(keys.items()))}
    (folder / f"{stem}.safetensors{INDEX}").write_text(json.dumps(index, indent=2))


def copy_beside(base: Path, folder: Path) -> tuple[str, ...]:
    """Copy what is no weight of the old model: tokenizer, templates, modules of their own folders.

    Folders of other formats keep the old W, so their weights are left behind, and so is what links
    bring in from elsewhere: a merged folder is there to be given away. What is returned says so.
    """
    copying = _Copying(base, homes_of(base))
    copying.folder(base, folder)
    return tuple(
        f"left behind, as they {why}: {', '.join(left[:3])}"
        for why, left in copying.left.items()
        if left
    )


class _Copying:
    """What of one base comes along, and what is left behind for which reason."""

    def __init__(self, base: Path, homes: tuple[Path, ...]) -> None:
        self.base, self.homes = base, homes
        self.left: dict[str, list[str]] = {OLD: [], LINKS: [], DEEP: []}

    def folder(self, source: Path, target: Path, module: bool = False, deep: int = 0) -> None:
        """Copy the files of one folder and of those within it; `module`: weights as well."""
        for entry in sorted(source.iterdir()):
            name = str(entry.relative_to(self.base))
            if entry.is_dir() and not entry.is_symlink():
                if not deep and entry.name.startswith("."):
                    continue
                if deep == DEEPEST:
                    self.left[DEEP].append(name)
                    continue
                (target / entry.name).mkdir()
                inner = module or (not deep and _is_module(self.base, entry.name))
                self.folder(entry, target / entry.name, inner, deep + 1)
            elif not entry.is_file() or (not deep and entry.name.endswith(INDEX)):
                continue
            elif not module and entry.suffix in WEIGHTS:
                if deep:
                    self.left[OLD].append(name)
            elif entry.is_symlink() and not self._is_own(entry):
                self.left[LINKS].append(name)
            else:
                shutil.copyfile(entry, target / entry.name)

    def _is_own(self, link: Path) -> bool:
        """Whether it leads to a file of this base, or of its repository in the cache."""
        real = link.resolve()
        return real.is_relative_to(self.homes[0]) or real.parent in self.homes[1:]


def write_config(folder: Path, values: Mapping[str, Any]) -> None:
    """config.json with changed values."""
    (folder / "config.json").write_text(json.dumps(values, indent=2, sort_keys=True))


def check_target(base: Path, target: Path, overwrite: bool) -> None:
    """Raise ExportError unless writing `target` can lose nothing that was not agreed to."""
    if target.resolve() == base.resolve():
        raise ExportError("The merged checkpoint would replace the base itself. Choose another.")
    if not target.exists():
        return
    if target.is_dir() != base.is_dir():
        kind = "folder" if base.is_dir() else "file"
        raise ExportError(f"The base is a {kind}, and so is the merged checkpoint: name a {kind}.")
    present = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if present and not overwrite:
        raise ExportError(f"{target} exists. Choose another path, or allow overwriting it.")
    if target.is_dir():
        known = {entry.name for entry in base.iterdir()}
        known |= {file_name(Path(name)) for name in known}
        known |= {name.replace(".bin.index", ".safetensors.index") for name in known}
        known |= {name.replace("pytorch_model", "model", 1) for name in known}
        if foreign := sorted(present - known):
            raise ExportError(
                f"{target} holds other things than this model ({foreign[0]}), and the whole folder "
                "would be replaced. Choose a new or an empty folder."
            )


def _is_module(base: Path, name: str) -> bool:
    """Whether sentence-transformers lists a folder as a part of the model, as a dense layer."""
    try:
        listed = base / "modules.json"
        small = listed.is_file() and listed.stat().st_size <= LONGEST
        modules = json.loads(listed.read_text("utf-8")) if small else []
        return any(Path(str(row["path"])).parts[:1] == (name,) for row in modules)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False
