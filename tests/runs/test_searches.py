"""The searches of a queue: what cannot be read of them is said, and the others go on."""

import pytest

from lora_lab.runs.queue import Queue
from lora_lab.runs.search import FOLDER
from lora_lab.runs.searches import Searches
from tests.runs.unreadable import refuse_to_read


@pytest.mark.parametrize("place", [FOLDER, f"{FOLDER}/a"])
def test_what_cannot_be_read_is_said(tmp_path, monkeypatch, place):
    queue = Queue(tmp_path)
    for name in ("a", "b"):
        (tmp_path / FOLDER / name).mkdir(parents=True)
    assert Searches(queue).damaged == ()  # another thing, or killed as it was begun
    refuse_to_read(monkeypatch, tmp_path / place)
    (words,) = Searches(queue).damaged
    assert words == f"{tmp_path / place} cannot be read: permission denied."
    queue.close()
