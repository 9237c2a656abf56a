"""The tree of modules without a window: what stands below what, what is alike, what is found."""

from itertools import permutations
from time import thread_time

import pytest

from lora_lab.ui.layers.tree import (
    DEEPEST,
    Module,
    by_likeness,
    by_name,
    first_levels,
    has_likes,
    in_order,
    numbered,
    rearrange,
    searched,
    sift,
)
from lora_lab.ui.widgets.turns import done


def module(name, kind="linear"):
    return Module(name, kind, (4, 4), 16, None, True)


NAMES = ("embed", "h.0.attn.q", "h.0.norm", "h.1.attn.q", "h.1.norm", "h.10.attn.q", "head")
MODULES = [module(name, "LayerNorm" if "norm" in name else "linear") for name in NAMES]


def drawn(node):
    """A tree as nested pairs of labels."""
    return [(child.label, drawn(child)) if child.shown else child.label for child in node.shown]


def show(root, wanted):
    done(sift(done(numbered(root)), wanted))


def everything(_):
    return True


def test_parts_of_names_stand_below_each_other():
    root = done(by_name(MODULES))
    show(root, everything)
    assert drawn(root) == [
        "embed",
        ("h", [("0", [("attn", ["q"]), "norm"]), ("1", [("attn", ["q"]), "norm"]),
               ("10", [("attn", ["q"])])]),
        "head",
    ]  # fmt: skip
    assert [m.name for m in root.shown[1].leaves] == list(NAMES[1:-1])


def test_a_module_may_hold_modules_and_numbers_of_its_own():
    root = done(by_name([module("vit.embed"), module("vit.embed.proj")]))
    show(root, everything)
    assert drawn(root) == [("vit", [("embed", ["proj"])])]
    assert [m.name for m in root.shown[0].shown[0].leaves] == ["vit.embed", "vit.embed.proj"]


def test_modules_are_alike_that_differ_in_numbers_alone():
    root = done(by_likeness(MODULES))
    show(root, everything)
    assert drawn(root) == [
        "embed", ("h.*.attn.q", ["h.0", "h.1", "h.10"]), ("h.*.norm", ["h.0", "h.1"]), "head",
    ]  # fmt: skip
    assert [node.short for node in root.shown] == ["embed", "q", "norm", "head"]


@pytest.mark.parametrize(
    ("names", "shorts"),
    [
        (("a.*.q", "a.*.k"), ["q", "k"]),
        (("l.*.self.out", "l.*.mid.out", "l.*.out"), ["self.out", "mid.out", "*.out"]),
        (("out", "l.*.out"), ["out", "*.out"]),
        (("fc1", "fc2b"), ["fc1", "fc2b"]),
    ],
)
def test_short_names_still_tell_them_apart(names, shorts):
    pairs = [name.replace("*", str(i)) for name in names for i in range(1 + ("*" in name))]
    root = done(by_likeness([module(name) for name in pairs]))
    assert [node.short for node in root.children] == shorts


def test_two_thousand_modules_of_which_no_two_are_alike_are_named_at_once():
    took = []
    for count in (500, 2000):
        modules = [module(f"block{i}.attention.query") for i in range(count)]
        tries = []
        for _ in range(3):  # in one of them the garbage of all tests before may be collected
            began = thread_time()
            root = done(by_likeness(modules))
            tries.append(thread_time() - began)
        took.append(min(tries))
    assert took[1] < 10 * took[0]  # each with each would be 16
    assert [node.short for node in root.children] == [m.name for m in modules]


def test_paths_of_hundreds_of_words_take_a_moment():
    modules = [module(".".join([f"x{i}", *["a"] * 400])) for i in range(1000)]
    began = thread_time()
    root = done(by_likeness(modules))
    assert [node.short for node in root.children] == [m.name for m in modules]
    root = done(by_name(modules))
    show(root, everything)
    assert thread_time() - began < 3  # with a row for each word 10
    assert [m.name for m in root.leaves] == [m.name for m in modules]
    node = root
    while node.shown:
        node = node.shown[0]
    assert node.label == ".".join(["a"] * (401 - DEEPEST))


def test_short_names_are_those_that_no_other_ends_with():
    parts = ("a", "b", "a.b", "b.b", "a.a.b", "c.b.b", "a", "c", "b.c.b.b")
    for paths in permutations(parts, 5):
        root = done(by_likeness([module(path, str(at)) for at, path in enumerate(paths)]))
        for at, (path, node) in enumerate(zip(paths, root.children, strict=True)):
            words = path.split(".")
            ends = (".".join(words[-n:]) for n in range(1, len(words) + 1))
            others = [f".{other}" for place, other in enumerate(paths) if place != at]
            free = [end for end in ends if not any(x.endswith(f".{end}") for x in others)]
            assert node.short == (free[0] if free else path)


@pytest.mark.parametrize(
    ("name", "like"),
    [("h.3.q", "h.*.q"), ("3.q.12", "*.q.*"), ("fc1.x2", "fc1.x2"), ("0", "*"), ("a10.b", "a10.b")],
)
def test_only_whole_numbers_are_left_open(name, like):
    assert module(name).like == like


def test_other_kinds_are_not_alike():
    assert not done(has_likes([module("net.0"), module("net.1", "ReLU")]))
    assert done(has_likes([module("net.0"), module("net.2")]))


@pytest.mark.parametrize(
    ("text", "found"),
    [("ATTN", 3), ("h.1.", 2), ("h.*.q", 3), ("h*norm", 2), ("x", 0), ("", 7), (" head ", 1),
     ("h.1*q", 2), ("(", 0), ("*", 7), ("q*h", 0), ("*norm*", 2), ("h.1*1.n", 0), ("n*n", 0)],
)  # fmt: skip
def test_the_search(text, found):
    root = done(by_name(MODULES))
    show(root, searched(text))
    assert len(root.leaves) == found


def test_a_search_of_many_stars_takes_a_moment():
    name = "a." * 490
    wanted = searched("*a" * 40 + "*b")
    began = thread_time()
    assert not any(wanted(module(name)) for _ in range(1000))
    assert searched("*a" * 490)(module(name))
    assert not searched("*a" * 491)(module(name))
    assert thread_time() - began < 1


def test_sorted_below_each_row_and_back_again():
    root = done(by_name(MODULES))
    show(root, everything)
    before = drawn(root)
    sizes = {"0": 2, "1": 3, "10": 1}
    rearrange(done(in_order(root, lambda node: -sizes.get(node.label, 0))))
    assert [child.label for child in root.shown] == ["embed", "h", "head"]  # as they stood
    assert [child.label for child in root.shown[1].shown] == ["1", "0", "10"]
    assert [child.row for child in root.shown[1].shown] == [0, 1, 2]
    assert done(in_order(root, lambda node: -sizes.get(node.label, 0))) == []
    rearrange(done(in_order(root, None)))
    assert drawn(root) == before


def test_as_many_levels_are_opened_as_fit():
    root = done(by_name(MODULES))
    show(root, everything)
    assert first_levels(root, 5) == []
    assert [node.name for node in first_levels(root, 6)] == ["h"]
    assert [node.name for node in first_levels(root, 11)] == ["h", "h.0", "h.1", "h.10"]
