"""An adapter that is dropped or chosen: the offer, and the run that continues it."""

import json
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, SpectrumRecord, State
from tests.formats.adapters import weights_of
from tests.models.tiny import MODELS, save
from tests.ui.open.test_opened_files import drop


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, data, and adapters of it and of another one."""
    folder = tmp_path_factory.mktemp("place")
    save(folder / "llama", "llama")
    rows = [{"text": f"the film is good {i}"} for i in range(24)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name, kind, targets in (
        ("mine", "llama", ["q_proj", "v_proj"]), ("other", "gpt2", ["c_attn"]),
    ):  # fmt: skip
        weights = weights_of(MODELS[kind](), "lora", targets=targets)
        layers = tuple(replace(x, scaling=3 * x.scaling, alpha=3 * x.alpha) for x in weights.layers)
        export(replace(weights, layers=layers), folder / name)
    return folder


@pytest.fixture
def lab(qtbot, lab, place):
    config = starting_config(
        "causal_lm", model=str(place / "llama"), data=str(place / "rows.jsonl"), batch_size=4,
        max_steps=5, validation=0.25,
    )  # fmt: skip
    lab.open(config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    return lab


def said(lab):
    return " ".join(label.text() for label in lab.notice_bar.findChildren(QLabel))


def test_a_dropped_adapter_is_continued_on_what_is_open(qtbot, lab, place):
    sigma, losses = [], []
    lab.sessions.on(SpectrumRecord, lambda r: sigma.append(max(x.sigma.max() for x in r.layers)))
    lab.sessions.on(EvalRecord, lambda r: losses.append((r.step, r.enabled, r.loss)))
    lab.hyper_dock.request(learning_rate=3e-4)
    drop(lab, place / "mine")
    qtbot.waitUntil(lambda: lab.flows.adapter.offer is not None, timeout=30_000)
    offer = lab.flows.adapter.offer
    assert "mine is an adapter" in offer.text()
    qtbot.mouseClick(offer.continue_button, Qt.MouseButton.LeftButton)
    path = str(place / "mine")
    qtbot.waitUntil(lambda: lab.sessions.config.adapter == path, timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    hyper = lab.sessions.standing.requested
    assert (hyper.rank, hyper.alpha, hyper.learning_rate) == (4, 18, 3e-4)
    words = "continues mine: 4 layers, rank 4, α 18"
    qtbot.waitUntil(lambda: words in said(lab), timeout=20_000)
    qtbot.waitUntil(lambda: losses[-1][:2] == (0, True) and losses[-1][2] != losses[-2][2])
    qtbot.waitUntil(lambda: sigma[-1] > 0, timeout=20_000)
    assert ("adapter", path) in lab.flows.recent.recent.listed()
    fixed = lab.setup_dock.fixed
    assert fixed.controls["adapter"].value() == path
    assert fixed.targets.text() == "4 layers"
    assert not lab.setup_dock.edited

    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    folder = lab.sessions.folder
    qtbot.waitUntil((folder / "adapter").is_dir, timeout=30_000)
    assert {x.name for x in open_adapter(folder).layers} == {
        x.name for x in open_adapter(place / "mine").layers
    }
    assert json.loads((folder / "config.json").read_text())["config"]["adapter"] == path


def test_without_it_the_run_begins_from_the_init_again(qtbot, lab, place):
    lab.flows.adapter.choose = lambda: str(place / "mine")
    lab.commands.continue_from.trigger()
    qtbot.waitUntil(lambda: lab.sessions.config.adapter is not None, timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    control = lab.setup_dock.fixed.controls["adapter"]
    assert not control.button.isEnabled()  # another one comes by the menu, with its settings
    lab.setup_dock.fixed.more_button.setChecked(True)
    qtbot.mouseClick(control.clear_button, Qt.MouseButton.LeftButton)
    assert lab.setup_dock.edited
    lab.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: lab.sessions.config.adapter is None, timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)


def test_an_adapter_of_another_model_leaves_what_is_open(qtbot, lab, place):
    before = lab.sessions.id
    lab.flows.adapter.choose = lambda: str(place / "other")
    lab.commands.continue_from.trigger()
    qtbot.waitUntil(lambda: "is for another model" in said(lab), timeout=60_000)
    assert lab.sessions.id == before
    assert lab.sessions.config.adapter is None
    (place / "broken.safetensors").write_bytes(b"no adapter")
    lab.flows.adapter.choose = lambda: str(place / "broken.safetensors")
    qtbot.waitUntil(lab.commands.continue_from.isEnabled)  # what was tried is closed
    with qtbot.waitSignal(lab.notices.shown, timeout=30_000) as notice:
        lab.commands.continue_from.trigger()
    assert "broken.safetensors" in notice.args[0].message


def test_another_rank_in_the_docks_is_an_edit_of_the_file(qtbot, lab, place):
    """Restart begins with the adapter again, and what stands in the docks is applied to it."""
    lab.flows.adapter.choose = lambda: str(place / "mine")
    lab.commands.continue_from.trigger()
    qtbot.waitUntil(lambda: lab.sessions.config.adapter is not None, timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.hyper_dock.request(rank=2)
    qtbot.waitUntil(lambda: lab.sessions.standing.applied.rank == 2, timeout=30_000)
    before = lab.sessions.id
    lab.commands.restart.trigger()
    qtbot.waitUntil(lambda: lab.sessions.id != before, timeout=60_000)
    qtbot.waitUntil(lambda: lab.sessions.standing.applied.rank == 2, timeout=60_000)
    assert lab.sessions.standing.loaded.hyper.rank == 4
    assert lab.sessions.standing.requested.rank == 2


def test_nothing_is_continued_before_a_model_is_open(qtbot, window):
    asked = []
    window.flows.adapter.choose = lambda: asked.append(1) or ""
    with qtbot.waitSignal(window.notices.shown) as notice:
        window.flows.adapter.start()
    assert "Open the base model and the data first" in notice.args[0].message
    assert not asked
