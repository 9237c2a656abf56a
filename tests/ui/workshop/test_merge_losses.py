"""Every merge method through the page's widgets: error, validation loss, and what is written."""

import json

import pytest

from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.presets import starting_config
from lora_lab.records import State
from lora_lab.workshop.combine import METHODS, combine
from lora_lab.workshop.requests import Trim
from tests.formats.adapters import weights_of
from tests.models import tiny
from tests.ui.seen import buttons, put

TARGETS = ["q_proj", "down_proj"]


@pytest.fixture
def folder(tmp_path):
    tiny.save(tmp_path / "base", "llama")
    for seed, name in enumerate(("one", "two")):
        model = tiny.MODELS["llama"]()
        weights = weights_of(model, "lora", base=tmp_path / "base", targets=TARGETS, seed=seed)
        export(weights, tmp_path / name)
    rows = [{"prompt": "the film is", "completion": " good"} for _ in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def choose(page, method):
    button = next(b for b in page.methods.buttons() if b.property("method") == method)
    button.click()


def test_each_method_is_measured_and_written_with_its_loss_beside_the_exact_sum(qtbot, lab, folder):
    lab.commands.workshop.trigger()
    page = lab.flows.workshop.dialog.merge_page
    lab.flows.workshop.dialog.tabs.setCurrentWidget(page)
    for (source, _), name in zip(page.rows, ("one", "two"), strict=False):
        source.where.set_path(str(folder / name))
    page.rows[0][1].setValue(70)
    page.rows[1][1].setValue(30)
    assert {b.property("method") for b in page.methods.buttons()} == set(METHODS)
    buttons(page)["Validation loss"].click()
    assert "No model is open" in page.losses["exact"].text()
    lab.open(
        starting_config(
            "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"),
            batch_size=4, max_steps=4, validation=0.2, targets=["v_proj"],
        )
    )  # fmt: skip
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    page.measure_button.click()
    qtbot.waitUntil(lambda: bool(page.errors["magnitude"].text()), timeout=60_000)
    assert all("% off" in page.errors[name].text() for name in METHODS if name[:1] not in "ec")
    choose(page, "ties")
    put(qtbot, page.density, "0.3")
    assert not page.errors["ties"].text(), "another density is another outcome"
    buttons(page)["Validation loss"].click()
    for name in ("exact", "ties"):
        qtbot.waitUntil(lambda name=name: "loss" in page.losses[name].text(), timeout=60_000)
    assert page.losses["exact"].text() != page.losses["ties"].text()
    page.delivery.target.set_path(str(folder / "sum"))
    page.delivery.button.click()
    qtbot.waitUntil(lambda: page.delivery.outcome.isVisible(), timeout=60_000)
    assert "of full rank" in page.delivery.outcome.text()
    pair = [(open_adapter(folder / n), w) for n, w in (("one", 70), ("two", 30))]
    wanted = combine(pair, "ties", trim=Trim(0.3)).weights.layers
    for ours, theirs in zip(open_adapter(folder / "sum").layers, wanted, strict=True):
        gap = (ours.delta_weight() - theirs.delta_weight()).norm()
        assert gap <= 1e-5 * theirs.delta_weight().norm()


def test_what_a_method_makes_no_use_of_cannot_be_set(qtbot, lab):
    lab.commands.workshop.trigger()
    page = lab.flows.workshop.dialog.merge_page
    found = {}
    for method in METHODS:
        choose(page, method)
        found[method] = [box.isEnabled() for box in (page.density, page.seed, page.rank)]
    assert found == {
        "exact": [False, False, True], "cat": [False, False, False],
        "linear": [False, False, False], "slerp": [False, False, True],
        "ties": [True, False, True], "dare-linear": [True, True, True],
        "dare-ties": [True, True, True], "magnitude": [True, False, True],
    }  # fmt: skip
