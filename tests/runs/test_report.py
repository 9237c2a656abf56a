"""The page of a run: what it says, where its pictures put things, and that it stands alone."""

import json
import math
import re
from html.parser import HTMLParser
from itertools import chain

import pytest

from lora_lab.errors import LabError
from lora_lab.exported import ExportReport
from lora_lab.plain import plain
from lora_lab.records import AppliedRecord, ErrorRecord, EvalRecord, StepRecord
from lora_lab.runs.report import CHECKS, EDITS, TROUBLES, report_of
from lora_lab.runs.report_figures import BINS, HEIGHT, LEFT, RIGHT, WIDTH, ticks
from tests.runs.sample_run import LOSSES, SIGMA, records, write_sample

ALONE = {"meta", "line", "rect", "circle", "path", "br"}


class Page(HTMLParser):
    """The words of each section by its heading, and every element with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.words, self.elements, self.open, self.title = {}, [], [], ""
        self.feed(text)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ALONE:
            self.open.append(tag)
        if tag in ("h2", "footer"):
            self.title = "" if tag == "h2" else tag

    def handle_endtag(self, tag):
        if tag not in ALONE:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "h2" in self.open and "span" not in self.open:
            self.title = data
        if "style" not in self.open:
            self.words.setdefault(self.title, []).append(data)

    def said(self, title):
        return " ".join(" ".join(self.words.get(title, ())).split())

    def drawn(self, kind):
        return [a for _, a in self.elements if a.get("class") == kind]


def page_of(folder):
    return Page(report_of(folder))


def points(element):
    return [tuple(map(float, p.split())) for p in re.split("[ML]", element["d"].strip("Z"))[1:]]


def test_it_stands_alone_and_escapes(tmp_path):
    text = report_of(write_sample(tmp_path))
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|url\(|@import|src=|href=", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "size: A4" in text
    assert "<b>run</b>" not in text
    assert "my <b>run</b>" in page.said("")
    assert "a & b" in page.said("")
    assert "finished at step 5" in page.said("")


def test_what_it_says(tmp_path):
    write_sample(tmp_path, "oldest")
    write_sample(tmp_path, "parent", origin=("oldest", 3))
    page = page_of(write_sample(tmp_path, origin=("parent", 2)))
    top = page.said("")
    for words in ("0.5 loss, last step", "1 best validation loss, step 5", "90.0 → 75.0 % accuracy",
                  "1,536 trained, 8.92 % of the base", "8, 4 rank, α at the end",
                  "2.5 s of training", "digits · lora on base <1> · cpu, float32"):  # fmt: skip
        assert words in top, (words, top)
    settings = page.said("Settings")
    for words in ("rank r, α at the start 4, 4", "4e-06, linear", "steps requested 5", "seed 0"):
        assert words in settings
    assert "1 2 rank 4 → 8 2 4 learning rate 4e-06 → 1e-05" in page.said("Edits during training")
    assert "peft mine 4.1 kB 3.0e-08 ab12cd34" in page.said("Export checks")
    assert "lora: 1,536" in page.said("Parameters")
    assert "full, same layers: 16,384" in page.said("Parameters")
    assert "10.7 times fewer" in page.said("Parameters")
    assert "12.3 kB in place of 131 kB" in page.said("Parameters")
    assert "2 parent my <b>run</b> 3 oldest my <b>run</b>" in page.said("Ancestry")
    assert "base fingerprint" in page.said("footer")


def test_where_the_curve_puts_things(tmp_path):
    page = page_of(write_sample(tmp_path))
    (loss,), (held,) = page.drawn("loss"), [e for e in page.drawn("held") if "d" in e]
    found = points(loss)
    assert [x for x, _ in found] == pytest.approx(
        [LEFT + (WIDTH - LEFT - RIGHT) * n / 5 for n in range(1, 6)], abs=0.1
    )
    # Equal losses lie equally high in both curves, and height is linear in loss.
    slope = (found[0][1] - found[-1][1]) / (LOSSES[0] - LOSSES[-1])
    assert slope < 0
    for (_, y), value in zip(found, LOSSES, strict=True):
        assert y == pytest.approx(found[-1][1] + slope * (value - LOSSES[-1]), abs=0.15)
    assert [y for _, y in points(held)] == pytest.approx(
        [found[-1][1] + slope * (value - LOSSES[-1]) for value in (2.0, 1.25, 1.0)], abs=0.15
    )
    marks = [float(e["x1"]) for e in page.drawn("mark") if "x1" in e]
    assert marks == pytest.approx([found[1][0], found[3][0]], abs=0.1)


def test_bars_are_singular_values(tmp_path):
    page = page_of(write_sample(tmp_path))
    bars = [float(e["height"]) for e in page.drawn("bar") if float(e["width"]) > 5]
    first, second = bars[:3], bars[3:6]  # the layer of the largest σ comes first
    assert first == pytest.approx([first[0], 0, 0])
    assert second == pytest.approx([second[0] * s / 2.0 for s in SIGMA["fc1"]], abs=0.1)
    assert "σ₁ 4" in page.said("Singular values of ΔW")
    assert "effective 2.2" in page.said("Singular values of ΔW")


def test_long_runs_are_gathered_into_columns(tmp_path):
    rows = list(records())
    steps = [StepRecord(n, 1.0 + (n % 2), 1e-3, n) for n in range(6, 5001)]
    page = page_of(write_sample(tmp_path, written=chain(rows, steps)))
    (loss,), (band,) = page.drawn("loss"), page.drawn("band")
    assert BINS / 2 < len(points(loss)) <= BINS
    heights = {y for _, y in points(loss)[2:]}
    assert max(heights) - min(heights) < 4, "the mean of each column"
    assert len(points(band)) == 2 * len(points(loss))


def test_small_losses_get_a_logarithmic_axis(tmp_path):
    rows = [*records(), *(StepRecord(n, 10.0 ** (5 - n), 1e-3, n) for n in range(6, 12))]
    page = page_of(write_sample(tmp_path, written=rows))
    ys = [y for _, y in points(page.drawn("loss")[0])][5:]
    assert [a - b for a, b in zip(ys[1:], ys, strict=False)] == pytest.approx(
        [ys[1] - ys[0]] * 5, abs=0.2
    )
    assert "10⁻⁶" in page.said("Loss")


def test_tables_stop_where_the_page_would_end(tmp_path):
    rows = list(records())
    hyper = rows[0].hyper
    rows += [AppliedRecord(5, hyper, (("alpha", float(n), n + 1.0),)) for n in range(20)]
    rows += [ErrorRecord(5, f"no {n}") for n in range(9)]
    folder = write_sample(tmp_path, written=rows)
    check = plain(ExportReport("gguf", "x", (), 3, 1, "0"))
    (folder / "exports.jsonl").write_text("\n".join([json.dumps(check)] * 9) + '\n{"torn')
    page = page_of(folder)
    assert f"and {22 - EDITS} more" in page.said("Edits during training")
    assert f"and {9 - TROUBLES} more" in page.said("Problems")
    assert page.said("Export checks").count("gguf") == CHECKS


def test_what_is_not_finite_draws_nothing(tmp_path):
    rows = [*records(), StepRecord(6, math.nan, 1e-3, 3), EvalRecord(6, True, math.inf)]
    text = report_of(write_sample(tmp_path, written=rows))
    assert "not finite" in text
    assert not re.search(r"['\" ](nan|inf)", text)
    assert max(y for _, y in points(Page(text).drawn("loss")[0])) < HEIGHT
    only = write_sample(tmp_path, "none", written=list(records())[:5])
    assert "there is no curve" in report_of(only)
    with pytest.raises(LabError, match="not a run folder"):
        report_of(tmp_path)


@pytest.mark.parametrize(
    ("low", "high", "most", "wanted"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 60000, 8, [0, 10000, 20000, 30000, 40000, 50000, 60000]),
        (0.9, 2.3, 5, [1.0, 1.5, 2.0]),
        (-0.1, 0.1, 4, [-0.1, -0.05, 0, 0.05, 0.1]),
        (3, 3, 5, [3]),
    ],
)
def test_ticks_are_round_numbers(low, high, most, wanted):
    assert ticks(low, high, most) == pytest.approx(wanted)
