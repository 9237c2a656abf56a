"""Two texts word by word: what only one of them has stands out, by more than its colour."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors

PARTS = re.compile(r"\s+|\w+|[^\w\s]")


def marked_pair(off: str, on: str, colors: Colors) -> tuple[str, str]:
    """Both texts as HTML: words that only `off` has are struck out, those of `on` underlined."""
    before, after = PARTS.findall(off), PARTS.findall(on)
    sides: tuple[list[str], list[str]] = ([], [])
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    grounds = [theme.mixed(colors.panel, color, 0.25) for color in (colors.warn, colors.good)]
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        pieces = "".join(before[i1:i2]), "".join(after[j1:j2])
        for side, text, ground, line in zip(
            sides, pieces, grounds, ("line-through", "underline"), strict=True
        ):
            shown = html(text)
            if kind != "equal" and shown:
                style = f"background:{ground};text-decoration:{line}"
                shown = f'<span style="{style}">{shown}</span>'
            side.append(shown)
    return "".join(sides[0]), "".join(sides[1])


def html(text: str) -> str:
    """A text that was generated, as it is read."""
    return escape(text).replace("\n", "<br>")
