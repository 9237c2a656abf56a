"""A run as one zip that another lab opens: packed without locks, unpacked without trust."""

from __future__ import annotations

import glob
import os
import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import psutil

from lora_lab.atomic import (
    check_target,
    give_name,
    replace_file,
    shortened,
    temporary_folder,
    tidy_leftovers,
)
from lora_lab.door import door
from lora_lab.errors import LabError, not_written, system_reason
from lora_lab.folders import folders_in
from lora_lab.names import is_text, legible, shown
from lora_lab.progress import Report, silent
from lora_lab.runs.listing import CONFIG, MIRROR
from lora_lab.runs.lock import NAME as LOCK
from lora_lab.runs.lock import OWNER, is_live
from lora_lab.runs.own_files import PRIVATE, open_own
from lora_lab.zip_directory import open_zip

MOST_FILES = 10_000
LARGEST = 64 * 2**30  # bytes of all that is unpacked
RATIO = 200  # of unpacked to packed bytes; metrics shrink to a tenth, tensors hardly at all
CHUNK = 2**20
DEEPEST = 16  # folders within each other in a run; those of the lab are two
DEEP = f"has over {DEEPEST} folders within each other, which no run needs."
DIRECTORY = 2**23  # bytes of one: a thousand for each file
OF_HERE = {LOCK, OWNER, MIRROR}  # whose a folder is on one machine, and which cluster it follows
MARKS = ':\n\t<>"|?*\\'  # in no name on Windows
DEVICES = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10)),
}


def pack(run: Path, target: Path, report: Report = silent) -> Path:
    """Write the run to `target` as a zip with one folder in it; `report` receives the progress.

    Raises `LabError` where there is no run, it is being trained, something of it cannot be read or
    would not be unpacked again, or the zip cannot be written; an older file is kept then.
    """
    if not (run / CONFIG).is_file():
        raise LabError(f"{run} is no run: it has no {CONFIG}.")
    name = packed_name(run)
    if is_live(run):
        raise LabError(f"{name} is being trained. Pack it when it has ended.")
    files = _packable(run, name)
    short = shortened(target.name)
    temporary = target.with_name(f".{short}.{os.getpid()}.tmp")
    try:
        check_target(target)
        for left in target.parent.glob(f".{glob.escape(short)}.*.tmp"):
            number = left.name.split(".")[-2]
            if number.isdigit() and not psutil.pid_exists(int(number)):  # of a pack that was killed
                left.unlink()
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            with zipfile.ZipFile(
                temporary, "x", method, compresslevel=3, strict_timestamps=False
            ) as archive:
                for number, (path, place) in enumerate(files):
                    report(f"Packing {name}", number / len(files))
                    archive.write(path, f"{name}/{place}")
            if not _grows(archive.infolist(), temporary):
                break
            temporary.unlink()  # whoever unpacks it would take it for a trap: it is stored as it is
        with temporary.open("rb") as file, _listed(file, target) as opened:
            _checked(opened, target, temporary)
        replace_file(temporary, target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even that
            temporary.unlink()
    return target


def packed_name(run: Path) -> str:
    """What a run's folder is called in its zip: a name on every system, whatever it is here."""
    name = legible(Path(os.path.abspath(run)).name)  # `.` has none of its own
    plain = shortened(re.sub(f"[{re.escape(MARKS)}\ufffd]", "-", name).strip(". ")).rstrip(". ")
    plain = plain or "run"
    return f"run-{plain}" if _is_strange(plain) else plain


def _packable(run: Path, name: str) -> list[tuple[Path, str]]:
    """Every file of a run with its place in it; raises LabError for what would not be unpacked."""
    files, size = [], 0
    try:
        for folder, names in folders_in(run, all_of_it=True):
            inside = folder.relative_to(run).parts
            if any(part.startswith(".") for part in inside):
                continue
            if len(inside) > DEEPEST:
                raise LabError(f"Not packed: {name} {DEEP} Take out what is not the run's.")
            for path in (folder / name for name in names if not name.startswith(".")):
                parts = path.relative_to(run).parts
                about = path.lstat()
                if not stat.S_ISREG(about.st_mode) or _is_of_here(parts):
                    continue
                place = "/".join(parts)
                if not is_text(place):
                    raise LabError(f"Not packed: the name {shown(place)} is not UTF-8. Change it.")
                if any(map(_is_strange, parts)):
                    raise LabError(
                        f"Not packed: {shown(place)} is no name on every system. Change it, or "
                        "take the file out of the run."
                    )
                os.close(open_own(path))  # one that cannot be read is said before the rest is
                files.append((path, place))
                size += about.st_size
    except OSError as error:
        path = error.filename or run
        raise LabError(f"Not packed: {path} cannot be read: {system_reason(error)}.") from error
    if len(files) > MOST_FILES or size > LARGEST:
        raise LabError(
            f"Not packed: {name} has {len(files):,} files and {size:,} bytes, and {MOST_FILES:,} "
            f"and {LARGEST:,} are unpacked. Take out what is not the run's."
        )
    if twice := _twice(place for _, place in files):
        raise LabError(f"Not packed: {twice} are one name on some systems. Change one of them.")
    return files


@door(LabError)
def unpack(archive: Path, parent: Path, report: Report = silent) -> Path:
    """Unpack a run's zip as a new folder in `parent`, which is returned.

    Raises `LabError` where the file is no zip of one run, names a place outside, holds links, is
    larger than it may be, or does not fit on the disk. Nothing is left behind then.
    """
    try:
        if not archive.is_file():  # a pipe would block
            what = "it is a folder" if archive.is_dir() else "there is no such file"
            raise LabError(f"{archive} was not unpacked: {what}. Choose the zip of a run.")
        parent.mkdir(parents=True, exist_ok=True)
        tidy_leftovers(parent)
        with archive.open("rb") as file, _listed(file, archive) as opened:
            files, name = _checked(opened, archive, archive)
            size = sum(info.file_size for info, _ in files)
            if size > shutil.disk_usage(parent).free:
                raise LabError(f"{archive} needs {size:,} bytes, more than {parent} has free.")
            wanted = parent / shortened(name)
            with temporary_folder(wanted) as folder:
                folder.chmod(PRIVATE)
                for number, (info, relative) in enumerate(files):
                    report(f"Unpacking {name}", number / len(files))
                    place = folder / relative
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _write(opened, info, place)
                target = give_name(folder, wanted)
    except zipfile.BadZipFile as error:
        raise LabError(f"{archive} is not a whole zip: {error}.") from error
    except (OSError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        reason = system_reason(error) if str(error) else "it is damaged"
        raise LabError(f"{archive} was not unpacked: {reason}.") from error
    return target


def is_run_zip(archive: Path) -> bool:
    """Whether a zip holds one folder with the settings of a run; raises OSError."""
    try:
        with archive.open("rb") as file, _listed(file, archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, LabError):
        return False
    return any(name.count("/") == 1 and name.endswith(f"/{CONFIG}") for name in names)


def _listed(file: BinaryIO, archive: Path) -> zipfile.ZipFile:
    what = "lists more files than a run can have. Choose the zip of a run."
    return open_zip(file, 2 * MOST_FILES, DIRECTORY, LabError(f"{archive} {what}"))  # and folders


def _checked(
    opened: zipfile.ZipFile, archive: Path, file: Path
) -> tuple[list[tuple[zipfile.ZipInfo, Path]], str]:
    """Every file with its place in the run, and the run's name; `file` becomes `archive`."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if len(infos) > MOST_FILES:
        raise LabError(f"{archive} has {len(infos):,} files, more than a run can have.")
    size = sum(info.file_size for info in infos)
    if size > LARGEST or _grows(infos, file):
        raise LabError(f"{archive} would unpack to {size:,} bytes, and was not unpacked.")
    files, tops = [], set()
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        kind = stat.S_IFMT(info.external_attr >> 16)
        strange = any(map(_is_strange, parts))
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise LabError(f"{archive} is packed in a way that the lab does not pack.")
        if strange or len(parts) < 2 or kind not in (0, stat.S_IFREG):
            name = shown(info.filename)
            raise LabError(f"{archive} is not the zip of a run: {name} is in it.")
        if len(parts) > DEEPEST + 2:
            raise LabError(f"{archive} was not unpacked: it {DEEP} Choose the zip of a run.")
        tops.add(parts[0])
        if not _is_of_here(parts[1:]):
            files.append((info, Path(*parts[1:])))
    if len(tops) != 1 or Path(CONFIG) not in [place for _, place in files]:
        raise LabError(f"{archive} is not the zip of one run.")
    if _twice(place.as_posix() for _, place in files):
        raise LabError(f"{archive} names a file twice.")
    return files, tops.pop()


def _grows(infos: Iterable[zipfile.ZipInfo], file: Path) -> bool:
    """Whether far more comes out of a zip than is in it."""
    size = sum(info.file_size for info in infos)
    # Entries may lie over each other: the file's own size is what bounds what is in it.
    packed = min(sum(info.compress_size for info in infos), file.stat().st_size)
    return size > RATIO * max(1, packed) + CHUNK


def _twice(places: Iterable[str]) -> str:
    """Two of these names that are one where capitals or accents are not told apart; "": none."""
    seen: dict[str, str] = {}
    for place in places:
        plain = unicodedata.normalize("NFC", place).lower()
        if plain in seen:
            return f"{shown(seen[plain])} and {shown(place)}"
        seen[plain] = place
    return ""


def _is_of_here(parts: tuple[str, ...]) -> bool:
    """Whether a file of a run says how it stands on one machine, under any name that is one."""
    return len(parts) == 1 and unicodedata.normalize("NFKC", parts[0]).casefold() in OF_HERE


def _is_strange(part: str) -> bool:
    """Whether a part of a path leads elsewhere, hides, or is no name on some system."""
    return (
        part in ("", "/", "..")
        or part[0] == "."
        or part[-1] in ". "
        or len(part.encode("utf-8", "replace")) > 255
        or legible(part) != part
        or any(mark in part for mark in MARKS)
        or part.partition(".")[0].rstrip().upper() in DEVICES
    )


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path) -> None:
    """Unpack one file, and no more of it than its entry states."""
    left = info.file_size
    with opened.open(info) as source, place.open("xb") as target:
        while part := source.read(CHUNK):
            left -= len(part)
            if left < 0:
                raise OSError(f"{info.filename} is longer than it says")
            target.write(part)
