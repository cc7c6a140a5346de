"""What goes to a file comes back: equal values, bit by bit, for every kernel, selector, map, model and estimator."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools import kernels, landmarks, learning, solvers, streaming
from kerneltools.kernels import Gaussian, Kernel
from kerneltools.maps import nystrom
from tests.laws.members import (
    ALL_GRIDS,
    ARD,
    HISTOGRAM,
    INDEFINITE,
    KERNELS,
    POOLS,
    RANDOM_MAPS,
    SAMPLED_MAPS,
    SELECTORS,
    MakeMap,
    Squared,
    rows,
)

X = rows(30, 3, seed=0)
Z = rows(6, 3, seed=1)
Y = X[:, :2] ** 2


def returned(model: Any, path: Path, **settings: Any) -> Any:
    kerneltools.save(model, path / "model")
    return kerneltools.load(path / "model", **settings)


@pytest.mark.parametrize("kernel", [*KERNELS, *HISTOGRAM, *INDEFINITE, ARD, kernels.Precomputed(np.eye(3))], ids=str)
def test_kernels(kernel: Kernel, tmp_path: Path) -> None:
    found = returned(kernel, tmp_path, types=(Squared,))
    assert repr(found) == repr(kernel)
    x = np.zeros((2, 1)) if isinstance(kernel, kernels.Precomputed) else np.abs(X)
    assert np.array_equal(found(x, x[:2]), kernel(x, x[:2]))


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS)
def test_selectors(make: Any, tmp_path: Path) -> None:
    assert returned(make(5), tmp_path) == make(5)


@pytest.mark.parametrize("part", [*POOLS, *(grid for _, grid in ALL_GRIDS)], ids=str)
def test_pools_and_grids(part: Any, tmp_path: Path) -> None:
    assert returned(part, tmp_path) == part


@pytest.mark.parametrize("make", [*RANDOM_MAPS.values(), *SAMPLED_MAPS.values()], ids=[*RANDOM_MAPS, *SAMPLED_MAPS])
def test_random_maps(make: MakeMap, tmp_path: Path) -> None:
    phi = make(16, 0)
    found = returned(phi, tmp_path)
    assert type(found) is type(phi)
    assert np.array_equal(found(np.abs(X)), phi(np.abs(X)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reg", [None, 1e-3])
def test_nystrom(reg: float | None, dtype: str, tmp_path: Path) -> None:
    # W is the transpose of an array: products with one that lies otherwise in memory may differ in their last bits.
    x = rows(500, 40, 2).astype(dtype)
    phi = nystrom(ARD_40, x[:200], reg)
    found = returned(phi, tmp_path)
    assert np.array_equal(found(x), phi(x))
    assert found.whitening.strides == phi.whitening.strides
    assert np.array_equal(found.residual(x), phi.residual(x))


ARD_40 = Gaussian(np.linspace(3.0, 9.0, 40))

MODELS: dict[str, Any] = {
    "kernel_ridge": solvers.kernel_ridge(Gaussian(1.0), Z, X, Y, 1e-3),
    "falkon": solvers.falkon(Gaussian(1.0), Z, X, Y, 1e-3),
    "nystrom_pcg": solvers.nystrom_pcg(Gaussian(1.0), X, Y, 1e-3),
    "fit_kernel": solvers.fit_kernel(Gaussian(1.0), Z, X, np.sign(X[:, :1]), solvers.Logistic(), 1e-3),
    "ridge": solvers.ridge(X, Y, 1e-3),
    "streaming": streaming.ridge(nystrom(Gaussian(1.0), Z), [(X, Y)]).model(1e-3),
    "kernel_pca": learning.kernel_pca(nystrom(Gaussian(1.0), Z), X, 2),
    "fit_temperature": learning.fit_temperature(X, [0, 1] * (len(X) // 2)),
    "kernel_kmeans": learning.kernel_kmeans(nystrom(Gaussian(1.0), Z), X, 3, rng=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, tmp_path: Path) -> None:
    found = returned(MODELS[name], tmp_path)
    assert np.array_equal(found(X), MODELS[name](X))


def test_sums_go_on(tmp_path: Path) -> None:
    sums = streaming.FeatureSums(nystrom(Gaussian(1.0), Z)).partial_fit(X, Y)
    found = returned(sums, tmp_path)
    assert found.dtype == sums.dtype
    assert np.array_equal(found.partial_fit(X, Y).model(1e-3)(X), sums.partial_fit(X, Y).model(1e-3)(X))


def test_landmarks(tmp_path: Path) -> None:
    chosen = landmarks.RPCholesky(4)(Gaussian(1.0), X, 0)
    found = returned(chosen, tmp_path)
    assert found.indices == chosen.indices
    assert np.array_equal(found.points, chosen.points)
