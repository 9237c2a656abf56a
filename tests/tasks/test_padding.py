"""What a batch does to a row: nothing, whatever the model; the reference is each row alone."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from lora_lab.config import changed
from lora_lab.errors import CheckpointError
from lora_lab.presets import starting_config
from lora_lab.tasks import TASKS
from tests.models.families import bert_tokens, built, ended_tokens, framed, xlnet_tokens
from tests.models.tiny import save, tokenizer

TABLE = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING"
TAGS = "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING"
WORDS = tuple("the film is good and the sound is clear but the end is bad".split())  # noqa: SIM905
RIGHT = ("albert", "bert", "big_bird", "deberta-v2", "distilbert", "electra", "ernie", "ibert",
         "longformer", "mpnet", "roc_bert", "roformer", "squeezebert")  # fmt: skip
ALONE = ("canine", "convbert", "fnet", "mobilebert", "nystromformer")
DECODERS = ("gpt2", "gpt_neox", "llama", "mistral", "opt", "qwen2", "bloom")
ENDED = ("bart", "mbart", "t5", "plbart", "mt5")
EQUAL = "only texts of equal length"


def rows(path, tagged=False, pairs=True):
    with path.open("w") as file:
        for i in range(30):
            words = [WORDS[(i + 3 * j) % len(WORDS)] for j in range(2 + i % 5)]
            row = {"text": " ".join(words), "label": f"c{i % 3}"}
            if pairs:
                row["text_pair"] = " ".join(reversed(words))
            if tagged:
                row = {"tokens": words, "tags": [f"t{len(word)}" for word in words]}
            file.write(json.dumps(row) + "\n")
    return str(path)


def opened(folder, task, kind, words, table=TABLE, pairs=True, **settings):
    """(task, its model, transformers' own model with the same weights, its own tokenizer)."""
    model = built(kind, table, num_labels=3, **settings)
    model.save_pretrained(folder / "m")
    words.save_pretrained(folder / "m")
    config = starting_config(
        task, model=str(folder / "m"), data=rows(folder / "rows.jsonl", table == TAGS, pairs),
        batch_size=8, accumulation=1, validation=0.2,
    )  # fmt: skip
    made = TASKS[task].open(config)
    return made, made.base_model(), model


def alone(model, words, row, pairs=True):
    """What transformers says of one row of the file, tokenized by its own tokenizer."""
    texts = (row["text"], row["text_pair"]) if pairs else (row["text"],)
    encoded = words(*texts, return_tensors="pt")
    with torch.no_grad():
        return model(**encoded).logits[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "pairs"),
    [(kind, True) for kind in (*RIGHT, *ALONE, *DECODERS, *ENDED, "xlnet")]
    + [(kind, False) for kind in ("bert", "fnet", "gpt2", "bart", "xlnet")],
)
def test_a_row_of_a_batch_is_read_as_it_is_alone(tmp_path, kind, pairs):
    words = {"xlnet": xlnet_tokens}.get(kind, ended_tokens if kind in ENDED else bert_tokens)()
    task, model, theirs = opened(tmp_path, "text_classification", kind, words, pairs=pairs)
    data = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert any(EQUAL in note for note in task.notes) == (kind in ALONE)
    assert task.padding.left == (kind == "xlnet")
    batch = next(task.batches(8, 0))
    wanted = []
    for i in batch:
        logits = alone(theirs, words, data[task.train.examples[i].number - 1], pairs)
        label = torch.tensor(int(data[task.train.examples[i].number - 1]["label"][1:]))
        wanted.append(torch.nn.functional.cross_entropy(logits, label))
    with torch.no_grad():
        found = sum(share * task.loss(model, part) for part, share in task.parts(batch, 1))
        torch.testing.assert_close(found, torch.stack(wanted).mean(), rtol=1e-5, atol=1e-5)
        seen = task.evaluate(model)
    said = [alone(theirs, words, data[e.number - 1], pairs) for e in task.held_out.examples]
    right = [int(x.argmax()) == int(y) for x, y in zip(said, task.held_out.labels, strict=True)]
    assert seen.accuracy == pytest.approx(sum(right) / len(right))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "words"), [("bert", bert_tokens), ("bart", ended_tokens)])
def test_rows_may_take_all_the_places_that_a_model_has(tmp_path, kind, words):
    task, model, _ = opened(
        tmp_path, "text_classification", kind, words(), max_position_embeddings=6
    )
    assert {len(example.ids) for example in task.train.examples} == {6}
    assert 0 < task.evaluate(model).loss < 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bert", "fnet", "xlnet"])
def test_tags_stand_at_their_words_on_either_side(tmp_path, kind):
    words = xlnet_tokens() if kind == "xlnet" else bert_tokens()
    classes = len({len(word) for word in WORDS})
    task, model, _ = opened(tmp_path, "token_classification", kind, words, TAGS)
    theirs = AutoModelForTokenClassification.from_pretrained(
        tmp_path / "m", num_labels=classes, ignore_mismatched_sizes=True
    ).eval()
    theirs.load_state_dict(model.state_dict())
    data = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    batch, total, count = next(task.batches(8, 0)), 0.0, 0
    for example in (task.train.examples[i] for i in batch):
        encoded = words(" ".join(data[example.number - 1]["tokens"]), return_tensors="pt")
        with torch.no_grad():
            loss = theirs(**encoded, labels=torch.tensor(example.tags)[None]).loss
        total += float(loss) * int(example.supervised.sum())
        count += int(example.supervised.sum())
    with torch.no_grad():
        found = sum(share * task.loss(model, part) for part, share in task.parts(batch, 1))
    assert float(found) == pytest.approx(total / count, rel=1e-5)


def test_the_second_text_of_a_pair_is_a_segment_of_its_own(tmp_path):
    task, model, _ = opened(tmp_path, "text_classification", "bert", bert_tokens())
    example = task.train.examples[0]
    assert set(example.types.tolist()) == {0, 1}
    part = task.collated(task.train, [0])
    one = {**part.inputs, "token_type_ids": torch.zeros_like(part.inputs["token_type_ids"])}
    with torch.no_grad():
        apart, together = (task.logits(model, p) for p in (part, part._replace(inputs=one)))
    assert float((apart - together).abs().max()) > 1e-4


def test_segments_that_a_model_lacks_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="up to 1, and the model has 1 of such segments"):
        opened(tmp_path, "text_classification", "bert", bert_tokens(), type_vocab_size=1)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_a_classifier_that_looks_for_the_end_asks_for_one(tmp_path, kind):
    with pytest.raises(CheckpointError, match=r"at its end token <\|end\|>, .* \(row"):
        opened(tmp_path, "text_classification", kind, framed("$A", "$A $B"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_rows_with_more_ends_stand_by_themselves(tmp_path, kind):
    """transformers refuses a batch in which the rows do not end equally often."""
    words = ended_tokens()
    task, model, theirs = opened(tmp_path, "text_classification", kind, words, pairs=False)
    data = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    for row in data[::3]:
        row["text"] += "<|end|> and more"
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    task = TASKS["text_classification"].open(task.config)
    model = task.base_model()
    batch = next(task.batches(8, 0))
    with torch.no_grad():
        found = sum(share * task.loss(model, part) for part, share in task.parts(batch, 1))
    wanted = []
    for example, label in ((task.train.examples[i], task.train.labels[i]) for i in batch):
        logits = alone(theirs, words, data[example.number - 1], False)
        wanted.append(torch.nn.functional.cross_entropy(logits, torch.tensor(int(label))))
    torch.testing.assert_close(found, torch.stack(wanted).mean(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("named", [None, 0])
def test_a_decoder_whose_texts_end_with_the_padding_token(tmp_path, named):
    """Read as transformers reads a single row with the checkpoint's own `pad_token_id`."""
    save(tmp_path / "m", "llama")
    words = tokenizer()
    words.pad_token = "<|end|>"
    words.save_pretrained(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text()) | {"pad_token_id": named}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    texts = [" ".join(WORDS[: 2 + i % 5]) + "<|end|>" for i in range(30)]
    data = [{"text": text, "label": f"c{i % 2}"} for i, text in enumerate(texts)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, data)))
    task = TASKS["text_classification"].open(
        starting_config("text_classification", model=str(tmp_path / "m"), data=str(path))
    )
    model = task.base_model()
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m", num_labels=2).eval()
    theirs.load_state_dict(model.state_dict())
    part = task.collated(task.train, list(range(12)))
    with torch.no_grad():
        found = task.logits(model, part)
        wanted = [alone(theirs, words, data[e.number - 1], False) for e in task.train.examples[:12]]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-4, atol=1e-5)


def test_what_is_tried_out_is_the_same_when_a_run_is_opened_again(tmp_path):
    task, _, _ = opened(tmp_path, "text_classification", "fnet", bert_tokens())
    again = TASKS["text_classification"].open(changed(task.config, batching="shuffled"))
    again.base_model()
    assert again.padding.token == task.padding.token
    assert (again.padding.key is None) == (task.padding.key is None)
