"""Starts two processes as torchrun does, and says what became of each."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 500.0


class Ended(NamedTuple):
    """How one of the processes has ended."""

    code: int
    said: str  # on stderr
    results: dict[str, Any]  # of each run, by name


def free_ports(count: int) -> list[int]:
    doors = [socket.socket() for _ in range(count)]
    for door in doors:
        door.bind(("127.0.0.1", 0))
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


def environment(number: int, port: int) -> dict[str, str]:
    """What torchrun tells each of two."""
    own = {
        "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    return {**os.environ, **own}


def started(folder: Path, specs: dict[str, dict]) -> list[Ended]:
    """Let two processes make these runs together, one after another."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = free_ports(len(specs))
    told = {name: [port, spec] for port, (name, spec) in zip(ports, specs.items(), strict=True)}
    (folder / "specs.json").write_text(json.dumps(told))
    command = [sys.executable, "-m", "tests.training.parallel.taking_part",
               str(folder / "specs.json"), str(folder / "result")]  # fmt: skip
    running = [
        subprocess.Popen(command, env=environment(number, ports[0]), cwd=ROOT, text=True,
                         stderr=subprocess.PIPE)
        for number in range(2)
    ]  # fmt: skip
    ended = []
    try:
        for number, process in enumerate(running):
            said = process.communicate(timeout=SECONDS)[1]
            path = folder / f"result.{number}"
            results = json.loads(path.read_text()) if path.exists() else {}
            ended.append(Ended(process.returncode, said, results))
    finally:
        for process in running:
            process.kill()
            process.communicate()
    return ended
