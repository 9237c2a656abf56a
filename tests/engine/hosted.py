"""An engine's host on a thread, with a session that a test drives: no process, no torch."""

import threading
from contextlib import contextmanager

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.host import Host
from lora_lab.engine.openings import unpack_opening
from lora_lab.engine.places import new_place
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, State, StateRecord, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.training.controls import Controls


def loaded_record(config):
    layers = (LayerInfo("layer", (8, 8), 1.0, max_rank=8),)
    return LoadedRecord("Known", "", config.task, config.variant, "b", "cpu", "float32", layers, 64,
                        8, config.max_steps, config.hyper, goal=config.max_steps)  # fmt: skip


class ScriptedSession:
    """The face of `training.session.Session`; a test says what it says."""

    def __init__(self, config, paused, wake):
        self.config, self.controls, self.wake = config, Controls(config.hyper, paused=paused), wake
        self.records, self.state, self.saved = [], State.LOADING, None
        self.lock, self.over = threading.Lock(), threading.Event()

    def start(self):
        self.say(loaded_record(self.config), StateRecord(State.PAUSED, 0))

    def say(self, *records):
        with self.lock:
            self.records += records
        self.wake()

    def steps(self, first, last):
        self.say(*(StepRecord(n, 1 / n, 1e-3, n / 8) for n in range(first, last + 1)))

    def apply(self):
        """What the loop does with the newest settings."""
        hyper = self.controls.hyper
        self.say(AppliedRecord(1, hyper, (("rank", 1, hyper.rank),)))

    def drain(self):
        with self.lock:
            taken, self.records = self.records, []
        return taken

    def request_close(self, save=True):
        if not self.over.is_set():
            self.saved = save
            self.say(StateRecord(State.CLOSED, 0))
            self.over.set()

    def join(self, timeout=None):
        return self.over.is_set()

    def close(self, save=True):
        self.request_close(save)


class Hosted:
    """What a test knows of a host: its run, its place, its session, and what went into its log."""

    def __init__(self, name="one"):
        self.run = paths.runs() / name
        self.run.mkdir(parents=True)
        self.config = changed(get_preset("known-rank").config, max_steps=100)
        RunFolder(self.run).write_config(self.config)
        self.place, self.log, self.sessions = new_place(self.run), [], []
        self.lock = self.place.take(self.run)
        self.host = Host(self.place, self._opened, self.log.append)
        self.thread = threading.Thread(target=self._serve, name="lora-lab-hosted")
        self.thread.start()

    @property
    def session(self):
        return self.sessions[0]

    def _opened(self, message, wake):
        config = unpack_opening(message["opening"]).config
        self.sessions.append(ScriptedSession(config, message["paused"], wake))
        return self.sessions[0]

    def _serve(self):
        self.host.serve()
        self.place.clear()
        self.lock.release()

    def end(self):
        self.host.end()
        self.thread.join(60)
        assert not self.thread.is_alive()


@contextmanager
def hosted(name="one"):
    made = Hosted(name)
    try:
        yield made
    finally:
        made.end()
