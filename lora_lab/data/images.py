"""Labelled images from a folder per class, or from IDX files, as bytes in one size.

Images are decoded in a child process, one after the other, and what it answers is measured here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from lora_lab.apart.client import ask
from lora_lab.data.idx import read_images, read_labels
from lora_lab.door import door
from lora_lab.errors import DataError, system_reason
from lora_lab.progress import Report, silent

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif",
    ".ppm", ".pgm", ".pnm",
)  # fmt: skip
DECODER = 2**31  # bytes that the child may take for one image
GROUP, MOST = 32, 2000  # images that are answered together, and that are asked for at once
MEMORY = 16 * 2**30  # bytes of all images together
FREELY = 2**28  # bytes
# Bytes to those of files, of images in the size of the first one, and in that of a model: digits of
# 275 bytes are 805,000 for a ViT of 518 pixels.
RATIO, ENLARGED = 1000, 4000
TRAINING, HELD_OUT = ("train", "training"), ("validation", "valid", "val", "test", "testing")
CLASSES = 10_000
NAMED = 5
ODD, WORDS = "this is no image that can be read", 1000  # the latter: letters of another reason


Prepare = Callable[[np.ndarray], np.ndarray]  # (height, width, channels) of uint8, both


@dataclass(frozen=True)
class Wanted:
    """How images are to come out."""

    size: tuple[int, int] | None  # (height, width); None: as the first one
    channels: int | None  # None: 3, and 1 for IDX
    prepare: Prepare | None = None

    @property
    def mode(self) -> str:
        """Pillow's word for the channels."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def depth(self) -> int:
        """How many channels a decoded image has."""
        return 1 if self.channels == 1 else 3


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with the numbers of their classes."""

    images: np.ndarray  # (N, height, width, channels) of uint8
    labels: np.ndarray  # (N) of int64, into `classes`
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    given_validation: ImageSet | None = None  # where the folder brings its own

    def chosen(self, rows: np.ndarray) -> ImageSet:
        """The images of these rows only."""
        return ImageSet(self.images[rows], self.labels[rows], self.classes)


@door(DataError)
def read_image_folder(
    path: str | Path,
    size: tuple[int, ...] | None,
    channels: int | None,
    *,
    prepare: Prepare | None = None,
    classes: tuple[str, ...] = (),
    skip_bad: bool = False,
    report: Report = silent,
) -> ImageSet:
    """Read a folder per class, such folders under train/ and validation/, or MNIST's IDX files.

    Images are brought to `size` (height, width) by `prepare`, a model's own rules; without one they
    cover it and are cut in the middle. None or zeros take the first image's. `channels` is 1 or 3;
    None takes 3, and 1 for IDX. `classes` are those to tell apart, where they are known already.
    Raises DataError naming the image that cannot be read, unless `skip_bad`, and where all images
    are one and the same.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: this is not a folder. Choose one with a folder per class.")
    given = (int(size[0]), int(size[1])) if size and min(size) > 0 else None
    wanted = Wanted(given, channels, prepare)
    try:
        if _idx_file(folder, TRAINING):
            return _idx(folder, wanted)
        train = next((folder / n for n in TRAINING if (folder / n).is_dir()), None)
        held = next((folder / n for n in HELD_OUT if (folder / n).is_dir()), None)
        if train is None or held is None:
            return _by_class(folder, classes, wanted, skip_bad, report)
        first = _by_class(train, classes, wanted, skip_bad, report)
        wanted = replace(wanted, size=(first.images.shape[1], first.images.shape[2]))
        second = _by_class(held, first.classes, wanted, skip_bad, report)
        notes = (*first.notes, *second.notes, f"validation images are those in {held.name}/")
        return ImageSet(first.images, first.labels, first.classes, notes, second)
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{folder.name}: cannot be read ({reason}).") from error
    except MemoryError as error:
        raise DataError(f"{folder.name}: its images do not fit into memory.") from error


def _by_class(
    folder: Path,
    classes: tuple[str, ...],
    wanted: Wanted,
    skip_bad: bool,
    report: Report,
) -> ImageSet:
    """One folder per class; `classes` where they are known already."""
    folders = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."))
    unknown = sorted(set(folders).difference(classes)) if classes else []
    if unknown:
        raise DataError(f"{folder.name}: there is no class {unknown[0]!r} to train on.")
    if len(folders) > CLASSES:
        raise DataError(f"{folder.name}: {len(folders):,} folders are too many classes.")
    names = classes or tuple(name for name in folders if any(_images_of(folder / name)))
    files = [
        (path, label) for label, name in enumerate(names) for path in _images_of(folder / name)
    ]
    if not files:
        raise DataError(
            f"{folder.name}: there is no image in it. Wanted is a folder per class with "
            f"{', '.join(ENDINGS[:3])} and such in it."
        )
    kept: np.ndarray | None = None
    labels: list[int] = []
    bad: list[str] = []
    number = 0

    def still(what: str = "", share: float = 0.0) -> None:
        report(f"Reading images of {folder.name}", number / len(files))

    images = _decoded([path for path, _ in files], wanted, still)
    for (path, label), image in zip(files, images, strict=True):
        still()
        number += 1
        if isinstance(image, DataError):
            place = path.relative_to(folder)
            if not skip_bad:
                raise DataError(f"{place}: {image}. Fix it, or skip bad images.")
            bad.append(f"{place}: {image}")
            continue
        if kept is None:
            size, own = sum(p.stat().st_size for p, _ in files), path.stat().st_size
            shown = ENLARGED if wanted.size else max(RATIO, 4 * image.nbytes / own)
            _check_room(folder.name, len(files), image, shown * size)
            kept = np.empty((len(files), *image.shape), np.uint8)
        kept[len(labels)] = image
        labels.append(label)
    if kept is None:
        raise DataError(f"{folder.name}: no image in it can be read ({bad[0]}).")
    stacked = kept[: len(labels)]
    _check_alike(folder.name, stacked)
    notes = _passed_over(folder, names)
    if bad:
        more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        notes = (f"{len(bad):,} left out ({'; '.join(bad[:NAMED])}{more})", *notes)
    return ImageSet(stacked, np.array(labels, dtype=np.int64), names, notes)


def _check_room(name: str, many: int, first: np.ndarray, most: float) -> None:
    """All images come in the form of the first: no more than memory holds, nor than `most` bytes,
    which the files may show."""
    total = many * first.nbytes
    if total <= FREELY:
        return
    pixels = f"{many:,} images of {first.shape[1]} × {first.shape[0]} pixels"
    if total > most:
        raise DataError(
            f"{name}: {pixels} would take {total / 1e9:,.1f} GB, far more than their files show. "
            "Bring them to a smaller size, or take a model of smaller ones."
        )
    if total > min(MEMORY, psutil.virtual_memory().available):
        raise DataError(
            f"{name}: {pixels} do not fit into memory. Take fewer, or a model of smaller ones."
        )


def _check_alike(name: str, images: np.ndarray) -> None:
    if len(images) > 1 and all((image == images[0]).all() for image in images):
        raise DataError(
            f"{name}: all {len(images):,} images come out alike, so nothing can be learned. "
            "Look at one of them: it may be empty, or hold its picture in another channel."
        )


def _passed_over(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """A note that counts the files of other kinds; none where there are no such."""
    inside = (
        path for name in names if (folder / name).is_dir() for path in (folder / name).iterdir()
    )
    kinds = Counter(
        path.suffix.lower() or path.name
        for path in inside
        if path.suffix.lower() not in ENDINGS and path.name[0] != "." and not path.is_dir()
    )
    if not kinds:
        return ()
    count = kinds.total()
    named = ", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common(NAMED))
    return (f"{count:,} file{'s' if count > 1 else ''} of other kinds passed over ({named})",)


def _images_of(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in ENDINGS and path.name[0] != "." and not path.is_dir():
                yield path


@door(DataError)
def read_image(path: Path, wanted: Wanted) -> np.ndarray:
    """(height, width, channels) of uint8, turned as the camera says. Raises DataError."""
    image = next(_decoded([path], wanted))
    if isinstance(image, DataError):
        raise image
    return image


def read_pictures(
    paths: Sequence[Path], report: Report = silent
) -> Iterator[np.ndarray | DataError]:
    """(height, width, 3) of uint8 of each path in its own size, or what is wrong with it."""
    return _decoded(paths, Wanted(None, 3, lambda image: image), report)


def _decoded(
    paths: Sequence[Path], wanted: Wanted, report: Report = silent
) -> Iterator[np.ndarray | DataError]:
    """The images at these paths as in `read_image`, or what is wrong with each.

    Many are decoded together. Where the child ends over them, once more one by one, to tell which
    it was. `report` is called while one waits.
    """
    size, group, at = wanted.size, GROUP, 0
    while at < len(paths):
        if not paths[at].is_file():  # a pipe would block
            yield DataError("this is not a regular file")
            at += 1
            continue
        part = list(takewhile(Path.is_file, paths[at : at + MOST]))
        answers = ask(
            "lora_lab.data.image_file:decoded", json.dumps([*map(str, part)]).encode(),
            memory=DECODER, report=report, size=size, group=group, mode=wanted.mode,
            prepared=wanted.prepare is not None,
        )  # fmt: skip
        try:
            end = at + len(part)
            for about, data in answers:
                for image in _checked(about, data, wanted, size, end - at):
                    at += 1
                    if isinstance(image, DataError):
                        yield image
                        continue
                    size = size or image.shape[:2]
                    yield image if wanted.prepare is None else wanted.prepare(image)
            if at < end:
                raise DataError(ODD)
        except DataError as error:
            if group == 1 or len(part) == 1:
                yield error
                at += 1
            group = 1


def _checked(
    about: dict[str, Any], data: bytearray, wanted: Wanted, size: tuple[int, ...] | None, most: int
) -> Iterator[np.ndarray | DataError]:
    """What the child answered, image by image, as far as it is what was asked for: a decoder that
    a file has taken over may answer anything."""
    begin, entries = 0, about.get("images")
    if not isinstance(entries, list) or not 0 < len(entries) <= most:
        raise DataError(ODD)
    for entry in entries:
        if isinstance(entry, str):
            yield DataError(entry[:WORDS])
            continue
        if not (isinstance(entry, list) and [type(side) for side in entry] == [int, int]):
            raise DataError(ODD)
        height, width = entry
        shape, free = (height, width, wanted.depth), size is None or wanted.prepare is not None
        end = begin + math.prod(shape)
        if min(shape) < 1 or end > len(data) or not (free or shape[:2] == tuple(size or ())):
            raise DataError(ODD)
        size = size or shape[:2]
        yield np.frombuffer(data, np.uint8, end - begin, begin).reshape(shape)
        begin = end


def _idx_file(folder: Path, part: tuple[str, ...], kind: str = "images") -> Path | None:
    """MNIST's file of a part, under any of its usual names."""
    stem = "train" if part is TRAINING else "t10k"
    digit = 3 if kind == "images" else 1
    for inner in ("", "raw", "MNIST/raw"):
        for dot in ("-", "."):
            for packed in ("", ".gz"):
                path = folder / inner / f"{stem}-{kind}{dot}idx{digit}-ubyte{packed}"
                if path.is_file():
                    return path
    return None


def _idx(folder: Path, wanted: Wanted) -> ImageSet:
    parts = []
    for part in (TRAINING, HELD_OUT):
        pictures, names = _idx_file(folder, part), _idx_file(folder, part, "labels")
        if pictures is None:
            continue
        if names is None:
            raise DataError(f"{pictures.name} has no file of labels beside it.")
        images, labels = read_images(pictures), read_labels(names)
        if len(images) != len(labels):
            raise DataError(
                f"{pictures.name} has {len(images):,} images but {names.name} has {len(labels):,} "
                "labels. Take both from the same download."
            )
        _check_alike(pictures.name, images)
        parts.append((_scaled(images, wanted, pictures), labels.astype(np.int64)))
    classes = tuple(str(n) for n in range(1 + max(int(labels.max()) for _, labels in parts)))
    sets = [ImageSet(pictures, labels, classes) for pictures, labels in parts]
    if len(sets) == 1:
        return sets[0]
    notes = ("validation images are those of t10k",)
    return ImageSet(sets[0].images, sets[0].labels, classes, notes, sets[1])


def _scaled(images: np.ndarray, wanted: Wanted, path: Path) -> np.ndarray:
    """(N, height, width) → (N, *size, channels); N is not 0."""
    first = _brought(images[0], wanted)
    _check_room(path.name, len(images), first, ENLARGED * path.stat().st_size)
    scaled = np.empty((len(images), *first.shape), np.uint8)
    for place, image in enumerate(images):
        scaled[place] = _brought(image, wanted)
    return scaled


def _brought(image: np.ndarray, wanted: Wanted) -> np.ndarray:
    """(height, width) → (*size, channels)."""
    channels = wanted.channels or 1
    if wanted.prepare is not None:
        return wanted.prepare(np.repeat(image[..., None], channels, axis=2))
    if wanted.size is not None and image.shape != wanted.size:
        from PIL import Image, ImageOps

        fitted = ImageOps.fit(Image.fromarray(image), wanted.size[::-1], Image.Resampling.BILINEAR)
        image = np.asarray(fitted)
    return np.repeat(image[..., None], channels, axis=2)
