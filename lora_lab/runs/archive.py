"""A run as one zip that another lab opens: packed without locks, unpacked without trust."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import psutil

from lora_lab.atomic import (
    check_target,
    replace_file,
    replace_folder,
    temporary_folder,
    tidy_leftovers,
)
from lora_lab.door import door
from lora_lab.errors import LabError, not_written, system_reason
from lora_lab.folders import folders_in
from lora_lab.names import is_text, legible, shown
from lora_lab.progress import Report, silent
from lora_lab.runs.listing import CONFIG
from lora_lab.runs.lock import NAME as LOCK
from lora_lab.runs.lock import OWNER, is_live
from lora_lab.runs.own_files import PRIVATE
from lora_lab.zip_directory import open_zip

MOST_FILES = 10_000
LARGEST = 64 * 2**30  # bytes of all that is unpacked
RATIO = 200  # of unpacked to packed bytes; metrics shrink to a tenth, tensors hardly at all
CHUNK = 2**20
DEEPEST = 16  # folders within each other in a run; those of the lab are two
DEEP = f"has over {DEEPEST} folders within each other, which no run needs."
DIRECTORY = 2**23  # bytes of one: a thousand for each file
DEVICES = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10)),
}


def pack(run: Path, target: Path, report: Report = silent) -> Path:
    """Write the run to `target` as a zip with one folder in it; `report` receives the progress.

    Raises `LabError` where there is no run, it is being trained, or the zip cannot be written; an
    older file is kept then.
    """
    if not (run / CONFIG).is_file():
        raise LabError(f"{run} is no run: it has no {CONFIG}.")
    if is_live(run):
        raise LabError(f"{run.name} is being trained. Pack it when it has ended.")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        check_target(target)
        for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
            number = left.name.split(".")[-2]
            if number.isdigit() and not psutil.pid_exists(int(number)):  # of a pack that was killed
                left.unlink()
        with zipfile.ZipFile(
            temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=3, strict_timestamps=False
        ) as archive:
            files = sorted(_shown_files(run))
            for number, path in enumerate(files):
                report(f"Packing {run.name}", number / len(files))
                relative = path.relative_to(run)
                if path.is_symlink() or not path.is_file():
                    continue
                name = f"{run.name}/{relative.as_posix()}"
                if not is_text(name):
                    raise LabError(f"Not packed: the name {shown(name)} is not UTF-8. Change it.")
                if relative.as_posix() not in (LOCK, OWNER):
                    archive.write(path, name)
        replace_file(temporary, target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even that
            temporary.unlink()
    return target


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
            files, name = _checked(opened, archive, parent)
            target = _free_name(parent, name)
            with temporary_folder(target) as folder:
                folder.chmod(PRIVATE)
                for number, (info, relative) in enumerate(files):
                    report(f"Unpacking {name}", number / len(files))
                    place = folder / relative
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _write(opened, info, place)
                replace_folder(folder, target)
    except zipfile.BadZipFile as error:
        raise LabError(f"{archive} is not a whole zip: {error}.") from error
    except (OSError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        reason = system_reason(error) if str(error) else "it is damaged"
        raise LabError(f"{archive} was not unpacked: {reason}.") from error
    return target


def _shown_files(run: Path) -> Iterator[Path]:
    """What is in a run and its folders but hidden files; raises LabError where these are deep."""
    for folder, names in folders_in(run):
        inside = folder.relative_to(run).parts
        if any(part.startswith(".") for part in inside):
            continue
        if len(inside) > DEEPEST:
            raise LabError(f"Not packed: {run.name} {DEEP} Take out what is not the run's.")
        yield from (folder / name for name in names if not name.startswith("."))


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
    opened: zipfile.ZipFile, archive: Path, parent: Path
) -> tuple[list[tuple[zipfile.ZipInfo, Path]], str]:
    """Every file with its place in the run, and the run's name."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if len(infos) > MOST_FILES:
        raise LabError(f"{archive} has {len(infos):,} files, more than a run can have.")
    size = sum(info.file_size for info in infos)
    # Entries may lie over each other: the file's own size is what bounds what is in it.
    packed = min(sum(info.compress_size for info in infos), archive.stat().st_size)
    if size > LARGEST or size > RATIO * max(1, packed) + CHUNK:
        raise LabError(f"{archive} would unpack to {size:,} bytes, and was not unpacked.")
    if size > shutil.disk_usage(parent).free:
        raise LabError(f"{archive} needs {size:,} bytes, more than {parent} has free.")
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
        files.append((info, Path(*parts[1:])))
    if len(tops) != 1 or Path(CONFIG) not in [place for _, place in files]:
        raise LabError(f"{archive} is not the zip of one run.")
    places = [place.as_posix().lower() for _, place in files]
    if len(set(places)) != len(places):
        raise LabError(f"{archive} names a file twice.")
    return files, tops.pop()


def _is_strange(part: str) -> bool:
    """Whether a part of a path leads elsewhere, hides, or is no name on some system."""
    return (
        part in ("", "/", "..")
        or part[0] == "."
        or part[-1] in ". "
        or len(part.encode("utf-8", "replace")) > 255
        or legible(part) != part
        or any(mark in part for mark in ':\n\t<>"|?*')
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


def _free_name(parent: Path, name: str) -> Path:
    for number in range(1, 10_000):
        path = parent / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            return path
    raise LabError(f"{parent} has too many runs of the name {name}.")
