"""Labelled images from a folder per class, or from IDX files, as bytes in one size.

An image is measured before it is decoded: a small file may claim a picture that fills the memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lora_lab.data.idx import read_images, read_labels
from lora_lab.errors import DataError, system_reason
from lora_lab.progress import Report, silent

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
LARGEST = 100_000_000  # pixels of one image
MEMORY = 16 * 2**30  # bytes of all images together
TRAINING, HELD_OUT = ("train", "training"), ("validation", "valid", "val", "test", "testing")
CLASSES = 10_000
NAMED = 5


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


def read_image_folder(
    path: str | Path,
    size: tuple[int, ...] | None,
    channels: int | None,
    *,
    skip_bad: bool = False,
    report: Report = silent,
) -> ImageSet:
    """Read a folder per class, such folders under train/ and validation/, or MNIST's IDX files.

    Images are scaled to cover `size` (height, width) and cut in the middle; None or zeros take the
    first image's. `channels` is 1 or 3; None takes 3, and 1 for IDX. Raises DataError naming the
    image that cannot be read, unless `skip_bad`.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: this is not a folder. Choose one with a folder per class.")
    wanted = (int(size[0]), int(size[1])) if size and min(size) > 0 else None
    try:
        if _idx_file(folder, TRAINING):
            return _idx(folder, wanted, channels)
        train = next((folder / n for n in TRAINING if (folder / n).is_dir()), None)
        held = next((folder / n for n in HELD_OUT if (folder / n).is_dir()), None)
        if train is None or held is None:
            return _by_class(folder, (), wanted, channels or 3, skip_bad, report)
        first = _by_class(train, (), wanted, channels or 3, skip_bad, report)
        shape = (first.images.shape[1], first.images.shape[2])
        second = _by_class(held, first.classes, shape, channels or 3, skip_bad, report)
        notes = (*first.notes, f"held out are the images in {held.name}/")
        return ImageSet(first.images, first.labels, first.classes, notes, second)
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{folder.name}: cannot be read ({reason}).") from error
    except MemoryError as error:
        raise DataError(f"{folder.name}: its images do not fit into memory.") from error


def _by_class(
    folder: Path,
    classes: tuple[str, ...],
    size: tuple[int, int] | None,
    channels: int,
    skip_bad: bool,
    report: Report,
) -> ImageSet:
    """One folder per class; `classes` where they are known already."""
    found = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."))
    unknown = [name for name in found if classes and name not in classes]
    if unknown:
        raise DataError(f"{folder.name}: there is no class {unknown[0]!r} to train on.")
    if len(found) > CLASSES:
        raise DataError(f"{folder.name}: {len(found):,} folders are too many classes.")
    names = classes or tuple(name for name in found if any(_images_of(folder / name)))
    files = [
        (path, label) for label, name in enumerate(names) for path in _images_of(folder / name)
    ]
    if not files:
        raise DataError(
            f"{folder.name}: there is no image in it. Wanted is a folder per class with "
            f"{', '.join(ENDINGS[:3])} and such in it."
        )
    kept: list[np.ndarray] = []
    labels: list[int] = []
    bad: list[str] = []
    for number, (path, label) in enumerate(files):
        report(f"Reading images of {folder.name}", number / len(files))
        try:
            image = read_image(path, size, channels)
        except DataError as error:
            place = path.relative_to(folder)
            if not skip_bad:
                raise DataError(
                    f"{place}: {error}. Mend it, or let bad images be left out."
                ) from None
            bad.append(f"{place}: {error}")
            continue
        if size is None:
            size = (image.shape[0], image.shape[1])
        if len(files) * image.nbytes > MEMORY:
            raise DataError(
                f"{folder.name}: {len(files):,} images of {size[1]} × {size[0]} pixels do not fit "
                "into memory. Take fewer, or a model of smaller ones."
            )
        kept.append(image)
        labels.append(label)
    if not kept:
        raise DataError(f"{folder.name}: no image in it can be read ({bad[0]}).")
    notes = ()
    if bad:
        more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        notes = (f"{len(bad):,} left out ({'; '.join(bad[:NAMED])}{more})",)
    return ImageSet(np.stack(kept), np.array(labels, dtype=np.int64), names, notes)


def _images_of(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in ENDINGS and path.name[0] != "." and not path.is_dir():
                yield path


def read_image(path: Path, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """(height, width, channels) of uint8, turned as the camera says. Raises DataError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():  # a pipe would block
        raise DataError("this is not a regular file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: they are checked here
            with Image.open(path) as image:
                width, height = image.size
                if width * height > LARGEST:
                    raise DataError(f"{width:,} × {height:,} pixels are too many")
                mode = "L" if channels == 1 else "RGB"
                if size is not None:
                    image.draft(mode, (2 * size[1], 2 * size[0]))  # JPEG decodes smaller at once
                turned = ImageOps.exif_transpose(image).convert(mode)
            if size is not None and turned.size != (size[1], size[0]):
                turned = ImageOps.fit(turned, (size[1], size[0]), Image.Resampling.BILINEAR)
    except UnidentifiedImageError:
        raise DataError("this is no image that can be read") from None
    except Image.DecompressionBombError:
        raise DataError("it claims too many pixels") from None
    except (OSError, SyntaxError, ValueError, ZeroDivisionError, OverflowError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the image is damaged ({reason})") from error
    found = np.asarray(turned, dtype=np.uint8)
    return found.reshape(*found.shape[:2], channels)


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


def _idx(folder: Path, size: tuple[int, int] | None, channels: int | None) -> ImageSet:
    parts = []
    for part in (TRAINING, HELD_OUT):
        pictures, names = _idx_file(folder, part), _idx_file(folder, part, "labels")
        if pictures is None:
            continue
        if names is None:
            raise DataError(f"{pictures.name} has no file of labels beside it.")
        found, labels = read_images(pictures), read_labels(names)
        if len(found) != len(labels):
            raise DataError(
                f"{pictures.name} has {len(found):,} images but {names.name} has {len(labels):,} "
                "labels. Take both from the same download."
            )
        if len(found) == 0:
            raise DataError(f"{pictures.name}: there is no image in it.")
        parts.append((_scaled(found, size, channels or 1), labels.astype(np.int64)))
    classes = tuple(str(n) for n in range(1 + max(int(labels.max()) for _, labels in parts)))
    sets = [ImageSet(pictures, labels, classes) for pictures, labels in parts]
    if len(sets) == 1:
        return sets[0]
    notes = ("held out are the images of t10k",)
    return ImageSet(sets[0].images, sets[0].labels, classes, notes, sets[1])


def _scaled(images: np.ndarray, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """(N, height, width) → (N, *size, channels)."""
    if size is not None and images.shape[1:] != size:
        from PIL import Image, ImageOps

        if len(images) * size[0] * size[1] * channels > MEMORY:
            raise DataError(f"{len(images):,} images of {size[1]} × {size[0]} pixels are too many.")
        images = np.stack(
            [
                np.asarray(ImageOps.fit(Image.fromarray(i), size[::-1], Image.Resampling.BILINEAR))
                for i in images
            ]
        )
    return np.repeat(images[..., None], channels, axis=3)
