"""`lora-lab race`: JSON on stdout, the price, progress and a table on stderr, refusals in words."""

import json

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app


def race(*arguments):
    return CliRunner().invoke(app, ["race", "--steps", "30", *arguments])


def test_json_has_a_lane_per_rank_and_the_price_comes_before():
    done = race("--preset", "digits", "--ranks", "1,2,4", "--lr", "1e-3", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [lane["rank"] for lane in found["lanes"]] == [1, 2, 4]
    assert [lane["trained"] for lane in found["lanes"]] == [458, 916, 1832]
    assert found["cut_of"] == 4
    assert all(lane["cut"]["loss"] > 0 for lane in found["lanes"][:2])
    assert found["lanes"][2]["cut"] is None
    for lane in found["lanes"]:
        assert lane["state"] == "finished"
        assert lane["loss"] > 0
        assert lane["validation_loss"] > 0
        assert lane["change"] > 0
        assert {len(sigma) for sigma in lane["sigma"].values()} == {lane["rank"]}
    price, _, rest = done.stderr.partition("\n")
    assert "30 rounds of 3 steps" in price
    assert "100 %" in rest
    assert "validation" in rest
    assert "No validation loss moved" not in rest


def test_a_table_is_on_stdout_without_json():
    done = race("--ranks", "1,2", "--alphas", "2r")
    assert "rank 2, cut to it" in done.stdout
    assert "458" in done.stdout
    assert "No validation loss moved by 1 % in 30 steps" in done.stderr
    assert "above 4e-06" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--variant", "full"), "no base to share"),
        (("--variant", "subspace"), "cannot race by rank"),
        (("--ranks", "few"), "not a whole number"),
        (("--ranks", " "), "names no rank"),
        (("--ranks", "0,1"), "rank"),
        (("--ranks", "1,2,1"), "Rank 1 is named twice"),
        (("--ranks", "1,500"), "above what any layer can use"),
        (("--rank", "3"), "--ranks"),
        (("--alphas", "16"), "multiple of the rank"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words):
    done = race(*arguments)
    assert done.exit_code == 1
    assert words in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_lanes_that_do_not_stay_finite_are_an_error_and_are_still_listed():
    done = race("--ranks", "1,2", "--lr", "10", "--alpha", "1e6", "--optimizer", "sgd", "--json")
    assert done.exit_code == 1
    assert "Lower --learning-rate" in done.stderr
    found = json.loads(done.stdout)
    assert {lane["state"] for lane in found["lanes"]} == {"paused"}
    assert all(lane["message"] for lane in found["lanes"])


def test_lanes_are_stacked_and_moved_by_a_script():
    done = race(
        "--ranks", "1,2,4", "--lr", "1e-3", "--stack", "--json", "--at", "20:drop:r1",
        "--at", "10:clone:r 4:rank=6", "--at", "10:add:8", "--at", "12:set:2:learning_rate=1e-4",
        "--at", "900:drop:r 2",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["stacked"]
    lanes = {lane["lane"]: lane for lane in found["lanes"]}
    assert set(lanes) == {"r 2", "r 4", "r 4 (2)", "r 8"}
    assert lanes["r 4 (2)"]["rank"] == 6
    assert lanes["r 2"]["learning_rate"] == 1e-4
    assert all(lane["steps"] == 30 for lane in lanes.values())
    assert "times as fast" in done.stderr
    assert "the race was over before: drop r 2" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("at", "words"), [
    ("²:drop:r 1", "no act of a race"), ("1:add:²", "adds no rank"),
    (f"{'1' * 5000}:drop:r 1", "no act of a race"), ("1:drop:r²", "There is no lane r²"),
    (f"1:add:{'1' * 5000}", "adds no rank"),
    ("soon:drop:r 1", "no act of a race"), ("5:eat:r 1", "no act of a race"),
    ("5:set:r 1", "sets nothing"), ("5:add:few", "adds no rank"),
    ("5:set:r 1:colour=red", "colour"), ("5:drop:r 9", "There is no lane r 9"),
    ("5:set:r 7:alpha=2", "At step 5: There is no lane r 7"), ("5:clone:4", "There is no lane r 4"),
])  # fmt: skip
def test_a_script_that_cannot_be_followed_is_one_sentence(at, words):
    done = race("--ranks", "1,2", "--at", at)
    assert done.exit_code == 1
    assert words in " ".join(done.stderr.split())
    assert "rounds" not in done.stderr, "it is refused before anything runs"


def test_a_script_is_followed_from_lane_to_lane_before_it_runs():
    moves = ("--at", "9:drop:r 1", "--at", "12:drop:r 8", "--at", "3:add:8")
    assert race("--ranks", "1,2", *moves).exit_code == 0
    done = race("--ranks", "1,2", *moves, "--at", "20:clone:r 8")
    assert "At step 20: There is no lane r 8. There are: r 2." in " ".join(done.stderr.split())
    assert "rounds" not in done.stderr


def test_a_race_whose_lanes_were_all_dropped_says_so():
    done = race("--ranks", "1,2", "--at", "3:drop:r 1", "--at", "3:drop:r 2", "--json")
    assert done.exit_code == 1
    assert "No lane is left" in " ".join(done.stderr.split())
    assert done.stdout == ""
