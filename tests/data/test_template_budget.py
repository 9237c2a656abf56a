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
    "many long texts": "{% set n = namespace(s='😀' * 2000000, l=[]) %}"
    "{% for i in range(3000) %}{% set n.l = n.l + [n.s ~ i] %}{% endfor %}",
    "many slices": "{% set n = namespace(s='a' * 2000000, l=[]) %}"
    "{% for i in range(3000) %}{% set n.l = n.l + [n.s[i:]] %}{% endfor %}",
    "many filtered": "{% set n = namespace(s='a' * 2000000, l=[]) %}"
    "{% for i in range(3000) %}{% set n.l = n.l + [n.s|upper] %}{% endfor %}",
    "many lists": "{% set n = namespace(l=[]) %}{% for i in range(3000) %}"
    "{% set n.l = n.l + [dict(a=range(99999)|list)] %}{% endfor %}",
    "one text written often": "{% set s = 'a' * 2000000 %}"
    "{% for i in range(5000) %}{{ s }}{% endfor %}",
    "a constant written often": "{% for i in range(99999) %}" + "x" * 100000 + "{% endfor %}",
    "a block": "{% set a %}{% for i in range(5000) %}{{ 'a' * 2000000 }}{% endfor %}{% endset %}",
    "many tabs": "{{ ('\t' * 100000).expandtabs(90000) }}",
    "many widths": "{{ ('{0:9999}' * 200000).format(1)|length }}",
    "many widths by percent": "{{ (('%(a)9999d' * 200000) % {'a': 1})|length }}",
    "one text in many places": "{{ ('{0}' * 100000).format('a' * 2000000)|length }}",
    "a list of one text": "{{ ['a' * 2000000] * 200000 }}",
    "the same as JSON": "{{ (['a' * 2000000] * 200000)|tojson }}",
    "the same in upper case": "{{ (['a' * 2000000] * 200000)|upper }}",
    "a division of long numbers": "{{ ('f'*2000000)|int(0,16) // (('e'*1000000)|int(0,16)) }}",
    "a rest of long numbers": "{{ ('f'*2000000)|int(0,16) % (('e'*1000000)|int(0,16)) }}",
    "a quotient of long numbers": "{{ ('f'*2000000)|int(0,16) / (('e'*1900000)|int(0,16)) }}",
    "a test of long numbers": "{{ 0x" + "f" * 200000 + " is divisibleby(0x" + "e" * 100 + ") }}",
    "a long number less one": "{{ 0x" + "f" * 200000 + " - 1 }}",
    "rounded far": "{{ 1.5|round(20000000, 'ceil') }}",
    "bytes": "{{ 'a'.encode() }}",
    "bytes of a number": "{{ (1).to_bytes(4000000000, 'little') }}",
    "batches filled with numbers": "{{ [1]|batch(500000000, 0)|list }}",
    "many slices of one": "{{ [1]|slice(1000000000)|list }}",
    "letters that become texts": "{{ ('a'*2000).translate({97: 'b'*1000000}) }}",
    "a hash of tuples of tuples": "{% set x=(1,)*262144 %}{% set a=(x,)*20000 %}"
    "{{ {a: 1}|length }}",
    "the same as a place": "{% set x=(1,)*262144 %}{% set a=(x,)*8 + (x,)*8 %}{{ {}[a + a] }}",
    "lists that a test compares": "{% set x=[1]*262144 %}{% set z=[1]*262144 %}"
    "{{ ([x]*20000) is eq([z]*20000) }}",
    "lists that are counted": "{% set x=[1]*262144 %}{% set b=[x]*20000 %}{{ [b].count(b) }}",
    "lists that a loop compares": "{% set x=[1]*262144 %}{% for q in (0,1) %}"
    "{{ loop.changed([x]*20000) }}{% endfor %}",
    "a namespace of one text": "{% set n=namespace(x='a'*2000000) %}{% set b=[n]*4000 %}{{ b }}",
    "a namespace of namespaces": "{% set n=namespace(x='a'*2000000) %}"
    "{% set c=namespace(x=[n]+[n]+[n]+[n]+[n]+[n]+[n]+[n]+[n]) %}{{ c|string }}",
    "sought from the right": "{{ ('a'*2000000).rfind('ab' ~ 'a'*60000) }}",
    "cut from the right": "{{ ('a'*2000000).rsplit('ab' ~ 'a'*60000)|length }}",
    "addresses": "{{ (')'*60000 ~ 'x)')|urlize }}",
    "columns": "{{ ('a ' * 8000)|wordwrap(5, true, 'b'*250000) }}",
    "many letters at the ends": "{{ ('a'*400000).strip('b'*1000000 ~ 'a') }}",
    "the same by a filter": "{{ ('a'*400000)|trim('b'*1000000 ~ 'a') }}",
    "a sum of lists": "{{ ([[1]]*100000)|sum(start=[])|length }}",
    "values of a table": "{% set d=dict(range(100000)|batch(2)) %}{{ [d.values()]*4000 }}",
    "keys that are compared": "{% set d=dict(range(100000)|batch(2)) %}"
    "{% set e=dict(range(100000)|batch(2)) %}{{ ([d.keys()]*8000)==([e.keys()]*8000) }}",
    "separators": "{{ ([1]*2000)|tojson(separators=('a'*2000000, ':')) }}",
    "a form in a list": "{{ ['%999999999d']|format(5) }}",
    "tuples of a macro": "{% set ns=namespace(t=()) %}{% macro m() %}{% set ns.t=varargs %}"
    "{% endmacro %}{% for i in range(40) %}{{ m(ns.t, ns.t) }}{% endfor %}{{ dict(ns.t) }}",
    "a template of many values": "{{a}}" * 30000,
    "lists of lists": "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(40) %}"
    "{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}",
    "tuples of tuples": "{% set n = namespace(l=(1,)) %}{% for i in range(60) %}"
    "{% set n.l = (n.l, n.l) %}{% endfor %}{{ {n.l: 1} }}",
    "tables of tables": "{% set n = namespace(l={}, m={}) %}{% for i in range(40) %}"
    "{% set n.l = dict(a=n.l, b=n.l) %}{% set n.m = dict(a=n.m, b=n.m) %}{% endfor %}"
    "{{ n.l == n.m }}",
    "long lists of lists": "{% set n = namespace(l=range(9999)|list, m=range(9999)|list) %}"
    "{% set l = [n.l] * 200000 %}{% set m = [n.m] * 200000 %}{{ l == m }}",
    "a long number": "{{ " + "9" * 3_000_000 + " }}",
    "a long template": "{# #}" * 100_000,
    "a long date": "{{ strftime_now('%99999c' * 200000) }}",
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
