"""The plain net of linear layers, and how one is recognised in a checkpoint by names and shapes.

y = W_n · act(… act(W_1 · x + b_1) …) + b_n. The net keeps the names of the file, so that an
adapter trained on it fits the module that the file came from.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.chain import Chain
from lora_lab.models.layers import Layers, layers_of, listed
from lora_lab.models.reading import Reading

RELU = Reading()


class MLP(Chain):
    """Linear layers, with an activation between each two of them."""

    flat = True  # takes images as rows of numbers

    def __init__(
        self,
        layers: Sequence[tuple[str, nn.Linear]],
        norms: dict[str, tuple[str, nn.Module]] | None = None,
        reading: Reading = RELU,
    ) -> None:
        """`layers` are (module path, layer) in order; dotted paths make nested containers."""
        super().__init__(layers, norms or {}, reading)
        self.layer_names = tuple(path for path, _ in layers)
        self.inputs = layers[0][1].in_features
        self.outputs = layers[-1][1].out_features


def mlp(sizes: Sequence[int], names: Sequence[str] | None = None, bias: bool = True) -> MLP:
    """A ReLU net of `sizes` (inputs, hidden …, outputs) in torch's default init: fc1, fc2, …"""
    shapes = list(itertools.pairwise(sizes))
    names = names or [f"fc{index + 1}" for index in range(len(shapes))]
    layers = [nn.Linear(inputs, outputs, bias=bias) for inputs, outputs in shapes]
    return MLP(list(zip(names, layers, strict=True)))


def mlp_from_state(state: dict[str, torch.Tensor], where: str = "", reading: Reading = RELU) -> MLP:
    """The net that the tensors of a checkpoint make, in float32; its keys are those of `state`.

    Wanted are 2-D `NAME.weight` (out, in) with an optional `NAME.bias` (out), the outputs of each
    layer being the inputs of the next, and norms between them. Raises CheckpointError that lists
    what was found instead, and names the file `where`.
    """
    layers = mlp_layers(state, where)
    made, norms = layers.built(layers.orders[-1 if reading.file_order else 0], ())
    try:
        net = MLP(made, norms, reading)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}" if where else str(error)) from None
    net.load_state_dict(state)  # copies, in float32
    return net.eval()


def mlp_layers(state: dict[str, torch.Tensor], where: str) -> Layers:
    """The layers of a net of linear layers alone; raises CheckpointError as `mlp_from_state`."""
    try:
        layers = layers_of(state)
        if layers.convolutions or not layers.linears:
            raise CheckpointError("there are convolutions in it" if state else "it is empty")
    except CheckpointError as error:
        prefix = f"{where}: " if where else ""
        raise CheckpointError(
            f"{prefix}this is not a plain net of linear layers: {error}. Found {listed(state)}. "
            "Choose a checkpoint whose 2-D NAME.weight (out × in) form one chain, or name a "
            "factory of your own, module:function, that builds the net."
        ) from None
    return layers


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
