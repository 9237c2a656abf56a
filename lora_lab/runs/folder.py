"""RunFolder: config.json (what was asked), metrics.jsonl (what happened), adapter/ (what came out).

The writer of adapter files is passed in, so that this room knows files and folders but no format.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lora_lab
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.atomic import (
    make_folder,
    replace_folder,
    restore_folder,
    temporary_folder,
    write_file,
)
from lora_lab.config import Origin, RunConfig
from lora_lab.errors import AdapterError, LabError, not_written, system_reason
from lora_lab.folders import remove_folder
from lora_lab.records import Record
from lora_lab.runs.inputs import fingerprints, training_fingerprint
from lora_lab.runs.listing import CONFIG, METRICS, SUMMARY
from lora_lab.runs.lock import RunLock
from lora_lab.runs.metrics import MetricsFile, read_metrics
from lora_lab.runs.own_files import PRIVATE, open_own, own_folder
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.runs.writer import Writer
from lora_lab.variants import THETA, VARIANTS

ADAPTER = "adapter"
BEST = "adapter-best"
EXPORTS = "exports.jsonl"
LIBRARIES = ("torch", "numpy", "safetensors")

Save = Callable[[AdapterWeights, Path], Any]
Load = Callable[[Path], AdapterWeights]


class RunFolder:
    """One run on the disk. Used by one thread; `close` it when the run is over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Writer | None = None  # of checkpoints, while the run is trained
        self._metrics: MetricsFile | None = None
        self._lock: RunLock | None = None
        self._saving = threading.Lock()  # the session and the writer both save

    @classmethod
    def create(cls, parent: Path, name: str, *, unique: bool = False) -> RunFolder:
        """A new folder `name` in `parent`; an existing empty one is used.

        Where it is taken, `unique` appends -2, -3, … and otherwise `LabError` is raised: two runs
        in one folder would mix their records. Raises `LabError` too where nothing can be written.
        """
        for number in range(1, 10_000):
            path = parent / (name if number == 1 else f"{name}-{number}")
            try:
                make_folder(path, PRIVATE, exist_ok=not unique)
                taken = any(path.iterdir())
            except FileExistsError:  # of another run, or a file
                taken = True
            except OSError as error:
                raise LabError(
                    f"The run folder {path} cannot be made: {system_reason(error)}."
                ) from error
            if not taken:
                return cls(path)
            if not unique:
                break
        raise LabError(f"{path} is taken already. Choose another folder for this run.")

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """The run at `path`; raises `LabError` where there is none."""
        if not (path / CONFIG).is_file():
            raise LabError(f"{path} is not a run folder: it has no {CONFIG}.")
        return cls(path)

    @property
    def adapter(self) -> Path:
        """Where the run's own adapter is saved."""
        return self.path / ADAPTER

    @property
    def in_place(self) -> bool:
        """Whether the folder is still there: a drive may be pulled out, a folder removed."""
        return (self.path / CONFIG).is_file()

    def write_config(
        self, config: RunConfig, base_fingerprint: str = "", origin: Origin | None = None
    ) -> None:
        """Write what the run was asked to do and by which versions; raises `LabError`.

        `origin`: where it branched off from another run.
        """
        about = {
            "config": config.model_dump(mode="json"),
            "origin": None
            if origin is None
            else {"run": Path(origin.run).name, "step": origin.step},
            "base_fingerprint": base_fingerprint,
            "data_fingerprint": training_fingerprint(config),
            "inputs": fingerprints(config),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": {
                "lora_lab": lora_lab.__version__,
                "python": platform.python_version(),
                **{name: _version(name) for name in LIBRARIES},
            },
        }
        text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
        try:
            write_file(self.path / CONFIG, text.encode())
        except OSError as error:
            raise not_written(self.path / CONFIG, error) from error

    def lock(self) -> None:
        """Take the run for this process until `close`; raises `LabError` where another has it."""
        if self._lock is None:
            lock = RunLock(self.path)
            lock.take()
            self._lock = lock

    @property
    def held(self) -> bool:
        """Whether the folder at this path now is the one that this process has locked."""
        return self._lock is not None and self._lock.in_place

    def unlock(self) -> None:
        """Let another process have it, or take it anew where the folder has been made anew."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def move_to(self, parent: Path) -> bool:
        """Go on in a new folder in `parent`; whether settings and records could be taken along.

        The old folder stays as it is, unlocked. Raises `LabError` where none can be made there;
        then nothing has changed.
        """
        target = RunFolder.create(parent, self.path.name, unique=True).path
        lock, recorded = RunLock(target), False
        lock.take()
        with suppress(OSError):  # the old one may be gone: then the records begin anew
            for name in (CONFIG, METRICS):
                shutil.copyfile(self.path / name, target / name)
            recorded = True
        self.unlock()
        self.path, self._lock = target, lock
        if self._metrics is not None:
            self._metrics.move_to(target / METRICS)
        return recorded

    def write_summary(self, **facts: Any) -> None:
        """Replace state.json, which says how far the run is; raises `LabError`."""
        finite = {k: v for k, v in facts.items() if not (isinstance(v, float) and v - v != 0.0)}
        try:
            write_file(self.path / SUMMARY, (json.dumps(finite) + "\n").encode())
        except OSError as error:
            raise not_written(self.path / SUMMARY, error) from error

    def append(self, records: Iterable[Record]) -> None:
        """Append records to the metrics; raises `LabError` once when the disk refuses them."""
        if self._metrics is None:
            self._metrics = MetricsFile(self.path / METRICS)
        self._metrics.append(records)

    def flush(self) -> None:
        """Hand every record to the system; raises `LabError` once where the disk refuses them."""
        if self._metrics is not None:
            self._metrics.flush()

    def settle(self) -> None:
        """Wait until every save that was ordered is written, or was refused."""
        if self.writer is not None:
            self.writer.wait()

    def sync(self) -> None:
        """Wait until the disk has what was handed to the system; raises `OSError`."""
        if self._metrics is not None:
            self._metrics.sync()

    def save_adapter(self, weights: AdapterWeights, save: Save) -> Path:
        """Write the adapter with `save`, trained or not; the old one is kept until it is complete.

        Raises `LabError` where it cannot be written.
        """
        return self._save(self.adapter, weights, save)

    def save_best(self, weights: AdapterWeights, save: Save) -> Path:
        """Write the adapter of the lowest validation loss; raises LabError like `save_adapter`."""
        return self._save(self.path / BEST, weights, save)

    def forget_best(self) -> None:
        """Take away the adapter of a step that no longer holds."""
        with self._saving, suppress(OSError):
            remove_folder(self.path / BEST)

    def _save(self, target: Path, weights: AdapterWeights, save: Save) -> Path:
        try:
            with self._saving, temporary_folder(target) as folder:
                with own_folder(self.path, folder.name, make=False) as inside:
                    save(weights, inside)
                replace_folder(folder, target)
        except (OSError, RuntimeError) as error:  # the file library knows no OSError for all
            raise LabError(
                f"The adapter was not saved to {target}: {system_reason(error)}. "
                "The last saved one is unchanged."
            ) from error
        return target

    def note_export(self, facts: dict[str, Any]) -> None:
        """Append what was measured of an export to exports.jsonl; raises `LabError`."""
        path = self.path / EXPORTS
        line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts})
        try:
            fd = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with open(fd, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise not_written(path, error) from error

    def load_adapter(self, load: Load) -> AdapterWeights:
        """Read the run's adapter with `load`; raises `AdapterError`."""
        restore_folder(self.adapter)
        if not self.adapter.is_dir():
            raise AdapterError(f"{self.path} has no adapter: {self._why_no_adapter()}.")
        return load(self.adapter)

    def _why_no_adapter(self) -> str:
        if (self.path / CONFIG).is_file():
            row = VARIANTS[self.load_config().variant]
            if row.no_factors and (not row.shared or (self.path / THETA).is_file()):
                return row.no_factors
        return "the run was not trained or not saved"

    def load_config(self) -> RunConfig:
        """The settings of the run; raises `ConfigError` naming every field that is wrong."""
        return SavedConfig.read(self.path).config

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every record that was appended, as plain tables; a torn last line is passed over."""
        self.flush()
        return read_metrics(self.path / METRICS)

    def close(self) -> None:
        """Write and sync what still waits; raises `LabError` when records are lost. Idempotent."""
        metrics, self._metrics = self._metrics, None
        try:
            if metrics is not None:
                metrics.close()
        finally:
            self.unlock()


def _version(name: str) -> str | None:
    try:
        return version(name)  # asks the installation, not the library: torch takes a second to load
    except PackageNotFoundError:
        return None
