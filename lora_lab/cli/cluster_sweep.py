"""The verb `sweep` on a cluster: send the runs, follow them by a line of text, stop, restore."""

from __future__ import annotations

import time

from lora_lab.cli.console import err, one_line
from lora_lab.cli.interrupts import stop_on_signals
from lora_lab.cluster.jobs import Cluster
from lora_lab.cluster.sweep import ClusterSweep, Where
from lora_lab.errors import ConfigError
from lora_lab.runs.grid import describe
from lora_lab.runs.queue import Queue

LOOK = 0.1  # seconds between two looks for a signal


def sent(queue: Queue, address: str, storage: str, cpus: int) -> ClusterSweep:
    """The queue's runs on a cluster, begun; raises LabError."""
    sweep = ClusterSweep.send(queue, Cluster(address), storage, cpus)
    err.print(f"job {sweep.job} on {address}")
    return sweep


def attached(
    queue: Queue, known: Where, address: str | None, stop: bool, restore: bool
) -> ClusterSweep:
    """A sweep that was sent, followed again, at another address of the head where one is given."""
    if stop and restore:
        raise ConfigError("--stop ends the sweep, --restore continues it: say one of them.")
    sweep = ClusterSweep.attach(queue, known, Cluster(address or known.address))
    if restore:
        sweep.restore()
    elif stop:
        sweep.stop()
    err.print(f"job {sweep.job} on {address or known.address}")
    return sweep


def follow(sweep: ClusterSweep, queue: Queue) -> int:
    """Show a sweep until it ends; the number of the signal that let go of it before, or 0.

    Raises LabError where it ended otherwise than well.
    """
    ended, asked = {i.id for i in queue.items if i.ended}, 0.0
    with stop_on_signals() as signals, one_line() as show:
        try:
            while not signals and not sweep.ended:
                if asked and time.monotonic() < asked + sweep.wait:
                    time.sleep(LOOK)
                    continue
                sweep.poll()
                asked = time.monotonic()
                for item in queue.items:
                    if item.ended and item.id not in ended:
                        ended.add(item.id)
                        best = f", best validation loss {item.best:.4g}" if item.best > 0 else ""
                        err.print(f"{item.state}: {describe(item.config)}{best}")
                show(sweep.words)
        finally:
            sweep.close()
    return signals[0] if signals and not sweep.ended else 0
