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
    "chi_square_distances": lambda a, b: (a - b) ** 2 / np.where(a + b > 0, a + b, 1),
    "harmonic_sums": lambda a, b: 2 * a * b / np.where(a + b > 0, a + b, 1),
    "minimum_sums": np.minimum,
}
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
    total = getattr(columns, name)
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
    total, step = getattr(columns, name), 1e-6
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
    assert getattr(columns, name)(np.ones((0, 3)), np.ones((2, 3))).shape == (0, 2)
    assert getattr(columns, name)(np.ones((2, 3)), np.ones((0, 3))).shape == (2, 0)


@each
def test_memory_is_bounded(name: str) -> None:
    x, y = data(500, 400, 100)  # 160 MB for all terms at once
    total = getattr(columns, name)
    tracemalloc.start()
    total.pull(total(x, y), x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
