"""Everything that a run's next step depends on, as plain tensors and numbers, and put back.

With the same base, data, device, number of threads and versions, a run that is restored takes the
very steps that it would have taken: factors, optimizer, ramps, random states, the place in the
course of batches, and the settings as they were last moved.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

import lora_lab
from lora_lab.adapters import LoRALayer
from lora_lab.blocks.gemm import maker, onednn_is_quicker
from lora_lab.records import ResumedRecord
from lora_lab.tasks.draws import random_states, set_random_states
from lora_lab.training.best import Best
from lora_lab.training.devices import processes_here
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import Ramp, Stage, regroup
from lora_lab.training.per_layer import freeze
from lora_lab.training.saving.facts import MOST_EDITS, VERSION, compare
from lora_lab.training.saving.fitting import Tensors
from lora_lab.training.saving.random_states import ON_DEVICE, is_of

# Variables of the environment that choose how sums are ordered.
ARITHMETIC = ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
              "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE")  # fmt: skip
PRODUCTS = "library of float32 products"
TORCHS_OWN = "torch's own"  # in all runs from before there was another


@torch.no_grad()
def state_of(experiment: Experiment, best: bool = True) -> tuple[Tensors, dict[str, Any]]:
    """Copies on the CPU, and what is no tensor; JSON holds the latter.

    Without the `best` adapter so far where that is not asked for.
    """
    tensors: Tensors = {}
    layers: dict[str, Any] = {}
    for name, layer in experiment.layers.items():
        trained = {}
        for label, p in layer.named_parameters(recurse=False):
            tensors[f"{name}|{label}"] = _copy(p)
            kept, numbers = {}, {}
            for key, value in experiment.optimizer.state.get(p, {}).items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{name}|{label}|{key}"] = _copy(value)
                    kept[key] = True
                elif value is not None:
                    numbers[key] = value
            trained[label] = {"moves": p.requires_grad, "state": sorted(kept), "numbers": numbers}
        about: dict[str, Any] = {"trained": trained}
        if isinstance(layer, LoRALayer):
            about |= {"scaling": layer.scaling, "dropout": layer.dropout, "ratio": layer.ratio}
        tensors |= {f"{name}|{label}": _copy(t) for label, t in layer.beside().items()}
        layers[name] = about
    tensors["random|torch"], on_device = random_states(experiment.device)
    if on_device is not None:
        tensors[ON_DEVICE] = on_device
    tensors["random|generator"] = experiment.generator.get_state()
    kept = experiment.task.retention
    packed, best_facts = (experiment.best if best else Best()).packed()
    tensors |= packed
    facts = {
        "version": VERSION,
        "step": experiment.step,
        "edits": min(experiment.edits, MOST_EDITS),
        "tokens": experiment.tokens,
        "batches": experiment.batches.taken,
        "seconds": experiment.training_seconds,
        "parts": [experiment.accumulation, experiment.halvings],
        "loss_scale": experiment.loss_scale.standing,
        "leg": list(experiment.stage),
        "hyper": experiment.hyper.model_dump(mode="json"),
        "layers": layers,
        "ramps": [
            [ramp.layer.name, ramp.fresh.start, ramp.fresh.stop, ramp.steps, ramp.taken]
            for ramp in experiment.ramps
        ],
        "best": best_facts,
        "kept": None if kept is None else [experiment.config.keep_data, kept.count],
        "base_fingerprint": experiment.base_fingerprint,
        "projection": experiment.space.fingerprint() if experiment.space else None,
        **_here(experiment),
        "machine": {**_machine(), **_products()},
    }  # fmt: skip
    return tensors, facts


@torch.no_grad()
def restore(experiment: Experiment, tensors: Tensors, facts: dict[str, Any]) -> tuple[str, ...]:
    """Put a state back into an experiment; what differs from where it was saved.

    Raises LabError, with nothing changed, where it is not the state of such an experiment.
    """
    hyper = compare(experiment, tensors, facts)
    optimizer = experiment.optimizer
    optimizer.state.clear()
    for name, about in facts["layers"].items():
        _restore_layer(experiment, name, about, tensors)
    if experiment.space is not None:
        experiment.space.project(hyper.dimension)
    regroup(optimizer, experiment.layers.values(), experiment.config, hyper.weight_decay)
    freeze(experiment.layers, hyper)
    experiment.hyper = hyper
    experiment.ramps = []
    for name, start, stop, length, taken in facts["ramps"]:
        ramp = Ramp(experiment.layers[name], start, stop, length)
        ramp.taken = taken
        experiment.ramps.append(ramp)
    experiment.best.unpack(tensors, facts["best"], facts["step"])
    data, count = facts.get("kept") or (None, None)
    if experiment.task.retention is not None and data == experiment.config.keep_data:
        experiment.task.retention.count = count  # or figures before and after would differ in rows
    experiment.step = facts["step"]
    experiment.training_seconds = facts["seconds"]
    experiment.tokens = facts.get("tokens", 0)
    experiment.stage = Stage(*facts["leg"])
    experiment.accumulation, experiment.halvings = facts["parts"]
    experiment.loss_scale.restore(facts.get("loss_scale"))
    experiment.edits = facts.get("edits", 0)
    experiment.batches.stand_behind(facts["batches"])
    experiment.generator.set_state(tensors["random|generator"])
    on_device = tensors.get(ON_DEVICE) if is_of(experiment.device, facts["device"]) else None
    # Last: what came before may have drawn.
    set_random_states(experiment.device, (tensors["random|torch"], on_device))
    return _differences(experiment, facts)


def _restore_layer(
    experiment: Experiment, name: str, about: dict[str, Any], tensors: Tensors
) -> None:
    layer, device = experiment.layers[name], experiment.device
    for label, stored in about["trained"].items():
        old = getattr(layer, label)
        values = tensors[f"{name}|{label}"].to(device, old.dtype)
        p = nn.Parameter(values, stored["moves"])
        setattr(layer, label, p)
        state: dict[str, Any] = dict(stored["numbers"])
        for key in stored["state"]:
            value = tensors[f"{name}|{label}|{key}"]
            # Adam's count of steps stays where the kernel wants it; the moments follow the factor.
            if key != "step":
                packed = key.endswith(("_codes", "_scales"))  # bytes and float32, whatever it moves
                value = value.to(device) if packed else value.to(device, old.dtype)
            state[key] = value if device.type == "cpu" else value.to(device)
        if state:
            experiment.optimizer.state[p] = state
    if isinstance(layer, LoRALayer):
        layer.scaling, layer.dropout = about["scaling"], about["dropout"]
        layer.ratio = about.get("ratio", 1.0)
    for label in layer.beside():
        setattr(layer, label, tensors[f"{name}|{label}"].to(device, layer.factor_dtype))


def resumed_record(experiment: Experiment, notes: tuple[str, ...]) -> ResumedRecord:
    """That the run continues from where it stands now; `notes`: what differs from then."""
    return ResumedRecord(experiment.step, tuple(experiment.stage), notes, experiment.edits)


def _here(experiment: Experiment) -> dict[str, Any]:
    return {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "device": str(experiment.device),
        "processes": processes_here(),
    }


@cache
def _machine() -> dict[str, str]:
    """What else decides the last bits of a sum, and cannot change while the process lives."""
    return {
        "lora-lab": lora_lab.__version__,
        "Python": platform.python_version(),
        **{name: installed(name) for name in ("numpy", "transformers", "tokenizers")},
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "maker of the processor": maker() or "not known",  # by which MKL chooses its kernels
        **{name: os.environ.get(name, "") or "not set" for name in ARITHMETIC},
    }


def _products() -> dict[str, str]:
    return {PRODUCTS: "oneDNN" if onednn_is_quicker() else TORCHS_OWN}


def installed(name: str) -> str:
    """The version of a library, without loading it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _differences(experiment: Experiment, facts: dict[str, Any]) -> tuple[str, ...]:
    """Why the steps to come may not be the very same ones."""
    products = _products() if experiment.device.type == "cpu" else {}
    here = {**_here(experiment), **_machine(), **products}
    # An older lab kept less.
    then = {PRODUCTS: TORCHS_OWN, **facts, **(facts.get("machine") or {})}
    differ = [f"{what} was {then[what]} and is {now}" for what, now in here.items()
              if what in then and then[what] != now]  # fmt: skip
    if not differ:
        return ()
    return (f"{'; '.join(differ)}: the order of the data is the same, the losses are to rounding",)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    source = tensor.detach().contiguous()
    if source.device.type != "cpu":
        return source.to("cpu")
    # By this thread alone: torch's own copying takes all of them and waits for the busiest, up to
    # 25 instead of 11 ms for 63 MB.
    copy = torch.empty_like(source)
    ctypes.memmove(copy.data_ptr(), source.data_ptr(), source.nbytes)
    return copy
