"""The modules of a model as a tree: by their names, or like ones together (`layers.*.q_proj`).

What is shown of it is sifted and sorted here, in plain Python: a key in the search must not wait
for thousands of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any

from lora_lab.opening_records import LayerInfo, LoadedRecord

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
        "row", "short", "shown",
    )  # fmt: skip

    def __init__(self, name: str, label: str, parent: Node | None = None) -> None:
        self.name, self.label, self.parent = name, label, parent
        self.short = label  # where there is little room
        self.module: Module | None = None
        self.children: list[Node] = []
        self.shown: list[Node] = []
        self.leaves: list[Module] = []  # that are shown: its own and those below
        self.layers: list[LayerInfo] = []  # that are adapted among them
        self.row = self.number = 0
        self.facts: dict[int, Any] = {}  # by column: what was last worked out for its cells
        if parent is not None:
            parent.children.append(self)


def modules_of(loaded: LoadedRecord) -> list[Module]:
    """Every module that a model says it has, in its order."""
    layers = {layer.name: layer for layer in loaded.layers}
    targets = {target.name: target for target in loaded.adaptable}
    known = {name: (kind, shape, count) for name, kind, shape, count in loaded.modules}
    modules = []
    for name in {**known, **targets, **layers}:
        kind, shape, count = known.get(name, ("", (), 0))
        if info := targets.get(name) or layers.get(name):
            kind, shape = info.kind.replace("_", " "), info.shape
        out = targets[name].left_out if name in targets else ""
        modules.append(Module(name, kind, shape, count, layers.get(name), name in targets, out))
    return modules


def by_name(modules: Iterable[Module]) -> Node:
    """The tree of the parts of their paths."""
    nodes = {"": Node("", "")}

    def at(name: str) -> Node:
        if name not in nodes:
            above = name.rpartition(".")[0]
            if name.count(".") > DEEPEST:
                above = ".".join(name.split(".", DEEPEST)[:DEEPEST])
            nodes[name] = Node(name, name[len(above) + 1 if above else 0 :], at(above))
        return nodes[name]

    for module in modules:
        at(module.name).module = module
    return nodes[""]


def by_likeness(modules: Iterable[Module]) -> Node:
    """One row for modules of one kind whose paths differ in numbers only, themselves below it."""
    alike: dict[tuple[str, str], list[Module]] = {}
    for module in modules:
        alike.setdefault((module.like, module.kind), []).append(module)
    root = Node("", "")
    for (pattern, _), members in alike.items():
        above = Node(pattern, pattern, root) if len(members) > 1 else root
        for module in members:
            label = _numbered(module.name) if len(members) > 1 else module.name
            Node(module.name, label, above).module = module
    for node, short in zip(root.children, _ends([n.label for n in root.children]), strict=True):
        node.short = short
    return root


def has_likes(modules: Sequence[Module]) -> bool:
    """Whether any two modules are alike."""
    return len({(module.like, module.kind) for module in modules}) < len(modules)


def sift(node: Node, wanted: Callable[[Module], bool]) -> bool:
    """Show the modules that are wanted and what stands above them; whether any is below `node`."""
    node.shown = [child for child in node.children if sift(child, wanted)]
    node.leaves = [node.module] if node.module is not None and wanted(node.module) else []
    node.facts = {}
    for row, child in enumerate(node.shown):
        child.row = row
        node.leaves += child.leaves
    node.layers = [module.layer for module in node.leaves if module.layer is not None]
    return bool(node.leaves)


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


def in_order(node: Node, key: Callable[[Node], Any] | None) -> list[tuple[Node, list[Node]]]:
    """What would stand where under each node, if sorted by `key` (None: the model's order).

    Only nodes whose order would change; nothing is changed yet.
    """
    moved = []
    if len(node.shown) > 1:
        rank = {child: place for place, child in enumerate(node.children)}
        order = sorted(node.shown, key=lambda child: rank[child])
        if key is not None:
            order.sort(key=key)
        if order != node.shown:
            moved.append((node, order))
    for child in node.shown:
        moved += in_order(child, key)
    return moved


def rearrange(moved: Iterable[tuple[Node, list[Node]]]) -> None:
    """Let the rows stand as `in_order` said."""
    for node, order in moved:
        node.shown = order
        for row, child in enumerate(order):
            child.row = row


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


def _ends(paths: Sequence[str]) -> list[str]:
    """The shortest ends of paths that still tell them apart."""
    parts = [path.split(".")[::-1] for path in paths]
    order = sorted(range(len(parts)), key=parts.__getitem__)
    sizes = [1] * len(parts)
    for one, other in pairwise(order):  # who shares most with a path stands beside it
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
