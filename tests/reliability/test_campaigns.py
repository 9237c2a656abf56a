"""Short forms of the campaigns that anyone can run at length."""

import sys

import pytest

from tests.reliability import (
    disk_campaign,
    engine_campaign,
    kill_campaign,
    power_cut,
    soak,
    swap_campaign,
)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_killed_run_goes_on_to_the_bit(tmp_path):
    found = kill_campaign.campaign(tmp_path, kills=6, steps=30_000, seed=1)
    assert found["kills"] >= 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_killed_windows_and_engines_cost_a_run_nothing(tmp_path, monkeypatch):
    for name in ("LORA_LAB_HOME", "OMP_NUM_THREADS", "QT_QPA_PLATFORM"):
        monkeypatch.setenv(name, "")  # they are as before when it is over
    engine_campaign.prepare(tmp_path / "windows")
    assert engine_campaign.kill_windows(3, seed=1)["killed"] == 3
    engine_campaign.prepare(tmp_path / "engines")
    assert engine_campaign.kill_engines(4, steps=4_000, seed=1)["killed"] >= 2


def test_a_full_disk_damages_nothing(tmp_path):
    found = disk_campaign.campaign(tmp_path, steps=20, stride=61)
    assert min(count for name, count in found.items() if name.endswith("runs")) >= 2


@pytest.mark.skipif(sys.platform == "win32", reason="its folders cannot be synced")
def test_a_run_opens_after_a_power_cut(tmp_path):
    found = power_cut.campaign(tmp_path, states=60, resumed=2, seed=0, steps=12)
    assert min(count for name, count in found.items() if name.endswith("resumed")) >= 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="its folders cannot be synced")
def test_a_run_opens_after_any_of_many_power_cuts(tmp_path):
    power_cut.campaign(tmp_path, states=1500, resumed=20, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_soak_ends_like_its_replay(tmp_path):
    found = soak.soak(tmp_path, minutes=0.2, seed=3)
    assert int(found["edits that hold"].replace(",", "")) >= 3


@pytest.mark.slow
@pytest.mark.skipif(not swap_campaign.exchanges(), reason="no two names change places here")
def test_what_changes_places_while_it_is_opened_is_neither_followed_nor_waited_for():
    found = swap_campaign.campaign(0.3)
    assert found["refused"] > 100


@pytest.fixture(scope="module")
def forms():
    pytest.importorskip("hypothesis", reason="broken files are made by hypothesis")
    from tests.reliability.fuzz_campaign import forms

    return forms()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_form_is_read_where_it_is_whole(forms, tmp_path):
    """Else all that is made of it would be refused at once, and nothing be tried."""
    for form in forms.values():
        path = tmp_path / form.name
        for data in (form.seed(), form.spell(form.table()) if form.spell else form.seed()):
            path.write_bytes(data)
            form.read(path)
        path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_broken_file_is_read_or_refused(forms, subtests):
    from tests.reliability.fuzz_campaign import try_form

    for name, form in forms.items():
        with subtests.test(name):
            try_form(form, 60)
