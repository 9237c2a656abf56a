"""A net made by the user's own function, named `module:function`; the one place that runs code.

It is run only after a person agreed to this function of this file in this process, and `build`
itself sees to that: a run, a queue or a sweep that names a function may be somebody else's. To ask,
`describe_factory` says where the code is without importing any of it; `agree` keeps the answer.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import re
import sys
from pathlib import Path

import torch
from torch import nn

from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.fresh_head import other_head
from lora_lab.models.state_names import fitted

WORD = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


_agreed: set[tuple[str, str]] = set()  # factory, and the file that it was in when it was shown


def agree(factory: str) -> None:
    """A person has seen what `describe_factory` says, and will have it run until the lab ends."""
    _agreed.add((factory, _place(factory)))


def is_agreed(factory: str) -> bool:
    """Whether a person has agreed to this function where it is now; there may be no such module."""
    return (factory, _find(_parts(factory)[0])) in _agreed


def describe_factory(factory: str) -> str:
    """What would be run, and where it is. Raises ConfigError where there is no such module."""
    _, function = _parts(factory)
    return (
        f"{factory} is the function {function} in {_place(factory)}. It is a program: it "
        "runs with all your rights. Agree only if you know who wrote it."
    )


def build(
    factory: str, state: dict[str, torch.Tensor], where: str, seed: int = 0
) -> tuple[nn.Module, tuple[str, ...], str]:
    """The module that the function returns, with the tensors of `state` in it.

    A head for another number of classes keeps what the function drew for it, from `seed`, and is
    named; a note says which names of the file were read otherwise. Runs the code. Raises
    ConfigError where nobody agreed to that, where it cannot be imported or fails, and
    CheckpointError naming tensors where `state`, read from `where`, does not fit.
    """
    net = _made(factory, seed)
    wanted = net.state_dict()
    state, note = fitted(state, wanted)
    counters = [n for n in wanted.keys() - state.keys() if n.endswith("num_batches_tracked")]
    state |= {name: wanted[name] for name in counters}  # which older files do not have
    for name in (*(wanted.keys() - state.keys()), *(state.keys() - wanted.keys())):
        side = "the net has no" if name in state else "the checkpoint has no"
        raise CheckpointError(
            f"{where} does not fit the net of {factory}: {side} {name}. Let the factory build the "
            "very net that was saved, or save its state_dict() alone."
        )
    head = other_head(state, wanted)
    for name, tensor in wanted.items():
        if tensor.shape != state[name].shape and name.rpartition(".")[0] != head:
            raise CheckpointError(
                f"{where} does not fit the net of {factory}: {name} is {tuple(state[name].shape)} "
                f"in the checkpoint and {tuple(tensor.shape)} in the net."
            )
    kept = {n: t for n, t in state.items() if not head or n.rpartition(".")[0] != head}
    net.load_state_dict(kept, strict=not head)
    return net.float(), (head,) if head else (), note


def _made(factory: str, seed: int) -> nn.Module:
    """What the function returns; raises ConfigError where nobody agreed, or where it fails."""
    if not is_agreed(factory):
        raise ConfigError(
            f"{describe_factory(factory)} Nobody agreed to that, so it was not run. Open it in the "
            "window, which asks, or give --run-factory."
        )
    module, function = _parts(factory)
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(module), function)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = make()
    except Exception as error:  # the user's code may raise anything
        raise ConfigError(f"{factory} failed with {type(error).__name__}: {error}") from error
    finally:
        if added:
            sys.path.remove(here)
    if not isinstance(net, nn.Module):
        raise ConfigError(f"{factory} returned a {type(net).__name__}, not a torch.nn.Module.")
    return net


def _parts(factory: str) -> tuple[str, str]:
    if not WORD.fullmatch(factory):
        raise ConfigError(f"Write the factory as module:function, not {factory!r}.")
    module, _, function = factory.partition(":")
    return module, function


def _place(factory: str) -> str:
    """The file of a factory's module; raises ConfigError where there is none."""
    module, _ = _parts(factory)
    where = _find(module)
    if where is None:
        raise ConfigError(
            f"There is no module {module} in {Path.cwd()} or among the installed ones. Start the "
            "lab in the folder of your code."
        )
    return where


def _find(module: str) -> str | None:
    """The file of a module; unlike importlib.util.find_spec this imports no package on the way."""
    path: list[str] | None = [str(Path.cwd()), *sys.path]
    name, spec = "", None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    return None if spec is None else spec.origin
