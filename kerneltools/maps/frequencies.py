"""Frequencies and directions, drawn on the host."""

from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.kernels.spectral import Isotropic, Law
from kerneltools.memory import require_memory
from kerneltools.random import Rng, generator

SOBOL_DIMENSIONS = 21_201
"""The number of columns of SciPy's table of Sobol points."""


def draw(law: Law, rng: Rng, count: int, d: int, orthogonal: bool) -> Any:
    """Frequencies of the law, orthogonal in groups of d if rotations leave the law unchanged: -> (count, d)."""
    _require_room(count, d)
    rng = generator(rng)
    if orthogonal and isinstance(law, Isotropic):
        return directions(rng, count, d) * law.radii(rng, count, d)[:, None]
    return law.draw(rng, count, d)


def directions(rng: Any, count: int, d: int) -> Any:
    """Unit rows, uniform on the sphere and orthogonal in groups of d: -> (count, d).

    Yu et al. 2016, definition 1.
    """
    _require_room(count, d)
    groups = [_rotation(rng, d) for _ in range(-(-count // d))]
    return namespace(groups[0]).concat(groups)[:count, :]


LEAST = 64
"""The least number of columns for random signs: fewer have too few directions for the mean to be the kernel."""


def structured(law: Isotropic, rng: Rng, count: int, d: int) -> tuple[Any, Any]:
    """Signs and norms of the frequencies r H D₁ H D₂ H D₃, p at a time: -> (blocks, 3, p), (count,)

    Yu et al. 2016, section 4, with the norms of the law in p dimensions, whose first d columns have the law in d. p:
    the least power of two >= d and 64.
    """
    p = max(LEAST, 1 << (d - 1).bit_length())
    groups = -(-count // p)
    require_memory(
        f"m: random signs for {count} frequencies of {p} numbers need",
        60.0 * groups * p,
        None,
        lambda free: f"take at most {2 * int(free / 60 / p) * p}",
    )
    rng = generator(rng)
    signs = 2.0 * rng.integers(0, 2, (groups, 3, p)) - 1.0
    return signs, law.radii(rng, count, p)


def _require_room(count: int, d: int) -> None:
    """Raise MemoryError if there is no room for so many vectors, of which there are two copies at once."""
    require_memory(
        f"m: {count} random vectors of {d} numbers need",
        16.0 * count * d,
        None,
        lambda free: f"take at most {int(free / 16 / d)}",
    )


def _rotation(rng: Any, d: int) -> Array:
    """An orthogonal matrix, uniform among all: (d, d)."""
    normal = rng.standard_normal((d, d))
    xp = namespace(normal)
    q, r = xp.linalg.qr(normal)
    # Without the signs its law depends on how the factors are computed (Mezzadri 2007).
    return q * xp.sign(xp.linalg.diagonal(r))[None, :]


def quasi(law: Law, rng: Rng, count: int, d: int) -> Any:
    """Frequencies from scrambled Sobol points, or Halton points beyond 21,201 columns: -> (count, d).

    Each has the law; together they fill the space more evenly than independent ones (Avron et al. 2016).
    Raises ImportError without SciPy.
    """
    sequences = _sequences()
    _require_room(count, d)
    u = law.uniforms(d)
    if u > SOBOL_DIMENSIONS:
        points = sequences.Halton(u, scramble=True, rng=generator(rng)).random(count)
    else:
        points = sequences.Sobol(u, scramble=True, rng=generator(rng)).random_base2((count - 1).bit_length())[:count, :]
    edge = 2.0**-40
    return law.from_uniform(namespace(points).clip(points, edge, 1 - edge))


def _sequences() -> Any:
    try:
        from scipy.stats import qmc
    except ModuleNotFoundError as error:
        raise ImportError("quasi-Monte Carlo needs SciPy's sequences; install it with: pip install scipy") from error
    return qmc
