"""One row of the data as it is looked at: token by token in colours, a pair, or a small picture."""

from __future__ import annotations

import math
from html import escape

import numpy as np
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QImage, QPixmap

from lora_lab.measured import TokenLossRecord
from lora_lab.opening_records import DataRow
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import entry
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import number

translate = QCoreApplication.translate

DARKEST = 8.0  # nats of a token from which its ground is no darker
TOKENS = 10_000  # of a row that are shown: as many are laid out in a tenth of a second
THUMB = 72  # pixels of an image in the list
SMOOTH = Qt.TransformationMode.SmoothTransformation


def pair_html(row: DataRow, colors: Colors) -> str:
    """A row; both answers of a pair, or a source and its target, each under its name."""
    if row.rejected is not None:
        sides = (
            (translate("DataPanel", "Chosen"), row, colors.good),
            (translate("DataPanel", "Rejected"), row.rejected, colors.warn),
        )
    elif row.target is not None:
        sides = (
            (translate("DataPanel", "Source"), row, colors.muted),
            (translate("DataPanel", "Target"), row.target, colors.accent),
        )
    else:
        return row_html(row, colors)
    return "".join(
        f'<p><b style="color:{color}">{name}</b></p>{row_html(side, colors)}'
        for name, side, color in sides
    )


def row_html(row: DataRow, colors: Colors) -> str:
    """One row token by token; two shades take turns, so that each token is seen."""
    asked = (
        theme.mixed(colors.panel, colors.accent, 0.20),
        theme.mixed(colors.panel, colors.accent, 0.32),
    )
    read = (colors.panel, theme.mixed(colors.panel, colors.muted, 0.13))
    head = [translate("DataPanel", "{:,} tokens").format(len(row.tokens))]
    if row.cut:
        head.append(translate("DataPanel", "{:,} more truncated").format(row.cut))
    if row.label:
        head.append(translate("DataPanel", "label {}").format(f"<b>{escape(entry(row.label))}</b>"))
    grounds = []
    if any(row.supervised):
        grounds.append((asked[1], translate("DataPanel", "in the loss (label)")))
        if not all(row.supervised[1:]):
            masked = translate("DataPanel", "masked (prompt)")
            words = translate("DataPanel", "not in the loss") if row.tags else masked
            grounds.append((read[1], words))
    for ground, words in grounds:
        head.append(f'<span style="background:{ground}">&nbsp;{words}&nbsp;</span>')
    if len(row.tokens) > TOKENS:
        head.append(translate("DataPanel", "the first {:,} are shown").format(TOKENS))
    parts = []
    # Word pieces come without the spaces between them, unlike the tokens of most language models.
    bare = not any(token[:1].isspace() or token[-1:].isspace() for token in row.tokens)
    pending = ""  # the tag of a word, which is told behind its last token
    for place, token in enumerate(row.tokens[:TOKENS]):
        on = place < len(row.supervised) and row.supervised[place]
        shade = (asked if on else read)[place % 2]
        color = colors.text if on or not any(row.supervised) else colors.muted
        words = escape(entry(token)).replace("\n", "↵<br>").replace("\t", "⇥")
        between = " " if bare and place and not token.startswith("##") else ""
        if pending and (on or between or token[:1].isspace()):
            parts.append(pending)
            pending = ""
        parts.append(f'{between}<span style="background:{shade};color:{color}">{words}</span>')
        if place < len(row.tags) and row.tags[place] not in ("", "O"):
            pending = f'<sub style="color:{colors.accent}"> {escape(entry(row.tags[place]))}</sub>'
    parts.append(pending)
    small = f'<p style="color:{colors.muted}">{" · ".join(head)}</p>'
    return f'{small}<p style="white-space:pre-wrap">{"".join(parts)}</p>'


def losses_html(row: DataRow, record: TokenLossRecord, colors: Colors) -> str:
    """One row, each token on a ground as strong as its loss is large; the prompt is greyed."""
    known = [(n, x) for n, x in enumerate(record.on[: len(row.tokens)]) if math.isfinite(x)]
    asked = [n for n, _ in known if n < len(row.supervised) and row.supervised[n]]
    parts = []
    for place, token in enumerate(row.tokens[:TOKENS]):
        loss = record.on[place] if place < len(record.on) else math.nan
        share = min(1.0, loss / DARKEST) if math.isfinite(loss) else 0.0
        ground = theme.mixed(colors.panel, colors.warn, 0.6 * share)
        on = place < len(row.supervised) and row.supervised[place]
        color = colors.text if on or not any(row.supervised) else colors.muted
        words = escape(entry(token)).replace("\n", "↵<br>").replace("\t", "⇥")
        parts.append(f'<span style="background:{ground};color:{color}">{words}</span>')
    sides = record.off, record.on
    means = [sum(side[n] for n in asked) / len(asked) if asked else math.nan for side in sides]
    head = translate("DataPanel", "Loss per token at step {:,}: mean of the label tokens {} → {} "
                     "(adapter off → on)").format(record.step, *map(number, means))  # fmt: skip
    labels = set(asked)
    highest = sorted((x, n) for n, x in known if n in labels)[-3:][::-1]
    worst = ", ".join(f"“{escape(entry(row.tokens[n]))}” {number(x)}" for x, n in highest)
    tail = translate("DataPanel", "highest: {}").format(worst) if worst else ""
    small = f'<p style="color:{colors.muted}">{head}<br>{tail}</p>'
    return f'{small}<p style="white-space:pre-wrap">{"".join(parts)}</p>'


def thumbnail(image: np.ndarray) -> QPixmap:
    """An image (height, width) or (height, width, 3) of uint8, as large as a thumb."""
    rows = np.ascontiguousarray(image)
    grey = rows.ndim == 2
    kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    picture = QImage(rows.data, rows.shape[1], rows.shape[0], rows.strides[0], kind).copy()
    coarse = 2 * max(rows.shape[:2]) <= THUMB  # so few pixels that each is to be seen
    how = Qt.TransformationMode.FastTransformation if coarse else SMOOTH
    pixmap = QPixmap.fromImage(picture)
    return pixmap.scaled(THUMB, THUMB, Qt.AspectRatioMode.KeepAspectRatio, how)
