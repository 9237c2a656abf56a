"""How the command palette finds: fuzzy words, and what else people of this field call a thing."""

from __future__ import annotations

import re

# By the name of an action, a field of the settings, a panel or a page of the handbook.
ALSO = {
    "train": "start resume pause continue go fit run",
    "stop": "end finish early cancel",
    "restart": "reset again from scratch step 0",
    "find_rate": "lr finder range test learning-rate",
    "suggest_rank": "choose rank energy r lora_r",
    "undo": "revert back ctrl z",
    "undo_edit": "rollback undo cut restore go back",
    "go_back": "rollback checkpoint branch fork revert saves",
    "queue": "sweep grid search batch of runs hyperparameter search cluster ray",
    "adapter": "disable enable adapter on off toggle base model switch",
    "evaluate": "validation test loss measure held-out eval",
    "merge": "merge_and_unload fuse dtype rounding precision",
    "claims": "lora without regret papers claims thinking machines learning rate batch",
    "found": "subspace similarity amplification phi table 5 6 7 section 7 targets rank",
    "intruders": "intruder dimensions forgetting singular vectors",
    "workshop": "convert resize truncate svd extract compare ties dare slerp kohya gguf scale",
    "continue_from": "resume adapter warm start init from file",
    "open": "load model checkpoint data dataset safetensors hugging face folder",
    "open_base": "load base checkpoint model",
    "export": "save peft kohya comfyui diffusers gguf llama.cpp safetensors write adapter merged",
    "save": "write checkpoint store",
    "runs": "history experiments list resume interrupted compare",
    "copy_plot": "clipboard figure picture",
    "save_plot": "figure png svg csv export picture",
    "describe": "alt text accessibility screen reader blind",
    "numbers": "equal count subspace vera lora-xs lora-fa uni-lora parameters intrinsic dimension",
    "race": "compare ranks side by side lanes stacked same batches",
    "bench": "svd matrix pseudo-inverse decomposition singular values eckart-young",
    "handbook": "help manual documentation docs",
    "shortcuts": "keys keyboard hotkeys",
    "directions": "logit lens singular vectors u v tokens interpretability excite",
    "mix": "several adapters strength weight slider interference combine ensemble",
    "rank": "r lora_r lora_rank network_dim dimension bottleneck",
    "alpha": "lora_alpha network_alpha scaling s strength",
    "learning_rate": "lr step size rate",
    "weight_decay": "wd l2 regularisation",
    "dropout": "lora_dropout regularisation",
    "max_grad_norm": "clip clipping gradient norm",
    "variant": "lora rslora dora full fine-tuning method peft",
    "init": "init_lora_weights pissa gaussian kaiming olora eva initialisation",
    "targets": "target_modules layers q_proj v_proj all-linear modules_to_save",
    "max_steps": "steps iterations length duration epochs",
    "batch_size": "batch per_device_train_batch_size",
    "batch_tokens": "token budget max_tokens batch size dynamic",
    "accumulation": "gradient_accumulation_steps parts micro batch",
    "optimizer": "adamw sgd adam muon riemannian adamw8bit 8-bit bitsandbytes",
    "schedule": "lr_scheduler_type cosine linear warmup decay annealing",
    "warmup_steps": "warmup_ratio warm-up",
    "seed": "random reproducible",
    "dtype": "precision bf16 bfloat16 float16 half float32",
    "device": "gpu cuda cpu mps accelerator",
    "max_length": "max_seq_length context length tokens truncation",
    "validation": "held-out split eval fraction",
    "eval_steps": "evaluation interval validate every",
    "patience": "early stopping",
    "keep_data": "retention set forgetting old task replay",
    "b_rate_ratio": "lora+ loraplus lr ratio",
    "label_smoothing": "smoothing factor",
    "dpo_beta": "dpo preference beta",
    "loss": "curve training validation",
    "spectrum": "singular values svd sigma energy effective rank",
    "counts": "parameters memory cost size",
    "before_after": "forgetting accuracy classes confusion catastrophic",
    "data": "dataset rows tokens examples",
    "generation": "prompt sample text answer",
    "layers": "modules targets per-layer rank freeze",
}


def plain(text: str) -> str:
    """A text of a menu or a button without its mnemonic."""
    return text.partition("\t")[0].replace("&&", "\0").replace("&", "").replace("\0", "&")


def score(query: str, title: str, place: str, also: str) -> float:
    """How well an entry fits; 0 where one of the words of the query is nowhere in it."""
    total = 0.0
    for term in query.lower().split():
        found = max(
            3.0 * _fits(term, title.lower()),
            2.0 * _fits(term, also.lower()),
            1.0 * _fits(term, place.lower()),
            0.4 * _is_within(term, title.lower()),
        )
        if not found:
            return 0.0
        total += found
    whole = query.strip().lower()
    exact = 2.0 * title.lower().startswith(whole) + 4.0 * (title.lower() == whole)
    return total + exact - 0.01 * len(title)  # of several that fit alike the shortest


def _fits(term: str, text: str) -> float:
    """1: a word of the text; less for the beginning of one, and for a part of one."""
    words = re.findall(r"[^\s,/()…]+", text)
    if term in words:
        return 1.0
    if any(word.startswith(term) for word in words):
        return 0.8
    return 0.5 if len(term) > 1 and term in text else 0.0


def _is_within(term: str, text: str) -> bool:
    """Whether the letters of the term come in the text in their order, from a word's first on."""
    letters = iter(text)
    first = any(word.startswith(term[0]) for word in text.split())
    return first and len(term) > 1 and all(letter in letters for letter in term)
