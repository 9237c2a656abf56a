"""A recognised net of torchvision or timm: chosen, built by its library, with the images it wants.

The libraries' own code makes the net and scales the images; only nets whose tensors are just those
of the file are built.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.fresh_head import drawn_anew
from lora_lab.models.image_rules import ImageRules
from lora_lab.models.vision_nets import (
    LIBRARIES,
    PIXELS,
    UNSURE,
    Net,
    current_names,
    is_reading,
    parse,
    recognised,
    said,
)
from lora_lab.progress import Report, silent

OWN = "a factory of your own, module:function, that builds the net"
INSTALL = "pip install {0}, as it is built for this PyTorch, and open the file again"
FEW = 64  # images that readings are tried on
MOST = 8  # nets that are compared
SAME = 1e-4  # of the largest logit
CENTRES = {"0to1": (0.0, 1.0), "-1to1": (0.5, 0.5)}  # mean and std

State = Mapping[str, torch.Tensor]
# How many → some images as bytes (n, height, width, channels), and their classes (n).
Labelled = Callable[[int], tuple[torch.Tensor, torch.Tensor]]


class Built(NamedTuple):
    """A net with the weights of the file, in eval mode."""

    module: nn.Module
    new_layers: tuple[str, ...]
    notes: tuple[str, ...]


def candidates(state: State, where: str, reading: str = "") -> list[Net]:
    """The nets that a file may be of, as far as their library is here; [] for a plain net.

    A `reading` that names one is taken at its word where its tensors are the file's. Raises
    CheckpointError where the file is of a net that cannot be built here, with the way out.
    """
    if reading and not is_reading(reading):
        return []
    names = current_names(state)
    exact, alike = recognised({names[key]: tuple(t.shape) for key, t in state.items()})
    if reading:
        asked = parse(reading)
        if (asked.library, asked.name) not in [net[:2] for net in exact]:
            of = f"It has those of {said(exact)}" if exact else f"Name {OWN}"
            raise CheckpointError(f"{where} does not have the tensors of {asked.words}. {of}.")
        exact = [asked]
    if not exact and alike:
        what = "classifies no images" if not any(net.heads for net in alike) else (
            "has tensors of other shapes"
        )  # fmt: skip
        raise CheckpointError(
            f"{where} names its tensors as {said(alike)}, which {what}. Name {OWN}."
        )
    if unsure := [net for net in exact if net.library == "torchvision" and net.name in UNSURE]:
        raise CheckpointError(
            f"{where} is of {unsure[0].words}, and no tensor says whether that changes its images "
            f"first (transform_input). Name {OWN}."
        )
    if not exact:
        return []
    here = [net for net in exact if not missing(net.library)]
    if not here:
        raise CheckpointError(
            f"{where} is of {said(exact)}, and {missing(exact[0].library)}. "
            f"{INSTALL.format(exact[0].library)}; or name {OWN}."
        )
    return here


def missing(library: str) -> str:
    """Why a library is not here to build anything; "" where it is."""
    try:
        _imported(library)
    except ImportError:
        return f"{library} is not installed"
    except Exception as error:  # noqa: BLE001, one that is built for another torch raises anything
        return f"{library} does not run beside torch {torch.__version__} ({error})"
    return ""


def chosen(
    state: State,
    where: str,
    nets: list[Net],
    classes: int,
    labelled: Labelled,
    seed: int,
    report: Report = silent,
) -> Net:
    """The one of `nets` that a file is of, where nothing has to be asked.

    Raises CheckpointError with the readings that fit where they compute otherwise, and, with the
    accuracy of each on `labelled` images, where the head fits these classes: such a net was trained
    on images of somebody's own, and no tensor says how its pixels were given to it.
    """
    own = state[next(key for key, name in current_names(state).items()
                     if name == f"{nets[0].heads[0]}.weight")].shape[0]  # fmt: skip
    if len(nets) == 1 and own != classes:
        return nets[0]
    made: list[tuple[Net, nn.Module, torch.Tensor]] = []
    for number, net in enumerate(nets[:MOST]):
        report(f"Comparing {len(nets)} nets", number / len(nets))
        module = build(state, where, net, own, seed).module
        answer = _answer(module, net)
        if not any(_same(net, answer, *other) for other in made):
            made.append((net, module, answer))
    readings = [(net._replace(pixels=way), m) for net, m, _ in made for way in PIXELS]
    if own != classes:
        if len(made) == 1:
            return made[0][0]
        shown = ", ".join(str(net) for net, _, _ in made)
    else:
        images, labels = labelled(FEW)
        right = {}
        for number, (net, module) in enumerate(readings):
            report(f"Trying {len(readings)} readings", number / len(readings))
            right[str(net)] = _accuracy(module, image_rules(net), images, labels)
        best = sorted(right, key=lambda name: -right[name])
        shown = ", ".join(f"{name} ({100 * right[name]:.1f} %)" for name in best)
        shown += f", right of {len(labels)} of these images"
    raise CheckpointError(
        f"{where} has the tensors of {said(nets)}, and does not say which it is and what its "
        f"pixels are. That fit: {shown}. Name yours (--reading {shown.split(' ')[0].rstrip(',')}), "
        f"or {OWN}."
    )


def build(state: State, where: str, net: Net, classes: int, seed: int) -> Built:
    """The net for that many classes, in float32; a head for another number is drawn from `seed`."""
    names = current_names(state)
    tensors = {names[key]: tensor for key, tensor in state.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _made(net, classes)
    wanted = module.state_dict()
    new = tuple(
        head
        for head in net.heads
        if tensors[f"{head}.weight"].shape != wanted[f"{head}.weight"].shape
    )
    kept = OrderedDict((n, t) for n, t in tensors.items() if n.rpartition(".")[0] not in new)
    kept._metadata = wanted._metadata  # type: ignore[attr-defined]  # mnasnet asks for its version
    result = module.load_state_dict(kept, strict=False)
    lacking = [
        name for name in result.missing_keys
        if name.rpartition(".")[0] not in new and not name.endswith("num_batches_tracked")
    ]  # fmt: skip
    if lacking or result.unexpected_keys:  # another version of the library names them otherwise
        name = [*lacking, *result.unexpected_keys][0]
        raise CheckpointError(
            f"{where} does not fit {net.words} as the installed {net.library} builds it: {name}. "
            f"Name {OWN}."
        )
    note = f"{where} is of {net.words}, which {net.library} builds ({net})"
    return Built(module.float().eval(), new, (note, *drawn_anew(new)))


def image_rules(net: Net) -> ImageRules:
    """How the library's own weights want their images, or as the reading has it."""
    size, mean, std, prepare, words = (
        _torchvision_rules(net) if net.library == "torchvision" else _timm_rules(net)
    )
    if net.pixels:
        centre, spread = CENTRES[net.pixels]
        mean, std = (centre,) * 3, (spread,) * 3
    if net.size:
        size, prepare, words = (net.size, net.size), None, f"cover {net.size} × {net.size} pixels"
    scale = tuple(1 / (255 * s) for s in std)
    shift = tuple(-m / s for m, s in zip(mean, std, strict=True))
    listed = [", ".join(f"{n:.3g}" for n in numbers) for numbers in (mean, std)]
    note = f"images {words}, their values less {listed[0]} by {listed[1]}"
    return ImageRules(size, 3, scale, shift, prepare, (note,))


def _torchvision_rules(net: Net) -> tuple[Any, ...]:
    models, functional = (
        _imported("torchvision", part) for part in ("models", "transforms.functional")
    )
    weights = models.get_model_weights(net.name).DEFAULT
    rules = weights.transforms()

    def prepare(image: np.ndarray) -> np.ndarray:
        picture = functional.resize(
            Image.fromarray(image),
            rules.resize_size,
            rules.interpolation,
            antialias=rules.antialias,
        )
        return np.asarray(functional.center_crop(picture, rules.crop_size))

    (cut,), (resized,) = rules.crop_size, rules.resize_size
    words = f"are made {resized} pixels and cut to {cut}, as for torchvision's {weights}"
    return (cut, cut), rules.mean, rules.std, prepare, words


def _timm_rules(net: Net) -> tuple[Any, ...]:
    timm, data = _imported("timm"), _imported("timm", "data")
    given = timm.get_pretrained_cfg(net.name)
    how = data.resolve_data_config(
        pretrained_cfg=given.to_dict() if given else {"input_size": None}
    )
    transform = data.create_transform(**how, is_training=False, use_prefetcher=True)

    def prepare(image: np.ndarray) -> np.ndarray:
        return transform(Image.fromarray(image)).permute(1, 2, 0).numpy()

    size = tuple(how["input_size"][1:])
    words = f"are cut to {size[1]} × {size[0]} pixels by timm's rules for {net.name}"
    return size, how["mean"], how["std"], prepare, words


def _made(net: Net, classes: int) -> nn.Module:
    try:
        if net.library == "torchvision":
            models = _imported("torchvision", "models")
            return models.get_model(net.name, weights=None, num_classes=classes)
        return _imported("timm").create_model(net.name, pretrained=False, num_classes=classes)
    except Exception as error:
        raise ConfigError(f"{net.library} cannot build its {net.name}: {error}") from error


def _imported(library: str, part: str = "") -> ModuleType:
    assert library in LIBRARIES
    return importlib.import_module(f"{library}.{part}".rstrip("."))


@torch.no_grad()
def _answer(module: nn.Module, net: Net) -> torch.Tensor:
    """(2, classes) of two pictures of noise."""
    noise = torch.randn(2, 3, *image_rules(net).size, generator=torch.Generator().manual_seed(0))
    return module(noise)


def _same(net: Net, answer: torch.Tensor, other: Net, _: nn.Module, theirs: torch.Tensor) -> bool:
    """Whether two nets say the same of images that they are given alike."""
    one, two = image_rules(net), image_rules(other)
    if (one.size, one.scale, one.shift) != (two.size, two.scale, two.shift):
        return False
    return bool((answer - theirs).abs().max() <= SAME * theirs.abs().max())


@torch.no_grad()
def _accuracy(
    module: nn.Module, rules: ImageRules, images: torch.Tensor, labels: torch.Tensor
) -> float:
    scale, shift = (torch.tensor(t).view(1, -1, 1, 1) for t in (rules.scale, rules.shift))
    values = images.permute(0, 3, 1, 2).float() * scale + shift
    if values.shape[2:] != rules.size:
        values = F.interpolate(values, rules.size, mode="bilinear", antialias=True)
    found = torch.cat([module(part).argmax(1) for part in values.split(16)])
    return float((found == labels).float().mean())
