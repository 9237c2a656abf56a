"""Who may come in, and what is said to those who may not; the run goes on through all of it."""

import json
import os
import socket
import struct
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from lora_lab.engine import door, lines
from lora_lab.engine.places import DOOR, live_place, live_places, new_place, sweep
from lora_lab.engine.remote import attach
from lora_lab.engine.start import Gone, connect
from lora_lab.errors import LabError
from lora_lab.records import AppliedRecord, ErrorRecord, State, StateRecord, StepRecord
from lora_lab.training.commands import Evaluate
from lora_lab.training.opening import New
from tests.engine.hosted import hosted
from tests.engine.talk import Talk, opened
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


def trains_on(one, watcher):
    """The run goes on, and the one who is in hears of it."""
    first = watcher.seen(StepRecord)[-1].step + 1 if watcher.seen(StepRecord) else 1
    one.session.steps(first, first + 4)
    wait_until(lambda: watcher.seen(StepRecord)[-1:] and
               watcher.seen(StepRecord)[-1].step == first + 4)  # fmt: skip
    steps = [record.step for record in watcher.seen(StepRecord)]
    assert steps == list(range(1, first + 5)), "a step is missing, or came twice"


HELLO = {"schema": door.SCHEMA, "role": "edit"}
STRANGERS = [
    (lambda key: json.dumps({"hello": {**HELLO, "key": "0" * 64}}).encode(), "The key of this"),
    (lambda key: json.dumps({"hello": {**HELLO}}).encode(), "The key of this engine"),
    (lambda key: json.dumps({"hello": {**HELLO, "key": "ü" * 64}}).encode(), "The key of this"),
    (lambda key: json.dumps({"hello": {**HELLO, "key": "\ud800" * 64}}).encode(), "The key of"),
    (lambda key: json.dumps({"do": "end", "key": key}).encode(), "says hello first"),
    (lambda key: json.dumps({"hello": {**HELLO, "key": key, "schema": 2}}).encode(), "version 1"),
    (lambda key: json.dumps({"hello": {**HELLO, "key": key, "role": "own"}}).encode(), "A role"),
    (lambda key: b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix", "no message"),
    (lambda key: b"GET / HTTP/1.1\r\n\r\n", "no message"),
    (lambda key: b"x" * 10_000, "longer than 4,096 bytes"),
    (lambda key: json.dumps({"hello": {**HELLO, "key": "x" * 8000}}).encode(), "longer than"),
]


def test_a_door_that_is_found_is_listened_at(monkeypatch):
    """Who waits for it to appear connects at once."""
    listen, there = socket.socket.listen, []

    def listening(self, *waiting):
        there.append(Path(self.getsockname()).with_name(DOOR).exists())
        listen(self, *waiting)

    monkeypatch.setattr(socket.socket, "listen", listening)
    with hosted() as one, opened(one):
        assert there == [False]


@pytest.mark.parametrize(("say", "reason"), STRANGERS, ids=range(len(STRANGERS)))
def test_a_stranger_is_shown_out_with_one_message(say, reason):
    with hosted() as one, opened(one) as watcher:
        with connect(one.place) as stranger:
            stranger.sendall(say(one.place.key()) + b"\n")
            answer = stranger.makefile("rb").read()
        assert answer.count(b"\n") == 1
        assert reason in json.loads(answer)["refused"]
        assert sum(reason in line for line in one.log) == 1
        trains_on(one, watcher)


def test_one_who_says_nothing_is_shown_out_and_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(door, "PATIENCE", 0.2)
    with hosted() as one, opened(one) as watcher:
        with connect(one.place) as silent, connect(one.place) as half:
            half.sendall(b'{"hello":')  # and no end of it
            trains_on(one, watcher)
            for stranger in (silent, half):
                assert "Nothing was said" in json.loads(stranger.makefile("rb").read())["refused"]
        trains_on(one, watcher)


def test_a_crowd_of_strangers_holds_nobody_up():
    with hosted() as one, opened(one) as watcher:
        crowd = [connect(one.place) for _ in range(3 * door.STRANGERS)]
        wait_until(lambda: any("Too many" in line for line in one.log))
        trains_on(one, watcher)
        with attach_talk(one) as late:
            wait_until(lambda: late.session.state is State.PAUSED)
        for stranger in crowd:
            stranger.close()
        trains_on(one, watcher)


def test_another_user_is_shown_out(monkeypatch):
    with hosted() as one, opened(one) as watcher:
        trains_on(one, watcher)
        monkeypatch.setattr(lines, "user_of", lambda peer: os.getuid() + 1)
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(str(one.place.door))
        assert "another user's" in json.loads(stranger.makefile("rb").read())["refused"]
        stranger.close()
        with pytest.raises(Gone, match="another user's"):
            connect(one.place)  # nor is another user's engine believed
        trains_on(one, watcher)


def test_the_system_says_who_is_at_the_other_end():
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert lines.user_of(ours) == os.getuid()
        if sys.platform.startswith("linux"):
            answer = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            assert struct.unpack("3i", answer)[1] == os.getuid()


def test_the_folder_the_key_and_the_door_are_this_users_alone():
    with hosted() as one:
        folder, key = os.lstat(one.place.folder), os.lstat(one.place.folder / "key")
        assert folder.st_mode & 0o777 == 0o700
        assert os.lstat(one.place.folder.parent).st_mode & 0o777 == 0o700
        assert key.st_mode & 0o777 == 0o600
        assert len(one.place.key()) == 64
        assert live_places() == {os.path.realpath(one.run): one.place}


def test_a_folder_that_others_may_write_to_is_refused():
    with hosted() as one:
        os.chmod(one.place.folder, 0o777)
        with pytest.raises(LabError, match="not private"):
            one.place.key()
        os.chmod(one.place.folder, 0o700)


def test_what_a_killed_engine_left_is_put_away(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    place = new_place(run)
    lock = place.take(run)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.door))
    key = place.key()
    lock.release()  # as the system does
    assert live_place(run) is None
    with pytest.raises(Gone):
        attach(run)
    with pytest.raises(Gone, match="No engine answers"):
        connect(place)
    lock = place.take(run)  # a new one has its place
    assert not place.door.exists()
    assert place.key() != key
    with pytest.raises(LabError, match="has an engine already"):
        new_place(run).take(run)
    lock.release()
    sweep()
    assert not place.folder.exists()


def test_two_watch_and_one_edits():
    with hosted() as one, opened(one) as editor, attach_talk(one) as watcher:
        wait_until(lambda: watcher.session.state is State.PAUSED)
        assert editor.session.edits
        assert not watcher.session.edits
        hyper = editor.edit(rank=2)
        wait_until(lambda: one.session.controls.hyper == hyper)
        one.session.apply()
        for each in (editor, watcher):
            wait_until(lambda each=each: each.seen(AppliedRecord))
            assert each.session.controls.hyper == hyper
        watcher.session.controls.set_hyper(one.config.hyper)
        watcher.session.controls.request(Evaluate())
        wait_until(lambda: len(watcher.seen(ErrorRecord)) == 2)
        assert all("this one watches" in r.message for r in watcher.seen(ErrorRecord))
        assert [r.ends(Evaluate) for r in watcher.seen(ErrorRecord)] == [False, True]
        assert watcher.session.controls.hyper == hyper, "what was refused does not stand as asked"
        assert one.session.controls.hyper == hyper
        assert not one.session.controls.take_commands()
        assert not editor.seen(ErrorRecord)
        editor.session.let_go()
        assert editor.session.join(60)
        wait_until(lambda: watcher.session.edits)
        hyper = watcher.edit(rank=1)
        wait_until(lambda: one.session.controls.hyper == hyper)


def attach_talk(one):
    return Talk(attach(one.run))


def test_a_command_of_a_later_version_is_answered_and_nothing_ends():
    with hosted() as one, opened(one) as editor:
        one.session.steps(1, 5)
        say = editor.session.controls.say
        say({"do": "request", "id": 7, "command": {"command": "Dream", "of": {}}})
        say({"do": "dance", "number": 8})
        wait_until(lambda: len(editor.seen(ErrorRecord)) == 2)
        assert [r.command for r in editor.seen(ErrorRecord)] == ["Dream", ""]
        assert all("another version" in r.message for r in editor.seen(ErrorRecord))
        wait_until(lambda: len(editor.seen(StepRecord)) == 5)
        trains_on(one, editor)


CONFUSED = [
    {"do": "cancel", "id": []}, {"do": "request", "id": {}, "command": []},
    {"do": ["set"]}, {"do": "set", "hyper": [10**40]},
    {"do": "request", "command": {"command": {}}},
    {"do": "request", "command": {"command": "Evaluate", "of": []}}, {"do": {}, "number": "x"},
    {"do": "resume", "further": 1e300},
]  # fmt: skip


@pytest.mark.parametrize("words", CONFUSED, ids=range(len(CONFUSED)))
def test_one_who_has_the_key_and_talks_nonsense_ends_nothing_for_others(words):
    with hosted() as one, opened(one) as editor, connect(one.place) as other:
        editor.session.let_go()
        assert editor.session.join(60)
        answers = other.makefile("rb")
        for said in ({"hello": {**HELLO, "key": one.place.key()}}, words):
            other.sendall(json.dumps(said).encode() + b"\n")
            assert answers.readline()
        other.shutdown(socket.SHUT_WR)
        answers.read()
        with attach_talk(one) as watcher:
            wait_until(lambda: watcher.session.state is State.PAUSED)
            trains_on(one, watcher)


def test_engines_are_looked_for_in_no_home_but_this_users_own(tmp_path, monkeypatch):
    """In the temporary folder anybody may make a link that leads to folders of this user's."""
    deep = tmp_path / ("deep" * 30)
    monkeypatch.setenv("LORA_LAB_HOME", str(deep))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = new_place(tmp_path / "run").folder.parent
    assert home.parent == tmp_path, "too deep for a socket"
    mine = tmp_path / "mine" / ("0" * 16)
    mine.mkdir(parents=True)
    (mine / "letter").write_text("mine")
    home.symlink_to(mine.parent, target_is_directory=True)
    sweep()
    assert live_places() == {}
    home.unlink()
    home.mkdir()
    os.chmod(home, 0o777)  # somebody else may have put something there
    (home / ("1" * 16)).symlink_to(mine, target_is_directory=True)
    sweep()
    os.chmod(home, 0o700)
    (home / "a-friend-of-mine").mkdir()
    sweep()
    assert (mine / "letter").read_text() == "mine"
    assert (home / "a-friend-of-mine").exists(), "it is called otherwise"


def test_one_who_does_not_read_is_let_go_and_finds_his_way_back(monkeypatch):
    monkeypatch.setattr(door, "WAITING", 2**12)
    with hosted() as one, opened(one) as editor:
        with connect(one.place) as slow:
            hello = {"hello": {**HELLO, "key": one.place.key(), "role": "watch"}}
            slow.sendall(json.dumps(hello).encode() + b"\n")
            wait_until(lambda: len(one.host.watchers) == 2)
            first = 1
            while len(one.host.watchers) == 2:
                one.session.steps(first, first + 999)
                first += 1000
                wait_until(lambda first=first: len(editor.seen(StepRecord)) == first - 1)
        assert "one who did not read what he was sent was let go" in one.log
        trains_on(one, editor)


def test_one_large_message_is_waited_for(monkeypatch):
    """Whoever reads is not let go for what was sent at once, as of the images of a data set."""
    monkeypatch.setattr(door, "WAITING", 2**12)
    dropped = []
    here = SimpleNamespace(_flush=lambda peer: None, _say=lambda text: None, _drop=dropped.append)
    peer = SimpleNamespace(gone=False, out=bytearray())
    door.Door.send(here, peer, b"a" * 2**16)
    assert not dropped
    door.Door.send(here, peer, b"b")
    assert dropped == [peer]


def test_the_state_at_the_end_is_told_to_all():
    with hosted() as one, opened(one) as editor, attach_talk(one) as watcher:
        wait_until(lambda: watcher.session.state is State.PAUSED)
        editor.session.request_close(save=False)
        for each in (editor, watcher):
            wait_until(lambda each=each: each.session.join(0))
            assert each.all(StateRecord)[-1].state is State.CLOSED
            assert not each.session.lost
        assert one.session.saved is False


def test_new_is_opened_with_what_was_asked_for(tmp_path):
    with hosted() as one, opened(one, New(one.config, one.run)) as editor:
        assert editor.session.config == one.config
        assert one.session.config == one.config
