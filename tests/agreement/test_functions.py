"""Values and gradients of every public function, on every library, against NumPy."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from kerneltools import autodiff, trees
from kerneltools.arrays import namespace
from kerneltools.autodiff.arguments import is_floating
from tests.agreement.capabilities import GRADIENTS, VALUES, why_not
from tests.agreement.case import Case
from tests.agreement.cases import CASES, cases
from tests.agreement.comparing import assert_agrees, leaves, rounded, tolerance
from tests.agreement.libraries import NUMPY, STRICT, Library

every_function = pytest.mark.parametrize("name", CASES)
DTYPES = st.sampled_from(["float64", "float32"])
Check = Callable[[Case, str], None]
STEPS = (1e-4, 1e-6)
"""Of differences, in units of the arguments: truncation errors of the first, and roundings of the second, are small."""


def for_cases(name: str, use: str, library: Library, check: Check, times: int = 1) -> None:
    """Draw cases of a function and check each, unless the table of capabilities says that there are none."""
    if reason := why_not(name, use, library):
        pytest.skip(f"{name}, {use} on {library.title}: {reason}")

    @settings(
        max_examples=library.examples * times,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Each smaller example would be compiled anew.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([] if library.few_sizes else [Phase.shrink])],
    )
    @given(case=cases(name, library.few_sizes), dtype=DTYPES)
    def run(case: Case, dtype: str) -> None:
        check(replace(case, variables=rounded(case.variables, dtype), constants=rounded(case.constants, dtype)), dtype)

    run()


def in_float64(case: Case) -> Case:
    return replace(case, variables=rounded(case.variables, "float64"), constants=rounded(case.constants, "float64"))


def check_values(library: Library) -> Check:
    def check(case: Case, dtype: str) -> None:
        wide = in_float64(case)

        def reference(variables: Any) -> Any:
            return case.f(variables, wide.constants)

        got = library.run(case.f, library.tree(case.variables), library.tree(case.constants))
        within = tolerance(wide, reference, dtype, 0)
        assert_agrees(library, got, reference(wide.variables), "float64" if case.wide else dtype, within)

    return check


def weights_for(outputs: Any) -> list[np.ndarray]:
    """Random weights for each array of a result, to make one number of it."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal(a.shape) for a in leaves(outputs)]


def weighted(case: Case, weights: list[Any], constants: Any) -> Callable[[Any], Any]:
    """The function as one that gives a scalar."""

    def scalar(variables: Any) -> Any:
        pairs = zip(leaves(case.f(variables, constants)), weights, strict=True)
        terms = [namespace(output).sum(output * weight) for output, weight in pairs]
        return reduce(lambda a, b: namespace(a, b).add(a, b), terms)

    return scalar


def check_gradients(library: Library) -> Check:
    def check(case: Case, dtype: str) -> None:
        wide = in_float64(case)
        weights = [w.astype(dtype) for w in weights_for(case.f(wide.variables, wide.constants))]
        scalar = weighted(case, library.tree(weights), library.tree(case.constants))
        _, got = library.run(library.value_and_grad(scalar), library.tree(case.variables))

        def reference(variables: Any) -> Any:
            f = weighted(case, [w.astype("float64") for w in weights], wide.constants)
            return autodiff.value_and_grad(f)(variables)[1]

        assert_agrees(library, got, reference(wide.variables), dtype, tolerance(wide, reference, dtype, 1))

    return check


def check_gradients_one_by_one(library: Library) -> Check:
    def check(case: Case, dtype: str) -> None:
        del dtype
        case = in_float64(case)
        weights = weights_for(case.f(case.variables, case.constants))
        scalar = weighted(case, library.tree(weights), library.tree(case.constants))
        arrays, rebuild = trees.flatten(library.tree(case.variables))
        wanted, _ = trees.flatten(library.value_and_grad(scalar)(rebuild(arrays))[1])
        for k, array in enumerate(arrays):
            if is_floating(array):
                alone = library.value_and_grad(lambda x, k=k: scalar(rebuild([*arrays[:k], x, *arrays[k + 1 :]])))
                assert_agrees(library, alone(array)[1], library.numpy(wanted[k]), "float64", 1e-10)

    return check


def check_central_differences(case: Case, dtype: str) -> None:
    del dtype
    # Beyond a cosine of 1, where a filter moved off the sphere meets itself, arc-cosine profiles are constant.
    assume(case.kink is None)
    case = in_float64(case)
    f = weighted(case, weights_for(case.f(case.variables, case.constants)), case.constants)
    _, gradient = autodiff.value_and_grad(f)(case.variables)
    rng = np.random.default_rng(2)
    direction = trees.map_leaves(lambda a: _direction(rng, a), case.variables)
    slope = sum(float(np.sum(g * d)) for g, d in zip(leaves(gradient), leaves(direction), strict=True))
    within = 1e-6 * _size(gradient, direction)
    # Within a step of a kink or jump, such as that of a sign, the slopes on both sides are mixed: then a shorter one.
    differences = (difference_quotient(f, case.variables, direction, step) for step in STEPS)
    assert any(abs(slope - difference) <= within for difference in differences)


def _direction(rng: np.random.Generator, a: Any) -> np.ndarray:
    """0 where the argument is 0: homogeneous kernels have a kink at blank rows."""
    return rng.standard_normal(np.shape(a)) * (np.asarray(a) != 0)


def _size(gradient: Any, direction: Any) -> float:
    """What rounding and curvature are measured against: the sum of what was added up to the slope."""
    return 1 + sum(float(np.sum(np.abs(g * d))) for g, d in zip(leaves(gradient), leaves(direction), strict=True))


def difference_quotient(f: Callable[[Any], Any], variables: Any, direction: Any, step: float = 1e-4) -> float:
    """Of fourth order, so that a step that rounding does not spoil is short enough."""

    def at(t: float) -> float:
        moves = iter(trees.flatten(direction)[0])
        return float(f(trees.map_leaves(lambda a: a + t * next(moves), variables)))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


@every_function
def test_values(name: str, library: Library) -> None:
    for_cases(name, VALUES, library, check_values(library))


@every_function
def test_gradients(name: str, library: Library) -> None:
    for_cases(name, GRADIENTS, library, check_gradients(library))


@pytest.mark.parametrize("name", CASES)
def test_gradients_in_one_variable_beside_plain_arrays(name: str) -> None:
    # The strict library refuses `plain * traced`: whichever variable is traced, the order must be kept.
    for_cases(name, GRADIENTS, STRICT, check_gradients_one_by_one(STRICT))


@every_function
def test_gradients_are_those_of_differences(name: str) -> None:
    for_cases(name, GRADIENTS, NUMPY, check_central_differences)


@pytest.mark.heavy
@every_function
def test_values_of_many_cases(name: str, library: Library) -> None:
    for_cases(name, VALUES, library, check_values(library), times=20)


@pytest.mark.heavy
@every_function
def test_gradients_of_many_cases(name: str, library: Library) -> None:
    for_cases(name, GRADIENTS, library, check_gradients(library), times=20)
