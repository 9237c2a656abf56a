"""The window's language: chosen once, before anything is drawn; numbers and files have none."""

from __future__ import annotations

import os

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QTranslator

from lora_lab import paths
from lora_lab.errors import LabError
from lora_lab.ui.style.settings import keep, kept

CONTEXT = "lora-lab"  # the one context of all entries of a .ts file
LANGUAGES = {"de": "Deutsch", "zh_CN": "简体中文"}  # besides English, which the marks are in
CHOICES = {"system": "", "en": "English", **LANGUAGES}
VARIABLE = "LORA_LAB_LANGUAGE"


class Words(QTranslator):
    """The entries of one .qm file, whoever asks.

    A mark's context is the class of its receiver at run time (`tr = dialog.tr`), which is not the
    one that lupdate reads in the source; so the entries have one context, and all are asked there.
    """

    def translate(
        self, context: str, text: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        # None is a null string, and the next translator is asked; "" would be the translation.
        return super().translate(CONTEXT, text, disambiguation, n) or None


def chosen() -> str:
    """The choice that holds at the next start: `system`, `en` or a key of LANGUAGES."""
    return choice if (choice := kept("language")) in CHOICES else "system"


def choose(choice: str) -> None:
    """Keep a choice for the next start."""
    keep("language", choice)


def asked() -> str:
    """What the window speaks now: the variable's word, else what was chosen, else the desktop's.

    Raises LabError for a language that there is none of.
    """
    name = os.environ.get(VARIABLE) or chosen()
    if name not in CHOICES:
        there = ", ".join(CHOICES)
        raise LabError(f"{VARIABLE}={name}: there is no such language. There are: {there}.")
    if name != "system":
        return name
    known = (_known(QLocale(name)) for name in QLocale.system().uiLanguages())
    return next(filter(None, known), "en")


def install(app: QObject, name: str) -> None:
    """Let `app` speak the language; Qt's own buttons and menus too, where PySide6 has them.

    Numbers keep one kind of digits and one decimal point in every language.
    """
    QLocale.setDefault(QLocale.c())
    if name == "en":
        return
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    for translator, file in (
        (Words(app), str(paths.resources() / "translations" / f"lora_lab_{name}.qm")),
        (QTranslator(app), f"{folder}/qtbase_{name}.qm"),  # asked first: it knows its contexts
    ):
        if translator.load(file):
            app.installTranslator(translator)
        elif isinstance(translator, Words):
            raise LabError(f"{file} cannot be read. Install LoRA Lab again.")


def _known(locale: QLocale) -> str:
    """The name of a language of the desktop, if the window speaks it."""
    if locale.language() == QLocale.Language.English:
        return "en"
    if locale.language() == QLocale.Language.German:
        return "de"
    simplified = QLocale.Script.SimplifiedHanScript
    if locale.language() == QLocale.Language.Chinese and locale.script() == simplified:
        return "zh_CN"
    return ""
