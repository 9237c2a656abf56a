"""The settings file of the window: what is kept from start to start."""

from __future__ import annotations

from PySide6.QtCore import QSettings

from lora_lab import paths


def settings() -> QSettings:
    """The settings file."""
    return QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)


def kept_scheme(scheme: str | None = None) -> str:
    """The scheme that was asked for, or chosen last time."""
    return scheme or str(settings().value("scheme", "system"))
