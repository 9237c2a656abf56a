"""What is drawn, against transformers' own processors on the model's own logits."""

import json

import pytest
import torch
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from lora_lab.errors import Cancelled, ConfigError, LabError
from lora_lab.sampling import Sampling
from lora_lab.tasks.generating import not_applied
from lora_lab.tasks.seq2seq import Seq2SeqTask
from tests.models.tiny import save
from tests.tasks.test_causal_lm import WORDS, opened
from tests.tasks.test_seq2seq import config_of as seq2seq_config

PROMPT = "the film is"


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "m", "llama", chat=True)
    rows = [{"prompt": " ".join(WORDS[i % 3 : 4 + i % 7]), "completion": f" {WORDS[i % 4]}"}
            for i in range(20)]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def lively(folder):
    """A task and a model whose logits are far enough apart that temperature and top-p matter."""
    task, model = opened(folder / "m", str(folder / "rows.jsonl"))
    model.eval()
    head = model.get_output_embeddings()
    weight = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(2))
    head.weight = torch.nn.Parameter(2 * weight / weight.shape[1] ** 0.5)  # logits of size 2
    return task, model


@torch.no_grad()
def drawn(model, ids, temperature, top_p, seed, count, eos):
    """Token by token: the model's logits, transformers' warpers, torch's multinomial."""
    torch.manual_seed(seed)
    warpers = [TemperatureLogitsWarper(temperature), TopPLogitsWarper(top_p)]
    found = torch.tensor([ids])
    for _ in range(count):
        scores = model(input_ids=found).logits[:, -1].float()
        for warper in warpers:
            scores = warper(found, scores)
        token = torch.multinomial(scores.softmax(-1), 1)
        found = torch.cat([found, token], 1)
        if int(token) == eos:
            break
    return found[0, len(ids) :].tolist()


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (2.5, 0.4), (0.3, 0.6)])
def test_tokens_are_drawn_as_transformers_warpers_have_it(folder, temperature, top_p, seed):
    task, model = lively(folder)
    ids = task.tokenizer(PROMPT)["input_ids"]
    wanted = drawn(model, ids, temperature, top_p, seed, 12, task.tokenizer.eos_token_id)
    state = torch.get_rng_state()
    text = task.generate(model, PROMPT, 12, Sampling(temperature, top_p, seed))
    assert text == task.tokenizer.decode(wanted, skip_special_tokens=True)
    assert torch.equal(torch.get_rng_state(), state), "training draws as if nothing had happened"


def test_seeds_and_temperatures_differ_and_greedy_needs_none(folder):
    task, model = lively(folder)
    hot = {task.generate(model, PROMPT, 12, Sampling(3.0, 1.0, seed)) for seed in range(6)}
    assert len(hot) > 3
    greedy = {task.generate(model, PROMPT, 12, Sampling(seed=seed)) for seed in range(3)}
    assert len(greedy) == 1
    assert task.generate(model, PROMPT, 12, Sampling(3.0, 1e-6, 5)) in greedy, "top-p of one token"


def test_what_the_checkpoint_would_add_is_not_applied_and_said(folder):
    task, model = lively(folder)
    plain = task.generate(model, PROMPT, 12)
    assert not_applied(model) == ()
    own = model.generation_config
    own.repetition_penalty, own.no_repeat_ngram_size, own.num_beams = 1.9, 2, 3
    own.temperature, own.top_k, own.do_sample = 0.6, 5, True
    assert task.generate(model, PROMPT, 12) == plain
    ids = torch.tensor([task.tokenizer(PROMPT)["input_ids"]])
    with torch.no_grad():
        for _ in range(12):
            ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(-1)], 1)
    assert task.tokenizer.decode(ids[0, -12:], skip_special_tokens=True).startswith(plain)
    (note,) = not_applied(model)
    said = {"repetition_penalty 1.9", "no_repeat_ngram_size 2", "num_beams 3", "temperature 0.6"}
    assert {name for name in (*said, "top_k 5") if name in note} == {*said, "top_k 5"}


def test_text_ends_before_the_first_stop_text(folder):
    task, model = lively(folder)
    texts = {i: task.tokenizer.decode([i]) for i in range(model.config.vocab_size)}
    model.generation_config.suppress_tokens = [i for i, t in texts.items() if not t.isascii()]
    how = {"temperature": 2.0, "seed": 3}
    whole = task.generate(model, PROMPT, 24, Sampling(**how))
    assert len(whole) > 6
    stop = whole[3:5]
    wanted = whole[: whole.index(stop)]
    assert task.generate(model, PROMPT, 24, Sampling(**how, stop=(stop,))) == wanted
    both = Sampling(**how, stop=("never said", stop, whole[1:3]))
    first = min(whole.index(word) for word in both.stop[1:])
    assert task.generate(model, PROMPT, 24, both) == whole[:first]
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    task.generate(model, PROMPT, 24, Sampling(**how, stop=(whole[0],)))
    assert len(calls) == 1, "nothing is computed beyond it"
    ids = torch.tensor([task.tokenizer(PROMPT)["input_ids"]])
    torch.manual_seed(3)
    theirs = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, top_k=0,
                            do_sample=True, temperature=2.0, stop_strings=[stop],
                            tokenizer=task.tokenizer)  # fmt: skip
    text = task.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)
    assert text[: text.index(stop)] == wanted


def given(task, kind, prompt=PROMPT):
    """The tokens that the model is given."""
    seen = []

    class Model:
        def generate(self, input_ids, **_):
            seen.append(input_ids[0].tolist())
            return input_ids

    task.generate(Model(), prompt, 4, Sampling(prompt=kind))
    return seen[0]


def test_a_prompt_is_text_or_what_a_user_says(folder):
    task, _ = opened(folder / "m", str(folder / "rows.jsonl"))
    assert task.chats
    for kind in ("data", "text"):
        assert given(task, kind) == task.tokenizer(PROMPT)["input_ids"]
    theirs = task.tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}], add_generation_prompt=True, return_dict=False
    )
    assert given(task, "chat") == theirs
    save(folder / "bare", "llama")
    bare, model = opened(folder / "bare", str(folder / "rows.jsonl"))
    assert not bare.chats
    with pytest.raises(LabError, match="no chat template"):
        bare.generate(model, PROMPT, 4, Sampling(prompt="chat"))


def test_an_encoder_decoder_draws_too(tmp_path):
    task = Seq2SeqTask.open(seq2seq_config(tmp_path))
    model = task.base_model().eval()
    found = {task.generate(model, "the film", 8, Sampling(5.0, 1.0, seed)) for seed in range(5)}
    assert len(found) > 1
    with pytest.raises(LabError, match="no users"):
        task.generate(model, "the film", 8, Sampling(prompt="chat"))


def test_generating_can_be_cancelled(folder):
    task, model = opened(folder / "m", str(folder / "rows.jsonl"))
    with pytest.raises(Cancelled):
        task.generate(model, PROMPT, 24, Sampling(), lambda: True)


@pytest.mark.parametrize("settings", [
    {"temperature": -0.1}, {"temperature": float("nan")}, {"temperature": float("inf")},
    {"top_p": 0.0}, {"top_p": 1.01}, {"top_p": float("nan")}, {"seed": -1}, {"stop": ("",)},
    {"prompt": "poem"},
])  # fmt: skip
def test_what_nothing_can_be_drawn_with_is_refused(settings):
    with pytest.raises(ConfigError):
        Sampling(**settings).checked()
