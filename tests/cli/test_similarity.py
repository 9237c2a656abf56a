"""`lora-lab similarity`: tables, the price before, runs that are trained once, refusals."""

import json

from typer.testing import CliRunner

from lora_lab.cli import app

FEW = ("--steps", "4", "--seeds", "2", "--ranks", "1,2", "--learning-rates", "1e-2")


def run(*arguments):
    return CliRunner().invoke(app, ["similarity", *arguments])


def test_runs_are_trained_once_and_shown_from_then_on():
    done = run(*FEW, "--only", "ranks", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["loss"]["n"] for row in found["table6"]] == [2, 2]
    assert found["between_seeds"]["layers"]["fc1"]["left"]["pairs"] == 1
    assert "4 runs of 4 steps, 0 already there" in " ".join(done.stderr.split())
    again = run(*FEW, "--only", "ranks")
    assert "4 already there" in " ".join(again.stderr.split())
    assert "Table 7" in again.stdout
    assert "Table 5" not in again.stdout


def test_the_price_is_said_without_training():
    done = run(*FEW, "--price")
    assert done.exit_code == 0
    assert "20 runs of 4 steps" in " ".join(done.stderr.split())  # 4, and 8 sets of 2 seeds
    assert done.stdout == ""


def test_bad_input_is_one_sentence():
    for arguments, words in (
        (("--only", "heads"), "ranks or layers"),
        (("--ranks", "1, 900"), "Rank 900 is above"),
        (("--learning-rates", "0"), "above 0"),
        (("--ranks", "few"), "not a whole number"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1, arguments
        assert words in " ".join(done.stderr.split()), done.stderr
        assert done.stdout == ""
