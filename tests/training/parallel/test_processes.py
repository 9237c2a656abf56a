"""Two processes, gloo between them, against one: the same run; and what ends one ends the other."""

import json

import pytest

from lora_lab.config import changed
from lora_lab.presets import get_preset, starting_config
from lora_lab.runs.checkpoints import listed
from lora_lab.variants import VARIANTS
from tests.models.tiny import save
from tests.training.parallel.started import started
from tests.training.parallel.taking_part import take_part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]
CLOSE = 1e-6  # relative: two sums in another order
KINDS = {
    **{variant: {"variant": variant} for variant in VARIANTS},
    "muon": {"optimizer": "muon"},
    "in parts": {"accumulation": 3, "max_grad_norm": 0.5},
    "one row": {"batch_size": 1},
    "float64": {"dtype": "float64"},
}


def digits(steps=16, **settings):
    config = get_preset("digits").config
    rate = {**config.hyper.model_dump(), "learning_rate": 1e-3, **settings.pop("hyper", {})}
    made = changed(config, max_steps=steps, eval_steps=4, hyper=rate, **settings)
    return made.model_dump(mode="json")


def texts(folder, steps=16):
    save(folder / "m", "llama")
    data = folder / "rows.jsonl"
    rows = [{"prompt": f"film {i}", "completion": " good" * (1 + i % 9)} for i in range(40)]
    data.write_text("\n".join(map(json.dumps, rows)))
    made = starting_config(
        "causal_lm", model=str(folder / "m"), data=str(data), max_steps=steps, batch_size=6,
        eval_steps=8, hyper={"learning_rate": 1e-3},
    )  # fmt: skip
    return made.model_dump(mode="json")


def other(folder):
    """A model of the same form with other weights."""
    save(folder / "other", "llama", seed=1)
    return str(folder / "other")


def runs(folder):
    """What two make together, one run after another; those that one makes alone are the same."""
    text, seldom = texts(folder), {"autosave_seconds": 1000}
    dropout = digits(12, hyper={"dropout": 0.3}, **seldom)
    scaled = digits(12, dtype="float16", **seldom)
    specs = {
        "rank": {"config": digits(), "edits": {8: {"rank": 5}}},
        "text": {"config": text,
                 "edits": {8: {"rank": 5, "alpha": 24.0}, 12: {"learning_rate": 2e-3}}},
        "cut": {"config": digits(16, **seldom), "end": 9},
        "dropout": {"config": dropout},
        "dropout cut": {"config": dropout, "end": 6},
        "dropout resumed": {"resume": str(folder / "dropout cut"), "until": 12},
        "float16": {"config": scaled},
        "float16 cut": {"config": scaled, "end": 6},
        "float16 resumed": {"resume": str(folder / "float16 cut"), "until": 12},
        "back": {"config": digits(12), "save": 5, "back": 9, "back_to": 5},
        "short": {"config": digits(6), "ills": {"1": {"short": 3}}},
        "nan": {"config": digits(6), "ills": {"1": {"nan": 4}}},
        **{name: {"config": digits(8, **settings)} for name, settings in KINDS.items()},
        "hidden": {"config": text, "hide": str(folder / "elsewhere.jsonl")},
        "words": {"config": text, "words": ["--rank", "9"]},
        "weights": {"config": text, "model": other(folder)},
    }  # fmt: skip
    return {n: spec if "resume" in spec else {**spec, "folder": str(folder / n)}
            for n, spec in specs.items()}  # fmt: skip


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder, the specs, and what the first of two processes says of each."""
    folder = tmp_path_factory.mktemp("together")
    specs = runs(folder)
    first, second = started(folder, specs)
    assert (first.code, second.code) == (0, 1), first.said + second.said
    codes = {name: said["code"] for name, said in second.results.items()}
    assert {name for name, code in codes.items() if code} == {"hidden", "words", "weights"}
    return folder, specs, first.results


def alone(tmp_path, spec):
    return take_part({**spec, "ills": {}, "folder": str(tmp_path / "alone")})


def apart(found, wanted):
    """By how much two lists of (step, loss), or of losses, differ at most: to rounding."""
    found, wanted = ([x if isinstance(x, float) else x[1] for x in one] for one in (found, wanted))
    assert len(found) == len(wanted) > 0
    most = max(abs(a / b - 1) for a, b in zip(found, wanted, strict=True))
    assert most < CLOSE
    return most


@pytest.mark.parametrize("name", ["rank", "text", "back", "short", *KINDS])
def test_two_at_half_batches_make_the_steps_of_one(together, tmp_path, name):
    """Edits in mid-run, going back, and memory that is short in the second process among them."""
    _, specs, results = together
    one, two = alone(tmp_path, specs[name]), results[name]
    assert two["applied"] == one["applied"] == len(specs[name].get("edits", {}))
    assert two["rates"] == one["rates"]
    assert [step for step, _ in two["losses"]] == [step for step, _ in one["losses"]]
    steps, held_out = (apart(two[what], one[what]) for what in ("losses", "held_out"))
    assert any("computed in 2 parts" in note for note in two["notes"]) == (name == "short")
    assert len(set(one["held_out"])) > 1
    print(f"\n{name}: losses of steps within {steps:.1e}, of validations within {held_out:.1e}")  # noqa: T201


def test_what_two_saved_one_goes_on_with(together, tmp_path):
    folder, specs, results = together
    whole = alone(tmp_path, {**specs["cut"], "end": 0})
    assert [step for step, _ in results["cut"]["losses"]] == list(range(1, 10))
    resumed = take_part({"resume": str(folder / "cut")})
    print(f"\nsaved on 2, resumed on 1: {apart(resumed['losses'], whole['losses']):.1e}")  # noqa: T201
    assert any("processes was 2 and is 1" in note for note in resumed["notes"])


def test_as_many_as_before_go_on_to_the_bit_with_dropout(together):
    _, _, results = together
    assert results["dropout resumed"]["losses"] == results["dropout"]["losses"]
    assert results["dropout resumed"]["notes"] == []


def test_in_float16_all_have_one_scale_and_go_on_with_it(together, tmp_path):
    """The first step overflows, and is made again by all."""
    _, specs, results = together
    two, one = results["float16"], alone(tmp_path, specs["float16"])
    assert two["notes"] == []
    losses = [[loss for _, loss in said["losses"]] for said in (two, one)]
    assert losses[0] == pytest.approx(losses[1], rel=5e-3)
    assert results["float16 resumed"]["losses"] == two["losses"]


def test_a_loss_that_is_not_finite_is_no_step_of_any(together):
    _, _, results = together
    assert [step for step, _ in results["nan"]["losses"]] == [1, 2, 3]
    assert any("Step 4 was not applied: the loss is nan" in x for x in results["nan"]["notes"])


@pytest.mark.parametrize(
    ("name", "words"),
    [("hidden", "elsewhere.jsonl"), ("weights", "its base model has other weights"),
     ("words", "--rank 9) than the first")],
)  # fmt: skip
def test_one_that_cannot_open_the_run_or_has_another_is_named(together, name, words):
    _, _, results = together
    assert results[name]["error"].startswith("Process 1 of 2: ")
    assert words in results[name]["error"]


def test_more_processes_than_rows_are_told_of(together):
    _, _, results = together
    words = "A batch of 1 leaves 1 of 2 processes without a row"
    told = {name for name, said in results.items() if words in " ".join(said["notes"])}
    assert told == {"one row"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_dies_ends_the_other_and_the_save_stands(tmp_path, number):
    run = tmp_path / "run"
    spec = {"config": digits(20, autosave_seconds=0.001), "folder": str(run), "save": 5,
            "ills": {str(number): {"dies": 12}}}  # fmt: skip
    ended = started(tmp_path / "a", {"run": spec})
    assert ended[number].code == -9
    left = ended[1 - number]
    words = left.results["run"]["error"] if number else left.said
    assert "One of the 2 processes of this run has ended" in words
    if not number:
        assert left.code == 1
        assert "The newest save stands: lora-lab resume." in left.said
    assert "Traceback" not in left.said
    saved = max(listed(run))[0]
    assert saved == 11 if number else saved >= 5
    resumed = take_part({"resume": str(run), "until": 14})
    assert [step for step, _ in resumed["losses"]] == list(range(1, 15))
