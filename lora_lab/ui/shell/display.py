"""Whether a window can be opened here; asked before Qt is, which would abort the process."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from lora_lab.errors import LabError

HEADLESS = "`lora-lab train`, `lora-lab export` and `lora-lab inspect` work without one."


def require_display(environ: Mapping[str, str] = os.environ, system: str = sys.platform) -> None:
    """Raise LabError with a reason and the headless verbs where QApplication would abort.

    Only Linux needs this: the desktop of Windows and macOS is always there for a logged-in person.
    """
    if not system.startswith("linux"):
        return
    asked = environ.get("QT_QPA_PLATFORM", "")
    wanted = [name.split(":")[0].strip() for name in asked.split(";") if name.strip()]
    if not wanted:
        if environ.get("WAYLAND_DISPLAY"):
            wanted.append("wayland")
        if environ.get("DISPLAY"):
            wanted.append("xcb")
    if not wanted:
        raise LabError(f"No display: neither DISPLAY nor WAYLAND_DISPLAY is set. {HEADLESS}")
    reasons = [reason for name in wanted if (reason := _hindrance(name, environ))]
    if len(reasons) == len(wanted):
        raise LabError(f"No display: {'; '.join(reasons)}. {HEADLESS}")


def _hindrance(platform: str, environ: Mapping[str, str]) -> str:
    """Why this platform plugin cannot show a window; "" if it can."""
    return _no_plugin(platform) or {"xcb": _no_x_server, "wayland": _no_wayland}.get(
        platform, lambda _: ""
    )(environ)


def _no_plugin(platform: str) -> str:
    from PySide6.QtCore import QLibraryInfo, QPluginLoader

    name = platform.removesuffix("-egl")  # older Qt: wayland-egl
    folder = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"
    files = sorted(folder.glob(f"libq{name}*.so"))
    if not files:
        return f"this Qt has no platform called {platform!r}"
    loader = QPluginLoader(str(files[0]))
    if not loader.load():  # a missing library such as libxcb-cursor0, named in the message
        missing = re.search(r"(\S+\.so\S*): cannot open", loader.errorString())
        what = f"install {missing[1]}" if missing else loader.errorString()
        return f"Qt's {platform} platform does not load ({what})"
    return ""


def _no_x_server(environ: Mapping[str, str]) -> str:
    name = environ.get("DISPLAY", "")
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return "libxcb.so.1 is missing (install libxcb1)"
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(name.encode() or None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"the X server of DISPLAY={name!r} does not answer" if failed else ""


def _no_wayland(environ: Mapping[str, str]) -> str:
    name = environ.get("WAYLAND_DISPLAY") or "wayland-0"
    socket = Path(environ.get("XDG_RUNTIME_DIR", "/run/user/0")) / name
    return "" if socket.exists() else f"there is no Wayland socket {socket}"
