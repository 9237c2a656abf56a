"""The desktop's entry: written where desktops look, started by its full path, taken away again."""

import configparser
import sys

import pytest
from PySide6.QtGui import QImage
from typer.testing import CliRunner

from lora_lab.cli import app

desktop = sys.modules["lora_lab.cli.desktop"]  # the verb has the name of its room
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="XDG is for Linux")


def asked(*arguments):
    return CliRunner().invoke(app, ["desktop", *arguments])


@linux
def test_it_is_installed_and_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(desktop.shutil, "which", lambda name: "/opt/my lab/bin/lora-lab")
    assert asked("--install").exit_code == 0
    entry, icon = desktop.places()
    assert entry.is_relative_to(tmp_path)
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str
    parsed.read(entry)
    assert parsed["Desktop Entry"]["Exec"] == '"/opt/my lab/bin/lora-lab"'
    assert parsed["Desktop Entry"]["Icon"] == icon.stem
    assert asked("--remove").exit_code == 0
    assert not entry.exists()
    assert not icon.exists()


def test_without_a_request_it_is_shown_and_both_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    shown = asked()
    assert shown.output.startswith("[Desktop Entry]\n")
    assert "lora" in shown.output.split("Exec=")[1].split("\n")[0]
    assert asked("--install", "--remove").exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_it_says_so(monkeypatch):
    monkeypatch.setattr(desktop.sys, "platform", "win32")
    refused = asked("--install")
    assert refused.exit_code != 0
    assert "Linux" in refused.output


@pytest.mark.parametrize("size", [16, 64])
def test_the_icon_can_be_drawn(qapp, size):
    from PySide6.QtGui import QIcon

    from lora_lab import paths

    icon = QIcon(str(paths.resources() / "desktop" / "lora-lab.svg"))
    image = icon.pixmap(size, size).toImage().convertToFormat(QImage.Format.Format_ARGB32)
    colors = {image.pixel(x, y) for x in range(size) for y in range(size)}
    assert len(colors) > 4
