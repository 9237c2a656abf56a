"""While a stranger's file is read, no library connects, starts a program or loads a pickle."""

import json
import os
import pickle
import platform
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from ctypes.util import find_library

import pytest
from huggingface_hub import constants
from transformers import RwkvConfig, RwkvForCausalLM
from transformers.utils import is_ninja_available

from lora_lab.apart.client import ask, end_children
from lora_lab.apart.walled import CONNECTS, LOADS, STARTS, Walled, walled
from lora_lab.models.architecture import quiet
from lora_lab.models.frame import laid_out
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
    caught = nullcontext() if asked is STARTS else pytest.raises(Walled, match=words(asked))
    with caught, walled(), suppress(Exception):  # a library may do without its program
        act()
    with pytest.raises(Walled, match=words(asked)), walled():
        told_otherwise(act)


@pytest.mark.parametrize("name", [n for n in ACTS if POSIX or "copy" not in n])
def test_a_refusal_names_the_file_whatever_a_library_made_of_it(name):
    act, asked = ACTS[name]
    named = f"^model: {words(asked)}.* Choose another model\\.$"
    caught = nullcontext() if asked is STARTS else pytest.raises(Walled, match=named)
    with caught, quiet(), quiet("model"), suppress(Exception):
        act()
    with pytest.raises(Walled, match=named), quiet("others"), quiet("model"):
        told_otherwise(act)
    with pytest.raises(Walled, match=named), quiet("model"), quiet():
        act()


def test_a_model_whose_class_catches_the_refusal_is_named():
    def swallows(config):
        with suppress(Exception):
            socket.getaddrinfo(HERE, 9)

    with pytest.raises(Walled, match=r"^folder: it asks for a connection .*Choose another model"):
        laid_out(RwkvConfig(), swallows, "folder", 1)


def later(act):
    with suppress(Exception):
        act()
    raise ValueError("the file is damaged")


def test_an_error_that_has_nothing_to_do_with_a_program_keeps_its_own_reason():
    with pytest.raises(ValueError, match="damaged"), walled():
        later(ACTS["a program"][0])


def test_the_first_model_of_a_process_that_looks_for_a_compiler_is_opened():
    is_ninja_available.cache_clear()
    config = RwkvConfig(vocab_size=8, hidden_size=32, attention_hidden_size=32, num_hidden_layers=1)
    assert laid_out(config, RwkvForCausalLM, "rwkv", 20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others start no program for it")
def test_what_python_asks_programs_for_is_answered_without_them(monkeypatch):
    monkeypatch.setattr(platform, "_platform_cache", {})
    monkeypatch.setattr(platform, "_uname_cache", None)
    with walled():
        assert platform.platform().startswith("Linux")
        assert platform.uname().processor is not None  # of `uname -p`
        assert find_library("no_such_library") is None  # of gcc, ld and ldconfig


@pytest.mark.skipif(not POSIX, reason="there are no sockets of this kind")
def test_a_socket_of_the_file_system_is_no_connection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a long path would be none of a socket
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other, walled():
        one.bind("here")
        one.listen()
        other.connect("here")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one, walled():
        one.bind("there")
        one.sendto(b"x", "there")
        one.sendmsg([b"x"], [], 0, "there")


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


def test_a_program_that_is_itself_imported_is_walled_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "my_program.py").write_text(
        "import subprocess, sys\nfrom lora_lab.apart.walled import walled\n"
        "with walled():\n    subprocess.run([sys.executable, '-c', ''], check=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Walled, match="it asks for another program"):
        import my_program  # noqa: F401


def test_a_tokenizer_that_would_fetch_is_refused_by_the_name_of_its_folder(tmp_path, monkeypatch):
    save(tmp_path / "model", "llama")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    # Of this kind the library asks the Hub whether there is such a repository.
    config |= {"model_type": "detr", "backbone": "some/backbone", "use_timm_backbone": False}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(Exception, match=r"^model: it asks for a connection"):
        open_tokenizer(tmp_path / "model")


def test_what_is_done_while_python_ends_is_let():
    """Its modules are emptied one after another, and what it tells of is still heard."""
    code = """
import sys
from lora_lab.apart import walled
with walled.walled():
    pass
audit, names = sys.audit, vars(walled)
for name in list(names):
    names[name] = None
audit("socket.connect", None, ("a", 1))
audit("cpython.PyInterpreterState_Clear")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
