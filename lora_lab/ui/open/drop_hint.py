"""What is shown over the window while something is dragged over it: what may be dropped here."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.labels import TextLabel

MARGIN = 24


class DropHint(QFrame):
    """A dashed frame in the middle of `over`; it takes no mouse and no drops itself."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self.setObjectName("dropHint")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        title = TextLabel(self.tr("Drop it here"))
        title.setProperty("role", "figure")
        what = TextLabel(self.tr("a model, an adapter, rows or images to learn from, a run"))
        what.setProperty("role", "muted")
        what.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setSpacing(6)
        column.addStretch(1)
        for label in (title, what):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addStretch(1)
        self.hide()

    def show_over(self) -> None:
        """Cover the middle of the window, in the colours of now."""
        c = theme.current()
        self.setStyleSheet(
            f"#dropHint {{ background: {c.panel}; border: 2px dashed {c.accent};"
            " border-radius: 10px; }"
        )
        whole = self.parentWidget().rect()
        width, height = min(560, whole.width() - 2 * MARGIN), min(200, whole.height() - 2 * MARGIN)
        self.resize(width, height)
        self.move((whole.width() - width) // 2, (whole.height() - height) // 2)
        self.raise_()
        self.show()
