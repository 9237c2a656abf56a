"""What stays where the rank moves: s, α, or α = 2r; a word beside the scaling."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from lora_lab.rules import RANK_RULES
from lora_lab.ui.style.settings import keep, kept
from lora_lab.ui.train.note_line import Link

KEY = "rank_rule"


class RankRule(QObject):
    """A link that names the rule in force and opens the three there are; it is remembered."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rule = rule if (rule := kept(KEY)) in RANK_RULES else RANK_RULES[0]
        words = {
            "s": (self.tr("keep s"), self.tr("α follows the rank, so that s stays")),
            "alpha": (self.tr("keep α"), self.tr("α stays: a higher rank lowers s")),
            "2r": (self.tr("α = 2r"), self.tr("α is twice the rank")),
        }
        self.link = Link(
            words[self._rule][0],
            self.tr(
                "What stays when the rank moves. With α kept, s = α/r falls as the rank rises."
            ),
        )
        self.link.setAccessibleName(self.tr("When the rank moves: {}").format(words[self._rule][0]))
        self.menu = QMenu(parent)
        group = QActionGroup(self.menu)
        self.actions = {}
        for rule in RANK_RULES:
            short, long = words[rule]
            action = self.menu.addAction(f"{short}: {long}")
            action.setCheckable(True)
            action.setChecked(rule == self._rule)
            group.addAction(action)
            action.triggered.connect(lambda _=False, r=rule, w=short: self._choose(r, w))
            self.actions[rule] = action
        self.link.clicked.connect(
            lambda: self.menu.popup(self.link.mapToGlobal(self.link.rect().bottomLeft()))
        )

    def value(self) -> str:
        """The rule in force: s, alpha or 2r."""
        return self._rule

    def _choose(self, rule: str, word: str) -> None:
        self._rule = rule
        self.link.setText(word)
        self.link.setAccessibleName(self.tr("When the rank moves: {}").format(word))
        self.link.updateGeometry()
        keep(KEY, rule)
