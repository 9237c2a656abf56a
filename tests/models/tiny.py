"""Tiny random models and a tokenizer in Hugging Face folders, made from configs in a moment."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
)

VOCABULARY = 320
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = [
    "the film is good and the sound is clear", "a bad film, and the sound is poor",
    "question: what is two and two? answer: four",
]  # fmt: skip


def tokenizer(chat: bool = False) -> PreTrainedTokenizerFast:
    """Bytes and some pairs of them; <|end|> ends a text."""
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    found.train_from_iterator(WORDS, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=found, eos_token="<|end|>", pad_token="<|pad|>", model_max_length=64
    )
    if chat:
        made.chat_template = CHAT
    return made


def _llama():
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            bos_token_id=None, eos_token_id=0, pad_token_id=1, tie_word_embeddings=True,
        )
    )  # fmt: skip


def _gpt2():
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0,
            embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0, pad_token_id=1,
        )
    )  # fmt: skip


def _bert_config():
    return BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=64, hidden_dropout_prob=0,
        attention_probs_dropout_prob=0, pad_token_id=1,
    )  # fmt: skip


def _vit():
    return ViTForImageClassification(
        ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
            image_size=8, patch_size=4, num_labels=2, hidden_dropout_prob=0,
            attention_probs_dropout_prob=0,
        )
    )  # fmt: skip


MODELS = {
    "llama": _llama,
    "gpt2": _gpt2,
    "bert": lambda: BertModel(_bert_config()),
    "bert_masked": lambda: BertForMaskedLM(_bert_config()),
    "bert_classifier": lambda: BertForSequenceClassification(_bert_config()),
    "vit": _vit,
}
PURPOSES = {
    "llama": "causal_lm", "gpt2": "causal_lm", "bert_classifier": "sequence_classification",
    "vit": "image_classification",
}  # fmt: skip


def save(folder: Path, kind: str, *, chat: bool = False, seed: int = 0, **how):
    """Write a model, and a tokenizer where it reads text; the module."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = MODELS[kind]().eval()
        for parameter in module.parameters():  # biases and norms too, so that none hides
            parameter.data += 0.02 * torch.randn_like(parameter)
    module.save_pretrained(folder, **how)
    if kind != "vit":
        tokenizer(chat).save_pretrained(folder)
    return module
