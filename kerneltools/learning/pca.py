"""Kernel principal components, from features."""

import warnings
from dataclasses import dataclass

from kerneltools.arrays import Array, DType, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.landmarks import ReducedWarning
from kerneltools.learning.features import FeatureMap, feature_blocks, widened
from kerneltools.solvers import RidgeSums, ridge_sums
from kerneltools.solvers.ridge import check_sums
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class KernelPCA(Tree):
    """x -> (φ(x) - mean) V, prepared by `kernel_pca`.

    `mean` (m,); `directions` V (m, c), orthonormal; `variances` (c,) of the components, the greatest first;
    `total` (): the variance of all directions.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.learning import kernel_pca
    >>> pca = kernel_pca(lambda rows: rows, x, components=2)
    >>> pca(x).shape, pca.variances.shape
    ((100, 2), (2,))
    """

    map: FeatureMap
    mean: Array
    directions: Array
    variances: Array
    total: Array

    def __call__(self, x: Array) -> Array:
        """The components: (..., d) -> (..., c)"""
        features = self.map(x)
        components = (widened(features) - self.mean) @ self.directions
        return namespace(components).astype(components, features.dtype)

    @property
    def shares(self) -> Array:
        """The share of each component in the total variance: (c,)"""
        return self.variances / self.total


def kernel_pca(phi: FeatureMap, x: Array, components: int, block: int = 4096) -> KernelPCA:
    """The directions in feature space along which the rows vary most (Schölkopf, Smola and Müller 1998).

    map of (n, d) -> (n, m), x (n, d) -> map of (..., d) -> (..., components)

    The features are centred, and variances are means over the n rows: n times them are the eigenvalues of the centred
    kernel matrix of φ(x)·φ(y), so this is exact kernel PCA of that kernel. Sums are in float64 if the library has it,
    `block` rows at a time: memory is O(m² + block m), time O(n m² + m³). In each direction the entry of greatest
    absolute value is positive.

    If the other directions have no variance beyond rounding, fewer components are returned, with a ReducedWarning.
    Raises ValueError for components < 1 or > m, for n < 2 and for NaN, with its place.

    >>> import numpy as np
    >>> x = np.asarray([[0.0, 0.0], [2.0, 0.0], [4.0, 1.0], [6.0, 1.0]])
    >>> found = kernel_pca(lambda rows: rows, x, 1)
    >>> found.shares.round(3), found(x).T.round(2)
    (array([0.991]), array([[-3.04, -1.08,  1.08,  3.04]]))
    """
    sums, dtype = _moments(phi, x, block)
    return components_of(phi, sums, components, dtype)


def components_of(phi: FeatureMap, sums: RidgeSums, components: int, dtype: DType) -> KernelPCA:
    """The same from the sums of the features, whose own type is `dtype`: for rows that came in a stream."""
    xp, m = namespace(sums.gram), sums.gram.shape[0]
    if not is_whole(components) or components > m:
        raise ValueError(f"components: expected an integer from 1 to {m}, the number of features, got {components}")
    check_sums(sums)
    variances, directions = xp.linalg.eigh(sums.gram / sums.weight)
    variances, directions = xp.flip(variances), xp.flip(directions, axis=1)
    # Rounding of the features adds its square to variances, rounding of the sums adds itself.
    noise = m * max(float(xp.finfo(variances.dtype).eps), float(xp.finfo(dtype).eps) ** 2)
    kept = min(components, int((to_host(variances) > noise * float(variances[0])).sum()))
    if kept < components:
        warnings.warn(
            f"components: {components} asked for, {kept} made: {int(sums.rows)} rows vary in no more directions",
            ReducedWarning,
            stacklevel=3,
        )
    total = xp.sum(xp.linalg.diagonal(sums.gram)) / sums.weight
    return KernelPCA(phi, sums.x_mean, _signed(directions[:, :kept]), variances[:kept], total)


def _moments(phi: FeatureMap, x: Array, block: int) -> tuple[RidgeSums, DType]:
    """The sums of the features about their means, and the type of the features."""
    sums: RidgeSums | None = None
    for features in feature_blocks(phi, x, block, least=2):
        part = ridge_sums(features, features[:, :0], block=block)
        sums = part if sums is None else sums.merge(part)
    assert sums is not None  # there are at least two rows
    return sums, features.dtype


def _signed(directions: Array) -> Array:
    """Eigenvectors, whose sign is arbitrary, with a sign that is the same in every library."""
    xp = namespace(directions)
    greatest, least = xp.max(directions, axis=0), xp.min(directions, axis=0)
    ones = xp.ones_like(greatest)
    return directions * xp.where(greatest >= -least, ones, -ones)
