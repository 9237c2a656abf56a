"""A Hugging Face model as transformers would build and fill it, without a number in memory.

Names on disk are not always those of the modules: transformers 5 renames, splits and joins tensors
while it loads. Which tensor of the file ends up in which module, how each module holds its W, and
which parameters loading makes one is asked of transformers itself, on the meta device.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line, quiet
from lora_lab.models.frame import BUILDING, Endless, bounded
from lora_lab.models.hf_config import DEEPEST, check_counts
from lora_lab.models.key_map import Source, renamer, sources_of

# Classes that a folder is opened as when its own does not have an adapter's modules, by the word
# that PEFT keeps for the task.
TASKS = {
    "CAUSAL_LM": "MODEL_FOR_CAUSAL_LM_MAPPING",
    "SEQ_CLS": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
    "TOKEN_CLS": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING",
    "SEQ_2_SEQ_LM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "QUESTION_ANS": "MODEL_FOR_QUESTION_ANSWERING_MAPPING",
    "FEATURE_EXTRACTION": "MODEL_MAPPING",
}
OTHERS = (
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING",
    "MODEL_FOR_MASKED_LM_MAPPING", "MODEL_FOR_PRETRAINING_MAPPING",
)  # fmt: skip
TIE = "tie_word_embeddings"
UNKNOWN = 10_000  # tensors of a model whose weights are not there


@dataclass
class Skeleton:
    """A model on the meta device, and the tensors of a file that go into it."""

    model: Any
    sources: dict[str, Source] = field(default_factory=dict)  # parameter → its tensors
    unplaced: tuple[str, ...] = ()  # tensors of the file that this class does not take
    _plain: dict[type, bool] = field(default_factory=dict)  # class → whether it only multiplies

    @property
    def name(self) -> str:
        return type(self.model).__name__

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Module path → how it holds its W; "" for what is no layer with a matrix."""
        return {name: kind_of(module) for name, module in self.model.named_modules()}

    @cached_property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Every parameter by every name that it has, with its shape alone."""
        return dict(self.model.named_parameters(remove_duplicate=False))

    def ties(self) -> list[set[str]]:
        """Sets of parameters that are one: by the config's rule, or one object from the start."""
        return [set(group) for group in self._ties]

    @cached_property
    def tied(self) -> frozenset[str]:
        """The parameters of all `ties`."""
        return frozenset(name for group in self._ties for name in group)

    @cached_property
    def _ties(self) -> list[set[str]]:
        pairs = list(self.model.get_expanded_tied_weights_keys(all_submodels=True).items())
        first: dict[int, str] = {}
        for name, parameter in self.parameters.items():
            pairs.append((name, first.setdefault(id(parameter), name)))
        groups: dict[str, set[str]] = {}
        for pair in pairs:
            less, more = sorted((groups.get(name, {name}) for name in pair), key=len)
            more |= less
            groups.update(dict.fromkeys(less | set(pair), more))
        return [group for group in {id(g): g for g in groups.values()}.values() if len(group) > 1]

    def reads_tie_flag(self) -> bool:
        """Whether some forward computes otherwise where embeddings are tied."""
        kinds = {type(module) for module in self.model.modules()}
        for kind in kinds:
            if not kind.__module__.startswith("transformers."):
                continue
            if TIE in inspect.getsource(kind.forward):
                return True
        return False

    def does_more(self, name: str) -> bool:
        """Whether a module does more than multiply by W, so that W + ΔW is not W and ΔW apart."""
        module = self.model.get_submodule(name)
        kind = type(module)
        if kind not in self._plain:
            self._plain[kind] = _multiplies(module)
        return not self._plain[kind]

    def renamed(self, name: str) -> str:
        """A module path under the names of an earlier transformers, as it is called now."""
        return self._renamed(name)

    @cached_property
    def _renamed(self) -> Callable[[str], str]:
        return renamer(self.model)


def skeletons(
    values: Mapping[str, Any], keys: Iterable[str], task_type: str | None = None
) -> Iterator[Skeleton]:
    """What the config `values` can be opened as, the likeliest first, filled with tensors `keys`.

    Nothing where transformers cannot build it. Raises CheckpointError where it would have more
    layers than there are tensors, or takes too long.
    """
    keys = tuple(keys)
    check_counts(dict(values), len(keys) or DEEPEST, "config.json")
    seen = set()
    for kind, config in _classes(values, task_type):
        if kind in seen:
            continue
        seen.add(kind)
        model = _built(kind, config, len(keys) or UNKNOWN)
        if model is not None:
            yield Skeleton(model, *sources_of(model, keys))


def own_skeleton(values: Mapping[str, Any], keys: Iterable[str]) -> Skeleton | None:
    """The class that a folder says it is of, which is what others open it as."""
    if "model_type" not in values:
        return None
    return next(skeletons(values, keys), None)


def task_type_of(name: str) -> str | None:
    """PEFT's word for what a model class is for."""
    from transformers.models.auto import modeling_auto

    for word, table in TASKS.items():
        classes = getattr(modeling_auto, f"{table}_NAMES").values()
        if any(name == kind or name in kind for kind in classes if kind):
            return word
    return None


def config_of(values: Mapping[str, Any]) -> Any:
    """transformers' config; raises CheckpointError where the values do not hold together."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    with quiet("config.json"):
        try:
            kind = CONFIG_MAPPING[values["model_type"]]
            read = kind._decode_special_floats(deepcopy(dict(values)))  # infinity is a table there
            return kind.from_dict(read)
        except Exception as error:  # noqa: BLE001, each config checks its values in its own way
            raise CheckpointError(
                f"config.json does not hold together: {first_line(error)}"
            ) from None


def kind_of(module: nn.Module) -> str:
    """How a module holds its W: (out, in), turned, a table of rows, a kernel; "" for none."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, Conv1D):
        return "conv1d_linear"
    if isinstance(module, nn.Embedding):
        return "embedding"
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return "conv"
    return "linear" if isinstance(module, nn.Linear) else ""


@torch.no_grad()
def _multiplies(module: nn.Module) -> bool:
    """Whether y(W + D) − y(W) is D·x, by a try where a class has a forward of its own.

    An embedding may scale its rows (`embed_scale`); PEFT scales what it adds there as well.
    """
    from transformers.pytorch_utils import Conv1D

    parents = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, Conv1D)
    parent = next((p for p in parents if isinstance(module, p)), None)
    if parent is None or type(module).forward is parent.forward:
        return parent is not None
    if parent not in (nn.Linear, nn.Embedding):
        return False
    try:
        tried = deepcopy(module).to_empty(device="cpu").float()
        for tensor in (*tried.parameters(), *tried.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.linspace(0.5, 1.5, tensor.numel()).view(tensor.shape))
        W = tried.weight
        D = torch.linspace(-1, 1, W.numel()).view(W.shape)
        if parent is nn.Linear:
            x = torch.linspace(-1, 1, 2 * W.shape[1]).view(1, 2, -1)
            wanted = x @ D.T
        else:
            x = torch.tensor([[0, W.shape[0] - 1]])
            scale = getattr(tried, "embed_scale", None)
            wanted = D[x] * (1.0 if scale is None else scale)
        before = tried(x)
        W.add_(D)
        return torch.allclose(tried(x) - before, wanted, rtol=1e-3, atol=1e-3)
    except Exception:  # noqa: BLE001, a class that cannot be tried so does something else
        return False


def _classes(values: Mapping[str, Any], task_type: str | None) -> Iterator[tuple[Any, Any]]:
    """(class, config), in the order in which they are tried."""
    import transformers
    from transformers.models.auto import modeling_auto

    config = config_of(values)
    tables = [TASKS[task_type]] if task_type in TASKS else []
    named = [str(name) for name in values.get("architectures") or ()]
    if not tables or task_type == "CAUSAL_LM":  # the file's own class; a head wants its own
        yield from ((kind, config) for kind in map(_named, named) if kind is not None)
    for table in (*tables, *TASKS.values(), *OTHERS):
        mapping = getattr(transformers, table, None) or getattr(modeling_auto, table)
        with quiet("config.json"):
            found = mapping[type(config)] if type(config) in mapping else ()  # noqa: SIM401
        for kind in found if isinstance(found, tuple) else (found,):
            yield kind, config
    yield from ((kind, config) for kind in map(_named, named) if kind is not None)


def _named(name: str) -> Any:
    """A model class of transformers by its name; None for anything else."""
    import transformers

    kind = getattr(transformers, name, None) if name.isidentifier() else None
    is_model = isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
    return kind if is_model else None


def _built(kind: Any, config: Any, tensors: int) -> Any:
    with BUILDING, torch.random.fork_rng(devices=[]), quiet("config.json"), ExitStack() as contexts:
        try:
            for context in kind.get_init_context(torch.float32, False, False, None):
                contexts.enter_context(context)
            with bounded(tensors):
                return kind(deepcopy(config))
        except Endless:
            raise
        except Exception:  # noqa: BLE001, a class that cannot be built is none that fits
            return None
