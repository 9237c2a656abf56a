"""`lora-lab dimension`: JSON on stdout, a table and the price on stderr, refusals in a sentence."""

import json

from typer.testing import CliRunner

from lora_lab.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["dimension", "--steps", "30", "--seeds", "1", *arguments])


def test_json_has_both_starts_and_the_table_is_on_stderr():
    done = run("--preset", "digits", "--dimensions", "8,64,512", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found) == {"base", "random"}
    assert {"d90", "interval", "d90_gain", "full", "start"} <= set(found["base"])
    assert "17,226 weights" in done.stderr
    assert "full, 17,226" in done.stderr


def test_without_json_it_says_the_sentence():
    done = run("--dimensions", "8,64", "--start", "base")
    assert "reach 90 %" in done.stdout


def test_bad_input_is_one_sentence():
    for arguments, words in (
        (("--dimensions", "0,4"), "from 1 to the 17,226 weights"),
        (("--dimensions", "few"), "whole numbers"),
        (("--start", "somewhere"), "base, random or both"),
        (("--learning-rate", "inf"), "above 0 and 3.33 at most"),
        (("--learning-rate", "1e30"), "not 1e+30"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1
        assert words in " ".join(done.stderr.split())
        assert done.stdout == ""
