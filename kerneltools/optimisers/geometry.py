"""The geometries of parameters: what a direction, a step and an old direction are in each."""

from dataclasses import dataclass
from math import prod
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace, safe_sqrt
from kerneltools.primitives import reciprocal
from kerneltools.trees import Tree, static


@runtime_checkable
class Geometry(Protocol):
    """A set of points (arrays of one shape), and how to move in it along directions of that shape.

    >>> import numpy as np
    >>> from kerneltools.optimisers import SGD, Euclidean
    >>> class NotNegative(Euclidean):
    ...     def retract(self, point, step):
    ...         return np.maximum(point + step, 0.0)
    >>> x, sgd = np.array([1.0, 5.0]), SGD(momentum=0.0)
    >>> isinstance(NotNegative(), Geometry), sgd.step(x, 2 * x, sgd.start(x), 0.75, [NotNegative()])[0]
    (True, array([0., 0.]))
    """

    def tangent(self, point: Array, gradient: Array) -> Array:
        """The direction of steepest ascent at the point, in its tangent space."""

    def retract(self, point: Array, step: Array) -> Array:
        """The point that a tangent step leads to; the step 0 leads to the point itself."""

    def transport(self, point: Array, vector: Array) -> Array:
        """A direction from another point, projected on the tangent space at this one."""

    def square(self, point: Array, vector: Array) -> Array:
        """The squared lengths of a tangent vector, one for each part that may have a step size of its own.

        The shape broadcasts with the point's.
        """


@dataclass(frozen=True)
class Euclidean(Tree):
    """All arrays; each entry may have a step size of its own.

    >>> import numpy as np
    >>> point, gradient, space = np.array([1.0, 2.0]), np.array([0.5, 0.0]), Euclidean()
    >>> space.retract(point, -space.tangent(point, gradient))
    array([0.5, 2. ])
    """

    def tangent(self, point: Array, gradient: Array) -> Array:
        """The gradient."""
        return gradient

    def retract(self, point: Array, step: Array) -> Array:
        """point + step"""
        return point + step

    def transport(self, point: Array, vector: Array) -> Array:
        """The vector."""
        return vector

    def square(self, point: Array, vector: Array) -> Array:
        """The square of each entry."""
        return vector * vector


@dataclass(frozen=True, eq=False)
class Sphere(Tree):
    """Rows of norm 1: arrays (m, ...) whose rows, with the axes from 1 on flattened, are unit vectors.

    `metric`: a symmetric positive definite Q (d, d), with d the length of a row; the identity by default. The
    direction of steepest ascent in the norm v' Q⁻¹ v is then v = (I - Q z z' / (z' Q z)) Q g (Mairal 2016, §3;
    derived in docs/decisions/0010). With Q the inverse covariance of what the rows are multiplied with, one step
    size serves problems of any scale.

    >>> import numpy as np
    >>> z, g = np.array([[1.0, 0.0]]), np.array([[5.0, 2.0]])
    >>> Sphere().tangent(z, g)
    array([[0., 2.]])
    """

    metric: Array | None = None

    def tangent(self, point: Array, gradient: Array) -> Array:
        """(m, ...), (m, ...) -> (m, ...)"""
        ascent = gradient if self.metric is None else _from_rows(self._scaled(_rows(gradient)), gradient)
        return self.transport(point, ascent)

    def retract(self, point: Array, step: Array) -> Array:
        """The rows of point + step, made unit vectors."""
        xp = namespace(point, step)
        moved = _rows(point + step)
        return _from_rows(moved / xp.linalg.vector_norm(moved, axis=1, keepdims=True), point)

    def transport(self, point: Array, vector: Array) -> Array:
        """The projection along Q z: orthogonal for the inner product of Q⁻¹."""
        xp = namespace(point, vector)
        z, v = _rows(point), _rows(vector)
        normal = self._scaled(z)
        share = xp.sum(z * v, axis=1, keepdims=True) / xp.sum(z * normal, axis=1, keepdims=True)
        return _from_rows(v - share * normal, vector)

    def square(self, point: Array, vector: Array) -> Array:
        """One squared length for each row: (m, ...), (m, ...) -> (m, 1, ...)

        Entries of a row cannot have step sizes of their own, or the row would leave the tangent space.
        """
        xp = namespace(vector)
        return xp.sum(vector * vector, axis=tuple(range(1, vector.ndim)), keepdims=True)

    def _scaled(self, rows: Array) -> Array:
        if self.metric is None:
            return rows
        if tuple(self.metric.shape) != (rows.shape[1], rows.shape[1]):
            raise ValueError(
                f"metric: expected shape {(rows.shape[1], rows.shape[1])} for rows of {rows.shape[1]} entries, "
                f"got {tuple(self.metric.shape)}"
            )
        return rows @ self.metric


@dataclass(frozen=True)
class Spheres(Tree):
    """Vectors of norm 1 along the last axis: a product of spheres.

    >>> import numpy as np
    >>> z = np.array([[[3.0, 4.0], [0.0, 2.0]]])
    >>> Spheres().retract(z, 0 * z).round(3).tolist()
    [[[0.6, 0.8], [0.0, 1.0]]]
    """

    def tangent(self, point: Array, gradient: Array) -> Array:
        """The projection of each vector of the gradient."""
        return self.transport(point, gradient)

    def retract(self, point: Array, step: Array) -> Array:
        """The vectors of point + step, made unit vectors; zeros, which have no direction, stay zeros."""
        moved = point + step
        norms = safe_sqrt(namespace(moved).sum(moved * moved, axis=-1, keepdims=True))
        return moved * reciprocal(norms)

    def transport(self, point: Array, vector: Array) -> Array:
        """The projection of each vector on the plane tangent to its sphere."""
        return vector - namespace(point, vector).sum(point * vector, axis=-1, keepdims=True) * point

    def square(self, point: Array, vector: Array) -> Array:
        """One squared length for each vector: (..., d), (..., d) -> (..., 1)"""
        return namespace(vector).sum(vector * vector, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Positive(Tree):
    """Numbers > 0. Directions are changes of the logarithm: an optimiser acts as it would on log x.

    (With changes of x itself, momentum from a large x would throw a small x to 0.)

    >>> import numpy as np
    >>> Positive().retract(np.array([0.5]), np.array([-1.0])).round(3)
    array([0.184])
    """

    def tangent(self, point: Array, gradient: Array) -> Array:
        """point gradient: the gradient with respect to log x."""
        return point * gradient

    def retract(self, point: Array, step: Array) -> Array:
        """point exp(step)"""
        return point * namespace(point, step).exp(step)

    def transport(self, point: Array, vector: Array) -> Array:
        """The vector."""
        return vector

    def square(self, point: Array, vector: Array) -> Array:
        """The square of each entry."""
        return vector * vector


@dataclass(frozen=True)
class Interval(Tree):
    """Numbers in [low, high], including the ends: a step that would leave the interval ends at its end.

    Raises ValueError unless low < high.

    >>> import numpy as np
    >>> Interval(0.0, 1.0).retract(np.array([0.1, 0.5]), np.array([-0.4, 0.25]))
    array([0.  , 0.75])
    """

    low: float = static(0.0)
    high: float = static(1.0)

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low, high: expected low < high, got {self.low!r} and {self.high!r}")

    def tangent(self, point: Array, gradient: Array) -> Array:
        """The gradient, without components that would lead out of the interval: 0 at an end that is the best point."""
        xp = namespace(point, gradient)
        out = ((point <= self.low) & (gradient > 0)) | ((point >= self.high) & (gradient < 0))
        return xp.where(out, xp.zeros_like(gradient), gradient)

    def retract(self, point: Array, step: Array) -> Array:
        """point + step, or the end that it would pass."""
        return namespace(point, step).clip(point + step, self.low, self.high)

    def transport(self, point: Array, vector: Array) -> Array:
        """The vector."""
        return vector

    def square(self, point: Array, vector: Array) -> Array:
        """The square of each entry."""
        return vector * vector


def _rows(x: Array) -> Array:
    """(m, ...) -> (m, d)"""
    if x.ndim < 2:
        raise ValueError(f"point: expected rows (m, ...) with at least 2 axes, got shape {tuple(x.shape)}")
    return namespace(x).reshape(x, (x.shape[0], prod(x.shape[1:])))


def _from_rows(rows: Array, like: Array) -> Array:
    return namespace(rows).reshape(rows, tuple(like.shape))
