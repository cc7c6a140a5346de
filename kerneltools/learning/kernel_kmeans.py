"""Kernel k-means, on features."""

from dataclasses import dataclass
from warnings import catch_warnings, simplefilter, warn

from kerneltools.arrays import (
    Array,
    namespace,
    require_count,
    require_stopping,
    require_together,
    require_weights,
)
from kerneltools.kernels import Linear
from kerneltools.landmarks import KMeans, ReducedWarning
from kerneltools.landmarks.clusters import assigned, cloud
from kerneltools.learning.features import FeatureMap, feature_blocks, features_of
from kerneltools.pairwise import central
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.solvers.sums import row_weights
from kerneltools.structures.base import like_of, require_examples
from kerneltools.trees import Shown


@dataclass(frozen=True, eq=False)
class KernelKMeans(Shown):
    """x -> the number of the nearest centre, made by `kernel_kmeans`.

    `centres` (k, m) in feature space; `labels` (n,): the clusters of the rows that it was made of; `inertia`: the
    weighted sum of their squared distances, in feature space, from their centres.

    >>> import numpy as np
    >>> from kerneltools.learning import kernel_kmeans
    >>> x = np.asarray([[0.0], [0.1], [5.0], [5.1]])
    >>> found = kernel_kmeans(lambda rows: rows, x, clusters=2, rng=0)
    >>> bool(found.labels[0] == found.labels[1] != found.labels[2])
    True
    """

    map: FeatureMap
    centres: Array
    labels: Array
    inertia: float

    def __call__(self, x: Array, block: int = 4096) -> Array:
        """The numbers of the nearest centres: (n, d) -> (n,)"""
        parts = [_nearest(features, self.centres, block)[0] for features in feature_blocks(self.map, x, block)]
        return namespace(*parts).concat(parts)


def kernel_kmeans(
    phi: FeatureMap,
    x: Array,
    clusters: int,
    rng: Rng,
    *,
    weights: Array | None = None,
    restarts: int = 4,
    iterations: int = 100,
    tolerance: float = 1e-4,
    block: int = 4096,
    progress: Progress = silent,
) -> KernelKMeans:
    """Cluster rows that are close to each other in feature space: k-means of φ(x).

    map of (n, d) -> (n, m), x (n, d), weights (n,) >= 0 or None -> k = `clusters` centres (k, m), labels (n,)

    Squared distances in feature space are k(x, x) - 2 k(x, y) + k(y, y) for the kernel φ(x)·φ(y), so clusters need not
    be convex in the space of x (Schölkopf, Smola and Müller 1998). `landmarks.KMeans` (Lloyd's algorithm from the seeds
    of k-means++) runs on the features `restarts` times, and the clusters with the least inertia are kept. Memory is O(n
    m), time O(n m k) per round; in float64 if the library has it. A row of weight w counts like w equal rows.
    `progress`: is told of the stages "restart 1" and so on, with the error that becomes small.

    If fewer rows differ, fewer clusters are returned, with a ReducedWarning. Raises ValueError for clusters or restarts
    < 1, for NaN, with its place, and for weights that are negative, not finite or all 0.

    >>> import numpy as np
    >>> x = np.asarray([[0.0], [0.1], [5.0], [5.1]])
    >>> found = kernel_kmeans(lambda rows: rows, x, 2, rng=0)
    >>> bool(found.labels[0] == found.labels[1] != found.labels[2]), round(found.inertia, 3)
    (True, 0.01)
    """
    require_count("clusters", clusters)
    require_count("restarts", restarts)
    require_stopping(tolerance, iterations)
    if weights is not None:
        require_examples(x=x)
        require_together(x=like_of(x), weights=weights)
        require_weights(weights, x.shape[0])
    features, draws = features_of(phi, x, block), generator(rng)
    rule = KMeans(clusters, iterations, tolerance, block)
    with catch_warnings():
        # Each run would say so again, of landmarks.
        simplefilter("ignore", ReducedWarning)
        best = _run(phi, rule, features, weights, int(draws.integers(2**63)), block, progress, 1)
        for number in range(2, restarts + 1):
            found = _run(phi, rule, features, weights, int(draws.integers(2**63)), block, progress, number)
            # The same clusters in another order are no better: rounding must not choose among them.
            best = found if found.inertia < (1 - 1e-9) * best.inertia else best
    if (made := best.centres.shape[0]) < clusters:
        message = f"clusters: {clusters} asked for, {made} made: the {x.shape[0]} rows hold no more distinct ones"
        warn(message, ReducedWarning, stacklevel=2)
    return best


def _run(
    phi: FeatureMap,
    rule: KMeans,
    features: Array,
    weights: Array | None,
    seed: int,
    block: int,
    progress: Progress,
    number: int,
) -> KernelKMeans:
    def told(stage: str, done: int, total: int, value: float | None = None, /) -> None:
        progress(f"restart {number}", done, total, value)

    # No rule of k-means asks the kernel: in feature space it is the inner product.
    centres = rule(Linear(), features, seed, weights=weights, progress=told).points
    labels, distances = _nearest(features, centres, block)
    return KernelKMeans(phi, centres, labels, float(row_weights(distances, weights) @ distances))


def _nearest(features: Array, centres: Array, block: int) -> tuple[Array, Array]:
    """The nearest centre of each row and its squared distance, whatever other rows there are."""
    wide = namespace(features, centres).astype(features, centres.dtype)
    found = assigned(cloud(wide, origin=central(centres)), centres, block)
    return found.index, found.distances
