"""Language models learn what transformers computes: loss, parts, packing, evaluation, answers."""

import json
from itertools import islice

import pytest
import torch
import torch.nn.functional as F
from peft import PeftModel

from lora_lab.config import changed
from lora_lab.data.dialogue import instruction_prompt
from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.measured import GeneratedRecord
from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks.causal_lm import CausalLmTask
from lora_lab.training.commands import Export, Generate
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New
from lora_lab.training.run import run
from tests.models.tiny import save
from tests.training.driven_run import DrivenRun

WORDS = tuple("the film is good and the sound is clear but the end is bad".split())  # noqa: SIM905


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": " ".join(WORDS[i % 3 : 4 + i % 7]), "completion": f" {WORDS[i % 4]}"}
        for i in range(40)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def config_of(folder, data, **settings):
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "eval_steps": 0, "max_steps": 12,
        "warmup_steps": 0, "schedule": "constant", "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config("causal_lm", model=str(folder), data=data, **{**base, **settings})


def opened(folder, data, **settings):
    task = CausalLmTask.open(config_of(folder, data, **settings))
    return task, task.base_model()


def reference(task, model, rows, source=None):
    """transformers' own loss over the supervised tokens of these examples, each row by itself."""
    total, count = 0.0, 0
    for row in rows:
        example = (source or task.train).examples[row]
        ids = torch.tensor(example.ids, dtype=torch.int64)[None]
        logits = model(input_ids=ids).logits[0, :-1]
        asked = torch.tensor(example.supervised[1:])
        losses = F.cross_entropy(logits, ids[0, 1:], reduction="none")
        total, count = total + losses[asked].sum(), count + int(asked.sum())
    return total / count


@pytest.mark.parametrize("batching", ["bucketed", "packed", "shuffled"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_loss_is_that_of_each_row_alone(tmp_path, data, kind, batching):
    save(tmp_path / kind, kind)
    task, model = opened(tmp_path / kind, data, batching=batching)
    for batch in islice(task.batches(8, 0), 3):
        rows = [i for row in batch for i in row]
        ((part, share),) = task.parts(batch, 1)
        assert share == pytest.approx(1)
        wanted = reference(task, model, rows)
        torch.testing.assert_close(task.loss(model, part), wanted, rtol=1e-5, atol=1e-6)
        if batching == "packed":
            assert max(map(len, batch)) > 1, "rows stand end to end"


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_parts_make_up_the_whole(tmp_path, data, kind):
    save(tmp_path / kind, kind)
    task, model = opened(tmp_path / kind, data)
    batch = next(task.batches(8, 0))
    parts = task.parts(batch, 4)
    assert len(parts) > 1
    assert sum(share for _, share in parts) == pytest.approx(1)
    weight = next(model.parameters())

    def gradient(loss):
        return torch.autograd.grad(loss, weight)[0]

    pieces = sum(share * task.loss(model, part) for part, share in parts)
    whole = reference(task, model, [row for (row,) in batch])
    torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient(pieces), gradient(whole), rtol=1e-4, atol=1e-6)
    largest = task.heaviest(8, 4).ids.numel()
    assert largest <= -(-8 * int(task.lengths.max()) // 4) or len(task.heaviest(8, 4).ids) == 1


@pytest.mark.parametrize("batching", ["bucketed", "packed"])
def test_a_step_within_a_budget_of_tokens_is_that_of_its_rows_and_resumed_to_the_bit(
    tmp_path, data, batching
):
    """The loss is transformers' mean over the tokens of all rows; an epoch has every row once."""
    save(tmp_path / "m", "llama")
    config = config_of(tmp_path / "m", data, batching=batching, batch_tokens=120, epochs=1.0)
    driven = DrivenRun(config)
    task, model = driven.experiment.task, driven.experiment.model
    batches = [[i for row in batch for i in row]
               for batch in islice(task.batches(8, 0), task.epoch_steps)]  # fmt: skip
    assert sorted(i for rows in batches for i in rows) == list(range(task.rows))
    assert len({len(rows) for rows in batches}) > 1, "as many rows as fit"
    assert driven.experiment.config.max_steps == task.epoch_steps
    assert task.data.epoch_steps == task.epoch_steps
    for batch in islice(task.batches(8, 0), 2):
        parts = task.parts(batch, 1)
        assert all(part.ids.numel() <= 120 for part, _ in parts)
        found = sum(share * task.loss(model, part) for part, share in parts)
        wanted = reference(task, model, [i for row in batch for i in row])
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    driven.steps(1)
    driven.resumed(2)


def test_the_memory_of_a_budget_is_that_of_the_rows_that_fill_it(tmp_path, data):
    save(tmp_path / "m", "llama")
    task, _ = opened(tmp_path / "m", data, batch_tokens=120)
    drawn = (task.parts(batch, 1) for batch in islice(task.batches(8, 0), 3 * task.epoch_steps))
    largest = max(part.ids.numel() for parts in drawn for part, _ in parts)
    assert largest <= task.heaviest(8, 1).ids.numel() <= 120


def test_the_row_that_is_tried_first_is_the_longest_whatever_fills_a_budget_better(tmp_path, data):
    save(tmp_path / "m", "llama")
    longest = int(opened(tmp_path / "m", data)[0].lengths.max())
    task, _ = opened(tmp_path / "m", data, batch_tokens=2 * longest - 1)
    assert len(task.heaviest(8, 1).ids) > 1
    assert task.heaviest(1, 1).ids.shape == (1, longest)


def test_rows_beyond_a_budget_are_batches_of_their_own_and_told(tmp_path, data):
    save(tmp_path / "m", "llama")
    task, _ = opened(tmp_path / "m", data, batch_tokens=2)
    assert {len(batch) for batch in islice(task.batches(8, 0), task.rows)} == {1}
    assert "32 of 32 rows are longer than the 2 tokens of a batch" in " ".join(task.data.notes)
    within, _ = opened(tmp_path / "m", data, batch_tokens=10_000)
    assert "longer than" not in " ".join(within.data.notes)


def test_an_evaluation_is_the_mean_over_held_out_tokens(tmp_path, data, monkeypatch):
    save(tmp_path / "m", "llama")
    task, model = opened(tmp_path / "m", data)
    monkeypatch.setattr(CausalLmTask, "evaluation_tokens", 40)
    with torch.no_grad():
        found = task.evaluate(model)
        wanted = reference(task, model, range(len(task.held_out.examples)), task.held_out)
    assert found.loss == pytest.approx(float(wanted), rel=1e-5)
    assert task.evaluate(model, should_stop=lambda: True) is None


def test_adapters_above_leave_the_layers_below_alone(tmp_path, data):
    save(tmp_path / "m", "llama")
    targets = [f"model.layers.1.mlp.{n}_proj" for n in ("up", "down")]
    experiment = Experiment.build(config_of(tmp_path / "m", data, targets=targets))
    tracked = {}
    for number, layer in enumerate(experiment.model.model.layers):
        layer.register_forward_hook(
            lambda _, __, out, n=number: tracked.update({n: out.requires_grad})
        )
    part = experiment.task.parts(next(experiment.task.batches(8, 0)), 1)[0][0]
    experiment.task.loss(experiment.model, part).backward()
    assert tracked == {0: False, 1: True}, "nothing below the adapters is kept for a backward"


def test_checkpointing_changes_no_gradient(tmp_path, data):
    save(tmp_path / "m", "llama")
    found = []
    for on in (False, True):
        experiment = Experiment.build(config_of(tmp_path / "m", data, checkpointing=on))
        experiment.model.train()
        for layer in experiment.layers.values():
            torch.nn.init.normal_(layer.lora_B, std=0.1, generator=torch.Generator().manual_seed(0))
        part = experiment.task.parts(next(experiment.task.batches(8, 0)), 1)[0][0]
        experiment.task.loss(experiment.model, part).backward()
        found.append([layer.lora_A.grad.clone() for layer in experiment.layers.values()])
    for plain, twice in zip(*found, strict=True):
        assert plain.abs().max() > 0
        torch.testing.assert_close(plain, twice)


def records(config, *commands, tmp_path):
    controls = Controls(config.hyper)
    seen = []
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            for command in commands:
                controls.request(command)
        seen.append(record)
    return seen


def kept(seen, kind):
    return [record for record in seen if isinstance(record, kind)]


@pytest.mark.parametrize("apart", [True, False])
def test_smoothed_labels_are_torchs_and_a_validation_is_plain(tmp_path, data, apart, monkeypatch):
    """Whether the logits exist as a whole or a few at a time."""
    save(tmp_path / "llama", "llama")
    monkeypatch.setattr("lora_lab.tasks.chunked_loss.CHUNK", 1000)
    if not apart:
        monkeypatch.setattr("lora_lab.tasks.lm_head.AGREE", -1.0)
    task, model = opened(tmp_path / "llama", data, label_smoothing=0.3)
    plain, _ = opened(tmp_path / "llama", data)
    ((part, _),) = task.parts(next(task.batches(8, 0)), 1)
    logits = model(input_ids=part.ids).logits.flatten(0, 1)[part.positions].float()
    wanted = F.cross_entropy(logits, part.targets, label_smoothing=0.3)
    assert task.loss(model, part).item() == pytest.approx(wanted.item(), rel=1e-6)
    assert plain.loss(model, part).item() != pytest.approx(wanted.item(), rel=1e-3)
    with torch.no_grad():
        assert task.evaluate(model).loss == plain.evaluate(model).loss


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_run_learns_answers_and_exports_what_peft_loads(tmp_path, data, kind):
    module = save(tmp_path / kind, kind)
    config = config_of(tmp_path / kind, data, max_steps=40, hyper={"learning_rate": 5e-2})
    out = tmp_path / "adapter"
    seen = records(config, Generate(("the film",), 4), Export(str(out)), tmp_path=tmp_path)
    (loaded,), (table,) = kept(seen, LoadedRecord), kept(seen, DataRecord)
    assert loaded.generates
    assert len(loaded.prompts) == 3
    assert (table.train_rows, table.validation_rows, table.form) == (32, 8, "prompt + completion")
    losses = [record.loss for record in kept(seen, StepRecord)]
    assert losses[-1] < losses[0] - 0.3  # a frozen head of small weights allows for little more
    evaluations = kept(seen, EvalRecord)
    assert evaluations[-1].loss < evaluations[0].loss
    (said,) = kept(seen, GeneratedRecord)
    ids = torch.tensor([CausalLmTask.open(config).tokenizer("the film")["input_ids"]])
    how = {"max_new_tokens": 4, "do_sample": False, "attention_mask": torch.ones_like(ids)}
    words = CausalLmTask.open(config).tokenizer
    plain = module.generate(ids, **how)[0, ids.shape[1] :]
    assert said.off == words.decode(plain, skip_special_tokens=True)
    tuned = PeftModel.from_pretrained(module, out).eval()
    answered = tuned.generate(input_ids=ids, **how)[0, ids.shape[1] :]
    assert said.on == words.decode(answered, skip_special_tokens=True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_bases_train_adapters_in_float32(tmp_path, data, dtype):
    save(tmp_path / "m", "llama")
    experiment = Experiment.build(config_of(tmp_path / "m", data, dtype=dtype))
    assert next(experiment.model.parameters()).dtype == getattr(torch, dtype)
    assert {layer.lora_A.dtype for layer in experiment.layers.values()} == {torch.float32}
    angles = experiment.model.model.rotary_emb.inv_freq
    assert angles.dtype == torch.float32, "angles of positions are not rounded"
    config = config_of(tmp_path / "m", data, dtype=dtype, max_steps=20)
    losses = [r.loss for r in kept(records(config, tmp_path=tmp_path), StepRecord)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": None}, "Choose a model"),
        ({"data": None}, "Choose data"),
        ({"digits": (1,)}, "Classes are chosen"),
    ],
)
def test_what_is_missing_is_asked_for(tmp_path, data, settings, reason):
    save(tmp_path / "m", "llama")
    with pytest.raises(ConfigError, match=reason):
        CausalLmTask.open(changed(config_of(tmp_path / "m", data), **settings))


def generated_from(task, prompt):
    """The tokens that the model is given to continue."""
    given = []

    class Model:
        def generate(self, input_ids, **_):
            given.append(input_ids[0].tolist())
            return input_ids

    task.generate(Model(), prompt, 4)
    return given[0]


def test_a_chat_model_is_asked_as_a_user_would(tmp_path):
    folder, data = tmp_path / "m", tmp_path / "chats.jsonl"
    save(folder, "llama", chat=True)
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    data.write_text("\n".join([json.dumps({"messages": turns})] * 8))
    for settings in ({}, {"prompts": ("ho",)}):
        task = CausalLmTask.open(config_of(folder, str(data), **settings))
        wanted = task.tokenizer("<|user|>ho<|end|><|assistant|>")["input_ids"]
        assert generated_from(task, "ho") == wanted
    first = CausalLmTask.open(config_of(folder, str(data))).prompts()[0]
    assert first == "<|user|>hi<|end|><|assistant|>"
    assert generated_from(task, first) == task.tokenizer(first)["input_ids"]


def test_an_instruction_is_asked_in_the_wording_of_its_rows(tmp_path, data):
    save(tmp_path / "m", "llama")
    task = CausalLmTask.open(config_of(tmp_path / "m", data))
    task.form = "instruction"
    written = task.tokenizer(instruction_prompt("Count."))["input_ids"]
    assert generated_from(task, "Count.") == written[-task.limit :]


def test_the_answers_of_one_chat_stay_on_one_side_of_the_split(tmp_path):
    folder, data = tmp_path / "m", tmp_path / "chats.jsonl"
    save(folder, "llama", chat=True)
    words = json.loads((tmp_path / "m" / "tokenizer_config.json").read_text())
    template = tmp_path / "m" / "chat_template.jinja"
    rewrites = (
        "{% for m in messages %}{% if loop.last %}<|system|>{% endif %}<|{{ m.role }}|>"
        "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    if "chat_template" in words:
        words["chat_template"] = rewrites
        (tmp_path / "m" / "tokenizer_config.json").write_text(json.dumps(words))
    else:
        template.write_text(rewrites)
    chats = []
    for i in range(10):
        say = [("user", f"a{i}"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
        chats.append({"messages": [{"role": r, "content": c} for r, c in say]})
    data.write_text("\n".join(map(json.dumps, chats)))
    task = CausalLmTask.open(config_of(folder, str(data), validation=0.3))
    sides = [[example.number for example in part.examples] for part in (task.train, task.held_out)]
    assert [len(side) for side in sides] == [14, 6]
    assert not set(sides[0]) & set(sides[1])
    assert "one example for each answer" in " ".join(task.data.notes)


def test_a_model_that_sees_the_answers_is_refused_with_the_way_out(tmp_path, data):
    save(tmp_path / "bert", "bert_masked")
    task = CausalLmTask.open(config_of(tmp_path / "bert", data))
    wanted = r"reads each token together .*masked-lm.*is_decoder"
    with pytest.raises(CheckpointError, match=wanted):
        task.base_model()
    values = json.loads((tmp_path / "bert" / "config.json").read_text())
    (tmp_path / "bert" / "config.json").write_text(json.dumps(values | {"is_decoder": True}))
    assert task.base_model().config.is_decoder


def test_what_the_config_does_not_say_is_tried_out(tmp_path, data, monkeypatch):
    save(tmp_path / "bert", "bert_masked")
    task = CausalLmTask.open(config_of(tmp_path / "bert", data))
    monkeypatch.setattr("lora_lab.models.architecture.sees_both_sides", lambda values: False)
    with pytest.raises(CheckpointError, match="shown the tokens that it is to predict"):
        task.base_model()
