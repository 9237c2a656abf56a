"""Devices: what this machine has, what it lacks and why, and a device named by the user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_lab.device_name import split
from lora_lab.errors import ConfigError

if TYPE_CHECKING:
    import torch


# What torch says of a device that is gone; it has no exception of its own for it.
LOST = ("CUDA error", "CUDA driver error", "device-side assert", "hipError", "MPS backend error")


@dataclass(frozen=True)
class DeviceChoice:
    """One row of the device chooser; an absent device says why it is absent."""

    name: str
    label: str
    available: bool
    reason: str = ""
    quick: str = "float32"  # the dtype that it computes a base in blocks in


def is_lost(error: BaseException) -> bool:
    """Whether the accelerator itself has failed: nothing on it can be read any more."""
    import torch

    kind = getattr(torch, "AcceleratorError", None)
    if kind is not None and isinstance(error, kind):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)


def device_choices() -> list[DeviceChoice]:
    """cpu, every cuda device, and mps. Imports torch (seconds, the first time)."""
    import torch

    cores = f"CPU, {os.cpu_count()} cores"
    choices = [DeviceChoice("cpu", cores, True, quick=quick_dtype("cpu"))]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            title = torch.cuda.get_device_name(index)
            name = f"cuda:{index}"
            choices.append(DeviceChoice(name, title, True, quick=quick_dtype(name)))
        if (count := torch.cuda.device_count()) > 1:
            title = f"{count} × CUDA: one run in {count} processes"
            choices.append(DeviceChoice(f"{count} × cuda", title, True, quick=choices[1].quick))
    elif torch.version.cuda is None:
        reason = "this build of torch has no CUDA"
        choices.append(DeviceChoice("cuda", "CUDA", False, reason))
    else:
        choices.append(DeviceChoice("cuda", "CUDA", False, "no CUDA device or driver was found"))
    if torch.backends.mps.is_available():
        choices.append(DeviceChoice("mps", "Apple GPU (MPS)", True, quick=quick_dtype("mps")))
    elif torch.backends.mps.is_built():
        choices.append(
            DeviceChoice("mps", "Apple GPU (MPS)", False, "needs macOS 14 on Apple silicon")
        )
    else:
        reason = "only on Apple silicon"
        choices.append(DeviceChoice("mps", "Apple GPU (MPS)", False, reason))
    return choices


def processes_here() -> int:
    """How many processes the run is in that this one takes part in."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def computes_bfloat16(device: str) -> bool:
    """Whether a device, of that name, multiplies in bfloat16 and does not imitate it."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "mps":
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(flag) for flag in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def quick_dtype(device: str) -> str:
    """What a base in blocks is computed in, on the device of that name, where nobody says it."""
    return "bfloat16" if computes_bfloat16(device) else "float32"


def find_device(name: str, dtype: str = "float32") -> torch.device:
    """The torch device of that name, after a small computation on it has succeeded.

    Raises ConfigError where the device is unknown, absent or has vanished, or lacks the dtype.
    """
    import torch

    processes, kind = split(name)
    if processes > 1 and processes != processes_here():
        raise ConfigError(
            f"{name} is a run in {processes} processes, which train and resume start. Here there "
            f"is one: choose {kind}."
        )
    name, choices = kind, [choice for choice in device_choices() if split(choice.name)[0] == 1]
    offered = ", ".join(choice.name for choice in choices if choice.available)
    advice = f"Choose one of: {offered}."
    wanted = "cuda:0" if name == "cuda" else name
    for choice in choices:
        if choice.name == name and not choice.available:
            raise ConfigError(f"Device {name} is not here: {choice.reason}. {advice}")
    if wanted not in {choice.name for choice in choices if choice.available}:
        raise ConfigError(f"Device {name!r} is not here. {advice}")
    if wanted == "mps" and dtype == "float64":
        raise ConfigError("mps has no float64. Choose float32, or the cpu.")
    try:
        device = torch.device(wanted)
        (torch.ones(2, device=device) * 2).sum().item()
    except RuntimeError as error:
        raise ConfigError(f"Device {name} does not answer: {error}. {advice}") from error
    return device


def device_bytes(device: torch.device) -> int:
    """The memory that a device has for everything; that of the machine for cpu and mps."""
    import psutil
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return psutil.virtual_memory().total
