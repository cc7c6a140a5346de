"""float16 and bfloat16: computed in float32, handed back in the type that was given."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kerneltools import autodiff, linalg, trees
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian
from kerneltools.maps import nystrom
from kerneltools.precision import in_single
from tests.agreement.capabilities import GRADIENTS, VALUES, why_not
from tests.agreement.case import Case
from tests.agreement.cases import CASES, cases
from tests.agreement.comparing import leaves, rounded, scale, tolerance
from tests.agreement.libraries import JAX, NUMPY, TORCH, Library
from tests.agreement.test_functions import in_float64, weighted, weights_for

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
# Computed in float64, whatever goes in; a model of half-precision weights, or sums of such features, are as exact as
# these are.
SOLVERS = {name for name in CASES if name.startswith(("solvers.", "learning.", "streaming.ridge"))}
# Their cases make symmetric matrices by products, in half precision; tested below.
MATRICES = {name for name in CASES if name.startswith("linalg.")}
FUNCTIONS = sorted(CASES.keys() - SOLVERS - MATRICES - {"random"})
FEW = ("kernels: k(x, y)", "maps.nystrom with reg")

TARGETS = [
    *((NUMPY, "float16", name) for name in FUNCTIONS),
    *((TORCH, "bfloat16", name) for name in FUNCTIONS),
    *((TORCH, "float16", name) for name in (*FEW, "ckn.Layer")),
    *((JAX, "bfloat16", name) for name in FEW),
]
each_target = pytest.mark.parametrize(("library", "dtype", "name"), TARGETS, ids=lambda x: getattr(x, "name", x))


def in_half(library: Library, tree: Any, dtype: str) -> Any:
    return trees.map_leaves(
        lambda a: library.backend.asarray(a, dtype=dtype) if _is_float(a) else a,
        library.tree(tree),
    )


def _is_float(a: Any) -> bool:
    return hasattr(a, "dtype") and bool(namespace(a).isdtype(a.dtype, "real floating"))


def as_numbers(library: Library, tree: Any) -> Any:
    """The same numbers as NumPy arrays in float64."""
    on_host = trees.map_leaves(lambda a: library.numpy(a) if hasattr(a, "dtype") else a, tree)
    return rounded(on_host, "float64")


def assert_rounded(library: Library, got: Any, wanted: Any, dtype: str, within: float) -> None:
    """One rounding to the type, and no more than float32 adds to it, away from the numbers wanted."""
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        assert str(a.dtype).removeprefix("torch.") == dtype
        error = float(np.max(np.abs(library.numpy(a).astype("float64") - b), initial=0.0))
        assert error <= (EPS.get(dtype, 0.0) + within) * scale(leaves(wanted))


@each_target
def test_values(library: Library, dtype: str, name: str) -> None:
    @settings(max_examples=min(library.examples, 4), deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(name, True))
    def run(case: Case) -> None:
        variables, constants = (in_half(library, tree, dtype) for tree in (case.variables, case.constants))
        numbers = as_numbers(library, constants)
        exact = Case(case.f, as_numbers(library, variables), numbers, case.terms, case.kink)

        def reference(v: Any) -> Any:
            return case.f(v, numbers)

        wanted = reference(exact.variables)
        assume(scale(leaves(wanted)) < 6e4)  # what float16 holds
        within = tolerance(exact, reference, "float32", 0)
        assert_rounded(library, case.f(variables, constants), wanted, "float64" if case.wide else dtype, within)

    if reason := why_not(name, VALUES, library):
        pytest.skip(reason)
    run()


@pytest.mark.parametrize("library", [NUMPY, TORCH], ids=lambda x: x.name)
@pytest.mark.parametrize("name", ["kernels: k(x, y)", "maps.nystrom with reg", "ckn.Layer", "primitives.patch_gram"])
def test_gradients(library: Library, name: str) -> None:
    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(name, True))
    def run(case: Case) -> None:
        assume(case.kink is None)
        variables = in_half(library, case.variables, "float16")
        exact = Case(case.f, as_numbers(library, variables), in_float64(case).constants, case.terms)
        weights = in_half(library, weights_for(exact.f(exact.variables, exact.constants)), "float16")

        def reference(v: Any) -> Any:
            return autodiff.value_and_grad(weighted(exact, as_numbers(library, weights), exact.constants))(v)[1]

        wanted = reference(exact.variables)
        assume(scale(leaves(wanted)) < 6e4)
        _, got = library.value_and_grad(weighted(case, weights, ()))(variables)
        # The cotangent of each result is rounded once, the gradient a second time.
        assert_rounded(library, got, wanted, "float16", EPS["float16"] + tolerance(exact, reference, "float32", 1))

    assert why_not(name, GRADIENTS, library) is None
    run()


@pytest.mark.parametrize(("library", "dtype"), [(NUMPY, "float16"), (TORCH, "bfloat16"), (JAX, "bfloat16")])
def test_matrix_functions(library: Library, dtype: str) -> None:
    factor = np.random.default_rng(0).integers(-2, 3, (3, 4)).astype(float)
    gram = factor @ factor.T  # small integers: exact in half precision
    half = in_half(library, gram, dtype)
    assert_rounded(library, linalg.inverse_sqrt(half, 0.5), linalg.inverse_sqrt(gram, 0.5), dtype, 1e-6)
    assert_rounded(library, linalg.lyapunov(half, half), linalg.lyapunov(gram, gram), dtype, 1e-6)
    wanted = linalg.cholesky_factor(gram, rtol=0.01)
    assert_rounded(library, linalg.cholesky_factor(half, rtol=0.01), wanted, "float64", 1e-12)


def test_only_half_precision_is_narrowed() -> None:
    half, single = np.ones((2, 3), "float16"), np.ones((2, 3), "float32")
    assert Gaussian(1.0)(half, single).dtype == "float32"
    assert in_single(lambda x: x)(single) is single


def test_what_is_prepared_is_kept_in_float32() -> None:
    phi = nystrom(Gaussian(1.0), np.asarray([[0.0], [2.0]], "float16"))
    assert phi.whitening.dtype == "float32"
    assert phi(np.ones((1, 1), "float16")).dtype == "float16"
    assert phi(np.ones((1, 1), "float32")).dtype == "float32"


def test_a_long_sum_keeps_its_digits() -> None:
    ones = np.ones((1, 8192), "float16")
    assert Gaussian(100.0)(ones, ones * 0)[0, 0] == np.float16(np.exp(-8192 / 2e4))


@given(st.sampled_from(["float32", "float64"]))
def test_other_types_are_left_alone(dtype: str) -> None:
    assert in_single(lambda x, n: x.dtype)(np.ones(2, dtype), 3) == dtype
