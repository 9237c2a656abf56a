"""A search in the queue's window: planned in the form, run in the window, shown and ended there."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from lora_lab.records import State
from lora_lab.runs import search
from lora_lab.runs.queue import DONE, PRUNED
from lora_lab.ui.queue import search_row

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="the extra search installs it")
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def flow(qtbot, window, presets):
    """The queue of a window that shows a model at rest."""
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.queue.trigger()
    return window.flows.queue


def fill(edit, text):
    edit.clear()
    QTest.keyClicks(edit, text)


def planned(qtbot, flow, sampler="tpe", trials=3, rank="1..8", rate="1e-4..1e-2"):
    builder = flow.dialog.builder
    builder.search.sampler.setCurrentIndex(builder.search.sampler.findData(sampler))
    builder.search.trials.setValue(trials)
    fill(builder.rank_edit, rank)
    fill(builder.rate_edit, rate)
    fill(builder.steps_edit, "70")
    qtbot.waitUntil(lambda: builder.add_button.text() == "&Add search")
    return builder


def test_a_search_is_planned_chosen_run_by_run_and_compared(qtbot, flow, window):
    builder = planned(qtbot, flow)
    assert builder.preview.text().startswith("3 runs at most, chosen one after another, ")
    QTest.keyClick(builder.rank_edit, Qt.Key.Key_Return)
    dialog = flow.dialog
    assert dialog.status.text() == "3 runs are still to be chosen, one after another"
    assert flow.runner.queue.items == ()
    assert dialog.start_button.isEnabled()
    dialog.start_button.click()
    qtbot.waitUntil(lambda: [i.state for i in flow.runner.queue.items] == [DONE] * 3)
    items = flow.runner.queue.items
    assert [item.trial for item in items] == [0, 1, 2]
    assert len({(i.config.hyper.rank, i.config.hyper.learning_rate) for i in items}) == 3
    assert all(1e-4 <= item.config.hyper.learning_rate <= 1e-2 for item in items)
    qtbot.waitUntil(lambda: not flow.runner.on)
    assert not dialog.end_search_button.isVisibleTo(dialog)
    assert flow.runner.searches.left == 0


def test_a_search_is_ended_and_stays_so(qtbot, flow):
    planned(qtbot, flow).add_button.click()
    dialog = flow.dialog
    assert dialog.end_search_button.isVisibleTo(dialog)
    dialog.end_search_button.click()
    qtbot.waitUntil(lambda: not dialog.end_search_button.isVisibleTo(dialog))
    assert not dialog.start_button.isEnabled()
    assert [search.Search(folder).left for folder in _folders(flow)] == [0]


def _folders(flow):
    return list((flow.runner.queue.folder / search.FOLDER).iterdir())


def test_a_run_that_promises_nothing_is_pruned_and_marked(qtbot, flow, window, monkeypatch):
    planned(qtbot, flow, trials=2).add_button.click()
    real = search.Search.report

    def report(self, number, step, loss):
        real(self, number, step, loss)
        return number == 1 and step > 0

    monkeypatch.setattr(search.Search, "report", report)
    flow.dialog.start_button.click()
    qtbot.waitUntil(
        lambda: [i.state for i in flow.runner.queue.items] == [DONE, PRUNED], timeout=60_000
    )
    pruned = flow.runner.queue.items[1]
    qtbot.waitUntil(lambda: pruned.id in flow.dialog.plot.marks.data["data"].tolist())
    marks = flow.dialog.plot.marks.data
    assert marks["symbol"].tolist()[marks["data"].tolist().index(pruned.id)] == "x"
    table = flow.dialog.table.queue
    assert table.index(table.row_of(pruned.id), 5).data().startswith("pruned")


def test_what_settings_account_for_stands_below_the_plot(flow):
    flow.dialog.show_search(0, {"learning_rate": 0.9, "rank": 0.1})
    shown = [w.text() for w in flow.dialog.plot.children() if hasattr(w, "text")]
    assert "Differences among the best runs: learning rate 90 %\u00a0· rank 10 %" in shown
    flow.dialog.show_search(0, {})
    assert not any(
        w.isVisibleTo(flow.dialog.plot) and "Differences" in w.text()
        for w in flow.dialog.plot.children()
        if hasattr(w, "text")
    )


@pytest.mark.parametrize(
    ("sampler", "rank", "said"),
    [("grid", "1..8", "A grid has values, and rank is a range"), ("tpe", "8..1", "larger number")],
)
def test_what_cannot_be_searched_is_said(qtbot, flow, sampler, rank, said):
    builder = flow.dialog.builder
    builder.search.sampler.setCurrentIndex(builder.search.sampler.findData(sampler))
    fill(builder.rank_edit, rank)
    qtbot.waitUntil(lambda: said in builder.preview.text())
    assert not builder.add_button.isEnabled()


def test_without_optuna_a_search_cannot_be_chosen_and_the_reason_is_there(flow, monkeypatch):
    row = flow.dialog.builder.search
    monkeypatch.setattr(search_row, "installed", lambda: False)
    row.offer()
    model = row.sampler.model()
    assert [model.item(i).isEnabled() for i in range(model.rowCount())] == [True, *[False] * 3]
    assert "pip install" in row.sampler.itemData(1, Qt.ItemDataRole.ToolTipRole)
