"""Models and data of one's own, from the dialog to the trained adapter, through the widgets."""

import json
import threading

import pytest

from lora_lab.errors import Cancelled, DataError
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import State
from lora_lab.training.devices import DeviceChoice
from lora_lab.ui.open.dialog import OpenDialog
from lora_lab.ui.widgets.background import Background
from lora_lab.ui.widgets.plot import Plot
from tests.models.tiny import save
from tests.ui.seen import named, settle, timer, words


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "tiny-llama"
    save(folder, "llama")
    data = folder.parent / "rows.jsonl"
    rows = [
        {"prompt": "the film is", "completion": " good" if i % 2 else " bad", "note": "the sound"}
        for i in range(40)
    ]
    data.write_text("\n".join(map(json.dumps, rows)))
    return folder, data


@pytest.fixture
def dialog(qtbot):
    made = OpenDialog()
    qtbot.addWidget(made)
    made.show()
    yield made
    made.finish()


def panel(lab, key):
    return next(p for p in lab.panels if p.key == key)


def open_own(qtbot, lab, llama, **settings):
    folder, data = llama
    base = {"batch_size": 4, "max_steps": 20, "validation": 0.2, "eval_steps": 5}
    settings = {k: v for k, v in {**base, **settings}.items() if v is not None}
    lab.open(starting_config("causal_lm", model=str(folder), data=str(data), **settings))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)


def test_the_card_is_shown_before_anything_is_opened(qtbot, dialog, llama):
    folder, data = llama
    assert not dialog.open_button.isEnabled()
    dialog.source.show_path(str(folder))
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    assert "parameters in" in dialog.title.text()
    assert dialog.task_combo.currentData() == "causal_lm"
    images = dialog.task_combo.findData("image_classification")
    assert not dialog.task_combo.model().item(images).isEnabled()
    assert not dialog.open_button.isEnabled(), "no data yet"
    dialog.data_edit.setText(str(data))
    assert dialog.open_button.isEnabled()
    dialog.search.setText("mlp.up_proj")
    assert dialog.table.model().rowCount() == 2
    dialog.table.selectRow(0)
    dialog.sigma_button.click()
    qtbot.waitUntil(lambda: "stable rank" in dialog.sigma.text(), timeout=30_000)
    with qtbot.waitSignal(dialog.requested) as heard:
        dialog.open_button.click()
    (config,) = heard.args
    assert (config.task, config.model, config.data) == ("causal_lm", str(folder), str(data))


def test_looking_and_computing_can_be_cancelled(qtbot, dialog, llama, monkeypatch):
    from lora_lab.models import inspect

    go = threading.Event()

    def slow(*arguments):
        arguments[-1]("Reading", 0.25)
        go.wait(60)
        arguments[-1]("Reading", 0.5)

    timer(dialog.busy).setInterval(0)
    real = inspect.describe
    monkeypatch.setattr(inspect, "describe", slow)
    dialog.source.show_path(str(llama[0]))
    qtbot.waitUntil(lambda: dialog.busy.isVisible() and dialog.busy.bar.value() == 250)
    dialog.busy.cancel_button.click()
    assert "Cancelled" in dialog.title.text()
    monkeypatch.setattr(inspect, "describe", real)
    dialog.source.show_path(str(llama[0]))
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    assert not dialog.busy.isVisible()
    monkeypatch.setattr(inspect, "singular_values", slow)
    dialog.table.selectRow(0)
    dialog.sigma_button.click()
    qtbot.waitUntil(lambda: dialog.busy.isVisible())
    dialog.busy.cancel_button.click()
    assert dialog.sigma.text() == ""
    assert dialog.card is not None, "what was shown stays"
    go.set()


@pytest.mark.parametrize("what", ["model", "download"])
def test_what_nobody_foresaw_ends_the_bar_and_is_told(qtbot, dialog, tmp_path, monkeypatch, what):
    caught = []

    def stumble(*arguments):
        arguments[-1]("On the way", 0.5)
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr(threading, "excepthook", caught.append)
    monkeypatch.setattr("lora_lab.models.inspect.describe", stumble)
    monkeypatch.setattr("lora_lab.models.hub.download", stumble)
    if what == "model":
        dialog.source.show_path(str(tmp_path))
        qtbot.waitUntil(lambda: "It failed" in dialog.title.text(), timeout=20_000)
        assert dialog.busy.isHidden()
        assert not timer(dialog.busy).isActive()
    else:
        dialog.source.setCurrentIndex(2)
        dialog.source.name.setText("someone/model")
        dialog.source.fetch()
        qtbot.waitUntil(
            lambda: any("It failed" in text for text in words(dialog.source)), timeout=20_000
        )
        assert dialog.source.bar.isHidden()
        assert dialog.source.fetch_button.isEnabled()
    assert [str(one.exc_value) for one in caught] == ["nobody foresaw this"]


def test_what_is_no_model_is_said_in_the_dialog(qtbot, dialog, tmp_path):
    (tmp_path / "page.safetensors").write_text("<!DOCTYPE html>")
    dialog.source.show_path(str(tmp_path / "page.safetensors"))
    qtbot.waitUntil(lambda: "web page" in dialog.title.text(), timeout=30_000)
    assert not dialog.open_button.isEnabled()


def test_a_factory_is_run_only_if_agreed(qtbot, dialog, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_of_a_dialog.py").write_text("raise SystemExit('ran')")
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "net.pt")
    dialog.source.show_path(str(tmp_path / "net.pt"))
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    dialog.data_edit.setText(str(tmp_path))
    dialog.factory_edit.setText("nets_of_a_dialog:make")
    asked, requested = [], []
    dialog.requested.connect(requested.append)
    dialog.agrees = lambda factory: asked.append(factory)
    dialog.open_button.click()
    assert asked == ["nets_of_a_dialog:make"]
    assert requested == []
    dialog.agrees = lambda factory: True
    dialog.open_button.click()
    assert requested[0].factory == "nets_of_a_dialog:make"


def test_the_cache_is_listed(qtbot, dialog, tmp_path, monkeypatch):
    import lora_lab.models.hub as hub

    found = (hub.CachedModel("own/tiny", str(tmp_path), 10**6, 0.0),)
    monkeypatch.setattr(hub, "cached_models", lambda: found)
    dialog.source.setCurrentIndex(1)
    qtbot.waitUntil(lambda: dialog.source.cache.count() == 1)
    with qtbot.waitSignal(dialog.source.chosen) as heard:
        dialog.source.cache.setCurrentRow(0)
    assert heard.args == [str(tmp_path)]


def test_a_download_shows_progress_and_is_cancelled(qtbot, dialog, tmp_path, monkeypatch):
    import lora_lab.models.hub as hub

    gate = threading.Event()

    def download(name, report):
        report("Downloading own/tiny", 0.4)
        gate.wait(60)
        report("Downloading own/tiny", 0.6)
        return tmp_path

    monkeypatch.setattr(hub, "download", download)
    source = dialog.source
    source.setCurrentIndex(2)
    source.name.setText("own/tiny")
    source.fetch_button.click()
    qtbot.waitUntil(lambda: source.bar.value() == 400)
    chosen = []
    source.chosen.connect(chosen.append)
    source.cancel_button.click()
    assert [text for text in words(source) if "Cancelled" in text]
    gate.set()
    dialog.finish()  # the thread has ended
    settle()
    assert chosen == []
    source.fetch_button.click()
    qtbot.waitUntil(lambda: chosen == [str(tmp_path)])


def test_an_offline_download_says_so(qtbot, dialog, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    dialog.source.setCurrentIndex(2)
    dialog.source.name.setText("own/tiny")
    dialog.source.fetch()
    qtbot.waitUntil(lambda: any("offline" in text for text in words(dialog.source)))
    assert dialog.source.fetch_button.isEnabled()


@pytest.mark.parametrize("how", ["done", "failed", "cancelled"])
def test_work_beside_the_window_ends_once(qtbot, how):
    def work(report):
        report("working", 0.5)
        if how == "failed":
            raise DataError("no rows")
        if how == "cancelled":
            raise Cancelled("cancelled")
        return 7

    made, heard = Background(work), []
    made.done.connect(lambda found: heard.append(("done", found)))
    made.failed.connect(lambda words: heard.append(("failed", words)))
    made.start()
    assert made.join(60)
    settle()
    wanted = {"done": [("done", 7)], "failed": [("failed", "no rows")], "cancelled": []}
    assert heard == wanted[how]


def test_open_look_ask_train_and_ask_again(qtbot, lab, llama):
    folder, data = llama
    lab.commands.open.trigger()
    dialog = lab.flows.own.dialog
    dialog.source.show_path(str(folder))
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    dialog.data_edit.setText(str(data))
    dialog.open_button.click()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    assert lab.setup_dock.data_button.text() == "rows.jsonl"
    assert lab.setup_dock.preset_combo.placeholderText().startswith("Causal language modelling")
    steps = lab.sessions.config.epochs and lab.setup_dock.fixed.controls["max_steps"].value()
    assert named(lab.strip, "Step").text().endswith(f" / {steps:,}")
    assert not lab.setup_dock.edited

    rows = panel(lab, "data")
    rows.redraw()
    assert rows.rows.count() == 20
    assert "in the loss (label)" in rows.text.toPlainText()
    answers = panel(lab, "generation")
    answers.redraw()
    answers.tokens.setValue(3)
    answers.ask_button.click()
    qtbot.waitUntil(lambda: len(answers.figure_data()["step"]) == 1, timeout=20_000)
    said = answers.figure_data()
    assert said["off"] == said["on"]

    answers.each_button.setChecked(True)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    qtbot.waitUntil(lambda: len(answers.figure_data()["step"]) > 1, timeout=20_000)
    answers.redraw()
    assert "adapter on" in answers.text.toPlainText()
    loss = panel(lab, "loss")
    loss.redraw()
    assert "best" in named(loss, "Loss over steps", Plot).shown()


def test_devices_are_asked_for_beside_the_window(qtbot, window, monkeypatch):
    asked, may_answer = [], threading.Event()

    def slow():
        asked.append(threading.current_thread())
        may_answer.wait(60)
        return [
            DeviceChoice("cpu", "CPU, 2 cores", True),
            DeviceChoice("cuda:0", "A fast one", True),
            DeviceChoice("mps", "Apple GPU (MPS)", False, "only on Apple silicon"),
        ]

    monkeypatch.setattr("lora_lab.training.devices.device_choices", slow)
    window.commands.open.trigger()  # with no engine loaded
    combo = window.flows.own.dialog.device_combo
    assert window.flows.own.dialog.isVisible()
    assert [combo.itemData(i) for i in range(combo.count())] == ["cpu"]
    may_answer.set()
    qtbot.waitUntil(lambda: combo.count() == 2, timeout=20_000)
    assert combo.itemText(1) == "A fast one"
    assert combo.currentData() == "cpu"
    assert asked != []
    assert threading.main_thread() not in asked


def test_other_columns_are_read_anew(qtbot, lab, llama):
    open_own(qtbot, lab, llama)
    rows = panel(lab, "data")
    rows.redraw()
    assert rows.form_combo.currentText() == "prompt + completion"
    assert rows.apply_button.isHidden()
    rows.form_combo.setCurrentText("text")
    rows.form_combo.activated.emit(rows.form_combo.currentIndex())
    combo = rows.column_combos["text"]
    assert not rows.apply_button.isEnabled()
    combo.setCurrentIndex(combo.findData("note"))
    combo.activated.emit(combo.currentIndex())
    assert rows.apply_button.isEnabled()
    loaded = []
    lab.sessions.on(LoadedRecord, loaded.append)
    rows.apply_button.click()
    qtbot.waitUntil(lambda: bool(loaded), timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    assert lab.sessions.config.columns == (("text", "note"),)
    rows.redraw()
    assert rows.form_combo.currentText() == "text"


def test_a_model_that_cannot_be_opened_leaves_the_one_that_was(qtbot, lab, llama, tmp_path):
    open_own(qtbot, lab, llama)
    config = lab.sessions.config
    said = []
    lab.notices.posted.connect(lambda notice: said.append(notice.message))
    lab.open(config.model_copy(update={"model": str(tmp_path)}))
    qtbot.waitUntil(lambda: any("no config.json" in words for words in said), timeout=20_000)
    qtbot.waitUntil(lambda: not lab.sessions.opening, timeout=20_000)
    assert lab.sessions.config is config
    assert lab.state is State.PAUSED


def test_steps_take_the_place_of_epochs(qtbot, lab, llama):
    open_own(qtbot, lab, llama, max_steps=None, epochs=1.0)
    config = lab.sessions.config
    assert config.epochs == 1.0
    lab.setup_dock.fixed.controls["max_steps"].setValue(7)
    requested = lab.setup_dock.requested_config(config)
    assert (requested.max_steps, requested.epochs) == (7, None)


def test_an_adapter_given_to_open_is_led_to_the_workshop(qtbot, lab, llama, tmp_path):
    from lora_lab.formats.verify import export
    from tests.formats.adapters import weights_of
    from tests.models.tiny import MODELS

    export(weights_of(MODELS["llama"](), "lora", base=llama[0], targets=["q_proj"]), tmp_path / "a")
    lab.flows.own.start()
    dialog = lab.flows.own.dialog
    assert not dialog.workshop_button.isVisible()
    dialog.source.show_path(str(tmp_path / "a"))
    qtbot.waitUntil(dialog.workshop_button.isVisible, timeout=30_000)
    assert "is an adapter, not a model" in dialog.title.text()
    assert not dialog.open_button.isEnabled()
    dialog.workshop_button.click()
    assert not dialog.isVisible()
    page = lab.flows.workshop.dialog.resize_page
    qtbot.waitUntil(lambda: page.card is not None, timeout=30_000)
    assert page.source.where.path == str(tmp_path / "a")


def test_what_is_missing_before_open_is_said(qtbot, dialog, llama):
    dialog.source.show_path(str(llama[0]))
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    assert [text for text in words(dialog) if "choose the training data" in text]
    dialog.data_edit.setText(str(llama[1]))
    assert [text for text in words(dialog) if "weights take" in text]
