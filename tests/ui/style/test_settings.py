"""The settings file: what is kept in it, and that nothing else in it is read, let alone run."""

import os
import random
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings

import lora_lab
from lora_lab import paths
from lora_lab.ui.shell.dock_host import LAYOUT_VERSION
from lora_lab.ui.style import settings
from lora_lab.ui.style.settings import keep, keep_all, kept, kept_bytes, kept_number, kept_scheme
from lora_lab.ui.style.settings_text import parsed, written

TEXTS = ("", "plain", "@Variant(x)", '"', "\\", "\0a\x1fb\x7f1", "ä\U0001f600\u2028",
         " ; a, b = c ", "@", "@@", "\r\n\t", "\\x41", "[General]", "a\\",
         "@ByteArray(x)")  # fmt: skip
BYTES = (b"", bytes(range(256)), b"\0001", b'")', b"\\)")


@pytest.fixture(autouse=True)
def nothing_said():
    settings.refusals.clear()
    yield
    settings.refusals.clear()


@pytest.fixture
def file():
    path = paths.settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_what_is_kept_comes_back_and_an_older_lab_reads_it_too():
    rng = random.Random(0)
    values = {f"group/text_{place}": text for place, text in enumerate(TEXTS)}
    values |= {f"bytes_{place}": data for place, data in enumerate(BYTES)}
    values |= {f"random/{place}": rng.randbytes(99) for place in range(50)}
    keep_all(values)
    assert parsed(written(values)) == values
    older = QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)
    for key, value in values.items():
        there = older.value(key)
        assert (kept(key) if isinstance(value, str) else kept_bytes(key)) == value
        assert (bytes(there) if isinstance(there, QByteArray) else there or "") == (value or there)
    for key, value in values.items():
        older.setValue(key, QByteArray(value) if isinstance(value, bytes) else value)
    older.setValue("cluster/cpus", 4)
    older.sync()
    assert parsed(paths.settings_file().read_bytes()) == {**values, "cluster/cpus": "4"}
    assert not settings.refusals


def test_no_object_in_it_is_made(tmp_path, file):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    older = QSettings(str(file), QSettings.Format.IniFormat)
    older.setValue("scheme", Evil())
    older.sync()
    text = file.read_bytes()
    assert b"PyObjectWrapper" in text
    for words in (text, text.replace(b"@", rb"\x40"), text.replace(b"scheme=", b'scheme="a",')):
        file.write_bytes(words)
        assert kept_scheme() == "system"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"scheme=@Variant(\\0\\0\\0\\x7f)", b'scheme="@DateTime(x)"', b"scheme=@Rect(1 2 3 4)",
        b"scheme=\\x40Variant(x)", b"scheme=\\100Variant(x)", b"scheme", b"[General", b"\xff=1",
        b"scheme=\\", b'scheme="dark', b'scheme="a" "b"', b"scheme=@ByteArray(\xc4\x80)",
        b"%s=1", b"a=\\xffffffffffffffff", b"scheme=\\q", bytes(10**6), b"a=1\n" * 2**20 + b"b",
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_put_aside_and_said(file, text):
    file.write_bytes(text)
    assert kept_scheme() == "system"
    assert kept_scheme() == "system"
    (words,) = settings.refusals
    (aside,) = file.parent.glob("window.ini.damaged-*")
    assert str(aside) in words
    assert aside.read_bytes() == text
    assert not file.exists()
    keep("scheme", "dark")
    assert kept_scheme() == "dark"
    assert len(settings.refusals) == 1


def test_what_is_no_file_is_neither_waited_for_nor_written_through(tmp_path, file):
    os.mkfifo(file)
    assert kept("a") == ""
    file.mkdir()
    assert kept("a") == ""
    assert len(settings.refusals) == 2
    elsewhere = tmp_path / "elsewhere.ini"
    elsewhere.write_text("[General]\na=1\n")
    file.symlink_to(elsewhere)
    assert kept("a") == "1"
    keep("a", "2")
    assert kept("a") == "2"
    assert elsewhere.read_text() == "[General]\na=1\n"
    assert not file.is_symlink()
    assert len(settings.refusals) == 2


def test_qt_reads_nothing_that_was_kept():
    """Its readers make any object that a file names, and PySide has one for those of Python."""
    for path in Path(lora_lab.__file__).parent.rglob("*.py"):
        assert not re.search(r"\bQ(Settings|DataStream)\b", path.read_text()), path


def test_values_of_another_kind_are_passed_over(file):
    file.write_text("geometry=hello\nscheme=@ByteArray(dark)\ncpus=1e9\n[a]\nmany=99999999999\n")
    assert kept_bytes("geometry") == b""
    assert kept_scheme() == "system"
    assert kept_number("cpus", 1, 1, 9) == kept_number("a/many", 1, 1, 9) == 1
    assert kept_number("cpus", 1, 1, 9) == 1


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nobody(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "file" / "home"))
    keep("scheme", "dark")
    assert kept_scheme() == "system"


# Qt follows the first number of this layout, of an area, to a place outside of its memory.
LAYOUT = struct.pack(">iiBii", 0xFF, LAYOUT_VERSION, 0xFD, 1, 100_000) + bytes(200)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (b"scheme=@Variant(x)", True),
        (b"geometry=hello\nlayout=a, b\nscheme=what\nrecent=[[[\n[background]\nshown=\\0", False),
        (written({"layout": LAYOUT, "geometry": bytes(50), "background/shown": "\0"}), False),
    ],
)
def test_the_window_opens_whatever_the_file_says(file, values, said):
    file.write_bytes(values)
    code = (
        "from PySide6.QtCore import QTimer; import lora_lab.ui.app as app; made = app.make_window\n"
        "def make(*parts):\n"
        "    window = made(*parts)\n"
        "    window.notices.shown.connect(lambda notice: print(notice.message))\n"
        "    window.painted.connect(lambda: QTimer.singleShot(300, window.leave))\n"
        "    return window\n"
        "app.make_window = make\n"
        "raise SystemExit(app.run())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert ("cannot be used" in done.stdout) == said, done.stdout
