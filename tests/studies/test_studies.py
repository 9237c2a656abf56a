"""A study: its runs are planned, found again when ended, and read into tables and figures."""

import json
import math
import shutil
from itertools import product

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.presets import get_preset
from lora_lab.runs.listing import METRICS, SUMMARY
from lora_lab.runs.snapshots import read_snapshot
from lora_lab.studies import claim_runs
from lora_lab.studies.base import StudyBase
from lora_lab.studies.ended import Shelf, result_of
from lora_lab.studies.found import Found, between_ranks, between_seeds, same_seed
from lora_lab.studies.plan import FULL_SET, Settings, distinct, plan
from lora_lab.studies.summary import COLUMNS, summary, two_ranks, verdict
from lora_lab.studies.tables import at_best_rate, cell, rank_rows, set_rows
from lora_lab.training.measure.trial import random_states
from tests.models.tiny import save
from tests.studies.trained import train_all

SMALL = Settings(ranks=(1, 4), seeds=2, rates=(1e-2,))


@pytest.fixture(scope="module")
def digits():
    return StudyBase(get_preset("digits").config, 8)


@pytest.fixture(scope="module")
def small(digits, tmp_path_factory):
    """A plan whose runs of ranks have ended; those of the sets of layers have not."""
    folder = tmp_path_factory.mktemp("study")
    asked = plan(digits, SMALL)
    train_all(asked.by_rank.values(), folder / "runs")
    shelf = Shelf(digits, folder / "runs")
    shelf.look()
    return asked, shelf


def test_a_plan_has_a_run_of_each_rank_rate_and_seed(digits):
    asked = plan(digits, Settings(ranks=(2, 8), seeds=3, rates=(1e-3, 1e-2)))
    assert len(asked.by_rank) == 2 * 2 * 3
    for (rank, rate, seed), config in asked.by_rank.items():
        assert (config.hyper.rank, config.hyper.learning_rate, config.seed) == (rank, rate, seed)
        assert config.hyper.alpha / rank == 1.0  # s of the preset, at every rank
        assert config.data_seed == 0  # all seeds are measured on the same rows
        assert config.digits == ()
        assert config.snapshots
    assert any("9 is learned beside" in note for note in asked.notes)
    assert any("curve of the rate" in note for note in plan(digits, SMALL).notes)


def test_sets_of_layers_have_the_rank_that_the_count_leaves_them(digits):
    """r_T = ⌊N/Σ(in + out)⌋ (LoRA §7.1, Table 5), and the shape of a layer is a cap."""
    sizes = {"fc1": 64 + 128, "fc2": 128 + 64, "fc3": 64 + 10}
    asked = plan(digits, Settings(count=916))
    assert [one.name for one in asked.sets] == [
        "fc1", "fc2", "fc3", "fc1 + fc2", "fc1 + fc3", "fc2 + fc3", "all layers"
    ]  # fmt: skip
    for one in asked.sets:
        names = list(sizes) if one.name == "all layers" else one.name.split(" + ")
        rank = 916 // sum(sizes[name] for name in names)
        caps = {"fc1": 64, "fc2": 64, "fc3": 10}
        assert one.numbers == sum(min(rank, caps[name]) * sizes[name] for name in names)
        assert one.rank == min(rank, max(caps[name] for name in names))
        assert bool(one.note) == (one.name == "fc3")
    assert {name for name, _, _ in asked.by_set} == {*(x.name for x in asked.sets), FULL_SET}
    few = plan(digits, Settings(count=200))  # rank 1 of one layer, and of no two
    assert [one.name for one in few.sets] == ["fc1", "fc2", "fc3"]


def test_what_cannot_be_is_refused_and_what_is_left_out_is_said(digits):
    with pytest.raises(ConfigError, match="Rank 100 is above"):
        plan(digits, Settings(ranks=(1, 100)))
    with pytest.raises(ConfigError, match="A rank is 1"):
        Settings(ranks=(0,))
    with pytest.raises(ConfigError, match="learning rate is above 0"):
        Settings(rates=(0.0,))
    alone = plan(digits, Settings(seeds=1))
    assert any("two seeds" in note for note in alone.notes)
    one_layer = plan(StudyBase(get_preset("known-rank").config, 8), SMALL)
    assert one_layer.by_set == {}
    assert any("two kinds of layers" in note for note in one_layer.notes)
    other = changed(get_preset("digits").config, variant="dora", init="pissa")
    notes = StudyBase(other, 8).notes
    assert any("in place of" in note and "s·B·A" in note for note in notes)
    assert any("pissa" in note for note in notes)
    frozen = StudyBase(changed(get_preset("digits").config, variant="lora-fa"), 8)
    assert frozen.config.variant == "lora"
    assert any("both trained" in note for note in frozen.notes)
    with pytest.raises(LabError, match="not trained yet"):
        StudyBase(get_preset("mnist-tutorial").config)


def test_opening_a_study_draws_nothing_that_another_run_may_be_drawing_from():
    before = random_states(torch.device("cpu"))[0]
    base = StudyBase(get_preset("digits").config, 8)
    assert base.run_seconds > 0
    assert torch.equal(before, random_states(torch.device("cpu"))[0])


def test_ended_runs_are_found_by_what_they_were_asked(digits, small):
    asked, shelf = small
    assert shelf.missing(asked.by_rank.values()) == ()
    assert len(shelf.missing(asked.by_set.values())) == len(asked.by_set)
    config = asked.by_rank[4, 1e-2, 1]
    found = shelf.of(config)
    assert (found.config.hyper.rank, found.config.seed) == (4, 1)
    assert shelf.of(changed(config, seed=77)) is None
    assert shelf.of(changed(config, max_steps=9)) is None
    assert shelf.of(changed(config, snapshots=20)) is None, "it has not kept as much"
    named = changed(config, preset="another", autosave_seconds=9.0, snapshots=0)
    assert shelf.of(named).path == found.path, "a name changes no step"


def test_a_run_that_was_moved_or_was_not_finite_is_not_what_was_asked(digits, small, tmp_path):
    asked, shelf = small
    config = asked.by_rank[4, 1e-2, 1]
    rows = [json.loads(x) for x in (shelf.of(config).path / METRICS).read_text().splitlines()]
    for extra, expected in (
        ({"record": "AppliedRecord", "step": 3, "changes": [["rank", 4, 2]]}, None),
        (
            {
                "record": "NonFiniteRecord",
                "step": 3,
                "what": "loss",
                "layer": "",
                "message": "",
                "causes": [],
                "remedies": [],
                "restored": 2,
                "norm": 1.0,
            },
            math.inf,
        ),
    ):
        train_all([config], tmp_path / extra["record"])
        (path,) = (tmp_path / extra["record"]).iterdir()
        with open(path / METRICS, "a") as file:
            file.write(json.dumps(extra) + "\n")
        other = Shelf(digits, path.parent)
        other.look()
        found = other.of(config)
        assert (found.loss if found else None) == expected
    assert result_of(path, config, rows, ("9",)).loss == shelf.of(config).loss


def test_accuracy_is_half_of_the_new_and_half_of_the_old_classes(small, tmp_path):
    asked, _ = small
    config = asked.by_rank[1, 1e-2, 0]
    rows = [
        {"record": "LoadedRecord", "classes": ["a", "b", "c"]},
        {"record": "StepRecord", "loss": 3.0},
        {"record": "StepRecord", "loss": 1.0},
        {"record": "EvalRecord", "enabled": True, "loss": 0.5, "correct": [9, 1, 3],
         "total": [10, 10, 4]},
    ]  # fmt: skip
    new = result_of(tmp_path, config, rows, ("c",))
    assert new.accuracy == pytest.approx(0.5 * (10 / 20) + 0.5 * (3 / 4))
    assert new.training_loss == 1.0
    alike = result_of(tmp_path, config, rows, ())
    assert alike.accuracy == pytest.approx((0.9 + 0.1 + 0.75) / 3)
    assert result_of(tmp_path, config, rows[:2], ()) is None


def test_a_row_counts_at_the_rate_of_the_least_training_loss(digits, small):
    asked, shelf = small
    for row in rank_rows(asked, shelf):
        assert (row.rate, row.loss.n) == (1e-2, 2)
        assert row.loss.mean == pytest.approx(sum(r.loss for r in row.loss.runs) / 2)
        assert "±" in row.loss.words
    for row in set_rows(asked, shelf):
        assert (row.loss.n, row.loss.words) == (0, "—")


def test_pairs_have_the_seeds_that_they_should(small):
    asked, shelf = small
    low, high = (at_best_rate(asked, shelf, rank) for rank in (1, 4))
    assert {(a.config.seed, b.config.seed) for a, b in between_ranks(low, high)} == {(0, 1), (1, 0)}
    assert {(a.config.seed, b.config.seed) for a, b in same_seed(low, high)} == {(0, 0), (1, 1)}
    assert [(a.config.seed, b.config.seed) for a, b in between_seeds(high)] == [(0, 1)]


def test_figures_are_there_at_every_step_that_was_kept(digits, small):
    asked, shelf = small
    found = Found(digits)
    runs = at_best_rate(asked, shelf, 4)
    assert found.steps(runs) == (0, 1, 2, 4, 8)
    start = found.similarity(between_seeds(runs), "fc1", "A", 0)
    assert start.at(4)[0] == pytest.approx(4 / 64, abs=0.06)
    assert start.at(4)[2] == 4 / 64
    assert found.similarity(between_seeds(runs), "fc1", "right", 0).phi.isnan().all()
    assert found.similarity(between_seeds(runs), "fc1", "change", 1).phi.isnan().all()
    end = found.similarity(between_seeds(runs), "fc1", "left", 8)
    assert not end.phi.isnan().any()
    none, some = (found.amplification(runs, "fc2", step) for step in (0, 8))
    assert math.isnan(none.middle("factor"))
    assert some.middle("in_random") == pytest.approx(
        4 * float(digits.weight("fc2").norm()) / math.sqrt(64 * 128)
    )
    with pytest.raises(LabError, match="no snapshot of step 3"):
        found.factors(runs[0], 3)


def test_the_start_that_is_drawn_again_is_the_one_that_was_kept(digits, small):
    """A₀ of a run, from its seed, layers and rank; before the second step A has not moved."""
    asked, shelf = small
    for rank, seed in product((1, 4), (0, 1)):
        run = shelf.of(asked.by_rank[rank, 1e-2, seed])
        kept, again = read_snapshot(run.path, 0, digits.most_numbers), digits.start_of(run.config)
        first = read_snapshot(run.path, 1, digits.most_numbers)
        assert kept.keys() == again.keys()
        for name, layer in kept.items():
            assert torch.equal(layer.lora_A, again[name].lora_A)
            assert torch.equal(layer.lora_A, first[name].lora_A), "∇A = 0 where B = 0"
            assert not layer.lora_B.any()
            assert first[name].lora_B.any()


def test_the_summary_is_plain_and_open_where_nothing_was_trained(digits, small):
    asked, shelf = small
    assert two_ranks(asked) == (1, 4)
    result = json.loads(json.dumps(summary(asked, shelf, Found(digits)), allow_nan=False))
    assert [row["name"] for row in result["table6"]] == ["1", "4"]
    assert result["table5"]["rows"][0]["loss"]["mean"] is None
    assert set(result["between_seeds"]["layers"]) == {"fc1", "fc2", "fc3"}
    assert set(COLUMNS) < set(result["table7"]["fc1"]["4"])
    found = verdict(asked, shelf, Found(digits), "fc1")
    assert found.measured == found.asked == len(asked.ranks)
    assert found.best.loss.mean == min(row.loss.mean for row in rank_rows(asked, shelf))
    assert found.enough.rank <= found.best.rank
    assert (found.shared.layer, found.shared.rank) == ("fc1", 4)
    assert 0 <= found.shared.first <= 1
    empty = Shelf(digits, shelf.of(asked.by_rank[1, 1e-2, 0]).path)  # no folder of runs
    empty.look()
    assert summary(asked, empty, Found(digits))["table7"] == {}
    assert verdict(asked, empty, Found(digits), "fc1").measured == 0


def without(name):
    def change(state):
        return {key: value for key, value in state.items() if f".{name}." not in key}

    return change


SPOILED = {
    "gone": None,
    "NaN": lambda state: {key: torch.full_like(value, math.nan) for key, value in state.items()},
    "another shape": lambda state: {
        key: torch.ones(value.shape[0], 7) if key.endswith("fc2.lora_A.weight") else value
        for key, value in state.items()
    },
    "a layer less": without("fc3"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_run_whose_factors_are_spoiled_hides_no_other(digits, small, tmp_path, spoiled):
    asked, shelf = small
    shutil.copytree(shelf.of(asked.by_rank[1, 1e-2, 0]).path.parent, tmp_path / "runs")
    again = Shelf(digits, tmp_path / "runs")
    again.look()
    bad = again.of(asked.by_rank[4, 1e-2, 1]).path
    shutil.rmtree(bad / "snapshots")
    file = bad / "adapter" / "adapter_model.safetensors"
    change = SPOILED[spoiled]
    state = load_file(file) if change else {}
    file.unlink()
    if change:
        save_file(change(state), file)
    found = Found(digits)
    result = json.loads(json.dumps(summary(asked, again, found), allow_nan=False))
    assert result["table7"]["fc1"]["4"]["n"] == 1
    assert result["table7"]["fc1"]["1"]["n"] == 2
    assert result["between_ranks"]["layers"]["fc1"]["left"]["pairs"] == 1
    (said,) = [note for note in result["notes"] if note.startswith(bad.name)]
    assert "left out of the figures" in said
    assert verdict(asked, again, Found(digits), "fc1").shared is None


def test_each_run_is_trained_once(digits):
    asked = plan(digits, SMALL)
    configs = [*asked.by_rank.values(), *asked.by_rank.values()]
    assert len(distinct(configs)) == len(asked.by_rank)


def test_a_model_of_text_is_priced_and_its_sets_are_named_by_their_parents(tmp_path):
    save(tmp_path / "model", "llama")
    rows = tmp_path / "rows.csv"
    rows.write_text("text\n" + "the film is good\n" * 20)
    config = RunConfig(
        task="causal_lm", model=str(tmp_path / "model"), data=str(rows), max_steps=3, batch_size=4,
        max_length=16, hyper={"rank": 2},
    )  # fmt: skip
    base = StudyBase(config)
    assert base.run_seconds > 0
    asked = plan(base, Settings())
    names = [one.name for one in asked.sets]
    assert "q_proj + k_proj + v_proj + o_proj" in names
    assert "gate_proj + up_proj + down_proj" in names
    assert names[-1] == "all layers"
    assert asked.ranks == (2, 8, 32)
    assert asked.rates == tuple(sorted(config.hyper.learning_rate * f for f in (1 / 3, 1, 3)))
    assert set(claim_runs.attention_and_mlp(base, 1)) == {
        (what, rate, 0)
        for what in (claim_runs.ATTENTION, claim_runs.MLP) for rate in claim_runs.OWN_RATES
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((), "—"), ((0.5, 0.51), "0.505 ± 0.007"), ((0.5,), "0.500"),
        ((math.inf, 0.5), "not finite"), ((math.nan, math.nan), "—"),
        ((2e-8, 4e-8), "3.0e-08 ± 1e-08"),
    ],
)  # fmt: skip
def test_a_cell_in_words(values, words):
    assert cell(values, [None] * len(values)).words == words


def test_a_run_whose_end_is_still_on_its_way_is_looked_at_again(digits, tmp_path):
    config = plan(digits, SMALL).by_rank[1, 1e-2, 0]
    train_all([config], tmp_path / "runs")
    (path,) = (tmp_path / "runs").iterdir()
    written = (path / SUMMARY).read_bytes()
    shelf = Shelf(digits, tmp_path / "runs")
    shelf.look()
    for early in (b'{"state": "running", "step": 8}', b"{}"):
        (path / SUMMARY).write_bytes(early)
        assert shelf.of(config) is None
    (path / SUMMARY).write_bytes(written)
    assert shelf.of(config).path == path


STEP = {"record": "StepRecord", "step": 1, "loss": 1.0, "learning_rate": 0.1, "seconds": 0.0}
EVAL = {"record": "EvalRecord", "step": 1, "enabled": True, "loss": 1.0, "accuracy": None,
        "correct": [], "total": [], "seconds": 0.0}  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [{"record": "StepRecord"}],
        [STEP | {"loss": 10**400}],
        [STEP, EVAL | {"loss": "x"}],
        [STEP, EVAL | {"total": 5}],
        [{"record": "ResumedRecord", "step": "x"}],
    ],
    ids=["no file", "no loss", "a long number", "words", "no list", "resumed nowhere"],
)
def test_a_damaged_run_is_no_evidence_and_hides_none(digits, tmp_path, rows):
    config = plan(digits, SMALL).by_rank[1, 1e-2, 0]
    train_all([config], tmp_path)
    other = shutil.copytree(tmp_path / "run-000", tmp_path / "run-001")  # the newer one
    (other / METRICS).unlink()
    if rows is not None:
        (other / METRICS).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    shelf = Shelf(digits, tmp_path)
    shelf.look()
    assert shelf.of(config).path == tmp_path / "run-000"


def test_records_that_no_lab_writes_are_passed_over(digits, tmp_path):
    config = plan(digits, SMALL).by_rank[1, 1e-2, 0]
    train_all([config], tmp_path)
    strange = [{"a": 1}, {"record": [1]}, EVAL | {"correct": [1], "total": [1, 2]}]
    with (tmp_path / "run-000" / METRICS).open("a") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in strange)
    shelf = Shelf(digits, tmp_path)
    shelf.look()
    assert shelf.of(config).path == tmp_path / "run-000"
