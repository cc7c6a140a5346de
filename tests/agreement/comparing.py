"""How close results of two libraries must be."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kerneltools import trees
from tests.agreement.case import Case
from tests.agreement.libraries import Library

VALUE, GRADIENT = 1e-10, 1e-9
"""In float64, relative to the greatest number of the result."""


def rounded(tree: Any, dtype: str) -> Any:
    """The tree with its floating-point arrays rounded to the type."""
    return trees.map_leaves(lambda a: a.astype(dtype) if _floating(a) else a, tree)


def leaves(tree: Any) -> list[Any]:
    """The arrays of a tree by their paths; what is no array is left out."""
    # Sorted, for JAX returns the entries of a dict in the order of their keys.
    return [leaf for _, leaf in sorted(trees.named_leaves(tree), key=lambda pair: pair[0]) if hasattr(leaf, "dtype")]


def _floating(a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


def tolerance(case: Case, f: Callable[[Any], Any], dtype: str, derivatives: int) -> float:
    """How far a result may be from `f(case.variables)` of NumPy in float64, in units of its greatest number.

    In float32: one rounding of the arguments moves the result by δ, which is measured in float64 and holds the
    conditioning of all that follows, that of inverse square roots too. A sum of t numbers rounds t times, and each
    of these roundings is carried on like one of the arguments. Cosines and distances of a point with itself do not
    move with it, but their own rounding errors are multiplied by the slope s of what is made of them, and so are
    those of the slope when there is a derivative: t (s (1 + derivatives) eps + δ). Where the derivative asked for
    is infinite at a cosine of 1, the rounding error of the cosine becomes its root, in float64 too.
    """
    eps = float(np.finfo(dtype).eps)
    base = GRADIENT if derivatives else VALUE
    if dtype == "float32":
        base = case.terms * (_steepness(case, derivatives) * (1 + derivatives) * eps + _moved_by_rounding(case, f, eps))
    rough = case.kink is not None and case.kink <= derivatives
    return base + (4 * eps**0.5 if rough else 0.0)


def _moved_by_rounding(case: Case, f: Callable[[Any], Any], eps: float) -> float:
    """The greatest relative change of the result when each argument is changed by eps, some up, some down."""
    rng = np.random.default_rng(0)

    def changed(a: Any) -> Any:
        return a * (1 + eps * rng.choice([-1.0, 1.0], np.shape(a))) if _floating(a) else a

    exact = leaves(f(case.variables))
    others = [leaves(f(trees.map_leaves(changed, case.variables))) for _ in range(4)]
    moved = [np.max(np.abs(b - a), initial=0.0) for other in others for a, b in zip(exact, other, strict=True)]
    return float(max(moved)) / scale(exact)


def _steepness(case: Case, derivatives: int) -> float:
    """Slopes, added up, of exp((u - 1) / σ²) in u and of κ(r² / ℓ²) in r² relative to |x|²; at least 1.

    The derivative of the first in σ, 2 (1 - u) / σ³ of it, is steeper than that in u by the factor 1 / σ.
    """
    arrays = [np.asarray(a) for a in leaves(case.variables)]
    square = max((float(np.max(np.sum(a * a, axis=-1), initial=0.0)) for a in arrays if a.ndim == 2), default=1.0)
    total = 1.0
    for path, leaf in trees.named_leaves(case.variables):
        if path.endswith("sigma"):
            total += 1 / float(leaf) ** 2 / (min(1.0, float(leaf)) if derivatives else 1.0)
        elif path.endswith(("bandwidth", "lengthscale", "radius", "period")):
            total += square / float(np.min(leaf)) ** 2
    return total


def scale(arrays: list[np.ndarray]) -> float:
    """The greatest number, in absolute value; 1 where all are 0."""
    return max((float(np.max(np.abs(a), initial=0.0)) for a in arrays), default=0.0) or 1.0


def assert_agrees(library: Library, got: Any, wanted: Any, dtype: str, within: float) -> None:
    """Each array of `got` is of the library, on its device, of that type, and as close as `within` to `wanted`."""
    found, expected = leaves(got), leaves(wanted)
    assert len(found) == len(expected)
    unit = scale(expected)
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert library.owns(a), f"result {number}: {type(a)} on {a.device}"
        host = library.numpy(a)
        assert host.dtype == dtype, f"result {number}: {host.dtype}"
        assert host.shape == b.shape, f"result {number}: {host.shape}, wanted {b.shape}"
        assert np.all(np.isfinite(b)), f"result {number}: not finite on NumPy"
        error = float(np.max(np.abs(host - b), initial=0.0)) / unit
        assert error <= within, f"result {number}: off by {error:.1e} of the greatest number, {within:.1e} allowed"
