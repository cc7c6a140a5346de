"""Optimisers: against torch.optim, between libraries, in other geometries, stored and continued."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.files import load_tree, save_tree
from kerneltools.optimisers import SGD, Adam, Constant, Cosine, Euclidean, Geometry, Optimiser, Positive, Sphere, clip
from kerneltools.trees import Tree, flatten, map_leaves, static
from tests.strict import DEVICES, assert_close, to_numpy, to_strict

OPTIMISERS: tuple[Optimiser, ...] = (SGD(), SGD(0.0, weight_decay=0.1), Adam(), Adam(0.5, 0.9, weight_decay=0.1))
every_optimiser = pytest.mark.parametrize("optimiser", OPTIMISERS, ids=repr)


@dataclass(frozen=True, eq=False)
class Model(Tree):
    """Filters on the sphere, a positive number, weights; a constant, whole numbers and a frozen array."""

    filters: Any
    width: Any
    weights: Any
    reg: float = 0.01
    labels: Any = None
    fixed: Any = None
    name: str = static("model")


D = 8
CONSTANT = Constant()
METRIC = np.diag(np.linspace(1, 3, D)) + 0.1


def model(seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((3, D))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return Model(rows.reshape(3, 2, 2, 2), np.array(0.7), rng.standard_normal((4, 2)), labels=np.arange(3),
                 fixed=np.ones(2))  # fmt: skip


def gradients(params: Model) -> Model:
    """Of a smooth function of the three that move; None for the others."""
    return Model(3 * params.filters + 0.5, 2 * params.width - 1 / params.width, params.weights - 0.3, None)  # type: ignore[arg-type]


def moved(
    optimiser: Optimiser, params: Any, metric: Any, steps: int = 20, rate: float = 0.05, schedule: Any = CONSTANT
) -> Any:
    places: list[Geometry] = [Sphere(metric), Positive(), Euclidean()]
    state = optimiser.start(params)
    for number in range(steps):
        params, state = optimiser.step(params, gradients(params), state, rate * schedule(number), places)
    return params


def floats(params: Model) -> list[Any]:
    return [params.filters, params.width, params.weights]


@every_optimiser
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_libraries_agree(optimiser: Optimiser, library: str) -> None:
    b = backend(library)
    wanted = moved(optimiser, model(), METRIC)
    got = moved(optimiser, map_leaves(lambda a: b.asarray(a) if hasattr(a, "dtype") else a, model()), b.asarray(METRIC))
    for one, other in zip(floats(got), floats(wanted), strict=True):
        assert b.owns(one)
        assert_close(b.to_numpy(one), np.asarray(other), 1e-10)


@every_optimiser
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(optimiser: Optimiser, device: Any) -> None:
    strict = map_leaves(lambda a: to_strict(a, device) if hasattr(a, "dtype") else a, model())
    got, wanted = moved(optimiser, strict, to_strict(METRIC, device)), moved(optimiser, model(), METRIC)
    for one, other in zip(floats(got), floats(wanted), strict=True):
        assert one.device == device
        assert_close(to_numpy(one), np.asarray(other), 1e-10)


@every_optimiser
def test_compiled_by_jax(optimiser: Optimiser) -> None:
    b = backend("jax")
    params = map_leaves(lambda a: b.asarray(a) if hasattr(a, "dtype") else a, model())
    places: list[Geometry] = [Sphere(b.asarray(METRIC)), Positive(), Euclidean()]

    @b.jit
    def step(params: Any, state: Any, rate: float) -> Any:
        return optimiser.step(params, clip(gradients(params), 1e9), state, rate, places)

    state = optimiser.start(params)
    for _ in range(20):
        params, state = step(params, state, 0.05)
    for one, other in zip(floats(params), floats(moved(optimiser, model(), METRIC)), strict=True):
        assert_close(b.to_numpy(one), np.asarray(other), 1e-10)


@every_optimiser
def test_what_has_no_gradient_stays(optimiser: Optimiser) -> None:
    start = model()
    for array in flatten(start)[0]:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    end = moved(optimiser, start, METRIC)
    assert end.labels is start.labels
    assert end.fixed is start.fixed
    assert (end.reg, end.name) == (0.01, "model")
    assert not np.array_equal(end.weights, start.weights)


@every_optimiser
def test_each_stays_where_it_lives(optimiser: Optimiser) -> None:
    end = moved(optimiser, model(), METRIC, steps=50, rate=0.5)
    np.testing.assert_allclose(np.linalg.norm(end.filters.reshape(3, -1), axis=1), 1, atol=1e-14)
    assert end.width > 0


@every_optimiser
def test_goes_to_the_minimum(optimiser: Optimiser) -> None:
    end = moved(optimiser, model(), None, steps=400, rate=0.05, schedule=Cosine(400))
    decay = getattr(optimiser, "weight_decay", 0.0)
    # On the sphere the gradient 3 z + 0.5 leaves the direction away from (1, ..., 1).
    np.testing.assert_allclose(end.filters, -np.ones((3, 2, 2, 2)) / np.sqrt(8), atol=1e-3)
    np.testing.assert_allclose(end.width, np.sqrt(0.5), atol=1e-3)
    if not decay:
        np.testing.assert_allclose(end.weights, 0.3, atol=1e-3)


TORCH = {
    "SGD": (SGD(0.9, weight_decay=0.1), lambda o, p: o.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1)),
    "plain SGD": (SGD(0.0), lambda o, p: o.SGD(p, lr=0.05)),
    "Adam": (Adam(), lambda o, p: o.Adam(p, lr=0.05)),
    "AdamW": (Adam(0.8, 0.95, 1e-6, 0.1),
              lambda o, p: o.AdamW(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TORCH))
def test_as_in_torch(name: str) -> None:
    import torch

    ours, make = TORCH[name]
    theirs = torch.nn.Parameter(torch.linspace(-1, 2, 6, dtype=torch.float64))
    optimiser = make(torch.optim, [theirs])
    params, state = {"w": theirs.detach().numpy().copy()}, ours.start({"w": theirs.detach().numpy().copy()})
    for _ in range(20):
        optimiser.zero_grad()
        (theirs**4 / 4 - theirs).sum().backward()
        optimiser.step()
        params, state = ours.step(params, {"w": params["w"] ** 3 - 1}, state, 0.05, [Euclidean()])
    np.testing.assert_allclose(params["w"], theirs.detach().numpy(), rtol=1e-12)


@every_optimiser
def test_torch_parameters_leave_no_graph(optimiser: Optimiser) -> None:
    import torch

    params = {"w": torch.nn.Parameter(torch.ones(3, dtype=torch.float64))}
    loss = (params["w"] ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, [params["w"]], create_graph=True)
    state = optimiser.start(params)
    for _ in range(2):
        params, state = optimiser.step(params, {"w": gradient}, state, 0.1, [Euclidean()])
    assert not params["w"].requires_grad
    assert not any(leaf.requires_grad for leaf in flatten(state)[0] if hasattr(leaf, "requires_grad"))


@every_optimiser
def test_on_positive_numbers_as_on_their_logarithms(optimiser: Optimiser) -> None:
    if getattr(optimiser, "weight_decay", 0.0):
        optimiser = replace(optimiser, weight_decay=0.0)  # type: ignore[type-var]
    x, log = np.array([0.1, 1.0, 30.0]), np.log(np.array([0.1, 1.0, 30.0]))
    state, log_state = optimiser.start(x), optimiser.start(log)
    for _ in range(30):
        x, state = optimiser.step(x, (x - 1 / x) / 30, state, 0.05, [Positive()])
        y = np.exp(log)
        log, log_state = optimiser.step(log, y * (y - 1 / y) / 30, log_state, 0.05, [Euclidean()])
        np.testing.assert_allclose(x, np.exp(log), rtol=1e-9)


@every_optimiser
def test_stored_and_continued(optimiser: Optimiser, tmp_path: Path) -> None:
    places: list[Geometry] = [Sphere(METRIC), Positive(), Euclidean()]
    params, state = model(), optimiser.start(model())
    for number in range(8):
        if number == 4:
            save_tree((params, state), tmp_path / "state.safetensors", kind="state")
        params, state = optimiser.step(params, gradients(params), state, 0.05, places)
    again, state = load_tree(tmp_path / "state.safetensors", "state", {"Model": Model})
    for _ in range(4):
        again, state = optimiser.step(again, gradients(again), state, 0.05, places)
    for one, other in zip(floats(again), floats(params), strict=True):
        assert isinstance(one, np.ndarray)
        assert np.array_equal(one, other)


@every_optimiser
def test_float32_stays_float32(optimiser: Optimiser) -> None:
    narrow = map_leaves(lambda a: a.astype(np.float32) if isinstance(a, np.ndarray) else a, model())
    end = moved(optimiser, narrow, METRIC.astype(np.float32), steps=3)
    assert {a.dtype for a in floats(end)} == {np.dtype(np.float32)}


def test_momentum_is_tangent_at_the_new_point() -> None:
    params, places = model().filters, [Sphere(METRIC)]
    sgd, adam = SGD(), Adam()
    for optimiser, name in ((sgd, "velocity"), (adam, "mean")):
        point, state = params, optimiser.start(params)
        for _ in range(5):
            before = point
            point, state = optimiser.step(point, 3 * point + 0.5, state, 0.3, places)
            assert np.abs((before * state[name][0]).reshape(3, -1).sum(axis=1)).max() < 1e-14


def test_decay_is_for_euclidean_leaves_only() -> None:
    start = model()
    decayed, plain = moved(SGD(0.0, 0.5), start, METRIC), moved(SGD(0.0), start, METRIC)
    assert np.array_equal(decayed.filters, plain.filters)
    assert np.array_equal(decayed.width, plain.width)
    assert np.linalg.norm(decayed.weights) < np.linalg.norm(plain.weights)


@given(seed=st.integers(0, 1000), scale=st.floats(-3, 3))
def test_adam_does_not_see_the_scale_of_the_gradient(seed: int, scale: float) -> None:
    rng, adam = np.random.default_rng([seed, 1]), Adam(epsilon=1e-300)
    start = model(seed)
    fixed = Model(*(rng.standard_normal(a.shape) for a in floats(start)), None)  # type: ignore[arg-type]
    places: list[Geometry] = [Sphere(), Positive(), Euclidean()]
    ends = []
    for factor in (1.0, 10**scale):
        scaled = map_leaves(lambda g, factor=factor: factor * g, fixed)
        params, _ = adam.step(start, scaled, adam.start(start), 0.1, places)
        ends.append(params)
    for one, other in zip(floats(ends[0]), floats(ends[1]), strict=True):
        # An entry near 0 is a difference of terms of size 0.1, with their rounding errors.
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-16)
    # On the sphere the rate is the tangent of the angle of the first step.
    cosines = np.sum(ends[0].filters * start.filters, axis=(1, 2, 3))
    np.testing.assert_allclose(cosines, 1 / np.sqrt(1 + 0.1**2), rtol=1e-12)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), norm=st.floats(0.01, 100), seed=st.integers(0, 100))
def test_clip(sizes: list[int], norm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree = {str(i): (10 * rng.standard_normal(n), None) for i, n in enumerate(sizes)}
    before, after = (np.concatenate(flatten(t)[0]) for t in (tree, clip(tree, norm)))
    length = np.linalg.norm(before)
    assert np.linalg.norm(after) <= norm * (1 + 1e-12)
    np.testing.assert_allclose(after, before * min(1, norm / length), rtol=1e-12)


def test_clip_of_nothing_and_of_zero() -> None:
    assert clip((None, None), 1.0) == (None, None)
    assert clip(np.zeros(3), 1.0).tolist() == [0, 0, 0]
    assert clip(np.ones(3, dtype=np.float32), 1.0).dtype == np.float32
    assert np.isnan(clip(np.array([1.0, np.nan]), 1.0)).all()


@every_optimiser
def test_errors(optimiser: Optimiser) -> None:
    params = {"a": np.ones(2), "b": np.ones(3), "c": 1.0}
    state = optimiser.start(params)
    with pytest.raises(ValueError, match=r"one for each of the 2 arrays with a gradient \(a, b\), got 1"):
        optimiser.step(params, {"a": np.ones(2), "b": np.ones(3)}, state, 0.1, [Euclidean()])
    with pytest.raises(ValueError, match=r"gradients: expected shape \(3,\) for b, got \(2,\)"):
        optimiser.step(params, {"b": np.ones(2)}, state, 0.1, [Euclidean()])
    with pytest.raises(ValueError, match="gradients: no floating-point array in params for c, d"):
        optimiser.step(params, {"c": np.ones(2), "d": np.ones(2)}, state, 0.1, [])


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match=r"momentum: expected a number in \[0, 1\), got 1.0"):
        SGD(momentum=1.0)
    with pytest.raises(ValueError, match=r"weight_decay: expected a number >= 0, got -0.1"):
        Adam(weight_decay=-0.1)
    with pytest.raises(ValueError, match=r"beta2: expected a number in \[0, 1\), got 1"):
        Adam(beta2=1)
    with pytest.raises(ValueError, match="epsilon: expected a number > 0, got 0"):
        Adam(epsilon=0)
    with pytest.raises(ValueError, match="norm: expected a number > 0, got 0"):
        clip(np.ones(2), 0)
