"""What is opened twice is read once, and is the very same; whatever has changed is read anew."""

import dataclasses
import errno
import json
import os

import numpy as np
import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.data import kept_tokens, token_writer
from lora_lab.presets import starting_config
from lora_lab.tasks import TASKS, reading, text
from tests.models.families import bert_tokens, built, ended_tokens
from tests.models.tiny import save

WORDS = ["the film is good", "the film is bad and long", "a film", "it is bad bad bad"]
SAID = [WORDS[i % 4] + " and" * (i % 7) for i in range(40)]
ANSWER = {"role": "assistant", "content": "good"}
PAIRS = [{"prompt": s, "chosen": " good", "rejected": f" bad{' bad' * (i % 3)}"}
         for i, s in enumerate(SAID)]  # fmt: skip
ROWS = {
    "causal_lm": [{"prompt": s, "completion": " good", "unused": i} for i, s in enumerate(SAID)],
    "chat": [{"messages": [{"role": "user", "content": s}, ANSWER]} for s in SAID],
    "preference": PAIRS,
    "seq2seq": [{"source": s, "target": "good" * (1 + i % 2)} for i, s in enumerate(SAID)],
    "masked_lm": [{"text": s} for s in SAID],
    "text_classification": [{"text": s, "label": "ab"[i % 2]} for i, s in enumerate(SAID)],
    "regression": [{"text": s, "score": i / 3} for i, s in enumerate(SAID)],
    "multi_label": [{"text": s, "labels": ["x", "y"][: i % 3]} for i, s in enumerate(SAID)],
    "token_classification": [
        {"tokens": s.split(), "tags": ["O" if w != "bad" else "B-BAD" for w in s.split()]}
        for s in SAID
    ],
}  # fmt: skip
CAUSAL = ("causal_lm", "chat", "preference")
MORE = {name: {"a": 3, "b": "none"} for name in ROWS}  # a row that is left out


def config_of(tmp_path, name, **settings):
    if name in CAUSAL:
        save(tmp_path / "model", "llama", chat=True)
    elif name == "seq2seq":
        built("t5", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING").save_pretrained(tmp_path / "model")
        ended_tokens().save_pretrained(tmp_path / "model")
    else:
        save(tmp_path / "model", "bert")
        bert_tokens().save_pretrained(tmp_path / "model")
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [*ROWS[name], MORE[name], ROWS[name][0]])))
    settings = {"validation": 0.25, "batch_size": 4, "skip_bad_rows": True, **settings}
    task = "causal_lm" if name == "chat" else name
    return starting_config(task, model=str(tmp_path / "model"), data=str(path), **settings)


@pytest.fixture(autouse=True)
def read(monkeypatch):
    """The tables that were read, even small ones being kept."""
    monkeypatch.setattr(reading, "SMALLEST", 0)
    found = []

    def read_table(path, **settings):
        found.append(str(path))
        return text_read(path, **settings)

    text_read = text.read_table
    monkeypatch.setattr(text, "read_table", read_table)
    return found


def opened(config):
    return TASKS[config.task].open(config)


def said(task):
    """All that is known of a task's data, as values that can be compared."""
    record = dataclasses.asdict(task.data)
    record["lengths"] = record["lengths"].tolist()
    sets = [
        [
            (row.ids.tolist(), row.supervised.tolist(), row.cut, row.number,
             None if row.types is None else row.types.tolist(),
             row.tags.tolist() if hasattr(row, "tags") else None)
            for row in texts.examples
        ]
        for texts in (task.train, task.held_out)
    ]  # fmt: skip
    labels = [None if x.labels is None else x.labels.tolist() for x in (task.train, task.held_out)]
    batches = task.batches(4, 0)
    return record, sets, labels, task.classes, task.form, [str(next(batches)) for _ in range(20)]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("where", ["in memory", "on the disk"])
def test_what_was_kept_is_what_was_read(tmp_path, monkeypatch, read, name, where):
    if where == "on the disk":
        monkeypatch.setattr(token_writer, "FLUSHED", 50)
        monkeypatch.setattr(token_writer, "HELD", 0)
        monkeypatch.setattr(kept_tokens, "HELD", 0)
    config = config_of(tmp_path, name)
    first = said(opened(config))
    assert len(read) == 1
    again = said(opened(config))
    assert len(read) == 1, "it was kept"
    assert again == first
    record = first[0]
    assert any("1 row was left out" in note for note in record["notes"])
    assert any("duplicate row" in note for note in record["notes"]) or record["validation_rows"]
    monkeypatch.setattr(reading, "SMALLEST", 10**9)
    assert said(opened(config)) == first, "as without"
    assert len(read) == 2


def another_byte(config):
    """A row is changed, size and date are not."""
    before = os.stat(config.data)
    path = paths.Path(config.data)
    path.write_text(path.read_text().replace("the film is good", "the film is nice", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return config


def another_template(config):
    path = paths.Path(config.model) / "chat_template.jinja"
    path.write_text(path.read_text() + "{# else #}")
    return config


def another_token(config):
    path = paths.Path(config.model) / "tokenizer.json"
    values = json.loads(path.read_text())
    values["normalizer"] = {"type": "Lowercase"}
    path.write_text(json.dumps(values))
    return config


def other_versions(config, monkeypatch):
    import tokenizers

    monkeypatch.setattr(tokenizers, "__version__", "0.0")
    reading.versions.cache_clear()
    return config


CHANGES = {
    "a byte": another_byte,
    "the template": another_template,
    "the tokenizer": another_token,
    "the limit": lambda config: changed(config, max_length=10),
    "bad rows": lambda config: changed(config, skip_bad_rows=False, columns=config.columns),
    "the columns": lambda config: changed(config, columns=(("messages", "messages"),)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_read_anew(tmp_path, read, name):
    config = config_of(tmp_path, "chat")
    if name == "bad rows":
        path = paths.Path(config.data)
        path.write_text(path.read_text().replace(json.dumps(MORE["chat"]) + "\n", ""))
    opened(config)
    opened(CHANGES[name](config))
    assert len(read) == 2


def test_other_versions_read_anew(tmp_path, read, monkeypatch):
    config = config_of(tmp_path, "masked_lm")
    opened(config)
    try:
        opened(other_versions(config, monkeypatch))
    finally:
        reading.versions.cache_clear()
    assert len(read) == 2


def test_another_task_and_other_classes_read_anew(tmp_path, read):
    config = config_of(tmp_path, "text_classification")
    opened(config)
    opened(changed(config, task="masked_lm"))
    opened(changed(config, validation_data=config.data))
    assert len(read) == 3, "the training rows were kept, those to compare with are of its classes"


def test_a_small_file_is_not_kept(tmp_path, read, monkeypatch):
    monkeypatch.setattr(reading, "SMALLEST", 10**6)
    config = config_of(tmp_path, "causal_lm")
    opened(config)
    opened(config)
    assert len(read) == 2
    assert not kept_tokens.folder().exists()


def test_what_is_damaged_is_said_and_read_anew(tmp_path, read):
    config = config_of(tmp_path, "causal_lm")
    first = said(opened(config))
    (place,) = kept_tokens.folder().iterdir()
    (place / "ids").write_bytes(b"\1" + (place / "ids").read_bytes()[1:])
    task = opened(config)
    assert [note for note in task.data.notes if "damaged" in note]
    assert said(task)[1:] == first[1:]
    assert said(opened(config)) == first
    assert len(read) == 2


def test_a_full_disk_is_said_and_stops_nothing(tmp_path, read, monkeypatch):
    config = config_of(tmp_path, "causal_lm")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reading, "keep", full)
    task = opened(config)
    assert "its tokens were not kept for the next opening (the disk is full)" in task.data.notes
    monkeypatch.undo()
    monkeypatch.setattr(reading, "SMALLEST", 0)
    assert said(opened(config))[1:] == said(task)[1:]


def test_a_cache_that_cannot_be_made_is_said_and_stops_nothing(tmp_path, read):
    config = config_of(tmp_path, "causal_lm")
    paths.caches().parent.mkdir(parents=True)
    paths.caches().write_text("a file in its place")
    task = opened(config)
    assert "its tokens were not kept for the next opening" in " ".join(task.data.notes)
    assert said(opened(config)) == said(task)


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path, read, monkeypatch):
    config = config_of(tmp_path, "causal_lm")
    count = iter(range(10))
    monkeypatch.setattr(reading, "key_of", lambda *_: f"key-{next(count)}")
    opened(config)
    assert not kept_tokens.folder().exists()


def test_rows_that_are_kept_do_not_depend_on_who_asked_first(tmp_path, read):
    """The validation rows of one run are the training rows of another, numbered alike."""
    config = config_of(tmp_path, "text_classification")
    other = changed(config, validation_data=config.data)
    task = opened(other)
    np.testing.assert_array_equal(task.train.labels, task.held_out.labels)
    again = opened(other)
    assert said(again) == said(task)
    assert len(read) == 2
