"""The workshop through its widgets: inspected, cut, written, merged, compared, extracted."""

import json
import threading
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from lora_lab.formats import FORMATS
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.presets import list_presets, starting_config
from lora_lab.records import State
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from lora_lab.ui.workshop.dialog import WorkshopDialog
from lora_lab.workshop import requests as requests
from lora_lab.workshop.merge_base import write_merged
from tests.formats.adapters import weights_of
from tests.models import tiny
from tests.ui.seen import put, timer

TARGETS = ["q_proj", "v_proj", "down_proj"]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A base, two adapters of it, and the base with one merged."""
    folder = tmp_path_factory.mktemp("ws")
    tiny.save(folder / "base", "llama")
    for name, seed in (("one", 0), ("two", 1)):
        weights = weights_of(
            tiny.MODELS["llama"](), "lora", base=folder / "base", targets=TARGETS, seed=seed
        )
        export(weights, folder / name)
    write_merged(open_adapter(folder / "one"), folder / "base", folder / "tuned")
    return folder


@pytest.fixture
def workshop(qtbot):
    made = WorkshopDialog()
    qtbot.addWidget(made)
    made.show()
    yield made
    made.finish()


def opened(qtbot, page, path):
    page.source.where.set_path(str(path))
    qtbot.waitUntil(lambda: page.card is not None, timeout=30_000)


def written(qtbot, delivery, target, role="good"):
    delivery.target.edit.setText(str(target))
    assert delivery.button.isEnabled()
    delivery.button.click()
    qtbot.waitUntil(lambda: delivery.outcome.isVisible(), timeout=60_000)
    assert delivery.outcome.property("role") == role, delivery.outcome.text()
    return delivery.outcome.text()


def test_the_cut_goes_by_key_as_well(qtbot, workshop, llama):
    page = workshop.resize_page
    opened(qtbot, page, llama / "one")
    assert page.rank_box.value() == 4
    page.rank_box.setFocus()
    QTest.keyClick(page.rank_box, Qt.Key.Key_Down)
    assert page.cut_line.value() == 3
    assert page.ranks == (3,) * 6
    page.cut_line.setValue(2.0)
    assert page.rank_box.value() == 2


def test_a_place_is_named_until_a_person_names_one(qtbot, workshop, llama, monkeypatch, tmp_path):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    page = workshop.resize_page
    opened(qtbot, page, llama / "one")
    assert page.delivery.target.path == str(tmp_path / "exports" / "one-r4")
    assert page.delivery.button.isEnabled()
    page.delivery.button.click()
    qtbot.waitUntil(page.delivery.outcome.isVisible, timeout=60_000)
    page.rank_box.setValue(2)
    assert not page.delivery.outcome.isVisible(), "it was of another cut"
    assert page.delivery.target.path == str(tmp_path / "exports" / "one-r2")
    combo = page.delivery.format_combo
    combo.setCurrentIndex(combo.findData("kohya"))
    assert page.delivery.target.path == str(tmp_path / "exports" / "one-r2.safetensors")
    page.delivery.target.edit.setText("/elsewhere/mine")
    page.rank_box.setValue(3)
    combo.setCurrentIndex(combo.findData("peft"))
    assert page.delivery.target.path == "/elsewhere/mine"


def test_what_takes_long_has_a_bar_and_can_be_cancelled(qtbot, workshop, llama, monkeypatch):
    from lora_lab.workshop import files

    go = threading.Event()

    def slow(*arguments):
        arguments[-1]("Reading the first", 0.5)
        go.wait(60)
        arguments[-1]("Reading the second", 0.9)

    monkeypatch.setattr(files, "card_of", slow)
    monkeypatch.setattr(files, "compare_files", slow)
    compare, page = workshop.compare_page, workshop.resize_page
    for made in (compare, page):
        timer(made.busy).setInterval(0)
    page.source.where.set_path(str(llama / "one"))
    qtbot.waitUntil(lambda: page.busy.isVisible() and page.busy.bar.value() == 500)
    QTest.mouseClick(page.busy.cancel_button, Qt.MouseButton.LeftButton)
    assert not page.busy.isVisible()
    assert "Cancelled" in page.title.text()
    workshop.tabs.setCurrentWidget(compare)
    compare.first.where.set_path(str(llama / "one"))
    compare.second.where.set_path(str(llama / "two"))
    compare.button.click()
    qtbot.waitUntil(lambda: compare.busy.isVisible())
    QTest.mouseClick(compare.busy.cancel_button, Qt.MouseButton.LeftButton)
    assert compare.button.isEnabled()
    go.set()
    workshop.finish()
    assert page.card is None
    assert compare.comparison is None


def test_what_is_written_is_cancelled_between_two_layers(
    qtbot, workshop, llama, monkeypatch, tmp_path
):
    page, kind = workshop.resize_page, FORMATS["peft"]
    opened(qtbot, page, llama / "one")
    read, go = [], threading.Event()

    def slow(folder, weights):
        for found in kind.reread(folder, weights):
            read.append(found.name)
            go.wait(60)
            yield found

    monkeypatch.setitem(FORMATS, "peft", replace(kind, reread=slow))
    (tmp_path / "place").mkdir()
    page.delivery.target.edit.setText(str(tmp_path / "place" / "out"))
    page.delivery.button.click()
    qtbot.waitUntil(lambda: bool(read), timeout=60_000)
    page.delivery.cancel_button.click()
    go.set()
    page.finish()
    assert "Cancelled" in page.delivery.outcome.text()
    assert len(read) == 1  # and none of the other layers
    assert list((tmp_path / "place").iterdir()) == []


def test_the_windows_formats_are_those_that_there_are():
    listed = [(kind.name, kind.single, kind.suffix) for kind in FORMATS.values()]
    assert [(name, single, suffix) for name, _, single, suffix in requests.FORMATS] == listed


def test_the_cut_is_dragged_and_saved(qtbot, workshop, llama, tmp_path):
    page = workshop.resize_page
    assert not page.delivery.button.isEnabled()
    opened(qtbot, page, llama / "one")
    assert "PEFT folder" in page.title.text()
    assert "6 layers · rank 4" in page.title.text()
    assert page.table.model().rowCount() == 6
    assert page.ranks == (4,) * 6
    page.cut_line.setValue(2.2)
    assert page.cut_line.value() == 2
    assert page.ranks == (2,) * 6
    assert "rank 2" in page.kept.text()
    page.per_layer.setChecked(True)
    assert min(page.ranks) < max(page.ranks) <= 4
    ranks = page.ranks
    page.table.selectRow(1)
    words = written(qtbot, page.delivery, tmp_path / "cut")
    assert "SHA-256" in words
    found = open_adapter(tmp_path / "cut")
    assert [x.rank for x in found.layers] == list(ranks)


@pytest.mark.parametrize("name", [*(name for name, *_ in requests.OF_FILES), requests.MERGED])
def test_every_format_is_written_from_the_window(qtbot, workshop, llama, tmp_path, name):
    page = workshop.resize_page
    opened(qtbot, page, llama / "one")
    combo = page.delivery.format_combo
    combo.setCurrentIndex(combo.findData(name))
    component = page.delivery.component_combo
    assert component.isVisible() == (name in requests.PIPELINES)
    component.setCurrentIndex(component.findData("transformer"))
    suffix = FORMATS[name].suffix if name in FORMATS else ""
    words = written(qtbot, page.delivery, tmp_path / f"out{suffix}")
    assert "Wrote" in words
    assert (tmp_path / f"out{suffix}").exists()


def test_what_stands_is_replaced_only_if_agreed(qtbot, workshop, llama, tmp_path):
    page = workshop.resize_page
    opened(qtbot, page, llama / "one")
    written(qtbot, page.delivery, tmp_path / "a")
    asked = []
    page.delivery.may_replace = lambda target: asked.append(target)
    page.cut_line.setValue(1)
    page.delivery.button.click()
    assert asked == [tmp_path / "a"]
    assert open_adapter(tmp_path / "a").layers[0].rank == 4
    page.delivery.may_replace = lambda target: True
    page.delivery.outcome.hide()
    written(qtbot, page.delivery, tmp_path / "a")
    assert open_adapter(tmp_path / "a").layers[0].rank == 1


def test_what_is_no_adapter_is_said(qtbot, workshop, tmp_path):
    page = workshop.resize_page
    (tmp_path / "x.safetensors").write_text("<!DOCTYPE html><html><body>404")
    page.source.where.set_path(str(tmp_path / "x.safetensors"))
    qtbot.waitUntil(lambda: "web page" in page.title.text(), timeout=30_000)
    assert page.title.property("role") == "error"


def test_alpha_is_asked_for_where_the_file_says_none(qtbot, workshop, tmp_path):
    torch.save({"fc.lora_A": torch.randn(2, 5), "fc.lora_B": torch.randn(4, 2)}, tmp_path / "l.pt")
    page = workshop.resize_page
    page.source.where.set_path(str(tmp_path / "l.pt"))
    qtbot.waitUntil(lambda: "α" in page.title.text(), timeout=30_000)
    put(qtbot, page.source.alpha, "6")
    qtbot.waitUntil(lambda: page.card is not None, timeout=30_000)
    assert page.card.layers[0].scaling == 3


def test_ways_to_add_are_measured_before_one_is_taken(qtbot, workshop, llama, tmp_path):
    workshop.tabs.setCurrentWidget(workshop.merge_page)
    page = workshop.merge_page
    assert not page.measure_button.isEnabled()
    for (source, weight), name, w in zip(page.rows, ("one", "two"), (0.7, 0.3), strict=False):
        source.where.edit.setText(str(llama / name))
        weight.setValue(w)
    page.measure_button.click()
    qtbot.waitUntil(lambda: bool(page.errors["linear"].text()), timeout=30_000)
    assert "rounding" in page.errors["exact"].text()
    assert "% off" in page.errors["linear"].text()
    written(qtbot, page.delivery, tmp_path / "sum")
    one, two, both = (open_adapter(p) for p in (llama / "one", llama / "two", tmp_path / "sum"))
    for a, b, c in zip(one.layers, two.layers, both.layers, strict=True):
        wanted = 0.7 * a.delta_weight() + 0.3 * b.delta_weight()
        assert (c.delta_weight() - wanted).norm() <= 1e-5 * wanted.norm()


def test_two_adapters_are_compared(qtbot, workshop, llama):
    workshop.tabs.setCurrentWidget(workshop.compare_page)
    page = workshop.compare_page
    page.first.where.edit.setText(str(llama / "one"))
    assert not page.button.isEnabled()
    page.second.where.edit.setText(str(llama / "two"))
    page.button.click()
    qtbot.waitUntil(lambda: page.comparison is not None, timeout=30_000)
    assert page.table.model().rowCount() == 6
    assert "6 layers in common" in page.message.text()
    page.comparison = None
    page.second.where.edit.setText("/nowhere")
    page.button.click()
    qtbot.waitUntil(lambda: "no such" in page.message.text(), timeout=30_000)


def test_an_adapter_is_extracted(qtbot, workshop, llama, tmp_path):
    workshop.tabs.setCurrentWidget(workshop.extract_page)
    page = workshop.extract_page
    page.base.edit.setText(str(llama / "base"))
    page.tuned.edit.setText(str(llama / "tuned"))
    page.rank.setValue(4)
    assert "least possible" in written(qtbot, page.delivery, tmp_path / "x")
    assert len(open_adapter(tmp_path / "x").layers) == 6


def test_scales_follow_what_is_set(qtbot, workshop):
    page = workshop.scale_page
    page.alpha.setValue(4)
    page.rank.setValue(4)
    cells = {row[0]: row for row in page.table.cells.rows}
    assert cells["kohya_ss"][3] == "× 8"
    before = page.table.cells.rows
    put(qtbot, page.rate, "nonsense")
    assert "not a number" in page.rate.reason
    assert page.table.cells.rows == before
    put(qtbot, page.rate, "4e-4")
    assert page.table.cells.rows != before


def test_the_loss_at_the_cut_is_measured_in_the_model_that_is_open(qtbot, llama, tmp_path):
    rows = [{"prompt": "the film is", "completion": " good"} for _ in range(24)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    lab = make_window(new_session, list_presets())
    lab.leaving.where = lambda: SAVE
    lab.ask = lambda *texts: True
    with qtbot.waitSignal(lab.painted):
        lab.show()
    lab.open(
        starting_config(
            "causal_lm", model=str(llama / "base"), data=str(data), batch_size=4, max_steps=4,
            validation=0.2, targets=TARGETS,
        )
    )  # fmt: skip
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.commands.workshop.trigger()
    page = lab.flows.workshop.dialog.resize_page
    opened(qtbot, page, llama / "one")
    losses = []
    for rank in (4, 1):
        page.cut_line.setValue(rank)
        page.loss_button.click()
        qtbot.waitUntil(lambda: "validation loss" in page.loss.text(), timeout=60_000)
        losses.append(page.loss.text())
    assert losses[0] != losses[1]
    other = weights_of(tiny.MODELS["gpt2"](), "lora", targets=["c_proj"])
    export(other, tmp_path / "other")
    page.card = None
    opened(qtbot, page, tmp_path / "other")
    page.loss_button.click()
    qtbot.waitUntil(lambda: "not in the model" in page.loss.text(), timeout=60_000)
    lab.sessions.toggle()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    lab.leave()
    qtbot.waitUntil(lambda: lab.closed, timeout=20_000)
    lab.deleteLater()


def test_a_weight_that_is_used_twice_is_untied_when_it_is_asked_for(
    qtbot, workshop, llama, tmp_path
):
    weights = weights_of(
        tiny.MODELS["llama"](), "lora", base=llama / "base", targets=["embed_tokens"]
    )
    export(weights, tmp_path / "adapter")
    page = workshop.resize_page
    opened(qtbot, page, tmp_path / "adapter")
    delivery = page.delivery
    assert not delivery.untie.isVisible()
    delivery.format_combo.setCurrentIndex(delivery.format_combo.findData(requests.MERGED))
    delivery.base.set_path(str(llama / "base"))
    said = written(qtbot, delivery, tmp_path / "out", "error")
    assert "shares its weight with lm_head" in said
    delivery.untie.click()
    assert "untied: model.embed_tokens and lm_head" in written(qtbot, delivery, tmp_path / "out")


def test_adapters_of_two_programs_are_added_and_compared_under_the_bases_names(
    qtbot, workshop, llama, tmp_path
):
    export(open_adapter(llama / "one"), tmp_path / "k.safetensors", "kohya", component="unet")
    state = safetensors.torch.load_file(tmp_path / "k.safetensors")
    safetensors.torch.save_file(state, tmp_path / "k.safetensors")  # without its table of names
    pair = (llama / "one", tmp_path / "k.safetensors")
    workshop.tabs.setCurrentWidget(workshop.merge_page)
    page = workshop.merge_page
    for (field, weight), path in zip(page.rows, pair, strict=False):
        field.where.set_path(str(path))
        weight.setValue(0.5)
    assert "under two names" in written(qtbot, page.delivery, tmp_path / "sum", "error")
    page.delivery.base.set_path(str(llama / "base"))
    written(qtbot, page.delivery, tmp_path / "sum")
    both, one = (open_adapter(path).layers for path in (tmp_path / "sum", llama / "one"))
    for ours, theirs in zip(both, one, strict=True):
        assert torch.allclose(ours.delta_weight(), theirs.delta_weight(), atol=1e-7)
    workshop.tabs.setCurrentWidget(workshop.compare_page)
    page = workshop.compare_page
    page.first.where.set_path(str(pair[0]))
    page.second.where.set_path(str(pair[1]))
    page.base.set_path(str(llama / "base"))
    page.button.click()
    qtbot.waitUntil(lambda: page.comparison is not None, timeout=60_000)
    assert all(row.cosine == pytest.approx(1) for row in page.comparison.layers)
