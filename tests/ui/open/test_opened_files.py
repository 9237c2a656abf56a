"""Dropped on the window or chosen from the recent ones: each kind comes to where it is opened."""

import json
import time
import zipfile

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QGraphicsView, QLabel

from lora_lab.config import changed
from lora_lab.records import FolderRecord, State
from lora_lab.ui.open.recent import MOST, Recent
from lora_lab.ui.style.settings import keep
from tests.ui.seen import settle

COPY, LEFT, NONE = (
    Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def engine():
    """What recognising and opening would import when it is first asked for, in seconds."""
    import lora_lab.formats.recognise
    import lora_lab.training.devices  # noqa: F401


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    return window


def mime(*paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def enter(window, data):
    event = QDragEnterEvent(QPoint(50, 50), COPY, data, LEFT, NONE)
    event.ignore()
    QApplication.sendEvent(window, event)
    return event.isAccepted()


def drop(window, *paths):
    data = mime(*paths)
    assert enter(window, data)
    assert window.flows.opened_files.hint.isVisible()
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), COPY, data, LEFT, NONE))
    assert not window.flows.opened_files.hint.isVisible()


def test_a_hint_stands_there_only_while_files_are_over_the_window(opened):
    text = QMimeData()
    text.setText("words")
    assert not enter(opened, text)
    hint = opened.flows.opened_files.hint
    assert not hint.isVisible()
    assert enter(opened, mime("/a"))
    assert hint.isVisible()
    assert opened.rect().contains(hint.geometry())
    QApplication.sendEvent(opened, QDragLeaveEvent())
    assert not hint.isVisible()
    plots = opened.findChildren(QGraphicsView)
    assert plots
    assert not any(plot.acceptDrops() or plot.viewport().acceptDrops() for plot in plots)


def test_a_hundred_thousand_files_hold_nobody_up(qtbot, opened):
    said = []
    opened.notices.shown.connect(lambda notice: said.append(notice.message))
    data = QMimeData()
    data.setData("text/uri-list", b"".join(b"file:///none/%d.xyz\r\n" % n for n in range(10**5)))
    began = time.process_time()
    assert enter(opened, data)
    for _ in range(50):
        move = QDragMoveEvent(QPoint(50, 50), COPY, data, LEFT, NONE)
        QApplication.sendEvent(opened, move)
        assert move.isAccepted()
    QApplication.sendEvent(opened, QDropEvent(QPointF(50, 50), COPY, data, LEFT, NONE))
    qtbot.waitUntil(lambda: len(said) == 2, timeout=20_000)
    settle()
    assert time.process_time() - began < 0.5
    first, words = said
    assert first == "The first 100 are opened. Drop the others after them."
    assert words.startswith("/none/0.xyz, /none/1.xyz, ")
    assert len(words) < 500


def test_model_and_rows_fill_the_dialog_together(opened, qtbot, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx,y\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    drop(opened, tmp_path / "a.csv", tmp_path / "model")
    qtbot.waitUntil(lambda: opened.flows.own.dialog is not None)
    dialog = opened.flows.own.dialog
    assert dialog.isVisible()
    assert dialog.source.path.text() == str(tmp_path / "model")
    assert dialog.data_edit.text() == str(tmp_path / "a.csv")


def test_rows_become_the_data_of_a_task_that_takes_them(
    opened, qtbot, tmp_path, presets, sessions_made
):
    (tmp_path / "a.jsonl").write_text("{}")
    own = changed(presets[0].config, preset="", task="causal_lm", model="m", data="old.jsonl")
    opened.open(own)
    qtbot.waitUntil(lambda: opened.sessions.config == own)
    drop(opened, tmp_path / "a.jsonl")
    qtbot.waitUntil(lambda: sessions_made[-1].config.data == str(tmp_path / "a.jsonl"))
    assert opened.flows.own.dialog is None


def test_an_adapter_comes_to_the_workshop_and_is_listed_as_recent(opened, qtbot, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    drop(opened, tmp_path)
    qtbot.waitUntil(lambda: opened.flows.adapter.offer is not None)
    opened.flows.adapter.offer.workshop_button.click()
    qtbot.waitUntil(lambda: opened.flows.workshop.dialog is not None)
    page = opened.flows.workshop.dialog.resize_page
    assert page.source.where.path == str(tmp_path)
    assert ("adapter", str(tmp_path)) in opened.flows.recent.recent.listed()


def test_a_run_is_opened_and_its_zip_unpacked(opened, qtbot, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setitem(opened.flows.opened_files.openers, "run", seen.append)
    monkeypatch.setattr(opened.flows.runs.files, "unpack", seen.append)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_text("")
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("r/config.json", "{}")
    drop(opened, tmp_path, tmp_path / "r.zip")
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen == [str(tmp_path), tmp_path / "r.zip"]


def test_of_two_that_go_to_one_place_the_first_is_opened_and_the_other_told(
    opened, qtbot, tmp_path, monkeypatch
):
    seen = {kind: [] for kind in opened.flows.opened_files.openers}
    for kind, taken in seen.items():
        monkeypatch.setitem(opened.flows.opened_files.openers, kind, taken.append)
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("r/config.json", "{}")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("text,label\nx,y\n")
    first, second, third, rows = (str(tmp_path / n) for n in ("two", "one", "three", "a.csv"))
    more = str(tmp_path / "b.csv")
    zips = [str(tmp_path / f"{name}.zip") for name in ("one", "two")]
    recognised = []
    opened.flows.opened_files.recognised.connect(lambda found: recognised.append(found.path))
    drop(opened, first, rows, second, third, more, *zips)
    said = opened.notice_bar.findChildren(QLabel)
    opens = "{} is opened. Only one can be opened at a time, so these are not: {}"
    expected = (opens.format(first, f"{second}, {third}"), opens.format(rows, more))
    qtbot.waitUntil(
        lambda: any(label.text() == "\n".join(expected) for label in said),
        timeout=20_000,
    )
    assert {kind: taken for kind, taken in seen.items() if taken} == {
        "model": [first], "rows": [rows], "run zip": zips,
    }  # fmt: skip
    assert recognised == [first, rows, *zips]  # what was left is nothing that was opened lately


def test_what_is_unknown_is_said_with_what_would_not_be(opened, qtbot, tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    drop(opened, tmp_path / "song.mp3")
    said = opened.notice_bar.findChildren(QLabel)
    qtbot.waitUntil(lambda: any("song.mp3 cannot be opened" in label.text() for label in said))
    assert opened.flows.own.dialog is None


def test_the_menu_of_recent_ones(opened, qtbot, tmp_path, presets, monkeypatch):
    flow, menu = opened.flows.recent, opened.commands.recent_menu
    flow.fill()
    assert [a.isEnabled() for a in menu.actions()] == [False]
    (tmp_path / "run & more").mkdir()
    opened.sessions.shown.arrived.emit(FolderRecord(1, str(tmp_path / "run & more")))
    flow.recent.note("data", str(tmp_path / "gone.csv"))
    (tmp_path / "new.csv").write_text("text,label\nx,y\n")
    own = changed(
        presets[0].config, preset="", task="causal_lm", model=str(tmp_path),
        data=str(tmp_path / "new.csv"),
    )  # fmt: skip
    opened.open(own)
    qtbot.waitUntil(lambda: opened.sessions.config == own)
    flow.fill()
    texts = [a.text() for a in menu.actions()]
    assert texts[0].startswith(f"&1 {tmp_path.name}  (model, ")
    assert texts[1].startswith("&2 new.csv  (data, ")
    assert texts[2].startswith("&3 run && more  (run, ")
    taken = []
    monkeypatch.setitem(opened.flows.opened_files.openers, "rows", taken.append)
    menu.actions()[1].trigger()
    qtbot.waitUntil(lambda: taken == [str(tmp_path / "new.csv")])
    menu.actions()[-1].trigger()
    assert Recent().listed() == []


def test_recent_ones_are_few_each_once_and_survive_a_torn_file(tmp_path):
    kept = Recent()
    for number in range(MOST + 3):
        (tmp_path / str(number)).touch()
        kept.note("data", str(tmp_path / str(number)))
    kept.note("data", str(tmp_path / "5"))
    listed = Recent().listed()
    assert len(listed) == MOST
    assert listed[0] == ("data", str(tmp_path / "5"))
    assert len(set(listed)) == MOST
    for torn in ("{", json.dumps([["data"]]), json.dumps([["what", "/"]])):
        keep("recent", torn)
        assert Recent().listed() == []
