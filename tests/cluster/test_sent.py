"""The list of sweeps: it says what it cannot read, and changes nothing that it looks at."""

import json

import pytest

from lora_lab.cluster.sent import line_up, sent_sweeps, sweeps
from lora_lab.cluster.sweep import FILE
from lora_lab.presets import get_preset
from lora_lab.runs.queue import FILE as QUEUE
from lora_lab.runs.queue import Queue
from tests.runs.unreadable import refuse_to_read

WHERE = {"address": "http://h:8265", "sweep": "s", "number": 1, "storage": "", "cpus": 1}


@pytest.fixture
def three():
    """The newest first, as they are listed."""
    made = []
    for _ in range(3):
        made.insert(0, line_up([get_preset("digits").config] * 2))
        (made[0] / FILE).write_text(json.dumps(WHERE))
    return made


@pytest.mark.parametrize("text", ["{", '{"schema": 2, "items": []}'])
def test_a_queue_that_cannot_be_read_stays_where_it_is(three, text):
    held = Queue(three[1])
    (three[1] / QUEUE).write_text(text)
    before = sorted(three[1].iterdir())
    for _ in range(2):
        shown = sent_sweeps()
        assert [sent.folder for sent in shown] == three
        assert [bool(sent.flaw) for sent in shown] == [False, True, False]
    assert sorted(three[1].iterdir()) == before
    held.close()


def test_a_sweep_that_cannot_be_read_is_said_and_hides_no_other(three, monkeypatch):
    refuse_to_read(monkeypatch, three[1])
    shown = sent_sweeps()
    assert [sent.folder for sent in shown] == three
    assert "cannot be read: permission denied" in shown[1].flaw
    assert [len(sent.items) for sent in shown] == [2, 0, 2]


def test_sweeps_that_cannot_be_read_at_all_are_said(three, monkeypatch):
    refuse_to_read(monkeypatch, sweeps())
    (only,) = sent_sweeps()
    assert "sweeps cannot be read: permission denied" in only.flaw
