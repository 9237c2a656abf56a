"""What the lab says passes; what no lab can have said is named by its part."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from lora_lab.config import Origin, changed
from lora_lab.engine.wire import dumped, pack_records, parsed, record_of, unpack_records
from lora_lab.errors import LabError
from lora_lab.exported import ExportingRecord
from lora_lab.measured import (
    DirectionsRecord,
    IntruderRecord,
    LayerMerge,
    MergeRecord,
    RankHint,
    RankHintRecord,
    RateFoundRecord,
    TokenLossRecord,
    WrongRecord,
)
from lora_lab.opening_records import DataRecord, DataRow, LayerInfo, OpeningRecord, TargetInfo
from lora_lab.presets import get_preset
from lora_lab.records import (
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    NonFiniteRecord,
    PaceRecord,
    ResumedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.lines import parsed as parsed_line
from lora_lab.runs.metrics import line
from lora_lab.runs.record_sense import Sense
from lora_lab.training.commands import (
    Clip,
    CountIntruders,
    Evaluate,
    FindRate,
    GoBack,
    MergePreview,
    SuggestRank,
)
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Branch, New, Resume
from lora_lab.training.run import run
from lora_lab.variants import VARIANTS
from tests.runs.sample_run import LAYERS, records, spectrum
from tests.spent import processor_seconds

LOADED = next(records())
SQUARE = np.ones((2, 2))


def row(**other):
    return replace(spectrum(2).layers[0], **other)


def rows(**other):
    return SpectrumRecord(7, (row(**other), spectrum(2).layers[1]))


def data(**other):
    return DataRecord("rows.csv", "text", classes=("a", "b"), **other)


CANNOT = {
    "variant": [replace(LOADED, variant=name) for name in ("", "zzz", "<b>")],
    "layers": [
        *(replace(LOADED, layers=(*LAYERS, LayerInfo(name, (4, 4), 1.0, **more)))
          for name, more in (("fc1", {}), ("x" * 1001, {}), ("y", {"max_rank": 2**62}),
                             ("y", {"max_rank": 65537}), ("y", {"max_rank": -2}))),
        *(replace(LOADED, layers=(LayerInfo("a", shape, 1.0),))
          for shape in ((0, 4), (-5, 4), (2**62, 4))),
        SpectrumRecord(7, ()), SpectrumRecord(7, spectrum(2).layers[:1]),
        SpectrumRecord(7, spectrum(2).layers[::-1]), SpectrumRecord(7, spectrum(2).layers * 2),
        rows(name="zzz"), rows(rank=0), rows(rank=-4), rows(rank=2**62), rows(rank=65537),
        rows(numerical_rank=2**62), rows(sigma=np.empty(0)), rows(sigma=SQUARE),
        rows(sigma=np.ones(3, complex)), rows(sigma=np.ones(65537)),
        MergeRecord(7, ("a", "b"), (0.0, 0.0), 0.1, (LayerMerge("fc1", (4, 4), 0.1, (0.0,)),)),
    ],
    "max_rank": [replace(LOADED, max_rank=2**62)],
    "max_steps": [replace(LOADED, max_steps=2**60)],
    "modules": [replace(LOADED, modules=(("a." * 501, "Linear", (4, 4), 16),))],
    "loss_floor": [replace(LOADED, loss_floor=of) for of in ((math.inf,), (1.0,) * 5000)],
    "true_sigma": [replace(LOADED, true_sigma=np.array(of)) for of in ([], [math.nan], SQUARE)],
    "adaptable": [replace(LOADED, adaptable=(TargetInfo("a", "linear", (4, 4)),) * 2)],
    "per_layer": [CountsRecord(7, 1, 1, (("zzz", 1),)), CountsRecord(7, 1, 1, (("fc1", 2**60),))],
    "adapter": [CountsRecord(7, -3, 1, ())],
    "step": [
        StepRecord(3, 1.0, 1e-3, 1.0), StepRecord(2**62, 1.0, 1e-3, 1.0),
        StepRecord(-9, 1.0, 1e-3, 1.0), EvalRecord(3, True, 1.0), EvalRecord(2**60, True, 1.0),
        replace(spectrum(2), step=1), PaceRecord(2**62, 1.0, 1.0, 1.0, 0, 0),
        NonFiniteRecord(3, "loss", "", "", (), (), 2, 1.0),
    ],
    "correct": [
        EvalRecord(7, True, 1.0, 0.5, correct, total) for correct, total in
        (((1,), (5, 5)), ((6, 1), (5, 5)), ((1, 1), (5, 5, 5)), ((2**60,), (2**61,)))
    ],
    "confusion": [
        EvalRecord(7, True, 1.0, 0.5, (1, 1), (5, 5), confusion=of)
        for of in (((1,), ()), ((1, 1),), ((), ()), ((1, 1), (1, 1, 1)))
    ],
    "share": [kind(share) for share in (math.nan, math.inf, 1e308) for kind in
              (partial(OpeningRecord, "x"), partial(ExportingRecord, 7, "x"))],
    "stage": [ResumedRecord(5, stage) for stage in ((3,), (1, 2, 3), (9, 4), (0, 2**62))],
    "class_counts": [data(class_counts=(1,))],
    "validation_counts": [data(validation_counts=(1, 2, 3))],
    "lengths": [data(lengths=np.array([1.0, math.nan])), data(lengths=SQUARE)],
    "rows": [
        data(rows=(DataRow(1, **of),)) for of in (
            {"tokens": ("a",), "supervised": (True,) * 2}, {"tokens": ("a",), "tags": ("b",) * 2},
            {"image": np.empty((1, 0, 3))}, {"image": np.ones((2, 2, 5))}, {"image": np.ones(9)},
            {"rejected": DataRow(1, target=DataRow(2, rejected=DataRow(3, target=DataRow(4))))},
        )
    ],
    "counts": [WrongRecord(7, True, ("a",), (1, 2), (1,), (), ())],
    "of": [WrongRecord(7, True, ("a",), (1,), (1,), (DataRow(1),), of) for of in ((), (7,), (-1,))],
    "on": [TokenLossRecord(7, 1, (1.0,), ())],
    "losses": [
        RateFoundRecord(7, np.ones(2), np.ones(1), np.ones(2), 1.0, 1.0, False, 1.0)
    ],
    "hints": [RankHintRecord(7, 1, 1.0, None, (RankHint(0.9, (), 0, 1.0),))],
    "loss": [MergeRecord(7, ("a",), (), 0.1, ())],
    "similarity": [IntruderRecord(7, "fc1", 1, 0.5, 2, (1, 2), ())],
    "layer": [IntruderRecord(7, "x" * 2000, 1, 0.5), DirectionsRecord(
        7, "x" * 2000, 1, (), "", False, 0, "", 1.0)],
}  # fmt: skip
EACH = [(part, record) for part, found in CANNOT.items() for record in found]


@pytest.mark.parametrize(("part", "record"), EACH, ids=[f"{part}-{n}" for n, (part, _) in
                                                       enumerate(EACH)])  # fmt: skip
def test_what_no_lab_says_is_named(part, record):
    sense = Sense("x")
    assert not any(map(sense.flaw, records()))
    assert sense.flaw(record) == part
    assert not sense.flaw(replace(spectrum(2), step=7)), "the model that was loaded stands"


def test_the_first_is_told_and_the_others_are_left_out():
    sense = Sense("What the engine of run says")
    kept = [sense.taken(record) for record in (LOADED, rows(rank=0), rows(rank=0), spectrum(2))]
    assert kept[0] is LOADED
    assert kept[2:] == [None, kept[3]]
    assert isinstance(kept[3], SpectrumRecord)
    words = "What the engine of run says is damaged: the SpectrumRecord of step 7 has no layers"
    assert isinstance(kept[1], ErrorRecord)
    assert kept[1].message.startswith(words)
    with pytest.raises(LabError, match="the LoadedRecord has no variant"):
        sense.taken(replace(LOADED, variant="zzz"))


def test_before_a_model_is_loaded_nothing_is_said_of_its_layers():
    assert Sense("x").flaw(spectrum(2)) == "layers"
    assert not Sense("x").flaw(StepRecord(2, 1.0, 1e-3, 1.0))


def test_a_run_goes_back_where_it_says_so_and_another_model_begins_anew():
    sense = Sense("x")
    assert not any(map(sense.flaw, records()))
    assert not sense.flaw(ResumedRecord(2, (0, 9)))
    assert not any(map(sense.flaw, (StepRecord(3, math.nan, 1e-3, 1.0), EvalRecord(3, True, 1.0))))
    assert not any(map(sense.flaw, records()))


def test_hundred_thousand_layers_are_held_to_it_in_no_time():
    layers = tuple(LayerInfo(f"model.layers.{n}.q", (64, 64), 1.0, "linear", 64)
                   for n in range(100_000))  # fmt: skip
    sigma = np.ones(8)
    many = tuple(row(name=x.name, sigma=sigma) for x in layers)
    sense, before = Sense("x"), processor_seconds()
    assert not sense.flaw(replace(LOADED, layers=layers))
    assert not sense.flaw(SpectrumRecord(1, many))
    assert processor_seconds() - before < 1.5


def driven(opening, acts=()):
    """The records of a run in which something is done after some steps."""
    controls, acts, found = Controls(opening.config.hyper), dict(acts), []
    for record in run(opening, controls):
        found.append(record)
        if isinstance(record, StepRecord) and record.step in acts:
            acts.pop(record.step)(controls)
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.resume()  # it has gone back
    return found


def edit(**values):
    return lambda controls: controls.set_hyper(changed(controls.hyper, **values))


def ask(command):
    return lambda controls: controls.request(command)


def honest(found):
    """As they are said, as they cross to a window, and as a file has them."""
    said, heard, read = (Sense("x") for _ in range(3))
    assert len(found) > 10
    for record in found:
        (crossed,) = unpack_records(parsed(dumped({"r": pack_records([record])}))["r"])
        kept = record_of(parsed_line(line(record).encode()))
        for sense, one in ((said, record), (heard, crossed), (read, kept)):
            assert one is not None, record
            assert not sense.flaw(one), record


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_of_each_variant_passes(variant):
    config = changed(get_preset("digits").config, max_steps=12, variant=variant)
    acts = {3: edit(rank=2, dimension=64), 6: edit(rank=6, dimension=256), 8: edit(enabled=False),
            9: edit(frozen_layers=("fc1",)), 10: ask(Evaluate())}  # fmt: skip
    honest(driven(New(config), acts))


@pytest.mark.parametrize("name", ["digits", "digits-permuted", "known-rank"])
def test_a_preset_passes_and_so_do_its_resumption_and_its_branch(tmp_path, name):
    config = changed(get_preset(name).config, max_steps=30)
    first = driven(New(config, tmp_path / "one"), {
        5: edit(rank=2), 9: ask(Clip("fc1", 1, 1.0)), 12: edit(rank=8, learning_rate=1e-2),
        14: ask(MergePreview()), 15: ask(CountIntruders("fc1")), 16: ask(FindRate(20)),
        17: ask(SuggestRank()), 18: ask(GoBack(10)), 25: lambda controls: controls.stop(),
    })  # fmt: skip
    honest(first)
    honest(driven(Resume.at(tmp_path / "one"), {27: ask(Evaluate())}))
    origin = Origin(str(tmp_path / "one"), 20)
    honest(driven(Branch(origin, changed(config, max_steps=40), tmp_path / "two")))
