"""While a stranger's file is read, no library connects, starts a program or loads a pickle."""

import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from lora_lab.apart.client import ask, end_children
from lora_lab.apart.walled import CONNECTS, LOADS, STARTS, Walled, walled
from lora_lab.models.tokenizer_file import open_tokenizer
from tests.models.tiny import save

HERE = "127.0.0.1"
PICKLE = pickle.dumps(suppress)  # names a class, as all that runs something does


def sent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (HERE, 9))


ACTS = {
    "a name that is asked for": (lambda: socket.getaddrinfo("localhost", 9), CONNECTS),
    "a connection": (lambda: socket.create_connection((HERE, 9), timeout=1), CONNECTS),
    "a packet": (sent, CONNECTS),
    "a program": (lambda: subprocess.run([sys.executable, "-c", ""], check=False), STARTS),
    "a shell": (lambda: os.system("exit 0"), STARTS),
    "a copy of the process": (lambda: os._exit(0) if os.fork() == 0 else None, STARTS),
    "a pickle": (lambda: pickle.loads(PICKLE), LOADS),
}
POSIX = os.name == "posix"


def told_otherwise(act):
    try:
        act()
    except Exception as error:
        raise ValueError("the file is damaged") from error


def words(asked):
    return asked.partition("{")[0].rstrip()


@pytest.mark.parametrize("name", [n for n in ACTS if POSIX or "copy" not in n])
def test_an_act_is_refused_also_where_the_library_catches_it(name):
    act, asked = ACTS[name]
    with pytest.raises(Walled, match=words(asked)), walled():
        act()
    with pytest.raises(Walled, match=words(asked)), walled(), suppress(Exception):
        act()
    with pytest.raises(Walled, match=words(asked)), walled():
        told_otherwise(act)


def test_blocks_stand_in_each_other_and_leave_nothing_behind():
    with pytest.raises(Walled), walled(), walled():
        socket.getaddrinfo(HERE, 9)
    assert socket.getaddrinfo(HERE, 9)
    with walled():
        pass


def test_other_threads_go_on():
    found = []
    with walled():
        thread = threading.Thread(target=lambda: found.append(socket.getaddrinfo(HERE, 9)))
        thread.start()
        thread.join()
    assert found


def test_the_reader_of_the_lab_itself_is_started():
    end_children()
    with walled():
        assert list(ask("tests.apart.jobs:echo", b"x", parts=1))


def test_a_library_may_look_around_while_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "looks_around.py").write_text(
        f"import subprocess\nsubprocess.run([{sys.executable!r}, '-c', ''], check=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with walled():
        import looks_around

        assert looks_around.subprocess


def test_a_tokenizer_that_would_fetch_is_refused_by_the_name_of_its_folder(tmp_path, monkeypatch):
    save(tmp_path / "model", "llama")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    # Of this kind the library asks the Hub whether there is such a repository.
    config |= {"model_type": "detr", "backbone": "some/backbone", "use_timm_backbone": False}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(Exception, match=r"^model: it asks for a connection"):
        open_tokenizer(tmp_path / "model")
