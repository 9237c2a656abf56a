"""A search in a queue, over a loss that is known: what it chooses, ends, remembers and refuses."""

import itertools
import json
import math
import statistics

import pytest

from lora_lab.config import changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.opening_records import LoadedRecord, TargetInfo
from lora_lab.presets import get_preset
from lora_lab.records import EvalRecord
from lora_lab.runs import search as module
from lora_lab.runs.grid import TimesRank, expand
from lora_lab.runs.queue import DONE, FAILED, PRUNED, RUNNING, Queue
from lora_lab.runs.search import Plan, Search
from lora_lab.runs.searches import Searches
from lora_lab.runs.space import Range, parse_space
from lora_lab.training.experiment import Experiment

SPACE = {
    "rank": (1, 2, 4, 8, 64), "learning_rate": Range(1e-4, 1e-1), "variant": ("lora", "full"),
    "alpha": (TimesRank(1.0), TimesRank(2.0)),
}  # fmt: skip
LAYER = (TargetInfo("layer", "linear", (48, 32)),)


def base(**settings):
    return changed(get_preset("known-rank").config, max_steps=60, **settings)


def plan(**settings):
    return Plan(**{"base": base(), "space": SPACE, "adaptable": LAYER, "trials": 14, **settings})


def loss_of(config, step=60):
    """Lowest at rank 4 and a rate of 1e-2, and falling with the steps."""
    off = math.log10(config.hyper.learning_rate / 1e-2) ** 2 + abs(config.hyper.rank - 4) / 10
    return off + 1 / step


def made(search, known=None, restart=False):
    """Run a search to its end; the settings of its runs."""
    found, known = [], set() if known is None else known
    while (asked := search.next(known)) is not None:
        number, config = asked
        known.add(number)
        found.append(config)
        search.tell(number, loss_of(config))
        search = Search(search.folder) if restart else search
    return found


AXES = {
    "rank": [("1,2", (1, 2)), ("1..64", Range(1, 64, True)), (" 2 .. 8 ", Range(2, 8, True))],
    "learning_rate": [("1e-4..1e-2", Range(1e-4, 1e-2)), ("1e-3", (1e-3,))],
    "alpha": [("r, 16", (TimesRank(1.0), 16.0)), ("4..32", Range(4, 32))],
    "targets": [("all-linear; fc1,fc2", (("all-linear",), ("fc1", "fc2")))],
}


@pytest.mark.parametrize("field", AXES)
def test_an_axis_is_values_or_a_range(field):
    for text, wanted in AXES[field]:
        assert parse_space(field, text) == wanted


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("variant", "lora..dora", "variant has no range"),
        ("rank", "1..", "is not a range"),
        ("rank", "1.5..8", "1.5"),
        ("rank", "8..1", "larger number"),
        ("learning_rate", "0..1", "above 0"),
        ("learning_rate", "a..b", "a"),
    ],
)
def test_what_is_no_axis_is_named(field, text, words):
    with pytest.raises(ConfigError, match=words):
        parse_space(field, text)


def test_without_optuna_the_way_to_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'lora-lab\[search\]'"):
        Search.create(tmp_path, plan())


def test_runs_of_other_seeds_are_measured_on_the_same_rows():
    """Of a grid as well: else a loss is lower because its rows are easier."""
    texts = base(seed=3)
    for runs in (
        expand(texts, {"seed": (3, 4, 5)}).runs,
        expand(changed(texts, data_seed=7), {"seed": (3, 4)}).runs,
    ):
        assert len(runs) == len({run.seed for run in runs}) > 1
        assert len({run.split_seed for run in runs}) == 1


def trials_of(optuna, search):
    """What Optuna itself reads in the journal."""
    backend = optuna.storages.journal.JournalFileBackend(str(search.folder / "study.log"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name="search", storage=storage).trials


@pytest.fixture
def optuna():
    return pytest.importorskip("optuna", reason="the extra search installs it")


pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.oracle
class TestWithOptuna:
    def test_every_run_is_one_that_can_be_and_none_comes_twice(self, optuna, tmp_path):
        found = made(Search.create(tmp_path, plan()))
        assert len(found) == 14
        assert len({module.kind_of(config) for config in found}) == 14
        assert all(
            config.hyper.rank <= 32 for config in found
        )  # 64 is above what the layer can use
        assert sum(config.variant == "full" for config in found) > 0
        for config in (c for c in found if c.variant == "lora"):
            assert config.hyper.alpha in (config.hyper.rank, 2 * config.hyper.rank)
        assert {config.eval_steps for config in found} == {1}
        assert min(map(loss_of, found)) < 0.3

    def test_it_finds_more_than_chance_does(self, optuna, tmp_path):
        found = {
            sampler: [
                loss_of(config)
                for config in made(
                    Search.create(tmp_path, plan(base=base(seed=seed), sampler=sampler, trials=40,
                                                 space={"learning_rate": Range(1e-7, 1.0)}))
                )[20:]
            ]
            for sampler in ("tpe", "random")
            for seed in (1,)
        }  # fmt: skip
        assert statistics.median(found["tpe"]) < statistics.median(found["random"]) / 2

    def test_a_restart_after_every_run_chooses_the_same(self, optuna, tmp_path):
        one, other = (Search.create(tmp_path / name, plan()) for name in "ab")
        assert made(one) == made(other, restart=True)

    def test_a_trial_whose_run_is_not_known_is_given_again(self, optuna, tmp_path):
        search = Search.create(tmp_path, plan())
        asked = search.next(set())
        assert Search(search.folder).next(set()) == asked
        assert Search(search.folder).next({asked[0]}) != asked

    def test_a_grid_is_every_combination_in_its_order(self, optuna, tmp_path):
        space = {"rank": (4, 1), "alpha": (TimesRank(2.0), 16.0), "variant": ("lora", "full"),
                 "learning_rate": (1e-2, 1e-3)}  # fmt: skip
        wanted = expand(base(), space, LAYER).runs
        assert made(Search.create(tmp_path, plan(space=space, sampler="grid"))) == list(wanted)

    def test_a_grid_that_is_killed_before_a_trial_is_begun_goes_on(self, optuna, tmp_path):
        search = Search.create(tmp_path, plan(space={"rank": (1, 2)}, sampler="grid"))
        assert search.next(())[1].hyper.rank == 1
        waits = {"op_code": 4, "worker_id": "w", "study_id": 0, "state": 4, "datetime_start": None,
                 "system_attrs": {"fixed_params": {"rank": 1}}}  # fmt: skip
        with (search.folder / "study.log").open("a") as file:  # and killed in that moment
            file.write(json.dumps(waits) + "\n")
        assert [config.hyper.rank for config in made(Search(search.folder))] == [1, 2]

    def test_a_space_that_is_used_up_ends_the_search(self, optuna, tmp_path):
        space = {"rank": (1, 2), "seed": (0, 1)}
        search = Search.create(tmp_path, plan(space=space, trials=100))
        found = made(search)
        assert len(found) == 4
        assert search.left == Search(search.folder).left == 0
        assert len({config.split_seed for config in found}) == 1

    @pytest.mark.parametrize("sampler", ["tpe", "random"])
    def test_what_is_worse_than_half_of_the_others_is_ended(self, optuna, tmp_path, sampler):
        """Against the median of the earlier runs' best losses up to that step, by hand."""
        search, earlier = Search.create(tmp_path, plan(sampler=sampler)), []
        known, ended = set(), 0
        while (asked := search.next(known)) is not None:
            number, config = asked
            known.add(number)
            curve = []
            for step in range(1, 21):
                curve.append(loss_of(config, step))
                unpromising = search.report(number, step, curve[-1])
                others = [one[:step] for one in earlier if len(one) >= step]
                median = statistics.median(map(min, others)) if others else math.inf
                wanted = len(earlier) >= 4 and step >= 4 and min(curve) > median
                assert unpromising == wanted, (number, step)
                if unpromising:
                    ended += 1
                    break
            search.tell(number, curve[-1], pruned=unpromising)
            if not unpromising:
                earlier.append(curve)
        assert ended > 2

    def test_what_matters_is_told_apart(self, optuna, tmp_path):
        search = Search.create(tmp_path, plan(trials=40, space={
            "learning_rate": Range(1e-4, 1.0), "seed": tuple(range(9)),
        }))  # fmt: skip
        assert search.importances() == {}
        made(search)
        found = search.importances()
        assert list(found) == ["learning_rate", "seed"]
        assert sum(found.values()) == pytest.approx(1)

    def test_a_queue_goes_on_where_it_was_killed(self, optuna, tmp_path):
        """Killed after a run was asked for, while it ran, and between its end and the telling."""
        queue = Queue(tmp_path)
        searches = Searches(queue)
        search = searches.add(plan(trials=3))
        first = searches.next()
        assert (first.search, first.trial) == (search.id, 0)
        queue.note(first.id, state=RUNNING)
        queue.close()

        queue = Queue(tmp_path)
        searches = Searches(queue)
        assert searches.next().id == first.id  # it waits again
        queue.note(first.id, state=DONE, best=0.5)
        queue.close()  # the search was told nothing

        queue = Queue(tmp_path)
        searches = Searches(queue)
        second = searches.next()
        assert second.trial == 1
        assert searches.left == 1
        queue.note(second.id, state=FAILED)
        searches.tell(second.id)
        third = searches.next()
        queue.note(third.id, state=PRUNED, best=0.7)
        searches.tell(third.id)
        assert searches.next() is None
        trials = trials_of(optuna, search)
        assert [t.state.name for t in trials] == ["COMPLETE", "FAIL", "PRUNED"]
        assert trials[0].value == 0.5
        queue.close()

    def test_the_last_validation_ends_no_run(self, optuna, tmp_path):
        queue = Queue(tmp_path)
        searches = Searches(queue)
        searches.add(plan(trials=6))
        loaded = Experiment.build(base()).loaded()
        assert isinstance(loaded, LoadedRecord)
        for number in range(6):
            item = searches.next()
            searches.begin(item)
            assert not searches.unpromising(loaded)
            found = [
                searches.unpromising(EvalRecord(step, True, float(number + 1), None, (), (), 0.0))
                for step in (10, 60)
            ]
            assert found == [number > 3, False]
            queue.note(item.id, state=searches.end_state, best=float(number + 1))
            searches.tell(item.id)
        assert [item.state for item in queue.items] == [DONE] * 4 + [PRUNED] * 2
        queue.close()

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"sampler": "bayes"}, "There is no --search bayes"),
            ({"pruner": "x"}, "There is no --prune x"),
            ({"trials": 5000}, "1 to 1,000 trials"),
            ({"space": {}}, "something to vary"),
            ({"sampler": "grid"}, "learning_rate is a range"),
        ],
    )
    def test_a_plan_that_cannot_be_is_refused(self, optuna, tmp_path, settings, words):
        with pytest.raises(ConfigError, match=words):
            Search.create(tmp_path, plan(**settings))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("begun", [0, 2])
    def test_an_end_is_one_before_the_first_run_as_well(self, optuna, tmp_path, begun):
        search, known = Search.create(tmp_path, plan()), set()
        for _ in range(begun):
            known.add(search.next(known)[0])
        search.end()
        for one in (search, Search(search.folder)):
            assert one.left == 0
            assert one.next(known) is None

    def test_a_full_disk_is_told_and_takes_nothing_of_what_was_learned(
        self, optuna, tmp_path, room
    ):
        """Wherever a line of the journal breaks off."""
        search, known, found = Search.create(tmp_path, plan(trials=5)), set(), []
        journal = search.folder / "study.log"
        more, refused = itertools.count(1), []

        def with_room(work):
            while True:
                size = journal.stat().st_size if journal.exists() else 0
                room(size + 97 * next(more))
                try:
                    return work()
                except LabError as error:
                    refused.append(str(error))
                finally:
                    room(-1)

        while (asked := with_room(lambda: search.next(known))) is not None:
            number, config = asked
            known.add(number)
            found.append(config)
            with_room(lambda: search.tell(number, loss_of(config)))  # noqa: B023
            more = itertools.count(1)
        assert len(refused) > 10
        assert all("too large" in words for words in refused)
        assert len({module.kind_of(config) for config in found}) == 5
        assert made(Search(search.folder)) == []
        assert [
            trial.value for trial in trials_of(optuna, search) if trial.state.name == "COMPLETE"
        ] == [pytest.approx(loss_of(config)) for config in found]

    def test_a_kill_while_the_journal_was_written_leaves_it_of_use(self, optuna, tmp_path):
        search = Search.create(tmp_path, plan(trials=3))
        first = search.next(set())
        journal = search.folder / "study.log"
        whole = journal.read_bytes()
        for size in range(len(whole.rstrip(b"\n").rpartition(b"\n")[0]) + 1, len(whole), 41):
            journal.write_bytes(whole[:size])
            (search.folder / "study.log.lock").symlink_to(journal)  # held in that moment
            assert len(made(Search(search.folder))) == 3
            assert len(made(Search(search.folder))) == 0
            (search.folder / "study.log.lock").unlink()
        assert first is not None

    def test_damaged_files_are_named(self, optuna, tmp_path):
        search = Search.create(tmp_path, plan())
        search.next(set())
        journal = search.folder / "study.log"
        journal.write_text('{"op_code": 99}\n' + journal.read_text())
        with pytest.raises(LabError, match=r"study\.log"):
            Search(search.folder).next(set())
        path = search.folder / "search.json"
        for values in ({"trials": -1}, {"space": {"rank": [{"x": 1}]}}, {"adaptable": [{"a": 1}]}):
            path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
            with pytest.raises(LabError, match=r"search\.json"):
                Search(search.folder)
