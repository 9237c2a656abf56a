"""Templates that run on for ever or fill the memory end in a second, and usual ones as before."""

import time

import psutil
import pytest

from lora_lab.data.chat import read_chat
from lora_lab.data.chat_template import ChatTemplate
from lora_lab.data.left_out import BadRow
from lora_lab.data.template_budget import TemplateBudget, budget
from tests.models.tiny import tokenizer

CHAT = read_chat(
    [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}], None, ""
)
DOUBLED = "{% set n = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set n.s = "
HOSTILE = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loops of texts": "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}"
    "{% endfor %}",
    "product": "{{ 'a' * 10**9 }}",
    "product turned": "{{ 10**9 * 'a' }}",
    "list": "{{ [0] * 10**9 }}",
    "center": "{{ 'a'|center(10**9) }}",
    "center of a method": "{{ 'a'.center(10**9) }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "zfill": "{{ 'a'.zfill(10**9) }}",
    "tabs": "{{ 'a\t'.expandtabs(10**9) }}",
    "indent": "{{ 'a\nb'|indent(10**9) }}",
    "percent": "{{ '%1000000000d' % 1 }}",
    "format filter": "{{ '%1000000000d'|format(1) }}",
    "format method": "{{ '{:>1000000000}'.format(1) }}",
    "doubled": DOUBLED + "n.s ~ n.s %}{% endfor %}",
    "doubled by plus": DOUBLED + "n.s + n.s %}{% endfor %}",
    "doubled by join": DOUBLED + "[n.s, n.s]|join %}{% endfor %}",
    "doubled by replace": DOUBLED + "n.s.replace('a', 'aa') %}{% endfor %}",
    "doubled by filter": DOUBLED + "n.s|replace('a', n.s) %}{% endfor %}",
    "power": "{{ 10 ** 10 ** 10 }}",
    "recursion": "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_ends(case):
    words = tokenizer(chat=True)
    words.chat_template = HOSTILE[case]
    before, began = psutil.Process().memory_info().rss, time.process_time()
    with pytest.raises((TemplateBudget, BadRow)):
        ChatTemplate(words).examples(CHAT)
    assert time.process_time() - began < 4
    assert psutil.Process().memory_info().rss - before < 200 * 2**20
    words.chat_template = tokenizer(chat=True).chat_template
    assert ChatTemplate(words).examples(CHAT), "the next one is rendered as ever"


def run_on():
    with budget():
        while True:
            pass


def test_nothing_is_raised_after_the_end():
    """What the watch has sent arrives inside, however late it was."""
    for _ in range(2):
        with pytest.raises(TemplateBudget):
            run_on()
    began = time.thread_time()
    with budget():
        while time.thread_time() - began < 0.2:
            pass
