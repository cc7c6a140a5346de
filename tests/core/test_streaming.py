"""Rows block by block give what all rows give at once; what fails leaves things as they were."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools import maps, streaming
from kerneltools.backend import backend
from kerneltools.estimators.search import wide_features
from kerneltools.files import FileFormatError
from kerneltools.kernels import Gaussian, Linear, Matern, Polynomial
from kerneltools.learning import kernel_pca
from kerneltools.learning.pca import components_of
from kerneltools.solvers import ridge_path, ridge_sums
from kerneltools.streaming import FeatureSums

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = np.sin(X @ RNG.standard_normal((3, 2)))
WEIGHTS = RNG.random(60) + 0.1
PHI = maps.nystrom(Gaussian(1.5), X[:8, :])
MAPS = {
    "nystrom": PHI,
    "fourier": maps.fourier(Gaussian(1.5), d=3, m=10, rng=0),
    "sketch": maps.tensor_sketch(Polynomial(2), 3, 16, 0),
    "function": lambda x: x * x,
}


@pytest.mark.parametrize("name", MAPS)
@given(block=st.integers(1, 70))
def test_transform_in_blocks_is_transform(name: str, block: int) -> None:
    phi = MAPS[name]
    found = np.concatenate(list(streaming.transform(phi, streaming.rows(X, block))))
    np.testing.assert_allclose(found, phi(X), rtol=1e-10, atol=1e-12)


def test_transform_makes_a_block_when_it_is_asked_for() -> None:
    seen = []

    def blocks() -> Iterator[Any]:
        for number in range(3):
            seen.append(number)
            yield X[:4, :]

    made = streaming.transform(PHI, blocks())
    assert seen == []
    next(made)
    assert seen == [0]


def test_transform_refuses_a_single_array() -> None:
    with pytest.raises(TypeError, match=r"pass rows\(array\)"):
        streaming.transform(PHI, X)


@pytest.mark.parametrize("block", [7, 60, 1000])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8"])
def test_file_to_file(tmp_path: Path, block: int, order: Any, dtype: str) -> None:
    x = X.astype(dtype, order=order)
    np.save(tmp_path / "x.npy", x)
    shape = streaming.transform_file(PHI, tmp_path / "x.npy", tmp_path / "phi.npy", block)
    found = np.load(tmp_path / "phi.npy", mmap_mode="r")
    expected = PHI(x.astype(x.dtype.newbyteorder("=")))
    assert shape == found.shape == (60, 8)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-10, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phi.npy", "x.npy"]


def test_file_replaces_itself(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    streaming.transform_file(lambda x: 2 * x, tmp_path / "x.npy", tmp_path / "x.npy", 7)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), 2 * X)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_file_feeds_another_library(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "x.npy", X)
    library = backend(name)
    phi = maps.nystrom(Gaussian(1.5), library.asarray(X[:8, :].astype("float32")))
    streaming.transform_file(phi, tmp_path / "x.npy", tmp_path / "phi.npy", 25)
    found = np.load(tmp_path / "phi.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, PHI(X), atol=2e-4)
    parts = list(streaming.transform(phi, streaming.rows(tmp_path / "x.npy", 25)))
    assert all(library.owns(part) for part in parts)
    sums = streaming.ridge(phi, [(X[:30, :], Y[:30, :]), (X[30:, :], Y[30:, :])])
    assert library.owns(sums.model(1e-3)(library.asarray(X.astype("float32"))))


def test_a_target_survives_what_fails(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "phi.npy", Y)

    def failing(x: Any) -> Any:
        if not np.array_equal(x[0, :], X[0, :]):
            raise RuntimeError("the second block")
        return x

    with pytest.raises(RuntimeError, match="second"):
        streaming.transform_file(failing, tmp_path / "x.npy", tmp_path / "phi.npy", 25)
    np.testing.assert_array_equal(np.load(tmp_path / "phi.npy"), Y)
    with pytest.raises(ValueError, match=r"pieces: expected float64 of 3 columns .* got float64 of shape \(25, 2\)"):
        streaming.transform_file(
            lambda x: x if np.array_equal(x[0, :], X[0, :]) else x[:, :2], tmp_path / "x.npy", tmp_path / "phi.npy", 25
        )
    with pytest.raises(ValueError, match="pieces: expected 60 rows, got 6"):
        streaming.transform_file(lambda x: x[:2, :], tmp_path / "x.npy", tmp_path / "phi.npy", 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phi.npy", "x.npy"]


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    with pytest.raises(FileNotFoundError):
        streaming.rows(path)
    np.save(path, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"x\.npy"):
        streaming.rows(path)
    np.save(path, np.arange(6).reshape(2, 3))
    with pytest.raises(FileFormatError, match=r"floating-point numbers of shape \(n, d\), got int64"):
        streaming.rows(path)
    np.save(path, X[0, :])
    with pytest.raises(FileFormatError, match=r"got float64 of shape \(3,\)"):
        streaming.rows(path)
    np.save(path, X)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileFormatError, match="truncated"):
        streaming.rows(path)
    path.write_text("no array")
    with pytest.raises(FileFormatError, match=r"not an \.npy file"):
        streaming.rows(path)
    np.savez(tmp_path / "x.npz", x=X)
    with pytest.raises(FileFormatError, match="NpzFile"):
        streaming.rows(tmp_path / "x.npz")
    np.save(path, X[:0, :])
    with pytest.raises(ValueError, match="at least one row"):
        streaming.transform_file(PHI, path, tmp_path / "phi.npy")


@given(cuts=st.lists(st.integers(0, 60), max_size=4), block=st.integers(1, 70), weighted=st.booleans())
def test_ridge_of_a_stream_is_ridge_of_all(cuts: list[int], block: int, weighted: bool) -> None:
    ends = [0, *sorted(cuts), 60]
    total = FeatureSums(PHI)
    for start, end in pairwise(ends):
        weights = (WEIGHTS[start:end],) if weighted else ()
        total = total.partial_fit(X[start:end, :], Y[start:end, :], *weights, block=block)
    all_rows = ridge_path(PHI(X), Y, weights=WEIGHTS if weighted else None)
    for reg in (1e-6, 1e-2):
        np.testing.assert_allclose(total.model(reg)(X), all_rows.model(reg)(PHI(X)), rtol=0, atol=1e-10)
    regs = [1e-6, 1e-3, 1.0]
    np.testing.assert_allclose(
        total.path().generalised_cross_validation(regs), all_rows.generalised_cross_validation(regs), rtol=1e-10
    )


LIBRARIES = ("numpy", "torch")
"""Those that have float64 beside float32 without being asked."""


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("reg", [None, 1e-3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("far", [0.0, 1e6])
def test_many_rows_in_float32_are_summed_before_whitening(
    library: str, reg: float | None, weighted: bool, far: float
) -> None:
    x, y, w = (a.astype(np.float32) for a in (X, Y + far, WEIGHTS))
    phi = maps.nystrom(Gaussian(1.5), x[:8, :], reg)
    wanted = ridge_sums(phi(x), y, w if weighted else None)
    as_array = backend(library).asarray
    there = maps.nystrom(Gaussian(1.5), as_array(x[:8, :]), reg)
    pair = (as_array(x), as_array(y), *([as_array(w)] if weighted else []))
    found = streaming.ridge(there, [pair])
    assert found.dtype == as_array(x).dtype
    for name in ("rows", "weight", "x_mean", "y_mean", "gram", "cross", "square"):
        got, sums = backend(library).to_numpy(getattr(found.sums, name)), getattr(wanted, name)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, sums, rtol=1e-6, atol=1e-5 * np.abs(sums).max())


def test_a_tiny_penalty_does_not_trust_the_rounding_of_float32() -> None:
    x = np.random.default_rng(0).standard_normal((3000, 3)).astype(np.float32)
    y = np.sin(x[:, :1]) + x[:, 1:2] ** 2
    phi = maps.nystrom(Gaussian(20.0), x[:200, :])
    model = streaming.ridge(phi, [(x[:2000, :], y[:2000, :])]).model(1e-12)
    by_features = ridge_path(phi(x[:2000, :]), y[:2000, :]).model(1e-12)(phi(x[2000:, :]))
    errors = [np.sqrt(np.mean((found - y[2000:, :]) ** 2)) for found in (model(x[2000:, :]), by_features)]
    assert errors[0] <= 1.1 * errors[1]


def _bodies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the bodies that are run from here on."""
    taken: list[str] = []
    for name in ("_sums_of_values", "_sums_of_features"):
        body = getattr(streaming, name)
        monkeypatch.setattr(streaming, name, lambda *a, body=body, name=name: (taken.append(name), body(*a))[1])
    return taken


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("far", [0.0, 1e3])
@pytest.mark.parametrize("reg", [1e-1, 1e-4, 1e-6])
def test_where_the_penalty_is_above_rounding_kernel_values_are_summed(
    library: str, dtype: str, weighted: bool, far: float, reg: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5000, 3))
    y = np.stack([np.sin(x.sum(axis=1)), x[:, 0] ** 2 + far], axis=1) + 0.1 * rng.standard_normal((5000, 2))
    x, y, w = (a.astype(dtype) for a in (x, y, rng.integers(0, 3, 5000)))
    phi = wide_features(Gaussian(0.7), x[:100, :])
    weights = w if weighted else None
    wanted = FeatureSums(phi).partial_fit(x, y, weights)
    taken = _bodies(monkeypatch)
    as_array = backend(library).asarray
    there = FeatureSums(wide_features(Gaussian(0.7), as_array(x[:100, :])))
    pair = (as_array(x), as_array(y), None if weights is None else as_array(weights))
    found = there.partial_fit(*pair, reg=reg)
    assert taken == ["_sums_of_values"]
    for name in ("rows", "weight", "y_mean", "square"):
        got = backend(library).to_numpy(getattr(found.sums, name))
        np.testing.assert_allclose(got, getattr(wanted.sums, name), rtol=1e-12)
    # A greater λ, and a far lesser one, too.
    for at, within in ((10 * reg, 1e-6), (reg, 1e-6), (1e-6 * reg, 1e-4)):
        got = backend(library).to_numpy(found.model(at)(as_array(x)))
        np.testing.assert_allclose(got, wanted.model(at)(x), rtol=0, atol=within * y.std(axis=0).min())


def test_where_rounding_may_count_features_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((500, 3))
    far = np.concatenate([np.eye(3), x, [[1e7, 2e7, 0.0]]])
    tiny, huge = (1e-90 * x, 1e90 * x)
    taken = _bodies(monkeypatch)
    for kernel, rows, m, reg, bodies in (
        (Gaussian(0.7), x, 100, 1e-13, ["_sums_of_features"]),  # λ is below
        (Gaussian(5.0), x, 100, 1e-4, ["_sums_of_features"]),  # landmarks are alike
        (Gaussian(0.7), x, 200, 1e-1, ["_sums_of_features"]),  # few rows
        (Linear(), far, 3, 1e-4, ["_sums_of_values", "_sums_of_features"]),  # a row is greater than all landmarks
        (Linear(), tiny, 3, 1e-184, ["_sums_of_features"]),  # squares of the values are 0
        (Linear(), huge, 3, 1e176, ["_sums_of_features"]),  # ... or infinite
    ):
        taken.clear()
        phi, y = maps.nystrom(kernel, rows[:m, :]), rows[:, :1]
        found = FeatureSums(phi).partial_fit(rows, y, reg=reg)
        assert taken == bodies
        np.testing.assert_array_equal(found.sums.gram, FeatureSums(phi).partial_fit(rows, y).sums.gram)


@given(parts=st.permutations([slice(0, 7), slice(7, 30), slice(30, 31), slice(31, 60)]))
def test_merge_is_exact_in_any_order(parts: list[slice]) -> None:
    a, b, c, d = (streaming.ridge(PHI, [(X[part, :], Y[part, :])]) for part in parts)
    together = streaming.merge(streaming.merge(a, b), streaming.merge(c, d))
    expected = streaming.ridge(PHI, [(X, Y)]).model(1e-4)(X)
    np.testing.assert_allclose(together.model(1e-4)(X), expected, rtol=0, atol=1e-10)


def test_merge_asks_for_one_map() -> None:
    here = streaming.ridge(PHI, [(X[:30, :], Y[:30, :])])
    same = streaming.ridge(maps.nystrom(Gaussian(1.5), X[:8, :].copy()), [(X[30:, :], Y[30:, :])])
    assert float(here.merge(same).sums.weight) == 60
    for phi in (maps.nystrom(Gaussian(1.5), X[1:9, :]), maps.nystrom(Gaussian(1.4), X[:8, :]), MAPS["fourier"]):
        with pytest.raises(ValueError, match="merge: expected sums in the features of one map"):
            here.merge(FeatureSums(phi))
    first, second = (FeatureSums(maps.nystrom(Matern(nu, 1.0), X[:8, :])) for nu in (0.5, 1.5))
    with pytest.raises(ValueError, match="merge"):
        first.merge(second)


def test_merge_with_nothing() -> None:
    here = streaming.ridge(PHI, [(X, Y)])
    assert FeatureSums(PHI).merge(here) is here
    assert here.merge(FeatureSums(PHI)) is here


def test_what_fails_leaves_the_sums() -> None:
    total = streaming.ridge(PHI, [(X[:30, :], Y[:30, :])])
    before = total.model(1e-3)(X)
    broken = X.copy()
    broken[50, 1] = np.nan
    with pytest.raises(ValueError, match="x: expected finite numbers, got nan in row 20, column 1"):
        total.partial_fit(broken[30:, :], Y[30:, :], block=5)
    with pytest.raises(ValueError, match="as many features and targets"):
        total.partial_fit(X[30:, :], Y[30:, :1], block=5)
    np.testing.assert_array_equal(total.model(1e-3)(X), before)
    np.testing.assert_allclose(
        total.partial_fit(X[30:, :], Y[30:, :]).model(1e-3)(X),
        streaming.ridge(PHI, [(X, Y)]).model(1e-3)(X),
        rtol=0,
        atol=1e-10,
    )


def test_features_out_of_range_are_named() -> None:
    far = np.where(np.arange(60)[:, None] == 50, 1e10, X)

    def phi(x: np.ndarray) -> np.ndarray:
        return np.where(x > 1e9, np.inf, x)

    for summed in (lambda: FeatureSums(phi).partial_fit(far, Y, block=7), lambda: kernel_pca(phi, far, 2, block=7)):
        with pytest.raises(ValueError, match="phi: expected finite features, got others for row 50 of x"):
            summed()
    great = np.where(np.arange(60)[:, None] == 50, 1e200, X)
    with np.errstate(over="ignore"):
        sums = FeatureSums(lambda x: x).partial_fit(great, Y)
    for use in (lambda: sums.model(1e-3), sums.path, lambda: components_of(sums.map, sums.sums, 2, sums.dtype)):
        with pytest.raises(ValueError, match="sums: products of the rows overflow float64; scale the rows down"):
            use()


def test_a_stream_names_the_block() -> None:
    broken = Y.copy()
    broken[35, 1] = np.inf
    with pytest.raises(ValueError, match="block 1: y: expected finite numbers, got inf in row 5, column 1"):
        streaming.ridge(PHI, ((X[part, :], broken[part, :]) for part in (slice(0, 30), slice(30, 60))))
    with pytest.raises(TypeError, match="block 0: x: expected a real floating-point array, got int64"):
        streaming.ridge(PHI, [(X.astype(np.int64), Y)])
    with pytest.raises(TypeError, match=r"block 0: expected \(x, y\) or \(x, y, weights\), got ndarray"):
        streaming.ridge(PHI, [X])  # type: ignore[list-item]  # what is tested
    with pytest.raises(ValueError, match="at least one block"):
        streaming.ridge(PHI, [])


def test_a_stream_goes_on_with_the_same_map_only() -> None:
    total = streaming.ridge(PHI, [(X[:30, :], Y[:30, :])])
    with pytest.raises(ValueError, match="merge: expected sums in the features of one map, got two that differ"):
        streaming.ridge(maps.nystrom(Gaussian(9.0), X[:7, :]), [(X, Y)], start=total)
    for wrong in (lambda: streaming.ridge(PHI, [(X, Y)], start=3), lambda: total.merge(3)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="merge: expected FeatureSums, got int"):
            wrong()


def test_a_stream_that_breaks_leaves_the_sums() -> None:
    def broken() -> Iterator[tuple[Any, Any]]:
        yield X[30:, :], Y[30:, :]
        raise OSError("the disk is gone")

    total = streaming.ridge(PHI, [(X[:30, :], Y[:30, :])])
    before = total.model(1e-3)(X)
    with pytest.raises(OSError, match="the disk is gone"):
        streaming.ridge(PHI, broken(), start=total)
    np.testing.assert_array_equal(total.model(1e-3)(X), before)


def test_wrong_arguments() -> None:
    total = FeatureSums(PHI)
    with pytest.raises(ValueError, match="no rows have been seen"):
        total.model(1e-3)
    with pytest.raises(ValueError, match="as many rows in both, got 60 and 59"):
        total.partial_fit(X, Y[1:, :])
    with pytest.raises(ValueError, match="weights: expected one for each of 60 rows, got 61"):
        total.partial_fit(X, Y, np.ones(61), block=10)
    with pytest.raises(ValueError, match="weights: expected finite numbers >= 0, got -1"):
        total.partial_fit(X, Y, -np.ones(60))
    with pytest.raises(ValueError, match=r"x: expected \(\.\.\., 3\)"):
        total.partial_fit(X[:, :2], Y)
    for block in (0, 1.5, True):
        with pytest.raises(ValueError, match="block: expected an integer >= 1"):
            streaming.rows(X, block)  # type: ignore[arg-type]  # what is tested
