"""Encoder-decoders learn what transformers computes, and their adapters are read elsewhere."""

import json
from itertools import islice

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq

from lora_lab.config import changed
from lora_lab.errors import CheckpointError, LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.measured import GeneratedRecord
from lora_lab.models.inspect import describe
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks import TASKS
from lora_lab.tasks.seq2seq import Seq2SeqTask
from lora_lab.training.commands import Export, Generate
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.memory_preview import memory_preview
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from lora_lab.workshop.merge_base import write_merged
from tests.models.families import built, ended_tokens

WORDS = tuple("the film is good and the sound is clear but the end is bad".split())  # noqa: SIM905
TABLE = "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING"
FAMILIES = ("bart", "blenderbot", "blenderbot-small", "led", "longt5", "m2m_100", "marian",
            "mbart", "mt5", "mvp", "pegasus", "pegasus_x", "plbart",
            "switch_transformers", "t5", "umt5")  # fmt: skip


def rows():
    for i in range(40):
        words = WORDS[i % 5 : 5 + i % 9]
        yield {"article": " ".join(words), "summary": " ".join(words[: 1 + i % 3])}


def config_of(folder, kind="t5", **settings):
    if not (folder / kind).exists():
        built(kind, TABLE).save_pretrained(folder / kind)
        ended_tokens().save_pretrained(folder / kind)
    data = folder / "rows.jsonl"
    if not data.exists():
        data.write_text("\n".join(map(json.dumps, rows())))
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 12, "eval_steps": 4,
        "warmup_steps": 0, "schedule": "constant", "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config(
        "seq2seq", model=str(folder / kind), data=str(data), **{**base, **settings}
    )


def theirs(model, words, texts, each=False):
    """transformers' own loss of these rows by its own collator; of `each` row alone, weighted."""
    collator = DataCollatorForSeq2Seq(words, model=model)
    total, count = 0.0, 0
    for block in [[row] for row in texts] if each else [texts]:
        made = [words(r["article"], text_target=r["summary"]) for r in block]
        batch = collator([{k: list(v) for k, v in one.items()} for one in made])
        with torch.no_grad():
            loss = model(**batch).loss
        asked = int((batch["labels"] != -100).sum())
        total, count = total + float(loss) * asked, count + asked
    return total / count


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FAMILIES)
def test_loss_and_parts_are_those_of_transformers(tmp_path, kind):
    task = Seq2SeqTask.open(config_of(tmp_path, kind))
    model = task.base_model()
    reference = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / kind).eval()
    batch = next(task.batches(8, 0))
    data = read(tmp_path / "rows.jsonl")
    texts = [data[task.train.examples[i].number - 1] for i in batch]
    with torch.no_grad():
        for count in (1, 4):
            parts = task.parts(batch, count)
            found = float(sum(share * task.loss(model, part) for part, share in parts))
            for each in (False, True):
                wanted = theirs(reference, ended_tokens(), texts, each)
                assert found == pytest.approx(wanted, rel=2e-6), (count, each)
        held = [data[e.number - 1] for e in task.held_out.examples]
        wanted = theirs(reference, ended_tokens(), held, True)
        assert task.evaluate(model).loss == pytest.approx(wanted, rel=2e-6)
    assert len(parts) > 1


@pytest.mark.filterwarnings("ignore")
def test_a_model_with_a_loss_of_its_own_is_refused(tmp_path):
    task = Seq2SeqTask.open(config_of(tmp_path, "prophetnet"))
    with pytest.raises(CheckpointError, match="loss of its own"):
        task.base_model()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_a_run_learns_generates_resumes_and_is_read_elsewhere(tmp_path, kind):
    config = config_of(tmp_path, kind, max_steps=60, autosave_seconds=1000)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
            controls.request(Generate((WORDS[0],), 5))
        seen.append(record)
    evaluations = [r for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert evaluations[-1].loss < evaluations[0].loss - 0.5
    losses = {r.step: r.loss for r in seen if isinstance(r, StepRecord)}
    short = changed(config, max_steps=12)
    list(run(New(short, tmp_path / "again"), Controls(short.hyper)))
    more = list(run(Resume.at(tmp_path / "again", 16), Controls(short.hyper)))
    resumed = {r.step: r.loss for r in more if isinstance(r, StepRecord)}
    assert {s: resumed[s] for s in range(13, 17)} == {s: losses[s] for s in range(13, 17)}
    assert json.loads((out / "adapter_config.json").read_text())["task_type"] == "SEQ_2_SEQ_LM"
    task, data, words = Seq2SeqTask.open(config), read(tmp_path / "rows.jsonl"), ended_tokens()
    held = [data[e.number - 1] for e in task.held_out.examples]
    base = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / kind)
    write_merged(open_adapter(out), tmp_path / kind, tmp_path / "merged")
    merged = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "merged").eval()
    tuned = PeftModel.from_pretrained(base, out).eval()
    for model in (tuned, merged):
        assert theirs(model, words, held, True) == pytest.approx(evaluations[-1].loss, rel=1e-5)
    (said,) = [r for r in seen if isinstance(r, GeneratedRecord)]
    inputs = words([WORDS[0]], return_tensors="pt")
    with torch.no_grad():
        tokens = tuned.generate(**inputs, max_new_tokens=5, do_sample=False, num_beams=1)
    assert said.on == words.decode(tokens[0], skip_special_tokens=True)


def test_the_prefix_is_read_and_targets_are_asked_for_to_their_end(tmp_path):
    words = ended_tokens()
    task = Seq2SeqTask.open(config_of(tmp_path, source_prefix="question: "))
    data = read(tmp_path / "rows.jsonl")
    for example in task.train.examples:
        row = data[example.number - 1]
        assert example.source.ids.tolist() == words("question: " + row["article"])["input_ids"]
        assert example.target.ids.tolist() == words(text_target=row["summary"])["input_ids"]
        assert example.target.supervised.all()
        assert not example.source.supervised.any()
    record = task.data
    assert record.supervised_tokens == sum(len(e.target.ids) for e in task.train.examples)
    assert "".join(record.rows[0].tokens).startswith("question: ")
    assert all(record.rows[0].target.supervised)


def test_a_target_that_is_cut_does_not_end(tmp_path):
    task = Seq2SeqTask.open(config_of(tmp_path, max_length=4))
    end = ended_tokens().eos_token_id
    cut = [e for e in task.train.examples if e.target.cut]
    assert cut
    assert all(end not in e.target.ids for e in cut)
    assert all(e.target.ids[-1] == end for e in task.train.examples if not e.target.cut)
    assert all(e.source.ids[-1] == end for e in task.train.examples), "as at generation"
    assert task.data.cut_rows == sum(e.cut > 0 for e in task.train.examples)


COLUMNS = {
    "source, target": ({"source": "a b", "target": "c"}, "a b", "c"),
    "alpaca": ({"instruction": "say", "input": "it", "output": "x"}, "say\n\nit", "x"),
    "squad": ({"question": "who", "context": "one", "answer": "two"}, "who\n\none", "two"),
    "prompts": ({"prompt": "p", "completion": "c"}, "p", "c"),
    "cnn": ({"article": "long", "highlights": "short", "id": "7"}, "long", "short"),
    "samsum": ({"dialogue": "hi", "summary": "greeting"}, "hi", "greeting"),
    "wmt": ({"translation": {"de": "gut", "en": "good"}}, "gut", "good"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_found_by_their_usual_names(tmp_path, name):
    row, source, target = COLUMNS[name]
    (tmp_path / "rows.jsonl").write_text("\n".join([json.dumps(row)] * 10))
    task = Seq2SeqTask.open(config_of(tmp_path))
    words, example = ended_tokens(), task.train.examples[0]
    assert example.source.ids.tolist() == words(source)["input_ids"]
    assert example.target.ids.tolist() == words(text_target=target)["input_ids"]
    unused = [note for note in task.data.notes if "not used" in note]
    assert unused == (["column not used: id"] if name == "cnn" else [])


def test_a_translation_goes_the_other_way_on_request(tmp_path):
    row = COLUMNS["wmt"][0]
    (tmp_path / "rows.jsonl").write_text("\n".join([json.dumps(row)] * 10))
    other = [("source", "translation.en"), ("target", "translation.de")]
    task = Seq2SeqTask.open(config_of(tmp_path, columns=other))
    assert task.train.examples[0].target.ids.tolist() == ended_tokens()("gut")["input_ids"]
    with pytest.raises(LabError, match=r"There is no column 'translation\.fr'"):
        Seq2SeqTask.open(config_of(tmp_path, columns=[("source", "translation.fr")]))


REFUSED = {
    "gpt2": "not an encoder-decoder model of text",
    "whisper": "speech and sound, which cannot be trained here yet",
    "wav2vec2": "speech and sound, which cannot be trained here yet",
    "vision-encoder-decoder": "images with text, which cannot be trained here yet",
    "voxtral": "speech and sound, which cannot be trained here yet",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_encoder_decoder_of_text_is_named(tmp_path, kind):
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "config.json").write_text(json.dumps({"model_type": kind}))
    ended_tokens().save_pretrained(tmp_path / kind)
    task = Seq2SeqTask.open(config_of(tmp_path, kind))
    with pytest.raises(CheckpointError, match=REFUSED[kind]):
        task.base_model()


def test_an_encoder_decoder_is_sent_to_its_task(tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n".join(['{"text": "the film is good"}'] * 10))
    task = TASKS["causal_lm"].open(changed(config_of(tmp_path, "bart"), task="causal_lm"))
    with pytest.raises(CheckpointError, match=r"has an encoder and a decoder.*seq2seq"):
        task.base_model()
    card = describe(tmp_path / "bart")
    assert card.tasks[0] == "seq2seq"
    assert not {"causal_lm", "masked_lm", "preference"} & set(card.tasks)


def test_the_memory_of_a_step_is_known_before_it(tmp_path):
    record = memory_preview(Experiment.build(config_of(tmp_path)))
    assert record.reason == ""
    assert record.activations > 0


def test_batches_come_again(tmp_path):
    task = Seq2SeqTask.open(config_of(tmp_path))
    first = list(islice(task.batches(8, 0), 6))
    assert list(islice(task.batches(8, 0, skip=3), 3)) == first[3:]
