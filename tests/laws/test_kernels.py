"""What every kernel obeys."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerneltools import trees
from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential
from tests.laws.members import HISTOGRAM, INDEFINITE, KERNELS, ROUNDING, rows
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

ALL = (*KERNELS, *HISTOGRAM, *INDEFINITE)
every = pytest.mark.parametrize("kernel", ALL, ids=str)
semi_definite = pytest.mark.parametrize("kernel", [*KERNELS, *HISTOGRAM], ids=str)
homogeneous = pytest.mark.parametrize("kernel", [k for k in ALL if k.homogeneous], ids=str)
of_inner_products = pytest.mark.parametrize("kernel", [k for k in ALL if k.by_inner_products], ids=str)

# Zeros and equal entries included; not so small that squares underflow.
NUMBERS = st.floats(-4, 4, width=32).map(lambda v: 0.0 if abs(v) < 1e-6 else v)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 4))
ROWS = SHAPES.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=NUMBERS))


def read_only(x: np.ndarray) -> np.ndarray:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def data(kernel: Kernel, n: int, seed: int, zero_rows: int = 0) -> np.ndarray:
    return admissible(kernel, rows(n, 3, seed, zero_rows))


def admissible(kernel: Kernel, x: np.ndarray) -> np.ndarray:
    return np.abs(x) if kernel in HISTOGRAM else x


@every
@settings(max_examples=15)
@given(x=ROWS)
def test_symmetric(kernel: Kernel, x: np.ndarray) -> None:
    x = admissible(kernel, x)
    assert_close(kernel(x, x), kernel(x, x).T, ROUNDING)


@semi_definite
@settings(max_examples=15)
@given(x=ROWS)
def test_positive_semi_definite(kernel: Kernel, x: np.ndarray) -> None:
    x = admissible(kernel, x)
    gram = kernel(x, x)
    assert not kernel.indefinite
    assert np.linalg.eigvalsh((gram + gram.T) / 2).min() >= -ROUNDING * np.abs(gram).max()


@every
@settings(max_examples=15)
@given(x=ROWS)
def test_diag(kernel: Kernel, x: np.ndarray) -> None:
    x = admissible(kernel, x)
    diag = kernel.diag(x)
    assert diag.shape == (len(x),)
    assert kernel.indefinite or np.all(diag >= 0)
    assert_close(np.diag(kernel(x, x)), diag, ROUNDING)


@pytest.mark.parametrize("kernel", INDEFINITE, ids=str)
def test_indefinite_ones_say_so(kernel: Kernel) -> None:
    assert kernel.indefinite


@homogeneous
@settings(max_examples=15)
@given(x=ROWS, a=NUMBERS.map(abs), b=NUMBERS.map(abs))
def test_homogeneous(kernel: Kernel, x: np.ndarray, a: float, b: float) -> None:
    assert_close(kernel(a * x, b * x), a * b * kernel(x, x), ROUNDING)


@every
def test_says_rightly_whether_it_is_homogeneous(kernel: Kernel) -> None:
    x, y = data(kernel, 4, seed=0), data(kernel, 5, seed=1)
    assert np.allclose(kernel(3 * x, 2 * y), 6 * kernel(x, y), rtol=1e-12) == kernel.homogeneous


@of_inner_products
def test_from_inner_agrees_with_call(kernel: Kernel) -> None:
    x, y = data(kernel, 4, seed=0, zero_rows=1), data(kernel, 5, seed=1, zero_rows=2)
    norms = np.linalg.norm(x, axis=1)[:, None], np.linalg.norm(y, axis=1)[None, :]
    assert_close(kernel.from_inner(x @ y.T, *norms), kernel(x, y), 1e-13)


@of_inner_products
def test_from_inner_of_unit_landmarks(kernel: Kernel) -> None:
    # Norms that are all 1 may be given as the number 1.
    x, y = data(kernel, 4, seed=0), data(kernel, 5, seed=1)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    got = kernel.from_inner(x @ y.T, np.linalg.norm(x, axis=1)[:, None], 1.0)
    assert_close(got, kernel(x, y), 1e-13)


@every
def test_rows_are_independent(kernel: Kernel) -> None:
    x, y = data(kernel, 6, seed=0, zero_rows=1), data(kernel, 5, seed=1)
    gram = kernel(x, y)
    one_by_one = [[kernel(x[i : i + 1], y[j : j + 1])[0, 0] for j in range(5)] for i in range(6)]
    assert gram.shape == (6, 5)
    assert_close(gram, np.array(one_by_one), 1e-13)


@every
def test_zero_rows_are_finite(kernel: Kernel) -> None:
    x = data(kernel, 4, seed=0, zero_rows=2)
    assert np.all(np.isfinite(kernel(x, x)))
    assert np.all(np.isfinite(kernel.diag(x)))


@homogeneous
def test_zero_rows_give_exactly_zero(kernel: Kernel) -> None:
    x = data(kernel, 4, seed=0, zero_rows=2)
    assert np.all(kernel(x, x)[2:, :] == 0)
    assert np.all(kernel(x, x)[:, 2:] == 0)
    assert np.all(kernel.diag(x)[2:] == 0)


@every
def test_float32(kernel: Kernel) -> None:
    x, y = data(kernel, 6, seed=0, zero_rows=1), data(kernel, 5, seed=1)
    narrow = x.astype(np.float32), y.astype(np.float32)
    gram, diag = kernel(*narrow), kernel.diag(narrow[0])
    assert gram.dtype == diag.dtype == np.float32
    assert_close(gram.astype(float), kernel(x, y), 1e-5)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(kernel: Kernel, device: Any) -> None:
    x, y = data(kernel, 6, seed=0, zero_rows=1), data(kernel, 5, seed=1)
    strict_x, strict_y = to_strict(x, device), to_strict(y, device)
    assert_same_on(device, kernel(strict_x, strict_y), kernel(x, y))
    assert_same_on(device, kernel.diag(strict_x), kernel.diag(x))


@every
def test_parameters_may_be_arrays(kernel: Kernel) -> None:
    x, y = data(kernel, 6, seed=0, zero_rows=1), data(kernel, 5, seed=1)
    on_device = trees.map_leaves(lambda leaf: to_strict(np.asarray(leaf, float), DEVICES[1]), kernel)
    got = on_device(to_strict(x, DEVICES[1]), to_strict(y, DEVICES[1]))
    assert_same_on(DEVICES[1], got, kernel(x, y))


@every
def test_leaves_its_inputs_alone(kernel: Kernel) -> None:
    x, y = read_only(data(kernel, 6, seed=0)), read_only(data(kernel, 5, seed=1))
    kernel(x, y)
    kernel.diag(x)
    assert np.array_equal(x, data(kernel, 6, seed=0))
    assert np.array_equal(y, data(kernel, 5, seed=1))


@every
def test_composition(kernel: Kernel) -> None:
    x, y = data(kernel, 6, seed=0), data(kernel, 5, seed=1)
    other = Homogeneous(Exponential(0.5))
    for composite, expected, diag in (
        (kernel + other, kernel(x, y) + other(x, y), kernel.diag(x) + other.diag(x)),
        (kernel * other, kernel(x, y) * other(x, y), kernel.diag(x) * other.diag(x)),
        (0.25 * kernel, 0.25 * kernel(x, y), 0.25 * kernel.diag(x)),
        (kernel * 0.25, 0.25 * kernel(x, y), 0.25 * kernel.diag(x)),
    ):
        assert_close(composite(x, y), expected, 1e-14)
        assert_close(composite.diag(x), diag, 1e-14)


@every
def test_columns_that_differ(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match=r"x, y: expected rows of the same length, got \(4, 3\) and \(5, 2\)"):
        kernel(data(kernel, 4, seed=0), rows(5, 2, seed=0))


@every
def test_wrong_rank(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match=r"x: expected \(n, d\), got shape \(3,\)"):
        kernel(np.ones(3), data(kernel, 5, seed=0))
    with pytest.raises(ValueError, match=r"y: expected \(m, d\), got shape \(2, 2, 3\)"):
        kernel(data(kernel, 4, seed=0), np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"x: expected \(n, d\), got shape \(3,\)"):
        kernel.diag(np.ones(3))


@every
def test_numbers_of_numpy_do_not_decide_the_type(kernel: Kernel) -> None:
    x = data(kernel, 4, seed=0).astype(np.float32)
    with_scalars = trees.map_leaves(lambda leaf: np.float64(leaf) if isinstance(leaf, float) else leaf, kernel)
    assert with_scalars(x, x).dtype == with_scalars.diag(x).dtype == np.float32
    assert np.array_equal(with_scalars(x, x), kernel(x, x))


@every
def test_no_rows(kernel: Kernel) -> None:
    x, none = data(kernel, 4, seed=0), data(kernel, 4, seed=0)[:0]
    assert kernel(x, none).shape == (4, 0)
    assert kernel(none, x).shape == (0, 4)
    assert kernel.diag(none).shape == (0,)


@every
def test_nan_is_not_hidden(kernel: Kernel) -> None:
    x, y = data(kernel, 4, seed=0), data(kernel, 5, seed=1)
    good = kernel(x, y)
    x[1, 0] = np.nan
    if kernel in HISTOGRAM:
        with pytest.raises(ValueError, match="got nan in row 1, column 0"):
            kernel(x, y)
        return
    found = kernel(x, y)
    assert np.all(np.isnan(found[1]))
    assert np.isnan(kernel.diag(x)[1]) or kernel.diag(x)[1] == kernel.diag(y)[0]  # 1 for all rows: it is not computed
    assert_close(np.delete(found, 1, axis=0), np.delete(good, 1, axis=0), 1e-14)
