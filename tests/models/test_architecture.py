"""What transformers says of a stranger's config is its reader's to say, not its own."""

import json
import logging
import threading
from contextlib import suppress

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import quiet
from lora_lab.models.hf_folder import open_model
from tests.models.tiny import save

ESCAPES = "\x1b]0;OWNED\x07\x1b[31mRED\x1b[2J"


@pytest.mark.parametrize("key", ["sub_configs", "use_return_dict", "name_or_path"])
def test_no_value_of_a_config_reaches_the_terminal(tmp_path, capfd, key):
    save(tmp_path, "llama")
    told = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**told, key: ESCAPES}))
    capfd.readouterr()
    with suppress(CheckpointError):  # which says it in words that move no cursor
        open_model(tmp_path, "causal_lm")
    assert "RED" not in "".join(capfd.readouterr())


def test_the_library_is_as_loud_as_before_whichever_thread_ends_last():
    logger = logging.getLogger("transformers")
    before = logger.level
    inside, leave = threading.Event(), threading.Event()

    def other():
        with quiet():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other, daemon=True)
    with quiet():
        thread.start()
        assert inside.wait(10)
    during = logger.level
    leave.set()
    thread.join(10)
    assert during == logging.CRITICAL  # the other one was still reading
    assert logger.level == before
