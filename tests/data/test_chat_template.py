"""Chats are read and learned as transformers renders them at inference, template by template.

The templates of some forty families lie in TRL's package; where it is not installed the few here
stand for their kinds.
"""

import importlib.metadata
import re
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lora_lab.data.chat import read_chat
from lora_lab.data.chat_template import ChatTemplate
from lora_lab.data.left_out import BadRow
from tests.spent import processor_seconds

SPECIAL = re.compile(
    r"<\|[\w▁ /]+\|>|<｜[\w▁ ]+｜>|<(?:start|end)_of_\w+>|<\|\w+>|<\w+\|>|\[/?INST\]|</s>"
)


def user(text):
    return {"role": "user", "content": text}


def says(text, **more):
    return {"role": "assistant", "content": text, **more}


CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "The weather of a city.",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "its name"}}}}},
]  # fmt: skip
CHATS = {
    "one": [user("Two plus two?"), says("Four.")],
    "two": [user("Two plus two?"), says("Four."), user("And one?"), says("Five.")],
    "system": [{"role": "system", "content": "BE BRIEF"}, user("Two plus two?"), says("Four.")],
    "thinking": [user("Two plus two?"), says("Four.", reasoning_content="Add two and two.")],
    "thinking twice": [
        user("Two plus two?"), says("Four.", reasoning_content="Add two and two."),
        user("And one?"), says("Five.", reasoning_content="One more."),
    ],
    "thinking in the content": [
        user("Two plus two?"), says("<think>\nAdd two and two.\n</think>\n\nFour."),
    ],
    "tools": [
        user("Weather?"), {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "name": "get_weather", "content": "SUN 23"}, says("It is sunny."),
    ],
    "the assistant begins": [says("Welcome!"), user("Two plus two?"), says("Four.")],
    "ends with a user": [user("Two plus two?"), says("Four."), user("And one?")],
}  # fmt: skip

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Thinking of earlier turns goes, and a last turn without any gets an empty block.
REWRITING = (
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.index0 > ns.last %}"
    "<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}"
    "<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The next message ends an answer, as GLM's templates have it.
STOP_BY_NEXT = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
OPEN_THINKING = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}{% else %}<|bot|>"
    "{{ m.content.split('</think>')[-1] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|bot|><think>\n{% endif %}"
)
WITHOUT_STOP = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
OWN = {"chatml": CHATML, "rewriting": REWRITING, "marked": MARKED, "by next": STOP_BY_NEXT,
       "open thinking": OPEN_THINKING, "without stop": WITHOUT_STOP}  # fmt: skip


def trl_templates():
    try:
        files = importlib.metadata.files("trl") or ()
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = [Path(f.locate()) for f in files if f.suffix == ".jinja"]
    return {path.stem: path.read_text("utf-8") for path in sorted(found)}


TEMPLATES = {**OWN, **trl_templates()}


def tokenizer(template):
    """Bytes, with what a template writes between pointed brackets as tokens of their own."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    words = PreTrainedTokenizerFast(tokenizer_object=inner)
    tokens = {*SPECIAL.findall(template)} | {f"<|{r}|>" for r in ("user", "assistant", "system")}
    words.add_tokens(sorted(tokens), special_tokens=True)
    words.add_special_tokens({"bos_token": "<bos>", "eos_token": "<eos>"})
    words.chat_template = template
    return words


def learned(example):
    return [example.text[begin:end] for begin, end in example.spans]


def rendered(words, messages, tools=None, **how):
    return words.apply_chat_template(messages, tools=tools, tokenize=False, **how)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("chat", CHATS)
def test_what_is_learned_is_what_follows_the_prompt_of_inference(name, chat):
    """Each answer: the prompt is transformers' own, the rest of its rendering is learned."""
    words, messages = tokenizer(TEMPLATES[name]), CHATS[chat]
    tools = TOOLS if chat == "tools" else None
    template = ChatTemplate(words)
    parsed = read_chat(messages, tools)
    try:
        examples = template.examples(parsed)
    except BadRow as error:
        if "leaves out" in str(error):  # it really does not write the call
            assert "get_weather" not in "".join(_answers(words, messages, tools))
            return
        with pytest.raises(Exception, match=r".") as refused:
            rendered(words, [_full(m) for m in messages], tools)
        del refused
        return
    spans = [span for example in examples for span in learned(example)]
    answers = [m for m in messages if m["role"] == "assistant"]
    assert len(spans) == len(answers)
    for span, answer in zip(spans, answers, strict=True):
        content = (answer["content"] or "get_weather").rpartition("</think>")[2].strip()
        assert content in span
        for other in messages:
            if other is not answer and other["role"] != "assistant" and other["content"]:
                assert other["content"] not in span, "nothing that another one said"
        assert not re.match(r"\s*<think>\s*</think>", span), "no empty reasoning"
        assert "<|im_start|>" not in span
        assert "start_header_id" not in span
    if len(examples) == 1 and not template.marked and chat != "tools":
        read = messages if messages[-1]["role"] == "assistant" else messages[:-1]
        spellings = ([_full(m) for m in read], [_in_parts(m) for m in read])
        wholes = [_rendered_or(words, spelling, "\0") for spelling in spellings]
        assert any(examples[0].text.startswith(whole) for whole in wholes)
    stops = template.without_stop
    assert stops == (len(answers) if name == "without stop" else 0)


def _full(message):
    return {k: v for k, v in message.items() if v is not None}


def _in_parts(message):
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


def _rendered_or(words, messages, otherwise):
    try:
        return rendered(words, messages)
    except Exception:  # noqa: BLE001 - a template that refuses this spelling
        return otherwise


def _answers(words, messages, tools):
    """What transformers writes for each answer after its prompt, where it does."""
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and index:
            try:
                prompt = rendered(words, messages[:index], tools, add_generation_prompt=True)
                text = rendered(words, [_full(m) for m in messages[: index + 1]], tools)
            except Exception:  # noqa: BLE001 - a template that refuses says nothing
                continue
            yield text[len(prompt) :]


def test_history_that_is_rewritten_makes_one_example_of_each_answer():
    words = tokenizer(REWRITING)
    template = ChatTemplate(words)
    messages = CHATS["thinking twice"]
    first, second = template.examples(read_chat(messages))
    assert first.text == rendered(words, messages[:2])
    assert second.text == rendered(words, messages)
    assert learned(first) == ["<think>\nAdd two and two.\n</think>\n\nFour.<|im_end|>\n"]
    assert learned(second) == ["<think>\nOne more.\n</think>\n\nFive.<|im_end|>\n"]
    assert "Add two" not in second.text, "thinking of earlier turns is gone, as at inference"
    assert template.notes() == (
        "1 chat is trained as one example for each answer, since the chat template rewrites "
        "earlier turns",
    )


def test_an_empty_block_of_reasoning_is_read_and_not_learned():
    (example,) = ChatTemplate(tokenizer(REWRITING)).examples(read_chat(CHATS["one"]))
    assert learned(example) == ["Four.<|im_end|>\n"]
    assert example.text[: example.spans[0][0]].endswith("<think>\n\n</think>\n\n")


def test_markers_that_leave_the_stop_token_out_are_widened_by_it():
    (example,) = ChatTemplate(tokenizer(MARKED)).examples(read_chat(CHATS["two"]))
    assert learned(example) == ["Four.<|im_end|>", "Five.<|im_end|>"]


def test_a_stop_token_that_the_next_message_writes_is_learned():
    (example,) = ChatTemplate(tokenizer(STOP_BY_NEXT)).examples(read_chat(CHATS["two"]))
    assert learned(example) == ["Four.<|user|>", "Five.<|user|>"]


def test_an_open_block_in_the_prompt_and_reasoning_that_is_stripped():
    template = ChatTemplate(tokenizer(OPEN_THINKING))
    (example,) = template.examples(read_chat(CHATS["thinking in the content"]))
    assert learned(example) == ["\n\nFour.<|end|>"]
    assert template.notes() == ("the chat template leaves out reasoning in 1 chat",)


def test_what_a_template_drops_is_named():
    users_only = (
        "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.content }}{% endfor %}"
    )
    template = ChatTemplate(tokenizer(users_only))
    template.examples(read_chat(CHATS["system"]))
    assert "the chat template leaves out system messages in 1 chat" in template.notes()


def test_keys_of_messages_that_a_template_never_asks_for_are_named():
    template = ChatTemplate(tokenizer(CHATML))
    shown = {**user("u"), "images": ["a.png"], "tool_call_id": "1", "audio": []}
    template.examples(read_chat([shown, says("a")]))
    assert template.notes() == ("the chat template leaves out 'images' of messages in 1 chat",)


def test_a_second_call_of_the_same_function_that_a_template_drops_is_refused():
    first = "{{ m.tool_calls[0].function | tojson if m.tool_calls else m.content }}"
    source = f"{{% for m in messages %}}<|im_start|>{first}<|im_end|>{{% endfor %}}"
    calls = [{"function": {"name": "look", "arguments": {"q": q}}} for q in ("a", "b")]
    chat = read_chat([user("u"), {"role": "assistant", "tool_calls": calls}])
    with pytest.raises(BadRow, match="leaves out tool calls"):
        ChatTemplate(tokenizer(source)).examples(chat)


def test_a_turn_with_no_weight_is_read_and_not_learned():
    messages = [*CHATS["two"][:1], says("Four.", weight=0), *CHATS["two"][2:]]
    (example,) = ChatTemplate(tokenizer(CHATML)).examples(read_chat(messages))
    assert learned(example) == ["Five.<|im_end|>\n"]
    assert "Four." in example.text


@pytest.mark.parametrize("written", ["(c.function.arguments | tojson)", "c.function.arguments"])
@pytest.mark.parametrize("arguments", [{"city": "Paris"}, '{"city": "Paris"}'])
def test_arguments_of_a_call_may_be_an_object_or_its_json(arguments, written):
    source = (
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
        f"<call>{{{{ c.function.name + {written} }}}}</call>{{% endfor %}}<|end|>{{% endfor %}}"
    )
    call = {"name": "look", "arguments": arguments}
    spoken = {"role": "assistant", "content": "", "tool_calls": [{"function": call}]}
    (example,) = ChatTemplate(tokenizer(source)).examples(read_chat([user("u"), spoken]))
    assert learned(example) == ['<call>look{"city": "Paris"}</call><|end|>']


def test_arguments_that_are_nested_without_end_stay_the_text_that_they_are():
    source = CHATML.replace("{{ m", "{% for c in m.tool_calls or [] %}{{ c.function.arguments }}"
                            "{% endfor %}{{ m", 1)  # fmt: skip
    call = {"name": "look", "arguments": '{"q": ' + "[" * 5000}
    spoken = {"role": "assistant", "content": "", "tool_calls": [{"function": call}]}
    with pytest.raises(BadRow):
        ChatTemplate(tokenizer(source)).examples(read_chat([user("u"), spoken]))


def test_the_reason_of_the_template_is_said():
    template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(BadRow, match="System role not supported"):
        ChatTemplate(tokenizer(template)).examples(read_chat(CHATS["one"]))


def test_one_answer_without_a_stop_token_is_said():
    template = ChatTemplate(tokenizer(WITHOUT_STOP))
    template.examples(read_chat(CHATS["one"]))
    assert "will not learn to stop" in template.notes()[0]


CALLS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}"
    "<tool_call>{{ c.function.name }}</tool_call>{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user("u"), {"role": "assistant", "content": "", "tool_calls": [CALL]},
          {"role": "tool", "content": "SUN"}, says("Sunny.")],
         ["<tool_call>get_weather</tool_call><|tool|>", "Sunny.<|user|>"]),
        ([user("u"), says("Use <tool_call>"), user("v"), says("See </tool_call>")],
         ["Use <tool_call><|user|>", "See </tool_call><|user|>"]),
        ([user("u"), says("One."), says("Two."), user("v"), says("Three.")],
         ["One.<|user|>", "Two.<|user|>", "Three.<|user|>"]),
        ([user("u"), says("One."), {"role": "system", "content": "S"}, user("v"), says("Two.")],
         ["One.<|user|>", "Two.<|user|>"]),
    ],
    ids=["a call", "an answer about tags", "two answers", "a system message"],
)  # fmt: skip
def test_only_what_ends_an_answer_at_generation_is_learned_as_its_end(messages, expected):
    """`</tool_call>` is a token and no end; `<|assistant|>` and `<|system|>` begin a turn."""
    words = tokenizer(CALLS + "<|tool|>")
    words.chat_template = CALLS
    words.add_tokens(["<tool_call>", "</tool_call>"])
    examples = ChatTemplate(words).examples(read_chat(messages))
    assert [span for example in examples for span in learned(example)] == expected
    for example in examples:
        begin, _ = example.spans[-1]
        said = next(i for i, m in enumerate(messages)
                    if m["role"] == "assistant" and learned(example)[-1].startswith(
                        m["content"] or "<tool_call>get"))  # fmt: skip
        assert example.text[:begin] == rendered(words, messages[:said], add_generation_prompt=True)


def test_an_answer_may_quote_the_header_of_an_answer():
    quoted = "<|im_start|>assistant\nyes<|im_end|>"
    words, messages = tokenizer(CHATML), [user("How does it look?"), says(quoted)]
    for template in (CHATML, REWRITING):
        words.chat_template = template
        (example,) = ChatTemplate(words).examples(read_chat(messages))
        assert learned(example) == [f"{quoted}<|im_end|>\n"]
    assert example.text == rendered(words, messages)


def test_answers_that_a_template_puts_into_one_turn_are_learned_once():
    one_turn = (
        "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}<|end|>"
        "{% else %}{% if loop.previtem.role == 'user' %}<|assistant|>{% endif %}{{ m.content }}"
        "{% if loop.last or loop.nextitem.role == 'user' %}<|end|>{% endif %}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    messages = [user("u"), says("One.", weight=0), {"role": "tool", "content": "SUN"}, says("Two.")]
    (example,) = ChatTemplate(tokenizer(one_turn)).examples(read_chat(messages))
    assert learned(example) == ["Two.<|end|>"]


def test_answers_whose_markers_meet_are_found_without_them():
    meeting = (
        "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}<|end|>{% else %}"
        "{% generation %}<|assistant|>{{ m.content }}<|end|>{% endgeneration %}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    messages = [user("u"), says("One."), says("Two.")]
    (example,) = ChatTemplate(tokenizer(meeting)).examples(read_chat(messages))
    assert learned(example) == ["One.<|end|>", "Two.<|end|>"]


def test_a_long_header_is_not_looked_for_piece_by_piece():
    """One of 900,000 characters took five seconds for each chat, in the square of its length."""
    long = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        "{% endgeneration %}{% else %}{{ 'x' * 400000 }}{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ab' * 200000 }}{% endif %}"
    )
    template = ChatTemplate(tokenizer(long))
    began = processor_seconds()
    (example,) = template.examples(read_chat([user("u"), says("One.")]))
    assert learned(example) == ["One."]
    assert processor_seconds() - began < 0.5


def test_space_that_an_answer_begins_with_is_learned_behind_an_empty_block():
    messages = [user("Code?"), says("\n    x = 1")]
    (example,) = ChatTemplate(tokenizer(REWRITING)).examples(read_chat(messages))
    assert learned(example) == ["\n    x = 1<|im_end|>\n"]


def test_templates_that_want_parts_take_empty_messages_too():
    in_parts = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.content[0].type == 'text' %}"
        "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    (example,) = ChatTemplate(tokenizer(in_parts)).examples(read_chat([user(""), says("Yes.")]))
    assert learned(example) == ["Yes.<|end|>"]


@pytest.mark.parametrize("marked", [False, True], ids=["plain", "marked"])
def test_of_templates_with_names_the_one_for_tools_writes_chats_with_tools(marked):
    template = MARKED if marked else CHATML
    tools = "{% for t in tools %}{{ t.function.name }};{% endfor %}" + template
    words, messages = tokenizer(CHATML), CHATS["two"]
    words.chat_template = {"default": CHATML, "tool_use": tools}
    for given in (None, TOOLS):
        (example,) = ChatTemplate(words).examples(read_chat(messages, given))
        assert example.text == rendered(words, messages, given)
    words.chat_template = {"tool_use": tools, "rag": CHATML}
    with pytest.raises(BadRow, match="template"):
        ChatTemplate(words).examples(read_chat(messages))


@pytest.mark.parametrize("template", [CHATML, MARKED], ids=["plain", "marked"])
@pytest.mark.parametrize("messages", [
    [user("u\ud83d"), says("a")], [user("u"), says("a\ud83d")],
], ids=["user", "assistant"])  # fmt: skip
def test_half_a_character_in_a_chat_is_named(template, messages):
    with pytest.raises(BadRow, match=r"half of a character \(\\ud83d\)"):
        ChatTemplate(tokenizer(template)).examples(read_chat(messages))
