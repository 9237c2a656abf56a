"""A search's files from elsewhere: refused by name before Optuna believes what they say."""

import json
import os
from pathlib import Path

import pytest

from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.runs.grid import TimesRank
from lora_lab.runs.queue import Queue
from lora_lab.runs.search import JOURNAL, PLAN, Plan, Search
from lora_lab.runs.searches import Searches
from lora_lab.runs.space import Range

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
SPACE = {
    "rank": (1, 2, 4), "alpha": (TimesRank(0.5), 16.0), "learning_rate": Range(1e-4, 1e-2),
    "variant": ("lora", "full"), "targets": (("fc1",), ("fc1", "fc2")),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of three runs."""
    pytest.importorskip("optuna", reason="the extra search installs it")
    folder = tmp_path_factory.mktemp("search")
    search = Search.create(folder, Plan(get_preset("digits").config, SPACE))
    known = set()
    for loss in (0.5, 0.4, 0.3):
        number, _ = search.next(known)
        known.add(number)
        search.report(number, 10, loss)
        search.tell(number, loss)
    return search


def copied(whole, folder, plan=(), journal=None):
    """The same search elsewhere, its plan and its journal with other values."""
    folder.mkdir()
    values = json.loads((whole.folder / PLAN).read_text())
    (folder / PLAN).write_text(json.dumps({**values, **dict(plan)}))
    lines = (whole.folder / JOURNAL).read_bytes() if journal is None else journal
    (folder / JOURNAL).write_bytes(lines)
    return folder


def used(folder):
    search = Search(folder)
    return search.left, search.importances(), search.next({0, 1, 2})


def test_a_whole_one_goes_on_wherever_it_is(whole, tmp_path):
    left, _, found = used(copied(whole, tmp_path / "copy"))
    assert left == 17
    assert found[0] == 3


@pytest.mark.parametrize(
    "plan",
    [
        {"space": {}},
        {"space": {"factory": ["evil:net"]}},
        {"space": {"rank": []}},
        {"space": {"rank": [[1]]}},
        {"space": {"variant": ["nope"]}},
        {"space": {"targets": ["fc1"]}},
        {"space": {"rank": {"low": 5, "high": 1, "whole": True}}},
        {"space": {"rank": {"low": 1, "high": 8, "whole": False}}},
        {"space": {"alpha": [{"times_rank": "nan"}]}},
        {"sampler": "grid"},
        {"sampler": "bayes"},
        {"pruner": "x"},
        {"base": {"model": 1}},
        {"adaptable": [{"name": 1, "kind": "linear", "shape": [1, 2]}]},
    ],
    ids=str,
)
def test_a_plan_that_nobody_could_have_made_is_refused(whole, tmp_path, plan):
    with pytest.raises(LabError, match=r"search\.json is damaged"):
        Search(copied(whole, tmp_path / "copy", plan))


def journal_with(whole, code, **values):
    """Its journal with other values in the first line of a kind."""
    rows = [json.loads(line) for line in (whole.folder / JOURNAL).read_bytes().splitlines()]
    next(row for row in rows if row["op_code"] == code).update(values)
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


HUGE = json.dumps({"name": "IntDistribution",
                   "attributes": {"log": False, "step": 1, "low": 0, "high": 2**60}})  # fmt: skip
LIES = [
    (0, {"directions": []}),
    (0, {"directions": [2]}),
    (0, {"study_name": "x"}),
    (0, {"op_code": 99}),
    (0, {"op_code": [1]}),
    (4, {"study_id": 1}),
    (4, {"params": {"rank": 1}}),
    (5, {"param_value_internal": 1e308}),
    (5, {"param_value_internal": None}),
    (5, {"param_value_internal": float("nan")}),
    (5, {"param_name": "factory"}),
    (5, {"distribution": HUGE}),
    (5, {"distribution": "[" * 9000}),
    (6, {"values": "x"}),
    (6, {"values": []}),
    (6, {"values": [0.1, 0.2]}),
    (7, {"trial_id": 10**6}),
    (7, {"intermediate_value": float("inf")}),
    (7, {"step": -1}),
    (8, {"user_attr": {"config": 1}}),
]


@pytest.mark.parametrize(("code", "values"), LIES, ids=lambda value: str(value)[:50])
def test_a_journal_that_lies_is_refused_by_line(whole, tmp_path, code, values):
    folder = copied(whole, tmp_path / "copy", journal=journal_with(whole, code, **values))
    with pytest.raises(LabError, match=r"study\.log, line \d+ is"):
        used(folder)


@pytest.mark.parametrize(("code", "count"), [(4, 8200), (5, 200), (6, 10), (7, 33_000), (9, 70)])
def test_a_journal_that_notes_without_end_is_refused(whole, tmp_path, code, count):
    """Optuna goes through all trials, or copies what it knows of one, for each line."""
    rows = [json.loads(line) for line in (whole.folder / JOURNAL).read_bytes().splitlines()]
    again = next((r for r in rows if r["op_code"] == code), None) or {
        "op_code": 9, "worker_id": "w", "trial_id": 0, "system_attr": {"x": 1},
    }  # fmt: skip
    lines = [*rows, *({**again, "step": i} if code == 7 else again for i in range(count))]
    journal = b"".join(json.dumps(row).encode() + b"\n" for row in lines)
    with pytest.raises(LabError, match=r"too many|more is noted"):
        used(copied(whole, tmp_path / "copy", journal=journal))


def test_what_optuna_itself_gives_up_over_is_one_sentence(whole, tmp_path):
    """A trial that waits with values that its axis does not have."""
    plan = {"space": {"rank": [1, 2, 4]}, "sampler": "random"}
    study = (whole.folder / JOURNAL).read_bytes().splitlines()[0]
    waiting = {"op_code": 4, "worker_id": "w", "study_id": 0, "state": 4,
               "system_attrs": {"fixed_params": 5}}  # fmt: skip
    journal = study + b"\n" + json.dumps(waiting).encode() + b"\n"
    with pytest.raises(LabError, match=r"study\.log cannot be used"):
        used(copied(whole, tmp_path / "copy", plan, journal))


def link(path):
    path.symlink_to(path.parent.parent / "victim")


def hard(path):
    os.link(path.parent.parent / "victim", path)


def huge(path):
    path.touch()
    os.truncate(path, 2**30)


@pytest.mark.parametrize("stranger", [os.mkfifo, Path.mkdir, link, hard, huge])
def test_a_journal_is_a_regular_file_of_the_search(whole, tmp_path, stranger):
    """It is read and written to: a pipe would be waited for, a link be written through."""
    (tmp_path / "victim").write_text("of somebody")
    folder = copied(whole, tmp_path / "copy")
    (folder / JOURNAL).unlink()
    stranger(folder / JOURNAL)
    with pytest.raises(LabError, match="cannot be kept"):
        used(folder)
    assert (tmp_path / "victim").read_text() == "of somebody"


def test_a_search_that_cannot_be_read_hides_no_other(whole, tmp_path):
    folder = tmp_path / "searches"
    folder.mkdir()
    copied(whole, folder / "a")
    copied(whole, folder / "b", {"trials": -1})
    copied(whole, folder / "c", journal=b"{}\n")
    (folder / "d").mkdir()  # killed as it was begun
    queue = Queue(tmp_path)
    searches = Searches(queue)
    assert searches.left == 17
    named = [words.partition(str(folder))[2][1] for words in searches.damaged]
    assert named == ["b", "c"]
    assert searches.next().trial == 3
    queue.close()
