"""A file or folder that this person may not read, also where the tests are an administrator's."""

import errno
import os
from pathlib import Path

READS = ("open", "scandir", "listdir")  # refused of the place itself, as all is of what is in it
LOOKS = ("lstat", "stat")


def refuse_to_read(monkeypatch, place):
    """From here on the system refuses it, as it does where the mode is 000."""
    for name in READS + LOOKS:
        real = getattr(os, name)

        def asked(path, *more, real=real, reads=name in READS, **named):
            here = Path(path) if isinstance(path, str | Path) else None
            if here is not None and (place in here.parents or (reads and here == place)):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, *more, **named)

        monkeypatch.setattr(os, name, asked)
