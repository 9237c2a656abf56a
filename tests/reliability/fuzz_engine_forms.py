"""What an engine hears and says, what a search keeps, and a run's newer files."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tests.reliability.fuzz_form import Form, in_folder, lines, of_header, of_table, within
from tests.runs import sample_run


def heard(unpack: Callable[[Any], Any]) -> Callable[[Path], Any]:
    """How a message is followed; at the door these errors of Python show a peer out as well."""

    def read(path: Path) -> Any:
        from lora_lab.engine.wire import parsed

        with suppress(TypeError, ValueError, ArithmeticError, LookupError, RecursionError):
            return unpack(parsed(path.read_bytes()))

    return read


def followed(path: Path) -> Any:
    """A run as a window follows it: what the sense lets through can be computed with."""
    from lora_lab.engine.wire import unpack_records
    from lora_lab.opening_records import LoadedRecord
    from lora_lab.records import CountsRecord, EvalRecord, SpectrumRecord
    from lora_lab.rules import LayerRanks
    from lora_lab.runs.record_sense import Sense
    from lora_lab.ui.panels.spectrum.history import SpectrumHistory

    sense, history, ranks = Sense("the engine"), SpectrumHistory(), None
    said = heard(lambda told: list(unpack_records(told["records"])))(path) or []
    for record in filter(None, map(sense.taken, said)):
        match record:
            case LoadedRecord():
                ranks = LayerRanks(record)
                history.clear([layer.name for layer in record.layers])
            case SpectrumRecord():
                assert ranks is not None
                history.add(record)
                assert all(row.effective_rank / row.rank is not None for row in record.layers)
                assert all(ranks.cut(row, ranks.applied) >= 0 for row in record.layers)
            case CountsRecord() if ranks is not None:
                ranks.per_layer(ranks.applied, record)
            case EvalRecord():
                assert all(r <= of for r, of in zip(record.correct, record.total, strict=True))
    return said


def message_forms() -> dict[str, Form]:
    """One message each, as a peer of another version or in bad faith would write it."""
    from lora_lab.engine.openings import pack_opening, unpack_opening
    from lora_lab.engine.wire import (
        COMMANDS,
        RECORDS,
        pack_command,
        pack_records,
        settings_of,
        unpack_command,
        unpack_records,
    )
    from lora_lab.hyperparameters import Hyperparameters
    from lora_lab.presets import get_preset
    from lora_lab.training.opening import New
    from tests.engine.test_wire import made

    records = [made(kind, 4) for kind in RECORDS.values()]
    commands = {name: pack_command(made(kind, 4)) for name, kind in COMMANDS.items()}
    opening = pack_opening(New(get_preset("digits").config, Path("run")))
    return {
        "records of an engine": of_table(
            "message.json", heard(lambda told: list(unpack_records(told["records"]))),
            {"records": pack_records(records)},
        ),
        "a run of an engine": of_table(
            "message.json", followed, {"records": pack_records(sample_run.records())}
        ),
        "commands to an engine": of_table(
            "message.json", heard(lambda told: [*map(unpack_command, told.values())]), commands
        ),
        "settings for an engine": of_table(
            "message.json", heard(lambda told: settings_of(told["hyper"])),
            {"hyper": Hyperparameters().model_dump()},
        ),
        "opening in an engine": of_table(
            "message.json", heard(lambda told: unpack_opening(told["opening"])),
            {"opening": opening},
        ),
    }  # fmt: skip


@cache
def _search() -> Path:
    """A search of two runs, with numbers and names among its values."""
    from lora_lab.presets import get_preset
    from lora_lab.runs.grid import TimesRank
    from lora_lab.runs.search import Plan, Search
    from lora_lab.runs.space import Range
    from lora_lab.training.experiment import Experiment

    config = get_preset("digits").config
    space = {"rank": (1, 2, 4), "alpha": (TimesRank(1.0), 16.0), "variant": ("lora", "dora"),
             "learning_rate": Range(1e-4, 1e-2), "targets": (("fc1",), ("fc1", "fc2"))}  # fmt: skip
    layers = Experiment.build(config).loaded().adaptable
    search = Search.create(Path(tempfile.mkdtemp()), Plan(config, space, adaptable=layers))
    known: set[int] = set()
    for loss in (0.5, 0.4):
        asked = search.next(known)
        assert asked is not None
        known.add(asked[0])
        search.report(asked[0], 10, loss)
        search.tell(asked[0], loss)
    search.next(known)
    return search.folder


def searched(folder: Path) -> Any:
    """As a queue reads it: in a folder of searches, where one that is damaged hides no other."""
    from lora_lab.runs.queue import Queue
    from lora_lab.runs.searches import Searches

    home = folder.parent
    (home / "searches").mkdir()
    shutil.copytree(_search(), home / "searches" / "whole")
    folder.rename(home / "searches" / "other")
    queue = Queue(home)
    try:
        searches = Searches(queue)
        assert searches.left >= 17
        return searches.next(), searches.importances()
    finally:
        queue.close()


def run_forms() -> dict[str, Form]:
    """A run's θ, a snapshot of its factors, and what is kept of its trunk."""
    from lora_lab.runs.kept_states import NAME, KeptStates
    from lora_lab.runs.snapshots import FOLDER, read_snapshot
    from lora_lab.training import theta_file

    about = {"format": theta_file.FORMAT, "version": "1", "seed": "0", "layers": '["fc1", "fc2"]',
             "base": "x", "base_fingerprint": "0" * 64, "projection": "0" * 64}  # fmt: skip
    head = {"fc3.weight": torch.ones(10, 64), "fc3.bias": torch.ones(10)}
    theta = safetensors.torch.save({"theta": torch.ones(27), **head}, about)
    factors = {"fc1|A": torch.ones(2, 3), "fc1|B": torch.ones(4, 2)}
    snapshot = safetensors.torch.save(factors, {"scaling": '{"fc1": 1.0}'})

    def kept(path: Path) -> Any:
        store = KeptStates(path.parent, "key", 10**6)
        try:
            return [store.get(bytes([i]) * 16, 8) for i in range(4)]
        finally:
            store.close()

    def whole() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            store = KeptStates(Path(folder), "key", 10**6)
            for i in range(4):
                store.put(bytes([i]) * 16, bytes([i]) * 8)
            store.close()
            return (Path(folder) / NAME).read_bytes()

    def of_snapshot(path: Path) -> Any:
        place = path.parent / FOLDER / "step-000000007.safetensors"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.read_bytes())
        return read_snapshot(path.parent, 7, 10**6)

    return {
        "numbers of a subspace": of_header(
            "theta.safetensors", lambda path: theta_file.read(path, 10**6), theta
        ),
        "snapshot": of_header("x.safetensors", of_snapshot, snapshot),
        "kept activations": Form(NAME, whole, kept),
    }


def settings(path: Path) -> Any:
    from lora_lab.errors import LabError
    from lora_lab.ui.shell.kept_layout import is_layout
    from lora_lab.ui.style.settings_text import parsed

    try:
        values = parsed(path.read_bytes())
    except ValueError as error:
        raise LabError(str(error)) from None
    return [is_layout(value, set()) for value in values.values() if isinstance(value, bytes)]


def of_settings(table: Any) -> bytes:
    from lora_lab.ui.style.settings_text import written

    rows = table.items() if isinstance(table, dict) else ()
    return written({key: str(value) for key, value in rows}) + LAYOUT


SETTINGS = {"scheme": "dark", "cluster/cpus": "4", "recent": '[["model", "/a"]]'}
LAYOUT = b'layout="@ByteArray(\\0\\0\\0\xc3\xbf\\0\\0\\0\\x5\xc3\xbd\\0\\0\\0\\x1)"\n'


def engine_forms() -> dict[str, Form]:
    from lora_lab.runs.search import JOURNAL, PLAN

    def journal() -> Any:
        return [json.loads(line) for line in (_search() / JOURNAL).read_text().splitlines()]

    return {
        **message_forms(),
        **run_forms(),
        "settings of the window": Form(
            "window.ini", lambda: of_settings(SETTINGS), settings, of_settings, lambda: SETTINGS,
            ("@Variant(", "@ByteArray(", "\\x40", "General"),
        ),
        "plan of a search": in_folder(_search, PLAN, searched),
        "journal of a search": Form(
            JOURNAL, lambda: (_search() / JOURNAL).read_bytes(), within(_search, searched), lines,
            journal,
        ),
    }  # fmt: skip
