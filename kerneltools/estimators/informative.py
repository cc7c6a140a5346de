"""Whether a kernel tells rows apart, and finds anything that they have in common."""

import warnings
from typing import Any

import numpy as np

from kerneltools.arrays import evenly
from kerneltools.backend import to_host
from kerneltools.kernels import InnerProductKernel, Kernel
from kerneltools.landmarks.base import precise
from kerneltools.precision import parameters_in, widened
from kerneltools.structures.base import is_collection, keys, like_of, take

ROWS = 32
"""Rows that are looked at, evenly spaced."""

POINTS = 1000
"""Landmarks that they are compared with, at most."""

LEAST = 10
"""With fewer rows there is no warning."""

NOTHING = 1e-8
"""Kernel values below it, relative to k(x, x), count as 0."""


class UninformativeKernelWarning(UserWarning):
    """All values of a kernel between distinct rows are 0, or all are k(x, x): a model with it explains nothing.

    >>> import warnings
    >>> import numpy as np
    >>> from kerneltools.estimators import KernelRidge, UninformativeKernelWarning
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.arange(30.0)[:, None]
    >>> with warnings.catch_warnings(record=True, category=UninformativeKernelWarning, action="always") as told:
    ...     model = KernelRidge(Gaussian(1e-3)).fit(x, x[:, 0])
    >>> str(told[0].message)[:61]
    'kernel: Gaussian(bandwidth=0.001) is 0 between all of 30 rows'
    """


def warn_uninformative(kernel: Kernel, x: Any, points: Any) -> None:
    """Warn (UninformativeKernelWarning) about a kernel that does not suit the scale of the rows.

    (n, d), (m, d) -> None

    It looks at the values between some rows and the landmarks that differ from them. There is no warning if landmarks
    equal many of the rows, since these have something in common for any kernel, nor for rows that are orthogonal to one
    another, which is no matter of scale.
    """
    n, m = int(x.shape[0]), int(points.shape[0])
    x = take(x, evenly(n, ROWS))
    points = take(points, evenly(m, POINTS))
    apart = _apart(x, points)
    equal = int((~apart).any(axis=1).sum())
    if len(set(keys(x, range(x.shape[0])))) < LEAST or not apart.any() or equal > 2 * x.shape[0] * m / n + 3:
        return
    values, greatest, rounding = _values(kernel, x, points)
    between = values[apart]
    if (abs(between) <= NOTHING * greatest).all() and not isinstance(kernel, InnerProductKernel):
        seen, wrong = "0", "narrow"
    elif (abs(between - greatest) <= rounding * greatest).all():
        seen, wrong = f"{greatest:.3g}, as k(x, x) is,", "wide"
    else:
        return
    if is_collection(x):
        advice = "take a kernel that sees both what they have in common and how they differ"
    else:
        advice = (
            f"it is too {wrong} for them: scale the columns, or take Gaussian.of_median(X), or in KernelRidge and "
            "KernelClassifier kernel=None"
        )
    these = f"{x.shape[0]} {x.objects if is_collection(x) else 'rows'}"
    warnings.warn(
        f"kernel: {kernel!r:.100} is {seen} between all of {these} and the {points.shape[0]} landmarks that "
        f"differ from them, so a model with this kernel explains nothing; {advice}",
        UninformativeKernelWarning,
        stacklevel=4,
    )


def _apart(x: Any, points: Any) -> Any:
    """Which pairs differ, on the host: (n, m). Landmarks that are the mean of one row equal it up to rounding."""
    if not is_collection(x):
        rounding = 32 * float(np.finfo(to_host(x).dtype).eps)
        x, points = (to_host(these).astype(np.float64) for these in (x, points))
        near = rounding * abs(points).max(axis=0)
        return np.stack([(abs(points - row) > near).any(axis=1) for row in x])
    numbers: dict[Any, int] = {}
    of_x, of_points = (
        np.asarray([numbers.setdefault(key, len(numbers)) for key in keys(these, range(these.shape[0]))])
        for these in (x, points)
    )
    return of_x[:, None] != of_points[None, :]


def _values(kernel: Kernel, x: Any, points: Any) -> tuple[Any, float, float]:
    """k(x, Z) on the host, the greatest k(x, x), and the rounding error relative to it."""
    x, points = (widened(precise(kernel, these)) for these in (x, points))
    evaluated = parameters_in(like_of(x).dtype, widened(kernel))
    values = to_host(evaluated(x, points)).astype(float)
    diagonal = to_host(evaluated.diag(x))
    return values, float(diagonal.max()), 32 * float(np.finfo(diagonal.dtype).eps)
