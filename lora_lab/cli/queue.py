"""The verb `queue`: the window's queue without the window, each run in a process of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from lora_lab.cli.console import err, fail, out, plain_errors
from lora_lab.cli.train import ask_about


def queue(
    run_factory: Annotated[
        bool, typer.Option("--run-factory", help="Run the code that its runs name without asking.")
    ] = False,
) -> None:
    """Train what waits in the window's queue, without the window.

    Each run trains in a process of its own. A window that is opened takes the queue over and
    continues it; Ctrl-C, or `lora-lab stop --queue`, saves and ends the run, and the rest waits.
    """
    with plain_errors():
        from lora_lab import paths
        from lora_lab.cli.queue_runs import run_queue
        from lora_lab.engine.start import can_start
        from lora_lab.errors import LabError
        from lora_lab.runs.queue import DONE, FAILED, PRUNED, Queue
        from lora_lab.runs.queue_kept import kept
        from lora_lab.runs.searches import Searches

        if reason := can_start():
            raise LabError(reason)
        held = Queue(paths.user_data() / "queue")
        try:
            with kept(held.folder) as wanted:
                searches = Searches(held)
                for words in searches.damaged:
                    err.print(words, style="yellow")
                for factory in sorted(searches.factories):
                    ask_about(factory, run_factory)
                before = {item.id for item in held.items if item.ended}
                signal = run_queue(held, searches, err, wanted)
                asked = wanted()
        finally:
            held.close()
        ended = [item.state for item in held.items if item.ended and item.id not in before]
        done = sum(state in (DONE, PRUNED) for state in ended)
        words = f"{done} done" + (f", {failed} failed" if (failed := ended.count(FAILED)) else "")
        if signal:
            fail(f"interrupted, {words}; lora-lab queue continues it", 128 + signal)
        left = len(held.waiting)
        out.print(f"Queue {'left' if asked else 'finished'}: {words}, {left} waiting.")
