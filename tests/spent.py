"""What work costs, counted so that other work on the machine does not lengthen it."""

import os
from contextlib import suppress

import psutil


def processor_seconds():
    """Of processor time that this process and all that it started have used until now."""
    own = os.times()
    spent = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile, and is counted above once waited for
            times = child.cpu_times()
            spent += times.user + times.system
    return spent
