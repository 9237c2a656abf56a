"""What takes turns in gpu_table.py: each a step that can be repeated, over one model's tensors."""

from __future__ import annotations

import argparse
import copy
import importlib.util
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch._dynamo
import torch._dynamo.utils
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.resize import resize
from lora_lab.analysis.spectrum import stated_spectra
from lora_lab.blocks.forms import NF4
from lora_lab.blocks.frozen import in_blocks
from lora_lab.training.adam import FusedAdamW

PADDED = 32  # rank of what is padded: edits up to it change no shape
EDITS = (12, 16, 5)  # ranks in mid-run
RATE = 1e-4


class NotHere(Exception):
    """Why a contender has no figure on this machine."""


@dataclass
class Work:
    """A model of random weights on the device, and the tokens of a step."""

    model: nn.Module
    ids: torch.Tensor  # (rows, tokens)
    asked: argparse.Namespace
    device: torch.device
    left: list[Callable[[], None]] = field(default_factory=list)  # what is to be tidied up

    @classmethod
    def of(
        cls, shape: str, config: dict[str, int], asked: argparse.Namespace, device: torch.device
    ) -> Work:
        from transformers import LlamaConfig, LlamaForCausalLM

        rows, tokens = map(int, asked.tokens.split("x"))
        before = torch.get_default_dtype()
        torch.set_default_dtype(asked.dtype)
        try:
            with device:
                model = LlamaForCausalLM(LlamaConfig(**config, max_position_embeddings=4096))
        finally:
            torch.set_default_dtype(before)
        model.config.use_cache = False
        ids = torch.randint(config["vocab_size"], (rows, tokens), device=device)
        return cls(model.train().requires_grad_(False), ids, asked, device)

    @property
    def tokens(self) -> int:
        return self.ids.numel()

    @property
    def parameters(self) -> int:
        """Numbers of the matrices that tokens are multiplied by."""
        found = (m for m in self.model.modules() if isinstance(m, nn.Linear))
        return sum(m.weight.numel() for m in found)

    def twin(self) -> nn.Module:
        """The model once more, over the same tensors."""
        shared = {id(t): t for t in (*self.model.parameters(), *self.model.buffers())}
        return copy.deepcopy(self.model, shared)

    def targets(self, model: nn.Module) -> list[str]:
        return [n for n, m in model.named_modules() if type(m) is nn.Linear and n != "lm_head"]

    def close(self) -> None:
        for tidy in self.left:
            tidy()
        self.model = nn.Module()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class Contender:
    """A model that is trained by loss, backward and one fused AdamW."""

    compiled = False

    def __init__(self, work: Work, model: nn.Module, optimizer: Any = torch.optim.AdamW) -> None:
        self.work, self.model, self.run = work, model, model
        trained = [p for p in model.parameters() if p.requires_grad]
        more = {"fused": True} if optimizer is torch.optim.AdamW else {}
        self.optimizer = optimizer(trained, lr=RATE, **more)

    def step(self) -> None:
        self.run(input_ids=self.work.ids, labels=self.work.ids).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def edited(self, seconds: float) -> str:
        """What a live edit did, in so many seconds at the most; "" where there is none."""
        return ""


class Lab(Contender):
    """The lab's layers over the twin; `way` compiles it."""

    def __init__(self, work: Work, way: str = "", mode: str | None = None) -> None:
        model = work.twin()
        rank = PADDED if way == "padded" else work.asked.rank
        self.layers = inject(model, rank=rank, alpha=2.0 * rank, targets=work.targets(model))
        self.way, self.draw = way, torch.Generator().manual_seed(0)
        if way == "padded":
            self._fill(0, work.asked.rank)
        super().__init__(work, model, FusedAdamW)
        self.mode = mode
        if way:
            self.run, self.compiled = self._compiled(), True

    def _compiled(self) -> Any:
        # Each contender is a model more that the same code is compiled for.
        torch._dynamo.config.recompile_limit = 64
        self.before = dict(torch._dynamo.utils.counters["graph_break"]), _graphs()
        if self.way == "apart":
            for layer in self.layers.values():
                layer.forward = torch.compiler.disable(layer.forward)
        return compiled(self.model, self.work.asked, self.mode)

    def step(self) -> None:
        if self.way != "free":
            super().step()
            return
        # Else a parameter's shape is taken for a constant, and each rank makes a graph of its own.
        with torch._dynamo.config.patch(force_parameter_static_shapes=False):
            super().step()

    @torch.no_grad()
    def _fill(self, begin: int, end: int) -> None:
        """Directions `begin` … `end`−1 take part; all beyond are 0 in A and B, and stay so.

        The gradient of either factor is a product with the other, so a pair of zeros never moves.
        """
        for layer in self.layers.values():
            if begin == 0:
                layer.lora_A[end:] = 0
            else:
                rows, _ = layer.new_factors(end - begin, self.draw)
                layer.lora_A[begin:end] = rows
            layer.lora_A[end:], layer.lora_B[:, end:] = 0, 0

    def edit(self, rank: int) -> None:
        if self.way == "padded":
            self._fill(min(self.work.asked.rank, rank), rank)
            return
        for layer in self.layers.values():
            resize(layer, rank, layer.alpha, self.optimizer, self.draw)

    def edited(self, seconds: float) -> str:
        if not self.way:
            return ""
        breaks, first = self.before
        graphs = [_graphs()]
        broken = sum(torch._dynamo.utils.counters["graph_break"].values()) - sum(breaks.values())
        began, times = time.perf_counter(), []
        for rank in EDITS[: 1 if self.work.asked.tiny else None]:
            if times and time.perf_counter() - began + max(times) > seconds:
                break
            start = time.perf_counter()
            self.edit(rank)
            self.step()
            times.append(time.perf_counter() - start)
            graphs.append(_graphs())
        self.edit(self.work.asked.rank)
        self.step()
        new = [after - before for before, after in pairwise(graphs)]
        ranks = ", ".join(map(str, EDITS[: len(new)]))
        return (
            f"{graphs[0] - first} graphs, {broken} breaks; ranks {ranks} made "
            f"{', '.join(map(str, new))} new ones in {sum(times):.1f} s"
        )


def compiled(model: nn.Module, asked: argparse.Namespace, mode: str | None = None) -> Any:
    """By torch's own compiler; the tiny model's graphs are only found, and not compiled."""
    if asked.tiny:
        return torch.compile(model, backend="eager")
    return torch.compile(model, mode=mode)


def _graphs() -> int:
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise NotHere(f"{library} is not installed")


def peft(work: Work, model: nn.Module | None = None) -> Contender:
    needs("peft")
    import peft

    model = work.twin() if model is None else model
    rank = work.asked.rank
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return Contender(work, peft.get_peft_model(model, config))


def peft_compiled(work: Work) -> Contender:
    made = peft(work)
    made.run, made.compiled = compiled(made.model, work.asked), True
    return made


def graphs_of(work: Work) -> Contender:
    if work.device.type != "cuda":
        raise NotHere(f"{work.device.type} has no CUDA graphs")
    return Lab(work, "padded", "reduce-overhead")


def lab_in_4_bits(work: Work) -> Contender:
    made = Work(work.twin(), work.ids, work.asked, work.device)
    for name in made.targets(made.model):
        parent, _, leaf = name.rpartition(".")
        layer = made.model.get_submodule(name)
        blocks = in_blocks(layer, layer.weight.detach(), NF4, name)
        setattr(made.model.get_submodule(parent), leaf, blocks)
    rank = work.asked.rank
    targets = work.targets(work.model)
    inject(made.model, rank=rank, alpha=2.0 * rank, targets=targets)
    return Contender(work, made.model, FusedAdamW)


def peft_in_4_bits(work: Work) -> Contender:
    """bitsandbytes' own Linear4bit with double quantization."""
    needs("peft")
    needs("bitsandbytes")
    import bitsandbytes as bnb

    model = work.twin()
    for name in work.targets(model):
        parent, _, leaf = name.rpartition(".")
        old = model.get_submodule(name)
        new = bnb.nn.Linear4bit(
            old.in_features, old.out_features, bias=False, compute_dtype=work.asked.dtype,
            compress_statistics=True, quant_type="nf4",
        )  # fmt: skip
        new.weight = bnb.nn.Params4bit(
            old.weight.detach().cpu().clone(), requires_grad=False, quant_type="nf4",
            compress_statistics=True,
        )  # fmt: skip
        setattr(model.get_submodule(parent), leaf, new.to(work.device))
    return peft(work, model)


class Trl(Contender):
    """A step of TRL's SFTTrainer in its own loop, with its defaults but one row of work a step."""

    def __init__(self, work: Work) -> None:
        needs("trl")
        needs("datasets")
        from datasets import Dataset
        from peft import LoraConfig
        from trl import SFTConfig, SFTTrainer

        folder = tempfile.TemporaryDirectory()
        work.left.append(folder.cleanup)
        rows, tokens = work.ids.shape
        data = [{"input_ids": row} for row in work.ids.cpu().tolist()]
        settings = SFTConfig(
            output_dir=folder.name, max_steps=1, per_device_train_batch_size=rows, report_to=[],
            save_strategy="no", bf16=work.device.type == "cuda", max_length=tokens,
            disable_tqdm=True, use_cpu=work.device.type == "cpu", logging_steps=10**6,
        )  # fmt: skip
        rank = work.asked.rank
        self.trainer = SFTTrainer(
            model=work.twin(), args=settings, train_dataset=Dataset.from_list(data),
            processing_class=_tokenizer(),
            peft_config=LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"),
        )  # fmt: skip
        self.trainer.create_optimizer_and_scheduler(10**6)
        prepare = self.trainer.accelerator.prepare
        self.model, self.trainer.optimizer = prepare(self.trainer.model, self.trainer.optimizer)
        self.inputs = {"input_ids": work.ids, "labels": work.ids}

    def step(self) -> None:
        self.model.train()
        self.trainer.training_step(self.model, dict(self.inputs))
        self.trainer.optimizer.step()
        self.trainer.optimizer.zero_grad()


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({"<|end|>": 0, "<|pad|>": 1}, unk_token="<|end|>"))
    return PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|end|>", pad_token="<|pad|>")


def unsloth(work: Work) -> Contender:
    """It replaces functions of transformers for all that come after it: the last to begin."""
    needs("unsloth")
    with tempfile.TemporaryDirectory() as folder:
        work.model.save_pretrained(folder)
        _tokenizer().save_pretrained(folder)
        from unsloth import FastLanguageModel

        model, _ = FastLanguageModel.from_pretrained(
            folder, dtype=work.asked.dtype, load_in_4bit=False, max_seq_length=work.ids.shape[1]
        )
    rank = work.asked.rank
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = FastLanguageModel.get_peft_model(
        model, r=rank, lora_alpha=2 * rank, target_modules=names,
        use_gradient_checkpointing=False,
    )  # fmt: skip
    return Contender(work, model)


class Spectra(Lab):
    """σ of every adapted layer: what the loop shows between two steps."""

    def step(self) -> None:
        stated_spectra(self.layers.values())


CONTENDERS: dict[str, Callable[[Work], Contender]] = {
    "lab": Lab,
    "peft": peft,
    "trl": Trl,
    "lab, compiled": lambda work: Lab(work, "whole"),
    "lab, compiled, ranks free": lambda work: Lab(work, "free"),
    "lab, compiled, padded": lambda work: Lab(work, "padded"),
    "lab, compiled, adapters apart": lambda work: Lab(work, "apart"),
    "lab, CUDA graphs, padded": graphs_of,
    "peft, compiled": peft_compiled,
    "lab, 4 bits": lab_in_4_bits,
    "peft, bitsandbytes' 4 bits": peft_in_4_bits,
    "σ of all layers": Spectra,
    "unsloth": unsloth,
}
