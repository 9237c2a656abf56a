"""The frozen trunk of a causal language model: what lies below its lowest adapter, computed apart.

What a token becomes there depends on its own text alone and never changes, so it may be kept. That
a kept one gives the very bits of one that is computed now, it is always computed in the same way,
kept or not: without padding, since attention sums over that in another order, and with texts of the
same length alone. A row of such a batch is mostly the same to the bit whoever stands beside it;
where it is not, as is tried out, texts go through one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Protocol

import torch
from torch import nn

from lora_lab.tasks.draws import RandomStates, drawing_apart, random_states

LEAST_SHARE = 0.25  # of the layers that lie below; the saving of fewer is small
ALONE = 8  # tokens: kernels for a few rows sum in an order of their own
MOST_TOKENS = 4096  # that go through the trunk together
PROBES = (5, 29, 64)  # tokens of the rows that are tried
TOGETHER = (3, 8)  # rows beside which each of them is

Lengths = Sequence[Sequence[int]]  # of the texts that stand end to end in each row of a part


class Store(Protocol):
    """Where activations are kept, as bytes by the digest of a text."""

    def get(self, digest: bytes, size: int) -> bytearray | None: ...

    def put(self, digest: bytes, data: bytes) -> None: ...


class Trunk:
    """The layers below `depth` of one model, and what is kept of what they answer."""

    def __init__(self, model: Any, layers: nn.ModuleList, depth: int) -> None:
        self._model, self._below, self._above = model, layers[:depth], layers[depth:]
        self.depth, self.count = depth, len(layers)
        self.width = 0  # numbers of an activation, once one was seen
        self.store: Store | None = None
        self.together = True  # whether texts of one length may go through in one batch
        self._dtype = torch.float32

    @classmethod
    def of(cls, model: Any, adapted: Sequence[str]) -> tuple[Trunk | None, str]:
        """The trunk below the lowest `adapted` layer of `model`; None and why there is none.

        The reason is "" where so little lies below that nobody would expect one.
        """
        found = _stack(model)
        if found is None:
            return None, ""
        name, layers = found
        depth = _lowest(model, name, len(layers), adapted)
        if depth < LEAST_SHARE * len(layers):
            return None, ""
        trunk = cls(model, layers, depth)
        training = {module: module.training for module in model.modules()}
        try:
            with drawing_apart(next(model.parameters()).device), torch.no_grad():
                reason = trunk._unfit()
        finally:
            for module, was in training.items():
                module.training = was
        return (None, reason) if reason else (trunk, "")

    def states(self, ids: torch.Tensor, lengths: Lengths) -> torch.Tensor:
        """(rows, tokens, width): what the layer above the trunk is given of each text; 0 else."""
        texts = [
            (row, begin, length)
            for row, parts in enumerate(lengths)
            for begin, length in zip(_begins(parts), parts, strict=True)
        ]
        states = None
        for row, begin, found in self._found(ids, texts):
            if states is None:
                states = found.new_zeros(*ids.shape, found.shape[-1])
            states[row, begin : begin + len(found)] = found
        assert states is not None, "a part has a text"
        return states

    @contextmanager
    def standing_in(self, ids: torch.Tensor, lengths: Lengths) -> Iterator[None]:
        """Within, the layers below answer at once what they make of `ids`.

        The last of them does, and no hook of the first one above: that may be called once more in
        the backward pass, by gradient checkpointing.
        """
        with _passing(self._below, answer=self.states(ids, lengths)):
            yield

    def _found(
        self, ids: torch.Tensor, texts: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[int, int, torch.Tensor]]:
        """(row, begin, activations (length, width)) of each text, kept or computed."""
        missing: dict[int, list[tuple[int, int, bytes]]] = {}
        tokens = ids.cpu() if ids.device.type != "cpu" else ids
        for row, begin, length in texts:
            text = tokens[row, begin : begin + length].contiguous()
            digest = blake2b(text.numpy().tobytes(), digest_size=16).digest()
            size = length * self.width * self._dtype.itemsize
            kept = self.store.get(digest, size) if self.store is not None else None
            if kept is not None:
                found = torch.frombuffer(kept, dtype=self._dtype).view(length, self.width)
                yield row, begin, found.to(ids.device)
            else:
                missing.setdefault(length, []).append((row, begin, digest))
        for length, places in missing.items():
            together = self.together and length >= ALONE
            most = max(1, MOST_TOKENS // length) if together else 1
            for start in range(0, len(places), most):
                group = places[start : start + most]
                rows = torch.stack([ids[row, begin : begin + length] for row, begin, _ in group])
                for (row, begin, digest), found in zip(group, self._computed(rows), strict=True):
                    if self.store is not None:
                        raw = found.cpu().contiguous().view(torch.uint8).numpy().tobytes()
                        self.store.put(digest, raw)
                    yield row, begin, found

    @torch.no_grad()
    def _computed(self, ids: torch.Tensor) -> torch.Tensor:
        """(rows, tokens, width): what the layer above is given of texts of one length."""
        seen: list[torch.Tensor] = []

        def see(_module: nn.Module, args: Any, kwargs: Any) -> None:
            seen.append(args[0] if args else kwargs["hidden_states"])

        hook = self._above[0].register_forward_pre_hook(see, with_kwargs=True)
        try:
            with _passing(self._above):
                self._model.base_model(input_ids=ids, use_cache=False, return_dict=True)
        finally:
            hook.remove()
        self.width, self._dtype = seen[0].shape[-1], seen[0].dtype
        return seen[0].detach()

    def _unfit(self) -> str:
        """Why what the trunk answers may not be kept; "" where it may. Tried on rows of its own."""
        device = next(self._model.parameters()).device
        vocabulary = int(self._model.config.get_text_config().vocab_size)
        draw = torch.Generator().manual_seed(0)
        self._model.train()
        before = random_states(device)
        for length in PROBES:
            rows = torch.randint(vocabulary, (max(TOGETHER), length), generator=draw).to(device)
            try:
                alone = self._computed(rows[:1])
            except (RuntimeError, TypeError, KeyError, AttributeError, IndexError):
                return ""  # built otherwise than most; nothing is lost
            if not _same(random_states(device), before):
                return "something random is drawn below, as by dropout of the model's own"
            if not torch.equal(alone, self._computed(rows[:1])):
                return "the layers below do not answer the same twice"
            if length >= ALONE and not all(
                torch.equal(alone[0], self._computed(rows[:count])[0]) for count in TOGETHER
            ):
                if device.type != "cpu":  # one by one is no way to use it
                    return "on this device the last bits of a row depend on the rows beside it"
                self.together = False
        self._model.eval()
        whole = self._model.base_model(input_ids=rows[:1], use_cache=False, return_dict=True)
        with self.standing_in(rows[:1], [[length]]):
            parted = self._model.base_model(input_ids=rows[:1], use_cache=False, return_dict=True)
        if not torch.equal(whole.last_hidden_state, parted.last_hidden_state):
            return "layers above read more of those below than what the last of them answers"
        return ""


@contextmanager
def _passing(layers: nn.ModuleList, answer: torch.Tensor | None = None) -> Iterator[None]:
    """Within, each of these layers answers what it is given, or all of them `answer`."""

    def passed(first: torch.Tensor | None = None, *_: Any, **named: Any) -> torch.Tensor:
        if answer is not None:
            return answer
        return named["hidden_states"] if first is None else first

    replaced: list[nn.Module] = []
    try:
        for layer in layers:
            layer.forward = passed
            replaced.append(layer)
        yield
    finally:
        for layer in replaced:
            del layer.forward  # that of its class again


def _stack(model: Any) -> tuple[str, nn.ModuleList] | None:
    """The name and the list of the layers that follow each other in the model's body."""
    body = getattr(model, "base_model", None)
    if body is None:
        return None
    prefix = next((name for name, module in model.named_modules() if module is body), None)
    lists = [(n, m) for n, m in body.named_children() if isinstance(m, nn.ModuleList) and len(m)]
    kinds = [(n, m) for n, m in lists if len({type(layer) for layer in m}) == 1]
    if prefix is None or len(kinds) != 1 or any("forward" in vars(x) for x in kinds[0][1]):
        return None
    name, layers = kinds[0]
    return (f"{prefix}.{name}" if prefix else name), layers


def _lowest(model: Any, stack: str, count: int, adapted: Sequence[str]) -> int:
    """The number of the lowest layer of the `stack` that has an adapter; 0 where one is before."""
    head = model.get_output_embeddings()
    lowest = count
    for name in adapted:
        if name.startswith(f"{stack}."):
            lowest = min(lowest, int(name[len(stack) + 1 :].split(".")[0]))
        elif model.get_submodule(name) is not head:
            return 0
    return min(lowest, count - 1)


def _begins(lengths: Sequence[int]) -> list[int]:
    """Where each of the texts that stand end to end begins."""
    begins, at = [], 0
    for length in lengths:
        begins.append(at)
        at += length
    return begins


def _same(one: RandomStates, other: RandomStates) -> bool:
    return all(a is b or torch.equal(a, b) for a, b in zip(one, other, strict=True))
