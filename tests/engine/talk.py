"""A remote session as a test talks with it: what came is kept, and it is closed in good order."""

from contextlib import contextmanager

from lora_lab.config import changed
from lora_lab.engine.remote import RemoteSession
from lora_lab.records import State
from lora_lab.training.opening import New
from tests.waiting import wait_until


class Talk:
    """Keeps the records of one remote session; left, it lets go of the engine."""

    def __init__(self, session):
        self.session, self.records = session, []

    def __enter__(self):
        self.session.start()
        return self

    def __exit__(self, *_):
        self.session.let_go()
        assert self.session.join(60)

    def all(self, kind):
        self.records += self.session.drain()
        return [record for record in self.records if isinstance(record, kind)]

    seen = all

    def edit(self, **values):
        hyper = changed(self.session.controls.hyper, **values)
        self.session.controls.set_hyper(hyper)
        return hyper


class _There:
    """In place of a process that is starting: the host is on a thread already."""

    def __init__(self, place):
        self.place, self.pid = place, 0

    def wait(self, gives_up):
        wait_until(self.place.door.exists)


@contextmanager
def opened(one, opening=None):
    """The editor of a host, who has said what to open."""
    opening = opening or New(one.config, one.run)
    session = RemoteSession(one.run, config=opening.config, starting=_There(one.place),
                            opening=opening)  # fmt: skip
    with Talk(session) as talk:
        wait_until(lambda: session.state is State.PAUSED)
        yield talk
