"""Sums over columns: any size of block gives the same, in bounded memory."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from kerneltools import autodiff, columns
from kerneltools.arrays import namespace
from tests.strict import assert_close

FORMULAS: dict[str, Any] = {
    "l1_distances": lambda a, b: np.abs(a - b),
    "log_square_sums": lambda a, b: np.log1p((a - b) ** 2),
    "square_sums": lambda a, b: (a - b) ** 2,
    "chi_square_distances": lambda a, b: (a - b) ** 2 / np.where(a + b > 0, a + b, 1),
    "harmonic_sums": lambda a, b: 2 * a * b / np.where(a + b > 0, a + b, 1),
    "minimum_sums": np.minimum,
}


def with_scale(name: str, d: int) -> Any:
    """The sum as a function of two sets of rows: differences in units of 1."""
    total = getattr(columns, name)
    return total if isinstance(total, columns.ColumnSum) else _InUnits(total, np.ones(d))


class _InUnits:
    def __init__(self, total: columns.DifferenceSum, scale: np.ndarray) -> None:
        self.total, self.scale = total, scale

    def __call__(self, x: Any, y: Any) -> Any:
        return self.total(x, y, self.scale)

    def pull(self, cotangent: Any, x: Any, y: Any) -> Any:
        return self.total.pull(cotangent, x, y, self.scale)[:2]


each = pytest.mark.parametrize("name", FORMULAS)


def data(n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.random((n, d)), rng.random((m, d))
    x[0, 0] = y[0, 0] = 0
    return x, y


@each
@pytest.mark.parametrize(("block", "width"), [(1, 1), (10, 2), (64, 3), (2**18, 64)])
def test_blocks(name: str, block: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BLOCK", block)
    monkeypatch.setattr(columns, "WIDTH", width)
    x, y = data(5, 4, 7)
    total = with_scale(name, 7)
    wanted = FORMULAS[name](x[:, None, :], y[None, :, :]).sum(axis=-1)
    assert_close(total(x, y), wanted, 1e-14)
    weights = np.random.default_rng(1).standard_normal((5, 4))
    _, got = autodiff.value_and_grad(lambda v: namespace(v[0]).sum(weights * total(*v)))((x, y))
    one = total.pull(weights, x, y)
    monkeypatch.undo()
    for a, b, c in zip(got, one, total.pull(weights, x, y), strict=True):
        assert_close(a, c, 1e-14)
        assert_close(b, c, 1e-14)


@each
def test_slopes_are_those_of_differences(name: str) -> None:
    x, y = data(4, 3, 5)
    x, y = x + 0.1, y + 0.1
    total, step = with_scale(name, 5), 1e-6
    direction = np.random.default_rng(1).standard_normal((4, 5))
    along = (total(x + step * direction, y) - total(x - step * direction, y)) / (2 * step)
    weights = np.random.default_rng(2).standard_normal((4, 3))
    in_x, in_y = total.pull(weights, x, y)
    np.testing.assert_allclose((in_x * direction).sum(), (weights * along).sum(), rtol=1e-7)
    transposed = total.pull(weights.T, y, x)
    assert_close(transposed[0], in_y, 1e-14)
    assert_close(transposed[1], in_x, 1e-14)


@each
def test_no_rows(name: str) -> None:
    assert with_scale(name, 3)(np.ones((0, 3)), np.ones((2, 3))).shape == (0, 2)
    assert with_scale(name, 3)(np.ones((2, 3)), np.ones((0, 3))).shape == (2, 0)


@each
def test_memory_is_bounded(name: str) -> None:
    x, y = data(500, 400, 100)  # 160 MB for all terms at once
    total = with_scale(name, 100)
    tracemalloc.start()
    total.pull(total(x, y), x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.parametrize("total", columns.DIFFERENCE_SUMS)
def test_a_scale_for_each_column(total: columns.DifferenceSum) -> None:
    x, y = data(5, 4, 3)
    scale = np.asarray([0.5, 2.0, 10.0])
    assert_close(total(x, y, scale), total(scale * x, scale * y, np.ones(3)), 1e-14)
    weights = np.random.default_rng(1).standard_normal((5, 4))
    got = total.pull(weights, x, y, scale)[2]
    steps = 1e-6 * np.eye(3)
    along = [(weights * (total(x, y, scale + s) - total(x, y, scale - s))).sum() / 2e-6 for s in steps]
    np.testing.assert_allclose(got, along, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-23, 1e-30, 1e25, 1e30])
def test_histograms_of_any_scale(scale: float) -> None:
    # Homogeneous of degree one; products of two entries leave the range of float32.
    x, y = (array.astype(np.float32) for array in data(5, 4, 3))
    for name in ("chi_square_distances", "harmonic_sums", "minimum_sums"):
        total = getattr(columns, name)
        got = total(np.float32(scale) * x, np.float32(scale) * y)
        assert_close(got / np.float32(scale), total(x, y), 1e-5)
