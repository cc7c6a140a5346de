"""Gaussian processes, sums of kernel values, graphs and series, beside the libraries that people have for them.

They pin versions of NumPy that others do not go with; give them a Python of their own, which has kerneltools too:

    python -m venv PEERS && PEERS/bin/pip install -e '.[all]' gpytorch pykeops grakel tslearn aeon
    PEERS/bin/python benchmarks/bench.py --only peers
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lines import TORCH, AtMost, Line, Package, Seconds, Value, structured

N, D, M = 20_000, 20, 500
WIDTH, NOISE = 5.0, 0.01


def _table(n: int = N) -> tuple[Any, Any, Any]:
    """Rows, targets, new rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n + 2000, D), dtype=np.float32)
    y = np.sin(x[:n, :1]) + 0.1 * rng.standard_normal((n, 1), dtype=np.float32)
    return x[:n], y, x[n:]


def nystrom_mean() -> Callable[[], Any]:
    """The mean of a Gaussian process on Nyström features, on new rows."""
    import torch

    from kerneltools import solvers
    from kerneltools.kernels import Gaussian

    x, y, new = map(torch.from_numpy, _table())
    return lambda: solvers.kernel_ridge(Gaussian(WIDTH), x[:M], x, y, NOISE / N)(new)


def inducing_mean() -> Callable[[], Any]:
    """The same by GPyTorch: inducing points, the same kernel and noise, no training of either."""
    import gpytorch
    import torch

    x, y, new = map(torch.from_numpy, _table())

    class Model(gpytorch.models.ExactGP):  # type: ignore[misc]
        def __init__(self, likelihood: Any) -> None:
            super().__init__(x, y[:, 0], likelihood)
            self.mean_module = gpytorch.means.ZeroMean()
            base = gpytorch.kernels.RBFKernel()
            base.lengthscale = WIDTH
            self.covar_module = gpytorch.kernels.InducingPointKernel(base, x[:M].clone(), likelihood)

        def forward(self, rows: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(rows), self.covar_module(rows))

    def fit_and_predict() -> Any:
        likelihood = gpytorch.likelihoods.GaussianLikelihood()
        likelihood.noise = NOISE
        model = Model(likelihood)
        model.eval()
        without_correction = gpytorch.settings.sgpr_diagonal_correction(False)  # it changes the mean
        with torch.no_grad(), gpytorch.settings.skip_posterior_variances(), without_correction:
            return model(new).mean

    return fit_and_predict


def kernel_product() -> Callable[[], Any]:
    """Gaussian kernel values of all rows with 1,000 of them, times a vector, block by block."""
    import torch

    from kerneltools.arrays import blocks
    from kerneltools.kernels import Gaussian

    x, y, _ = map(torch.from_numpy, _table(100_000))
    z, v, kernel = x[:1000], y[:1000], Gaussian(WIDTH)
    return lambda: torch.cat([kernel(x[part], z) @ v for part in blocks(len(x), 2048)])


def lazy_product() -> Callable[[], Any]:
    """The same by KeOps, which stores no value."""
    import torch
    from pykeops.torch import LazyTensor

    x, y, _ = map(torch.from_numpy, _table(100_000))
    z, v = x[:1000].contiguous(), y[:1000].contiguous()
    rows, points = LazyTensor(x[:, None, :]), LazyTensor(z[None, :, :])
    return lambda: (-((rows - points) ** 2).sum(-1) / (2 * WIDTH**2)).exp() @ v


GRAPHS, NODES, DEPTH = 500, 30, 5


def weisfeiler_lehman() -> Callable[[], Any]:
    """The matrix of 500 drawn graphs, by their features."""
    from structured_graphs import drawn

    from kerneltools import maps
    from kerneltools.kernels import Normalised
    from kerneltools.kernels.graphs import WeisfeilerLehman

    x = drawn(GRAPHS, NODES)

    def gram() -> Any:
        features = maps.counts(Normalised(WeisfeilerLehman(DEPTH)), x)(x)
        return (features @ features.T).toarray()

    return gram


def grakel_gram() -> Callable[[], Any]:
    """The same by GraKeL."""
    from grakel import Graph, VertexHistogram, WeisfeilerLehman
    from structured_graphs import drawn

    graphs = [
        Graph({(int(a), int(b)): 1 for a, b in one.edges}, {node: int(label) for node, label in enumerate(one.labels)})
        for one in drawn(GRAPHS, NODES)
    ]

    def gram() -> Any:
        kernel = WeisfeilerLehman(n_iter=DEPTH, normalize=True, base_graph_kernel=VertexHistogram)
        return kernel.fit_transform(graphs)

    return gram


SERIES, LENGTH = 60, 100


def _series() -> Any:
    return np.cumsum(np.random.default_rng(0).standard_normal((SERIES, LENGTH, 1)), axis=1) / 10


def alignments() -> Callable[[], Any]:
    """The matrix of global alignment of 60 series of 100 points."""
    from kerneltools.kernels import Normalised
    from kerneltools.kernels.series import GlobalAlignment
    from kerneltools.structures import Ragged

    x, kernel = Ragged.of_padded(_series()), Normalised(GlobalAlignment(2.0))
    return lambda: kernel(x, x)


def tslearn_gram() -> Callable[[], Any]:
    """The same by tslearn."""
    from tslearn.metrics import cdist_gak

    x = _series()
    return lambda: cdist_gak(x, sigma=2.0)


def _gunpoint() -> tuple[Any, Any, Any, Any]:
    with np.load(GUNPOINT.path / "ucr_GunPoint.npz") as file:
        return file["X_train"], file["y_train"], file["X_test"], file["y_test"]


def series_classifier() -> Callable[[], Any]:
    """Fit and score, as it comes."""
    from ckn import SeriesClassifier
    from kerneltools.structures import Ragged

    x, y, new, y_new = _gunpoint()
    x, new = (Ragged.of_padded(part.astype(np.float32)[:, :, None]) for part in (x, new))
    return lambda: 100 * SeriesClassifier(random_state=0).fit(x, y).score(new, y_new)


def hydra() -> Callable[[], Any]:
    """The same by aeon."""
    from aeon.classification.convolution_based import HydraClassifier

    x, y, new, y_new = _gunpoint()
    x, new = (part.astype(np.float64)[:, None, :] for part in (x, new))
    return lambda: 100 * HydraClassifier(random_state=0).fit(x, y).score(new, y_new)


GPYTORCH, KEOPS = Package("gpytorch", "gpytorch"), Package("pykeops", "pykeops")
GRAKEL, TSLEARN, AEON = Package("grakel", "grakel"), Package("tslearn", "tslearn"), Package("aeon", "aeon")
GUNPOINT = structured("ucr_GunPoint.npz")

LINES = (
    Line(
        "gpytorch",
        f"mean of a Gaussian process, {N:,} rows of {D} columns, {M} inducing points, PyTorch, on 2,000 new rows",
        nystrom_mean,
        inducing_mean,
        AtMost(1),
        "GPyTorch",
        quick=True,
        needs=(TORCH, GPYTORCH),
    ),
    Line(
        "keops",
        f"kernel values of 100,000 rows of {D} columns with 1,000, times a vector, PyTorch",
        kernel_product,
        lazy_product,
        AtMost(1),
        "KeOps",
        quick=True,
        needs=(TORCH, KEOPS),
    ),
    Line(
        "grakel",
        f"Weisfeiler-Lehman, {DEPTH} iterations, matrix of {GRAPHS} drawn graphs of {NODES} nodes",
        weisfeiler_lehman,
        grakel_gram,
        AtMost(1),
        "GraKeL",
        quick=True,
        runs=3,
        needs=(GRAKEL, Package("scipy", "scipy")),
    ),
    Line(
        "tslearn",
        f"global alignment, matrix of {SERIES} series of {LENGTH} points",
        alignments,
        tslearn_gram,
        AtMost(1),
        "tslearn",
        quick=True,
        runs=3,
        needs=(TSLEARN,),
    ),
    *(
        Line(
            f"aeon-{name}",
            f"GunPoint, `SeriesClassifier` as it is, {name} of a fit and the score",
            series_classifier,
            hydra,
            against="aeon's Hydra",
            measure=measure,
            quick=True,
            needs=(AEON, TORCH, GUNPOINT),
        )
        for name, measure in (("seconds", Seconds()), ("accuracy", Value("%")))
    ),
)
