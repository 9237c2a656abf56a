"""Closing, Save and Restart where a folder cannot be written: nothing is promised and not kept."""

import pytest

from lora_lab import paths
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.runs import checkpoints
from lora_lab.runs.metrics import read_metrics

OTHER, EXPORT, UNSAVED, STAY = range(4)  # the answers where a run cannot be saved


@pytest.fixture
def training(qtbot, lab, monkeypatch, tmp_path):
    """The real window with the digits in training; its user folder may be spoilt by `spoil`."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("LORA_LAB_HOME", str(home))
    lab.home, lab.asked, lab.answers = home, [], []

    def choose(question, reason, answers):
        assert len(answers) == 4
        lab.asked.append(reason)
        return lab.answers.pop(0)

    lab.leaving.choose = choose
    lab.open(get_preset("digits").config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    yield lab
    lab.leaving.choose = lambda *texts: UNSAVED


def spoil(lab, way):
    """Make the place of the runs one that cannot be written."""
    runs = paths.runs()
    if way == "not a folder":  # before the first step
        runs.parent.mkdir(parents=True, exist_ok=True)
        runs.write_text("a file")
    else:
        runs.rename(runs.with_name("moved away"))


def train(qtbot, lab, steps=20):
    start = lab.sessions.step
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > start + steps, timeout=60_000)


WAYS = ("not a folder", "moved away")


def spoilt(qtbot, lab, way):
    if way == "not a folder":
        spoil(lab, way)
    train(qtbot, lab)
    if way == "moved away":
        qtbot.waitUntil(lambda: lab.sessions.folder is not None, timeout=60_000)
        spoil(lab, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("paused", [False, True], ids=["training", "paused"])
def test_closing_says_what_is_not_saved_and_stays_open(qtbot, training, way, paused):
    spoilt(qtbot, training, way)
    if paused:
        training.commands.train.trigger()
        qtbot.waitUntil(lambda: training.state is State.PAUSED, timeout=60_000)
    training.answers = [STAY]
    training.close()
    qtbot.waitUntil(lambda: bool(training.asked), timeout=60_000)
    assert training.isVisible()
    assert "is not saved" in training.asked[0]
    assert ("cannot be made" if way == "not a folder" else "is gone") in training.asked[0]
    step = training.sessions.step
    if not paused:  # and goes on as before
        qtbot.waitUntil(lambda: training.sessions.step > step, timeout=60_000)
    assert not training.leaving.pending


@pytest.mark.parametrize("way", WAYS)
def test_another_folder_takes_the_run_with_its_past(qtbot, training, way, tmp_path):
    spoilt(qtbot, training, way)
    other = tmp_path / "other"
    other.mkdir()
    training.answers = [OTHER]
    training.leaving.ask_folder = lambda: str(other)
    with qtbot.waitSignal(training.left, timeout=60_000):
        training.close()
    assert len(training.asked) == 1
    (run,) = other.iterdir()
    saved = checkpoints.latest(run)
    assert saved.facts["step"] == training.sessions.step
    assert (run / "adapter" / "adapter_model.safetensors").is_file()
    steps = [r["step"] for r in read_metrics(run / "metrics.jsonl") if r["record"] == "StepRecord"]
    assert steps[-1] == training.sessions.step
    if way == "not a folder":
        assert steps == list(range(1, steps[-1] + 1)), "none was ever written elsewhere"
    assert steps == list(range(steps[0], steps[-1] + 1))


def test_closing_without_saving_closes(qtbot, training):
    spoilt(qtbot, training, "not a folder")
    training.answers = [UNSAVED]
    with qtbot.waitSignal(training.left, timeout=60_000):
        training.close()
    assert len(training.asked) == 1


def test_export_is_offered_instead(qtbot, training):
    spoilt(qtbot, training, "not a folder")
    training.answers = [EXPORT]
    training.close()
    qtbot.waitUntil(lambda: training.flows.export.dialog is not None, timeout=60_000)
    assert training.isVisible()


def test_a_run_that_is_saved_closes_without_that_question(qtbot, training):
    train(qtbot, training)
    with qtbot.waitSignal(training.left, timeout=60_000):
        training.close()
    assert training.asked == []


def test_nothing_is_asked_where_nothing_was_trained(qtbot, training):
    spoil(training, "not a folder")
    with qtbot.waitSignal(training.left, timeout=60_000):
        training.close()
    assert training.asked == []


@pytest.mark.parametrize("way", WAYS)
def test_save_and_stop_answer_each_time(qtbot, training, way):
    spoilt(qtbot, training, way)
    told = []
    training.sessions.failed.connect(lambda record: told.append(record.message))
    for _ in range(2):
        count = len(told)
        training.commands.save.trigger()
        qtbot.waitUntil(lambda n=count: any("is not saved" in m for m in told[n:]), timeout=60_000)
    count = len(told)
    training.commands.stop.trigger()
    qtbot.waitUntil(lambda: any("is not saved" in m for m in told[count:]), timeout=60_000)


def test_saving_names_the_folder(qtbot, training):
    train(qtbot, training)
    with qtbot.waitSignal(
        training.notices.shown,
        timeout=60_000,
        check_params_cb=lambda notice: "Saved the adapter" in notice.message,
    ):
        training.commands.save.trigger()


def test_restart_of_a_training_run_asks_first(qtbot, training):
    train(qtbot, training)
    asked = []
    training.ask = lambda *texts: asked.append(texts[0])
    session = training.sessions.id
    training.commands.restart.trigger()
    assert asked == ["Training is running. Restart anyway?"]
    assert training.sessions.id == session
    assert training.state is State.RUNNING
    training.ask = lambda *texts: True
    training.commands.restart.trigger()
    qtbot.waitUntil(lambda: training.sessions.id not in (0, session), timeout=60_000)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", ["preset", "restart"])
def test_another_run_asks_before_it_takes_the_place_of_one_that_cannot_be_saved(
    qtbot, training, way, by
):
    """The question comes while the run is still there, not as an error when it is gone."""
    spoilt(qtbot, training, way)
    session = training.sessions.id

    def go():
        if by == "preset":
            training.setup_dock.choose_preset("known-rank")
        else:
            training.commands.restart.trigger()

    training.answers = [STAY]
    go()
    assert len(training.asked) == 1
    assert "is not saved" in training.asked[0]
    assert training.sessions.id == session
    assert training.setup_dock.preset_combo.currentData() == "digits"
    assert not training.sessions.opening
    step = training.sessions.step
    qtbot.waitUntil(lambda: training.sessions.step > step, timeout=60_000)  # as before
    training.answers = [UNSAVED]
    go()
    assert len(training.asked) == 2
    qtbot.waitUntil(lambda: training.sessions.id not in (0, session), timeout=60_000)
    qtbot.waitUntil(lambda: training.state is State.PAUSED, timeout=60_000)


def test_another_folder_takes_the_run_before_another_one_is_opened(qtbot, training, tmp_path):
    spoilt(qtbot, training, "moved away")
    other = tmp_path / "other"
    other.mkdir()
    training.answers = [OTHER]
    training.leaving.ask_folder = lambda: str(other)
    session = training.sessions.id
    training.setup_dock.choose_preset("known-rank")
    step = training.sessions.step
    (run,) = other.iterdir()
    assert checkpoints.latest(run).facts["step"] == step
    qtbot.waitUntil(lambda: training.sessions.id not in (0, session), timeout=60_000)
    assert len(training.asked) == 1


def test_a_run_that_was_training_goes_on_where_the_other_cannot_be_opened(qtbot, training):
    train(qtbot, training)
    session, config = training.sessions.id, get_preset("digits").config
    with qtbot.waitSignal(training.sessions.opening_failed, timeout=60_000):
        training.open(config.model_copy(update={"model": "/nowhere/at/all.safetensors"}))
    assert training.sessions.id == session
    step = training.sessions.step
    qtbot.waitUntil(lambda: training.sessions.step > step, timeout=60_000)
    assert training.asked == []
