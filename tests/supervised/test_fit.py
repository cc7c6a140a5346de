"""Supervised training: the libraries agree, an interrupted run goes on to the same numbers, wrong input is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ckn import Architecture, LayerSpec, Supervised, architectures, fit_supervised, fit_unsupervised
from ckn.model import encode
from ckn.readers import read
from ckn.supervised import Crop, Cutout, DivergedError, Flip, Joint, TrainingState
from ckn.supervised.start import RATES
from kerneltools import backend
from kerneltools.kernels import Homogeneous, profiles
from kerneltools.optimisers import SGD
from kerneltools.solvers import CrossEntropy, Squared, SquaredHinge
from kerneltools.trees import flatten, map_leaves

SMALL = Architecture(
    (LayerSpec(6, subsampling=2), LayerSpec(5, patch=1, subsampling=1, kernel=Homogeneous(profiles.Power(2))))
)
QUICK = Supervised(SquaredHinge(), epochs=2, batch=10, rate=0.1, reg=1e-3)


def toy(n: int = 40, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images whose class is where their bright bar lies."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    images = 0.3 * rng.random((n, 7, 6, 2))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2, 1:5] += 1.0
    return images, labels


def start(images: np.ndarray, architecture: Architecture = SMALL):
    return fit_unsupervised(architecture, images, rng=0, patches=200)


def moved(name: str, tree):
    library = backend(name)
    return map_leaves(lambda leaf: library.asarray(leaf) if hasattr(leaf, "dtype") else leaf, tree)


def filters_of(state: TrainingState) -> list[np.ndarray]:
    return [backend("numpy").asarray(layer.filters) for layer in state.network.layers]


def trained(name: str, settings: Supervised, architecture: Architecture = SMALL) -> TrainingState:
    images, labels = toy()
    network = moved(name, start(images, architecture))
    return fit_supervised(network, backend(name).asarray(images), labels, 3, rng=1, settings=settings)


def test_short_products_ask_for_a_reg_above_their_rounding() -> None:
    # A head for the exact features, of a λ that one of their rounding errors dwarfs, would explode at the first step.
    data = read("digits")
    library = backend("torch")
    images = library.asarray(data.images[:400] / 16, dtype="float32")
    labels = data.labels[:400].tolist()
    network = fit_unsupervised(architectures["small"], images, rng=0, patches=5000)
    settings = Supervised(epochs=0, rate=1e-5)
    exact, short = (
        fit_supervised(network, images, labels, 10, rng=0, settings=replace(settings, products=products))
        for products in (None, "bfloat16")
    )
    features = [encode(each.prepare(), (), images[:256]) for each in (network, network.with_products("bfloat16"))]
    assert short.reg == pytest.approx(float(((features[0] - features[1]) ** 2).mean()))
    assert short.reg > 10 * exact.reg
    longer = replace(settings, products="bfloat16", epochs=1)
    (report,) = fit_supervised(network, images, labels, 10, rng=0, settings=longer).history
    assert report.loss < 3


def test_a_start_of_another_kind_is_refused() -> None:
    images, labels = toy()
    network = start(images)
    state = fit_supervised(network, images, labels, 3, rng=1, settings=replace(QUICK, epochs=0))
    other = Architecture((LayerSpec(6, subsampling=1), *SMALL.layers[1:]))
    with pytest.raises(ValueError, match=r"start: its network is of another architecture.*\(6, 3, 3, 2\)"):
        fit_supervised(start(images, other), images, labels, 3, rng=1, settings=QUICK, start=state)
    with pytest.raises(ValueError, match="start: its head has 3 classes, and classes=2 was given"):
        fit_supervised(network, images, labels % 2, 2, rng=1, settings=QUICK, start=state)
    # Kernels that have learnt are those of the same architecture.
    learnt = replace(QUICK, learn_kernels=True, epochs=1)
    state = fit_supervised(network, images, labels, 3, rng=1, settings=learnt)
    longer = fit_supervised(network, images, labels, 3, rng=1, settings=replace(learnt, epochs=2), start=state)
    assert longer.epoch == 2


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("torch", SquaredHinge()),
        pytest.param("jax", SquaredHinge(), marks=pytest.mark.heavy),
        ("torch", CrossEntropy()),
        ("jax", CrossEntropy()),
        ("torch", Squared()),
        pytest.param("jax", Squared(), marks=pytest.mark.heavy),
    ],
    ids=str,
)
def test_libraries_agree_on_twenty_steps(name: str, loss) -> None:
    # 40 images in batches of 4, two epochs: 20 steps.
    settings = replace(QUICK, batch=4, rate=0.01, loss=loss, augmentation=(Flip(), Crop(1), Cutout(2)))
    # JAX without compilation takes a minute here.
    expected, got = trained("numpy", settings), trained(name, replace(settings, jit=name == "jax"))
    for a, b in zip(filters_of(expected), filters_of(got), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-8)


@pytest.mark.parametrize("settings", [replace(QUICK, optimiser=SGD(), precondition=True), QUICK], ids=["sgd", "adam"])
def test_filters_move_and_stay_on_the_sphere(settings: Supervised) -> None:
    images, _ = toy()
    before, after = start(images), trained("numpy", settings)
    for layer, filters in zip(before.layers, filters_of(after), strict=True):
        assert np.abs(filters - layer.filters).max() > 1e-4
        norms = np.sqrt((filters.reshape(len(filters), -1) ** 2).sum(axis=1))
        np.testing.assert_allclose(norms, 1, atol=1e-12)


def test_loss_falls() -> None:
    state = trained("numpy", replace(QUICK, epochs=6, rate=0.01))
    losses = [report.loss for report in state.history]
    assert losses[-1] < losses[0]
    assert state.history[-1].train_accuracy == 1.0


def noisy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose class is the direction of faint stripes, among noise of which filters without labels make more."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.standard_normal((n, 6, 6, 2))
    stripes = np.resize([1.0, -1.0], 6)
    images[labels == 0, :, :, 0] += 0.5 * stripes[:, None]
    images[labels == 1, :, :, 0] += 0.5 * stripes[None, :]
    return images, labels


def test_the_rate_is_one_that_helps_on_images_left_out_or_the_least() -> None:
    images, labels = noisy(1000, 0)
    network = fit_unsupervised(Architecture((LayerSpec(4, subsampling=2),)), images, rng=0, patches=1000)
    settings = Supervised(epochs=0, batch=50)
    chosen = fit_supervised(network, images, labels, 2, rng=0, settings=settings).rate
    assert chosen > RATES[-1]
    # Labels that have nothing to do with the images teach nothing.
    shuffled = np.random.default_rng(1).permutation(labels)
    assert fit_supervised(network, images, shuffled, 2, rng=0, settings=settings).rate == RATES[-1]


def test_interrupted_training_goes_on_to_the_same_numbers() -> None:
    images, labels = toy()
    network = start(images)
    settings = replace(QUICK, epochs=4, augmentation=(Flip(),))
    whole = fit_supervised(network, images, labels, 3, rng=1, settings=settings)
    states: list[TrainingState] = []
    fit_supervised(network, images, labels, 3, rng=1, settings=replace(settings, epochs=2), on_epoch=states.append)
    rest = fit_supervised(network, images, labels, 3, rng=1, settings=settings, start=states[-1])
    for a, b in zip(flatten(whole)[0], flatten(rest)[0], strict=True):
        assert np.array_equal(a, b)
    assert rest.history == whole.history


def test_kernels_are_learnt_when_asked() -> None:
    fixed = trained("numpy", QUICK)
    learnt = trained("numpy", replace(QUICK, learn_kernels=True))
    assert fixed.network.layers[0].kernel.profile.sigma == 0.6
    assert float(learnt.network.layers[0].kernel.profile.sigma) != 0.6


def test_clipping_bounds_the_step() -> None:
    images, _ = toy()
    settings = replace(QUICK, epochs=1, batch=40, precondition=False, optimiser=SGD(momentum=0.0), clip_norm=1e-3)
    moved_by = [
        np.linalg.norm(after - before.filters)
        for before, after in zip(start(images).layers, filters_of(trained("numpy", settings)), strict=True)
    ]
    assert 0 < max(moved_by) <= 1.001e-3 * QUICK.rate


def test_divergence_keeps_the_last_good_state() -> None:
    with pytest.raises(DivergedError, match=r"learning rate .* try a rate ten times smaller") as caught:
        trained("numpy", replace(QUICK, epochs=50, rate=1e6, strategy=Joint()))
    assert all(np.isfinite(filters).all() for filters in filters_of(caught.value.state))


def test_a_loss_that_is_not_finite_before_any_step_is_no_fault_of_the_rate() -> None:
    images, labels = toy()
    network, states = start(images), []
    fit_supervised(network, images, labels, 3, 0, replace(QUICK, epochs=1), on_epoch=states.append)
    broken = replace(states[0], epoch=0, history=(), head=map_leaves(lambda leaf: leaf * np.nan, states[0].head))
    with pytest.raises(DivergedError, match=r"the loss was nan .* before any filter had moved; check λ = 0.001 and"):
        fit_supervised(network, images, labels, 3, 0, QUICK, start=broken)


def test_four_images_are_enough() -> None:
    images, labels = toy(4, classes=2)
    state = fit_supervised(start(images), images, labels, 2, rng=0, settings=Supervised(epochs=1))
    assert state.rate == RATES[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(40, 3)}, r"labels: expected numbers in 0..2, got 3..3"),
        ({"labels": np.zeros(40)}, r"labels: no image of class 1, 2 among the 40"),
        ({"labels": np.zeros(39)}, r"labels: expected 40, one for each image, got 39"),
        ({"settings": replace(QUICK, batch=41)}, r"batch: 41 images asked for at a time, and there are 40"),
        ({"data": np.full((40, 7, 6, 2), np.nan)}, r"images: NaN or infinity in image 0"),
        ({"labels": np.full(40, 0.5)}, r"labels: expected whole numbers in 0..2, got 0.5"),
        ({"labels": np.full(40, np.nan)}, r"labels: expected whole numbers in 0..2, got nan"),
        ({"labels": ["one"] * 40}, r"labels: expected whole numbers in 0..2, got 'one'"),
        ({"labels": np.zeros((40, 1))}, r"labels: expected whole numbers in 0..2, got \[0.0\]"),
        ({"classes": 0}, r"classes: expected an integer >= 1, got 0"),
        ({"validation": (np.ones((2, 7, 6, 1)), [0, 1])}, r"validation: .* \(7, 6, 2\), as in .* got \(7, 6, 1\)"),
        ({"validation": (np.ones((2, 7, 6, 2)), [0, 3])}, r"validation: labels: expected numbers in 0..2, got 0..3"),
        ({"validation": (np.ones((2, 7, 6, 2)), [0])}, r"validation: labels: expected 2, one for each image, got 1"),
        ({"validation": (np.full((2, 7, 6, 2), np.inf), [0, 1])}, r"validation: images: NaN or infinity in image 0"),
    ],
)
def test_wrong_input_is_named(change: dict, message: str) -> None:
    images, labels = toy()
    arguments = {"data": images, "labels": labels, "classes": 3, "rng": 0, "settings": QUICK, **change}
    with pytest.raises(ValueError, match=message):
        fit_supervised(start(images), **arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": -1},
        {"epochs": 2.5},
        {"batch": 0},
        {"batch": True},
        {"reg": 0.0},
        {"reg": "small"},
        {"rate": -1.0},
        {"clip_norm": float("nan")},
        {"products": "float8"},
    ],
)
def test_settings_out_of_range(wrong: dict) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Supervised(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "hinge"}, r"loss: expected an object such as Squared\(\), got 'hinge'"),
        ({"loss": SquaredHinge}, r"loss: expected an object such as Squared\(\), got <class"),
        ({"optimiser": "adam"}, "optimiser: expected an object such as Adam"),
        ({"strategy": Joint}, "strategy: expected an object such as "),
        ({"schedule": 0.1}, r"schedule: expected an object such as WarmUp\(.*\), got 0.1"),
        ({"augmentation": [Flip()]}, r"augmentation: expected a tuple such as .*, got \[Flip"),
        ({"augmentation": ("flip",)}, "augmentation: expected a tuple such as "),
    ],
)
def test_settings_of_another_kind(wrong: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Supervised(**wrong)


@given(st.integers(1, 5), st.integers(0, 3), st.integers(1, 9), st.integers(0, 2**32))
@hypothesis_settings(max_examples=20)
def test_augmentations_keep_shape_and_values(n: int, padding: int, size: int, seed: int) -> None:
    images = np.random.default_rng(seed).random((n, 5, 6, 2)) + 1.0
    for step in (Flip(), Crop(padding), Cutout(size)):
        changed = step(images, seed)
        assert changed.shape == images.shape
        assert np.isin(changed, np.append(images.ravel(), 0.0)).all()
        assert np.array_equal(step(images, seed), changed)
    assert np.array_equal(Crop(0)(images, seed), images)
    assert np.array_equal(Flip(1.0)(images, seed), images[:, :, ::-1])
