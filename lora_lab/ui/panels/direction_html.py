"""The directions of one layer as a page: tokens at both ends, rows of the data, pictures."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QCoreApplication

from lora_lab.measured import Direction, DirectionsRecord, Excited
from lora_lab.names import legible
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import rounded_percent, sub
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import number as figure

translate = QCoreApplication.translate


def direction_html(record: DirectionsRecord, data: DirectionsRecord | None, colors: Colors) -> str:
    """`data` is the newest record that asked the data, which may be of an earlier step."""
    parts = []
    for place, direction in enumerate(record.directions):
        index = sub(place + 1)
        energy = translate("DirectionsPanel", "{} of the energy").format(
            rounded_percent(direction.energy)
        )
        parts.append(
            f'<p style="margin-top:12px"><b>σ{index} = {figure(direction.sigma, 4)}</b> '
            f'<span style="color:{colors.muted}">· {energy}</span></p>'
        )
        parts.append(_body(place, direction, index, colors))
        rows = data.directions[place].excited if data and place < len(data.directions) else ()
        parts.append(_rows(place, rows, index, colors))
    return "".join(parts)


def _body(place: int, direction: Direction, index: str, colors: Colors) -> str:
    lines = []
    if direction.picture is not None:
        words = translate("DirectionsPanel", "v{} in the pixels").format(index)
        lines.append(
            f'<p><img src="v{place}"><br><span style="color:{colors.muted}">{words}</span></p>'
        )
    if direction.tokens is not None:
        for sign, tokens, color in (
            ("+", direction.tokens.positive, colors.accent),
            ("−", direction.tokens.negative, colors.warn),
        ):
            words = translate("DirectionsPanel", "{}u{} writes").format(sign, index)
            shown = " ".join(_token(token, color, colors) for token, _ in tokens)
            lines.append(f'<p><span style="color:{colors.muted}">{words}</span> {shown}</p>')
    return "".join(lines)


def _token(token: str, color: str, colors: Colors) -> str:
    """A token with its spaces to be seen."""
    ground = theme.mixed(colors.panel, color, 0.18)
    return f'<span style="background:{ground}">&nbsp;{visible(token)}&nbsp;</span>'


def visible(token: str) -> str:
    """A token as it can be read: a space and a new line are characters like others."""
    return escape(legible(token).replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")) or "∅"


def _rows(place: int, rows: tuple[Excited, ...], index: str, colors: Colors) -> str:
    if not rows:
        return ""
    words = translate("DirectionsPanel", "v{} is excited by").format(index)
    lines = [f'<p><span style="color:{colors.muted}">{words}</span></p>']
    if any(row.image is not None for row in rows):
        cells = "".join(
            f'<td style="padding-right:10px"><img src="x{place}-{at}"><br>'
            f'<span style="color:{colors.muted}">{_flat(row.label)} · {figure(row.value, 3)}'
            "</span></td>"
            for at, row in enumerate(rows)
        )
        return "".join([*lines, f"<table><tr>{cells}</tr></table>"])
    ground = theme.mixed(colors.panel, colors.accent, 0.28)
    for row in rows:
        where = translate("DirectionsPanel", "row {:,}").format(row.number)
        text = ""
        if row.token or row.before or row.after:
            text = (
                f"{_flat(row.before)}<span style='background:{ground}'>{visible(row.token)}</span>"
                f"{_flat(row.after)}"
            )
        lines.append(
            f'<p style="margin-left:14px"><span style="color:{colors.muted}">{where} · '
            f"{figure(row.value, 3)}</span> {text}</p>"
        )
    return "".join(lines)


def _flat(text: str) -> str:
    return escape(legible(text).replace("\n", "↵"))
