"""Which leaves of a tree of parameters move, and with which gradient and geometry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.backend import stop_gradient
from kerneltools.optimisers.geometry import Geometry
from kerneltools.trees import flatten, named_leaves


@dataclass(frozen=True, eq=False)
class Moving:
    """A leaf that moves: its `place` among the trainable leaves, its value, gradient and geometry."""

    place: int
    point: Array
    gradient: Array
    geometry: Geometry


def trainable(leaf: Any) -> bool:
    """Whether a leaf is a real floating-point array: only those can move."""
    return hasattr(leaf, "dtype") and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))


def zeros_for(params: Any, zero: Callable[[Array], Array]) -> tuple[Array, ...]:
    """zero(leaf) for each trainable leaf."""
    return tuple(zero(stop_gradient(leaf)) for leaf in flatten(params)[0] if trainable(leaf))


def moving_leaves(params: Any, gradients: Any, geometries: Sequence[Geometry]) -> list[Moving]:
    """The trainable leaves of `params` that have a gradient, in order.

    Raises ValueError, with the leaf, for a gradient of another shape or without an array that it belongs to, and unless
    there are as many `geometries` as leaves that move.
    """
    found = dict(named_leaves(gradients))
    leaves = [(name, leaf) for name, leaf in named_leaves(params) if trainable(leaf)]
    named = [(place, name, leaf) for place, (name, leaf) in enumerate(leaves) if name in found]
    if strangers := sorted(set(found) - {name for _, name, _ in named}):
        raise ValueError(f"gradients: no floating-point array in params for {', '.join(strangers)}")
    if len(geometries) != len(named):
        raise ValueError(
            f"geometries: expected one for each of the {len(named)} arrays with a gradient "
            f"({', '.join(name for _, name, _ in named)}), got {len(geometries)}"
        )
    for _, name, leaf in named:
        if tuple(found[name].shape) != tuple(leaf.shape):
            raise ValueError(
                f"gradients: expected shape {tuple(leaf.shape)} for {name}, got {tuple(found[name].shape)}"
            )
    return [
        Moving(place, stop_gradient(leaf), stop_gradient(found[name]), geometry)
        for (place, name, leaf), geometry in zip(named, geometries, strict=True)
    ]


def replaced(params: Any, points: dict[int, Array]) -> Any:
    """The same tree with other arrays at some places among its trainable leaves."""
    leaves, rebuild = flatten(params)
    places = [place for place, leaf in enumerate(leaves) if trainable(leaf)]
    moved = {places[number]: _array(point) for number, point in points.items()}
    return rebuild([moved.get(place, leaf) for place, leaf in enumerate(leaves)])


def replaced_at(values: tuple[Array, ...], new: dict[int, Array]) -> tuple[Array, ...]:
    """The same tuple with other arrays at some places."""
    return tuple(_array(new[place]) if place in new else value for place, value in enumerate(values))


def _array(x: Array) -> Array:
    # NumPy's products of arrays without axes are scalars, which trees and files take for constants.
    return namespace(x).asarray(x)
