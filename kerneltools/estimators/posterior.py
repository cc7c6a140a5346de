"""What a ridge regression knows of its own error, as the posterior of a Gaussian process: docs/decisions/0040."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.estimators.search import Wide
from kerneltools.solvers import ExactPath, RidgePath
from kerneltools.structures.base import in_type, like_of


@dataclass(frozen=True, eq=False)
class Posterior:
    """Of a regression by `path` for one λ, on the features of a `map`, or on all rows where there is none."""

    path: RidgePath | ExactPath
    reg: float
    map: Wide | None = None

    @property
    def noise(self) -> Array:
        """The variance of the noise of a row of weight 1: (t,)"""
        return self.path.noise_variance(self.reg)

    def deviations(self, x: Any) -> Array:
        """How far new targets lie from the predictions, in the type of the rows: (n, d) -> (n, t)"""
        noise, dtype = self.noise, like_of(x).dtype
        xp = namespace(noise)
        found = xp.sqrt((1 + self._variance(x))[:, None] * noise[None, :])
        return xp.astype(found, dtype)

    def _variance(self, x: Any) -> Array:
        """That of the function, in multiples of the noise's: (n,)"""
        path = self.path
        if not isinstance(path, RidgePath):
            return path.variance(x, self.reg)
        assert self.map is not None  # a RidgePath is of features
        phi = self.map.map
        x = in_type(x, like_of(phi.points).dtype)
        xp = namespace(path.weight)
        missed = xp.astype(phi.residual(x), path.spectrum.dtype)
        return path.variance(phi(x), self.reg) + missed / (self.reg * xp.maximum(path.count, path.weight))
