"""Several adapters over one base by their widgets: strengths, loss and text, live."""

import json

import pytest
import torch
import transformers

from lora_lab.formats.verify import export
from lora_lab.measured import DirectionsRecord
from lora_lab.presets import starting_config
from lora_lab.records import SpectrumRecord, State, StateRecord
from lora_lab.ui.panels.directions import DirectionsPanel
from lora_lab.ui.panels.mix import MixPanel
from lora_lab.ui.session.standing import Standing
from tests.formats.adapters import weights_of
from tests.models import tiny
from tests.ui.seen import buttons, named, put, words

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


def opened(qtbot, lab, folder, kind):
    lab.open(
        starting_config(
            "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"),
            batch_size=4, max_steps=4, validation=0.2, targets=["down_proj"],
            hyper={"learning_rate": 1e-2},
        )
    )  # fmt: skip
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    panel = next(p for p in lab.panels if isinstance(p, kind))
    assert not panel.isVisible(), "folded until it is asked for"
    lab.host.bring(panel.key)
    qtbot.waitUntil(panel.isVisible)
    return panel


def loss(qtbot, panel):
    """The validation loss that is shown, once nothing is being measured."""

    def told():
        panel.redraw()
        return any(text.startswith("validation loss") for text in words(panel))

    qtbot.waitUntil(told, timeout=60_000)
    text = next(text for text in words(panel) if text.startswith("validation loss"))
    return float(text.split()[2])


def dense_loss(lab, folder, strengths):
    """The base with Σ w·ΔW added to its weights; the mean cross-entropy of " good"."""
    from lora_lab.formats.recognise import open_adapter

    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    words_of = transformers.AutoTokenizer.from_pretrained(folder / "base")
    with torch.no_grad():
        for name, w in strengths.items():
            for layer in open_adapter(folder / name).layers:
                model.get_submodule(layer.name).weight += (w * layer.delta_weight()).float()
        prompt = words_of("the film is")["input_ids"]
        answer = words_of(" good")["input_ids"]
        eos = [words_of.eos_token_id]
        ids = torch.tensor([prompt + answer + eos])
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        return float(torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :]))


def test_strengths_are_dragged_and_typed_and_the_loss_follows(qtbot, lab, folder):
    panel = opened(qtbot, lab, folder, MixPanel)
    for name in ("one", "two"):
        panel.add(str(folder / name))
    first = loss(qtbot, panel)
    assert first == pytest.approx(dense_loss(lab, folder, {"one": 1, "two": 1}), rel=1e-3)
    put(qtbot, named(panel, "Strength of one, as a number"), "40")
    qtbot.waitUntil(lambda: loss(qtbot, panel) != first, timeout=60_000)
    wanted = dense_loss(lab, folder, {"one": 40, "two": 1})
    assert loss(qtbot, panel) == pytest.approx(wanted, rel=1e-3)
    slider = named(panel, "Strength of two")
    for place in (120, 90, -30, -100):  # as fast as a hand drags
        slider.setValue(place)
    assert named(panel, "Strength of two, as a number").value() == -1.0
    wanted = dense_loss(lab, folder, {"one": 40, "two": -1})
    qtbot.waitUntil(lambda: loss(qtbot, panel) == pytest.approx(wanted, rel=1e-3), timeout=60_000)
    put(qtbot, named(panel, "Strength of one, as a number"), "4e9")
    assert named(panel, "Strength of one, as a number").value() == 40, "refused, not clamped"
    before = lab.sessions.standing.applied
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    assert lab.sessions.standing.applied == before, "the run is its own"


def test_a_text_is_generated_with_the_mixture_and_the_run_has_its_own(qtbot, lab, folder):
    panel = opened(qtbot, lab, folder, MixPanel)
    panel.add(str(folder / "one"))
    put(qtbot, named(panel, "Strength of one, as a number"), "90")
    named(panel, "Prompt for the mixture").setText("the film")
    buttons(panel)["Generate"].click()
    qtbot.waitUntil(lambda: (panel.redraw(), bool(panel.text.toPlainText()))[1], timeout=60_000)
    assert "mixture on" in panel.text.toPlainText()
    other = next(p for p in lab.panels if p.key == "generation")
    assert other.figure_data()["prompt"] == ["the film"]


def test_interference_is_told_layer_by_layer(qtbot, lab, folder):
    panel = opened(qtbot, lab, folder, MixPanel)
    panel.add(str(folder / "one"))
    panel.add(str(folder / "two"))
    panel.redraw()
    buttons(panel)["Interference"].click()
    qtbot.waitUntil(lambda: bool(panel.figure_data()), timeout=60_000)
    columns = panel.figure_data()
    pairs = set(zip(columns["first"], columns["second"], strict=True))
    assert pairs == {("this run", "one"), ("this run", "two"), ("one", "two")}
    layers = sorted(set(columns["layer"]))
    assert len(layers) == 4
    rows = dict(zip(zip(columns["layer"], columns["first"], strict=True), columns["cosine"],
                    strict=True))  # fmt: skip
    from lora_lab.formats.recognise import open_adapter

    one, two = ({x.name: x.delta_weight() for x in open_adapter(folder / n).layers}
                for n in ("one", "two"))  # fmt: skip
    for name in layers:
        wanted = float((one[name] * two[name]).sum() / one[name].norm() / two[name].norm())
        assert rows[name, "one"] == pytest.approx(wanted, abs=1e-6)
    panel.rows[0].slider.setValue(30)
    assert panel.figure_data(), "strengths do not matter to it"


def test_what_does_not_fit_is_said_and_the_rest_stays(qtbot, lab, folder):
    panel = opened(qtbot, lab, folder, MixPanel)
    other = weights_of(tiny.MODELS["gpt2"](), "lora")
    export(other, folder / "gpt2")
    panel.add(str(folder / "gpt2"))
    qtbot.waitUntil(lambda: any("another model" in text for text in words(panel)), timeout=60_000)
    named(panel, "Remove gpt2").click()
    panel.add(str(folder / "one"))
    assert loss(qtbot, panel) == pytest.approx(dense_loss(lab, folder, {"one": 1}), rel=1e-3)
    panel.add(str(folder / "one"))
    assert any("is here already" in text for text in words(panel))


@pytest.mark.parametrize("when", ["at rest", "with the end", "before its answer", "hidden"])
def test_directions_are_of_the_last_step_whenever_its_spectrum_came(qtbot, when):
    """Asked again: after the rest between two answers, after an answer, on being seen again."""
    panel, asked = DirectionsPanel(), []
    qtbot.addWidget(panel)
    standing = Standing()
    panel.follow(standing)
    panel.command_asked.connect(asked.append)
    panel.layer_combo.addItem("layer")
    standing.state = State.RUNNING
    panel.show()  # which asks
    answer = DirectionsRecord(1, "layer", 1, (), "", False, 0, "", seconds=1e3)
    spectrum = SpectrumRecord(2, ())
    ended = StateRecord(State.FINISHED, 2)
    if when != "before its answer":
        panel.receive([answer])
    if when == "hidden":
        panel.hide()
    panel.receive([spectrum] if when == "at rest" else [spectrum, ended])
    assert len(asked) == 1 + (when == "with the end")
    if when == "at rest":
        panel.receive([ended])
    standing.state = State.FINISHED
    if when == "before its answer":
        panel.receive([answer])
    if when == "hidden":
        panel.show()
    assert len(asked) == 2
    panel.receive([answer])
    assert len(asked) == 2


def test_directions_follow_the_layer_that_is_chosen_and_the_training(qtbot, lab, folder):
    panel = opened(qtbot, lab, folder, DirectionsPanel)
    qtbot.waitUntil(lambda: (panel.redraw(), "no directions yet" in " ".join(words(panel)))[1])
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    qtbot.waitUntil(lambda: "writes" in panel.figure_data().get("what", ()), timeout=60_000)
    panel.redraw()
    assert "looked at" not in " ".join(words(panel)), "of a ΔW of 0 no row was"
    buttons(panel)["Ask the data"].click()
    qtbot.waitUntil(lambda: "excited by" in panel.figure_data()["what"], timeout=60_000)
    panel.redraw()
    shown = panel.text.toPlainText()
    assert "u₁ writes" in shown
    assert "v₁ is excited by" in shown
    first = "model.layers.0.mlp.down_proj"
    panel.choose_layer(first)
    qtbot.waitUntil(lambda: panel.summary().startswith(first), timeout=60_000)
    assert panel.layer_combo.currentText() == first
    panel.choose_layer("")
    assert panel.layer_combo.currentText() == first, "of all layers one is shown"
