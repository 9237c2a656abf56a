"""`lora-lab numbers`: JSON on stdout, the price and a table on stderr, refusals in one sentence."""

import json

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app


def numbers(*arguments):
    return CliRunner().invoke(app, ["numbers", "--steps", "5", "--seeds", "1", *arguments])


def test_json_has_every_method_by_what_it_trains():
    done = numbers("--methods", "lora, subspace", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["methods"]) == {"lora", "subspace"}
    trained = [mark["trained"] for mark in found["methods"]["lora"]]
    assert trained == [458, 916, 1832, 3664, 6884]
    assert found["full"]["trained"] == 17_226
    assert found["start"] == pytest.approx(0.496, abs=1e-3)
    assert "runs of 5 steps" in " ".join(done.stderr.split())
    assert "full training" in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (("--methods", "magic"), "not magic"),
    (("--preset", "known-rank"), "no model to start from"),
    (("--preset", "mnist-tutorial"), "IDX"),
])  # fmt: skip
def test_bad_input_is_one_sentence(arguments, words):
    done = numbers(*arguments)
    assert done.exit_code == 1
    assert words in " ".join(done.stderr.split())
    assert done.stdout == ""
