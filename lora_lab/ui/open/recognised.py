"""What lies at a path: a model, an adapter, data, images, a run, or its zip; told by looking in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lora_lab.door import reading
from lora_lab.errors import LabError
from lora_lab.runs.archive import is_run_zip
from lora_lab.runs.listing import CONFIG, METRICS

Kind = Literal["model", "adapter", "rows", "images", "run", "run zip", ""]

ROWS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt")
MODELS = (".safetensors", ".gguf", ".pt", ".pth", ".bin", ".ckpt")
LOOKED_AT = 50  # folders in a folder
READ = 300 * 2**20  # bytes of an archive that is read to tell an adapter; larger ones are models


@dataclass(frozen=True)
class Recognised:
    """A path and what it is; "" where it is nothing that the lab opens."""

    path: str
    kind: Kind


def recognise(path: str) -> Recognised:
    """Look at names and headers; nothing is opened, and what is wrong with it is said later."""
    place = Path(path)
    try:
        with reading(place.name, LabError):
            return Recognised(path, _folder(place) if place.is_dir() else _file(place))
    except LabError:
        return Recognised(path, "")


def _folder(place: Path) -> Kind:
    from lora_lab.formats.recognise import is_adapter

    if (place / CONFIG).is_file() and (place / METRICS).is_file():
        return "run"
    if is_adapter(place):
        return "adapter"
    if (place / CONFIG).is_file():
        return "model"
    return "images" if _has_images(place) else ""


def _has_images(place: Path) -> bool:
    """Whether there are IDX files, or pictures in a folder of it or one deeper."""
    from lora_lab.data.images import ENDINGS

    if any(place.glob("*idx[13]-ubyte*")):
        return True
    folders = [p for p in sorted(place.iterdir()) if p.is_dir()][:LOOKED_AT]
    inner = [p for folder in folders for p in sorted(folder.iterdir())[:LOOKED_AT]]
    inner += [q for p in inner if p.is_dir() for q in sorted(p.iterdir())[:LOOKED_AT]]
    return any(p.suffix.lower() in ENDINGS for p in inner)


def _file(place: Path) -> Kind:
    ending = place.suffix.lower()
    if not place.is_file():
        return ""
    if ending in ROWS:
        return "rows"
    if ending == ".zip":
        return "run zip" if is_run_zip(place) else ""
    if ending in MODELS:
        if ending not in (".safetensors", ".gguf") and place.stat().st_size > READ:
            return "model"
        from lora_lab.formats.recognise import is_adapter

        return "adapter" if is_adapter(place) else "model"
    return ""
