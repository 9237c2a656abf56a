"""The tokenizer of a folder or of a `.gguf` file, as transformers makes it; no code is run."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lora_lab.door import door
from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import check_values, first_line, quiet
from lora_lab.models.hf_config import read_config
from lora_lab.models.named_classes import check_alone, check_classes, check_settings
from lora_lab.models.shards import inside
from lora_lab.models.strict_json import read_json
from lora_lab.models.tokenizer_guard import guarded, made_in_time
from lora_lab.models.tokenizer_merges import bound_merges
from lora_lab.models.tokenizer_texts import (
    ADDED,
    CONFIG,
    MAP,
    PIECES,
    TEMPLATES,
    WHOLE,
    check_files,
    check_tokens,
)

TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", *PIECES)


def _needs_no_file(tokenizer: Any) -> bool:
    """Whether transformers makes a tokenizer of this name out of nothing, as of bytes."""
    import transformers

    kind = getattr(transformers, tokenizer, None) if isinstance(tokenizer, str) else None
    return getattr(kind, "vocab_files_names", None) == {}


@door(CheckpointError)
def open_tokenizer(path: str | Path) -> Any:
    """The tokenizer of a folder or a `.gguf` file, of transformers.

    Raises CheckpointError where there is none, or where it would run code.
    """
    path = Path(path)
    beside: dict[str, str] = {}
    if path.suffix == ".gguf" and not path.is_dir():
        from lora_lab.models.gguf_file import by_copy, check_gguf, header_of

        header = header_of(check_gguf(path))
        size = path.stat().st_size
        path, beside = path.parent, {"gguf_file": path.name}
        if (path / TEMPLATES).is_dir():  # of what lies beside it, the library goes through this
            size += check_files(path / TEMPLATES, path)
        for name in (CONFIG, MAP, ADDED, WHOLE):  # the library reads these as well
            if (path / name).exists():
                inside(path, name)
        settings = check_tokenizer(path, size)
    else:
        read_config(path)
        size = check_files(path)
        check_code(path, settings := check_tokenizer(path, size))
        named = settings.get("tokenizer_class")
        if not any((path / name).is_file() for name in TOKENIZERS) and not _needs_no_file(named):
            raise CheckpointError(
                f"{path.name} has no tokenizer (tokenizer.json), so text cannot be turned into "
                "tokens. Download the whole repository."
            )
    from transformers import AutoTokenizer

    bound_merges()
    with quiet(path.name), by_copy(header) if beside else nullcontext():
        try:
            with made_in_time(size):
                tokenizer = AutoTokenizer.from_pretrained(
                    str(path), local_files_only=True, trust_remote_code=False, **beside
                )
                check_alone(tokenizer, path.name)
                return guarded(tokenizer)
        except CheckpointError:
            raise
        except Exception as error:
            if lacking := _sentencepiece(path):
                raise CheckpointError(
                    f"{path.name}: its tokenizer is a SentencePiece model, which needs "
                    f"{' and '.join(lacking)}: pip install 'lora-lab[sentencepiece]'. Or choose a "
                    "repository with a tokenizer.json."
                ) from error
            check_code(path, settings)
            reason = first_line(error)
            if (path / "config.json").is_file():
                check_values(read_config(path), path.name)
            raise CheckpointError(
                f"{path.name}: its tokenizer cannot be read ({reason}). Download it again."
            ) from error


def check_tokenizer(folder: Path, size: int) -> dict[str, Any]:
    """What a folder says of its tokenizer, whose files have `size` bytes.

    Raises CheckpointError where that opens or runs other things, or would have no end.
    """
    with made_in_time(size):
        check_tokens(folder)
        found: dict[str, Any] = {}
        for name in (MAP, CONFIG):  # the library takes any setting out of either
            settings = read_json(folder / name) if (folder / name).exists() else {}
            check_classes(settings, f"{folder.name}: {name}")
            check_settings(settings, f"{folder.name}: {name}", folder)
            found |= settings
    return found


def check_code(folder: Path, settings: dict[str, Any]) -> None:
    """Raise CheckpointError for a tokenizer of a folder that is made by code of its author.

    Beside a `.gguf`, which has its own, only where the library knows no class for that.
    """
    if settings.get("auto_map"):
        raise CheckpointError(
            f"{folder.name}: its tokenizer asks for code of its author to be run, which is not "
            "done. Choose a model with a tokenizer.json."
        )


def _sentencepiece(path: Path) -> list[str]:
    """The packages that are missing to read the tokenizer of a folder that has no other form."""
    if (path / "tokenizer.json").is_file() or not any((path / n).is_file() for n in PIECES):
        return []
    wanted = {"sentencepiece": "sentencepiece", "google.protobuf": "protobuf"}
    return [name for module, name in wanted.items() if not _is_installed(module)]


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False
