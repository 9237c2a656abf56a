"""`lora-lab claims`: a list, what is expected before and what was measured after, refusals."""

import json

from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.studies.claim_list import CLAIMS


def run(*arguments):
    return CliRunner().invoke(app, ["claims", *arguments])


def test_without_a_name_they_are_listed():
    done = run("--json")
    assert [row["claim"] for row in json.loads(done.stdout)] == list(CLAIMS)
    assert "ten-times" in run().stdout


def test_the_expected_is_said_before_and_the_verdict_after():
    done = run("first-steps", "--steps", "6", "--seeds", "1", "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert row["verdict"] in ("agrees", "differs here", "not decided")
    assert row["missing"] == 0
    words = " ".join(done.stderr.split())
    assert words.index("expected: the curves") < words.index("run 1 of 6")
    assert words.rindex("measured: Training loss") > words.index("run 6 of 6")
    again = run("first-steps", "--steps", "6", "--seeds", "1")
    assert "6 already there" in " ".join(again.stderr.split())
    assert "first-steps: " in again.stdout


def test_the_price_and_what_cannot_be_tried_here():
    done = run("ten-times", "mlp-layers", "--price")
    words = " ".join(done.stderr.split())
    assert done.exit_code == 0
    assert "22 runs, 0 already there" in words
    assert "cannot be tried here: This model has no attention" in words


def test_an_unknown_name_is_one_sentence():
    done = run("eleven-times")
    assert done.exit_code == 1
    assert "There is no claim 'eleven-times'" in " ".join(done.stderr.split())
