"""What a merged checkpoint holds beside its weights: names, an index, config, side files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_lab.errors import ExportError

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".msgpack", ".h5", ".onnx", ".ot")
INDEX = ".index.json"


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

    Folders of other formats keep the old W, so their weights are left behind; what is returned
    says so.
    """
    left: list[str] = []
    for entry in sorted(base.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            _copy_folder(entry, folder / entry.name, _is_module(base, entry.name), left)
        elif entry.is_file() and entry.suffix not in WEIGHTS and not entry.name.endswith(INDEX):
            shutil.copyfile(entry, folder / entry.name)
    if not left:
        return ()
    return (f"left behind, as they hold the old weights: {', '.join(left[:3])}",)


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


def _copy_folder(source: Path, target: Path, module: bool, left: list[str]) -> None:
    target.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            _copy_folder(entry, target / entry.name, module, left)
        elif entry.is_file() and (module or entry.suffix not in WEIGHTS):
            shutil.copyfile(entry, target / entry.name)
        elif entry.is_file():
            left.append(f"{source.name}/{entry.name}")


def _is_module(base: Path, name: str) -> bool:
    """Whether sentence-transformers lists a folder as a part of the model, as a dense layer."""
    try:
        listed = base / "modules.json"
        modules = json.loads(listed.read_text("utf-8")) if listed.is_file() else []
        return any(Path(str(row["path"])).parts[:1] == (name,) for row in modules)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False
