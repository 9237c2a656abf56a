"""A chat of many turns is written up to each answer within bounds, and is the same as ever."""

import tracemalloc

import pytest

from lora_lab.data import answers
from lora_lab.data.answers import Answers
from lora_lab.data.chat import read_chat
from lora_lab.data.chat_template import ChatTemplate
from lora_lab.data.left_out import BadRow
from tests.models.tiny import tokenizer
from tests.spent import processor_seconds

# A template that leaves out what was thought before, as those of models that reason.
FORGETS = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
    "{{ m['content'] if loop.last or m['role'] == 'user' else m['content'].split('=')[-1] }}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def chat(turns, answer="it is good {}"):
    said = []
    for number in range(turns):
        said.append({"role": "user", "content": f"is {number} good?"})
        said.append({"role": "assistant", "content": answer.format(number)})
    return read_chat(said, None, "")


def examples(said, template=None):
    words = tokenizer(chat=True)
    words.chat_template = template or words.chat_template
    return ChatTemplate(words).examples(said)


def test_a_chat_of_hundreds_of_answers_is_one_example_with_all_of_them():
    (found,) = examples(chat(200))
    assert [found.text[a:b] for a, b in found.spans] == [
        f"it is good {n}<|end|>" for n in range(200)
    ]


@pytest.mark.parametrize(
    ("turns", "answer"), [(2000, "yes"), (20_000, "yes"), (700, "x" * 3000)]
)  # fmt: skip
def test_a_chat_that_would_be_written_without_end_is_refused(turns, answer):
    began = processor_seconds()
    with pytest.raises(BadRow, match=f"its {turns:,} answers takes too long: make several chats"):
        examples(chat(turns, answer))
    assert processor_seconds() - began < 3


def test_one_example_for_each_answer_is_bounded_as_a_whole(monkeypatch):
    found = examples(chat(20, "thought = answer {}"), FORGETS)
    assert [one.text[slice(*one.spans[0])] for one in found] == [
        f"thought = answer {n}<|end|>" for n in range(20)
    ]
    monkeypatch.setattr(answers, "APART", 5000)
    with pytest.raises(BadRow, match="over 5,000 characters: make several chats of it"):
        examples(chat(20, "thought = answer {}"), FORGETS)


def test_beginnings_that_are_alike_are_not_held():
    said = chat(300, "a long answer " * 200)
    whole = "a" * 800_000
    tracemalloc.start()
    try:
        held = Answers(said, whole)
        for place in held.places[:-1]:
            held.add(place, whole[: 1000 * place], (1000 * place - 5, 1000 * place))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert held.examples()[0].text == whole


PLAIN = "{% for m in messages %}<{{m['role']}}>{{m['content']}}<|end|>{% endfor %}"
MARKED = (
    "{% for m in messages %}<{{m['role']}}>{% if m['role'] == 'assistant' %}{% generation %}"
    "{{m['content']}}<|end|>{% endgeneration %}{% else %}{{m['content']}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<other>{% endif %}"
)
ASKS = "{% if add_generation_prompt %}<assistant>{% endif %}"
THOUGHT = PLAIN.replace("m['content']", "m['content'].split('</think>')[-1]") + ASKS
LONG = {
    "one answer to many": (
        PLAIN + ASKS, [("user", f"q{n}") for n in range(50_000)] + [("assistant", "a")], True, ""),
    "earlier ones that are written otherwise": (
        THOUGHT, [("assistant", f"<think>t{n}</think>b{n}") for n in range(16_000)], False,
        "leaves out so many of its messages"),
    "markers behind another header": (
        MARKED, [(role, "x") for _ in range(2000) for role in ("user", "assistant")], True,
        "up to each of its 2,000 answers takes too long"),
}  # fmt: skip


@pytest.mark.parametrize("case", LONG)
def test_what_goes_by_the_bounds_on_answers_has_its_own(case):
    template, said, trained, refused = LONG[case]
    rows = [{"role": role, "content": content, "train": trained} for role, content in said]
    rows = [row if row["role"] == "assistant" else {**row, "train": False} for row in rows]
    if not trained:
        rows = [{"role": "user", "content": "q"}, *rows, {"role": "assistant", "content": "a"}]
    began = processor_seconds()
    if refused:
        with pytest.raises(BadRow, match=refused):
            examples(read_chat(rows, None, ""), template)
    else:
        assert examples(read_chat(rows, None, ""), template)[0].text.endswith("a<|end|>")
    assert processor_seconds() - began < 5  # some minutes
