"""Trainings in files: what is read is what was written, and a training goes on from it to the same numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ckn
from ckn import Architecture, LayerSpec, Supervised, TrainingState, fit_supervised, fit_unsupervised
from ckn.readers import read
from ckn.supervised import (
    Crop,
    EpochReport,
    Flip,
    ResumeError,
    StartError,
    best_epoch,
    load_state,
    save_state,
    state_notes,
    training_notes,
)
from ckn.supervised.checkpoint import _Checkpoint
from kerneltools import backend
from kerneltools.files import FileFormatError, save_tree
from kerneltools.kernels import Gaussian, Homogeneous, profiles
from kerneltools.optimisers import SGD, Sphere
from kerneltools.solvers import LinearModel, Squared
from kerneltools.trees import flatten, map_leaves

ARCHITECTURE = Architecture(
    (LayerSpec(6, subsampling=2), LayerSpec(5, patch=1, subsampling=1, kernel=Homogeneous(profiles.Power(2))))
)
SETTINGS = Supervised(loss=Squared(), epochs=3, batch=10, rate=0.01, reg=1e-3, augmentation=(Flip(), Crop(1)))


def data(dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Images whose class is where their bright bar lies."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 3
    images = (0.3 * rng.random((40, 7, 6, 2))).astype(dtype)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2, 1:5] += 1.0
    return images, labels


def states(settings: Supervised, name: str = "numpy", dtype: type = np.float64, **keywords) -> list[TrainingState]:
    """The states after each epoch."""
    images, labels = data(dtype)
    library = backend(name)
    network = fit_unsupervised(ARCHITECTURE, images, rng=0, patches=200)
    network = map_leaves(lambda leaf: library.asarray(leaf) if hasattr(leaf, "shape") else leaf, network)
    seen: list[TrainingState] = []
    inputs = library.asarray(images)
    fit_supervised(network, inputs, labels, 3, rng=1, settings=settings, on_epoch=seen.append, **keywords)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "change",
    [{"optimiser": SGD(), "precondition": True}, {}, {"learn_kernels": True}],
    ids=["sgd", "adam", "kernels"],
)
def test_goes_on_to_the_same_numbers_to_the_last_bit(change: dict, dtype: type, tmp_path: Path) -> None:
    settings = replace(SETTINGS, **change)
    whole = states(settings, dtype=dtype)
    save_state(whole[0], tmp_path / "state")
    rest = states(settings, dtype=dtype, start=load_state(tmp_path / "state"))
    assert rest[-1].history == whole[-1].history
    for a, b in zip(flatten(whole[-1])[0], flatten(rest[-1])[0], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("name", ["torch", pytest.param("jax", marks=pytest.mark.heavy)])
def test_goes_on_in_other_libraries(name: str, tmp_path: Path) -> None:
    # JAX without compilation takes a minute here.
    settings = replace(SETTINGS, jit=name == "jax")
    whole = states(settings, name)
    save_state(whole[0], tmp_path / "state")
    rest = states(settings, name, start=load_state(tmp_path / "state", backend=name))
    for a, b in zip(flatten(whole[-1])[0], flatten(rest[-1])[0], strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6, atol=1e-6)


def test_the_order_in_memory_makes_no_difference() -> None:
    # An inverse of PyTorch's is in column order, and its products round otherwise than those of a file's arrays.
    digits = read("digits")
    images, labels = torch.asarray((digits.images[:200] / 16).astype(np.float32)), digits.labels[:200]
    network = fit_unsupervised(ckn.architectures["small"], images, rng=0, patches=2000)
    settings = Supervised(epochs=2, batch=40, rate=1e-4, reg=1e-4, optimiser=SGD(), precondition=True)
    whole: list[TrainingState] = []
    fit_supervised(network, images, labels, 10, 0, settings, on_epoch=whole.append)
    rest = fit_supervised(network, images, labels, 10, 0, settings, start=whole[0])
    assert rest.history == whole[1].history
    for a, b in zip(flatten(whole[1])[0], flatten(rest)[0], strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_is_read_into_another_library(tmp_path: Path) -> None:
    state = states(replace(SETTINGS, epochs=1))[0]
    save_state(state, tmp_path / "state")
    loaded = load_state(tmp_path / "state", backend="jax")
    assert backend("jax").owns(loaded.network.like)
    for a, b in zip(flatten(state)[0], flatten(loaded)[0], strict=True):
        assert np.array_equal(a, np.asarray(b))


def notes(**changes) -> dict[str, str]:
    """The notes of the training, or of one that differs."""
    images, labels = data()
    return training_notes(
        **{
            "architecture": ARCHITECTURE,
            "settings": SETTINGS,
            "images": images,
            "labels": labels,
            "rng": 1,
            **changes,
        }
    )


def other_labels() -> np.ndarray:
    """The same but two."""
    labels = data()[1].copy()
    labels[[0, 1]] = labels[[1, 0]]
    return labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": Architecture((LayerSpec(6),))},
            r"architecture is Architecture.* there and Architecture.* here",
        ),
        ({"settings": replace(SETTINGS, rate=0.1)}, r"rate is 0.01 there and 0.1 here"),
        ({"settings": replace(SETTINGS, optimiser=SGD())}, r"optimiser is Adam\(.*\) there and SGD\(.*\) here"),
        ({"images": data()[0][::-1]}, r": other data or labels$"),
        ({"images": data(np.float32)[0]}, r": other data or labels$"),
        ({"labels": other_labels()}, r": other data or labels$"),
        ({"rng": 2}, r"rng is 1 there and 2 here"),
    ],
)
def test_another_training_is_refused_by_name(change: dict, message: str, tmp_path: Path) -> None:
    save_state(states(replace(SETTINGS, epochs=1))[0], tmp_path / "state", notes())
    assert load_state(tmp_path / "state", notes(settings=replace(SETTINGS, epochs=9, jit=True))).epoch == 1
    with pytest.raises(ResumeError, match=message) as caught:
        load_state(tmp_path / "state", notes(**change))
    assert str(caught.value).startswith(str(tmp_path / "state"))


def test_notes_are_read_back_and_do_not_depend_on_the_library(tmp_path: Path) -> None:
    images, labels = data()
    assert notes(images=backend("torch").asarray(images), labels=labels.tolist()) == notes()
    save_state(states(replace(SETTINGS, epochs=1))[0], tmp_path / "state", {"a": "b"})
    assert state_notes(tmp_path / "state") == {"a": "b"}
    with pytest.raises(ResumeError, match="rng is not known there and 1 here"):
        load_state(tmp_path / "state", {"rng": "1"})


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_tree(states(replace(SETTINGS, epochs=1))[0], tmp_path / "bare", "ckn-training")
    with pytest.raises(FileFormatError, match="corrupt"):
        load_state(tmp_path / "bare")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_state(tmp_path / "none")


@pytest.fixture(scope="module")
def state() -> TrainingState:
    """After two epochs."""
    return states(replace(SETTINGS, epochs=2))[-1]


def report(**change) -> dict:
    """Another history, whose last report differs."""
    return {"history": (EpochReport(1, 0.5, 0.1), replace(EpochReport(2, 0.4, 0.1, 0.9, 0.8), **change))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "epoch: expected an integer, 2 as in the history, got 3"),
        ({"epoch": 2.0}, "epoch: expected an integer"),
        ({"epoch": "2"}, "epoch: expected an integer"),
        ({"epoch": 10**400}, "epoch: expected an integer"),
        ({"rate": "fast"}, "rate: expected a number, got 'fast'"),
        ({"rate": float("nan")}, "rate: expected a finite number"),
        ({"rate": -1.0}, "rate: expected a finite number >= 0, got -1"),
        ({"rate": 10**400}, "OverflowError"),
        ({"reg": None}, "reg: expected a number, got None"),
        ({"reg": True}, "reg: expected a number, got True"),
        ({"history": "ab"}, "history: expected reports"),
        ({"initial": 1}, "initial: expected the report of epoch 0, or None, got 1"),
        ({"initial": EpochReport(1, 0.5, 0.0)}, "history: expected epoch 0, got 1"),
        ({"history": (1, 2)}, "history: expected reports"),
        (report(epoch=1), "history: expected epoch 2, got 1"),
        (report(loss="low"), "loss: expected a number, got 'low'"),
        (report(loss=float("inf")), "loss: expected a finite number"),
        (report(rate=None), "rate: expected a number"),
        (report(train_accuracy=1.5), "train_accuracy: expected a finite number"),
        (report(validation_accuracy="all"), "validation_accuracy: expected a number"),
        ({"network": None}, "network: expected a Network"),
        ({"head": None}, "head: expected a LinearModel"),
        ({"head": LinearModel(np.ones((4, 3)), np.ones(2))}, "an intercept of shape"),
        ({"head": LinearModel(np.full((4, 3), np.nan), np.ones(3))}, "head.weights: expected finite numbers"),
        ({"head": LinearModel(np.ones((4, 3), int), np.ones(3))}, "head.weights: expected floating-point numbers"),
        ({"optimiser": {"mean": np.full(3, np.inf)}}, "optimiser.mean: expected finite numbers"),
        ({"spaces": ()}, "spaces: expected a geometry for each of 2 layers"),
        ({"spaces": (1, 2)}, "spaces: expected a geometry for each of 2 layers"),
        ({"spaces": (Sphere(np.eye(3)), Sphere())}, r"metric: expected shape \(18, 18\), got \(3, 3\)"),
    ],
)
def test_values_that_cannot_be(change: dict, message: str, state: TrainingState, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"state: not written, because it could not be read again.*: {message}"):
        save_state(replace(state, **change), tmp_path / "state")
    assert not any(tmp_path.iterdir())
    save_tree(_Checkpoint(replace(state, **change), {}), tmp_path / "state", "ckn-training")
    for read_it in (load_state, state_notes):
        with pytest.raises(FileFormatError, match=rf"state: corrupt.*: {message}"):
            read_it(tmp_path / "state")


def test_notes_that_are_no_words(state: TrainingState, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"state: not written, .*: notes: expected words by name"):
        save_state(state, tmp_path / "state", {"options": 3})  # type: ignore[dict-item]
    save_tree(_Checkpoint(state, {"options": 3}), tmp_path / "state", "ckn-training")
    with pytest.raises(FileFormatError, match="state: corrupt: notes: expected words by name"):
        state_notes(tmp_path / "state")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser": SGD().start(np.ones(3))}, "the state of its optimiser is of another one"),
        ({"optimiser": "adam"}, "the state of its optimiser is of another one"),
        ("wide", "its filters of shape .* and float64 are not for images of shape .* and float32"),
        ("wide optimiser", "the state of its optimiser is of another one"),
        ({"head": LinearModel(np.ones((4, 3)), np.ones(3))}, "its head is for 4 features, the network has 60"),
    ],
)
def test_a_state_of_another_optimiser_or_head(change: dict | str, message: str, state: TrainingState) -> None:
    start = replace(state, **change) if isinstance(change, dict) else OTHERS[change](state)
    dtype = np.float32 if isinstance(change, str) and change.startswith("wide") else np.float64
    with pytest.raises(StartError, match=f"start: {message}"):
        states(SETTINGS, start=start, dtype=dtype)


def narrow(tree):
    """Floating-point arrays as float32."""
    return map_leaves(lambda leaf: leaf.astype(np.float32) if hasattr(leaf, "dtype") else leaf, tree)


OTHERS = {
    "wide": lambda state: state,
    "wide optimiser": lambda state: replace(narrow(state), optimiser=state.optimiser),
}


def test_best_epoch() -> None:
    reports = [EpochReport(1, 3.0, 0.1), EpochReport(2, 1.0, 0.1), EpochReport(3, 1.0, 0.1)]
    assert best_epoch(tuple(reports)) == 2
    measured = [replace(r, validation_accuracy=a) for r, a in zip(reports, (0.9, 0.8, 0.9), strict=True)]
    assert best_epoch(tuple(measured)) == 1
    with pytest.raises(ValueError, match="history: expected at least one epoch"):
        best_epoch(())


def test_kernels_that_differ_in_arrays_alone_are_other_trainings() -> None:
    images, labels = data()
    scales = np.linspace(1.0, 2.0, 9)
    notes = [
        training_notes(Architecture((LayerSpec(4, kernel=Gaussian(s)),)), SETTINGS, images, labels, 0)["architecture"]
        for s in (scales, scales + 0.0, scales[::-1])
    ]
    assert notes[0] == notes[1] != notes[2]
