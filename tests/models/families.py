"""A tiny model of any family of transformers, and tokenizers that frame a text as encoders do."""

import torch
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.models.tiny import tokenizer

WIDTH, LAYERS, HEADS, VOCABULARY = 32, 2, 4, 330
SMALL = {  # by the names that configs have for these
    "vocab_size": VOCABULARY, "max_position_embeddings": 80, "pad_token_id": 1, "n_langs": 1,
    "num_key_value_heads": 2, "max_seq_len": 80, "max_sequence_length": 80,
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "emb_dim", "embedding_size"), WIDTH),
    **dict.fromkeys(("intermediate_size", "d_inner", "ffn_dim", "decoder_ffn_dim", "dim_ff"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "d_ff", "hidden_dim"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "decoder_layers"), LAYERS),
    **dict.fromkeys(("encoder_layers", "num_layers", "num_decoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "decoder_attention_heads"), HEADS),
    **dict.fromkeys(("encoder_attention_heads", "num_heads"), HEADS),
    "dim_head": 8, "d_kv": 8, "d_head": 8, "head_dim": 8, "languages": ("en",), "dim": WIDTH,
    "attention_hidden_size": WIDTH, "kv_lora_rank": 8, "q_lora_rank": 8, "sliding_window": 4,
    "default_language": "en", "rotary_dim": 4, "block_sizes": (1, 1), "state_size": 8,
    "segment_means_seq_len": 64, "attention_window": 8, "eos_token_id": 0, "bos_token_id": None,
}  # fmt: skip
QUIET = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
         "activation_dropout", "dropout_rate", "hidden_dropout", "summary_last_dropout",
         "classifier_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "seq_classif_dropout",
         "activation_function_dropout", "decoder_layerdrop", "encoder_layerdrop")  # fmt: skip


def built(kind, table="MODEL_FOR_CAUSAL_LM_MAPPING", **settings):
    """A tiny model of this family with random weights, biases and norms too."""
    made = CONFIG_MAPPING[kind]
    known = made()
    taken = {k: v for k, v in SMALL.items() if hasattr(known, k)}
    if kind == "xlnet":  # it has no limit, and says so by an error
        del taken["max_position_embeddings"]
    if kind == "prophetnet":  # these are its encoder's and its decoder's
        taken = {k: v for k, v in taken.items() if k not in ("num_hidden_layers", "num_layers")}
    if known.is_encoder_decoder:
        taken["decoder_start_token_id"] = 1
    taken |= {k: 0.0 for k in QUIET if isinstance(getattr(known, k, None), float)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(modeling_auto, table)[made](made(**taken | settings))
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def framed(single, pair, types=False, **settings):
    """The tiny tokenizer with [CLS], [SEP] and [MASK], in templates as `tokenizers` writes them."""
    words = tokenizer()
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    words.add_special_tokens(names)
    known = [(t, words.convert_tokens_to_ids(t)) for t in ("[CLS]", "[SEP]", "<|end|>")]
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single=single, pair=pair, special_tokens=known
    )
    inputs = ["input_ids", *["token_type_ids"] * types, "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=words.backend_tokenizer, eos_token="<|end|>", pad_token="<|pad|>",
        model_max_length=64, model_input_names=inputs, **names, **settings,
    )  # fmt: skip


def bert_tokens():
    """[CLS] a [SEP] b [SEP], the second text in a segment of its own."""
    return framed("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", types=True)


def xlnet_tokens():
    """a [SEP] b [SEP] [CLS], padded at the left."""
    template = ("$A [SEP] [CLS]:2", "$A [SEP] $B:1 [SEP]:1 [CLS]:2")
    return framed(*template, types=True, padding_side="left")


def ended_tokens():
    """a </s> b </s>, as encoder-decoders have it; no segments."""
    return framed("$A <|end|>", "$A <|end|> $B <|end|>")
