"""In place of a process that starts: the same host on a thread, with a session that trains."""

import threading
from typing import ClassVar

from lora_lab.engine.host import Host
from lora_lab.engine.places import new_place
from lora_lab.engine.process import opened


class StartingHere:
    """The face of `engine.start.Starting`; `all` are those that were started in a test."""

    all: ClassVar[list["StartingHere"]] = []

    def __init__(self, run):
        self.run, self.pid, self.log = run, 0, []
        self.place = new_place(run)
        self.lock = self.place.take(run)
        self.host = Host(self.place, opened, self.log.append)
        self.thread = threading.Thread(target=self._serve, name="lora-lab-here")
        self.thread.start()
        self.all.append(self)

    def ready(self):
        return True

    def wait(self, gives_up):
        assert self.place.door.exists()

    def cancel(self):
        self.host.end()

    def _serve(self):
        self.host.serve()
        self.place.clear()
        self.lock.release()

    @classmethod
    def end_all(cls):
        """Each ends as at the end of the system."""
        for one in cls.all:
            one.host.end()
            one.thread.join(60)
            assert not one.thread.is_alive()
        cls.all.clear()
