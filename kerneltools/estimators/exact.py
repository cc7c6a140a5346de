"""Ridge regression with all rows as landmarks, whose span is then no restriction: see `solvers.exact_ridge`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, blocks, indices_like, namespace, require_floating
from kerneltools.backend import to_host
from kerneltools.estimators.base import check_number
from kerneltools.estimators.posterior import Posterior
from kerneltools.estimators.search import wide_features
from kerneltools.kernels import Kernel
from kerneltools.primitives import segment_sum
from kerneltools.solvers import ExactPath, InterceptModel, exact_path, exact_ridge
from kerneltools.solvers.exact import merged_path
from kerneltools.solvers.sums import row_weights
from kerneltools.streaming import FeatureSums
from kerneltools.structures.base import keys, take
from kerneltools.trees import Tree

BLOCK = 4096
"""Rows looked up at a time."""


@dataclass(frozen=True, eq=False)
class Merged(Tree):
    """What ridge regression needs of the rows that are equal to each of the distinct rows x (u, d).

    `y` (u, t): the mean targets of equal rows; `weights` (u,): the sums of their weights; `beyond` (t,): Σ w |y -
    mean|², which no function of rows explains; `count`: the number of rows before merging.
    """

    y: Array
    weights: Array
    beyond: Array
    count: float

    def errors(self, kernel: Kernel, x: Array, regs: Sequence[float]) -> tuple[float, ...]:
        """The error by generalised cross-validation of each λ, a mean over the targets."""
        return tuple(to_host(self.path(kernel, x).generalised_cross_validation(regs)).mean(axis=1).tolist())

    def path(self, kernel: Kernel, x: Array) -> ExactPath:
        """The regression for every λ."""
        return merged_path(exact_path(kernel, x, self.y, weights=self._given()), self.count, self.beyond)

    def model(self, kernel: Kernel, x: Array, reg: float) -> InterceptModel:
        """The regression for one λ."""
        return exact_ridge(kernel, x, self.y, reg, weights=self._given())

    def sums(self, kernel: Kernel, x: Array, landmarks: Array) -> FeatureSums:
        """The sums that a stream of the rows would keep, in the features of the landmarks."""
        found = FeatureSums(wide_features(kernel, landmarks)).partial_fit(x, self.y, self.weights)
        assert found.sums is not None  # there is a row
        seen = asarray_like(self.count, self.weights)
        return replace(found, sums=replace(found.sums, rows=seen, square=found.sums.square + self.beyond))

    def _given(self) -> Array | None:
        """The weights, or None if all are 1, which saves the solver work."""
        return None if bool(namespace(self.weights).all(self.weights == 1)) else self.weights


def merged(landmarks: Array, x: Array, y: Array, weights: Array | None) -> tuple[Array, Merged] | None:
    """The distinct rows, if all rows of weight > 0 are among the landmarks; else None.

    (m, d), (n, d), (n, t), (n,) or None -> (u, d), Merged with u <= m
    """
    if weights is not None:
        seen = to_host(weights).nonzero()[0].tolist()
        x, y, weights = take(x, seen), take(y, seen), take(weights, seen)
    places = _places(landmarks, x)
    if places is None:
        return None
    used, first, at = np.unique(places, return_index=True, return_inverse=True)
    xp, w = namespace(y), row_weights(y, weights)
    points = take(landmarks, used)
    if len(used) == len(at):
        order = indices_like(first, y)
        return points, Merged(xp.take(y, order, axis=0), xp.take(w, order), xp.zeros_like(y[0, :]), float(len(at)))
    index = indices_like(at, y)
    weight = segment_sum(w[:, None], index, len(used))
    mean = segment_sum(w[:, None] * y, index, len(used)) / weight
    off = y - xp.take(mean, index, axis=0)
    return points, Merged(mean, weight[:, 0], xp.sum(w[:, None] * off * off, axis=0), float(len(at)))


def _places(landmarks: Array, x: Array) -> Any:
    """The index of each row among the landmarks (n,), on the host; None if one is not among them."""
    known = {key: number for number, key in enumerate(keys(landmarks, range(landmarks.shape[0])))}
    found: list[int] = []
    for part in blocks(x.shape[0], BLOCK):
        for key in keys(x, range(part.start, part.stop)):
            number = known.get(key)
            if number is None:
                return None
            found.append(number)
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Exact(Tree):
    """Ridge regression on all rows. `given`: the errors of `regs`, if they were computed to choose `reg`."""

    rows: Merged
    model: InterceptModel
    reg: float
    regs: tuple[float, ...]
    given: tuple[float, ...] | None = None

    @classmethod
    def of(cls, kernel: Kernel, x: Array, found: Merged, regs: tuple[float, ...]) -> "Exact":
        """The regression for the λ with the least error."""
        errors = found.errors(kernel, x, regs) if len(regs) > 1 else None
        reg = regs[0] if errors is None else regs[int(np.argmin(errors))]
        return cls(found, found.model(kernel, x, reg), reg, regs, errors)

    @cached_property
    def errors(self) -> Any:
        """The error by generalised cross-validation of each λ, on the host: (r,)"""
        found = self.model.model
        known = self.rows.errors(found.kernel, found.points, self.regs) if self.given is None else self.given
        return np.asarray(known)

    @cached_property
    def posterior(self) -> Posterior:
        """What it knows of its error."""
        found = self.model.model
        return Posterior(self.rows.path(found.kernel, found.points), self.reg)

    def sums(self, landmarks: Array) -> FeatureSums:
        """The sums of the rows in the features of landmarks, to which more rows can be added."""
        return self.rows.sums(self.model.model.kernel, self.model.model.points, landmarks)

    def checked(self) -> int:
        """The number of targets. Raises TypeError or ValueError if the parts of a file do not fit together."""
        model, seen = self.model.model, self.rows
        u, t = int(model.points.shape[0]), int(model.coefficients.shape[1])
        for name, array, shape in (
            ("y", seen.y, (u, t)),
            ("weights", seen.weights, (u,)),
            ("beyond", seen.beyond, (t,)),
        ):
            require_floating(**{name: array})
            if tuple(array.shape) != shape:
                raise ValueError(f"{name}: expected {shape}, got {tuple(array.shape)}")
        if not self.regs or self.reg not in self.regs or len(self.given or self.regs) != len(self.regs):
            raise ValueError(
                f"regs: expected {self.reg!r:.60} among them, with an error for each, got {self.regs!r:.60}"
            )
        for reg in self.regs:
            check_number("reg", reg)
        check_number("count", seen.count)
        return t
