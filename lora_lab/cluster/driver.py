"""The job on the cluster: `python -m lora_lab.cluster.driver` runs the sweep that it is told of.

Ray's Tune places the runs, begins those anew whose process or machine died, and is restored where
this process died itself; each run goes on from the lab's own checkpoints.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import lora_lab
from lora_lab.atomic import make_folder, write_file
from lora_lab.cluster.checking import same_version
from lora_lab.cluster.order import VARIABLE, Order
from lora_lab.cluster.relay import Relay, told
from lora_lab.cluster.trial import GOING, Trial, outcome_of
from lora_lab.errors import LabError, not_written
from lora_lab.runs.lock import RunLock
from lora_lab.runs.own_files import PRIVATE, read_own

TUNE, ORDER = "tune", "order.txt"  # names in the folder of a sweep
TRIES = 3  # of a run whose process died, after its first
LOOK = 1.0  # seconds between two looks into the folders of runs


def main() -> int:
    """Run the order to its end; whether it came to it, as a program's exit code."""
    try:
        order = Order.read(os.environ.get(VARIABLE, ""))
        same_version(lora_lab.__version__, order.version)
        lock = RunLock(_kept(order))
        lock.take()
    except LabError as error:
        _say(told(refused=str(error)))
        return 1
    try:
        _say(told(version=lora_lab.__version__, place=str(order.place), host=socket.gethostname()))
        _run(order)
    except LabError as error:
        _say(told(refused=str(error)))
        return 1
    finally:
        lock.release()
    _say(told(complete=True))
    return 0


def _kept(order: Order) -> Path:
    """The folder of the sweep, with the order in it; raises LabError where it is another's."""
    place, text = order.place, order.written().encode()
    try:
        make_folder(place, PRIVATE)
        try:
            known = read_own(place / ORDER)
        except FileNotFoundError:
            write_file(place / ORDER, text)
            return place
    except OSError as error:
        raise not_written(place, error) from error
    if Order.read(known.decode()) != order:
        raise LabError(f"{place} holds another sweep of this name. Begin the sweep anew.")
    return place


def _run(order: Order) -> None:
    import ray
    from ray import tune

    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    ray.init(log_to_driver=False)
    gpus = int(any(config.device == "cuda" for _, config in order.runs))
    need, there = {"CPU": order.cpus, "GPU": gpus}, ray.cluster_resources()
    for what, count in need.items():
        if count > there.get(what, 0):
            raise LabError(f"Each run wants {count} {what}, and all of the cluster has "
                           f"{there.get(what, 0):g}.")  # fmt: skip
    relay = Relay(order, _say)
    with closing(_Looking(relay)):
        kind = tune.with_resources(_trainable(order), {"cpu": order.cpus, "gpu": gpus})
        errors = _errors(_restored(tune, order, kind).fit())
        # Tune writes its state in parts, and not at one stroke: one that was cut off may lack runs.
        if lost := [id for id, _ in order.runs if id not in errors and not _ended(order, id)]:
            errors |= _errors(_tuner(tune, order, kind, lost).fit())
    relay.look()
    for id, error in errors.items():
        relay.fail(id, _reason(error))
    for id, _ in order.runs:
        relay.fail(id, "The run has left no word of how it ended.")
    ray.shutdown()


def _errors(results: Any) -> dict[str, BaseException]:
    """Why runs are given up, by their ids."""
    return {r.config["item"]: r.error for r in results if r.error is not None}


def _ended(order: Order, id: str) -> bool:
    known = outcome_of(order.place, id)
    return known is not None and known.state != GOING


def _restored(tune: Any, order: Order, kind: Any) -> Any:
    """Tune's own, restored where it has been at work in this folder before."""
    path, ids = str(order.place / TUNE), [id for id, _ in order.runs]
    if tune.Tuner.can_restore(path):
        try:  # what its state does not say is begun by these ids: the runs know how far they are
            return tune.Tuner.restore(path, kind, resume_unfinished=True, resume_errored=True,
                                      param_space=_space(tune, ids))  # fmt: skip
        except Exception as error:  # noqa: BLE001
            _say(f"Tune's own state cannot be read ({error}); every run is looked at anew.\n")
    return _tuner(tune, order, kind, ids)


def _space(tune: Any, ids: list[str]) -> dict[str, Any]:
    return {"item": tune.grid_search(ids)}


def _tuner(tune: Any, order: Order, kind: Any, ids: list[str]) -> Any:
    return tune.Tuner(
        kind,
        param_space=_space(tune, ids),
        tune_config=tune.TuneConfig(reuse_actors=False),
        run_config=tune.RunConfig(
            name=TUNE, storage_path=str(order.place), verbose=0,
            failure_config=tune.FailureConfig(max_failures=TRIES),
        ),
    )  # fmt: skip


def _trainable(order: Order) -> Any:
    """A class of Tune's; Ray sends it to the workers by value, with the order."""
    from ray import tune

    class LabTrial(tune.Trainable):  # type: ignore[misc]
        """A run of the lab: each of Tune's iterations is the way to its next validation."""

        def setup(self, config: dict[str, Any]) -> None:
            id = config["item"]
            self.trial = Trial(order.place, id, dict(order.runs)[id])

        def step(self) -> dict[str, float | bool]:
            return self.trial.advance()

        def cleanup(self) -> None:
            self.trial.close()

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """The lab has its own."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """The lab has its own."""

    return LabTrial


class _Looking:
    """A thread that tells what happens in the runs while Tune holds this one."""

    def __init__(self, relay: Relay) -> None:
        self._relay, self._over = relay, threading.Event()
        self._thread = threading.Thread(target=self._look, name="lora-lab-relay", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            self._relay.look()

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def _reason(error: BaseException) -> str:
    """Of Ray's long words the last line, where the cause stands."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"The run died {TRIES + 1} times: {lines[-1] if lines else type(error).__name__}"


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
