"""German and Chinese: every text is there with its figures and letters, and numbers are as ever."""

import re
import string
from collections import Counter
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QLabel, QMenu, QWidget

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.records import State
from lora_lab.ui.style import language
from lora_lab.ui.style.language import LANGUAGES, VARIABLE, Words
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.variants import VARIANTS
from tests.ui.test_accessible import letter
from tests.ui.translations import entries, missing, sources

TAGS = re.compile(r"<[^>]+>")
SPACES = re.compile(r"^\s*|\s*$")
FILES = re.compile(r"\*\.?[\w*]*")  # of a file dialog's filter
each = pytest.mark.parametrize("name", LANGUAGES)


@pytest.fixture
def speak(qapp):
    """Let the window speak a language for the time of the test."""
    before, had = QLocale(), set(qapp.findChildren(QTranslator))
    yield lambda name: language.install(qapp, name)
    for translator in set(qapp.findChildren(QTranslator)) - had:
        qapp.removeTranslator(translator)
        translator.deleteLater()
    QLocale.setDefault(before)


def fields(text):
    """What `format` puts in, by place, with how it is written."""
    parts = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
    numbered = [(name or str(place), *how) for place, (name, *how) in enumerate(parts)]
    assert len({bool(name) for name, *_ in parts}) <= 1, f"numbered and not numbered: {text}"
    return Counter(numbered)


def kept(text):
    """What a translation has as its source has it."""
    return {
        "fields": fields(text),
        "tags": Counter(TAGS.findall(text)),
        "a letter for Alt": bool(letter(text)),
        "goes on…": text.rstrip().endswith("…"),
        "spaces around": SPACES.findall(text),
        "lines": text.count("\n"),
        "kinds of files": FILES.findall(text) if "(*" in text else [],
    }


@each
def test_a_translation_keeps_what_the_program_needs(name):
    changed = {
        (source, text): [what for what in kept(source) if kept(source)[what] != kept(text)[what]]
        for source, (text, kind) in entries(name).items()
        if text and not kind
    }
    assert {pair: what for pair, what in changed.items() if what} == {}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{} of {:,}", "{}"), ("{} of {:,}", "{1} von {0:,}"), ("&Open…", "Öffnen…"),
        ("Open…", "Öffnen"), (" and ", "und"), ("All (*.pt);;Any (*)", "Alle (*.bin);;Jede (*)"),
        ("<b>a</b>", "a"), ("a\nb", "a b"),
    ],
)  # fmt: skip
def test_the_comparison_finds_what_is_lost(source, text):
    assert kept(source) != kept(text)


def test_the_order_of_the_words_is_free():
    assert kept("{} of {:,}") == kept("{1:,} 中的 {0}")


@each
def test_what_is_released_is_what_was_written(name):
    words = Words()
    assert words.load(str(paths.resources() / "translations" / f"lora_lab_{name}.qm"))
    written = {s: text for s, (text, kind) in entries(name).items() if text and not kind}
    assert len(written) > 1200
    # Whoever asks: the context is the receiver's class, which no file can know.
    wrong = [s for s, text in written.items() if words.translate("QDialog", s) != text]
    assert wrong == []


@each
def test_what_has_no_translation_is_shown_in_english(speak, name):
    speak(name)
    words = QCoreApplication.translate("QDialog", "nothing that is marked")
    assert words == "nothing that is marked"


def test_every_text_is_translated_and_nothing_else():
    assert list(missing()) == []  # python -m tests.ui.translations brings the files up to date


def test_lines_of_what_is_missing_name_the_text_and_its_place(monkeypatch):
    monkeypatch.setattr("tests.ui.translations.marked", lambda: {"A new word…": "new.py:7"})
    lines = list(missing())
    assert "de: 'A new word…' (new.py:7)" in lines
    assert "zh_CN: stale: 'Alpha α'" not in lines  # the engine says it
    assert "zh_CN: stale: '&Browse…'" in lines


@each
def test_why_a_setting_is_locked_is_said_in_it(speak, qtbot, fake_session, name):
    speak(name)
    dock, have = HyperparametersDock(), entries(name)
    qtbot.addWidget(dock)
    loaded = fake_session(RunConfig(preset="digits", task="digits")).loaded()
    for variant, row in VARIANTS.items():
        dock.standing.take(replace(loaded, variant=variant, locked=row.locked))
        for field, reason in row.locked:
            if field in dock.sliders:
                assert dock.sliders[field].note() == have[reason][0]


@each
def test_the_window_speaks_it(speak, qtbot, request, name):
    speak(name)
    window = request.getfixturevalue("window")
    presets = request.getfixturevalue("presets")
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    have = entries(name)
    assert window.commands.train.text() == have["Train"][0]
    titles = [action.text() for action in window.menuBar().actions()]
    marks = ("&File", "&Edit", "&Run", "&Adapter", "&View", "&Help")
    assert {have[mark][0] for mark in marks} <= set(titles)
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    qtbot.addWidget(box)
    (cancel,) = box.buttons()
    assert cancel.text().replace("&", "") == {"de": "Abbrechen", "zh_CN": "取消"}[name]  # Qt's own
    # Numbers are as ever.
    assert QLocale().toString(1234.5) == QLocale.c().toString(1234.5)
    assert window.hyper_dock.sliders["learning_rate"].edit.text() == "0.001"
    assert window.setup_dock.fixed.controls["max_steps"].text() == "70,000"
    shared = doubles(window)
    assert shared == {}
    for menu in window.findChildren(QMenu):
        letters = Counter(letter(action.text()) for action in menu.actions())
        assert [key for key, count in letters.items() if key and count > 1] == [], menu.title()


def doubles(window):
    """The letters that reach two things of a window, whether or not both are seen at once."""
    found = {}
    bar = window.menuBar().actions() if hasattr(window, "menuBar") else []
    parts = [p for p in window.findChildren(QWidget) if p.window() is window]
    texts = [action.text() for action in bar]
    texts += [p.text() for p in parts if isinstance(p, QLabel) or hasattr(p, "setCheckable")]
    for text in texts:
        if "<" not in text and letter(text):
            found.setdefault(letter(text), []).append(text)
    return {key: texts for key, texts in found.items() if len(texts) > 1}


@each
def test_no_letter_of_a_dialog_reaches_more_than_in_english(
    speak, qtbot, request, monkeypatch, name
):
    for ask in ("getOpenFileName", "getSaveFileName"):  # the system's own dialogs
        monkeypatch.setattr(QFileDialog, ask, lambda *texts: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *texts: "")
    speak(name)
    window = request.getfixturevalue("window")
    window.open(request.getfixturevalue("presets")[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    english = {text: source for source, (text, _) in entries(name).items()}
    seen, wrong = set(), {}
    dotted = [a for menu in window.commands.menus for a in menu.actions() if "…" in a.text()]
    for action in dotted:
        if not action.isEnabled():
            continue
        action.trigger()
        QApplication.processEvents()
        for dialog in QApplication.topLevelWidgets():
            if dialog is not window and dialog.isVisible():
                seen.add(dialog.windowTitle())
                for key, texts in doubles(dialog).items():
                    if len({letter(english.get(text, text)) for text in texts}) == len(texts):
                        wrong[dialog.windowTitle(), key] = texts
                dialog.close()
    assert len(seen) > 4, seen
    assert wrong == {}


@pytest.mark.parametrize(
    ("asked", "desktop", "spoken"),
    [
        ("de", ["fr-FR"], "de"),
        ("en", ["de-DE"], "en"),
        ("", ["de-AT", "en-GB"], "de"),
        ("system", ["zh-Hans-CN"], "zh_CN"),
        ("", ["zh-Hant-TW"], "en"),
        ("", ["fr-FR", "en-US", "de-DE"], "en"),
        ("", ["fr-FR", "de-CH"], "de"),
        ("", [], "en"),
    ],
)
def test_which_language_is_spoken(monkeypatch, asked, desktop, spoken):
    monkeypatch.setenv(VARIABLE, asked)
    monkeypatch.setattr(QLocale, "uiLanguages", lambda self: desktop)
    assert language.asked() == spoken


def test_a_language_that_there_is_none_of(monkeypatch):
    monkeypatch.setenv(VARIABLE, "tlh")
    with pytest.raises(LabError, match=r"LORA_LAB_LANGUAGE=tlh.*There are: system, en, de, zh_CN"):
        language.asked()


def test_a_choice_in_the_menu_holds_from_the_next_start_on(window, qtbot, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    qtbot.waitUntil(lambda: window.flows is not None)
    actions = window.commands.languages
    assert [name for name, action in actions.items() if action.isChecked()] == ["system"]
    said = []
    window.notices.posted.connect(lambda notice: said.append(notice.message))
    actions["zh_CN"].trigger()
    assert language.asked() == "zh_CN"
    assert window.commands.train.text() == "Train"  # and not before
    assert said == ["The language is another one from the next start on."]


def test_every_text_has_one_entry_whatever_its_place():
    assert len(sources()) == len(set(sources()))
