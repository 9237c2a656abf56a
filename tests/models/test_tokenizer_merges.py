"""Pieces of which a library would make far more merges than fit are refused before it begins."""

import importlib
import os
import sys
from types import SimpleNamespace

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.models.tokenizer_merges import bound_merges, check_merges
from tests.spent import processor_seconds

BINARY = [f"{number:0{length}b}" for length in range(1, 18) for number in range(2**length)]
FEW = [f"{number:x}" for number in range(300_000)]  # as many as the largest vocabularies have
LONG = [f"{number:04}" * 1000 for number in range(300)]  # which share nothing


@pytest.mark.parametrize(
    ("texts", "fits"),
    [(BINARY, False), (["a" * n for n in range(1000)], False), (FEW, True), (LONG, True),
     (["▁" * n for n in range(300)], True), ([b"a" * n for n in range(1000)], False)],
)  # fmt: skip
def test_pieces_that_begin_with_each_other_are_counted(texts, fits):
    began = processor_seconds()
    if fits:
        check_merges(texts)
    else:
        with pytest.raises(CheckpointError, match="begin with each other"):
            check_merges(texts)
    assert processor_seconds() - began < 2


def test_the_library_makes_merges_of_what_fits_alone():
    bound_merges()
    bound_merges()
    for name in ("convert_slow_tokenizer", "tokenization_utils_base"):
        module = importlib.import_module(f"transformers.{name}")
        assert module.generate_merges({"a": 0, "b": 1, "ab": 2}, {"ab": 1.0}) == [("a", "b")]
        with pytest.raises(CheckpointError, match="begin with each other"):
            module.generate_merges({"a" * n: n for n in range(1000)}, None)


def test_ranks_of_bytes_are_looked_at_as_well(monkeypatch):
    from transformers.convert_slow_tokenizer import TikTokenConverter

    ranks = {b"a" * n: n for n in range(1, 1000)}
    monkeypatch.setattr(TikTokenConverter, "load_tiktoken_bpe", staticmethod(lambda _: ranks))
    bound_merges()
    with pytest.raises(CheckpointError, match="begin with each other"):
        TikTokenConverter("x.model").extract_vocab_merges_from_model("x.model")


def test_a_file_of_tiktoken_is_read_where_it_is(monkeypatch):
    """Its loader keeps a copy of each by its path, and never looks at the file again."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    def load(path):
        kept = os.environ.get("TIKTOKEN_CACHE_DIR", "elsewhere")
        return {b"a copy" if kept else path.encode(): 0}

    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "tiktoken.load", SimpleNamespace(load_tiktoken_bpe=load))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "a folder")
    bound_merges()
    assert TikTokenConverter.load_tiktoken_bpe("x.model") == {b"x.model": 0}
