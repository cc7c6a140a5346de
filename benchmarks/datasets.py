"""Rows that the benchmarks share: drawn from a seed, scikit-learn's digits, or from a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Data:
    """Rows (n, d) in float32; `scales`: bandwidths to try on them, in units of the median distance.

    `histograms`: the same rows as numbers >= 0, where they are counts or intensities.
    """

    name: str
    x: Any
    scales: tuple[float, ...]
    histograms: Any = None


def digits() -> Data:
    """Handwritten digits, 1,797 x 64."""
    from sklearn.datasets import load_digits

    x = (load_digits().data / 16).astype(np.float32)
    return Data("digits", x, (0.5, 1.0), x)


def clustered(n: int = 10_000, d: int = 20, seed: int = 1) -> Data:
    """A wide cluster, and 30 small ones far away, of 0.5 % of the rows each: uniform draws miss some."""
    rng = np.random.default_rng(seed)
    small = n // 200
    far = [8 * rng.standard_normal(d) + 0.8 * rng.standard_normal((small, d)) for _ in range(30)]
    x = np.concatenate([rng.standard_normal((n - 30 * small, d)), *far])
    return Data("clustered", rng.permutation(x).astype(np.float32), (0.5, 2.0))


def sheet(n: int = 10_000, d: int = 50, latent: int = 8, seed: int = 0) -> Data:
    """Twenty unequal clusters on a curved sheet of 8 dimensions in 50, with a little noise."""
    rng = np.random.default_rng(seed)
    label = rng.choice(20, size=n, p=rng.dirichlet(np.full(20, 0.7)))
    place = 1.5 * rng.standard_normal((20, latent))
    spread = rng.uniform(0.3, 1, (20, 1)) / np.sqrt(np.arange(1, latent + 1))
    z = place[label] + spread[label] * rng.standard_normal((n, latent))
    bent = np.tanh(z @ rng.standard_normal((latent, 64)) / np.sqrt(latent))
    x = bent @ rng.standard_normal((64, d)) / 8 + 0.05 * rng.standard_normal((n, d))
    return Data("sheet", x.astype(np.float32), (1.0,))


def file(path: str, n: int = 10_000) -> Data:
    """The first rows of an .npz file, X_train or its only array; images of integers are averaged over 2 x 2 pixels."""
    with np.load(path) as arrays:
        x = arrays["X_train" if "X_train" in arrays.files else arrays.files[0]][:n]
    rows = pooled(x) if x.ndim == 4 else x.reshape(len(x), -1).astype(np.float32)
    name = "CIFAR-10" if "cifar" in path.lower() else Path(path).stem
    return Data(name, standardised(rows, rows), (0.5, 1.0), rows if rows.min() >= 0 else None)


def pooled(images: Any) -> Any:
    """Means over 2 x 2 pixels, in [0, 1]: (n, 2h, 2w, c) integers -> (n, h w c) in float32."""
    n, height, width, channels = images.shape
    means = images.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4), dtype=np.float32)
    return means.reshape(n, -1) / np.float32(255)


def standardised(x: Any, like: Any) -> Any:
    """Less the mean row of `like`, in units of its standard deviation, one for all columns."""
    return (x - like.mean(axis=0)) / like.std()


def median_distance(x: Any) -> float:
    """Between 1,000 rows."""
    part = np.random.default_rng(0).permutation(x)[:1000].astype(float)
    square = np.sum(part**2, 1)[:, None] + np.sum(part**2, 1) - 2 * part @ part.T
    return float(np.sqrt(np.median(square[np.triu_indices(len(part), 1)].clip(0))))


NAMED = {"digits": digits, "clustered": clustered, "sheet": sheet}


def load(name: str) -> Data:
    """A data set by its name, or an .npz file."""
    return NAMED[name]() if name in NAMED else file(name)
