"""Sampling controls as they are typed, what they ask the engine for, and the diff of two texts."""

import re
from dataclasses import replace

import pytest
from PySide6.QtGui import QTextDocumentFragment

from lora_lab.measured import GeneratedRecord
from lora_lab.records import CancelledRecord
from lora_lab.sampling import GREEDY, Sampling
from lora_lab.ui.panels.generation import GenerationPanel
from lora_lab.ui.panels.word_diff import marked_pair
from lora_lab.ui.preview import samples
from lora_lab.ui.style import theme
from tests.ui.seen import buttons, named, put, settle


@pytest.fixture
def panel(qtbot):
    made = GenerationPanel()
    made.resize(560, 420)
    qtbot.addWidget(made)
    loaded, *_ = samples("text", 16)
    made.standing.take(replace(loaded, chats=True))
    made.redraw()
    made.show()
    return made


def asked(panel):
    seen = []
    panel.asked.connect(lambda *what: seen.append(what))
    return seen


def test_sampling_is_folded_away_and_greedy_until_it_is_asked_for(panel):
    seen = asked(panel)
    assert not panel.bar.isVisible()
    buttons(panel)["Generate"].click()
    assert seen[0][2] == GREEDY
    buttons(panel)["sampling"].click()
    assert panel.bar.isVisible()
    for name in ("Top-p", "Seed of what is drawn"):
        assert not named(panel, name).isEnabled(), "nothing is drawn yet"


TYPED = {
    "plain": (("0.7", "0.9", "5"), (0.7, 0.9, 5)),
    "with a comma and a percent sign": (("0,7", "90 %", "5"), (0.7, 0.9, 5)),
    "out of range stays": (("1.5", "1.5", "-3"), (1.5, 1.0, 0)),
    "words stay": (("hot", "most", "x"), (0.0, 1.0, 0)),
}


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_is_what_is_asked_for(qtbot, panel, name):
    texts, wanted = TYPED[name]
    seen = asked(panel)
    buttons(panel)["sampling"].click()
    boxes = [named(panel, n) for n in ("Temperature", "Top-p", "Seed of what is drawn")]
    for box, text in zip(boxes, texts, strict=True):
        if box.isEnabled():
            put(qtbot, box, text)
    panel.ask()
    sampling = seen[0][2]
    assert (sampling.temperature, sampling.top_p, sampling.seed) == wanted


STOPS = {
    "": (), "###": ("###",), "###|\\n\\n": ("###", "\n\n"), "User:| ###": ("User:", "###"),
    "|": (), "a||b": ("a", "b"),
}  # fmt: skip


@pytest.mark.parametrize("text", STOPS)
def test_stop_texts_are_parted_by_bars(panel, text):
    panel.bar.stop.setText(text)
    assert panel.bar.sampling.stop == STOPS[text]
    panel.bar.sampling.checked()


def test_a_chat_template_is_offered_where_there_is_one(panel):
    kind = named(panel, "What the prompt is")
    kind.setCurrentIndex(kind.findText("chat template"))
    assert panel.bar.sampling.prompt == "chat"
    panel.standing.take(replace(samples("text", 16)[0], chats=False))
    assert panel.bar.sampling.prompt == "data"
    assert not kind.model().item(kind.findText("chat template")).isEnabled()


def test_what_was_drawn_with_and_what_was_not_applied_stand_beside_the_answer(panel):
    sampling = Sampling(0.7, 0.9, 5)
    panel.receive([
        GeneratedRecord(3, "ask", "off <b>", "on", 1.0, sampling, ("penalty: not applied here",)),
    ])  # fmt: skip
    panel.redraw()
    text = panel.text.toPlainText()
    for words in ("step 3 · T 0.7 · top-p 0.9 · seed 5 · ask", "penalty: not applied", "off <b>"):
        assert words in text
    columns = panel.figure_data()
    assert (columns["temperature"], columns["top_p"], columns["seed"]) == ([0.7], [0.9], [5])


def test_a_cancelled_answer_lets_ask_again(panel):
    panel.ask()
    panel.redraw()
    assert not panel.ask_button.isEnabled()
    panel.receive([CancelledRecord(0, "Generate")])
    panel.redraw()
    assert panel.ask_button.isEnabled()


PAIRS = [
    ("the film is good", "the film is bad"), ("", "all of it"), ("same", "same"),
    ("one\ntwo <i>three</i>", "one\ntwo three"), ("a b c d", "d c b a"),
]  # fmt: skip


@pytest.mark.parametrize(("off", "on"), PAIRS)
def test_a_diff_keeps_both_texts_and_marks_what_only_one_has(off, on):
    marked = marked_pair(off, on, theme.current())
    for side, text in zip(marked, (off, on), strict=True):
        plain = QTextDocumentFragment.fromHtml(f"<p>{side}</p>").toPlainText()
        assert plain.split() == text.split()
    rest = [re.sub(r"<span[^>]*>.*?</span>", "", side) for side in marked]
    assert rest[0] == rest[1], "what is not marked is common to both"
    assert ("<span" in "".join(marked)) == (off != on)
    assert "underline" not in marked[0]
    assert "line-through" not in marked[1]


def test_diff_is_a_switch(panel):
    panel.receive([GeneratedRecord(0, "ask", "it is good", "it is bad", 1.0)])
    panel.redraw()
    assert "line-through" not in panel.text.toHtml()
    buttons(panel)["diff"].click()
    settle()
    assert "line-through" in panel.text.toHtml()
    assert "underline" in panel.text.toHtml()
