"""Laws of the transport of sets to references."""

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from kerneltools import backend
from kerneltools.transport import transport_plan, transport_pool
from tests.strict import assert_close, to_strict

rng = np.random.default_rng(0)
SETS, REFERENCES = rng.standard_normal((3, 6, 2)), rng.standard_normal((2, 4, 2))
MASK = np.arange(6) < np.asarray([6, 1, 3])[:, None]
CLOSENESS = np.exp(-rng.random((3, 6, 4)))


def test_the_marginals_are_those_wanted() -> None:
    plan = transport_plan(SETS, REFERENCES, MASK, iterations=300)
    assert_close(plan.sum(axis=2), np.ones((3, 2, 4)), 1e-13)
    wanted = np.where(MASK, 4 / MASK.sum(axis=1, keepdims=True), 0.0)
    assert_close(plan.sum(axis=3), np.broadcast_to(wanted[:, None], (3, 2, 6)), 1e-8)


@pytest.mark.parametrize(
    ("eps", "dtype", "within"), [(0.5, "float64", 1e-12), (0.01, "float64", 1e-11), (0.01, "float32", 1e-3)]
)
def test_the_plan_is_that_of_the_iterations_on_both_potentials(eps: float, dtype: str, within: float) -> None:
    x, w = (array.astype(dtype) for array in (SETS, REFERENCES))
    got = transport_plan(x, w, MASK, eps=eps, iterations=20)
    for i, there in enumerate(MASK.sum(axis=1)):
        log_k = np.einsum("td,hpd->htp", x[i, :there].astype(float), w.astype(float)) / eps
        v = np.zeros((2, 1, 4))
        for _ in range(20):
            u = np.log(4 / there) - logsumexp(log_k + v, axis=2, keepdims=True)
            v = -logsumexp(log_k + u, axis=1, keepdims=True)
        assert np.abs(log_k).max() > 80 or eps > 0.1  # of which the exponential overflows float32
        assert_close(got[i, :, :there], np.exp(log_k + u + v), within)


def test_the_order_of_a_set_says_nothing() -> None:
    order = rng.permutation(6)
    got = transport_pool(SETS[:, order], REFERENCES, MASK[:, order])
    assert_close(got, transport_pool(SETS, REFERENCES, MASK), 1e-14)


def test_one_element_goes_to_each_reference() -> None:
    assert_close(transport_plan(SETS, REFERENCES, MASK)[1, :, 0], np.ones((2, 4)), 1e-14)
    pooled = transport_pool(SETS, REFERENCES, MASK)[1]
    assert_close(pooled, np.tile(SETS[1, 0], (4, 2)), 1e-14)


def test_an_element_that_is_there_twice_has_twice_the_weight() -> None:
    twice = np.concatenate([SETS, SETS[:, :1]], axis=1)
    weights = np.ones((3, 6))
    weights[:, 0] = 2
    assert_close(transport_pool(SETS, REFERENCES, weights), transport_pool(twice, REFERENCES), 1e-13)


def test_closeness_of_each_set() -> None:
    together = transport_plan(SETS, REFERENCES, MASK, closeness=CLOSENESS)
    for i in range(3):
        one = transport_plan(SETS[i : i + 1], REFERENCES, MASK[i : i + 1], closeness=CLOSENESS[i])
        assert_close(together[i], one[0], 1e-14)
    assert not np.allclose(together, transport_plan(SETS, REFERENCES, MASK))


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_masks_of_the_library_in_a_compiled_function(name: str) -> None:
    library = backend(name)
    x, w, mask = (library.asarray(a, dtype="float32") for a in (SETS, REFERENCES, 1.0 * MASK))
    pool: Any = lambda x, mask: transport_pool(x, w, mask > 0, iterations=5)  # noqa: E731
    got = (library.jit(pool) if name == "jax" else pool)(x, mask)
    assert_close(library.to_numpy(got), transport_pool(SETS, REFERENCES, MASK, iterations=5), 1e-5)


def test_by_the_standard_alone() -> None:
    got = transport_plan(to_strict(SETS), to_strict(REFERENCES), to_strict(MASK), closeness=to_strict(CLOSENESS))
    assert_close(np.asarray(got), transport_plan(SETS, REFERENCES, MASK, closeness=CLOSENESS), 1e-14)


def test_masks_of_other_sizes() -> None:
    with pytest.raises(ValueError, match=r"mask: expected \(3, 6\) as in x of shape \(3, 6, 2\), got \(3, 5\)"):
        transport_pool(SETS, REFERENCES, MASK[:, 1:])
