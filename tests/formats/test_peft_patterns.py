"""Patterns that are followed instead of run give what `re` gives, in linear time."""

import random
import re
import time
import warnings

import pytest

from lora_lab.errors import AdapterError
from lora_lab.formats.peft_patterns import Automaton, Patterns, no_pattern

ATOMS = (
    "q", "a", ".", r"\.", r"\d+", "[01]", "[^0-9a]", "q_proj", "(a|b.c)", "(?:x|y)?", r"\w*", ".*",
    "layers", r"\d", "a{1,2}", "^", "$", "b", "0", "1", r"\S", "[a-c_]+?", "(b|)", "(0|1|){2,}",
)  # fmt: skip
NAMES = ["layers.0.q_proj", "q_proj", "layers.1.q_proj", "model.layers.10.x", "a.", ".a", ""]


def drawn(count):
    draw = random.Random(0)
    names = ["".join(draw.choices("aqb01.xyc_", k=draw.randint(1, 9))) for _ in range(60)]
    for _ in range(count):
        yield ["".join(draw.choices(ATOMS, k=draw.randint(1, 4))) for _ in range(3)], names + NAMES


def test_the_first_that_matches_decides_as_in_peft():
    tried = 0
    for patterns, names in drawn(600):
        table = {pattern: number for number, pattern in enumerate(patterns)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rules = [(re.compile(rf"(.*\.)?({p})$"), number) for p, number in table.items()]
        except re.error:
            continue
        found = Patterns(table)
        for name in names:
            wanted = next((number for rule, number in rules if rule.match(name)), -1)
            assert found.get(name, -1) == wanted, (patterns, name)
            tried += wanted >= 0
    assert tried > 2000


def test_a_whole_name_is_matched_as_by_fullmatch():
    for patterns, names in drawn(300):
        for pattern in patterns:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    rule = re.compile(pattern)
            except re.error:
                continue
            found = Automaton(pattern, [0])
            assert [found.matches(n) for n in names] == [bool(rule.fullmatch(n)) for n in names]


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", r"\bq", "(?<!a)q", "(?i:a)"])
def test_what_no_automaton_does_is_refused(pattern):
    with pytest.raises(AdapterError, match="write the full module names instead"):
        Patterns({pattern: 1})


LINES = [
    f"model.layers.{i}.{x}_proj" for i in range(80) for x in ("q", "k", "v", "o", "up", "down")
]
QUICK = {  # patterns that never end, and files with one for every layer
    "a nest": {"(a+)+$": 1, "(.*a.*)*b": 2, "((a|a)*)*c": 3},
    "any and any again": {".*" * 900 + "z": 1},
    "a rank for every layer": {"^" + re.escape(name): 1 for name in LINES},
    "unescaped": dict.fromkeys(LINES, 1),
    "a rank for every number": {rf"layers\.{i}\..*": 1 for i in range(80)},
}


@pytest.mark.parametrize("case", QUICK)
def test_no_table_takes_long(case):
    started = time.process_time()
    table = Patterns(QUICK[case])
    found = [table.get(name, 0) for name in (*LINES, "a" * 500)]
    assert time.process_time() - started < 5, "linear, where these took minutes"
    assert all(found[:-1]) == (case not in ("a nest", "any and any again"))


@pytest.mark.parametrize("text", ["a" * 10**6, "(a|b)" * 2 * 10**5])
def test_a_pattern_that_takes_seconds_to_be_parsed_is_none(text):
    started = time.process_time()
    assert "characters" in no_pattern(text)
    with pytest.raises(AdapterError, match="characters"):
        Patterns({f"x.*{text}": 1})
    assert time.process_time() - started < 1
