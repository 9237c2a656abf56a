"""What the cells of the tree of layers do beyond text: a rank to be typed, names and ticks."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtWidgets import (
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from lora_lab.rules import cap
from lora_lab.ui.layers.model import LayersModel
from lora_lab.ui.layers.tree import Node
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.table import Ticks


class RankEditor(QStyledItemDelegate):
    """A spin box from 1 to the layer's limit; below 1 the layer follows the default rank."""

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> Whole:
        box = Whole(0, 0, parent)
        box.by_wheel = False
        _, node = _at(index)
        box.setRange(0, max(map(cap, node.layers)))
        box.setSpecialValueText(self.tr("common"))
        box.setAccessibleName(self.tr("Rank of {}").format(node.name))
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.lineEdit().textEdited.connect(lambda: box.setProperty("typed", True))
        return box

    def setEditorData(self, editor: Whole, index: QModelIndex) -> None:
        editor.setValue(_present(index))
        editor.selectAll()

    def setModelData(self, editor: Whole, model: LayersModel, index: QModelIndex) -> None:
        editor.interpretText()
        _, node = _at(index)
        several = len(node.layers) > 1 or len(model.nodes_meant(node)) > 1
        # To look into a cell and leave it is no edit; what is typed for several may be one.
        if editor.value() != _present(index) or (editor.property("typed") and several):
            model.setData(index, editor.value(), Qt.ItemDataRole.EditRole)


class Names(Ticks):
    """Names after their ticks; those without one stand in line with the others."""

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        _, node = _at(index)
        element = QStyle.SubElement.SE_ItemViewItemText
        room = option.widget.style().subElementRect(element, option, option.widget).width() - 6
        if node.short != node.label and option.fontMetrics.horizontalAdvance(option.text) > room:
            option.text = option.text.replace(node.label, node.short)
        if not option.features & option.ViewItemFeature.HasCheckIndicator:
            element = QStyle.SubElement.SE_ItemViewItemCheckIndicator
            option.features |= option.ViewItemFeature.HasDecoration
            probe = QStyleOptionViewItem(option)
            probe.features |= option.ViewItemFeature.HasCheckIndicator
            box = option.widget.style().subElementRect(element, probe, option.widget)
            option.decorationSize = QSize(box.width(), box.height())


def _at(index: QModelIndex | QPersistentModelIndex) -> tuple[LayersModel, Node]:
    model = index.model()
    return model, model.node(index)


def _present(index: QModelIndex) -> int:
    """The rank that the editor begins at: the row's own, or the one that its first layer has."""
    model, node = _at(index)
    return model.facts.own_rank(node) or model.facts.wanted_rank(node.layers[0])
