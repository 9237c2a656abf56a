"""Old spectra are thinned evenly, go back with the run, and never cost more than they may."""

import numpy as np

from lora_lab.records import LayerSpectrum, SpectrumRecord, frozen_array
from lora_lab.ui.panels.spectrum.history import MOST, MOST_VALUES, SpectrumHistory


def layer(name, sigma):
    sigma = frozen_array(sigma)
    return LayerSpectrum(name, sigma, len(sigma), 2.0, 3.0, 1.0, len(sigma), 8.0, 2.0)


def at_step(step, rank=2):
    sigma = [step / (place + 1) for place in range(rank)]
    return SpectrumRecord(step, (layer("a", sigma), layer("b", [1.0])))


def test_history_is_bounded_even_and_keeps_the_newest():
    history = SpectrumHistory()
    history.clear(["a", "b"])
    for step in range(1, 5001):
        history.add(at_step(step))
        assert len(history) <= MOST + 2
        assert history.steps[-1] == step
    steps = history.steps
    assert len(set(np.diff(steps)[:-1])) == 1
    assert steps[0] == 1
    assert np.allclose(history.layer("a"), np.column_stack([steps, steps / 2]))
    assert np.allclose(history.first(), [steps, np.ones(len(steps))])
    assert (history.ranks("a") == 2).all()


def test_history_goes_back_with_the_run_and_grows_with_the_rank():
    history = SpectrumHistory()
    history.clear(["a", "b"])
    for step in range(10, 110, 10):
        history.add(at_step(step))
    history.cut(55)
    assert list(history.steps) == [10, 20, 30, 40, 50]
    history.add(at_step(60, rank=3))
    history.add(at_step(60, rank=3))  # measured twice at one step: the newest stands
    sigma = history.layer("a")
    assert sigma.shape == (6, 3)
    assert np.isnan(sigma[:5, 2]).all()
    assert sigma[5, 2] == 20
    assert history.layer("nobody").shape == (0, 0)


def test_history_of_a_wide_layer_is_held_to_its_first_values():
    history = SpectrumHistory()
    history.clear(["a"])
    for step in range(3 * MOST):
        history.add(SpectrumRecord(step, (layer("a", np.linspace(9, 1, 500)),)))
    assert history.layer("a").shape[1] == MOST_VALUES
    assert 0 < history.nbytes <= 4 * (MOST + 2) * MOST_VALUES
