"""Plays a sound beside the window: by QtMultimedia where it is installed, else by a program."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, QUrl, Signal

# By PipeWire, PulseAudio, ALSA, macOS, FFmpeg and SoX; the first that can is taken.
PROGRAMS = (
    ("pw-play",), ("paplay",), ("aplay", "-q"), ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"), ("play", "-q"),
)  # fmt: skip


class Player(QObject):
    """One sound at a time; nothing waits for it."""

    ended = Signal()  # played to its end, or stopped
    failed = Signal(str)  # why nothing is heard

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: tempfile.TemporaryDirectory | None = None
        self._left: list[tuple[str, ...]] = []  # programs that were not tried yet
        self._reasons: list[str] = []
        self._process: QProcess | None = None
        self._effect: Any = None

    @property
    def playing(self) -> bool:
        """Whether a sound is on its way."""
        return self._folder is not None

    def play(self, wav: bytes) -> None:
        """Begin, in place of what plays now. `ended` or `failed` follows."""
        self.stop()
        self._folder = tempfile.TemporaryDirectory(prefix="lora-lab-sound-")
        (Path(self._folder.name) / "plot.wav").write_bytes(wav)
        self._left, self._reasons = [p for p in PROGRAMS if shutil.which(p[0])], []
        if not self._by_qt():
            self._by_program()

    def stop(self) -> None:
        """End what plays; nothing where nothing does."""
        if not self.playing:
            return
        self._left = []
        if self._effect is not None:
            self._effect.playingChanged.disconnect()
            self._effect.stop()
            self._effect = None
        if self._process is not None:
            self._process.finished.disconnect()
            self._process.errorOccurred.disconnect()
            self._process.kill()
            self._process.waitForFinished(1000)
        self._put_away()
        self.ended.emit()

    def _file(self) -> str:
        return str(Path(self._folder.name) / "plot.wav")

    def _by_qt(self) -> bool:
        try:
            from PySide6.QtMultimedia import QMediaDevices, QSoundEffect
        except ImportError:
            return False
        if QMediaDevices.defaultAudioOutput().isNull():
            return False
        self._effect = QSoundEffect(self)
        self._effect.setSource(QUrl.fromLocalFile(self._file()))
        self._effect.playingChanged.connect(self._on_effect)
        self._effect.play()
        return True

    def _on_effect(self) -> None:
        if not self._effect.isPlaying():
            self._effect = None
            self._end()

    def _by_program(self) -> None:
        if not self._left:
            self._put_away()
            self.failed.emit("\n".join(self._reasons))
            return
        program, *options = self._left.pop(0)
        self._process = process = QProcess(self)
        process.finished.connect(lambda code, _: self._on_finished(program, code))
        process.errorOccurred.connect(lambda error: self._on_error(program, error))
        process.start(program, [*options, self._file()])

    def _on_finished(self, program: str, code: int) -> None:
        if code == 0:
            self._end()
            return
        said = bytes(self._process.readAllStandardError()).decode(errors="replace").strip()
        self._reasons.append(f"{program}: {said.splitlines()[-1] if said else code}")
        self._by_program()

    def _on_error(self, program: str, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._reasons.append(f"{program}: {self._process.errorString()}")
            self._by_program()

    def _end(self) -> None:
        self._put_away()
        self.ended.emit()

    def _put_away(self) -> None:
        if self._process is not None:
            self._process.deleteLater()
            self._process = None
        self._folder.cleanup()
        self._folder = None
