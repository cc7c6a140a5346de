"""What becomes of the head: the head of a batch lowers its loss, is the best one where that is known, and the filters'
gradient at it is that of the least loss."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckn import Architecture, LayerSpec, Supervised, fit_supervised, fit_unsupervised
from ckn.head import DEFAULT_REGS
from ckn.supervised import Alternating, Joint, LayerReversal
from ckn.supervised.data import Data
from ckn.supervised.features import features_of
from ckn.supervised.start import begin
from ckn.supervised.strategies import head_of_batch
from ckn.supervised.trainer import Trainer, zero_head
from kerneltools import backend
from kerneltools.progress import silent
from kerneltools.solvers import CrossEntropy, LinearModel, Loss, Squared, SquaredHinge, ridge, ridge_path
from tests.supervised.test_fit import filters_of, start, toy, trained

LOSSES = (SquaredHinge(), CrossEntropy(), Squared())
QUICK = Supervised(SquaredHinge(), epochs=2, batch=10, rate=0.1, reg=1e-3)


def batch(seed: int, b: int = 12, d: int = 7, classes: int = 3) -> tuple[LinearModel, np.ndarray, np.ndarray]:
    """A head, features of root mean square 1, targets."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((b, d))
    features /= np.sqrt(np.mean(features**2, axis=1, keepdims=True))
    targets = 2.0 * (rng.integers(classes, size=b)[:, None] == np.arange(classes)) - 1
    return LinearModel(rng.standard_normal((d, classes)), rng.standard_normal(classes)), features, targets


def objective(head: LinearModel, features: np.ndarray, targets: np.ndarray, loss: Loss, reg: float) -> float:
    return float(np.mean(loss(head(features), targets)) + reg * np.sum(head.weights**2))


@given(st.integers(0, 2**32), st.sampled_from(LOSSES), st.floats(1e-3, 10), st.floats(0, 1))
def test_the_head_of_a_batch_has_no_greater_loss(seed: int, loss: Loss, proximity: float, reg: float) -> None:
    before, features, targets = batch(seed)
    after = head_of_batch(before, features, targets, loss, reg, proximity)
    assert objective(after, features, targets, loss, reg) <= objective(before, features, targets, loss, reg) + 1e-12


def test_with_little_proximity_it_is_the_ridge_regression_of_the_batch() -> None:
    before, features, targets = batch(0)
    after = head_of_batch(before, features, targets, Squared(), 0.1, 1e-8)
    # With the intercept penalised by nothing but the proximity.
    expected = ridge(features, targets, 0.1)
    np.testing.assert_allclose(after.weights, expected.weights, atol=1e-6)
    np.testing.assert_allclose(after.intercept, expected.intercept, atol=1e-6)


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_the_gradient_is_that_of_the_least_loss(name: str) -> None:
    """With `Squared` the head is the minimum over a batch, so the value may be differentiated through it."""
    images, labels = toy(12)
    library = backend(name)
    network = fit_unsupervised(Architecture((LayerSpec(4, subsampling=3),)), images, rng=0, patches=100)
    network = replace(network, layers=(replace(network.layers[0], filters=library.asarray(network.layers[0].filters)),))
    data = Data(library.asarray(images), library.asarray(labels), 3, 0)
    settings = Supervised(Squared(), reg=1e-2, batch=12, strategy=LayerReversal(1e-8))
    trainer = Trainer(data, settings, network, begin(network, data, replace(settings, rate=1.0), silent)[1].spaces)
    params = trainer.parameters(begin(network, data, replace(settings, rate=1.0), silent)[1])
    _, gradient = library.value_and_grad(trainer.objective)(params, data.examples, data.targets)

    def least(filters: np.ndarray) -> float:
        moved = replace(params, filters=(library.asarray(filters),))
        return float(trainer.objective(moved, data.examples, data.targets))

    filters = np.asarray(params.filters[0])
    direction = np.random.default_rng(1).standard_normal(filters.shape)
    h = 1e-5
    slope = (least(filters + h * direction) - least(filters - h * direction)) / (2 * h)
    assert np.sum(np.asarray(gradient.filters[0]) * direction) == pytest.approx(slope, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("strategy", [Alternating(0.5), LayerReversal(0.5)], ids=lambda s: type(s).__name__)
def test_the_next_head_is_that_of_the_batch(strategy) -> None:
    images, labels = toy(12)
    network = start(images)
    data = Data(images, labels, 3, 0)
    settings = replace(QUICK, batch=12, strategy=strategy)
    _, state = begin(network, data, settings, silent)
    state = replace(state, head=zero_head(network, data))
    trainer = Trainer(data, settings, network, state.spaces)
    params = trainer.parameters(state)
    after, _, _ = trainer.step(params, state.optimiser, images, data.targets, 0.1)
    features = trainer.features(params, images)
    reg = settings.reg * features.shape[1]
    _, expected = settings.strategy.heads(params.head, features, data.targets, settings.loss, reg)
    np.testing.assert_allclose(after.head.weights, expected.weights, atol=1e-12)
    np.testing.assert_allclose(after.head.intercept, expected.intercept, atol=1e-12)


@pytest.mark.parametrize(
    ("strategy", "rate"),
    [(Joint(), 0.003), (Alternating(), 0.3), (LayerReversal(), 0.3)],
    ids=lambda s: type(s).__name__,
)
def test_every_strategy_learns(strategy, rate: float) -> None:
    images, labels = toy()
    settings = replace(QUICK, epochs=6, rate=rate, strategy=strategy)
    state = fit_supervised(start(images), images, labels, 3, rng=1, settings=settings)
    losses = [report.loss for report in state.history]
    assert losses[-1] < losses[0]


def test_features_that_do_not_fit_are_made_anew() -> None:
    kept, streamed = trained("numpy", QUICK), trained("numpy", replace(QUICK, memory=0))
    for a, b in zip(filters_of(kept), filters_of(streamed), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert [r.train_accuracy for r in kept.history] == [r.train_accuracy for r in streamed.history]


def test_without_memory_the_reg_is_chosen_from_sums() -> None:
    images, labels = toy()
    data = Data(images, labels, 3, 0)
    network = start(images)
    kept, streamed = (features_of(network, data, memory, silent) for memory in (2**30, 0))
    for (x, t), (y, u) in zip(kept(), streamed(), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-12)
        assert np.array_equal(t, u)
    x, t = next(iter(kept()))
    errors = ridge_path(x, t).generalised_cross_validation(DEFAULT_REGS).mean(axis=1)
    assert streamed.best_reg() == DEFAULT_REGS[int(np.argmin(errors))]


@pytest.mark.parametrize("memory", [2**30, 0], ids=["kept", "streamed"])
def test_the_head_without_some_images(memory: int) -> None:
    images, labels = toy()
    features = features_of(start(images), Data(images, labels, 3, 0), memory, silent)
    x, targets = (np.concatenate(parts) for parts in zip(*features(), strict=True))
    x, targets = (np.delete(a, [0, 3, 39], axis=0) for a in (x, targets))
    got = features.fit(Squared(), 1e-3, without=np.asarray([3, 0, 39]))
    np.testing.assert_allclose(got.weights, ridge(x, targets, 1e-3).weights, atol=1e-5)


def test_the_head_is_exact_every_few_epochs_and_at_the_end() -> None:
    images, labels = toy()
    network, states = start(images), []
    settings = replace(QUICK, epochs=3, strategy=Alternating(exact_every=2))
    last = fit_supervised(network, images, labels, 3, rng=0, settings=settings, on_epoch=states.append)
    assert [state.history[-1].train_accuracy is None for state in states] == [True, False, True]
    features = features_of(last.network, Data(images, labels, 3, 0), 2**30, silent)
    np.testing.assert_allclose(last.head.weights, features.fit(QUICK.loss, 1e-3).weights, atol=1e-4)
    assert np.abs(states[-1].head.weights - last.head.weights).max() > 1e-3


def test_exact_every_out_of_range() -> None:
    with pytest.raises(ValueError, match="exact_every: expected an integer >= 1, got 0"):
        Alternating(exact_every=0)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("inf"), float("nan")])
def test_proximity_out_of_range(wrong: float) -> None:
    with pytest.raises(ValueError, match="proximity: expected a finite number > 0"):
        LayerReversal(wrong)
