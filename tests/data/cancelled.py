"""Reading that a person cancels on its way."""

import pytest

from lora_lab.data.rows import read_table
from lora_lab.errors import Cancelled


def assert_can_be_cancelled(path):
    """Reading the table reports often enough to be left, and reports no more once it was."""
    calls = []

    def report(what, share):
        calls.append(share)
        if len(calls) > 3:
            raise Cancelled("Opening was cancelled.")

    with pytest.raises(Cancelled):
        read_table(path, report=report)
    assert len(calls) == 4
