"""From the queue to a cluster: checked, sent, followed, stopped, restored, and found again.

A sweep that was sent is a queue of its own, in a folder of its own, as `lora-lab sweep` makes it;
so either can follow what the other has sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.runs.queue import Item
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.queue.cluster_dialog import ClusterDialog
from lora_lab.ui.queue.flow import QueueFlow
from lora_lab.ui.queue.follower import PATIENCE, Follower, Seen
from lora_lab.ui.style.settings import keep, keep_all, kept, kept_number
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import ask, bring_to_front

if TYPE_CHECKING:
    from lora_lab.cluster.sent import Sent
    from lora_lab.cluster.sweep import ClusterSweep
    from lora_lab.runs.queue import Queue

ADDRESS, STORAGE, CPUS = "cluster/address", "cluster/storage", "cluster/cpus"
FOLLOWED = "cluster/followed"  # names of sweeps, to be found again


class ClusterFlow(QObject):
    """Any number of sweeps is followed at a time, each by a thread of its own."""

    def __init__(
        self, queue: QueueFlow, show_run: Callable[[str], object], notices: Notices, window: QWidget
    ) -> None:
        super().__init__(window)
        self._queue, self._show_run, self._notices = queue, show_run, notices
        self._window = window
        self._works = Works(self)
        self.dialog: ClusterDialog | None = None
        self.followers: dict[str, Follower] = {}  # by the name of their sweep
        self._sent: dict[str, Sent] = {}
        self._unsent: dict[Path, list[Item]] = {}  # on their way
        self.moved: Callable[[str, str], bool] = self._ask_whether_moved
        queue.ended.connect(self._show_waiting)

    def start(self) -> None:
        """Show the window of clusters, beside the queue's."""
        if self.dialog is None:
            self.dialog = dialog = ClusterDialog(self._queue.dialog or self._window)
            dialog.address.setText(kept(ADDRESS))
            dialog.storage.setText(kept(STORAGE))
            dialog.cpus.setValue(kept_number(CPUS, 1, 1, dialog.cpus.maximum()))
            dialog.check_requested.connect(self._check)
            dialog.send_requested.connect(self._send)
            dialog.follow_requested.connect(lambda: self.follow(dialog.sweep))
            dialog.stop_requested.connect(lambda: self.followers[dialog.sweep].stop())
            dialog.restore_requested.connect(lambda: self.follow(dialog.sweep, restore=True))
            dialog.run_requested.connect(self._show_run)
            dialog.activated.connect(self._show_waiting)
            dialog.sweep_chosen.connect(lambda _: self._show())
        self._list()
        self._show_waiting()
        bring_to_front(self.dialog)

    def find_again(self) -> None:
        """Offer to follow what was followed when the window was closed; nothing is asked yet."""
        names = kept(FOLLOWED).split()
        if names:
            from lora_lab.cluster.sent import is_sent, sweeps

            # Others wait here again.
            names = [name for name in sorted(set(names)) if is_sent(sweeps() / Path(name).name)]
        if names:
            words = self.tr("A sweep was on a cluster when the window was closed: {}.")
            self._notices.warning(
                words.format(", ".join(names)),
                actions=((self.tr("Follow it"), partial(self._follow_again, names)),),
            )

    def close(self) -> None:
        """Let go of the sweeps: the cluster goes on by itself."""
        self._works.finish(PATIENCE)
        for follower in self.followers.values():
            follower.close()
        for folder in list(self._unsent):
            self._take_back(folder)
        if self.dialog is not None:
            self.dialog.close()

    def follow(self, name: str, restore: bool = False) -> None:
        """Follow a sweep again; `restore`: after another job was begun that continues it."""
        sent = self._sent.get(name)
        if sent is None or sent.flaw or (name in self.followers and self.followers[name].following):
            return
        token, address = self._token(), self._asked_address()
        if address != sent.address and not (address and self.moved(sent.address, address)):
            token, address = None, sent.address  # what was typed is for another head

        def begin() -> tuple[Queue, ClusterSweep]:
            from lora_lab.cluster.jobs import Cluster
            from lora_lab.cluster.sent import attach

            return attach(sent.folder, Cluster(address, token), restore)

        self._start(Follower(sent.folder, begin, self))

    def _start(self, follower: Follower) -> None:
        name = follower.folder.name
        if (before := self.followers.get(name)) is not None:
            before.deleteLater()
        self.followers[name] = follower
        follower.changed.connect(self._show)
        follower.ended.connect(lambda: self._on_ended(follower))
        self._note_followed()
        self._show()

    def _on_ended(self, follower: Follower) -> None:
        """Say how it ended: the window of clusters may be closed by now."""
        self._note_followed()
        self._list(self.dialog.sweep if self.dialog is not None else "")
        name, seen = follower.folder.name, follower.seen
        if seen.lost or seen.failed:
            go_on = (self.tr("Continue it there"), partial(self.follow, name, True))
            self._notices.warning(seen.words, actions=(go_on,) if seen.lost else ())
        else:
            self._notices.news(self.tr("The sweep {} has ended: {}.").format(name, seen.words))

    def _note_followed(self) -> None:
        names = [name for name, follower in self.followers.items() if follower.following]
        keep(FOLLOWED, " ".join(names))

    def _follow_again(self, names: list[str]) -> None:
        self.start()
        for name in names:
            self.follow(name)

    # -- checking and sending ----------------------------------------------------------------

    def _check(self) -> None:
        address, token = self.dialog.address.text(), self._token()
        self.dialog.show_busy(self.tr("Asking the cluster…"))

        def work(report: Report) -> str:
            from lora_lab.cluster.checking import check
            from lora_lab.cluster.jobs import Cluster

            return check(Cluster(address, token), lambda: report("", -1.0))

        def done(ray: str) -> None:
            words = self.tr("The head answers, with Ray {} and this version of the lab.")
            self._answered(words.format(ray), "")
            self._keep()

        self._works.start(work, done, self._refused, self._refused)

    def _send(self) -> None:
        """Move the runs that wait into a sweep of their own, and send that."""
        from lora_lab.cluster.sent import drop, line_up, send

        dialog, queue = self.dialog, self._queue.runner.queue
        address, token = dialog.address.text(), self._token()
        storage, cpus = dialog.storage.text().strip(), dialog.cpus.value()
        items = self._sendable()
        try:
            folder = line_up([item.config for item in items])
        except LabError as error:
            self._refused(str(error))
            return
        self._queue.change(lambda: queue.remove([item.id for item in items]))
        if any(queue.find(item.id) for item in items):  # it was not written: they are trained here
            drop(folder)
            return
        self._unsent[folder] = items
        dialog.show_busy(self.tr("Sending…"))

        def begin() -> tuple[Queue, ClusterSweep]:
            from lora_lab.cluster.jobs import Cluster

            return send(folder, Cluster(address, token), storage, cpus)

        follower = Follower(folder, begin, self)
        follower.began.connect(lambda: self._on_sent(folder))
        follower.refused.connect(lambda words: self._on_unsent(folder, words))
        self._start(follower)

    def _on_sent(self, folder: Path) -> None:
        self._answered(self.tr("Sent, runs: {:,}").format(len(self._unsent.pop(folder))), "")
        self._keep()
        self._list(folder.name)

    def _on_unsent(self, folder: Path, words: str) -> None:
        if self._take_back(folder):
            self.followers.pop(folder.name).deleteLater()
            self._note_followed()
        self._refused(words)
        self._list(folder.name)

    def _take_back(self, folder: Path) -> bool:
        """Let the runs wait here again, unless they may have been sent."""
        from lora_lab.cluster.sent import drop, taken_aside

        items, queue = self._unsent.pop(folder, []), self._queue.runner.queue
        aside = taken_aside(folder) if items else None
        if aside is None:
            return False
        self._queue.change(lambda: queue.put_back(items))
        if all(queue.find(item.id) for item in items):
            drop(aside)
        else:  # it was not written: tried again with the window's end, and else a sweep to continue
            aside.rename(folder)
            self._unsent[folder] = items
        return True

    def _sendable(self) -> list[Item]:
        """Those that wait and have not begun; a search's next run hangs on what it learns here."""
        runner = self._queue.runner
        waiting = runner.queue.waiting if runner is not None else ()
        return [item for item in waiting if not item.search and not item.resumes]

    def _answered(self, words: str, role: str) -> None:
        self.dialog.show_busy("")
        self.dialog.say(words, role)
        self._show_waiting()

    def _refused(self, words: str) -> None:
        self._answered(words, "error")

    def _token(self) -> str | None:
        """What was typed; None: of the environment or the keyring, asked on another thread."""
        return (self.dialog.token.text() if self.dialog is not None else "") or None

    def _asked_address(self) -> str:
        return self.dialog.address.text().strip() if self.dialog is not None else ""

    def _keep(self) -> None:
        """Remember what has worked; never the token."""
        dialog = self.dialog
        address, storage = dialog.address.text().strip(), dialog.storage.text().strip()
        keep_all({ADDRESS: address, STORAGE: storage, CPUS: str(dialog.cpus.value())})

    # -- what is shown -----------------------------------------------------------------------

    def _list(self, chosen: str = "") -> None:
        """Read which sweeps there are; small files, and few."""
        from lora_lab.cluster.sent import sent_sweeps

        self._sent = {sent.folder.name: sent for sent in sent_sweeps()}
        if self.dialog is not None:
            names = list(self._sent)
            self.dialog.show_sweeps(names, chosen if chosen in names else names[0] if names else "")
        self._show()

    def _show(self) -> None:
        if self.dialog is None:
            return
        name = self.dialog.sweep
        follower, sent = self.followers.get(name), self._sent.get(name)
        if follower is not None:
            seen = follower.seen
            if not seen.items and sent is not None:
                seen = replace(seen, items=sent.items)
            self.dialog.show_sweep(seen, follower.following)
        elif sent is not None:
            words = sent.flaw or self.tr("Sent to {}; not followed now.").format(sent.address)
            self.dialog.show_sweep(Seen(words, sent.items, failed=bool(sent.flaw)), False)
        else:
            self.dialog.show_sweep(Seen(""), False)

    def _show_waiting(self) -> None:
        if self.dialog is not None:
            self.dialog.show_waiting(len(self._sendable()))

    def _ask_whether_moved(self, before: str, now: str) -> bool:
        return ask(
            self._window,
            self.tr("Does the head of this sweep have another address now?"),
            self.tr("It was sent to {}, and {} stands above. The token goes where you say.").format(
                before, now
            ),
            self.tr("&Yes, {}").format(now),
            self.tr("No, {}").format(before),
        )
