"""Problems on landmarks and their dense solutions, in float64, by the textbook."""

from dataclasses import dataclass

import numpy as np

from kerneltools.kernels import Gaussian, Kernel


@dataclass(frozen=True, eq=False)
class Regression:
    kernel: Kernel
    points: np.ndarray
    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray

    def cast(self, dtype: str) -> "Regression":
        return Regression(self.kernel, *(a.astype(dtype) for a in (self.points, self.x, self.y, self.weights)))


def regression(
    n: int = 60,
    m: int = 10,
    d: int = 3,
    t: int = 2,
    bandwidth: float = 1.0,
    seed: int = 0,
    kernel: Kernel | None = None,
) -> Regression:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    y = np.sin(x @ rng.standard_normal((d, t))) + 0.1 * rng.standard_normal((n, t))
    points = rng.standard_normal((m, d))
    return Regression(kernel or Gaussian(bandwidth), points, x, y, rng.random(n) + 0.1)


def dense(p: Regression, reg: float, weights: np.ndarray | None, at: np.ndarray) -> np.ndarray:
    """Predictions of the least (1/Σw) Σ w |f(x_i) - y_i|² + λ α' (K + ε I) α, by least squares on its square roots."""
    wide = p.cast("float64")
    shares = np.ones(len(wide.x)) if weights is None else np.asarray(weights, dtype=float)
    shares = shares / shares.sum()
    gram = wide.kernel(wide.points, wide.points)
    shift = len(gram) * np.finfo(p.x.dtype).eps * gram.diagonal().max()
    factor = np.linalg.cholesky(gram + shift * np.eye(len(gram)))
    phi = np.linalg.solve(factor, wide.kernel(wide.x, wide.points).T).T
    root = np.sqrt(shares)[:, None]
    rows = np.concatenate([root * phi, np.sqrt(reg) * np.eye(len(gram))])
    targets = np.concatenate([root * wide.y, np.zeros((len(gram), wide.y.shape[1]))])
    weights_of_phi = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return np.linalg.solve(factor, wide.kernel(at.astype(float), wide.points).T).T @ weights_of_phi


def classes(n: int = 150, m: int = 12, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks, rows and targets of classes that overlap."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, k, n)
    x = rng.standard_normal((n, 2)) + 2 * rng.standard_normal((k, 2))[numbers]
    return x[:m], x, np.where(numbers[:, None] == np.arange(k), 1.0, -1.0)
