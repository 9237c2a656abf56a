"""A head that answers like Ray's, and its token where a person puts it."""

import pytest

from tests.cluster.fake_head import TOKEN, fake_head


@pytest.fixture
def head(monkeypatch):
    monkeypatch.setenv("LORA_LAB_CLUSTER_TOKEN", TOKEN)
    with fake_head() as found:
        yield found
