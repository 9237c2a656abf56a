"""The only file that knows where resources, user data and runs lie.

Resources are found beside the package in a checkout and inside the package in an installed wheel
(`pyproject.toml` puts them there), so every other file asks here and runs from any folder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import platformdirs

APP = "lora-lab"


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a process that imports what this one can, and calls `main` of `module`.

    `arguments` begin at its sys.argv[1].
    """
    places = [*map(os.path.abspath, sys.path), str(Path(__file__).resolve().parents[1])]
    code = f"import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from {module} import main"
    return [sys.executable, "-c", f"{code}; main()", json.dumps(places), *arguments]


def resources() -> Path:
    """The folder of icons, presets, help pages and demo data that ships with the program."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"


def demo(name: str) -> Path:
    """A file among the demo data and checkpoints."""
    return resources() / "demo" / name


def presets() -> Path:
    """The folder of preset files, one JSON each."""
    return resources() / "presets"


def recipes() -> Path:
    """The folder of the parts that a run's script is put together from."""
    return resources() / "recipe"


def user_data() -> Path:
    """Where what the user makes is kept; `LORA_LAB_HOME` moves it."""
    home = os.environ.get("LORA_LAB_HOME")
    return Path(home) if home else Path(platformdirs.user_data_dir(APP, appauthor=False))


def caches() -> Path:
    """Where is kept what can be made again; `LORA_LAB_HOME` moves it."""
    home = os.environ.get("LORA_LAB_HOME")
    cache = Path(platformdirs.user_cache_dir(APP, appauthor=False))
    return Path(home) / "cache" if home else cache


def runs() -> Path:
    """The folder that holds one folder per run."""
    return user_data() / "runs"


def bases() -> Path:
    """Base checkpoints that the lab itself trained, kept so that they are trained once."""
    return user_data() / "bases"


def settings_file() -> Path:
    """The INI file of window geometry and dock layout."""
    return user_data() / "window.ini"
