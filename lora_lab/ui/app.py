"""From the command to the window and back: painted first, engine after, ended in good order."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.ui.shell.display import require_display

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from lora_lab.presets import Preset
    from lora_lab.training.opening import Opening
    from lora_lab.ui.notices.notices import Notices
    from lora_lab.ui.session.sessions import AnySession
    from lora_lab.ui.shell.main_window import MainWindow

NOOP_MS = 200  # how long Ctrl-C waits at most: Python sees a signal only when Python runs
# Seconds; the window gets the GIL back five times sooner than by default. A 16 ms heartbeat while
# digits trains flat out, two cores: lateness p95 9.7 ms → 0.9-4.2 ms at the same steps per second.
SWITCH_INTERVAL = 0.001


def run(
    preset: str = "digits",
    data: str | None = None,
    scheme: str | None = None,
    perf_log: str | None = None,
) -> int:
    """Open the window on a preset and stay until it is closed; the exit status.

    `perf_log` names the file that ui/shell/perf_log.py writes; "": one of its own; None: none.
    Raises LabError where there is no display, preset or language of that name, or the file cannot
    be written.
    """
    # OpenMP threads that spin at barriers take the window's core; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with suppress(RuntimeError, ValueError, OSError):  # stderr may be closed or not a file
        faulthandler.enable()
    require_display()

    from lora_lab.presets import get_preset, list_presets

    chosen = get_preset(preset)
    config = changed(chosen.config, data=data) if data else chosen.config

    gc.disable()  # until the first paint nothing is garbage, and to look for it takes 50 ms
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from lora_lab.ui.notices.notices import Notices
    from lora_lab.ui.shell.garbage import Garbage
    from lora_lab.ui.style import language, settings, theme

    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("lora-lab")
    app.setApplicationDisplayName("LoRA Lab")
    app.setDesktopFileName("lora-lab")  # a desktop finds the entry of the window's icon by it
    app.setWindowIcon(QIcon(str(paths.resources() / "desktop" / "lora-lab.svg")))
    language.install(app, language.asked())
    notices = Notices()
    notices.install()
    for words in settings.refusals:
        notices.warning(words)
    collection = Garbage()
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    theme.apply(app, settings.kept_scheme(scheme))
    window = make_window(new_session, list_presets(), notices)
    if scheme is not None:
        window.appearance.set_scheme(scheme)
    log = None
    restore_signals = _handle_signals(app, window)

    def first_painted() -> None:
        gc.freeze()  # what the window is made of stays: no later collection goes through it
        collection.start()
        window.flows.runs.look_for_interrupted()
        window.flows.cluster.find_again()
        if data or not window.flows.queue.find_again(begin):
            begin()

    def begin() -> None:
        if not data and window.flows.background.find_again():
            return
        if chosen.needs_data and not config.data:
            window.setup_dock.choose_preset(preset)
        else:
            window.open(config)

    try:
        if perf_log is not None:
            from lora_lab.ui.shell.perf_log import PerfLog, default_file

            file = Path(perf_log) if perf_log else default_file(paths.user_data())
            log = PerfLog(file, window.sessions, window.panels, notices, window)
            texts = QCoreApplication.translate("app", "How the window keeps up is written to {}")
            notices.news(texts.format(file))
        window.announce(config)
        window.painted.connect(first_painted)
        window.left.connect(app.quit)
        window.show()
        status = app.exec()
    finally:
        if log is not None:
            log.close()
        ended = window.finish()  # no thread may be left in torch when the interpreter ends
        restore_signals()
        collection.close()
        sys.setswitchinterval(switch_interval)
        notices.uninstall()
    if not ended:  # an opening that cannot be interrupted: nothing of it is kept
        sys.stdout.flush()
        os._exit(status)
    return status


def make_window(
    open_session: Callable[[Opening], AnySession],
    presets: Sequence[Preset],
    notices: Notices | None = None,
) -> MainWindow:
    """The window, which gets what opens from its menus (`window.flows`) once it is painted."""
    from lora_lab.ui.shell.main_window import MainWindow
    from lora_lab.ui.widgets import spoken

    spoken.install()
    window = MainWindow(open_session, presets, notices)

    def add_flows() -> None:
        from lora_lab.ui.shell.flows import Flows  # a third of the window's modules

        window.flows = Flows(window)
        window.keyboard.order_by_work()

    window.painted.connect(add_flows)
    return window


def new_session(opening: Opening) -> AnySession:
    """A session that leaves the window a core; in a process of its own where it takes several.

    A library that gives a run of several up may end its process with it. Raises LabError.
    """
    if opening.config.processes > 1:
        from lora_lab.engine.openings import with_folder
        from lora_lab.engine.remote import begin

        return begin(with_folder(opening))
    from lora_lab.training.session import Session, threads_beside_a_person

    return Session(opening, threads=threads_beside_a_person())


def _handle_signals(app: QApplication, window: MainWindow) -> Callable[[], None]:
    """Ctrl-C, SIGTERM and a closed terminal save and end like the close button, without asking."""
    from PySide6.QtCore import QTimer

    def leave(_number: int, _frame: object) -> None:
        window.leave()

    handled = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)  # it is ignored under nohup
    before = {number: signal.signal(number, leave) for number in handled}
    timer = QTimer(app)
    timer.timeout.connect(lambda: None)  # lets Python run, and with it the handler
    timer.start(NOOP_MS)

    def restore() -> None:
        timer.stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
