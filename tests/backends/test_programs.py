"""Programs: functions that JAX compiles as one, and what the command line compiles in all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ckn
from ckn.sampling import sample_patches
from kerneltools.arrays import namespace
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge
from kerneltools.kernels import Gaussian, Homogeneous, profiles
from kerneltools.patches import Grid
from kerneltools.primitives import program
from kerneltools.trees import Tree, map_leaves, static

COMPILED = "/jax/core/compile/backend_compile_duration"
rng = np.random.default_rng(0)


@dataclass(frozen=True, eq=False)
class Line(Tree):
    slope: Any
    word: Any = static("plain")


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """One entry for each compilation."""
    seen: list[str] = []

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event == COMPILED:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def counted() -> tuple[Any, list[Any]]:
    """A program, and the numbers by which its body was called."""
    calls: list[Any] = []

    @program
    def times(line: Line, x: Any, number: Any = 1) -> Any:
        calls.append(number)
        return namespace(x).sum(line.slope * x) * number if number > 0 else x[0]

    return times, calls


def test_one_program_for_each_shape_and_number() -> None:
    times, calls = counted()
    for slope in (1.0, 2.0):
        assert float(times(Line(jnp.asarray(slope)), jnp.ones(3), 2)) == 6 * slope
    assert calls == [2]
    times(Line(jnp.asarray(1.0)), jnp.ones(4), 2)
    # Numbers are constants, for the body may ask for them; 1, 1.0 and True are three.
    for number in (1, 1.0, True, -1.0):
        times(Line(jnp.asarray(1.0)), jnp.ones(4), number)
    assert [(type(n), n) for n in calls[2:]] == [(int, 1), (float, 1.0), (bool, True), (float, -1.0)]


def test_what_is_no_constant_runs_as_it_is() -> None:
    times, calls = counted()
    for _ in range(2):
        assert times(Line(2.0), np.ones(3)) == 6
        assert float(times(Line(jnp.asarray(2.0), word=["unhashable"]), jnp.ones(3))) == 6
    assert len(calls) == 4


def test_gradients_and_traces_go_through() -> None:
    times, _ = counted()
    x = jnp.arange(3.0)
    for f in (times, jax.jit(times, static_argnums=2)):
        slope = jax.grad(lambda slope, f=f: f(Line(slope), x))(jnp.asarray(2.0))
        assert float(slope) == 3.0
    mapped = jax.vmap(lambda slope: times(Line(slope), x))(jnp.asarray([1.0, 2.0]))
    assert mapped.tolist() == [3.0, 6.0]


def test_a_network_is_few_programs(compilations: list[str]) -> None:
    images = jnp.asarray(rng.random((21, 8, 8, 1)), dtype=jnp.float32)
    spec = ckn.LayerSpec(8, 3, 2, kernel=Homogeneous(profiles.Exponential(0.6)))
    network = ckn.fit_unsupervised(ckn.Architecture((spec, spec)), images, 0, patches=200)
    other = network.with_layers([replace(layer, filters=-layer.filters) for layer in network.bare_layers])
    del compilations[:]
    found = network.encode(images, batch=8)
    # Kernel matrices, their roots, all layers at once, and what cuts the batches and joins their features.
    first = len(compilations)
    assert first <= 12
    # The last batch has the shape of the others, and arrays with other numbers are no other program.
    other.encode(images, batch=8)
    assert len(compilations) == first
    network.encode(images[:19], batch=8)
    assert len(compilations) - first <= 4  # the images, their batches and the features that are new in the last
    on_host = map_leaves(np.asarray, network).encode(np.asarray(images))
    np.testing.assert_allclose(found, on_host, atol=1e-5)


def test_patches_of_any_batch_are_gathered_by_the_same_programs(compilations: list[str]) -> None:
    images = jnp.asarray(rng.random((64, 8, 8, 1)), dtype=jnp.float32)

    def sampled(seed: int) -> Any:
        return sample_patches(ckn.Network(()), images, Grid(3), 400, seed, 8, lambda done, total: None)

    assert sampled(0).shape == (400, 9)
    first = len(compilations)
    for seed in range(1, 6):
        assert sampled(seed).shape == (400, 9)
    # 40 batches of about 50 patches: sizes 40, 48, 56 and 64.
    assert len(compilations) - first <= 3


def test_estimators_see_few_numbers_of_rows(compilations: list[str]) -> None:
    x = rng.standard_normal((130, 3)).astype(np.float32)
    rows, targets = jnp.asarray(x), jnp.asarray(x[:, 0] > 0)
    ridge = KernelRidge(Gaussian(1.0), landmarks=20, reg=1e-3, random_state=0).fit(rows, rows[:, 1])
    classifier = KernelClassifier(Gaussian(1.0), landmarks=20, reg=1e-3, random_state=0).fit(rows, targets)
    components = KernelPCA(3, kernel=Gaussian(1.0), landmarks=20, random_state=0).fit(rows)
    methods = ridge.predict, classifier.predict, classifier.predict_proba, components.transform
    whole = [method(rows[:112, :]) for method in methods]
    # 97 to 112 rows are 112 to the methods: what is left is one cut of the rows and one of what comes out.
    for n in (97, 103, 110):
        few = rows[:n, :]
        for method, known in zip(methods, whole, strict=True):
            del compilations[:]
            found = method(few)
            assert len(compilations) <= 2
            assert found.shape == (n, *known.shape[1:])
            np.testing.assert_array_equal(found, known[:n])
    with pytest.raises(ValueError, match="row 96"):
        ridge.predict(rows[:97, :].at[96, 0].set(jnp.nan))
    slope = jax.grad(lambda some: jnp.sum(ridge.predict(some)))(rows[:97, :])
    np.testing.assert_allclose(slope, jax.grad(lambda some: jnp.sum(ridge.model_(some)))(rows[:97, :]), atol=1e-5)
