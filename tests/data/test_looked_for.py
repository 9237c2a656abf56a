"""What a template wrote is found wherever it stands, and what it left out is not."""

import json
import random

import pytest

from lora_lab.data.left_out import BadRow
from lora_lab.data.looked_for import Texts, last_place
from tests.spent import processor_seconds


def is_said(content, texts):
    folded = " ".join(content.split())
    spelled = [json.dumps(content, ensure_ascii=a)[1:-1] for a in (False, True)]
    return any(
        content in text or folded in " ".join(text.split()) or any(s in text for s in spelled)
        for text in texts
    )


def test_it_is_found_as_if_each_were_looked_for_alone():
    chance = random.Random(0)
    for _ in range(300):
        words = [chance.choice(["a", "b", "é", 'q"', " ", "\n", "ab"]) for _ in range(60)]
        texts = ["".join(chance.choices(words, k=12)) for _ in range(4)]
        texts.append(json.dumps(texts[0]))
        asked = ["".join(chance.choices(words, k=3)).strip() or "x" for _ in range(40)]
        places = Texts(texts)
        assert [places.hold(content) for content in asked] == [is_said(c, texts) for c in asked]


def test_what_is_asked_in_order_is_looked_for_once(monkeypatch):
    texts = [" ".join(f"word{n}" for n in range(end)) for end in (500, 1000)]
    monkeypatch.setattr("lora_lab.data.looked_for.MOST", 3 * sum(map(len, texts)))
    places = Texts(texts)
    assert all(places.hold(f"word{n}") for n in range(1000))
    assert places.hold("word1")  # once more from the beginning
    with pytest.raises(BadRow, match="takes too long to look for them: make several chats"):
        [places.hold(f"absent{n}") for n in range(3)]


def test_the_last_place_of_a_text_is_found_in_one_pass():
    chance = random.Random(0)
    for _ in range(2000):
        text = "".join(chance.choices("ab", k=chance.randint(0, 12)))
        sought = "".join(chance.choices("ab", k=chance.randint(0, 4)))
        assert last_place(text, sought) == text.rfind(sought)
    began = processor_seconds()
    assert last_place("a" * 2_000_000, "ab" + "a" * 60_000) == -1
    assert processor_seconds() - began < 2  # from the right it takes minutes
