"""Names of tensors as the owner's module has them: without what training wrapped around it.

torch.compile, DistributedDataParallel, FSDP and averaging put a module into another one, whose name
comes before every key. An adapter fits the module alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
FIRST = ("module", "ema_model", "_forward_module")  # where every key begins so
COUNT = "n_averaged"  # of torch's AveragedModel, beside its module

Value = TypeVar("Value")


def owners_names(keys: Iterable[str]) -> dict[str, str]:
    """Each key → what it is called in the owner's module; itself where nothing is around it."""
    keys = list(keys)
    parts = {key: [p for p in key.split(".") if p not in ANYWHERE] for key in keys}
    first = next(iter(parts.values()), [])
    around = next((at for at, part in enumerate(first) if part not in FIRST), len(first))
    for name in parts.values():  # what all begin with, less what the name of a tensor needs
        others = (at for at in range(min(around, len(name))) if name[at] != first[at])
        around = max(0, min(around, next(others, around), len(name) - 2))
    names = {key: ".".join(name[around:]) for key, name in parts.items()}
    return names if len(set(names.values())) == len(names) else dict(zip(keys, keys, strict=True))


def unwrapped(state: Mapping[str, Value]) -> tuple[dict[str, Value], str]:
    """`state` under its owner's names, and a note where they are others than the file's.

    The note of a file with more than these weights comes first.
    """
    beside = getattr(state, "note", "")
    state = {key: value for key, value in state.items() if key != COUNT}
    names = owners_names(state)
    first = next((key for key, name in names.items() if key != name), "")
    if not first:
        return dict(state), beside
    around = first.removesuffix(names[first]) or first
    note = f"the file's names are read without {around!r}, which training put around the module"
    return {names[key]: value for key, value in state.items()}, _together(beside, note)


def fitted(state: Mapping[str, Value], wanted: Iterable[str]) -> tuple[dict[str, Value], str]:
    """`state` under the names of a module that has the keys `wanted`, and a note.

    Where its own names are not the module's, they are without a first word that all have, as of a
    LightningModule that holds the module as `model`.
    """
    wanted = set(wanted)
    plain, note = unwrapped(state)
    if wanted <= set(plain):
        return plain, note
    for word in dict.fromkeys(key.partition(".")[0] for key in plain):
        held = f"{word}."
        inner = {key.removeprefix(held): v for key, v in plain.items() if key.startswith(held)}
        if wanted <= set(inner):
            more = len(plain) - len(inner)
            rest = f", and {more:,} other tensors are not used" if more else ""
            without = f"the file's names are read without {word!r}, which holds the net{rest}"
            return inner, _together(note, without)
    return plain, note


def _together(*notes: str) -> str:
    return "; ".join(filter(None, notes))
