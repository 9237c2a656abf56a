"""A key of this person's lab, by which it knows again what it wrote into folders of runs itself."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from lora_lab import paths
from lora_lab.atomic import make_folder, write_file
from lora_lab.runs.own_files import PRIVATE, read_own

NAME = "key"  # beside the runs, and in none of them: it goes with no run
SIZE = 32


def own_key(purpose: str) -> bytes:
    """32 secret bytes for one purpose, the same at every start.

    Where the disk neither has nor takes them, they are this process's alone.
    """
    secret = _secret(paths.user_data() / NAME)
    return blake2b(purpose.encode(), key=secret, digest_size=SIZE).digest()


@lru_cache(4)
def _secret(path: Path) -> bytes:
    with suppress(OSError):
        if len(secret := read_own(path, SIZE)) == SIZE:
            return secret
    secret = secrets.token_bytes(SIZE)
    with suppress(OSError):
        make_folder(path.parent, PRIVATE)
        write_file(path, secret, mode=0o600)
        return read_own(path, SIZE)  # another process may have written one at the same time
    return secret
