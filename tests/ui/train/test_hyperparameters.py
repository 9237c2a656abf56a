"""The live settings: requests, previews, notes, locks, and the two meanings of α."""

from dataclasses import replace

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import AppliedRecord
from lora_lab.rules import energy_lost
from lora_lab.ui.style.figures import percent
from lora_lab.ui.train import hyperparameters
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from tests.training.driven_run import DrivenRun, digits
from tests.ui.seen import buttons, named, words


@pytest.fixture
def session(fake_session):
    return fake_session(RunConfig(preset="digits", task="digits"))


@pytest.fixture
def dock(qtbot, session):
    made = HyperparametersDock()
    qtbot.addWidget(made)
    made.show()
    made.standing.take(session.loaded())
    return made


def requests(dock):
    heard = []
    dock.standing.asked.connect(lambda before, after: heard.append(after))
    return heard


def drag(dock, field, value):
    """The slider passes `value` while it is held."""
    dock.sliders[field].moved.emit(field, value)


def test_setting_by_program_requests_nothing(dock, session):
    heard = requests(dock)
    dock.standing.settle(Hyperparameters(rank=3, alpha=6, alpha_mode="keep_function"))
    dock.standing.take(session.loaded())
    assert heard == []


def test_a_typed_alpha_is_requested_whole(dock):
    heard = requests(dock)
    dock.sliders["alpha"].edit.setValue(4)
    assert heard == [changed(Hyperparameters(), alpha=4)]
    assert named(dock, "Scaling s").text() == "0.5"
    assert "applied 2" in words(dock)


def test_a_move_of_a_slider_is_checked_once(dock, monkeypatch):
    heard, checks = requests(dock), []

    def counted(current, **values):
        checks.append(values)
        return changed(current, **values)

    monkeypatch.setattr(hyperparameters, "changed", counted)
    slider = dock.sliders["alpha"].slider
    slider.setValue(slider.value() + 1)
    assert checks == [{"alpha": dock.sliders["alpha"].value()}]
    assert heard == [changed(Hyperparameters(), **checks[0])]


def test_a_held_rank_keeps_what_was_requested_meanwhile(dock):
    heard = requests(dock)
    slider = dock.sliders["rank"].slider
    slider.setSliderDown(True)
    slider.setValue(slider.value() - 1)
    dock.request(alpha=4.0)
    slider.setSliderDown(False)
    assert heard[-1] == changed(Hyperparameters(), rank=dock.sliders["rank"].value(), alpha=4.0)


def test_a_dragged_rank_is_previewed_at_once_and_requested_on_release(qtbot, dock):
    heard, previews = requests(dock), []
    dock.standing.changed.connect(lambda: previews.append(dock.standing.foreseen))
    slider = dock.sliders["rank"].slider
    slider.setSliderDown(True)
    slider.setValue(slider.value() - 1)
    assert len(previews) == 1
    assert previews[0].rank < 8
    assert heard == []
    slider.setSliderDown(False)
    assert [hyper.rank for hyper in heard] == [previews[0].rank]


def test_the_price_of_a_smaller_rank_is_told_before(dock, session):
    session.step = 100
    record = session.spectrum()
    dock.set_spectrum(record)
    drag(dock, "rank", 5)
    share, where = energy_lost(record, lambda layer: 5)
    assert 0 < share < 1
    note = dock.sliders["rank"].note()
    assert "would discard" in note
    assert percent(share) in note
    assert where in note
    assert energy_lost(record, lambda layer: 0) == (0.0, "")


def test_the_cap_and_the_applied_edit_are_noted(dock):
    assert dock.sliders["rank"].maximum() == 10
    drag(dock, "rank", 10)
    dock.standing.take(AppliedRecord(1, changed(Hyperparameters(), rank=10), ()))
    drag(dock, "rank", 10)
    assert "limited to 10" in dock.sliders["rank"].note()
    smaller = changed(Hyperparameters(), rank=4)
    dock.standing.settle(smaller)
    applied = AppliedRecord(120, smaller, (("rank", 10, 4),), (), 0.032)
    dock.standing.take(applied)
    dock.note_applied(applied)
    assert "3.2 %" in dock.sliders["rank"].note()
    assert "step 120" in dock.sliders["rank"].note()


def test_both_meanings_of_alpha_can_be_chosen(dock):
    heard = requests(dock)
    buttons(dock)["keep ΔW"].click()
    buttons(dock)["rescale ΔW"].click()
    assert [hyper.alpha_mode for hyper in heard] == ["keep_function", "scale_effect"]


def test_what_is_locked_cannot_move_and_says_why(dock, session):
    reason = "Full training has no rank."
    dock.standing.take(replace(session.loaded(), locked=(("rank", reason), ("alpha", reason))))
    assert not dock.sliders["rank"].slider.isEnabled()
    assert dock.sliders["rank"].note() == reason
    assert not buttons(dock)["keep ΔW"].isEnabled()
    assert dock.rank_rule.link.isHidden(), "no rank moves, so nothing stays when it does"
    dock.standing.take(session.loaded())
    assert dock.sliders["rank"].slider.isEnabled()
    assert not dock.rank_rule.link.isHidden()


@pytest.mark.parametrize(
    ("variant", "fraction", "value"),
    [("lora", "α / r = 16 / 8", "2"), ("dora", "α / r = 16 / 8", "2"),
     ("rslora", "α / √r = 16 / √8", "5.657"), ("full", "not applicable (full fine-tuning)", "—")],
)  # fmt: skip
def test_the_scaling_is_written_as_the_variant_has_it(dock, session, variant, fraction, value):
    dock.standing.take(replace(session.loaded(), variant=variant))
    assert fraction in words(dock)
    assert named(dock, "Scaling s").text() == value


def test_a_smaller_rank_of_dora_has_no_price_beforehand(dock, session):
    dock.standing.take(replace(session.loaded(), variant="dora"))
    session.step = 100
    dock.set_spectrum(session.spectrum())
    drag(dock, "rank", 2)
    assert "shown afterwards" in dock.sliders["rank"].note()
    smaller = changed(Hyperparameters(), rank=2)
    applied = AppliedRecord(101, smaller, (("rank", 8, 2),), (), 0.05)
    dock.standing.take(applied)
    dock.note_applied(applied)
    assert "5 % of s·B·A's energy" in dock.sliders["rank"].note()


def test_the_price_spares_layers_with_a_rank_of_their_own(dock, session):
    session.step = 100
    dock.set_spectrum(session.spectrum())
    own = tuple((name, 8) for name in ("fc1", "fc2", "fc3"))
    dock.request(layer_ranks=own)
    drag(dock, "rank", 2)
    assert "would discard nothing" in dock.sliders["rank"].note()


def test_a_request_that_is_not_granted_is_taken_back_silently(dock):
    dock.sliders["rank"].edit.setValue(10)
    heard = requests(dock)
    dock.standing.settle(Hyperparameters())
    assert dock.requested == Hyperparameters()
    assert dock.sliders["rank"].value() == 8
    assert dock.sliders["rank"].note() == ""
    assert heard == []


def test_the_adapter_switch_is_part_of_the_same_snapshot(dock):
    heard = requests(dock)
    dock.sliders["alpha"].edit.setValue(4)
    dock.switch_adapter(False)
    assert heard[-1] == changed(Hyperparameters(), alpha=4, enabled=False)


@pytest.mark.parametrize(
    ("share", "text"), [(0.032, "3.2 %"), (1e-9, "< 0.0001 %"), (0.5, "50 %"), (1.0, "100.0 %")]
)
def test_percent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("variant", "rank_shown", "what"),
    [("subspace", False, "ΔW's energy"), ("uni-lora", True, "the squared change of A and B")],
)
def test_another_d_says_before_what_of_its_space_is_lost(qtbot, variant, rank_shown, what):
    config = digits(variant=variant, hyper={"dimension": 64, "learning_rate": 0.05}, digits=())
    run = DrivenRun(config)
    run.steps(6)
    dock = HyperparametersDock()
    qtbot.addWidget(dock)
    dock.standing.take(run.experiment.loaded())
    spectrum = run.experiment.spectrum()
    dock.set_spectrum(spectrum)
    dock.request(dimension=32)
    lost = percent(1 - dict(spectrum.kept)[32])
    assert dock.sliders["dimension"].note() == f"would discard {lost} of {what}"
    assert dock.sliders["rank"].isVisibleTo(dock) == rank_shown
    assert not dock.sliders["rank"].isMovable()
