"""A note of the desktop is shown by what there is, and no text of it is ever a command."""

import subprocess

import pytest

from lora_lab import desktop_note

TEXTS = ["plain", "it's “σ”", "-rf /", "$(touch x)`y`", "a\\'b\nc", "'); quit", ""]


@pytest.fixture
def desk(monkeypatch):
    """A desktop whose commands are kept; each returns what it is set to."""
    monkeypatch.setattr(desktop_note.sys, "platform", "linux")
    desk = type("Desk", (), {"there": {"notify-send", "gdbus"}, "fails": set(), "asked": []})()
    desk.asked = []

    def run(command, **settings):
        assert settings.get("shell") is None
        desk.asked.append(command)
        if command[0] in desk.fails:
            raise subprocess.TimeoutExpired(command, 5)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(desktop_note.subprocess, "run", run)
    monkeypatch.setattr(
        desktop_note.shutil, "which", lambda name: name if name in desk.there else None
    )
    return desk


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_one_argument(desk, text):
    assert desktop_note.notify(text, text)
    (command,) = desk.asked
    assert command == ["notify-send", "--app-name=LoRA Lab", "--", text, text]


@pytest.mark.parametrize("text", TEXTS)
def test_the_bus_gets_it_quoted(desk, text):
    desk.there = {"gdbus"}
    assert desktop_note.notify("title", text)
    quoted = desk.asked[0][-4]
    inner = quoted[1:-1].replace("\\\\", "").replace("\\'", "")
    assert quoted[0] == quoted[-1] == "'"
    assert "'" not in inner
    assert "\n" not in inner


def test_the_next_is_asked_where_one_fails_and_none_is_no_error(desk):
    desk.fails = {"notify-send"}
    assert desktop_note.notify("a", "b")
    assert [command[0] for command in desk.asked] == ["notify-send", "gdbus"]
    desk.fails = {"notify-send", "gdbus"}
    assert not desktop_note.notify("a", "b")
    desk.there = set()
    assert not desktop_note.notify("a", "b")
