"""What a recipe says of a run: its data and base, LoraConfig in PEFT's words, its edits."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_lab import paths
from lora_lab.choices import BITS
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.runs.own_files import open_own
from lora_lab.runs.story import Row, Story
from lora_lab.task_info import TASKS
from lora_lab.variants import VARIANTS, peft_flags

ROWS = {
    ".jsonl": "rows_jsonl", ".ndjson": "rows_jsonl", ".json": "rows_json", ".csv": "rows_csv",
    ".tsv": "rows_csv", ".parquet": "rows_parquet", ".txt": "rows_text",
}  # fmt: skip
OTHER_FILES = (".gz", ".bz2", ".xz", ".zst", ".arrow")
SAID = {
    "text": ("tokens_apart", "said_text"),
    "prompt + completion": ("tokens_apart", "said_prompt"),
    "instruction": ("tokens_apart", "said_instruction"),
    "chat": ("tokens_chat",),
}
PIXELS = {  # of the images' tasks: white, and mean and deviation of all pixels
    "digits": (16.0, 0.3053, 0.3761),
    "mnist": (255.0, 0.1307, 0.3081),
}
# Names of layers in mixtures of experts that PEFT rewrites (utils/transformers_weight_conversion).
FUSED_BY_PEFT = {"gate_proj", "up_proj", "down_proj", "gate_up_proj", "w1", "w2", "w3", "gate"}
SETTLED_AT_ONCE = {"learning_rate", "weight_decay", "dropout", "max_grad_norm", "alpha"}


@dataclass
class Problem:
    """Data and base: the parts of the script that make them, and the constants these need."""

    parts: list[str]
    values: dict[str, Any]
    words: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def problem_of(story: Story) -> Problem:
    """What is learned, and on which base. Raises LabError for a task that has no recipe."""
    config = story.config
    task = TASKS[config.task]
    kind = task.recipe
    if config.class_weights != "none" and "class_weights" not in task.ignores:
        raise LabError(
            f"{story.path.name} was trained with class weights, for which there is no recipe."
        )
    if config.bits in BITS:
        raise LabError(
            f"{story.path.name} was trained over a base in {config.bits} bits, which PEFT takes "
            "from bitsandbytes and computes otherwise: there is no script in its terms. The "
            "adapter itself is PEFT's as any other."
        )
    drawn = config.random_weights or (kind == "pixels" and config.data and not config.model)
    for found, words in (
        (drawn, "from weights that were drawn at random"),
        (config.permuted, "on images with shuffled pixels"),
    ):
        if found:
            raise LabError(f"{story.path.name} was trained {words}, for which there is no recipe.")
    if kind not in PROBLEMS:
        raise LabError(
            f"{story.path.name} is a run of {config.task}, for which there is no recipe."
        )
    problem = PROBLEMS[kind](story)
    budgeted = config.batch_tokens and "batch_tokens" not in task.ignores
    problem.words.add("budgeted" if budgeted else "counted")
    return problem


def _images(story: Story) -> Problem:
    config = story.config
    white, mean, std = PIXELS[config.task]
    base = str(config.model or paths.demo("digits_base.safetensors"))
    values = {
        "MODEL": _whole_path(base),
        "NET": _net(story, base),
        "DATA": _whole_path(config.data or str(paths.demo("digits.safetensors"))),
        "DIGITS": list(config.digits),
        "WHITE": white, "MEAN": mean, "STD": std,
    }  # fmt: skip
    notes = []
    if config.model is None or config.data is None:
        notes.append("Base and data that ship with the lab are read from where it is installed.")
    if config.model is not None and paths.bases() in Path(base).parents:
        notes.append(
            "The base was trained in full by the lab before this run; its file is taken as it is."
        )
    reading = f"read_{config.task}"
    return Problem([reading, "images", "plain_net"], values, set(), notes)


def _net(story: Story, base: str) -> list[str]:
    """The linear layers of a plain net in their order; raises LabError where it is another one."""
    layers = [_target(row) for row in story.loaded["adaptable"]]
    if story.config.reading not in ("", "relu"):
        raise LabError(
            f"The base {base} was read as {story.config.reading}, and only for linear layers with "
            "ReLU is a recipe."
        )
    if not base.endswith(".safetensors") or any(kind != "linear" for _, kind, _ in layers):
        raise LabError(
            f"The base {base} is no .safetensors file of linear layers alone, and there is no "
            "recipe for nets of another kind."
        )
    if any(a[2][0] != b[2][1] for a, b in itertools.pairwise(layers)):
        raise LabError(f"The order of the layers of {base} is not in the run's record.")
    return [name for name, _, _ in layers]


def _image_folders(story: Story) -> Problem:
    config, data = story.config, _data_record(story)
    size = re.search(r"(\d+) ?× ?(\d+) pixels, (\d)", data["form"])
    given = Path(str(config.data))
    train = next((given / n for n in ("train", "training") if (given / n).is_dir()), None)
    names = ("validation", "valid", "val", "test", "testing")
    held = next((given / n for n in names if (given / n).is_dir()), None)
    folder = train if train and held else given
    if size is None or not any((folder / name).is_dir() for name in data["classes"]):
        raise LabError(f"{given} is no folder of images by class, and only for such is a recipe.")
    held = Path(config.validation_data) if config.validation_data else held if train else None
    words = {"apart" if held else "share"} | ({"checkpointing"} if config.checkpointing else set())
    values: dict[str, Any] = {
        "MODEL": _whole_path(str(config.model)),
        "DATA": _whole_path(str(folder)),
        **({"HELD_OUT_DATA": _whole_path(str(held))} if held else {}),
        **({} if held else {"VALIDATION": config.validation, "DATA_SEED": config.split_seed}),
        "CLASSES": list(data["classes"]),
        "SIZE": (int(size[1]), int(size[2])),
        "MODE": "L" if size[3] == "1" else "RGB",
    }
    parts = [*([] if held else ["held_out_rows"]), "image_folders", "order_shuffled"]
    model = Path(str(config.model))
    if config.factory:
        raise LabError(f"The net of {config.factory} is code of one's own; it has no recipe.")
    if model.is_file():
        values["NET"] = _net(story, str(model))
        return Problem([*parts, "plain_net"], values, words | {"plain_net", "covered"})
    if (model / "preprocessor_config.json").is_file():
        del values["SIZE"]  # the processor's own
        return Problem([*parts, "vision_model"], values, words | {"vision", "processor"})
    values["MEAN"] = values["STD"] = [0.5] * int(size[3])
    words |= {"covered"}
    return Problem([*parts, "vision_model"], values, words | {"vision"})


def _data_record(story: Story) -> Row:
    """What the data was read as; raises LabError where an older lab did not record it."""
    data = story.last("DataRecord")
    if data is None:
        raise LabError(
            f"{story.path.name} was recorded without what its data was read as, by an older "
            "version of the lab; so it has no recipe."
        )
    return data


def _texts(story: Story) -> Problem:
    config, data = story.config, _data_record(story)
    model = str(config.model)
    if model.endswith(".gguf"):
        raise LabError(
            f"The base {model} is a GGUF file, which PEFT does not train on; there is no recipe."
        )
    roles = {role for role, _ in data["roles"]}
    unheard = {"tools", "system", "history"} & roles
    if data["form"] == "chat" and "messages" not in roles:
        unheard |= {"prompt and completion of messages"}
    given = Path(str(config.data))
    if given.is_dir() or "*" in given.name or given.suffix.lower() in OTHER_FILES:
        unheard |= {"several files, or packed ones"}
    if unheard:
        raise LabError(
            f"This run's data has {', '.join(sorted(unheard))}, which a script of PEFT and "
            "transformers alone does not follow; there is no recipe."
        )
    reading = rows_part(str(config.data))
    values: dict[str, Any] = {
        "MODEL": _whole_path(model),
        "DATA": _whole_path(str(config.data)),
        "COLUMNS": dict(data["roles"]),
        "MAX_LENGTH": data["max_length"],
    }
    if config.validation_data:
        values["VALIDATION_DATA"] = _whole_path(config.validation_data)
    else:
        values |= {"VALIDATION": config.validation, "DATA_SEED": config.split_seed}
    words = {"apart" if config.validation_data else "share"}
    words |= {"checkpointing"} if config.checkpointing else set()
    packs = config.batching == "packed" and TASKS[config.task].packs
    words.add("end_to_end" if packs else "side_by_side")
    within = ["within"] if config.batch_tokens else []
    notes = []
    if config.skip_bad_rows:
        notes.append(
            "The run left out rows that could not be read. The script does not: take them out of "
            "the data first."
        )
    task = TASKS[config.task]
    order = "shuffled" if config.batching == "shuffled" else "bucketed"
    if task.labelled or task.answers:
        said = " ".join(story.loaded.get("notes") or ())
        padded = {word for word, note in PADDED.items() if note in said}
        words |= padded if "equal" in padded else {*padded, "padded"}
    if task.answers:
        if "equal" in words:
            raise LabError(
                f"The base {model} wants sources of equal length in a batch; there is no recipe."
            )
        values["PREFIX"] = config.source_prefix
        parts = [reading, *within, f"order_{order}", "alike", "padding", "seq2seq"]
    elif task.labelled:
        values["CLASSES"] = list(data["classes"])
        apart = [] if config.validation_data else ["held_out_rows"]
        parts = [reading, *apart, *within, f"order_{order}", "alike", "padding"]
        parts.append("text_classification")
    else:
        words.add("packed" if config.batching == "packed" else "in_rows")
        parts = [reading, *SAID[data["form"]], *within, f"order_{config.batching}", "alike"]
        parts.append("causal_lm")
    return Problem(parts, values, words, notes)


PADDED = {"left": "padded at the left", "equal": "texts of equal length"}  # as notes say it

PROBLEMS: dict[str, Callable[[Story], Problem]] = {  # what `TaskInfo.recipe` names
    "known_rank": lambda _: Problem(["known_rank"], {}),
    "pixels": _images,
    "image_folders": _image_folders,
    "texts": _texts,
}


def rows_part(path: str) -> str:
    """The name of the part that reads a file of this form."""
    part = ROWS.get(Path(path).suffix.lower(), "rows_text")
    lines = part == "rows_json" and not _begins_with(path, "[")
    return "rows_jsonl" if lines else part


def live(config: RunConfig, hyper: Hyperparameters) -> dict[str, Any]:
    """The settings that edits change, in the script's words."""
    values = hyper.model_dump(exclude={"enabled"})
    if hyper.max_grad_norm is None:
        values["max_grad_norm"] = config.max_grad_norm
    return {
        **values,
        "layer_ranks": dict(hyper.layer_ranks),
        "frozen_layers": list(hyper.frozen_layers),
    }


def edits_of(story: Story) -> dict[int, list[dict[str, Any]]]:
    """Step → what is changed before the step that follows it, in the order in which it was.

    Of a slider that was dragged between two steps only the last value is kept where nothing in
    between has an effect of its own.
    """
    edits: dict[int, list[dict[str, Any]]] = {}
    before = live(story.config, story.start)
    for row in story.edits:
        if row["step"] >= story.last_step:  # after the last step
            continue
        after = live(story.config, Hyperparameters.model_validate(row["hyper"]))
        change = {name: value for name, value in after.items() if value != before[name]}
        before = after
        if not change:
            continue
        at = edits.setdefault(row["step"], [])
        if at and set(change) | set(at[-1]) <= SETTLED_AT_ONCE:
            at[-1].update(change)
        else:
            at.append(change)
    return edits


def ranks_of(story: Story) -> dict[str, int]:
    """Layer → its rank at the start, capped; without those that are fully trained."""
    own = dict(story.start.layer_ranks)
    return {
        layer["name"]: min(own.get(layer["name"], story.start.rank), layer["max_rank"])
        for layer in story.loaded["layers"]
        if layer["max_rank"]
    }


def lora_config(story: Story) -> str:
    """The LoraConfig of the start, as Python."""
    if story.config.adapter:
        lines = [f"ADAPTER = {peft_folder(story)!r}"]
        lines += ["CONFIG = LoraConfig.from_pretrained(ADAPTER)"]
        return "\n".join([*lines, f"CONFIG.lora_dropout = {story.start.dropout!r}"])
    config, start, ranks = story.config, story.start, ranks_of(story)
    layers = story.loaded["layers"]
    _mind_experts(story, layers)
    locked = [x["name"] for x in layers if x["kind"] == "conv" and x.get("rank_locked")]
    init, variant = INITS[config.init], VARIANTS[config.variant]
    if locked and not init.one_rank:
        raise LabError(f"{locked[0]} is a convolution in groups, which PEFT adapts in another way.")
    scaling = variant.scaling(start.alpha, start.rank)
    own = {"^" + re.escape(name): rank for name, rank in ranks.items() if rank != start.rank}
    settings: dict[str, Any] = {
        "r": start.rank,
        "lora_alpha": start.alpha,
        "target_modules": _targets(story, list(ranks)),
        "lora_dropout": start.dropout,
        **{flag: flag in (variant.peft or ()) for flag in peft_flags()},
        "init_lora_weights": True if init.peft is None else init.peft,
    }
    if own:  # the scaling is common to all: each layer's own α gives it
        settings["rank_pattern"] = own
        settings["alpha_pattern"] = {
            name: variant.alpha(scaling, rank) for name, rank in own.items()
        }
    if any(x["kind"] == "conv1d_linear" for x in layers):
        settings["fan_in_fan_out"] = True
    if whole := [x["name"] for x in layers if not x["max_rank"]]:
        settings["modules_to_save"] = whole
    lines = [f"    {name}={value!r}," for name, value in settings.items()]
    return "\n".join(["CONFIG = LoraConfig(", *lines, ")"])


def _mind_experts(story: Story, layers: list[Row]) -> None:
    """Raise LabError for targets that PEFT makes something else of beside a mixture's experts."""
    kinds = [str(row[1]).lower() for row in story.loaded.get("modules") or ()]
    if not any("experts" in kind for kind in kinds):
        return
    if taken := [x["name"] for x in layers if x["name"].rpartition(".")[2] in FUSED_BY_PEFT]:
        raise LabError(
            f"{taken[0]}: of a mixture of experts PEFT takes every {taken[0].rpartition('.')[2]} "
            "for a part of its experts, whose factors it holds in one matrix for all; there is no "
            "recipe. Export the adapter as a PEFT folder, which names them as PEFT does."
        )


def peft_folder(story: Story) -> str:
    """The folder of the adapter that the run continues; raises LabError where it is not PEFT's."""
    path = Path(str(story.config.adapter))
    for folder in (path, path / "adapter", path.parent):
        if (folder / "adapter_config.json").is_file():
            return str(folder)
    raise LabError(
        f"{story.path.name} continues the adapter {path}, which is no PEFT folder or is not there "
        "any more. Convert it (lora-lab convert) and begin with that to have a script."
    )


def _targets(story: Story, names: list[str]) -> list[str]:
    """The layers in as few words as PEFT's rule for the ends of names allows."""
    ends = Counter(name.rpartition(".")[2] for name in names)
    present = Counter(_target(x)[0].rpartition(".")[2] for x in story.loaded["adaptable"])
    short = {end for end, count in ends.items() if present[end] == count}
    words = [end if (end := name.rpartition(".")[2]) in short else name for name in names]
    return list(dict.fromkeys(words))


def _target(row: Row) -> tuple[str, str, tuple[int, int]]:
    return row["name"], row["kind"], tuple(row["shape"])


def _begins_with(path: str, mark: str) -> bool:
    """Of a regular file; a pipe that a stranger's run names as its data would be waited for."""
    try:
        with open(open_own(Path(path)), encoding="utf-8-sig") as file:
            return file.read(64).lstrip().startswith(mark)
    except (OSError, ValueError):
        return False


def _whole_path(path: str) -> str:
    """From the root where it is there; a name that is no path stays as it is."""
    return os.path.abspath(path) if os.path.exists(path) else path
