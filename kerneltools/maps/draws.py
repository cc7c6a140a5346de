"""What random maps share: their sizes and their draws on the host."""

from typing import Any

from kerneltools.arrays import namespace
from kerneltools.random import Rng, generator


def check_sizes(d: int, m: int, multiple: int = 1) -> None:
    """Raise ValueError unless d >= 1 and m >= 1 are integers, m a multiple of that number."""
    for name, value in (("d", d), ("m", m)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")
    if m % multiple:
        raise ValueError(f"m: expected a multiple of {multiple} (cosines and sines in pairs), got {m}")


def directions(rng: Rng, count: int, d: int) -> Any:
    """Unit vectors, each uniform on the sphere, orthogonal within blocks of d: -> (count, d) on the host.

    Haar matrices by QR of normal numbers, the signs of R's diagonal taken out (Mezzadri 2007).
    """
    rng = generator(rng)
    blocks = []
    for _ in range(-(-count // d)):
        square = rng.standard_normal((d, d))
        xp = namespace(square)
        q, r = xp.linalg.qr(square)
        blocks.append(xp.matrix_transpose(q * xp.sign(xp.linalg.diagonal(r))[None, :]))
    return namespace(blocks[0]).concat(blocks)[:count, :]


def frequencies_of_normal(rng: Rng, count: int, d: int, orthogonal: bool) -> Any:
    """Rows each of law N(0, I), orthogonal within blocks of d if wanted: -> (count, d) on the host."""
    rng = generator(rng)
    if not orthogonal:
        return rng.standard_normal((count, d))
    return directions(rng, count, d) * rng.chisquare(d, count)[:, None] ** 0.5
