"""The weights of a Hugging Face folder: one file, or the shards that an index names.

An index is a stranger's list of file names: only bare names of regular files of this very folder
are opened (or of the same repository's `blobs`, where the Hugging Face cache keeps them), and each
shard has to hold exactly what the index says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.other_files import other_folder
from lora_lab.models.strict_json import read_json
from lora_lab.models.torch_file import Weights
from lora_lab.names import shown
from lora_lab.progress import Report, silent

# What is looked for, in this order.
SINGLE = (
    "model.safetensors", "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin",
)  # fmt: skip
INDEXES = (
    "model.safetensors.index.json", "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.safetensors.index.json",
)  # fmt: skip


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold the folder's weights, each safe to open.

    Raises CheckpointError where there are none, where an index leads out of the folder, and where
    a shard is missing.
    """
    return tuple(_assignment(folder))


def read_weights(folder: Path, report: Report = silent) -> Weights:
    """All tensors of the folder by name, on the CPU. Raises CheckpointError as `read_state` does,
    and for shards that do not hold what the index says."""
    assignment = _assignment(folder)
    state = Weights()
    for number, (path, names) in enumerate(assignment.items()):

        def part(what: str, share: float, number: int = number) -> None:
            report(what, share if share < 0 else (number + share) / len(assignment))

        shard = read_state(path, part)
        if names is not None and set(shard) != names:
            missing, more = names - set(shard), set(shard) - names
            wrong = shown(sorted(missing or more)[0])
            does = "lacks tensor" if missing else "holds a tensor that the index puts elsewhere:"
            raise CheckpointError(
                f"{path.name} {does} {wrong}. Download index and shards from one place."
            )
        state.update(shard)
        state.note = state.note or shard.note
    return state


def _assignment(folder: Path) -> dict[Path, set[str] | None]:
    """Files to read and the tensors that each must hold; None where no index says."""
    for name in SINGLE:
        if (folder / name).exists() or (folder / name).is_symlink():
            return {inside(folder, name): None}
    for name in INDEXES:
        if (folder / name).exists():
            return _indexed(folder, name)
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if len(others) == 1:
        return {inside(folder, others[0]): None}
    if known := other_folder(folder):
        raise CheckpointError(f"{folder.name} has no weights (model.safetensors): {known}")
    raise CheckpointError(
        f"{folder.name} has no weights (model.safetensors). Download the whole repository."
    )


def _indexed(folder: Path, name: str) -> dict[Path, set[str] | None]:
    weight_map: Any = read_json(folder / name).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{name}: it names no shards. Download it again.")
    ending = ".safetensors" if "safetensors" in name else ".bin"
    by_shard: dict[str, set[str]] = {}
    for tensor, shard in weight_map.items():
        if not (isinstance(shard, str) and shard.endswith(ending) and _bare(shard)):
            raise CheckpointError(
                f"{name}: {shown(shard)} is not the bare name of a {ending} file. Shards are "
                "beside their index."
            )
        by_shard.setdefault(shard, set()).add(tensor)
    return {inside(folder, shard): by_shard[shard] for shard in sorted(by_shard)}


def _bare(name: str) -> bool:
    return name == Path(name).name and not set(name) & set("/\\:\0") and not name.startswith(".")


def inside(folder: Path, name: str) -> Path:
    """`folder`/`name` where it is a regular file of the folder or of its cached repository.

    A name may be that of a file in a folder of it, which is there itself.
    """
    path = folder / name
    try:
        real = path.resolve(strict=True)
        homes = homes_of(folder)
    except FileNotFoundError:
        raise CheckpointError(
            f"{name} is missing in {folder.name}. Download the whole repository."
        ) from None
    except (OSError, RuntimeError):  # a loop of links
        raise CheckpointError(f"{name}: the link leads nowhere. Download it again.") from None
    if not real.is_file():  # a pipe would block, a device never end
        raise CheckpointError(f"{name}: this is not a regular file. Download it again.")
    if real.parent not in (*homes, homes[0] / Path(name).parent):
        raise CheckpointError(
            f"{name} is a link that leads out of {folder.name}, and is not followed. Copy the file "
            "into the folder."
        )
    return path


def homes_of(folder: Path) -> tuple[Path, ...]:
    """Where the files of a folder may lie: in itself, or in `blobs` of the Hugging Face cache."""
    home = folder.resolve(strict=True)
    for above in home.parents[:3]:  # models--…/{snapshots/REVISION/text_encoder,blobs}
        if above.name == "snapshots":
            return home, above.parent / "blobs"
    return (home,)
