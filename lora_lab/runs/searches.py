"""The searches of a queue: which run comes next, and what each is told of those it has chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lora_lab.errors import LabError, system_reason
from lora_lab.folders import contents, is_there
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import EvalRecord, Record, State, StateRecord
from lora_lab.runs.queue import ABORTED, DONE, FAILED, PRUNED, Item, Queue
from lora_lab.runs.search import AT_ONCE, FOLDER, PLAN, Plan, Search


class Searches:
    """Stands beside a queue, window or none: items come from here, and their records go here."""

    def __init__(self, queue: Queue) -> None:
        """Read the searches of `queue`; how runs have ended meanwhile is told.

        One that cannot be read is left as it is, and hides no other.
        """
        self._queue = queue
        self.damaged: tuple[str, ...] = ()  # what is wrong with those that cannot be read
        self._searches: dict[str, Search] = {}
        parent, folders = queue.folder / FOLDER, list[Path]()
        try:
            folders = contents(parent)
        except OSError as error:
            self.damaged = (f"{parent} cannot be read: {system_reason(error)}.",)
        for folder in folders:
            try:
                if not is_there(folder / PLAN):  # another thing, or killed as it was begun
                    continue
                self._searches[folder.name] = search = Search(folder)
                search.check()
            except OSError as error:
                self.damaged += (f"{folder} cannot be read: {system_reason(error)}.",)
            except LabError as error:
                self._searches.pop(folder.name, None)
                self.damaged += (str(error),)
        self._item: Item | None = None  # that runs now
        self._goal = 0  # its last step
        self._pruned = False
        for id, items in self._by_search().items():
            ended = {item.trial: item for item in reversed(items) if item.ended}
            going = self._searches[id].going if ended else set()
            for trial in sorted(ended.keys() & going)[-AT_ONCE:]:
                self.tell(ended[trial].id)

    def _by_search(self) -> dict[str, list[Item]]:
        """The items that each search has chosen."""
        found: dict[str, list[Item]] = {}
        for item in self._queue.items:
            if item.search in self._searches:
                found.setdefault(item.search, []).append(item)
        return found

    def add(self, plan: Plan) -> Search:
        """Begin a search behind what waits; raises LabError."""
        search = Search.create(self._queue.folder, plan)
        self._searches[search.id] = search
        return search

    @property
    def left(self) -> int:
        """Runs that are still to be chosen."""
        return sum(search.left for search in self._searches.values())

    @property
    def factories(self) -> set[str]:
        """The code that runs name which wait, or are still to be chosen."""
        waiting = {item.config.factory for item in self._queue.waiting}
        return waiting | {search.plan.base.factory for search in self._searches.values()}

    def end(self) -> None:
        """Choose no further runs; those that were made stay. Raises LabError."""
        for search in self._searches.values():
            search.end()

    def next(self) -> Item | None:
        """The item to run next: the first that waits, or one that a search chooses now.

        Raises LabError where the queue cannot be written, or a search's journal not be read.
        """
        if (waiting := self._queue.next()) is not None:
            return waiting
        chosen = self._by_search()
        for search in self._searches.values():
            known = {item.trial for item in chosen.get(search.id, ())}
            if (found := search.next(known)) is not None:
                number, config = found
                self._queue.add([config], search=search.id, trial=number)
                return self._queue.items[-1]
        return None

    def begin(self, item: Item) -> None:
        """This one runs now."""
        self._item, self._pruned, self._goal = item, False, 0

    def unpromising(self, record: Record) -> bool:
        """Whether the run is to end here, by what its search has learned of others; once."""
        item = self._item
        search = self._searches.get(item.search) if item else None
        if item is None or search is None or self._pruned:
            return False
        if isinstance(record, LoadedRecord) and not record.stage:
            self._goal = record.goal
        if not isinstance(record, EvalRecord) or not record.enabled:
            return False
        unpromising = search.report(item.trial, record.step, record.loss)
        self._pruned = unpromising and record.step < self._goal
        return self._pruned

    @property
    def end_state(self) -> str:
        """What a run that has come to an end by itself is."""
        return PRUNED if self._pruned else DONE

    def ended_as(self, record: StateRecord) -> str | None:
        """What the run in hand is once it has said this; None: it goes on."""
        return {
            State.FINISHED: DONE,
            # There are words where it went no better.
            State.STOPPED: PRUNED if self._pruned else DONE if record.message else ABORTED,
            State.FAILED: FAILED,
            State.PAUSED: FAILED if record.message else None,  # it cannot go on by itself
        }.get(record.state)

    def tell(self, id: str) -> None:
        """Tell the search of an item how it has ended, if it has."""
        item = self._queue.find(id)
        search = self._searches.get(item.search) if item else None
        if item is None or search is None or not item.ended:
            return
        loss = float("nan") if item.state == FAILED else item.best
        search.tell(item.trial, loss, pruned=item.state in (PRUNED, ABORTED))

    def importances(self) -> Mapping[str, float]:
        """Of the newest search that can tell: what share of the differences each setting makes."""
        for search in reversed(self._searches.values()):
            try:
                if found := search.importances():
                    return found
            except (ImportError, LabError):
                continue
        return {}
