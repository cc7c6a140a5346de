"""Products with Hadamard matrices, without making these matrices."""

from typing import Any

from kerneltools.arrays import Array, device_of, namespace

BITS = 4
"""The most rows of a factor: small matrices need few operations and still few passes."""


def factors(p: int, like: Array) -> list[Array]:
    """Matrices whose Kronecker product is H, symmetric and orthogonal with entries ±1/√p; p is a power of two.

    >>> import numpy as np
    >>> np.round(2 * factors(4, np.zeros(1))[0])
    array([[ 1.,  1.,  1.,  1.],
           [ 1., -1.,  1., -1.],
           [ 1.,  1., -1., -1.],
           [ 1., -1., -1.,  1.]])
    >>> [len(factor) for factor in factors(512, np.zeros(1))]
    [8, 8, 8]
    """
    bits = p.bit_length() - 1
    parts = max(1, -(-bits // BITS))
    return [_matrix((bits + part) // parts, like) for part in range(parts)]


def _matrix(bits: int, like: Array) -> Array:
    """Sylvester's matrix: (2^bits, 2^bits)."""
    xp = namespace(like)
    matrix = xp.ones((1, 1), dtype=like.dtype, device=device_of(like))
    for _ in range(bits):
        matrix = xp.concat([xp.concat([matrix, matrix], axis=1), xp.concat([matrix, -matrix], axis=1)])
    return matrix * 2.0 ** (-bits / 2)


def transformed(x: Array, matrices: list[Array]) -> Array:
    """x H, with H given by `factors`, one factor after the other: (..., p) -> (..., p)"""
    xp = namespace(x, *matrices)
    found: Any = x
    after = 1
    for matrix in reversed(matrices):
        q = matrix.shape[0]
        if after == 1:  # one product
            found = xp.matmul(xp.reshape(found, (-1, q)), matrix)
        else:
            found = xp.matmul(matrix, xp.reshape(found, (-1, q, after)))
        after *= q
    return xp.reshape(found, x.shape)
