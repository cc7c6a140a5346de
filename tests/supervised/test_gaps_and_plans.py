"""Trainings that move what gaps cost, and the references of a transport."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from ckn import Architecture, GappedSpec, PartSpec, Supervised, Transport, fit_supervised, fit_unsupervised
from ckn.layers.readouts import standardised
from ckn.supervised import StartError, load_state, save_state
from ckn.supervised.parameters import geometries, parameters, spheres
from kerneltools.patches import GappedMean, PartMean, Windows
from kerneltools.solvers import LinearModel
from kerneltools.structures import Strings
from kerneltools.trees import flatten, map_leaves, named_leaves

DRAWS = np.random.default_rng(0)
LABELS = np.arange(60) % 2
QUICK = Supervised(epochs=2, batch=20, rate=3e-2, reg=1e-3)


def _word(planted: bool) -> str:
    """TGA.CTC, the gap of any length up to two, in the second class."""
    letters = "".join(DRAWS.choice(list("ACGT"), size=22))
    gap = "".join(DRAWS.choice(list("ACGT"), size=DRAWS.integers(0, 3)))
    return letters[:8] + f"TGA{gap}CTC" + letters[8:] if planted else letters + letters[:7]


WORDS = Strings.of([_word(bool(label)) for label in LABELS])
GAPPED = Architecture((GappedSpec(6, 4, decay=0.3, pool=GappedMean()),))
TRANSPORTED = Architecture((PartSpec(6, Windows(4)),), Transport(3, iterations=5))


def test_what_gaps_cost_is_learnt(tmp_path: Path) -> None:
    network = fit_unsupervised(GAPPED, WORDS, 0)
    settings, states = replace(QUICK, learn_kernels=True), list[Any]()
    state = fit_supervised(network, WORDS, LABELS, 2, 0, settings, on_epoch=states.append)
    (layer,) = state.network.layers
    assert state.initial is not None
    assert state.history[-1].loss < state.initial.loss
    assert 0 <= float(layer.kernel.decay) <= 0.99
    assert abs(float(layer.kernel.decay) - 0.3) > 1e-3
    assert float(layer.kernel.profile.sigma) != float(network.layers[0].kernel.profile.sigma)
    assert np.allclose(layer.kernel.normalised(layer.filters), layer.filters)
    save_state(states[0], tmp_path / "state")
    rest = fit_supervised(network, WORDS, LABELS, 2, 0, settings, start=load_state(tmp_path / "state"))
    assert float(rest.network.layers[0].kernel.decay) == float(layer.kernel.decay)


def test_steps_that_are_too_great_end_at_the_ends() -> None:
    network = fit_unsupervised(Architecture((GappedSpec(2, 3, decay=0.0),)), WORDS, 0)
    frame = parameters(network, LinearModel(np.zeros((2, 2)), np.zeros(2)), learn_kernels=True)
    spaces = geometries(network, frame, spheres(network))
    leaves, _ = flatten(frame)
    (place,) = [i for i, (name, _) in enumerate(named_leaves(frame)) if name.endswith("decay")]
    moved = [spaces[place].retract(leaves[place], np.asarray(step)) for step in (-1.0, 0.5, 2.0)]
    assert [float(one) for one in moved] == [0.0, 0.5, 0.99]
    assert len(spaces) == len(leaves)


def test_references_are_learnt() -> None:
    network = fit_unsupervised(TRANSPORTED, WORDS, 0)
    state = fit_supervised(network, WORDS, LABELS, 2, 0, QUICK)
    assert state.initial is not None
    assert state.history[-1].loss < state.initial.loss
    before, after = (one.readout.references for one in (network, state.network))  # type: ignore[union-attr]
    assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize("change", [{"readout": PartMean()}, {"strands": True}], ids=["readout", "strands"])
def test_a_state_of_another_readout_is_no_start(change: dict[str, Any]) -> None:
    network = fit_unsupervised(TRANSPORTED, WORDS, 0)
    state = fit_supervised(network, WORDS, LABELS, 2, 0, replace(QUICK, epochs=0))
    with pytest.raises(StartError, match=r"start: its network has the readout TransportPool\(.* begin without it"):
        fit_supervised(replace(network, **change), WORDS, LABELS, 2, 0, QUICK, start=state)


def test_numbers_that_a_readout_has_learnt_are_no_other_readout() -> None:
    network = fit_unsupervised(GAPPED, WORDS, 0)
    assert network.dimension < 8  # so few that they are shown
    first, second = (replace(network, readout=standardised(PartMean(), network(x))) for x in (WORDS, WORDS[:30]))
    state = fit_supervised(first, WORDS, LABELS, 2, 0, replace(QUICK, epochs=1))
    assert fit_supervised(second, WORDS, LABELS, 2, 0, QUICK, start=state).epoch == 2


@pytest.mark.parametrize("architecture", [GAPPED, TRANSPORTED], ids=["gaps", "plans"])
def test_torch_trains_alike(architecture: Architecture) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    network, there = fit_unsupervised(architecture, WORDS, 0), kerneltools.backend("torch")
    expected = fit_supervised(network, WORDS, LABELS, 2, 0, QUICK)
    held = map_leaves(lambda a: there.asarray(a, dtype="float64") if hasattr(a, "dtype") else a, network)
    got = fit_supervised(held, WORDS, LABELS, 2, 0, QUICK)
    assert np.allclose(np.asarray(got.network.layers[0].filters), expected.network.layers[0].filters, atol=1e-9)
    assert np.isclose(got.history[-1].loss, expected.history[-1].loss, rtol=1e-8)
