"""A kernel that explains nothing is named, by every estimator; one that does is not."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from kerneltools.estimators import (
    KernelClassifier,
    KernelPCA,
    KernelRidge,
    NystromFeatures,
    RandomFeatures,
    UninformativeKernelWarning,
)
from kerneltools.kernels import Cosine, Gaussian, Laplacian, Linear, Polynomial, Wendland
from kerneltools.kernels.strings import Spectrum

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = np.sin(X[:, 0])
CLASSES = (Y > 0).astype(int)
MAKE: dict[str, Any] = {
    "ridge": lambda **how: KernelRidge(reg=1e-3, **how),
    "classifier": lambda **how: KernelClassifier(reg=1e-3, **how),
    "pca": lambda **how: KernelPCA(2, **how),
    "nystrom": NystromFeatures,
    "fourier": lambda kernel, landmarks=None: RandomFeatures(kernel, m=8),
}
NARROW = r"Gaussian\(bandwidth=1.0\) is 0 between all of 32 rows and the \d+ landmarks .* too narrow .*of_median"
WIDE = r"kernel: Gaussian\(bandwidth=1.0\) is 1, as k\(x, x\) is, between all of 32 rows .*; it is too wide"


def told(estimator: Any, x: Any, y: Any = CLASSES) -> list[str]:
    with warnings.catch_warnings(record=True) as all_told:
        warnings.simplefilter("always")
        estimator.fit(x, y)
    return [str(one.message) for one in all_told if issubclass(one.category, UninformativeKernelWarning)]


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize(("unit", "message"), [(1e3, NARROW), (1e-10, WIDE)])
def test_every_estimator_says_so(name: str, unit: float, message: str) -> None:
    for landmarks in (10, X * unit):
        with pytest.raises(UninformativeKernelWarning, match=message):
            MAKE[name](kernel=Gaussian(1.0), landmarks=landmarks).fit(X * unit, CLASSES)
    assert not told(MAKE[name](kernel=Gaussian(unit), landmarks=10), X * unit)


def test_what_has_a_bandwidth_of_its_own() -> None:
    assert told(NystromFeatures(landmarks=10), 1e3 * X)
    assert not told(KernelRidge(), 1e3 * X, Y)
    assert not told(KernelClassifier(), 1e-6 * X)


@pytest.mark.parametrize("kernel", [Laplacian(0.1), Wendland(0.1), 2.0 * Gaussian(1.0), Gaussian(1.0) * Linear()])
def test_other_kernels(kernel: Any) -> None:
    assert told(NystromFeatures(kernel, landmarks=10), 1e3 * X)
    assert told(NystromFeatures(lambda x, y: kernel(x, y), landmarks=10), 1e3 * X)


def test_one_column_of_one_sign_under_the_cosine() -> None:
    assert told(KernelRidge(Cosine(), reg=1e-3, landmarks=X[:4, :1] ** 2 + 1), X[:, :1] ** 2 + 1, Y)


def test_in_float32_on_torch() -> None:
    rows = torch.asarray(X, dtype=torch.float32)
    assert told(KernelRidge(Gaussian(1.0), landmarks=10, reg=1e-3), 1e3 * rows, torch.asarray(Y))
    assert not told(KernelRidge(Gaussian(1.0), landmarks=10, reg=1e-3), rows, torch.asarray(Y))


def test_a_landmark_that_is_the_mean_of_one_row() -> None:
    # It equals the row up to rounding only, and has nothing to say of the others.
    rows = 1e3 * RNG.uniform(size=(2000, 10))
    assert told(KernelRidge(Gaussian(1.0), landmarks=100, reg=1e-3, random_state=0), rows, rows[:, 0])
    mean = rows[:100, :] * (1 + 1e-15)
    assert told(KernelRidge(Gaussian(1.0), landmarks=mean, reg=1e-3), rows, rows[:, 0])


CLUSTERS = 1e3 * (np.arange(60) % 5)[:, None] + 0.1 * X
FINE: dict[str, tuple[Any, Any, Any]] = {
    "one landmark": (Gaussian(1.0), X[:1, :], X),
    "clusters far apart, a landmark in each": (Gaussian(1.0), CLUSTERS[:5, :], CLUSTERS),
    "clusters far apart, found": (Gaussian(1.0), 5, CLUSTERS),
    "one-hot rows": (Linear(), 60, np.eye(60)),
    "one-hot rows that are repeated": (Gaussian(0.01), 5, np.eye(5)[np.arange(60) % 5]),
    "orthogonal rows": (Polynomial(3, 0.0), 60, np.eye(60)),
    "few rows": (Gaussian(1e-3), X[:5, :], X[:5, :]),
    "rows that are all equal": (Gaussian(1.0), X[:1, :], X[:1, :] + np.zeros((60, 1))),
    "one column": (Linear(), 60, X[:, :1]),
    "a wide kernel": (Gaussian(1e5), 10, X),
    "a narrow one": (Gaussian(0.3), 10, X),
    "a row far away": (Gaussian(1.0), 20, np.concatenate([X, [[1e9, 0, 0]]])),
}


@pytest.mark.parametrize("name", FINE)
def test_no_false_alarm(name: str) -> None:
    kernel, landmarks, x = FINE[name]
    assert not told(NystromFeatures(kernel, landmarks=landmarks), x)


def test_objects() -> None:
    words = ["".join(RNG.choice(list("ACGT"), 12)) for _ in range(40)]
    (message,) = told(NystromFeatures(Spectrum(12), landmarks=40), words)
    assert "is 0 between all of 32 strings and the 40 landmarks" in message
    assert message.endswith("take a kernel that sees both what they have in common and how they differ")
    assert not told(NystromFeatures(Spectrum(2), landmarks=40), words)
    assert not told(NystromFeatures(Spectrum(12), landmarks=4), words[:4] * 10)
