"""What directions mean: against transformers' own norm and head, and dense products in NumPy."""

import json

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from lora_lab import names
from lora_lab.config import changed
from lora_lab.errors import Cancelled, LabError
from lora_lab.measured import DirectionsRecord, WrongRecord
from lora_lab.presets import get_preset, starting_config
from lora_lab.tasks.base import LookedAt
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure import directions, excited
from lora_lab.training.measure.directions import explain
from lora_lab.training.measure.stream import stream_of
from lora_lab.training.opening import New
from lora_lab.training.questions import ExplainDirections, ShowWrong
from lora_lab.training.run import run
from tests.models.tiny import save
from tests.tasks.test_causal_lm import WORDS


def moved(experiment):
    """The experiment with a ΔW of size in every layer."""
    generator = torch.Generator().manual_seed(3)
    for layer in experiment.lora_layers:
        layer.lora_A.data.normal_(0, 1, generator=generator)
        layer.lora_B.data.normal_(0, 1, generator=generator)
    return experiment


def opened(folder, targets, task="causal_lm", **settings):
    data = folder / "rows.jsonl"
    rows = [{"prompt": " ".join(WORDS[i % 5 : 5 + i % 7]), "completion": f" {WORDS[i % 4]}"}
            for i in range(40)]  # fmt: skip
    data.write_text("\n".join(map(json.dumps, rows)))
    return moved(Experiment.build(starting_config(
        task, model=str(folder / "m"), data=str(data), batch_size=4, validation=0.3,
        targets=targets, hyper={"rank": 4, "alpha": 4}, **settings,
    )))  # fmt: skip


FINAL = {"llama": lambda m: m.model.norm, "gpt2": lambda m: m.transformer.ln_f}
WRITER = {"llama": "model.layers.1.mlp.down_proj", "gpt2": "transformer.h.1.mlp.c_proj"}


@pytest.mark.parametrize("kind", FINAL)
def test_the_tokens_are_those_of_transformers_norm_and_head(tmp_path, kind):
    save(tmp_path / "m", kind)
    reference = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    if kind == "gpt2":  # a norm that says something of nothing
        reference.transformer.ln_f.bias.data.normal_(0, 3)
        reference.save_pretrained(tmp_path / "m")
    experiment = opened(tmp_path, [WRITER[kind].rpartition(".")[2]])
    found = explain(experiment, WRITER[kind], 3, False)
    delta = experiment.layers[WRITER[kind]].delta_weight().detach().double().numpy()
    U, sigma, _ = np.linalg.svd(delta, full_matrices=False)
    assert [d.sigma for d in found.directions] == pytest.approx(sigma[:3], rel=1e-5)
    energy = sigma**2 / (sigma**2).sum()
    assert [d.energy for d in found.directions] == pytest.approx(energy[:3], rel=1e-5)
    norm = FINAL[kind](reference)
    with torch.no_grad():
        for direction, u in zip(found.directions, U.T, strict=False):
            u = torch.from_numpy(u * np.sign(u[np.abs(u).argmax()])).float()
            nothing = reference.lm_head(norm(torch.zeros(1, len(u))))
            wanted = (reference.lm_head(norm(u[None] * len(u) ** 0.5)) - nothing)[0]
            for side, sign in ((direction.tokens.positive, 1), (direction.tokens.negative, -1)):
                top = torch.topk(sign * wanted, len(side))
                tokens = [experiment.task.tokenizer.decode([i]) for i in top.indices]
                assert [value for _, value in side] == pytest.approx(
                    (sign * top.values).tolist(), rel=1e-3, abs=1e-4
                )
                assert [token for token, _ in side] == tokens
    assert found.no_tokens == ""


def test_long_tokens_and_names_of_classes_are_cut():
    class Words:
        def decode(self, ids):
            return f"{ids[0]}" + "a\u0301" * 9_999

    found = directions.token_ends(torch.arange(20.0), Words())
    assert [len(word) for word, _ in found.positive] == [excited.WORD] * directions.SIDE
    assert found.positive[0][0].startswith("19a")
    found = directions.class_ends(torch.tensor([1.0, -1.0]), ("b" * 9_999, "c" * 9_999))
    assert len(found.positive[0][0]) == len(found.negative[0][0]) == names.MOST
    words = tuple(f"{i}." + "a" * 9_999 for i in range(20))
    row = excited.excited_row(1.0, 2, 0, LookedAt(3, None, words, "l" * 9_999))
    assert row.token.startswith("2.a")
    assert len(row.token) == excited.WORD
    assert row.before.count(".") == 2
    assert row.after.count(".") == excited.AROUND
    assert len(row.after) == excited.AROUND * excited.WORD
    assert len(row.label) == names.MOST
    whole = excited.excited_row(1.0, 9, 0, LookedAt(3, None, tuple(map(str, range(20)))))
    assert (whole.before, whole.token, whole.after) == ("345678", "9", "101112131415")
    assert excited.excited_row(1.0, 0, 0, LookedAt(3, None)).token == ""


def tiny(kind):
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 48, "vocab_size": 320, "pad_token_id": 0}  # fmt: skip
    make = {
        "neox": (transformers.GPTNeoXConfig, transformers.GPTNeoXForCausalLM, {}),
        "olmo2": (transformers.Olmo2Config, transformers.Olmo2ForCausalLM, {}),
        "phi": (transformers.PhiConfig, transformers.PhiForCausalLM, {}),
        "granite": (transformers.GraniteConfig, transformers.GraniteForCausalLM,
                    {"residual_multiplier": 0.3, "embedding_multiplier": 2.0}),
    }  # fmt: skip
    config, model, more = make[kind]
    torch.manual_seed(0)
    return model(config(**shape, **more))


# Which layers add to the stream, and by what each output is multiplied there.
WRITERS = {
    "llama": ({"embed_tokens", "o_proj", "down_proj"}, 1.0),
    "gpt2": ({"wte", "wpe", "c_proj"}, 1.0),
    "neox": ({"embed_in", "dense", "dense_4h_to_h"}, 1.0),
    "phi": ({"embed_tokens", "dense", "fc2"}, 1.0),
    "granite": ({"embed_tokens", "o_proj", "down_proj"}, 0.3),
    "olmo2": ({"embed_tokens"}, None),  # each block's output goes through a norm first
}


@pytest.mark.parametrize("kind", WRITERS)
def test_those_that_write_are_those_whose_outputs_sum_up_to_the_stream(tmp_path, kind):
    save(tmp_path / "m", kind if kind in FINAL else "llama")
    if kind not in FINAL:
        tiny(kind).save_pretrained(tmp_path / "m")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    names = [n for n, m in model.named_modules()
             if isinstance(m, torch.nn.Linear | torch.nn.Embedding | transformers.Conv1D)
             and n != "lm_head" and n != "embed_out"]  # fmt: skip
    experiment = opened(tmp_path, names)
    stream = stream_of(experiment)
    wanted, factor = WRITERS[kind]
    writing = {name for name, layer in experiment.layers.items() if stream.writes(layer)}
    assert {name.rpartition(".")[2] for name in writing} == wanted
    assert writing == {name for name in names if name.rpartition(".")[2] in wanted}
    if factor is None:
        return
    outputs, before = {}, []
    for name in writing:
        module = model.get_submodule(name)
        module.register_forward_hook(lambda m, _, out, name=name: outputs.update({name: out}))
    norms = [m for n, m in model.named_modules() if n.endswith(("norm", "ln_f", "layernorm"))]
    norms[-1].register_forward_pre_hook(lambda _, given: before.append(given[0]))
    with torch.no_grad():
        model(input_ids=torch.tensor([[5, 6, 7]]))
    embedded = [n for n in writing if n.rpartition(".")[2] in ("embed_tokens", "wte", "wpe",
                                                               "embed_in")]  # fmt: skip
    scale = getattr(model.config, "embedding_multiplier", 1.0)
    total = sum(scale * outputs[n] for n in embedded)
    total = total + factor * sum(out for n, out in outputs.items() if n not in embedded)
    assert torch.allclose(total, before[-1], rtol=1e-4, atol=1e-5)


def test_others_say_why_they_name_no_tokens(tmp_path):
    save(tmp_path / "m", "llama")
    experiment = opened(tmp_path, ["q_proj", "gate_proj", "down_proj"])
    for name in ("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.gate_proj"):
        found = explain(experiment, name, 2, False)
        assert all(direction.tokens is None for direction in found.directions)
        assert "does not write into the residual stream" in found.no_tokens
        assert len(found.directions) == 2


@pytest.mark.parametrize("name", ["model.layers.0.mlp.down_proj", "model.layers.1.self_attn.q_proj",
                                  "model.embed_tokens"])  # fmt: skip
def test_what_excites_is_the_largest_product_with_the_layers_input(tmp_path, name):
    save(tmp_path / "m", "llama")
    experiment = opened(tmp_path, [name])
    found = explain(experiment, name, 3, True)
    layer, task = experiment.layers[name], experiment.task
    delta = layer.delta_weight().detach().double().numpy()
    U, _, Vh = np.linalg.svd(delta, full_matrices=False)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    given = []
    model.get_submodule(name).register_forward_pre_hook(lambda _, x: given.append(x[0]))
    with torch.no_grad():
        moved_by = torch.from_numpy(delta.T if "embed" in name else delta)
        model.get_submodule(name).weight += moved_by.float()
        rows = []
        for example in task.held_out.examples:
            model(input_ids=torch.from_numpy(example.ids.astype(np.int64))[None])
            x = given.pop()[0].numpy()
            rows.append((np.eye(delta.shape[1])[x] if "embed" in name else x.astype(float),
                         example))  # fmt: skip
    assert found.rows == len(rows)
    for i, direction in enumerate(found.directions):
        v = Vh[i] * np.sign(U[np.abs(U[:, i]).argmax(), i])
        products = {example.number: (x @ v, example) for x, example in rows}
        sizes = sorted((abs(z).max() for z, _ in products.values()), reverse=True)
        assert [abs(x.value) for x in direction.excited] == pytest.approx(
            sizes[: len(direction.excited)], rel=1e-3, abs=1e-4
        )
        for shown in direction.excited:  # rows of one beginning have the same value
            z, example = products[shown.number]
            place = int(np.abs(z).argmax())
            assert shown.value == pytest.approx(z[place], rel=1e-3, abs=1e-4)
            assert shown.before + shown.token + shown.after in task.tokenizer.decode(
                example.ids.tolist()
            )
            if np.sort(np.abs(z))[-2] < 0.99 * abs(z[place]):
                assert shown.token == task.tokenizer.decode([int(example.ids[place])])


@pytest.fixture(scope="module")
def digits():
    return moved(Experiment.build(get_preset("digits").config))


def test_a_layer_that_sees_pixels_has_pictures(digits):
    first, *others, last = digits.layers
    found = explain(digits, first, 3, True)
    delta = digits.layers[first].delta_weight().detach().double().numpy()
    U, _, Vh = np.linalg.svd(delta, full_matrices=False)
    for i, direction in enumerate(found.directions):
        sign = np.sign(U[np.abs(U[:, i]).argmax(), i])
        assert np.allclose(direction.picture, sign * Vh[i].reshape(8, 8), atol=1e-5)
        images = digits.task.test_images.double().numpy() @ (sign * Vh[i])
        order = np.argsort(-np.abs(images[:200]))
        assert [x.number for x in direction.excited] == (order[:4] + 1).tolist()
        assert [x.value for x in direction.excited] == pytest.approx(images[order[:4]], rel=1e-4)
        assert direction.excited[0].image.shape == (8, 8)
    assert found.rows == 200
    for name in (*others, last):
        assert all(d.picture is None for d in explain(digits, name, 2, False).directions)


def test_the_last_layer_of_a_classifier_writes_classes(digits):
    *others, last = digits.layers
    found = explain(digits, last, 2, False)
    delta = digits.layers[last].delta_weight().detach().double().numpy()
    U = np.linalg.svd(delta, full_matrices=False)[0]
    for i, direction in enumerate(found.directions):
        u = U[:, i] * np.sign(U[np.abs(U[:, i]).argmax(), i])
        both = dict(direction.tokens.positive) | dict(direction.tokens.negative)
        assert [both[str(k)] for k in range(10) if str(k) in both] == pytest.approx(
            [u[k] for k in range(10) if str(k) in both], abs=1e-5
        )
        assert direction.tokens.positive[0] == (str(u.argmax()), pytest.approx(u.max(), abs=1e-5))
    for name in others:
        assert "only a language model's have tokens" in explain(digits, name, 1, False).no_tokens


def test_nothing_moves_and_what_has_no_meaning_is_said(digits, monkeypatch):
    before = [(p, p.detach().clone()) for p in digits.model.parameters()]
    state = torch.get_rng_state()
    for name in digits.layers:
        explain(digits, name, 4, True)
    assert all(torch.equal(p, values) for p, values in before)
    assert torch.equal(torch.get_rng_state(), state)
    assert digits.model.training
    with pytest.raises(LabError, match="not adapted"):
        explain(digits, "nowhere", 4, True)
    whole = Experiment.build(changed(get_preset("digits").config, variant="full"))
    monkeypatch.setattr(directions, "LARGEST", 100)
    with pytest.raises(LabError, match="has no factors"):
        explain(whole, next(iter(whole.layers)), 4, True)
    fresh = Experiment.build(get_preset("digits").config)
    name = next(iter(fresh.layers))
    found = explain(fresh, name, 4, True)
    assert (found.rank, found.directions) == (0, ())
    assert "ΔW is 0" in found.no_tokens
    fresh.should_stop = lambda: True
    with pytest.raises(Cancelled):
        explain(fresh, name, 4, True)


def test_known_rank_and_encoders_tell_rows(tmp_path):
    experiment = moved(Experiment.build(get_preset("known-rank").config))
    found = explain(experiment, "layer", 2, True)
    X = experiment.task.batch[0].double().numpy()[:200]
    delta = experiment.layers["layer"].delta_weight().detach().double().numpy()
    v = np.linalg.svd(delta)[2][0]
    assert found.directions[0].excited[0].number == int(np.abs(X @ v).argmax()) + 1
    save(tmp_path / "m", "bert_classifier")
    data = tmp_path / "t.jsonl"
    rows = [{"text": " ".join(WORDS[i % 5 : 5 + i % 7]), "label": "ab"[i % 2]} for i in range(40)]
    data.write_text("\n".join(map(json.dumps, rows)))
    config = starting_config("text_classification", model=str(tmp_path / "m"), data=str(data),
                             batch_size=4, targets=["query"])  # fmt: skip
    experiment = moved(Experiment.build(config))
    name = next(n for n in experiment.layers if n.endswith("query"))
    found = explain(experiment, name, 2, True)
    assert found.rows == len(experiment.task.held_out.examples)
    assert all(x.token for direction in found.directions for x in direction.excited)


def test_what_is_looked_at_is_not_written_into_a_run(tmp_path):
    config = changed(get_preset("digits").config, max_steps=3)
    controls = Controls(config.hyper)
    for command in (ShowWrong(2), ExplainDirections("fc1", data=True)):
        controls.request(command)
    seen = {type(record) for record in run(New(config, tmp_path / "run"), controls)}
    assert {WrongRecord, DirectionsRecord} <= seen
    written = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "StepRecord" in written
    assert "WrongRecord" not in written
    assert "DirectionsRecord" not in written
