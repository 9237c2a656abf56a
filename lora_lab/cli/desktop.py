"""The verb `desktop`: an entry with the lab's icon in the menu of a Linux desktop."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.cli.console import out, plain_errors
from lora_lab.errors import LabError, system_reason

NAME = "lora-lab"


def desktop(
    install: Annotated[
        bool, typer.Option("--install", help="Install the entry and its icon.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove both.")] = False,
) -> None:
    """Show, install or remove the entry of the desktop's menu (Linux)."""
    with plain_errors():
        if install == remove:
            if install:
                raise LabError("Give --install or --remove, not both.")
            out.print(entry(), end="", markup=False, highlight=False)
            return
        for path in _install() if install else _remove():
            out.print(path, markup=False, highlight=False)


def entry() -> str:
    """The entry as it would be written here: started by the program's full path."""
    text = (paths.resources() / "desktop" / f"{NAME}.desktop").read_text("utf-8")
    return text.replace("Exec=lora-lab\n", f"Exec={_command()}\n")


def places() -> tuple[Path, Path]:
    """Where entry and icon belong, by the XDG base directories. Raises LabError elsewhere."""
    if not sys.platform.startswith("linux"):
        raise LabError("Menu entries are for Linux desktops. Here, start lora-lab directly.")
    home = os.environ.get("XDG_DATA_HOME", "")
    share = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share"
    icons = share / "icons" / "hicolor" / "scalable" / "apps"
    return share / "applications" / f"{NAME}.desktop", icons / f"{NAME}.svg"


def _command() -> str:
    program = shutil.which(NAME)
    parts = [program] if program else [sys.executable, "-m", "lora_lab"]
    return " ".join(f'"{part}"' if " " in part else part for part in parts)


def _install() -> list[Path]:
    target, icon = places()
    try:
        for path in (target, icon):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(icon, (paths.resources() / "desktop" / f"{NAME}.svg").read_bytes())
        write_file(target, entry().encode())
    except OSError as error:
        raise LabError(f"{error.filename or target}: {system_reason(error)}.") from error
    return [target, icon]


def _remove() -> list[Path]:
    existing = [path for path in places() if path.exists()]
    try:
        for path in existing:
            path.unlink()
    except OSError as error:
        raise LabError(f"{error.filename}: {system_reason(error)}.") from error
    return existing
