"""Whether a cluster would train our runs: its head, our token, and the lab that its python has."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import lora_lab
from lora_lab.cluster.jobs import Cluster, Job
from lora_lab.errors import LabError
from lora_lab.names import legible

SAYS = "the lab there is "
COMMAND = f"python -c 'import ray, lora_lab; print(\"{SAYS}\" + lora_lab.__version__)'"
PATIENCE, LOOK = 120.0, 0.5  # seconds for the small job, and between two looks at it


def check(cluster: Cluster, goes_on: Callable[[], object]) -> str:
    """The version of Ray on a cluster that would train our runs; raises LabError for any other.

    What python its jobs are started with is known to a job alone, so a small one is sent.
    `goes_on` raises Cancelled where nobody waits for the answer any more.
    """
    ray = cluster.check()
    id = f"lora-lab-check-{secrets.token_hex(4)}"
    cluster.submit(id, COMMAND, {}, {"lora_lab": lora_lab.__version__})
    job = _ended(cluster, id, goes_on)
    log = cluster.log(id)
    for line in log.splitlines():
        if line.startswith(SAYS):
            same_version(line.removeprefix(SAYS).strip()[:50])
            return ray
    if name := lacking(log):
        raise LabError(name)
    line = (job.message.strip() or job.status.lower()).splitlines()[0][:300]
    raise LabError(f"The cluster at {cluster.address} answers, and a job there ends early: {line}")


def same_version(there: str, here: str = lora_lab.__version__) -> None:
    """Raises LabError where the lab of the cluster is another than the one that asks."""
    if there != here:
        raise LabError(
            f"The cluster has lora-lab {legible(there)}, and {legible(here)} asks. Install the "
            "same version on both."
        )


def lacking(log: str) -> str:
    """What the python of a cluster does not have, by the log of a job, as a message; "" for all."""
    for name in ("lora_lab", "ray"):
        if f"No module named '{name}" in log:
            return (
                f"The python that the cluster starts jobs with has no {name}. Install it "
                "there: pip install 'lora-lab[cluster]'."
            )
    return ""


def _ended(cluster: Cluster, id: str, goes_on: Callable[[], object]) -> Job:
    until = time.monotonic() + PATIENCE
    while not (job := cluster.look(id)).ended:
        goes_on()
        if time.monotonic() > until:
            cluster.stop(id)
            raise LabError(
                f"The cluster at {cluster.address} lets us in, and has not come to a small job in "
                f"{PATIENCE:.0f} seconds. Is its head short of memory or of processors?"
            )
        time.sleep(LOOK)
    return job
