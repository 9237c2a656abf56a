"""Short forms of the campaigns that anyone can run at length."""

import sys

import pytest

from tests.reliability.kill_campaign import campaign


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_killed_run_goes_on_to_the_bit(tmp_path):
    found = campaign(tmp_path, kills=6, steps=30_000, seed=1)
    assert found["kills"] >= 3
    assert found["lost_seconds"] < 2
