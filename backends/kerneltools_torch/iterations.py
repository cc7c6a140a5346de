"""Matrix functions by products alone: on CUDA an eigendecomposition takes as long as the rest of a network.

`kerneltools.linalg` has the definitions. They return None if the iterations are not accurate enough.
"""

from collections.abc import Callable

import torch

# Launching kernels is what takes time, for matrices of some hundred rows: a product and a sum are one kernel, baddbmm.
Pair = tuple[torch.Tensor, torch.Tensor]

STEPS, CHECKED = 64, 8
"""The most steps, and the number of steps after which the host checks the residual, which makes the device wait."""

ACCURATE = 1e-9
"""The residual to reach, in float64. The iterations converge quadratically: the last step goes far beyond it."""


def inverse_root(definite: torch.Tensor) -> torch.Tensor | None:
    """A^(-1/2), by the coupled iteration of Newton and Schulz (Higham 2008, eq. 6.35): (..., m, m) -> (..., m, m)"""
    shape = definite.shape
    definite = definite.reshape(-1, *shape[-2:])
    one, scale = _identity(definite), torch.linalg.matrix_norm(definite, keepdim=True)

    def step(root: torch.Tensor, inverse: torch.Tensor) -> Pair:
        change = torch.baddbmm(one, inverse, root, beta=1.5, alpha=-0.5)
        return root @ change, change @ inverse

    found = _limit(
        step, (definite / scale, one.expand_as(definite).contiguous()), lambda root, inverse: inverse @ root - one
    )
    return None if found is None else ((found[1] + found[1].mT) / (2 * scale.sqrt())).reshape(shape)


def lyapunov_solution(root: torch.Tensor, rhs: torch.Tensor) -> torch.Tensor | None:
    """Y of S Y + Y S = X, by the iteration for the sign of [[S, X], [0, -S]], which is [[I, 2Y], [0, -I]].

    (..., m, m), (..., m, m) -> (..., m, m). Roberts 1980.
    """
    shape = rhs.shape
    root, rhs = root.reshape(-1, *shape[-2:]), rhs.reshape(-1, *shape[-2:])
    one, scale = _identity(root), torch.linalg.matrix_norm(root, keepdim=True)

    def step(sign: torch.Tensor, part: torch.Tensor) -> Pair:
        square = sign @ sign
        commutator = torch.baddbmm(part @ sign, sign, part, beta=-1)
        kept = torch.baddbmm(part, part, square, beta=1.5, alpha=-0.5)
        after = torch.baddbmm(kept, sign, commutator, alpha=-0.5)
        return torch.baddbmm(sign, sign, square, beta=1.5, alpha=-0.5), after

    found = _limit(step, (root / scale, rhs / scale), lambda sign, part: sign - one)
    return None if found is None else (found[1] / 2).reshape(shape)


def _limit(step: Callable[..., Pair], pair: Pair, residual: Callable[..., torch.Tensor]) -> Pair | None:
    """The limit of the steps; None if they do not reach it."""
    before = float("inf")
    for _ in range(STEPS // CHECKED):
        for _ in range(CHECKED):
            pair = step(*pair)
        left = _greatest(residual(*pair))
        if left <= ACCURATE:
            return pair
        if not left < before:
            return None
        before = left
    return None


def _greatest(matrix: torch.Tensor) -> float:
    """The greatest entry; NaN, which never passes, where numbers are not known."""
    try:
        return float("nan") if torch.compiler.is_compiling() else float(matrix.abs().amax())
    except RuntimeError:  # under vmap
        return float("nan")


def _identity(matrix: torch.Tensor) -> torch.Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
