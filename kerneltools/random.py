"""Random draws on the host, so that every library gets the same numbers from the same seed.

Numbers are drawn in float64 by NumPy's generator, then cast and moved: drawing float32 natively would
give other numbers than casting.
"""

import zlib
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like

Rng = int | np.random.Generator


def generator(rng: Rng, name: str = "rng") -> np.random.Generator:
    """A generator unchanged, or a new one from a seed >= 0.

    Raises TypeError, with that name, for anything else, also for None: results must be repeatable.

    >>> import numpy as np
    >>> bool(generator(7).integers(100) == generator(7).integers(100))
    True
    >>> shared = np.random.default_rng(7)
    >>> generator(shared) is shared
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer):
        is_key = type(rng).__module__.partition(".")[0] in ("jax", "jaxlib")
        advice = "; draw an integer from it, as int(jax.random.bits(key))" if is_key else ""
        raise TypeError(
            f"{name}: expected an integer seed or a numpy.random.Generator, got {type(rng).__name__}{advice}"
        )
    if rng < 0:
        raise ValueError(f"{name}: expected a seed of 0 or more, got {rng}")
    return np.random.default_rng(int(rng))


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent generator for each name, so that one more draw from one changes nothing in the others.

    >>> [int(stream(0, name).integers(1000)) for name in ("landmarks", "validation", "landmarks")]
    [115, 212, 115]
    """
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))


def normal(rng: Rng, shape: tuple[int, ...], like: Array) -> Array:
    """Standard normal numbers, in the library, type and device of `like`.

    >>> import numpy as np
    >>> normal(0, (2, 2), like=np.zeros(1, dtype=np.float32)).round(3)
    array([[ 0.126, -0.132],
           [ 0.64 ,  0.105]], dtype=float32)
    """
    return asarray_like(generator(rng).standard_normal(shape), like)


def uniform(rng: Rng, shape: tuple[int, ...], like: Array) -> Array:
    """Numbers uniform in [0, 1), in the library, type and device of `like`.

    >>> import numpy as np
    >>> uniform(0, (3,), like=np.zeros(1)).round(3)
    array([0.637, 0.27 , 0.041])
    """
    return asarray_like(generator(rng).random(shape), like)


def choice(rng: Rng, n: int, size: int, weights: Any = None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """`size` distinct numbers out of 0..n-1, on the host, in the order drawn.

    Raises ValueError if size > n.

    >>> choice(0, n=10, size=4)
    array([2, 4, 5, 7])
    """
    if size > n:
        raise ValueError(f"size: cannot choose {size} distinct numbers out of {n}")
    return generator(rng).choice(n, size=size, replace=False, p=weights).astype(np.int64)
