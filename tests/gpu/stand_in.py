"""A device that is none: tensors that say they are on cuda or mps, and whose numbers are the CPU's.

    python -m tests.gpu.stand_in cuda [arguments of pytest]

runs the tests of accelerators on it. Whatever a real device refuses is refused: a product with a
tensor of the CPU, a draw by a generator of the CPU, numpy of its memory, float64 on mps. What it
cannot show is a device's own arithmetic, memory and speed. `waits` counts, by operator, how often
the CPU had to wait for a number.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEED = 1234
waits: Counter[str] = Counter()


def load(kind: str) -> None:
    """Compile what torch is told by, and load it; torch must not be imported yet."""
    assert "torch" not in sys.modules, "torch has looked for its devices already"
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.origin is not None
    torch = Path(found.origin).parent
    if any((torch / "lib").glob("libtorch_cuda*")) or any((torch / "lib").glob("libtorch_hip*")):
        sys.exit("This build of torch has the library of a real device: install that for CPUs.")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "stand_in.so")
        words = ["g++", "-shared", "-fPIC", "-std=c++20", f"-I{torch}/include"]
        words += ["-DSTAND_IN_MPS"] * (kind == "mps")
        words += [str(Path(__file__).with_suffix(".cpp")), "-o", str(library), f"-L{torch}/lib"]
        subprocess.run([*words, "-lc10", "-ltorch_cpu", f"-Wl,-rpath,{torch}/lib"], check=True)
        ctypes.CDLL(str(library))


def install(kind: str) -> None:
    """Let torch have a device of this kind from now on, in this thread and in autograd's."""
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten, tree_map

    place = torch.device(kind, 0)
    own: dict[str, Any] = {}  # what is behind each operator of the package
    registered = torch.library.custom_op

    def custom_op(name: str, *given: Any, **more: Any) -> Any:
        def register(function: Any) -> Any:
            if name.startswith("lora_lab::"):
                own[name] = function
            return registered(name, **more)(function)

        if given:  # the function itself, by a library that is no matter of the package
            return registered(name, *given, **more)

        return register

    torch.library.custom_op = custom_op
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        drawn = [torch.get_rng_state()]  # the device's own

    class OnDevice(torch.Tensor):
        """`numbers` are a tensor of the CPU."""

        @staticmethod
        def __new__(cls, inner: torch.Tensor) -> OnDevice:
            if kind == "mps" and inner.dtype == torch.float64:
                raise TypeError("mps has no float64")
            made = cls._make_wrapper_subclass(
                cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=place,
                storage_offset=inner.storage_offset(), layout=inner.layout,
            )  # fmt: skip
            made.numbers = inner
            return made

        def __repr__(self, **_: Any) -> str:
            return f"on {place}: {self.numbers}"

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), more: Any = None) -> Any:
            with torch._C.DisableTorchFunctionSubclass():
                if func is torch.nn.functional.scaled_dot_product_attention:
                    return attention(*args, **(more or {}))
                if func is torch.Tensor.tolist:  # which torch does for none of a kind of its own
                    return args[0].cpu().tolist()
                return func(*args, **(more or {}))

        @classmethod
        def __torch_dispatch__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return run(func, args, kwargs or {})

    class Everywhere(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return run(func, args, kwargs or {})

    class Made(TorchFunctionMode):
        """torch.tensor goes past every mode of dispatch, so it is made on the CPU and moved."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), more: Any = None
        ) -> Any:
            more = more or {}
            if func is torch.tensor and is_here(more.get("device")):
                return func(*args, **{**more, "device": "cpu"}).to(more["device"])
            return func(*args, **more)

    def attention(
        q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0,
        is_causal: bool = False, **more: Any,
    ) -> torch.Tensor:  # fmt: skip
        """Torch would ask the device's own library which kernel it takes."""
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            open_ = torch.zeros_like(attn_mask, dtype=q.dtype)
            attn_mask = open_.masked_fill_(~attn_mask, -math.inf)
        plain = torch._scaled_dot_product_attention_math
        return plain(q, k, v, attn_mask, dropout_p, is_causal, **more)[0]

    def is_here(device: Any) -> bool:
        return device is not None and torch.device(device).type == kind

    @contextmanager
    def own_draws(func: Any):
        """Numbers drawn on the device are of its own generator."""
        if torch.Tag.nondeterministic_seeded not in func.tags:
            yield
            return
        before = torch.get_rng_state()
        torch.set_rng_state(drawn[0])
        yield
        drawn[0] = torch.get_rng_state()
        torch.set_rng_state(before)

    def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if torch.is_inference_mode_enabled():  # whose tensors can be views of no other
            with torch.inference_mode(False), torch.no_grad():
                return run(func, args, kwargs)
        flat = tree_flatten((args, kwargs))[0]
        ours = [t for t in flat if isinstance(t, OnDevice)]
        if not ours and not is_here(kwargs.get("device")):
            return func(*args, **kwargs)
        name = func.__name__.partition(".")[0]
        if func.name().partition(".")[0] in own:  # its code runs on the device as well
            with Made(), Everywhere():
                return own[func.name().partition(".")[0]](*args, **kwargs)
        if kind == "mps" and ours:
            if kwargs.get("dtype") == torch.float64 and flat[0] is ours[0]:
                raise TypeError("mps has no float64, and converts before it copies")
            if name in MISSING:
                raise NotImplementedError(
                    f"{func} is not there on mps, or hundreds of times slower"
                )
        crosses = name in ("_to_copy", "copy_")
        others = [t for t in flat if isinstance(t, torch.Tensor) and not isinstance(t, OnDevice)]
        if not crosses:
            check(func, args, flat, ours, others)
        to = kwargs.get("device", place if ours else None)
        if name == "_to_copy":
            to = kwargs.get("device") or flat[0].device
        arrives = is_here(to) or name == "copy_"
        if not arrives or name in WAITS or (crosses and ours and not isinstance(flat[0], OnDevice)):
            waits[name] += 1
        names = {id(t.numbers): t for t in ours}
        args, kwargs = tree_map(
            lambda x: x.numbers if isinstance(x, OnDevice) else x, (args, kwargs)
        )
        if is_here(kwargs.get("device")):
            kwargs = {**kwargs, "device": "cpu"}
        with own_draws(func):
            found = func(*args, **kwargs)
        if "empty" in name and found.is_floating_point():
            found.fill_(math.nan)  # as if another had left it there

        def given(x: Any) -> Any:
            if not isinstance(x, torch.Tensor) or not arrives:
                return x
            return names[id(x)] if id(x) in names else OnDevice(x)

        if name == "copy_":
            return flat[0]
        return tree_map(given, found)

    def check(func: Any, args: Any, flat: list[Any], ours: list[Any], others: list[Any]) -> None:
        if any(isinstance(x, torch.Generator) for x in flat):
            raise RuntimeError(f"Expected a '{kind}' device type for generator but found 'cpu'")
        whole = func.__name__.startswith(("_fused", "_foreach"))  # takes no number of the CPU's
        wrong = [t for t in others if t.dim() > 0 or whole]
        if func.__name__.partition(".")[0] in INDEXES and isinstance(args[0], OnDevice):
            wrong = []  # indices may be the CPU's
        if ours and wrong:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{place} and cpu! ({func})"
            )

    def seeded(seed: int) -> None:
        drawn[0] = torch.Generator().manual_seed(seed).get_state()

    def state(device: Any = None) -> torch.Tensor:
        return drawn[0].clone()

    def set_state(new: torch.Tensor, device: Any = None) -> None:
        assert new.device.type == "cpu"
        drawn[0] = new.clone()

    about = {
        "is_available": lambda: True, "device_count": lambda: 1, "synchronize": lambda *_: None,
        "get_device_name": lambda *_: "stand-in", "is_bf16_supported": lambda *_, **__: True,
        "get_rng_state": state, "set_rng_state": set_state, "manual_seed_all": seeded,
        "manual_seed": seeded, "empty_cache": lambda: None, "memory_allocated": lambda *_: 2**20,
        "current_allocated_memory": lambda: 2**20, "mem_get_info": lambda *_: (2**34, 2**34),
        "current_device": lambda: 0, "is_initialized": lambda: True, "_lazy_init": lambda: None,
        "_is_in_bad_fork": lambda: False, "is_current_stream_capturing": lambda: False,
    }  # fmt: skip
    for name, answer in about.items():
        setattr(getattr(torch, kind), name, answer)
    if kind == "mps":
        torch.backends.mps.is_available = lambda: True
    torch.__future__.set_swap_module_params_on_conversion(True)  # else a weight's .data is set
    torch.autograd.set_multithreading_enabled(False)  # a backward pass stays in the mode's thread
    Made().__enter__()
    Everywhere().__enter__()


WAITS = {"_local_scalar_dense", "equal", "nonzero", "masked_select", "is_nonzero", "unique"}
MISSING = {"linalg_qr", "geqrf"}
INDEXES = {"index", "index_put", "index_put_", "_index_put_impl_"}

if __name__ == "__main__":
    device = sys.argv[1]
    load(device)
    os.environ["LORA_LAB_STAND_IN"] = device
    sys.modules.setdefault("tests.gpu.stand_in", sys.modules["__main__"])
    install(device)
    import pytest

    sys.exit(pytest.main(sys.argv[2:]))
