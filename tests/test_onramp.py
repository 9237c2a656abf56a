"""What README and CONTRIBUTING promise a newcomer: the example works, files exist, numbers hold."""

import re
import sys
import types
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from lora_lab.ui import preview
from lora_lab.ui.panels import PANELS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PATHS = {
    title: (int(total.replace(",", "")), re.findall(r"\| `(\S+)` \| ([\d,]+) \|", rows))
    for title, total, rows in re.findall(
        r"\*\*(From a .+?)\*\*, about ([\d,]+) lines:\n\n((?:\|.*\n)+)", CONTRIBUTING
    )
}
LONGEST_PATH = 1_450  # lines that a newcomer reads from the slider to the plot


def lines(name):
    return len((ROOT / name).read_text("utf-8").splitlines())


def is_about(number, true):
    return abs(number - true) <= max(2, 0.05 * true)


def test_both_paths_are_described():
    assert len(PATHS) == 2
    assert all(len(rows) >= 5 for _, rows in PATHS.values())


@pytest.mark.parametrize("title", PATHS)
def test_the_numbers_of_lines_are_true(title):
    total, rows = PATHS[title]
    wrong = {
        name: lines(name)
        for name, number in rows
        if not is_about(int(number.replace(",", "")), lines(name))
    }
    assert wrong == {}
    assert is_about(total, sum(lines(name) for name, _ in rows))


def test_the_way_from_slider_to_plot_is_short():
    (slider,) = (rows for title, (_, rows) in PATHS.items() if "slider" in title)
    assert sum(lines(name) for name, _ in slider) <= LONGEST_PATH


def test_the_readme_is_short_and_its_second_command_tests():
    assert len(README.splitlines()) <= 160
    commands = [line for line in README.splitlines() if ".[test]" in line and "pytest" in line]
    assert commands == [
        'python -m pip install -c constraints.txt -e ".[test]" && python -m pytest -n 2'
    ]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text("utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)", text) if not t.startswith("http")]
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_files_that_contributing_names_exist():
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", CONTRIBUTING))
    roots = (ROOT, ROOT / "lora_lab")
    example = "lora_lab/ui/panels/learning_rate.py"
    missing = {n for n in named if not any((root / n).exists() for root in roots)} - {example}
    assert missing == set()


def example_panel():
    """The class of the example in CONTRIBUTING, as a module of its own."""
    (source,) = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    module = types.ModuleType("learning_rate")
    sys.modules[module.__name__] = module
    exec(compile(source, "CONTRIBUTING.md", "exec"), module.__dict__)
    return module.LearningRatePanel


def test_the_panel_of_the_ten_minutes_works(qapp, tmp_path, monkeypatch):
    panel_class = example_panel()
    made = []
    monkeypatch.setitem(PANELS, panel_class.key, lambda: made.append(panel_class()) or made[-1])
    monkeypatch.setattr(QApplication, "exec", lambda self: 0)
    assert preview.main(["learning-rate", "--steps", "300"]) == 0
    (panel,) = made
    panel.redraw()
    assert len(panel.figure_data()["learning rate"]) == 300
    assert panel.grab().save(str(tmp_path / "panel.png"))
    panel.close()
