"""The plain ReLU net, and how one is recognised in a checkpoint by tensor names and shapes.

y = W_n · relu(… relu(W_1 · x + b_1) …) + b_n. The net keeps the names of the file, so that an
adapter trained on it fits the module that the file came from.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.names import natural, shown

LISTED = 6  # tensors that a message shows
SEARCHED = 8  # layers up to which every order is tried
PATH = re.compile(r"\w+(\.\w+)*", re.ASCII)


class MLP(nn.Module):
    """Linear layers with a ReLU between each two of them.

    `layers` are (module path, layer) in order; dotted paths make nested containers.
    """

    flat = True  # takes images as rows of numbers
    reading = ""  # nothing about it had to be guessed

    def __init__(self, layers: Sequence[tuple[str, nn.Linear]]) -> None:
        super().__init__()
        places = [add_layer(self, path, layer) for path, layer in layers]
        self.layer_names = tuple(path for path, _ in layers)
        self.inputs = layers[0][1].in_features
        self.outputs = layers[-1][1].out_features
        self._places = tuple(places)  # looked up at each call: an adapter may have taken the place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, inputs) → (batch, outputs)."""
        last = len(self._places) - 1
        for index, (parent, name) in enumerate(self._places):
            x = parent._modules[name](x)
            if index < last:
                x = torch.relu(x)
        return x


def mlp(sizes: Sequence[int], names: Sequence[str] | None = None, bias: bool = True) -> MLP:
    """A net of `sizes` (inputs, hidden …, outputs) in torch's default init; layers fc1, fc2, …"""
    shapes = list(itertools.pairwise(sizes))
    names = names or [f"fc{index + 1}" for index in range(len(shapes))]
    layers = [nn.Linear(inputs, outputs, bias=bias) for inputs, outputs in shapes]
    return MLP(list(zip(names, layers, strict=True)))


def mlp_from_state(state: dict[str, torch.Tensor], where: str = "") -> MLP:
    """The net that the tensors of a checkpoint make, in float32; its keys are those of `state`.

    Wanted are 2-D `NAME.weight` (out, in) with an optional `NAME.bias` (out), the outputs of each
    layer being the inputs of the next. Raises CheckpointError that lists what was found instead,
    and names the file `where`.
    """
    try:
        return _net(state)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}" if where else str(error)) from None


def _net(state: dict[str, torch.Tensor]) -> MLP:
    weights = {key[: -len(".weight")]: t for key, t in state.items() if key.endswith(".weight")}
    for key, tensor in state.items():
        path, _, kind = key.rpartition(".")
        fits = (kind == "weight" and tensor.dim() == 2 and min(tensor.shape) > 0) or (
            kind == "bias" and path in weights and tensor.shape == weights[path].shape[:1]
        )
        if not (fits and PATH.fullmatch(path) and tensor.is_floating_point()):
            raise _misfit(f"{described(key, tensor)} has no place in one", state)
    shapes = {path: tuple(weight.shape) for path, weight in weights.items()}
    order = _chain(shapes)
    if order is None:
        raise _misfit("the outputs of one layer are not the inputs of the next", state)
    layers = []
    for path in order:
        outputs, inputs = shapes[path]
        has_bias = f"{path}.bias" in state
        layer = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=has_bias)
        layers.append((path, layer))
    net = MLP(layers)
    net.load_state_dict(state)  # copies, in float32
    return net


def check_fits(net: MLP, inputs: int, outputs: int, where: str = "") -> None:
    """Raise CheckpointError where `net` does not take what a task gives."""
    prefix = f"{where}: " if where else ""
    if net.inputs != inputs:
        raise CheckpointError(
            f"{prefix}the net takes {net.inputs} inputs, the task gives {inputs}. "
            "Choose a checkpoint that was made for this task."
        )
    if net.outputs != outputs:
        raise CheckpointError(
            f"{prefix}the net has {net.outputs} outputs, the task has {outputs} classes. "
            "Choose a checkpoint that was made for this task."
        )


def add_layer(root: nn.Module, path: str, layer: nn.Module) -> tuple[nn.Module, str]:
    """Put `layer` at a dotted `path` under `root`; its container, and its name there."""
    *containers, name = path.split(".")
    parent = root
    for container in containers:
        if container not in parent._modules:
            _add(parent, container, nn.Module(), path)
        parent = parent._modules[container]
    _add(parent, name, layer, path)
    return parent, name


def _add(parent: nn.Module, name: str, child: nn.Module, path: str) -> None:
    """Put `child` into `parent`, which may be a layer itself or have that word for a method."""
    if isinstance(parent, nn.Linear) or hasattr(parent, name):
        raise CheckpointError(
            f"layer {path} cannot be called that: the name is taken. Rename it in the checkpoint."
        )
    parent.add_module(name, child)


def _chain(shapes: dict[str, tuple[int, int]]) -> list[str] | None:
    """The order in which every layer's outputs are the next one's inputs.

    Names decide where they can (fc2 before fc10), then the order of the file; else the one order
    that the shapes allow, if there is just one.
    """
    if not shapes:
        return None

    def fits(order: Iterable[str]) -> bool:
        steps = itertools.pairwise(order)
        return all(shapes[before][0] == shapes[after][1] for before, after in steps)

    for order in (sorted(shapes, key=natural), list(shapes)):
        if fits(order):
            return order
    if len(shapes) > SEARCHED:
        return None
    orders = list(itertools.islice(filter(fits, itertools.permutations(shapes)), 2))
    return list(orders[0]) if len(orders) == 1 else None


def described(key: str, tensor: torch.Tensor) -> str:
    """A tensor for people: its name, escaped and cut, with shape and unusual type."""
    name = shown(key)[1:-1]
    kind = "" if tensor.is_floating_point() else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{name} ({' × '.join(map(str, tensor.shape)) or 'one number'}{kind})"


def _misfit(reason: str, state: dict[str, torch.Tensor]) -> CheckpointError:
    listed = ", ".join(described(k, t) for k, t in itertools.islice(state.items(), LISTED))
    more = f" and {len(state) - LISTED} more" if len(state) > LISTED else ""
    return CheckpointError(
        f"this is not a plain net of linear layers: {reason}. Found {listed}{more}. "
        "Choose a checkpoint whose 2-D NAME.weight (out × in) form one chain."
    )
