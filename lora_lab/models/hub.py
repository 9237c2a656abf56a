"""Models of the Hugging Face hub: those this machine has in its cache, and one more by name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line
from lora_lab.progress import Report, silent

NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
BESIDE = (".json", ".txt", ".jinja", ".model")  # small files that a model may need
SECONDS = 10  # until a network that does not answer counts as none


@dataclass(frozen=True)
class CachedModel:
    """One snapshot of a repository in the machine's cache."""

    name: str
    folder: str
    bytes: int
    last_used: float  # seconds since 1970


def cached_models(cache: Path | None = None) -> tuple[CachedModel, ...]:
    """Models with a config.json in the Hugging Face cache, those used last first."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        scan = scan_cache_dir(cache)
    except (CacheNotFound, OSError, ValueError):  # no cache is no fault
        return ()
    models = [
        CachedModel(repo.repo_id, str(revision.snapshot_path), revision.size_on_disk,
                    repo.last_accessed)
        for repo in scan.repos
        if repo.repo_type == "model"
        for revision in repo.revisions
        if (revision.snapshot_path / "config.json").exists()
    ]  # fmt: skip
    return tuple(sorted(models, key=lambda model: -model.last_used))


def download(
    name: str,
    report: Report = silent,
    *,
    revision: str | None = None,
    cache: Path | None = None,
    endpoint: str | None = None,
) -> Path:
    """Bring config, tokenizer and weights of a repository into the cache; its snapshot's folder.

    What has been downloaded stays when it is cancelled. Raises CheckpointError
    where there is no network, no such repository, or no right to it, and Cancelled from `report`.
    """
    if not NAME.fullmatch(name):
        raise CheckpointError(f"{name!r} is no name of a repository. Write it as owner/name.")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise CheckpointError("This run is offline (HF_HUB_OFFLINE). Open a folder instead.")
    from huggingface_hub import HfApi, hf_hub_download

    report(f"Requesting {name}", -1)
    try:
        api = HfApi(endpoint=endpoint)
        info = api.model_info(name, revision=revision, files_metadata=True, timeout=SECONDS)
        wanted = _wanted({s.rfilename: s.size or 0 for s in info.siblings or ()}, name)
        bar = _bar(f"Downloading {name}", sum(wanted.values()), report)
        folder = None
        for file in wanted:
            path = hf_hub_download(
                name, file, revision=info.sha, cache_dir=cache, endpoint=endpoint, tqdm_class=bar,
                etag_timeout=SECONDS,
            )  # fmt: skip
            bar.finished(wanted[file])
            if file == "config.json":
                folder = Path(path).parent
    except OSError as error:  # httpx's and the hub's own errors among them
        raise CheckpointError(f"{name}: {_reason(error)}") from error
    except Exception as error:
        if isinstance(error, CheckpointError) or type(error).__module__.startswith("lora_lab"):
            raise
        raise CheckpointError(f"{name}: {_reason(error)}") from error
    assert folder is not None, "_wanted names config.json"
    return folder


def _wanted(files: dict[str, int], name: str) -> dict[str, int]:
    """Files to fetch with their sizes: those at the top, weights as safetensors where there are."""
    top = {file: size for file, size in files.items() if "/" not in file}
    if "config.json" not in top:
        raise CheckpointError(f"{name} has no config.json, so it is no model of transformers.")
    weights = {f: s for f, s in top.items() if f.endswith(".safetensors")}
    weights = weights or {f: s for f, s in top.items() if f.startswith("pytorch_model")}
    if not weights:
        raise CheckpointError(f"{name} has no weights in safetensors. Choose another repository.")
    return {**{f: s for f, s in top.items() if f.endswith(BESIDE)}, **weights}


def _bar(what: str, total: int, report: Report) -> Any:
    """A class in tqdm's place that reports; `report` raises where it is cancelled."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        before = 0  # bytes of files that are whole
        here = 0  # of the one that is coming

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            Bar.here = int(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            Bar.here += int(n or 0)
            report(what, min(1.0, (Bar.before + Bar.here) / max(1, total)))

        @staticmethod
        def finished(size: int) -> None:
            Bar.before, Bar.here = Bar.before + size, 0
            report(what, min(1.0, Bar.before / max(1, total)))

    return Bar


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "GatedRepoError":
        return "access must be requested first. Request it on its page, then run `hf auth login`."
    if kind in ("RepositoryNotFoundError", "RevisionNotFoundError"):
        return "there is no such repository, or it is private. Check the name."
    if any(word in kind for word in ("Connect", "Timeout", "Offline", "LocalEntryNotFound")):
        return "the hub cannot be reached. Check the network, or open a folder."
    return f"the download failed ({first_line(error)}). Try again; what has come is kept."
