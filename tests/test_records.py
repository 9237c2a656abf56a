"""Records: plain in both directions of sight, and arrays that nobody can change."""

import json

import numpy as np
import pytest

from lora_lab.config import checked
from lora_lab.exported import ExportReport, LayerCheck
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.plain import plain
from lora_lab.records import AppliedRecord, CountsRecord, State, StateRecord, frozen_array


def test_arrays_are_copies_that_cannot_be_written():
    source = np.arange(3.0)
    array = frozen_array(source)
    source[0] = 9
    assert array[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_plain_is_json():
    hyper = Hyperparameters(layer_ranks=(("fc1", 2),), frozen_layers=("fc2",))
    record = AppliedRecord(3, hyper, (("rank", 2, 4),), ("note",))
    text = json.loads(json.dumps(plain(record)))
    assert text["record"] == "AppliedRecord"
    assert text["changes"] == [["rank", 2, 4]]
    assert text["hyper"]["rank"] == 8
    assert checked(Hyperparameters, text["hyper"]) == hyper
    assert plain(StateRecord(State.PAUSED, 1))["state"] == "paused"


def test_totals():
    assert CountsRecord(0, 6_794, 2_807_010, ()).total == 2_813_804
    checks = (LayerCheck("a", 1, 1e-8), LayerCheck("b", 1, 3e-8))
    report = ExportReport("peft", "x", checks, 4, 10, "")
    assert report.largest_error == 3e-8
    assert report.mean_error == pytest.approx(2e-8)
