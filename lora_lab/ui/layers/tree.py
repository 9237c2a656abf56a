"""The modules of a model as a tree: by their names, or like ones together (`layers.*.q_proj`).

What is shown of it is sifted and sorted here, in plain Python and in slices: neither a key in the
search nor a picture that moves must wait for thousands of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import pairwise, takewhile
from typing import Any

from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.ui.widgets.turns import PART, Work

WIDEST = 2000  # rows below one: a view lays out each of them, and nobody looks through more
DEEPEST = 32  # levels of a path, of which real ones have under 20; what is below stays together
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")  # a part of a path that is a number and no more


@dataclass(frozen=True)
class Module:
    """A module that holds numbers: an adapted layer, one that could be, or neither."""

    name: str
    kind: str
    shape: tuple[int, ...]  # (out, in) of one that could be adapted
    parameters: int  # of the base
    layer: LayerInfo | None  # where an adapter stands beside it
    adaptable: bool
    left_out: str = ""  # why "all-linear" does not mean it

    @cached_property
    def like(self) -> str:
        """The path with its numbers left open; the same for all layers that are alike."""
        return _NUMBER.sub("*", self.name)


class Node:
    """A row: a module, a part of the model that holds modules, or modules that are alike."""

    __slots__ = (
        "children", "facts", "label", "layers", "leaves", "module", "name", "number", "parent",
        "rest", "row", "short", "shown", "sifted",
    )  # fmt: skip

    def __init__(self, name: str, label: str, parent: Node | None = None) -> None:
        self.name, self.label, self.parent = name, label, parent
        self.short = label  # where there is little room
        self.module: Module | None = None
        self.children: list[Node] = []
        self.sifted: list[Node] = []  # children that are wanted, in the model's order
        self.shown: list[Node] = []  # the same in the order of rows, of many the first and `rest`
        self.rest: Node | None = None  # the row that stands for all children behind the first
        self.leaves: list[Module] = []  # that are shown: its own and those below
        self.layers: list[LayerInfo] = []  # that are adapted among them
        self.row = self.number = 0
        self.facts: dict[int, Any] = {}  # by column: what was last worked out for its cells
        if parent is not None:
            parent.children.append(self)


def modules_of(loaded: LoadedRecord) -> Work[list[Module]]:
    """Every module that a model says it has, in its order."""
    layers = {layer.name: layer for layer in loaded.layers}
    yield
    targets = {target.name: target for target in loaded.adaptable}
    yield
    known = {name: (kind, shape, count) for name, kind, shape, count in loaded.modules}
    modules: list[Module] = []
    for name in {**known, **targets, **layers}:
        if not len(modules) % PART:
            yield
        kind, shape, count = known.get(name, ("", (), 0))
        if info := targets.get(name) or layers.get(name):
            kind, shape = info.kind.replace("_", " "), info.shape
        out = targets[name].left_out if name in targets else ""
        modules.append(Module(name, kind, shape, count, layers.get(name), name in targets, out))
    return modules


def by_name(modules: Iterable[Module]) -> Work[Node]:
    """The tree of the parts of their paths."""
    nodes = {"": Node("", "")}

    def at(name: str) -> Node:
        if name not in nodes:
            above = name.rpartition(".")[0]
            if name.count(".") > DEEPEST:
                above = ".".join(name.split(".", DEEPEST)[:DEEPEST])
            nodes[name] = Node(name, name[len(above) + 1 if above else 0 :], at(above))
        return nodes[name]

    for place, module in enumerate(modules):
        if not place % PART:
            yield
        at(module.name).module = module
    return nodes[""]


def by_likeness(modules: Iterable[Module]) -> Work[Node]:
    """One row for modules of one kind whose paths differ in numbers only, themselves below it."""
    alike: dict[tuple[str, str], list[Module]] = {}
    for place, module in enumerate(modules):
        if not place % PART:
            yield
        alike.setdefault((module.like, module.kind), []).append(module)
    root = Node("", "")
    for place, ((pattern, _), members) in enumerate(alike.items()):
        if not place % PART:
            yield
        above = Node(pattern, pattern, root) if len(members) > 1 else root
        for number, module in enumerate(members, 1):
            if not number % PART:
                yield
            label = _numbered(module.name) if len(members) > 1 else module.name
            Node(module.name, label, above).module = module
    ends = yield from _ends([n.label for n in root.children])
    for node, short in zip(root.children, ends, strict=True):
        node.short = short
    return root


def has_likes(modules: Sequence[Module]) -> Work[bool]:
    """Whether any two modules are alike."""
    known: set[tuple[str, str]] = set()
    for place, module in enumerate(modules):
        if not place % PART:
            yield
        known.add((module.like, module.kind))
        if len(known) <= place:
            return True
    return False


def numbered(root: Node) -> Work[list[Node]]:
    """Every row by its number: what stands above before what stands below it."""
    nodes = [root]
    for number, node in enumerate(nodes):  # which grows meanwhile
        if not number % PART:
            yield
        node.number = number
        nodes += node.children
        if len(node.children) > WIDEST:
            node.rest = Node(f"{node.name} …", "")
            node.rest.parent = node
            nodes.append(node.rest)
    return nodes


def sift(nodes: Sequence[Node], wanted: Callable[[Module], bool]) -> Work[None]:
    """Of all rows, as they are numbered, show the modules that are wanted and what is above."""
    for place, node in enumerate(reversed(nodes)):
        if not place % PART:
            yield
        node.leaves = [node.module] if node.module is not None and wanted(node.module) else []
        node.sifted = [child for child in node.children if child.leaves]
        if len(node.sifted) > WIDEST:
            yield
        for child in node.sifted:
            node.leaves += child.leaves
        _settle(node)
        if len(node.sifted) > WIDEST:
            yield
        _lay(node, node.sifted)


def _settle(node: Node) -> None:
    node.layers = [module.layer for module in node.leaves if module.layer is not None]
    node.facts = {}


def _lay(node: Node, order: list[Node]) -> None:
    """Let the rows below a node stand in that order."""
    node.shown = order
    if node.rest is not None and len(order) > WIDEST:
        node.shown = [*order[:WIDEST], node.rest]
        node.rest.leaves = [module for child in order[WIDEST:] for module in child.leaves]
        node.rest.label = node.rest.short = f"… + {len(order) - WIDEST:,}"
        _settle(node.rest)
    for row, child in enumerate(node.shown):
        child.row = row


def searched(text: str) -> Callable[[Module], bool]:
    """Whether a path holds `text`, whatever its case; `*` stands for anything."""
    parts = text.strip().lower().split("*")

    def found(module: Module) -> bool:
        name, at = module.name.lower(), 0
        for part in parts:  # the first place of each leaves the most room for those after it
            at = name.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True

    return found


def in_order(root: Node, key: Callable[[Node], Any] | None) -> Work[list[tuple[Node, list[Node]]]]:
    """What would stand where under each node, if sorted by `key` (None: the model's order).

    Only nodes whose order would change; nothing is changed yet.
    """
    moved, within = [], [root]
    while within:
        node = within.pop()
        within += node.sifted
        yield
        order = node.sifted
        if key is not None and len(order) > 1:
            order = [order[place] for _, place in (yield from _sorted(order, key))]
        if order[:WIDEST] != node.shown[:WIDEST]:
            moved.append((node, order))
    return moved


def _sorted(nodes: list[Node], key: Callable[[Node], Any]) -> Work[list[tuple[Any, int]]]:
    """Keys in order, each with the place of its node; in runs: thousands at once take too long."""
    runs: list[list[tuple[Any, int]]] = []
    for start in range(0, len(nodes), PART):
        yield
        run = nodes[start : start + PART]
        runs.append(sorted((key(node), start + place) for place, node in enumerate(run)))
    if len(runs) < 2:
        return [item for run in runs for item in run]
    result = []
    for item in merge(*runs):
        if not len(result) % PART:
            yield
        result.append(item)
    return result


class Backwards(list):
    """A key that sorts the other way round."""

    def __lt__(self, other: list) -> bool:
        return list(self) > list(other)


def rearrange(moved: Iterable[tuple[Node, list[Node]]]) -> None:
    """Let the rows stand as `in_order` said."""
    for node, order in moved:
        _lay(node, order)


def is_shown(node: Node) -> bool:
    """Whether a row and all above it stand among the first of their siblings."""
    above = node.parent
    while above is not None:
        if node.row >= len(above.shown) or above.shown[node.row] is not node:
            return False
        node, above = above, above.parent
    return True


def first_levels(root: Node, most: int) -> list[Node]:
    """What to open so that as many whole levels are seen as fit into `most` rows."""
    opened: list[Node] = []
    level, rows = [child for child in root.shown if child.shown], len(root.shown)
    while level:
        rows += sum(len(node.shown) for node in level)
        if rows > most:
            break
        opened += level
        level = [child for node in level for child in node.shown if child.shown]
    return opened


def shown_below(node: Node) -> list[Node]:
    """All rows below one, open or not, from above to below."""
    rows = []
    for child in node.shown:
        rows += [child, *shown_below(child)]
    return rows


def _ends(paths: Sequence[str]) -> Work[list[str]]:
    """The shortest ends of paths that still tell them apart."""
    parts = [path.split(".")[::-1] for path in paths]
    yield
    order = sorted(range(len(parts)), key=parts.__getitem__)
    sizes = [1] * len(parts)
    for place, (one, other) in enumerate(pairwise(order)):  # who shares most stands beside it
        if not place % PART:
            yield
        both = zip(parts[one], parts[other], strict=False)
        size = 1 + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        sizes[one], sizes[other] = max(sizes[one], size), max(sizes[other], size)
    return [".".join(own[:size][::-1]) for own, size in zip(parts, sizes, strict=True)]


def _numbered(name: str) -> str:
    """layers.3 of layers.3.self_attn.q_proj: what its siblings do not share."""
    parts = name.split(".")
    words = [
        ".".join(parts[max(0, i - 1) : i + 1]) for i, part in enumerate(parts) if part.isdigit()
    ]
    return ".".join(words)
