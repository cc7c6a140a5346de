"""The training of networks on images is that of networks on sequences, graphs, sets and series."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
import kerneltools
from ckn import (
    Architecture,
    Beside,
    GappedSpec,
    Network,
    PartSpec,
    Supervised,
    Transport,
    fit_supervised,
    fit_unsupervised,
)
from ckn.supervised import Flip, ResumeError, StartError, load_state, save_state, training_notes
from kerneltools.kernels.profiles import Exponential
from kerneltools.optimisers import Spheres
from kerneltools.patches import Averaged, Elements, FirstNorm, PartKernel, PartMax, PartSum, Paths, Windows
from kerneltools.solvers import CrossEntropy
from kerneltools.structures import Graph, Graphs, Ragged, Strings, concat
from kerneltools.trees import map_leaves

N = 60
LABELS = np.arange(N) % 2
QUICK = Supervised(epochs=2, batch=20, rate=1e-2, reg=1e-3)
OF_PATHS = PartKernel(Exponential(1.0), Averaged(), FirstNorm())


def _word(draws: np.random.Generator, planted: bool) -> str:
    letters = draws.choice(list("ACGT"), size=draws.integers(20, 30))
    if planted:
        at = draws.integers(0, len(letters) - 6)
        letters[at : at + 6] = list("TGACTC")
    return "".join(letters)


def _ring(draws: np.random.Generator, alternating: bool) -> Graph:
    n = int(draws.integers(3, 6)) * 2
    labels = np.arange(n) % 2 if alternating else np.sort(np.arange(n) % 2)
    return Graph(n, [[i, (i + 1) % n] for i in range(n)], labels)


@cache
def case(kind: str) -> tuple[Any, Architecture]:
    """n objects, every other one of the second class, and layers for them."""
    draws = np.random.default_rng(0)
    if kind == "strings":
        x: Any = Strings.of([_word(draws, bool(label)) for label in LABELS])
        return x, Architecture((PartSpec(8, Windows(6)),), PartMax(), strands=True)
    if kind == "graphs":
        x = Graphs.of([_ring(draws, bool(label)) for label in LABELS])
        return x, Architecture((PartSpec(8, Paths(3), OF_PATHS), PartSpec(4, Paths(2), OF_PATHS)), PartSum())
    if kind == "gaps":
        x = Strings.of([_word(draws, bool(label)) for label in LABELS])
        return x, Architecture((GappedSpec(6, 4),))
    x = Ragged.of([draws.standard_normal((draws.integers(5, 9), 3)) + 0.5 * label for label in LABELS])
    if kind == "plans":
        return x, Architecture((PartSpec(6, Elements()),), Transport(3))
    return x, Architecture((PartSpec(8, Elements()),))


KINDS = pytest.mark.parametrize("kind", ["strings", "graphs", "sets"])


def network_of(kind: str) -> tuple[Network, Any]:
    x, architecture = case(kind)
    return fit_unsupervised(architecture, x, 0), x


@KINDS
def test_training_lowers_the_loss_and_keeps_filters_on_their_spheres(kind: str) -> None:
    network, x = network_of(kind)
    state = fit_supervised(network, x, LABELS, 2, 0, replace(QUICK, epochs=4), validation=(x[:10], LABELS[:10]))
    assert state.initial is not None
    assert state.history[-1].loss < state.initial.loss
    assert 0 <= state.history[-1].validation_accuracy <= 1
    for before, layer in zip(network.layers, state.network.layers, strict=True):
        assert np.abs(layer.filters - before.filters).max() > 1e-6
        assert np.allclose(layer.kernel.normalised(layer.filters), layer.filters)


def test_layers_beside_each_other_train_as_others(tmp_path: Path) -> None:
    x, _ = case("sets")
    both = Beside((PartSpec(6, Elements()), PartSpec(3, Windows(2, partial=True))))
    network = fit_unsupervised(Architecture((both, PartSpec(4, Windows(2))), PartMax()), x, 0)
    state = fit_supervised(network, x, LABELS, 2, 0, replace(QUICK, epochs=4))
    assert state.history[-1].loss < state.initial.loss
    for before, layer in zip(network.layers, state.network.layers, strict=True):
        assert np.abs(layer.filters - before.filters).max() > 1e-6
    save_state(state, tmp_path / "state.ckn")
    again = load_state(tmp_path / "state.ckn")
    assert again.network.beside == (2, 1)
    with pytest.raises(StartError, match="of another architecture"):
        fit_supervised(fit_unsupervised(Architecture((both,), PartMax()), x, 0), x, LABELS, 2, 0, QUICK, start=again)


@pytest.mark.parametrize(
    ("kind", "library"),
    [
        *[(kind, "torch") for kind in ("strings", "graphs", "sets", "gaps", "plans")],
        ("sets", "jax"),
        # JAX compiles for half a minute.
        *[pytest.param(kind, "jax", marks=pytest.mark.heavy) for kind in ("strings", "graphs", "gaps", "plans")],
    ],
)
def test_libraries_train_alike(kind: str, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    network, x = network_of(kind)
    expected = fit_supervised(network, x, LABELS, 2, 0, QUICK)
    there = kerneltools.backend(library)

    def placed(leaf: Any) -> Any:
        return there.asarray(leaf, dtype="float64") if hasattr(leaf, "dtype") else leaf

    settings = replace(QUICK, jit=library == "jax")
    got = fit_supervised(map_leaves(placed, network), x, LABELS, 2, 0, settings)
    for one, other in zip(expected.network.layers, got.network.layers, strict=True):
        assert np.allclose(np.asarray(other.filters), one.filters, rtol=1e-8, atol=1e-9)
    assert np.isclose(got.history[-1].loss, expected.history[-1].loss, rtol=1e-8)


@KINDS
def test_a_few_at_a_time_give_the_same_gradient(kind: str) -> None:
    network, x = network_of(kind)
    whole = fit_supervised(network, x, LABELS, 2, 0, replace(QUICK, epochs=1))
    parts = fit_supervised(network, x, LABELS, 2, 0, replace(QUICK, epochs=1, at_once=7))
    for one, other in zip(whole.network.layers, parts.network.layers, strict=True):
        assert np.allclose(other.filters, one.filters, rtol=1e-9, atol=1e-11)


@KINDS
def test_a_training_goes_on_from_a_file(kind: str, tmp_path: Path) -> None:
    network, x = network_of(kind)
    _, architecture = case(kind)
    notes = training_notes(architecture, QUICK, x, LABELS, 0)
    states: list[Any] = []
    whole = fit_supervised(network, x, LABELS, 2, 0, QUICK, on_epoch=states.append)
    save_state(states[0], tmp_path / "state", notes)
    rest = fit_supervised(network, x, LABELS, 2, 0, QUICK, start=load_state(tmp_path / "state", notes))
    assert (rest.head.weights == whole.head.weights).all()
    other = training_notes(architecture, QUICK, concat([x[1:], x[:1]]), LABELS, 0)
    with pytest.raises(ResumeError, match="other data or labels"):
        load_state(tmp_path / "state", other)


def test_kernels_and_rates_are_learnt_and_found() -> None:
    network, x = network_of("sets")
    settings = Supervised(epochs=1, batch=20, learn_kernels=True, loss=CrossEntropy())
    state = fit_supervised(network, x, LABELS, 2, 0, settings)
    (layer,) = state.network.layers
    assert float(layer.kernel.profile.sigma) != 0.6


def test_numbers_are_predicted() -> None:
    network, x = network_of("sets")
    wanted = np.asarray([float(one.mean()) for one in x])
    wanted = (wanted - wanted.mean()) / wanted.std()
    state = fit_supervised(network, x, wanted, None, 0, QUICK, validation=(x, wanted))
    assert state.head.weights.shape[1] == 1
    assert state.history[-1].train_accuracy > 0.5
    assert np.isclose(state.history[-1].train_accuracy, state.history[-1].validation_accuracy)
    with pytest.raises(ValueError, match=r"loss: numbers to predict need Squared\(\)"):
        fit_supervised(network, x, wanted, None, 0, replace(QUICK, loss=CrossEntropy()))
    with pytest.raises(ValueError, match=r"labels: expected \(60,\) or \(60, q\)"):
        fit_supervised(network, x, wanted[1:], None, 0, QUICK)


def test_a_model_goes_to_a_file(tmp_path: Path) -> None:
    network, x = network_of("graphs")
    state = fit_supervised(network, x, LABELS, 2, 0, QUICK)
    model = ckn.Model(state.network, state.head, classes=("even", "odd"))
    ckn.save(model, tmp_path / "model")
    again = ckn.load(tmp_path / "model")
    assert isinstance(again, ckn.Model)
    assert np.allclose(again.decision_function(x), model.decision_function(x))
    assert again.predict(x[:4]) == model.predict(x[:4])
    with pytest.raises(TypeError, match="x: expected graphs, as the network was made for, got Strings"):
        again.predict(case("strings")[0])


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("strings", {"data": case("graphs")[0]}, "x: expected strings, as the network was made for"),
        ("strings", {"data": np.zeros((60, 3))}, "x: expected a collection such as"),
        ("strings", {"settings": replace(QUICK, augmentation=(Flip(),))}, "augmentation: .* is of images"),
        ("strings", {"settings": replace(QUICK, precondition=True)}, "precondition: for networks on images only"),
        ("strings", {"settings": replace(QUICK, products="bfloat16")}, "products: .* is for networks on images"),
        ("sets", {"labels": LABELS[1:]}, "labels: expected 60"),
        ("sets", {"validation": (case("sets")[0][:0], [])}, "validation: x: expected at least one"),
    ],
)
def test_what_is_wrong_is_named(kind: str, change: dict[str, Any], message: str) -> None:
    network, x = network_of(kind)
    arguments = {"data": x, "labels": LABELS, "classes": 2, "rng": 0, "settings": QUICK, **change}
    with pytest.raises((TypeError, ValueError), match=message):
        fit_supervised(network, **arguments)


def test_steps_that_would_be_compiled_for_each_batch_are_refused() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    network, x = network_of("sets")
    moved = map_leaves(lambda leaf: torch.asarray(leaf) if hasattr(leaf, "dtype") else leaf, network)
    with pytest.raises(ValueError, match="jit: batches of objects differ in size, and torch does not"):
        fit_supervised(moved, x, LABELS, 2, 0, replace(QUICK, jit=True))


def test_a_state_of_other_objects_is_no_start() -> None:
    network, x = network_of("sets")
    state = fit_supervised(network, x, LABELS, 2, 0, replace(QUICK, epochs=0))
    others, y = network_of("strings")
    with pytest.raises(StartError, match="start: its network is of another architecture"):
        fit_supervised(others, y, LABELS, 2, 0, QUICK, start=state)


def test_spheres_hold_each_vector() -> None:
    draws = np.random.default_rng(0)
    z, step = draws.standard_normal((2, 3, 4)), draws.standard_normal((2, 3, 4))
    space = Spheres()
    z = space.retract(z, 0 * z)
    moved = space.retract(z, space.tangent(z, step))
    assert np.allclose(np.linalg.norm(moved, axis=-1), 1.0)
    assert np.allclose((space.tangent(z, step) * z).sum(axis=-1), 0.0)
    assert (space.retract(np.zeros((1, 1, 4)), np.zeros((1, 1, 4))) == 0).all()
