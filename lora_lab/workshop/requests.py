"""What is asked of the workshop and what it answers, without torch: the window imports this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lora_lab.errors import AdapterError
from lora_lab.exported import ExportReport

MERGED = "merged"  # beside the names of FORMATS
# (name, title, whether it is one file, suffix) of formats.FORMATS, whose import takes torch.
FORMATS = [
    ("peft", "PEFT folder", False, ""),
    ("peft-vera", "PEFT folder of VeRA", False, ""),
    ("peft-portable", "PEFT folder, portable (vLLM)", False, ""),
    ("kohya", "kohya file (ComfyUI)", True, ".safetensors"),
    ("diffusers", "diffusers folder", False, ""),
    ("gguf", "GGUF file (llama.cpp)", True, ".gguf"),
    ("mlx", "MLX folder (mlx-lm)", False, ""),
]
# That can be made of an adapter file: the vectors of VeRA are with the run alone.
OF_FILES = [row for row in FORMATS if row[0] != "peft-vera"]

PIPELINES = ("kohya", "diffusers")  # formats that name each layer by its component
COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")  # that a person is offered
DTYPES = ("float32", "float16", "bfloat16")  # that factors may be cast to


@dataclass(frozen=True)
class Source:
    """Where an adapter is, and what its file may not say."""

    path: str
    alpha: float | None = None
    base: str = ""
    scale: float | None = None


@dataclass(frozen=True)
class Trim:
    """How much of each ΔW stays, and the draw that DARE makes."""

    density: float = 0.5  # share of the entries
    seed: int = 0

    def checked(self) -> Trim:
        """Itself; raises AdapterError for a density that is no share."""
        if not 0 < self.density <= 1:
            raise AdapterError(f"Density is the share kept, above 0 up to 1, not {self.density}.")
        return self


@dataclass(frozen=True)
class Mix:
    """Adapters over the base that is open, each with its strength, and how they become one."""

    terms: tuple[tuple[Source, float], ...]
    own: float = 0.0  # strength of the adapter that the open run trains
    method: str = "exact"
    rank: int | None = None
    trim: Trim = Trim()


@dataclass(frozen=True)
class Delivery:
    """Where and how an adapter is to be written."""

    target: str
    format: str = "peft"
    dtype: str = ""  # "": as it is
    base: str = ""
    overwrite: bool = False
    untie: bool = False  # of a merged checkpoint: a weight that is used twice becomes two
    original: bool = False  # of an adapter over blocks: merged into the base's own numbers
    prove: bool = False  # by the library that the file is for, besides the re-reading
    component: str = ""  # of a diffusion pipeline, where the adapter's names say none or several


@dataclass(frozen=True)
class Delivered:
    """An adapter that was written, or a merged checkpoint."""

    path: str
    size: str  # in words: bytes and tensors
    words: tuple[str, ...]  # what was done and measured, a line each
    notes: tuple[str, ...]  # of the format, which a person should read
    facts: dict[str, Any]  # the same as plain values, ready for JSON
    report: ExportReport | None = None  # None of a merged checkpoint
    proof: tuple[str, ...] = ()  # those of `words` that say what the report says as numbers
