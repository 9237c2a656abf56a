"""A base that two processes hold by halves: steps and measurements are those of a whole one."""

import json

import pytest

from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.presets import get_preset, starting_config
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import resumable
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import Resume
from lora_lab.training.parallel import sharding
from lora_lab.training.run import run as train
from tests.models.tiny import save
from tests.training.parallel.started import started
from tests.training.parallel.taking_part import held
from tests.training.parallel.test_processes import alone, apart

EDITS = {5: {"rank": 5, "alpha": 24.0}, 9: {"learning_rate": 2e-3}, 12: {"rank": 3}}
SETTINGS = {
    "edits": {},
    "in parts": {"accumulation": 3, "max_grad_norm": 0.5},
    "one row": {"batch_size": 1},
    "again": {"checkpointing": True},
    "some layers": {"targets": ("q_proj", "down_proj"), "trunk_cache": 1.0},
    "bfloat16": {"dtype": "bfloat16"},
    "rslora pissa": {"variant": "rslora", "init": "pissa"},
    "vera": {"variant": "vera"},
}


def slow(test):
    return pytest.mark.slow(pytest.mark.timeout(600)(pytest.mark.filterwarnings("ignore")(test)))


def texts(folder, **settings):
    if not (folder / "m").exists():
        save(folder / "m", "llama")
        rows = [{"prompt": f"film {i}", "completion": " good" * (1 + i % 9)} for i in range(40)]
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    fixed = {"max_steps": 16, "batch_size": 6, "eval_steps": 4, **settings}
    return starting_config(
        "causal_lm", model=str(folder / "m"), data=str(folder / "rows.jsonl"),
        hyper={"learning_rate": 1e-3}, **fixed,
    )  # fmt: skip


def sharded(folder, name, **spec):
    settings = SETTINGS.get(name, {})
    config = texts(folder, **settings)
    if config.variant == "vera":
        spec.pop("edits", None)
    made = changed(config, shard_base=True).model_dump(mode="json")
    return {"config": made, "folder": str(folder / name), **spec}


ASKED = {
    "4": [["Generate", {"prompts": ["film 3"], "max_new_tokens": 5}], ["Evaluate", {}],
        ["FindRate", {"steps": 6}]],
    "7": [["MergePreview", {}], ["CountIntruders", {"layer": "model.layers.0.mlp.up_proj"}]],
}  # fmt: skip


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    specs = {name: sharded(folder, name, edits=EDITS) for name in SETTINGS}
    specs["bfloat16 whole"] = {**whole(specs["bfloat16"]), "folder": str(folder / "bw")}
    specs["asked"] = sharded(folder, "asked", asks=ASKED)
    specs["cut"] = sharded(folder, "cut", end=9)
    specs["nan"] = sharded(folder, "nan", ills={"1": {"nan": 4}})
    first, second = started(folder, specs)
    assert first.code == 0, first.said + second.said
    return folder, specs, first.results, second.results


def whole(spec):
    return {**spec, "ills": {}, "config": {**spec["config"], "shard_base": False}}


@slow
@pytest.mark.parametrize("name", sorted({*SETTINGS} - {"bfloat16"}))
def test_halves_of_the_base_make_the_steps_of_the_whole(together, tmp_path, name):
    _, specs, results, _ = together
    one, two = alone(tmp_path, whole(specs[name])), results[name]
    assert two["error"] == ""
    assert two["applied"] == one["applied"]
    print(f"\n{name}: {apart(two['losses'], one['losses']):.1e}, "  # noqa: T201
          f"validation {apart(two['held_out'], one['held_out']):.1e}")  # fmt: skip


@slow
def test_in_bfloat16_they_make_the_steps_of_two_with_whole_bases(together):
    _, _, results, _ = together
    assert results["bfloat16"]["losses"] == results["bfloat16 whole"]["losses"]
    assert results["bfloat16"]["held_out"] == results["bfloat16 whole"]["held_out"]


@slow
def test_each_holds_half_of_every_block(together):
    folder, _, results, others = together
    experiment = Experiment.build(texts(folder))
    blocks, beside = held(experiment)
    for said in (results["edits"], others["edits"]):
        print(f"\n{said['base'][0]:,} of {blocks:,} bytes of blocks, and {beside:,}")  # noqa: T201
        assert said["base"][0] == pytest.approx(blocks / 2, rel=0.02)
        assert said["base"][1] == beside


@slow
def test_what_the_first_computes_alone_is_what_one_computes(together, tmp_path):
    _, specs, results, _ = together
    one, two = alone(tmp_path, whole(specs["asked"])), results["asked"]
    apart(two["losses"], one["losses"])
    apart(two["asked"], one["asked"])
    assert two["texts"] == one["texts"]
    refused = [note for note in two["notes"] if "sharded over the processes" in note]
    assert len(refused) == 2, two["notes"]


@slow
def test_what_two_with_halves_saved_one_goes_on_with(together, tmp_path):
    folder, specs, results, _ = together
    full = alone(tmp_path, whole({**specs["cut"], "end": 0}))
    assert [step for step, _ in results["cut"]["losses"]] == list(range(1, 10))
    resumed = run_on(folder / "cut")
    print(f"\nsaved by halves on 2, resumed on 1: {apart(resumed, full['losses']):.1e}")  # noqa: T201


def run_on(folder):
    """The losses of a run that is resumed on the cpu, in one process."""
    opening = Resume.at(folder).on("cpu")
    assert not opening.config.shard_base
    for _ in train(opening, Controls(opening.config.hyper)):
        pass
    return steps_of(folder)


def steps_of(folder):
    rows = read_metrics(folder / "metrics.jsonl")
    return [[r["step"], r["loss"]] for r in rows if r["record"] == "StepRecord"]


@slow
def test_a_loss_that_is_not_finite_leaves_no_process_behind(together):
    _, _, results, others = together
    made = [step for step, _ in results["nan"]["losses"]]
    assert made in ([1], [1, 2], [1, 2, 3])  # the fourth part; a step has one or more of them
    words = f"Step {len(made) + 1} was not applied: the loss is nan"
    assert any(words in note for note in results["nan"]["notes"])
    assert others["nan"]["code"] == 0


@slow
@pytest.mark.parametrize("number", [0, 1])
def test_memory_that_is_short_ends_the_run_with_the_way_out(tmp_path, number):
    spec = sharded(tmp_path, "short", ills={str(number): {"short": 4}})
    ended = started(tmp_path / "a", {"short": spec})
    words = ended[number].said + str(ended[number].results)
    assert "begin with more of them (--accumulation)" in words
    other = ended[1 - number]
    assert "One of the 2 processes of this run has ended" in other.said + str(other.results)
    assert resumable(tmp_path / "short") == steps_of(tmp_path / "short")[-1][0]


def test_a_sharded_base_takes_several_processes(tmp_path):
    with pytest.raises(ConfigError, match="takes a run in several processes"):
        Experiment.build(changed(texts(tmp_path), shard_base=True))


REFUSED = {
    "dora": ({"variant": "dora"}, "q_proj is adapted by what looks at all of W .dora."),
    "full": ({"variant": "full"}, "looks at all of W"),
    "subspace": ({"variant": "subspace"}, "looks at all of W"),
    "lora-xs": ({"variant": "lora-xs"}, "looks at all of W"),
    "eva": ({"init": "eva"}, "Init eva looks at data"),
    "four bits": ({"base_bits": "4"}, "in 4 or 8 bits"),
    "no blocks": (None, "no list of blocks"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_all_of_the_base_is_refused_with_the_reason(tmp_path, monkeypatch, case):
    settings, words = REFUSED[case]
    config = get_preset("digits").config if settings is None else texts(tmp_path, **settings)
    monkeypatch.setattr(sharding, "processes_here", lambda: 2)
    with pytest.raises(ConfigError, match=words):
        Experiment.build(changed(config, shard_base=True))
