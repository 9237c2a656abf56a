"""Which models see the tokens behind one: tried on families of both kinds."""

from types import SimpleNamespace

import pytest
import torch
from transformers import PreTrainedConfig, ProphetNetConfig, ProphetNetForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import purposes, sees_both_sides
from lora_lab.models.row_probe import known_tokens, looks_ahead
from tests.models.families import built

ENCODERS = (
    "bert", "bert-generation", "big_bird", "camembert", "cpmant", "data2vec-text", "electra",
    "ernie", "megatron-bert", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer",
    "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "xmod",
)  # fmt: skip
DECODERS = (
    "bart", "biogpt", "bloom", "gemma2", "gpt2", "gpt_neox", "gpt_oss", "llama", "mamba", "marian",
    "mistral", "mixtral", "mpt", "opt", "rwkv", "trocr",
)  # fmt: skip
HONOUR = {"is_decoder", "causal"}


def moved(model):
    """By the plain rule: change the last of eight tokens; whether a logit before it moves."""
    ids = torch.arange(10, 18)[None]
    other = ids.clone()
    other[0, -1] = 42
    model.eval()
    with torch.no_grad():
        one, two = (model(input_ids=row, use_cache=False).logits[0, :-1] for row in (ids, other))
    return float((one - two).abs().max() / one.abs().max()) > 1e-4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_family_sees_what_is_behind_a_token_or_not(kind):
    model = built(kind, is_encoder_decoder=False)
    seen = looks_ahead(model, kind)
    assert seen == moved(model) == (kind in ENCODERS)
    values = model.config.to_dict()
    assert sees_both_sides(values) == (kind in ENCODERS)
    assert ("causal_lm" in purposes(values)) == (kind in DECODERS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ENCODERS)
def test_encoders_that_are_set_to_decode_are_causal(kind):
    names = HONOUR & set(CONFIG_MAPPING[kind]().to_dict())
    if not names:
        pytest.skip("this family has no such setting")
    model = built(kind, **dict.fromkeys(names, True))
    assert not looks_ahead(model, kind)
    assert not moved(model)
    assert "causal_lm" in purposes(model.config.to_dict())


def test_a_probe_leaves_the_mode_and_the_generator_alone():
    model = built("bert").train()
    before = torch.random.get_rng_state()
    looks_ahead(model, "bert")
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["bert", "llama", "mixtral"])
def test_half_precision_is_told_apart_as_well(kind, dtype):
    assert looks_ahead(built(kind).to(dtype), kind) == (kind == "bert")


def test_a_model_that_cannot_read_says_so_in_one_sentence():
    model = built("llama")
    model.model.layers[0].self_attn.o_proj = torch.nn.Linear(7, 7)
    with pytest.raises(
        CheckpointError, match=r"small: this llama model cannot read a row .* shapes"
    ):
        looks_ahead(model, "small")


def test_a_model_that_says_another_thing_in_a_longer_row_is_refused():
    config = ProphetNetConfig(
        vocab_size=64, hidden_size=16, num_encoder_layers=1, num_decoder_layers=1,
        num_encoder_attention_heads=2, num_decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_position_embeddings=64, is_decoder=True,
    )  # fmt: skip
    torch.manual_seed(0)
    model = ProphetNetForCausalLM(config).eval()
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    with pytest.raises(CheckpointError, match="moves with the length of the row"):
        looks_ahead(model, "prophetnet")


@pytest.mark.parametrize(
    ("table", "known"),
    {
        "a table": (torch.nn.Embedding(7, 4), 7),
        "a linear layer": (torch.nn.Linear(4, 9), 9),
        "latents": (torch.nn.Parameter(torch.zeros(3, 4)), 11),
        "nothing": (None, 11),
    }.values(),
)
def test_how_many_tokens_are_known(table, known):
    """Perceiver's input embeddings are its latents, and those of some models of parts are none."""
    config = PreTrainedConfig(vocab_size=11)
    assert known_tokens(SimpleNamespace(config=config, get_input_embeddings=lambda: table)) == known
