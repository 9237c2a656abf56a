"""The things that can be learned, a row each: title, data, models, and how one begins.

It loads no torch. The classes themselves are `lora_lab.tasks.TASKS`. Nothing outside `tasks/` asks
for a task by name: it reads the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Data = Literal["rows", "images", ""]


@dataclass(frozen=True)
class TaskInfo:
    """`task` is "file:class" of its Task in `lora_lab.tasks`.

    `data`: tables of rows, folders of images (or IDX), or nothing that a person brings; `wants`
    says it in words. `models`: what a model of one's own may be, "folder" (Hugging Face), "file"
    (a plain net) or "gguf"; none where the base ships with the lab. `purpose` is a key of
    `models.architecture.PURPOSES`. `roles` are those that columns may have, in the order in which
    they are shown; `forms` those that rows of each form need, and may have besides. `peft` is
    PEFT's task_type. `start` are the settings that one begins with, and `recipe` names what writes
    the data's part of a run's script. `settings` are the fields of `RunConfig` that it alone has,
    `ignores` fixed settings that mean nothing to it, each with the reason. `packs`: several texts
    may stand in one row of a batch. `draws_labels`: it can train on labels that are drawn anew.
    """

    task: str
    title: str
    data: Data = ""
    wants: str = ""
    models: tuple[str, ...] = ()
    purpose: str = ""
    roles: tuple[str, ...] = ()
    forms: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    peft: str | None = None
    start: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""
    settings: tuple[str, ...] = ()
    ignores: Mapping[str, str] = field(default_factory=dict)
    packs: bool = False
    draws_labels: bool = False

    @property
    def own(self) -> bool:
        """Whether it is for models and data of one's own."""
        return bool(self.models)

    @property
    def labelled(self) -> bool:
        """Whether each row has one label."""
        return "label" in self.roles

    @property
    def target(self) -> str:
        """The role of what is predicted of a text; "" where it is text itself, or there is none."""
        return next((role for role in ("label", "score", "labels") if role in self.roles), "")

    @property
    def says_text(self) -> bool:
        """Whether text is predicted: of rows of text nothing else is said."""
        return self.data == "rows" and not self.target and not self.tags

    @property
    def answers(self) -> bool:
        """Whether each row has a text and what it is to become."""
        return "source" in self.roles

    @property
    def tags(self) -> bool:
        """Whether each word of a row has a tag."""
        return "tags" in self.roles

    @property
    def compares(self) -> bool:
        """Whether each row has two answers, of which one is preferred."""
        return "rejected" in self.roles


# What settings of rows and models of one's own are to the tasks that bring theirs.
_BROUGHT = dict.fromkeys(
    ("columns", "max_length", "batching", "batch_tokens", "validation", "validation_data",
     "skip_bad_rows", "checkpointing", "prompts", "base_bits"),
    "the task brings its own model and rows",
)  # fmt: skip
_NO_TEXT = dict.fromkeys(
    ("columns", "max_length", "batching", "batch_tokens", "prompts"), "images are no rows of text"
)
_ENCODER: dict[str, Any] = {  # what one begins with where texts get a head of their own
    "data_seed": 0,
    "batch_size": 16, "epochs": 2.0, "schedule": "linear", "eval_steps": 50,
    "accumulation": 4, "max_grad_norm": 1.0,
    "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 5e-4},
}  # fmt: skip

TASKS: dict[str, TaskInfo] = {
    "causal_lm": TaskInfo(
        "causal_lm:CausalLmTask",
        "Causal language modelling",
        data="rows",
        wants="text, prompts and completions, or chats: JSONL, CSV, Parquet",
        models=("folder", "gguf"),
        purpose="causal_lm",
        roles=(
            "text", "prompt", "completion", "instruction", "input", "output", "history", "messages",
            "tools", "system",
        ),
        forms={
            "chat": (("messages",), ("tools", "system")),
            "instruction": (("instruction", "output"), ("input", "system", "history")),
            "prompt + completion": (("prompt", "completion"), ()),
            "text": (("text",), ()),
        },
        peft="CAUSAL_LM",
        packs=True,
        start={
            "data_seed": 0,
            "batch_size": 16, "epochs": 1.0, "schedule": "cosine", "warmup_steps": 10,
            "eval_steps": 25, "validation": 0.05, "accumulation": 8, "max_grad_norm": 1.0,
            "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 2e-4},
        },
        recipe="texts",
        settings=("share_prefix",),
        ignores={"class_weights": "a language model has tokens and no classes"},
    ),
    "preference": TaskInfo(
        "preference:PreferenceTask",
        "Preference (DPO)",
        data="rows",
        wants="pairs of answers, one chosen and one rejected: JSONL, CSV, Parquet",
        models=("folder", "gguf"),
        purpose="causal_lm",
        roles=("prompt", "chosen", "rejected", "tools", "system"),
        forms={"preference pairs": (("chosen", "rejected"), ("prompt", "tools", "system"))},
        peft="CAUSAL_LM",
        start={
            "data_seed": 0,
            "batch_size": 16, "epochs": 1.0, "schedule": "cosine", "warmup_steps": 10,
            "eval_steps": 25, "validation": 0.05, "accumulation": 8, "max_grad_norm": 1.0,
            "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 5e-5},
        },
        settings=("dpo_beta",),
        ignores={
            "label_smoothing": "DPO compares answers and has no labels",
            "class_weights": "a language model has tokens and no classes",
        },
    ),
    "masked_lm": TaskInfo(
        "masked_lm:MaskedLmTask",
        "Masked language modelling",
        data="rows",
        wants="texts: JSONL, CSV, Parquet or plain text",
        models=("folder",),
        purpose="masked_lm",
        roles=("text",),
        forms={"text": (("text",), ())},
        start={**_ENCODER, "validation": 0.05},
        ignores={
            "class_weights": "a language model has tokens and no classes",
            "prompts": "a masked language model fills gaps and generates no text",
        },
    ),
    "seq2seq": TaskInfo(
        "seq2seq:Seq2SeqTask",
        "Sequence to sequence",
        data="rows",
        wants="texts and what each is to become, as summaries or translations: JSONL, CSV, Parquet",
        models=("folder",),
        purpose="seq2seq",
        roles=("source", "context", "target"),
        forms={"source + target": (("source", "target"), ("context",))},
        peft="SEQ_2_SEQ_LM",
        start={
            "data_seed": 0,
            "batch_size": 16, "epochs": 2.0, "schedule": "linear", "warmup_steps": 10,
            "eval_steps": 50, "validation": 0.05, "accumulation": 4, "max_grad_norm": 1.0,
            "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 5e-4},
        },
        recipe="texts",
        settings=("source_prefix",),
        ignores={"class_weights": "a language model has tokens and no classes"},
    ),
    "image_text": TaskInfo(
        "image_text:ImageTextTask",
        "Images with text",
        data="rows",
        wants="chats about images, or an image, a prompt and a completion: JSONL, Parquet",
        models=("folder",),
        purpose="image_text",
        roles=("image", "messages", "prompt", "completion", "tools", "system"),
        forms={
            "chat with images": (("messages",), ("image", "tools", "system")),
            "image + prompt + completion": (("image", "prompt", "completion"), ("system",)),
        },
        peft="CAUSAL_LM",
        start={
            "data_seed": 0,
            "batch_size": 8, "epochs": 1.0, "schedule": "cosine", "warmup_steps": 10,
            "eval_steps": 25, "validation": 0.05, "accumulation": 8, "max_grad_norm": 1.0,
            "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 2e-4},
        },
        ignores={"class_weights": "a language model has tokens and no classes"},
    ),
    "text_classification": TaskInfo(
        "text_classification:TextClassificationTask",
        "Text classification",
        data="rows",
        wants="texts and labels: CSV, JSONL or Parquet",
        models=("folder",),
        purpose="sequence_classification",
        roles=("text", "pair", "label"),
        forms={"text + label": (("text", "label"), ("pair",))},
        peft="SEQ_CLS",
        start=_ENCODER,
        recipe="texts",
        ignores={"prompts": "a classifier generates no text"},
    ),
    "regression": TaskInfo(
        "regression:RegressionTask",
        "Regression on text",
        data="rows",
        wants="texts and a number each, pairs of texts too: CSV, JSONL or Parquet",
        models=("folder",),
        purpose="sequence_classification",
        roles=("text", "pair", "score"),
        forms={"text + score": (("text", "score"), ("pair",))},
        peft="SEQ_CLS",
        start=_ENCODER,
        ignores={
            "label_smoothing": "a regression has no labels",
            "class_weights": "a regression has no classes",
            "prompts": "a regression generates no text",
        },
    ),
    "multi_label": TaskInfo(
        "multi_label:MultiLabelTask",
        "Multi-label text classification",
        data="rows",
        wants="texts and several labels each: CSV, JSONL or Parquet",
        models=("folder",),
        purpose="sequence_classification",
        roles=("text", "pair", "labels"),
        forms={"text + labels": (("text", "labels"), ("pair",))},
        peft="SEQ_CLS",
        start=_ENCODER,
        ignores={
            "label_smoothing": "each label is decided by itself",
            "class_weights": "each label is decided by itself",
            "prompts": "a classifier generates no text",
        },
    ),
    "token_classification": TaskInfo(
        "token_classification:TokenClassificationTask",
        "Token classification",
        data="rows",
        wants="lists of words and of their tags (BIO): JSONL, Parquet or CSV",
        models=("folder",),
        purpose="token_classification",
        roles=("tokens", "tags"),
        forms={"tokens + tags": (("tokens", "tags"), ())},
        peft="TOKEN_CLS",
        start=_ENCODER,
        ignores={"prompts": "a classifier generates no text"},
    ),
    "image_classification": TaskInfo(
        "image_classification:ImageClassificationTask",
        "Image classification",
        data="images",
        wants="a folder with a folder of images per class, or IDX",
        models=("folder", "file"),
        purpose="image_classification",
        start={
            "data_seed": 0,
            "batch_size": 32, "epochs": 3.0, "schedule": "cosine", "eval_steps": 50,
            "hyper": {"rank": 8, "alpha": 16.0, "learning_rate": 1e-3},
        },
        recipe="image_folders",
        ignores=_NO_TEXT,
    ),
    "digits": TaskInfo(
        "digits:DigitsTask",
        "UCI digits, 8 × 8 (ship with the lab)",
        recipe="pixels",
        ignores=_BROUGHT,
        draws_labels=True,
    ),
    "mnist": TaskInfo(
        "mnist:MnistTask",
        "MNIST, 28 × 28",
        data="images",
        recipe="pixels",
        ignores=_BROUGHT,
        draws_labels=True,
    ),
    "known_rank": TaskInfo(
        "known_rank:KnownRankTask",
        "A change of known rank (made by the lab)",
        recipe="known_rank",
        ignores={
            **_BROUGHT,
            "label_smoothing": "a regression has no labels",
            "class_weights": "a regression has no classes",
        },
    ),
}  # fmt: skip


def own_tasks() -> tuple[str, ...]:
    """The tasks for models and data of one's own."""
    return tuple(name for name, task in TASKS.items() if task.own)
