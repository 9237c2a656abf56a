"""Every word of the window passes a translator: one that marks all it is given finds the rest."""

import ast
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, QTranslator
from PySide6.QtGui import QAction, QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QGraphicsView,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QPlainTextEdit,
    QTabBar,
    QTextBrowser,
    QTextEdit,
    QWidget,
)

import lora_lab
from lora_lab.config import RunConfig
from lora_lab.lessons.lesson import lessons
from lora_lab.records import State
from lora_lab.runs.grid import AXES
from lora_lab.setting import settings_of
from lora_lab.ui.help.about import versions
from lora_lab.ui.panels import PANELS
from lora_lab.ui.preview import feed, samples
from lora_lab.ui.queue.pareto_plot import ParetoPlot
from tests.ui.seen import settle

MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
MARKUP = re.compile(r"<[^>]*>|&\w+;")
WORD = re.compile(r"[^\W\d_]{3,}")
FIRST = QModelIndex()
ROWS = 40  # that are looked at of a long list

# What is the same in every language.
NAMES = {
    "LoRA": "the lab's own name and the method's", "Lab": "the lab's own name",
    "bfloat": "a type of numbers", "min": "the sign of the minute",
    "Alt": "a key", "Down": "a key", "Del": "a key", "all": "all-linear, as PEFT reads it",
    "vLLM": "a program", "ComfyUI": "a program", "cpp": "llama.cpp", "llama": "llama.cpp",
    "kohya": "a program", "diffusers": "a program", "PEFT": "a program", "GGUF": "a format",
    "unet": "a component's name", "transformer": "a component's name", "encoder": "text_encoder",
    "LLaMA": "a program", "Board": "a program", "Unsloth": "a program", "OneTrainer": "a program",
    "MLX": "a program", "mlx": "mlx-lm", "text": "text-generation-webui",
    "generation": "text-generation-webui",
    "TPE": "a sampler",
    "webui": "text-generation-webui", "toolkit": "ai-toolkit", "training": "ComfyUI (training)",
    "CPU": "a device, as the engine names it", "cores": "a device, as the engine names it",
    "folder": "a format, as the engine names it", "file": "a format, as the engine names it",
    "portable": "a format, as the engine names it",
    "chat": "a form of rows, as the engine names it",
    "instruction": "a form of rows, as the engine names it",
    "English": "a language, by its own name", "Deutsch": "likewise", "简体中文": "likewise",
    "ΔW₁": "a symbol", "ΔW₂": "a symbol", "σ₁²": "a symbol",
}  # fmt: skip
CHOICES = {
    word
    for setting in settings_of(RunConfig).values()
    for choice in setting.choices.values()
    for word in WORD.findall(choice.title)
}


class Marking(QTranslator):
    """A language in which every word is as it was, but between brackets."""

    def isEmpty(self):
        return False

    def translate(self, context, text, disambiguation=None, n=-1):
        return f"⟦{text}⟧"


@pytest.fixture
def marking(qapp):
    language = Marking()
    qapp.installTranslator(language)
    yield
    qapp.removeTranslator(language)


@pytest.fixture
def painted(monkeypatch):
    """What is painted by hand from now on."""
    seen = set()
    draw = QPainter.drawText

    def drawn(painter, *what):
        seen.update(text for text in what if isinstance(text, str))
        return draw(painter, *what)

    monkeypatch.setattr(QPainter, "drawText", drawn)
    return seen


def left_over(text):
    """The words of a text that no translator has seen."""
    text = MARKUP.sub(" ", text)
    while MARKED.search(text):
        text = MARKED.sub(" ", text)
    return set(WORD.findall(text))


def columns(model, above=FIRST):
    return 1 if isinstance(model, QAbstractListModel) else model.columnCount(above)


def model_texts(model, above=FIRST):
    for row in range(min(model.rowCount(above), ROWS)):
        for column in range(columns(model, above)):
            index = model.index(row, column, above)
            yield from (index.data(), index.data(Qt.ItemDataRole.ToolTipRole))
        yield from model_texts(model, model.index(row, 0, above))


def texts_of(thing):
    """All that a person could read, or hear, of one object."""
    if isinstance(thing, QWidget):
        yield from (thing.toolTip(), thing.statusTip(), thing.whatsThis(), thing.windowTitle())
        yield from (thing.accessibleName(), thing.accessibleDescription())
    if isinstance(thing, QAction):
        yield from (thing.text(), thing.toolTip())
    if isinstance(thing, QMenu | QGroupBox):
        yield thing.title()
    if isinstance(thing, QLabel | QAbstractButton):
        yield thing.text()
    if isinstance(thing, QLineEdit | QComboBox | QTextEdit | QPlainTextEdit):
        yield thing.placeholderText()
    if isinstance(thing, QTextEdit | QPlainTextEdit):
        yield thing.toPlainText()
    if isinstance(thing, QTabBar):
        yield from (thing.tabText(place) for place in range(thing.count()))
    if isinstance(thing, QGraphicsView) and thing.scene() is not None:
        for item in thing.scene().items():
            yield item.toPlainText() if hasattr(item, "toPlainText") else ""
    if isinstance(thing, QComboBox | QAbstractItemView) and (model := thing.model()) is not None:
        yield from model_texts(model)
        for column in range(columns(model)):
            for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
                yield model.headerData(column, Qt.Orientation.Horizontal, role)


def unmarked(root, painted, known):
    """Text → its words that were not translated; `known` words are nobody's to translate."""
    root.grab()
    texts = set(painted)
    for thing in (root, *root.findChildren(QObject)):
        texts.update(text for text in texts_of(thing) if isinstance(text, str))
    known = known | NAMES.keys() | CHOICES
    return {text: words for text in texts if (words := left_over(text) - known)}


def words_in(value):
    """All words in the texts of a record, or of anything that is made of such."""
    if isinstance(value, str):
        return set(WORD.findall(value))
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, BaseModel):
        value = list(value.model_dump().values())
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return set().union(*map(words_in, value)) if isinstance(value, list | tuple) else set()


def test_the_search_finds_what_is_not_translated(qtbot, marking, painted):
    root = QWidget()
    qtbot.addWidget(root)
    label = QLabel("Learned 5", root)
    label.setToolTip(root.tr("Learned") + " by heart")
    QLabel(root.tr("{:,} rows").format(5), root)
    assert unmarked(root, painted, {"heart"}) == {"Learned 5": {"Learned"}}
    painted.add("drawn")
    assert unmarked(root, painted, {"heart", "Learned"}) == {"drawn": {"drawn"}}


@pytest.mark.parametrize("sample", ["digits", "text"])
@pytest.mark.parametrize("key", PANELS)
def test_a_panel(qtbot, marking, painted, key, sample):
    panel = PANELS[key]()
    qtbot.addWidget(panel)
    panel.resize(700, 500)
    panel.show()
    found = unmarked(panel, painted, set())  # before anything is open
    loaded, *rest = samples(sample, 60)
    known = words_in([loaded, *rest])
    panel.standing.take(loaded)
    panel.redraw()
    found |= unmarked(panel, painted, known)
    feed(panel, rest)
    turns = [
        (combo, row) for combo in panel.findChildren(QComboBox) for row in range(combo.count())
    ]
    for combo, row in turns:
        combo.setCurrentIndex(row)
        combo.activated.emit(row)
        panel.redraw()
        panel.update_description()
        found |= unmarked(panel, painted, known)
    for button in (b for b in panel.findChildren(QAbstractButton) if b.isCheckable()):
        button.click()
        panel.redraw()
        panel.update_description()
        found |= unmarked(panel, painted, known)
    assert found == {}


def test_what_a_search_has_learned(qtbot, marking, painted):
    plot = ParetoPlot()
    qtbot.addWidget(plot)
    plot.show_importances(dict.fromkeys(AXES, 0.1))
    assert unmarked(plot, painted, set()) == {}


@pytest.fixture
def opened(qtbot, marking, window, presets, sessions_made):
    """The window on a run that has trained, every dock open."""
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.sessions.step > 20)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    for dock in window.host.docks:
        dock.show()
        dock.raise_()
        settle()
    return window


def test_the_window(opened, qtbot, sessions_made, painted):
    opened.notices.news(opened.tr("News"))
    qtbot.waitUntil(opened.notice_bar.isVisible)
    assert unmarked(opened, painted, words_in([sessions_made[-1].loaded()])) == {}


def test_whatever_opens_from_a_menu(opened, qtbot, sessions_made, painted, monkeypatch):
    for ask in ("getOpenFileName", "getSaveFileName"):  # the system's own dialogs
        monkeypatch.setattr(QFileDialog, ask, lambda *texts: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *texts: "")
    taught = [(x.title, x.question, x.choices, x.why, x.x_label) for x in lessons()]  # of files
    known, seen = words_in([sessions_made[-1].loaded(), *versions(), taught]), {}
    commands = opened.commands
    more = (commands.handbook, commands.shortcuts, commands.about, commands.bench)
    dotted = [a for menu in commands.menus for a in menu.actions() if "…" in a.text()]
    for action in (*dotted, *more):
        if not action.isEnabled():
            continue
        action.trigger()
        settle()
        for window in QApplication.topLevelWidgets():
            if window is not opened and window.isVisible():
                # The handbook's pages are files, in a language of their own, and so their titles.
                for page in (*window.findChildren(QListWidget), *window.findChildren(QTextBrowser)):
                    page.clear()
                seen[window.windowTitle()] = unmarked(window, painted, known)
                window.close()
                painted.clear()
    assert len(seen) > 8, seen
    assert {title: found for title, found in seen.items() if found} == {}


def test_words_outside_of_classes_are_found_by_lupdate():
    """It reads `translate("context", "words")` and `tr("words")`, and no helper around them."""
    hidden = []
    for path in (Path(lora_lab.__file__).parent / "ui").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
            given = {argument.arg for argument in function.args.args}
            for call in [n for n in ast.walk(function) if isinstance(n, ast.Call)]:
                name = ast.unparse(call.func).rpartition(".")[2]
                if (
                    name == "translate"
                    and len(call.args) > 1
                    and ast.unparse(call.args[1]) in given
                ):
                    hidden.append(f"{path.name}: {function.name}")
    # What the engine declares, and the translator itself.
    assert sorted(hidden) == ["figures.py: in_words", "language.py: translate"]
