"""A run as a short script in PEFT's own terms that repeats it, its live edits as a schedule.

The script imports torch, peft and transformers, never the lab. Its parts are text files in
`resources/recipe/`, separated by lines `#: name`; a line that ends in `#? word` is taken where the
word holds of the run. What cannot be repeated is listed at the head of the script.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from pprint import pformat
from typing import Any, NamedTuple

import lora_lab
from lora_lab import paths
from lora_lab.choices import EVERY, OPTIMIZERS
from lora_lab.config import RunConfig
from lora_lab.device_name import first
from lora_lab.door import door
from lora_lab.errors import LabError
from lora_lab.inits import INITS
from lora_lab.names import brief, legible
from lora_lab.runs.recipe_settings import Problem, edits_of, live, lora_config, problem_of
from lora_lab.runs.story import Story, story_of
from lora_lab.variants import VARIANTS

Edits = dict[int, list[dict[str, Any]]]

MARK = re.compile(r"  #\? (\w+)$")
WIDTH = 96
LINE = 10_000  # characters of a note: a wrapped word of megabytes takes minutes
LIBRARY = {  # a word of the script → the import that it needs
    "csv.": "import csv",
    "gzip.": "import gzip",
    "inspect.": "import inspect",
    "itertools.": "import itertools",
    "json.": "import json",
    "math.": "import math",
    "re.": "import re",
    "OrderedDict(": "from collections import OrderedDict",
    "Path(": "from pathlib import Path",
}
INSTALLED = {
    "np.": "import numpy as np",
    "pyarrow.": "import pyarrow.parquet",
    "Image.open": "from PIL import Image, ImageOps",
    "torch.": "import torch",
    "F.": "import torch.nn.functional as F",
    "get_peft_model(": "from peft import LoraConfig, get_peft_model",
    "PeftModel.": "from peft import LoraConfig, PeftModel",
    "LoraLayer": "from peft.tuners.lora.layer import LoraLayer",
    "load_file(": "from safetensors.torch import load_file",
    "save_model(": "from safetensors.torch import save_model",
    "nn.": "from torch import nn",
    "AutoImageProcessor.": "from transformers import AutoImageProcessor",
    "AutoModelForCausalLM.": "from transformers import AutoModelForCausalLM",
    "AutoModelForImageClassification.": "from transformers import AutoModelForImageClassification",
    "AutoModelForSeq2SeqLM.": "from transformers import AutoModelForSeq2SeqLM",
    "AutoModelForSequenceClassification.": (
        "from transformers import AutoModelForSequenceClassification"
    ),
    "AutoTokenizer.": "from transformers import AutoTokenizer",
}
COMMENTS = {
    "LEGS": "from a step on: first and last step of the LR schedule",
    "B_RATE_RATIO": "learning rate of lora_B over that of lora_A (LoRA+)",
    "BATCH_TOKENS": "of a batch at most, with its padding",
    "ACCUMULATION": "pieces that a batch is worked off in",
    "SMOOTHING": "label smoothing; the loss on validation data is the plain one",
    "WHOLE": "layers that are fully trained",
    "LAYERS": "with an adapter",
}


class Recipe(NamedTuple):
    """The script, and what it does not repeat or repeats in another way."""

    text: str
    notes: tuple[str, ...]


def recipe_of(run: Path) -> str:
    """The script that repeats the run in this folder; raises LabError where there can be none."""
    return written(run).text


@door(LabError)
def written(run: Path) -> Recipe:
    """The script and its notes. Raises LabError where PEFT cannot express the run."""
    story = story_of(run)
    if not story.last_step:
        raise LabError(f"{run.name} has made no step yet, so there is nothing to repeat.")
    if story.config.random_weights or story.config.random_labels:
        raise LabError(
            f"{run.name} drew its {'weights' if story.config.random_weights else 'labels'} at "
            "random, and a script would train on the real ones."
        )
    variant = VARIANTS[story.config.variant]
    if variant.peft is None and not variant.whole:
        raise LabError(f"PEFT has no variant {variant}, so there is no script in its terms.")
    if variant.own_start:
        raise LabError(
            f"{variant} trains other numbers than A and B, which a script in PEFT's terms has no "
            "part for. Export the adapter: its A and B say the same of every ΔW."
        )
    problem, edits = problem_of(story), edits_of(story)
    words = problem.words | _words(story, edits)
    texts, names = part_texts(), _parts_of(story, problem, edits, words)
    if missing := [name for name in names if name not in texts]:
        raise LabError(f"{run.name} needs {missing[0]}, for which a script has no part.")
    body = "\n\n\n".join(_chosen(texts[name], words) for name in names)
    settings = _settings(story, problem, edits)
    notes = (*problem.notes, *_notes(story, edits))
    text = f"{_head(story, notes)}\n\n{_imports(settings + body)}\n\n{settings}\n\n{body}\n"
    return Recipe(legible(re.sub(r"\n{4,}", "\n\n\n", text)), notes)


def _words(story: Story, edits: Edits) -> set[str]:
    """What holds of this run, for the lines that only some runs need."""
    config, layers = story.config, story.loaded["layers"]
    changes = {name for done in edits.values() for change in done for name in change}
    words = {
        *_optimizer_words(config),
        f"rules_{min(config.rules, 2)}",
        *({"edits"} if edits else ()),
    }
    words |= {"smoothed" if config.label_smoothing else "plain"}
    words |= {"dropout"} & changes
    if changes & {"rank", "layer_ranks"}:
        words |= {"rank", "alpha", "moved", "later"}
    if "alpha" in changes:
        words |= {"alpha", "moved"}
    if story.start.frozen_layers or "frozen_layers" in changes:
        words.add("freeze")
    if live(config, story.start)["max_grad_norm"] or "max_grad_norm" in changes:
        words.add("clip")
    if story.start.layer_ranks:
        words.add("later")
    if VARIANTS[config.variant].whole or not all(layer["max_rank"] for layer in layers):
        words.add("whole")
    else:
        words.add("bare")
    if any(layer["kind"] == "embedding" for layer in layers):
        words.add("embedding")
    words.add("given" if config.adapter else "made")
    words.add("both" if VARIANTS[config.variant].trained is None else "half")
    if config.adapter:
        words |= {f"{word}_given" for word in ("rank", "alpha") if word in words}
    if INITS[config.init].one_rank:
        words |= {"principal"} if "alpha" in words else set()
        words.discard("later")
    return words


def _optimizer_words(config: RunConfig) -> set[str]:
    """What holds of its optimizer; in full fine-tuning there is no B for Muon to move."""
    row, whole = OPTIMIZERS[config.optimizer], VARIANTS[config.variant].whole
    if not row.adam:
        return {config.optimizer, "no_muon"}
    if row.preconditioned and not whole:
        return {"adam", "riemannian", "no_muon"}
    if not row.orthogonal or (whole and EVERY not in row.orthogonal):
        return {"adam", "adamw", "no_muon"}
    return {"adam", "steps_orthogonal", "muon_whole" if whole else config.optimizer}


def _parts_of(story: Story, problem: Problem, edits: Edits, words: set[str]) -> list[str]:
    """The names of the script's parts, in order."""
    init, full = INITS[story.config.init], VARIANTS[story.config.variant].whole
    parts = list(problem.parts)
    if full:
        parts.append("full")
    else:
        given = bool(story.config.adapter)
        drawn = not init.one_rank and (not given or "rank" in words)
        parts += [f"law_{init.rows.partition(':')[2]}"] if drawn else []
        parts.append("adapter")
        parts += (["fresh"] if given else ["fresh", "drawn"]) if drawn else []
        parts += ["eva"] if init.needs_data else []
        parts += ["principal"] if "principal" in words else []
        parts += ["frozen_A"] if "half" in words else []
    parts += ["muon"] if "steps_orthogonal" in words else []
    parts += ["riemannian"] if "riemannian" in words else []
    parts += ["optimizer", "schedule"]
    parts += ["freeze"] if "freeze" in words else []
    if not full:
        parts += [name for name in ("scaling", "alpha", "rank") if name in {"scaling", *words}]
        if "alpha" not in words:
            parts.remove("scaling")
    parts += ["edit"] if edits else []
    return [*parts, "train", "save_full" if full else "save_adapter"]


def _chosen(text: str, words: set[str]) -> str:
    """One part of the script, with the lines that these words ask for."""
    lines = []
    for line in text.splitlines():
        marked = MARK.search(line)
        if marked is None:
            lines.append(line)
        elif marked[1] in words:
            lines.append(line[: marked.start()])
    return "\n".join(lines)


def part_texts() -> dict[str, str]:
    """Every part of a script by its name, marks included."""
    texts: dict[str, str] = {}
    for path in sorted(paths.recipes().glob("*.py.txt")):
        for text in re.split(r"^#: ", path.read_text("utf-8"), flags=re.M)[1:]:
            name, _, part = text.partition("\n")
            texts[name.strip()] = part.strip("\n")
    return texts


def _imports(text: str) -> str:
    def needed(table: dict[str, str]) -> str:
        used = (line for word, line in table.items()
                if re.search(rf"(?<![\w.]){re.escape(word)}", text))  # fmt: skip
        return "\n".join(used)

    return f"{needed(LIBRARY)}\n\n{needed(INSTALLED)}".strip("\n")


def _settings(story: Story, problem: Problem, edits: Edits) -> str:
    """The constants at the head of the script."""
    config, layers = story.config, story.loaded["layers"]
    full = VARIANTS[config.variant].whole
    whole = [layer["name"] for layer in layers if full or not layer["max_rank"]]
    held_out = [row["loss"] for row in story.of("EvalRecord") if row["enabled"]]
    own: dict[str, Any] = {"MOMENTUM": config.momentum}
    if OPTIMIZERS[config.optimizer].adam:
        own = {"BETAS": config.betas, "EPS": config.eps}
    if "muon_whole" in _optimizer_words(config):
        tables = {layer["name"] for layer in layers if layer["kind"] == "embedding"}
        own["BY_ADAM"] = tuple(sorted({*config.whole, *tables}))
    values = {
        **problem.values,
        "DEVICE": first(config.device),
        "SEED": config.seed,
        "STEPS": story.last_step,
        **(
            {"BATCH_TOKENS": config.batch_tokens}
            if "budgeted" in problem.words
            else {"BATCH": config.batch_size}
        ),
        "ACCUMULATION": config.accumulation,
        "SCHEDULE": config.schedule,
        "WARMUP": config.warmup_steps,
        "LEGS": [(stage.since, stage.begin, stage.end) for stage in story.stages()],
        "B_RATE_RATIO": config.b_rate_ratio,
        **({"SMOOTHING": config.label_smoothing} if config.label_smoothing else {}),
        **own,
        **({"WHOLE": whole} if whole else {}),
        **({} if full else {"LAYERS": len(layers) - len(whole)}),
        "RUN_HELD_OUT": f"{held_out[-1]:.6g}" if held_out else "not measured",
        "OUT": f"{story.path.name}-again",
    }
    lines = ["# --- settings", ""]
    for name, value in values.items():
        text = pformat(value, WIDTH - len(name), sort_dicts=False, compact=True)
        lines.append(f"{name} = {text}" + (f"  # {COMMENTS[name]}" if name in COMMENTS else ""))
    lines += [f"DTYPE = torch.{config.dtype}", ""]
    lines += ["now = {  # what a live edit changes"]
    lines += [f"    {name!r}: {value!r}," for name, value in live(config, story.start).items()]
    lines.append("}")
    if edits:
        lines += ["EDITS = {  # step: what is changed before the one that follows it"]
        lines += [f"    {step}: {done!r}," for step, done in edits.items()]
        lines.append("}")
    lines += [] if full else ["", lora_config(story)]
    return "\n".join([*lines, "", "torch.manual_seed(SEED)  # of dropout"])


def _head(story: Story, notes: tuple[str, ...]) -> str:
    config, loaded = story.config, story.loaded
    versions = story.about.get("versions", {})
    libraries = ("python", "torch", "transformers")
    used = " and ".join(f"{name} {versions[name]}" for name in libraries if versions.get(name))
    used = f" with {used}" if used else ""
    steps = story.of("StepRecord")
    lines = [
        f"Repeats the run {story.path.name} in PEFT's own terms: {config.variant} on "
        f"{loaded['base'] or config.task}.",
        f"It made {story.last_step:,} steps{used}; the last one's loss "
        f"was {steps[-1]['loss']:.6g}. Written by LoRA Lab {lora_lab.__version__}, which the "
        "script does not need.",
        *(f"- {note}" for note in notes),
    ]
    filled = [
        textwrap.fill(brief(line, LINE), 98, subsequent_indent="  " * line.startswith("- "))
        for line in lines
    ]
    words = "\n\n".join([*filled[:2], "\n".join(filled[2:])]).strip()
    words = words.replace("\\", "\\\\").replace('"""', r"\"\"\"")  # names end no docstring
    return f'"""{words}\n"""'


def _notes(story: Story, edits: Edits) -> tuple[str, ...]:
    """What is not, or not quite, as it was."""
    config, loaded = story.config, story.loaded
    start = live(config, story.start)
    dropped = start["dropout"] or any("dropout" in c for done in edits.values() for c in done)
    notes = [
        "Starting factors, the order of the batches and every setting are the run's own. The "
        "kernels are PEFT's, so the losses agree up to rounding, which grows with the steps."
    ]
    init, variant = INITS[config.init], VARIANTS[config.variant]
    if init.one_rank:
        notes.append(
            f"An adapter of init {config.init} is saved as PEFT has it, for a base from which its "
            "start is taken out; the run's own file has the difference to the base as it is."
        )
    elif init.needs_data:
        notes.append("PEFT's EVA moves ranks between layers; the run's, in the script, does not.")
    elif init.peft is None:
        notes.append(f"PEFT has no start like {config.init} here; it is drawn in the script.")
    else:
        notes.append("PEFT draws this start by its own generator; here the run's draws are made.")
    if dropped and first(config.device) != "cpu":
        notes.append("Dropout draws other masks on another device.")
    if dropped and variant.magnitude:
        notes.append("PEFT's DoRA lets dropout act on the base's share as well; the run did not.")
    if OPTIMIZERS[config.optimizer].eight_bits:
        notes.append(
            "The run kept AdamW's averages in 8 bits, the script keeps floats: the losses are near."
        )
    if config.dtype == "float16":
        notes.append(
            "In float16 the lab scales the loss, as small gradients are 0; the script does not. "
            "Set DTYPE to torch.float32 in it, or put torch.amp.GradScaler around its steps."
        )
    for row in story.of("NonFiniteRecord"):
        notes.append(
            f"Step {row['step']:,} met a {row['what']} that was not finite and was left out; the "
            f"run was resumed from the adapter of step {row['restored']:,}. This is not repeated."
        )
    for row in story.of("ClippedRecord"):
        notes.append(
            f"After step {row['step']:,} σ of {row['layer']} were clipped. This is not repeated, "
            "so the losses after it differ."
        )
    if story.origin:
        parent, at = story.origin.run, story.origin.step
        notes.append(
            f"The run branched from {parent} at step {at:,}. The steps before are made "
            f"here with its own fixed settings{_differing(story, parent)}."
        )
    if variant.whole and loaded.get("task"):
        notes.append("Full fine-tuning has no adapter: PEFT has no part in it.")
    return tuple(notes)


def _differing(story: Story, parent: str) -> str:
    """Which fixed settings the parent had otherwise."""
    from lora_lab.runs.folder import RunFolder

    try:
        old = RunFolder.at(story.path.parent / parent).load_config().model_dump()
    except LabError:
        return "; whether the parent's were the same is not known, since it is not there"
    new = story.config.model_dump()
    apart = {
        "hyper",
        "max_steps",
        "autosave_seconds",
        "eval_steps",
        "patience",
        "prompts",
        "preset",
    }
    names = [name for name in new if name not in apart and new[name] != old.get(name)]
    return f", while the parent had another {', '.join(names)}" if names else ", as in the parent"
