"""The measure of a run is that of its newest stage, and nothing where nobody wrote it."""

import pytest

from lora_lab.runs.measure import UNKNOWN, measure_of

BASE = '{"record":"LoadedRecord","title":"x","task":"mnist","classes":["0","1"]}\n'
STEP = '{"record":"StepRecord","step":1,"loss":0.5,"learning_rate":0.1,"seconds":0.1}\n'
LATER = '{"record":"LoadedRecord","title":"x","task":"causal_lm","classes":[]}\n'


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        (BASE + STEP, ("mnist", ("0", "1"))),
        (BASE + STEP + LATER + STEP, ("causal_lm", ())),
        (STEP, UNKNOWN),
        ("", UNKNOWN),
        ('{"record":"LoadedRecord","task":7,"classes":[]}\n', UNKNOWN),
        ('{"record":"LoadedRecord","task":"mnist"}\n', UNKNOWN),
        ('{"record":"LoadedRecord","ta', UNKNOWN),
    ],
)
def test_the_newest_stage_counts(tmp_path, text, measure):
    path = tmp_path / "metrics.jsonl"
    path.write_text(text)
    assert measure_of(path) == measure


def test_a_run_without_records_has_none(tmp_path):
    assert measure_of(tmp_path / "metrics.jsonl") == UNKNOWN
