"""Random Fourier features of signature kernels of series, in time linear in their length."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, device_of, namespace, require_count, require_rank, safe_sqrt
from kerneltools.kernels import Kernel
from kerneltools.kernels.distances import check_columns
from kerneltools.kernels.series import Signature
from kerneltools.kernels.series.blocks import by_each, require_series, time_first
from kerneltools.kernels.spectral import Law, Spectral
from kerneltools.maps import frequencies
from kerneltools.maps.base import Map, in_type_of, placed
from kerneltools.precision import in_single
from kerneltools.primitives import program, reciprocal
from kerneltools.random import Rng, generator
from kerneltools.trees import child_names

HELD = 2**20
"""Numbers that are worked on at a time."""


@dataclass(frozen=True, eq=False)
class SignatureFeatures(Map):
    """φ with φ(x)·φ(y) close to a signature kernel, prepared by `signature`.

    `frequencies` (depth, q, c), in units of the inverse lengthscale of the kernel of points. They are a leaf, so that a
    gradient can learn them, like the lengthscale. `projections` of tensors: (depth, 2q, q), or None.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.structures import Ragged
    >>> phi = signature(Signature(2, Gaussian(1.0)), c=1, m=101, rng=0)
    >>> phi.frequencies.shape, phi(Ragged.of([np.zeros((5, 1)), np.ones((20, 1))])).shape
    ((2, 16, 1), (2, 97))
    """

    kernel: Kernel
    frequencies: Array
    projections: Array | None = None

    def __post_init__(self) -> None:
        depth, _ = _parts(self.kernel)
        require_rank(3, "(depth, q, c)", frequencies=self.frequencies)
        q = self.frequencies.shape[1]
        if self.frequencies.shape[0] != depth:
            raise ValueError(f"frequencies: expected {depth} levels, got shape {tuple(self.frequencies.shape)}")
        if self.projections is not None and tuple(self.projections.shape) != (depth, 2 * q, q):
            raise ValueError(f"projections: expected {(depth, 2 * q, q)}, got shape {tuple(self.projections.shape)}")

    @property
    def dimension(self) -> int:
        """m: one constant, and for each level p either 2^p features per frequency, or one for each projection."""
        depth, q = self.frequencies.shape[:2]
        return int(1 + q * (2 ** (depth + 1) - 2) if self.projections is None else 1 + q * depth)

    @property
    def columns(self) -> None:
        """None: the map is for series."""

    @in_single
    def __call__(self, x: Any) -> Array:
        """(n,) series -> (n, m)

        Raises TypeError for anything but `Ragged`, ValueError for empty series and for series of other channels.
        """
        series = require_series("x", x, self)
        if series.columns != self.frequencies.shape[2]:
            raise ValueError(
                f"x: expected series of {self.frequencies.shape[2]} channels for a map that was made for these, got "
                f"{series!r}"
            )
        if len(series) == 0:
            like = series.values
            return namespace(like).zeros((0, self.dimension), dtype=like.dtype, device=device_of(like))
        width = self.dimension + 2 * int(self.frequencies.shape[1])
        return by_each(series, self.of_rows, lambda s, _: s * width, HELD, wide=False)

    def of_rows(self, x: Any) -> Array:
        kernel: Any = self.kernel
        lengths = kernel.kernel.lengths
        check_columns(child_names(kernel.kernel)[0], lengths, x.values)
        points = time_first(x) / lengths
        waves = in_type_of(self.frequencies, points)
        given = None if self.projections is None else in_type_of(self.projections, points)
        return _features(points, waves, given, kernel.normalised)


def _features(points: Array, waves: Array, projections: Array | None, normalised: bool) -> Array:
    """(T, n, c), (depth, q, c), (depth, 2q, q) or None -> (n, m)"""
    levels = _diagonal(points, waves) if projections is None else _projected(points, waves, projections)
    xp = namespace(*levels)
    levels = [xp.ones_like(levels[0][:, :1]), *levels]
    if normalised:
        scale = len(levels) ** -0.5
        levels = [scale * _unit(level) for level in levels]
    return xp.concat(levels, axis=1)


@program
def _diagonal(points: Array, waves: Array) -> list[Array]:
    """For each level p, and each frequency by itself, the sums of tensors of steps: -> (n, q 2^p) each"""
    xp = namespace(points, waves)
    depth, q, n = waves.shape[0], waves.shape[1], points.shape[1]
    levels: list[Array] = []
    ends: Array = None
    for level in range(depth):
        angle = _angles(points, waves[level, ...])
        steps = _steps(xp.stack([xp.cos(angle), xp.sin(angle)], axis=-1))
        if ends is None:
            ends = steps
        else:
            ends = _before(ends)[..., :, None] * steps[..., None, :]
            ends = xp.reshape(ends, (*steps.shape[:3], 2 ** (level + 1)))
        levels.append(xp.reshape(xp.sum(ends, axis=0), (n, q * 2 ** (level + 1))) * q**-0.5)
    return levels


@program
def _projected(points: Array, waves: Array, projections: Array) -> list[Array]:
    """For each level p, the sums of products of p projected steps: -> (n, q) each"""
    xp = namespace(points, waves)
    depth, q = waves.shape[:2]
    levels: list[Array] = []
    ends: Array = None
    for level in range(depth):
        angle = _angles(points, waves[level, ...])
        steps = _steps(xp.concat([xp.cos(angle), xp.sin(angle)], axis=-1))
        steps = (steps * q**-0.5) @ projections[level, ...]
        ends = steps if ends is None else _before(ends) * steps
        levels.append(xp.sum(ends, axis=0) * q**-0.5)
    return levels


def _angles(points: Array, waves: Array) -> Array:
    """(T, n, c), (q, c) -> (T, n, q)"""
    return points @ namespace(waves).matrix_transpose(waves)


def _steps(values: Array) -> Array:
    return values[1:, ...] - values[:-1, ...]


def _before(values: Array) -> Array:
    """At each time, the sum over all earlier times."""
    xp = namespace(values)
    sums = xp.cumulative_sum(values, axis=0)
    return xp.concat([xp.zeros_like(values[:1, ...]), sums[:-1, ...]], axis=0)


def _unit(level: Array) -> Array:
    return level * reciprocal(safe_sqrt(namespace(level).sum(level * level, axis=1, keepdims=True)))


def _parts(kernel: Any) -> tuple[int, Law]:
    """The depth, and the law of the frequencies. Raises TypeError for a kernel that has no such features."""
    law = kernel.kernel.spectral if isinstance(kernel, Signature) and isinstance(kernel.kernel, Spectral) else None
    if law is None or kernel.order > 1:
        raise TypeError(
            f"kernel: expected series.Signature(depth, kernel) of order 1 and of a stationary kernel of points whose "
            f"frequencies have a known law, such as Gaussian or Matern, got {kernel!r}; take maps.nystrom for others"
        )
    return kernel.depth, law


def signature(
    kernel: Signature, c: int, m: int, rng: Rng, projected: bool = False, like: Array | None = None
) -> SignatureFeatures:
    """Random Fourier features of a truncated signature kernel, in time linear in the length (Tóth et al. 2023).

    -> map of (n,) series -> (n, at most m)

    `kernel`: `series.Signature` of order 1, of a stationary kernel of points. `c`: the channels. Each level has
    frequencies of its own, so that the mean of φ(x)·φ(y) over the draws is k(x, y). With `normalised` kernels each
    level is scaled to the same norm, and the mean is k(x, y) up to an error of order 1/m. The features are, for each of
    q frequencies, the tensors of its own steps, 2^p of them at level p (the diagonal projection, RFSF-DP). `projected`:
    they are q random projections of the tensors of all q (the tensor random projection, RFSF-TRP), which are fewer
    features for a large depth. `like`: an array whose library, type and device the frequencies get; None for NumPy's
    float64.

    Raises TypeError for another kernel, ValueError for an m that is too small for the depth.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.structures import Ragged
    >>> k = Signature(2, Gaussian(1.0))
    >>> x = Ragged.of([np.sin(np.arange(n) / 5) for n in (30, 40, 50)])
    >>> phi = signature(k, c=1, m=3001, rng=0)
    >>> phi.dimension, bool(np.abs(phi(x) @ phi(x).T - k(x, x)).max() < 0.1 * k(x, x).max())
    (3001, True)
    """
    depth, law = _parts(kernel)
    require_count("c", c)
    require_count("m", m)
    each = depth if projected else 2 ** (depth + 1) - 2
    q = (m - 1) // each
    if q < 1:
        raise ValueError(f"m: expected at least {1 + each} for {kernel!r}, got {m}")
    rng = generator(rng)
    drawn = [frequencies.draw(law, rng, q, c, orthogonal=True) for _ in range(depth)]
    waves: Any = placed(namespace(drawn[0]).stack(drawn), like)
    given = placed(rng.standard_normal((depth, 2 * q, q)), like) if projected else None
    return SignatureFeatures(kernel, waves, given)
