"""Records of another lab in metrics.jsonl are passed over; damaged ones are named."""

import json
from dataclasses import MISSING, fields

import pytest

from lora_lab.errors import LabError
from lora_lab.opening_records import DataRecord, DataRow
from lora_lab.plain import plain
from lora_lab.records import ResumedRecord
from lora_lab.runs.event_files import write_events
from lora_lab.runs.metrics import copy_holding, read_metrics
from lora_lab.runs.past import last_spectrum, past_records
from lora_lab.runs.recipe import written
from lora_lab.runs.report import report_of
from lora_lab.runs.row_shape import KINDS, flaw
from lora_lab.runs.story import story_of
from tests.runs.sample_run import records, write_sample

ROWS = [json.loads(json.dumps(plain(record))) for record in records()]
ROWS.append(plain(ResumedRecord(5, (0, 5), (), 2)))
KNOWN = {row["record"]: row for row in ROWS}  # the last one of each kind
FOREIGN = [
    {"record": "WeatherRecord", "step": "noon"},
    {"record": "WeatherRecord"},
    {"record": ["StepRecord"], "step": None},
    {"step": 3},
    {},
]


def readers(tmp_path):
    return [report_of, written, lambda run: write_events(run, tmp_path / "events"), story_of]


def with_rows(tmp_path, rows):
    run = write_sample(tmp_path)
    (run / "metrics.jsonl").write_text(lines(rows))
    return run


def lines(rows):
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def test_what_the_lab_writes_is_whole():
    assert [flaw(row) for row in ROWS] == [""] * len(ROWS)
    assert {"StepRecord", "MergeRecord"} <= KINDS.keys()


def test_foreign_records_are_passed_over(tmp_path):
    rows = [row for pair in zip(ROWS, FOREIGN * 9, strict=False) for row in pair]
    run = with_rows(tmp_path, rows)
    wanted = story_of(with_rows(tmp_path / "plain", ROWS)).rows
    assert story_of(run).rows == wanted
    for read in readers(tmp_path):
        read(run)
    assert [r.step for r in past_records(run / "metrics.jsonl", 9)][-1] == 5
    copy_holding(run / "metrics.jsonl", tmp_path / "copy.jsonl", 3, 1)
    assert max(row["step"] for row in read_metrics(tmp_path / "copy.jsonl")
               if row.get("record") == "StepRecord") == 3  # fmt: skip


def test_what_an_older_lab_did_not_write_has_its_default(tmp_path):
    rows = []
    for row in ROWS:
        optional = {f.name for f in fields(KINDS[row["record"]]) if f.default is not MISSING}
        rows.append({name: value for name, value in row.items() if name not in optional})
    rows = [row for row in rows if row["record"] != "ResumedRecord"]  # they would forget nothing
    run = with_rows(tmp_path, rows)
    report_of(run)
    assert story_of(run).loaded["notes"] == []
    assert story_of(run).last("EvalRecord")["accuracy"] is None


@pytest.mark.parametrize("kind", KNOWN)
def test_a_damaged_record_is_named(tmp_path, kind):
    """A field that is missing, and one of another form, each in every way to read a run."""
    where = max(i for i, row in enumerate(ROWS) if row["record"] == kind)
    for f in fields(KINDS[kind]):
        bad = [{**ROWS[where], f.name: {"no": "such form"}}]
        if f.default is MISSING and "missing" not in f.metadata:
            bad.append({k: v for k, v in ROWS[where].items() if k != f.name})
        for row in bad:
            run = with_rows(tmp_path / str(len(list(tmp_path.iterdir()))), [*ROWS, row])
            for read in readers(run):
                with pytest.raises(LabError, match=rf"{kind}.* has no {f.name} as it should be"):
                    read(run)


def refusal(read, run):
    try:
        read(run)
    except LabError as error:
        return str(error)
    return ""


SPAN = 2 * [5e-324], [0.0, 5e-324], [5e-324, 1.5e-323], [1e-320, 1e300], [-1e308, 1e308]


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("LoadedRecord", "true_sigma", [[[1]], [[]], [[1], [2]], [1, [2]]]),
        ("EvalRecord", "accuracy", [None]),
        ("EvalRecord", "loss", [1e308, 5e-324, -1e308, "NaN"]),
        ("StepRecord", "loss", [1e308, 5e-324, -1e308, "-Infinity"]),
        ("SpectrumRecord", "layers", [
            [{**KNOWN["SpectrumRecord"]["layers"][0], "sigma": sigma}]
            for sigma in ([[1.0], [2.0]], [[1, 2], [3]], [[[1.0]]], [1, []], [], [1e308, 5e-324])]),
    ],
)  # fmt: skip
def test_no_number_makes_a_reader_fail(tmp_path, kind, name, values):
    """Each is refused by name, or read by all; nothing is left of event files of a damaged run."""
    for number, value in enumerate(values):
        for at, row in enumerate(ROWS):
            if row["record"] != kind:
                continue
            run = with_rows(tmp_path / f"{number}-{at}", [*ROWS[:at], {**row, name: value},
                                                          *ROWS[at + 1 :]])  # fmt: skip
            for read in (*readers(run), lambda run: last_spectrum(run / "metrics.jsonl")):
                said = refusal(read, run)
                assert not said or f"has no {name} as it should be" in said
                assert not (said and (run / "events").exists())


@pytest.mark.parametrize("losses", SPAN)
def test_a_curve_of_any_losses_is_drawn(tmp_path, losses):
    steps = [row for row in ROWS if row["record"] == "StepRecord"]
    others = [row for row in ROWS if row["record"] not in ("StepRecord", "EvalRecord")]
    rows = [{**row, "loss": losses[at % 2]} for at, row in enumerate(steps)]
    assert "<svg" in report_of(with_rows(tmp_path, [*others, *rows]))


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ([[1, 2], [3, 4]], True),
        ([[[1, 2, 3]], [[4, 5, 6]]], True),
        ([1, 2], False),
        ([[1, 2], [3]], False),
        ([[[1], [2]], [[1, 2], [3, 4]]], False),
        ([[[[1]]]], False),
    ],
)
def test_an_image_is_of_equal_rows(image, whole):
    row = plain(DataRecord("", "images", rows=(DataRow(1),)))
    row["rows"][0]["image"] = image
    assert flaw(row) == ("" if whole else "rows")


def test_the_stage_of_a_run_is_read_by_its_former_name():
    row = {"record": "ResumedRecord", "step": 5, "notes": [], "edits": 2, "leg": [0, 12]}
    assert not flaw(row)
    assert (row["stage"], "leg" in row) == ([0, 12], False)
    before = {"record": "ResumedRecord", "step": 5}  # of the first lab that resumed
    assert not flaw(before)
    assert (before["stage"], before["edits"]) == ([], -1)
    assert flaw({**row, "stage": "twelve"}) == "stage"


def test_a_damaged_part_of_a_record_is_named(tmp_path):
    row = json.loads(json.dumps(KNOWN["SpectrumRecord"]))
    del row["layers"][0]["effective_rank"]
    run = with_rows(tmp_path, [*ROWS, row])
    with pytest.raises(LabError, match="SpectrumRecord of step 5 has no layers"):
        report_of(run)
    row["layers"][0]["effective_rank"] = 1.0
    row["layers"][0]["sigma"] = ["high"]
    assert flaw(row) == "layers"


def test_a_past_with_damaged_records_comes_back_without_them(tmp_path):
    damaged = [{**KNOWN[kind], "step": 5, name: [{}]} for kind, name in (
        ("StepRecord", "loss"), ("EvalRecord", "accuracy"), ("AppliedRecord", "changes"),
        ("SpectrumRecord", "layers"))]  # fmt: skip
    damaged += [{"record": "AppliedRecord", "changes": [["rank", 1, 2]]}, {"record": "StepRecord"}]
    path, whole = tmp_path / "metrics.jsonl", tmp_path / "whole.jsonl"
    path.write_text(lines([*ROWS, *damaged]))
    whole.write_text(lines(ROWS))
    assert list(past_records(path, 9)) == list(past_records(whole, 9))
    assert last_spectrum(path) is None
    assert last_spectrum(whole).step == 5


def test_an_edit_of_more_settings_than_there_are_is_none():
    row = {**KNOWN["AppliedRecord"], "changes": [["rank", 1, 2]] * 100}
    assert flaw(row) == ""
    assert flaw({**row, "changes": [["rank", 1, 2]] * 101}) == "changes"
    assert flaw({**KNOWN["LoadedRecord"], "base": "a" * 2**20}) == ""
    assert flaw({**KNOWN["LoadedRecord"], "base": "a" * (2**20 + 1)}) == "base"
