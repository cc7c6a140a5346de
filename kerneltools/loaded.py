"""Checks of the parts of a file: fields of their kinds, sizes that fit together, finite values on a row.

Each function raises TypeError or ValueError with the reason; the reader of the file adds its name and the place.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from math import inf
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from kerneltools.arrays import Array, asarray_like, namespace, require_finite, require_floating, require_rank
from kerneltools.backend import backend
from kerneltools.encoding import told
from kerneltools.learning import KernelKMeans, KernelPCA
from kerneltools.maps import CountFeatures, Map, Nystrom
from kerneltools.solvers import InterceptModel, KernelModel, LinearModel, RidgeSums
from kerneltools.streaming import FeatureModel, FeatureSums
from kerneltools.structures.base import part as part_of
from kerneltools.structures.base import require_examples
from kerneltools.trees import flatten

LARGEST_DEGREE = 1000
"""The greatest degree of a kernel or a map: each degree is a pass over the values."""

DEGREES = ("degree", "exponent", "order", "nu", "samples")

LARGEST_WIDTH = 2**24
"""The most columns and features of a map that is checked."""


def check_fields(cls: type, values: Mapping[str, Any]) -> None:
    """Check that the values have the kinds that a dataclass's annotations name; values of other annotations pass."""
    kinds = _kinds(cls)
    for name, value in values.items():
        if name in kinds and not _is_of(kinds[name], value):
            raise TypeError(f"{cls.__name__}.{name}: expected {_spelled(kinds[name])}, got {value!r:.60}")


def check_part(part: Any) -> None:
    """Check that the sizes of a part fit together, and that its values on one row are finite."""
    _check_degrees(part)
    for kind, check in _CHECKS.items():
        if isinstance(part, kind):
            check(part)


@cache
def _kinds(cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls)
    except (NameError, TypeError):  # names that only a type checker sees
        return {}
    return {field.name: hints[field.name] for field in fields(cls)}


def _is_of(kind: Any, value: Any) -> bool:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_is_of(arg, value) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin is tuple:
        same = args[-1:] == (...,)
        wanted = args[:1] * len(value) if same and isinstance(value, tuple) else args
        return isinstance(value, tuple) and len(value) == len(wanted) and all(map(_is_of, wanted, value))
    if origin is Callable or kind is Callable:
        return callable(value)
    if origin in (Sequence, list):
        return isinstance(value, list | tuple) and all(_is_of(args[0], one) for one in value)
    if kind in (int, float):
        return isinstance(value, Real if kind is float else int) and not isinstance(value, bool)
    if kind in (bool, str, NoneType):
        return isinstance(value, kind)
    plain = isinstance(kind, type) and kind is not Any and not getattr(kind, "_is_protocol", False)
    return not plain or isinstance(value, kind)


def _spelled(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _check_degrees(part: Any) -> None:
    for name in DEGREES:
        value: Any = getattr(part, name, None)
        if isinstance(value, int | float) and LARGEST_DEGREE < value < inf:
            raise ValueError(f"{name}: expected at most {LARGEST_DEGREE}, got {value!r:.60}")


def _check_map(phi: Map) -> None:
    for name, width in (("columns", phi.columns), ("features", phi.dimension)):
        if width is None or isinstance(phi, CountFeatures):  # of objects; it has as many columns as the file has codes
            continue
        if not 0 < width <= LARGEST_WIDTH:
            raise ValueError(f"expected 1 to {LARGEST_WIDTH} {name}, got {width!r:.60}")
    _check_values(phi, phi, phi.dimension)


def _check_nystrom(phi: Nystrom) -> None:
    _check_sizes(whitening=(phi.whitening, "mm" if phi.triangular else "mn"))
    _check_points(phi.points, phi.whitening.shape[0])


def _check_kernel_model(model: KernelModel) -> None:
    _check_sizes(coefficients=(model.coefficients, "mt"))
    _check_points(model.points, model.coefficients.shape[0])
    _check_values(model, model, model.coefficients.shape[1])


def _check_intercept_model(model: InterceptModel) -> None:
    _check_sizes(coefficients=(model.model.coefficients, "mt"), intercept=(model.intercept, "t"))


def _check_points(points: Any, m: int) -> None:
    require_examples("(m, d)", points=points)
    if points.shape[0] != m:
        raise ValueError(f"points: expected {m} of them, got {points.shape[0]}")


def _check_linear(model: LinearModel) -> None:
    _check_sizes(weights=(model.weights, "dt"), intercept=(model.intercept, "t"))


def _check_sums(sums: RidgeSums) -> None:
    _check_sizes(
        rows=(sums.rows, ""),
        weight=(sums.weight, ""),
        gram=(sums.gram, "dd"),
        cross=(sums.cross, "dt"),
        x_mean=(sums.x_mean, "d"),
        y_mean=(sums.y_mean, "t"),
        square=(sums.square, "t"),
    )


def _check_feature_model(model: FeatureModel) -> None:
    _check_values(model, model.map, model.linear.weights.shape[1])


def _check_feature_sums(sums: FeatureSums) -> None:
    if sums.sums is not None:
        if not _names_real(sums.dtype, sums.sums.gram):
            raise TypeError(f"dtype: expected a floating-point type, got {sums.dtype!r:.60}")
        _check_values(sums.map, sums.map, sums.sums.gram.shape[0])


def _check_pca(model: KernelPCA) -> None:
    _check_sizes(
        mean=(model.mean, "m"),
        directions=(model.directions, "mc"),
        variances=(model.variances, "c"),
        total=(model.total, ""),
    )
    _check_values(model, model.map, model.variances.shape[0])


def _check_clusters(model: KernelKMeans) -> None:
    _check_sizes(centres=(model.centres, "km"))
    require_rank(1, "(n,)", labels=model.labels)
    _check_values(model.map, model.map, model.centres.shape[1])


_CHECKS: dict[type, Callable[[Any], None]] = {
    Nystrom: _check_nystrom,
    Map: _check_map,
    KernelModel: _check_kernel_model,
    InterceptModel: _check_intercept_model,
    LinearModel: _check_linear,
    RidgeSums: _check_sums,
    FeatureModel: _check_feature_model,
    FeatureSums: _check_feature_sums,
    KernelPCA: _check_pca,
    KernelKMeans: _check_clusters,
}


def _check_sizes(**named: tuple[Array, str]) -> None:
    """Check that each is a floating-point array with the axes of its letters, and equal letters are equal sizes."""
    sizes: dict[str, int] = {}
    for name, (array, axes) in named.items():
        require_rank(len(axes), f"({', '.join(axes)})", **{name: array})
        require_floating(**{name: array})
        for letter, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"{name}: expected ({', '.join(axes)}) with {letter} = {sizes[letter]}, got {size}")


def _check_values(f: Any, part: Any, columns: int) -> None:
    """Check that f on one row, such as the map or the model `part` takes, is (1, columns) and finite."""
    row = _row_for(part)
    if row is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what overflows is an error
            values = f(row)
            shape = tuple(values.shape)
            if shape == (1, columns):
                require_finite(values=values)
    except MemoryError:
        raise
    except Exception as error:  # a kernel that cannot be evaluated raises whatever its library does
        raise ValueError(f"no values of a row of shape {tuple(row.shape)}: {told(error)}") from error
    if shape != (1, columns):
        raise ValueError(f"values of a row of shape {tuple(row.shape)}: expected (1, {columns}), got {shape}")


def _row_for(part: Any) -> Array | None:
    """A landmark, which any kernel of the user takes, or zeros; None if the columns are not known."""
    points = getattr(part, "points", None)
    if points is not None:
        require_examples("(m, d)", points=points)
        return part_of(points, slice(0, 1))
    if not isinstance(part, Map):
        inner = getattr(part, "map", None)
        return None if inner is None else _row_for(inner)
    if part.columns is None:
        return None
    zeros = [[0.0] * part.columns]
    like = next((leaf for leaf in flatten(part)[0] if _is_real(leaf)), None)
    return backend("numpy").asarray(zeros, dtype="float64") if like is None else asarray_like(zeros, like)


def _names_real(dtype: Any, like: Array) -> bool:
    try:
        return bool(namespace(like).isdtype(dtype, "real floating"))
    except (AttributeError, TypeError, ValueError):
        return False


def _is_real(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))
