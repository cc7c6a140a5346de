"""Features of many rows, block by block, with checks."""

from collections.abc import Callable, Iterator

from kerneltools.arrays import Array, blocks, namespace, widest_float
from kerneltools.maps.base import require_finite_features
from kerneltools.structures.base import is_collection, part, require_examples, require_known

# (n, d) -> (n, m): a map of kerneltools.maps, or any function of rows.
FeatureMap = Callable[[Array], Array]


def features_of(phi: FeatureMap, x: Array, block: int, least: int = 1, name: str = "x") -> Array:
    """The features of all rows, in float64 where the library has it: (n, d) -> (n, m)."""
    parts = list(feature_blocks(phi, x, block, least, name))
    return namespace(*parts).concat([widened(part) for part in parts])


def feature_blocks(phi: FeatureMap, x: Array, block: int, least: int = 1, name: str = "x") -> Iterator[Array]:
    """φ(x), at most `block` rows at a time.

    Raises unless x is a finite floating-point (n, d) with n >= `least`, and φ returns a finite row for each row.
    """
    require_examples(**{name: x})
    if not is_collection(x) and x.shape[1] == 0:
        raise ValueError(f"{name}: expected at least one column, got shape {tuple(x.shape)}")
    if x.shape[0] < least:
        raise ValueError(f"{name}: expected at least {least} rows, got shape {tuple(x.shape)}")
    require_known(**{name: x})
    for here in blocks(x.shape[0], block):
        rows = here.stop - here.start
        features = phi(part(x, here))
        if features.ndim != 2 or features.shape[0] != rows:
            raise ValueError(f"phi: expected ({rows}, m) for {rows} rows, got shape {tuple(features.shape)}")
        require_finite_features(features, here.start)
        yield features


def widened(features: Array) -> Array:
    """The same numbers in float64, if the library has it."""
    return namespace(features).astype(features, widest_float(features))
