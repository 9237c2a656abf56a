"""A model before and after fine-tuning: the matrices that both have, by the modules' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lora_lab.adapters.weights import WholeLayer
from lora_lab.errors import AdapterError
from lora_lab.models.base import Base
from lora_lab.models.key_map import Source
from lora_lab.models.skeleton import Skeleton, own_skeleton, skeletons, task_type_of
from lora_lab.workshop.places import tied_sources

EMBEDDINGS = ("embed_tokens", "wte", "wpe", "word_embeddings", "position_embeddings", "lm_head")
# PEFT gives a classifier's task layers of its own names to train beside, wherever they stand.
TASKS = ("CAUSAL_LM", "SEQ_2_SEQ_LM", "FEATURE_EXTRACTION")
FLOATS = ("float32", "float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "int8")
FITTED = ("linear", "conv1d_linear", "conv")


@dataclass(frozen=True)
class Matrix:
    """A weight that both have: module, kind, and where each side takes it from."""

    name: str
    kind: str
    before: Source
    after: Source


class Pair:
    """Two checkpoints of one architecture, each read as loading would."""

    def __init__(self, before: Base, after: Base) -> None:
        """Raises AdapterError where the two are of different architectures."""
        self.before, self.after = before, after
        self._tuned = own_skeleton(after.config, after.tensors)
        self._shared = tied_sources(self._tuned)  # of a head that only the base has its own of
        self._base: Skeleton | None = None
        if self._tuned is not None:
            same = (s for s in skeletons(before.config or after.config, before.tensors))
            self._base = next((s for s in same if s.name == self._tuned.name), None)
            if self._base is None:
                raise AdapterError(
                    "The two checkpoints have no weight matrix of one name in common: one is a "
                    f"{self._tuned.name}, and the other cannot be opened as one."
                )

    @property
    def task_type(self) -> str | None:
        """PEFT's word for what the tuned model is."""
        word = None if self._tuned is None else task_type_of(self._tuned.name)
        return word if word in TASKS else None

    def matrices(self) -> list[Matrix]:
        """Those that can be fitted; embeddings and tied heads are not."""
        if self._tuned is None or self._base is None:
            names = [n for n in self.before.tensors if n in self.after.tensors and self._plain(n)]
            return [self._by_shape(name) for name in names]
        found, covered = [], set()
        for name, kind in self._tuned.kinds.items():
            key = f"{name}.weight"
            ours = self._base.sources.get(key)
            theirs = self._tuned.sources.get(key) or self._shared.get(key)
            if kind and ours is not None and theirs is not None:
                covered |= {*ours.keys, *theirs.keys}
                resized = (
                    kind == "linear" and name.endswith("lm_head") and self._resized(ours, theirs)
                )
                if self._wanted(name, kind) and not resized:
                    found.append(Matrix(name, kind, ours, theirs))
        for key in self.before.tensors:  # experts, which loading stacks: each by its own name
            if key not in covered and key in self.after.tensors and self._plain(key):
                own = Source((key,))
                found.append(Matrix(key.removesuffix(".weight"), "linear", own, own))
        return found

    def read(self, matrix: Matrix) -> tuple[torch.Tensor, torch.Tensor]:
        """W of both, in the shape of the module."""
        name = f"{matrix.name}.weight"
        return (
            self.before.parameter(self._base, matrix.before, name),
            self.after.parameter(self._tuned, matrix.after, name),
        )

    def heads(self) -> tuple[WholeLayer, ...]:
        """Linear layers that the tuned model alone has."""
        if self._tuned is None or self._base is None:
            return ()
        alone = []
        for name, kind in self._tuned.kinds.items():
            weight, bias = (self._tuned.sources.get(f"{name}.{x}") for x in ("weight", "bias"))
            missing = f"{name}.weight" not in self._base.sources
            missing = missing and not self._tied(name, self._tuned)
            if kind == "linear" and weight is not None and missing:
                W = self.after.parameter(self._tuned, weight, f"{name}.weight")
                b = bias and self.after.parameter(self._tuned, bias, f"{name}.bias")
                alone.append(WholeLayer(name, W, b))
        return tuple(alone)

    def missed(self, fitted: Sequence[Matrix], whole: Sequence[WholeLayer]) -> list[str]:
        """Tensors of the files beside those that differ, or that only the tuned model has."""
        own = [matrix for matrix in fitted if f"{matrix.name}.weight" not in self._shared]
        done = {key for matrix in own for key in matrix.after.keys}
        done |= {key for layer in whole for key in layer.tensors()}
        theirs = self.after.tensors
        missed = [name for name in theirs if name not in self.before.tensors and name not in done]
        for name, tensor in self.before.tensors.items():
            if name in done or name not in theirs:
                continue
            same = tensor.shape == theirs[name].shape
            if not same or not torch.equal(self.before.raw(name), self.after.raw(name)):
                missed.append(name)
        return missed

    def _wanted(self, name: str, kind: str) -> bool:
        module = self._tuned.model.get_submodule(name) if self._tuned is not None else None
        grouped = getattr(module, "groups", 1) > 1
        tied = self._tied(name, self._tuned) and self._tied(name, self._base)
        plain = kind in FITTED and not grouped and not tied
        return plain and self._tuned is not None and not self._tuned.does_more(name)

    def _resized(self, ours: Source, theirs: Source) -> bool:
        """Whether the vocabulary has another size now."""
        before, after = (side.tensors for side in (self.before, self.after))
        return before[ours.keys[0]].shape != after[theirs.keys[0]].shape

    def _tied(self, name: str, skeleton: Skeleton | None) -> bool:
        return skeleton is not None and f"{name}.weight" in skeleton.tied

    def _plain(self, name: str) -> bool:
        tensor = self.before.tensors[name]
        module = name.removesuffix(".weight").rpartition(".")[2]
        sides = len(tensor.shape) in (2, 4) and min(tensor.shape[:2]) > 1
        is_weight = name.endswith(".weight") and module not in EMBEDDINGS
        return sides and is_weight and tensor.dtype in FLOATS

    def _by_shape(self, key: str) -> Matrix:
        """How a matrix is stored in files without config, by the length of its bias."""
        shape = self.before.tensors[key].shape
        kind = "conv" if len(shape) == 4 else self.before.turned(key)
        if not kind:
            raise AdapterError(
                f"{key.removesuffix('.weight')} is square, and its orientation is not known: some "
                "layers here are stored transposed, and no config.json says which. Name the "
                "folders with their config.json."
            )
        return Matrix(key.removesuffix(".weight"), kind, Source((key,)), Source((key,)))
