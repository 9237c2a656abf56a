"""What can be done with the rows of the tree that are selected, as a menu."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from lora_lab.ui.layers.view import LayersView


def fill_menu(
    menu: QMenu,
    tree: LayersView,
    one: str,
    show_spectrum: Callable[[], None],
) -> None:
    """Freeze, rank, target, spectrum, those alike, name; what cannot be done is disabled.

    `one` is the only adapted layer that is selected, or nothing.
    """
    model, tr = tree.model(), tree.tr
    facts, nodes = model.facts, tree.selected()
    layers = [layer for node in nodes for layer in node.layers]
    free = not any(facts.freeze_locked(node) for node in nodes if node.layers)
    ranked = any(not facts.rank_locked(node) for node in nodes)
    may = [m.name for node in nodes for m in node.leaves if facts.may_target(m)]
    modules = [m for node in nodes for m in node.leaves]

    def add(text: str, call, possible: bool) -> None:
        action = menu.addAction(text)
        action.triggered.connect(lambda: call())
        action.setEnabled(possible)

    add(
        tr("&Freeze"), lambda: model.freeze(nodes, True),
        free and any(layer.name not in facts.frozen for layer in layers),
    )  # fmt: skip
    add(
        tr("&Unfreeze"), lambda: model.freeze(nodes, False),
        free and any(layer.name in facts.frozen for layer in layers),
    )  # fmt: skip
    menu.addSeparator()
    add(tr("Per-layer &rank…"), tree.edit_rank, ranked)
    add(
        tr("Use the &default rank"), lambda: model.give_rank(nodes, 0),
        any(layer.name in facts.own for layer in layers),
    )  # fmt: skip
    menu.addSeparator()
    add(
        tr("&Adapt on Restart"), lambda: model.target(nodes, True),
        any(name not in facts.targeted for name in may),
    )  # fmt: skip
    add(
        tr("&Leave out on Restart"), lambda: model.target(nodes, False),
        any(name in facts.targeted for name in may),
    )  # fmt: skip
    menu.addSeparator()
    add(tr("Show its &spectrum"), show_spectrum, bool(one))
    alike = {(m.like, m.kind) for m in modules}
    others = len([m for m in model.modules if (m.like, m.kind) in alike])
    add(tr("Select all of this t&ype"), tree.select_alike, others > len(modules))
    add(
        tr("Copy &name"),
        lambda: QGuiApplication.clipboard().setText("\n".join(node.name for node in nodes)),
        bool(nodes),
    )
    menu.addSeparator()
    column, across = tree.column, Qt.Orientation.Horizontal
    head = model.headerData(column, across, Qt.ItemDataRole.DisplayRole)
    add(tr("Sor&t by {}").format(head), lambda: tree.sort_by(column), True)
    add(tr("&Model order"), lambda: tree.sort_by(-1), model.sorted_by >= 0)
