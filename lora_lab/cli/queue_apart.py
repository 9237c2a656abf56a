"""One run of a queue in a process of its own, begun or found there, and followed to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_lab.cli.background import BEGUN, LiveLine, follow
from lora_lab.engine.openings import folder_of
from lora_lab.engine.places import live_place
from lora_lab.engine.remote import RemoteSession, begin
from lora_lab.errors import LabError
from lora_lab.records import CountsRecord, Record, StateRecord
from lora_lab.runs.queue import ABORTED, FAILED, WAITING
from lora_lab.runs.queue_kept import GIVE, STOP

if TYPE_CHECKING:
    from collections.abc import Callable

    from lora_lab.runs.searches import Searches
    from lora_lab.training.opening import Opening


def drive_apart(
    opening: Opening, searches: Searches, signals: list[int], wanted: Callable[[], str]
) -> tuple[str, int]:
    """What the run has become, and how many numbers its adapter has; raises LabError.

    Wanted elsewhere it is left training, and waits as one that was cut off does.
    """
    run = folder_of(opening)
    found = live_place(run) is not None
    session = RemoteSession(run, config=opening.config) if found else begin(opening, paused=False)
    parameters, states = 0, list[str]()

    def end(state: str) -> None:
        if not states:
            states.append(state)
            session.request_close()

    def heard(record: Record) -> None:
        nonlocal parameters
        if isinstance(record, CountsRecord):
            parameters = record.adapter
        if searches.unpromising(record):
            end(searches.end_state)
        if isinstance(record, StateRecord) and (state := searches.ended_as(record)):
            end(state)
            if state == FAILED:
                raise LabError(record.message)

    def enough(line: LiveLine) -> bool:
        if signals or wanted() == STOP:
            end(WAITING)
        return wanted() == GIVE and line.state in BEGUN  # its folder is known by then

    follow(session, enough, heard)
    if states:
        return states[0], parameters
    ended_before = not session.greeted and live_place(run) is None
    if wanted() == GIVE or ended_before:
        return WAITING, parameters
    return ABORTED, parameters  # by another hand
