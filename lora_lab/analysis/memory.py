"""The peak memory of a training step before there is one: the step is run on tensors without data.

Fake tensors have shape, strides, dtype and device, but no bytes. The step takes the path of a real
one through autograd, so its storages can be counted instead of allocated, and a model of billions
of weights takes seconds.
"""

from __future__ import annotations

import copy
import functools
import types
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lora_lab.errors import LabError

STEP_BYTES = 4  # Adam counts the steps of each parameter in a float32 scalar
# Blocks below this many bytes are on the heap of the C library, between those that live longer, and
# leave holes; larger ones are mapped and unmapped by themselves. The share of holes was measured on
# glibc: 0.3 to 0.4 of the activations on the heap (SmolLM2-135M, 1×64 to 8×256, float32, bfloat16).
MAPPED = 2**25
HOLES = 0.35


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of the tensors that live at the peak of a training step, by what they are for.

    The interpreter, its libraries and what kernels take for themselves come on top.
    """

    weights: int  # the base model: parameters, buffers and other tensors, shared ones once
    adapter: int  # what is put beside it
    gradients: int  # of the trained parameters
    optimizer: int  # its state
    activations: int  # the rest at the peak: batch, what backward needs, temporaries
    holes: int  # what the CPU's allocator is expected to leave unused between activations

    @property
    def peak(self) -> int:
        """The most that lives at once in any step but the first, which has no state yet."""
        return self.weights + self.adapter + self.gradients + self.optimizer + self.activations

    @property
    def resident(self) -> int:
        """What the process is expected to take for them."""
        return self.peak + self.holes


def estimate_memory(
    model: nn.Module,
    batch: Any,
    loss: Callable[[nn.Module, Any], torch.Tensor],
    *,
    prepare: Callable[[nn.Module], Iterable[nn.Parameter]],
    states_per_parameter: float = 2,
) -> MemoryEstimate:
    """The memory of a training step of `model` on `batch`; nothing is computed or allocated.

    `prepare(twin)` adapts a twin of the model that has no data, and returns the parameters to
    train; `loss(twin, batch)` is the scalar loss. Of `batch`, any nest of dicts, lists and tuples
    of tensors, only shapes, dtypes and devices count. Weights on `meta` are taken to be on the CPU.
    The optimizer holds `states_per_parameter` tensors like each trained one (Adam: 2, plus what a
    trainer copies for itself), on average, and updates in place, as the fused ones do. The model
    itself, its training mode and the random state are left as they are.

    Raises LabError where the step cannot run without data, because it looks at values or leaves
    torch, and where it fails for another reason; what `prepare` raises as LabError goes through.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    live = _LiveBytes(mode)
    storages: dict[int, torch.UntypedStorage] = {}
    known: dict[int, Any] = {}
    given: dict[int, Any] = {}
    try:
        with mode:
            twin = _twin(model, lambda t: _fake(t, storages), known)
            inputs = _twin(batch, lambda t: torch.empty_like(_fake(t, {})), given)
            live.add(known.values())
            known.clear()  # what `prepare` takes out is free
            storages.clear()
            with _LiveBytes(mode):
                trained = list({id(p): p for p in prepare(twin)}.values())
            adapter = live.add([*twin.parameters(), *twin.buffers(), *trained])
            weights = live.now - adapter
            live.add(given.values())
            standing = live.heap
            with live:
                loss(twin, inputs).backward()
    except LabError:
        raise
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise LabError(
            "The memory cannot be estimated: the step looks at the values of a tensor "
            f"({error.func}), and there are none yet. Measure a step instead."
        ) from error
    except Exception as error:
        raise LabError(
            "The memory cannot be estimated: the step failed on tensors without data. If it works "
            f"on real ones, measure one instead. ({type(error).__name__}: {error})"
        ) from error

    gradients = [p.grad for p in trained if p.grad is not None]
    if not gradients:
        raise LabError("The loss does not depend on any of the parameters to train.")
    gradient = _bytes(gradients)
    optimizer = int(states_per_parameter * _bytes(gradients)) + STEP_BYTES * len(gradients)
    return MemoryEstimate(
        weights=weights,
        adapter=adapter,
        gradients=gradient,
        optimizer=optimizer,
        activations=max(live.peak, live.now) - weights - adapter - gradient,
        holes=int(HOLES * max(0, live.heap_peak - standing - gradient)),
    )


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that live while operators run, and keeps their maximum."""

    def __init__(self, mode: FakeTensorMode) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.heap = self.heap_peak = 0  # of the CPU's blocks below MAPPED
        self._memo = mode.fake_tensor_converter.tensor_memo
        self._storages: dict[int, weakref.ref] = {}

    def add(self, values: Iterable[Any]) -> int:
        """Count the storages of tensors among `values` that are new; returns their bytes."""
        before = self.now
        for value in values:
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self._storages:
                    heap = size if size < MAPPED and value.device.type == "cpu" else 0
                    drop = functools.partial(self._drop, key, size, heap)
                    self._storages[key] = weakref.ref(storage, drop)
                    self.now += size
                    self.heap += heap
        return self.now - before

    def _drop(self, key: int, size: int, heap: int, _: weakref.ref) -> None:
        del self._storages[key]
        self.now -= size
        self.heap -= heap

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Tensor) and not isinstance(value, FakeTensor):
                if value.requires_grad:
                    raise LabError(
                        "The memory cannot be estimated: the loss uses a parameter of another "
                        "model than the one that it is given. Use its argument."
                    )
                self.add([value])
        result = func(*args, **kwargs)
        self._memo.clear()  # its weak references to new tensors would keep modules from moving
        self.add(tree_leaves(result))
        # Autograd sums the gradients that meet at one tensor in place, but not under a dispatch
        # mode: here the old sum is freed a moment after the new one is there.
        summed = func is torch.ops.aten.add.Tensor and torch._C._current_graph_task_id() >= 0
        if not summed or torch.is_grad_enabled():
            self.peak = max(self.peak, self.now)
            self.heap_peak = max(self.heap_peak, self.heap)
        return result


def _fake(t: torch.Tensor, storages: dict[int, torch.UntypedStorage]) -> torch.Tensor:
    """A tensor like `t` without data; those that share a storage do so again."""
    device = "cpu" if t.is_meta else t.device
    source = t.untyped_storage()
    if source._cdata not in storages:
        block = torch.empty(source.nbytes(), dtype=torch.uint8, device=device)
        storages[source._cdata] = block.untyped_storage()
    storage = storages[source._cdata]
    fake = torch.empty(0, dtype=t.dtype, device=device)
    return fake.set_(storage, t.storage_offset(), t.shape, t.stride())


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _twin(thing: Any, tensor: Callable[[torch.Tensor], torch.Tensor], memo: dict[int, Any]) -> Any:
    """The same structure of modules, containers and plain objects with tensor(t) for each tensor.

    Everything else (functions, locks, files) is shared, so that no module can refuse, as it can
    refuse `copy.deepcopy`. `memo` maps the id of an original to its twin.
    """
    if id(thing) in memo:
        return memo[id(thing)]

    def twin(inner: Any) -> Any:
        return _twin(inner, tensor, memo)

    new = thing
    if isinstance(thing, torch.Tensor):
        new = tensor(thing)
        if isinstance(thing, nn.Parameter):
            new = nn.Parameter(new, thing.requires_grad)
        else:
            new.requires_grad_(thing.requires_grad)
    elif isinstance(thing, types.MethodType):
        new = types.MethodType(thing.__func__, twin(thing.__self__))
    elif isinstance(thing, functools.partial):
        new = functools.partial(twin(thing.func), *twin(thing.args), **twin(thing.keywords))
    elif type(thing) is tuple:
        new = tuple(map(twin, thing))
    elif isinstance(thing, tuple) and hasattr(thing, "_make"):
        new = thing._make(map(twin, thing))
    elif isinstance(thing, list | dict | set):
        memo[id(thing)] = new = copy.copy(thing)  # before what is inside, which may refer to it
        new.clear()
        if isinstance(thing, dict):
            new.update({twin(key): twin(value) for key, value in thing.items()})
        elif isinstance(thing, list):
            new.extend(map(twin, thing))
        else:
            new.update(map(twin, thing))
    elif isinstance(thing, nn.Module) or _is_plain(thing):
        memo[id(thing)] = new = object.__new__(type(thing))
        new.__dict__.update({key: twin(value) for key, value in vars(thing).items()})
    memo[id(thing)] = new
    return new


def _is_plain(thing: Any) -> bool:
    """Whether `thing` is its attributes and nothing else."""
    kind = type(thing)
    return (
        hasattr(thing, "__dict__")
        and kind.__new__ is object.__new__
        and kind.__reduce__ is object.__reduce__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and not isinstance(thing, type | types.FunctionType | types.ModuleType)
    )
