"""Pooling of sets by optimal transport to references (Mialon, Chen, d'Aspremont and Mairal 2021)."""

from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, namespace, require_count, require_number, require_rank
from kerneltools.precision import in_single


@in_single
def transport_plan(
    x: Array,
    references: Array,
    mask: Any = None,
    *,
    eps: float = 0.5,
    iterations: int = 30,
    closeness: Array | None = None,
) -> Array:
    """How much of each element of a set goes to each reference, by Sinkhorn's iterations in the log domain.

    sets (n, T, d), references (heads, p, d), mask (n, T) of what is there -> plans (n, heads, T, p)

    The similarity is <x, w>; `eps` > 0, the entropic regularisation, in its units; so many `iterations`, the last of
    which makes the columns exact: each reference receives 1. Elements give p / T each, those that are masked nothing. A
    set of no elements has a plan of zeros. `closeness` (T, p), of positions, multiplies the similarity and the plan.

    Raises ValueError for shapes that do not go together.
    """
    require_rank(3, "(n, T, d)", x=x)
    require_rank(3, "(heads, p, d)", references=references)
    require_number("eps", eps, x)
    require_count("iterations", iterations)
    if x.shape[2] != references.shape[2]:
        raise ValueError(
            f"references: expected (heads, p, {x.shape[2]}) for x of shape {tuple(x.shape)}, got "
            f"{tuple(references.shape)}"
        )
    xp = namespace(x, references)
    similarity = xp.matmul(x[:, None, :, :], xp.matrix_transpose(references)[None, :, :, :])
    if closeness is not None:
        similarity = similarity * closeness
    log_k = similarity / eps
    log_a, there = _marginal(x, mask, int(references.shape[1]))
    v = 0 * log_k[:, :, 0, :]
    for _ in range(iterations):
        u = log_a - _log_sum(log_k + v[:, :, None, :], axis=-1)
        v = -_log_sum(xp.where(there, log_k + u[..., None], xp.full_like(log_k, LOW)), axis=-2)
    plan = xp.exp(log_k + u[..., None] + v[:, :, None, :])
    plan = xp.where(there, plan, xp.zeros_like(plan))
    return plan if closeness is None else plan * closeness


@in_single
def transport_pool(x: Array, references: Array, mask: Any = None, **settings: Any) -> Array:
    """Each reference gets the elements that are carried to it: plan' x. Arguments: those of `transport_plan`.

    sets (n, T, d), references (heads, p, d), mask (n, T) -> (n, p, heads d)
    """
    plan = transport_plan(x, references, mask, **settings)
    xp = namespace(plan, x)
    pooled = xp.matmul(xp.matrix_transpose(plan), x[:, None, :, :])
    n, heads, p, d = pooled.shape
    return xp.reshape(xp.permute_dims(pooled, (0, 2, 1, 3)), (n, p, heads * d))


LOW = -1e30
"""A logarithm that stands for nothing: its exponential is 0, and it is no infinity, whose differences are none."""


def _marginal(x: Array, mask: Any, references: int) -> tuple[Array, Array]:
    """log(p / T) of the elements that are there, and where these are: (n, 1, T), (n, 1, T, 1)"""
    n, length = int(x.shape[0]), int(x.shape[1])
    host = np.ones((n, length), dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if host.shape != (n, length):
        raise ValueError(f"mask: expected {(n, length)} as in x of shape {tuple(x.shape)}, got {host.shape}")
    counts = np.maximum(host.sum(axis=1), 1)
    logs = np.where(host, np.log(references / counts)[:, None], LOW)
    there = asarray_like(host.astype(float), x)[:, None, :, None] > 0
    return asarray_like(logs, x)[:, None, :], there


def _log_sum(x: Array, axis: int) -> Array:
    """log Σ exp along an axis, without overflow."""
    xp = namespace(x)
    greatest = xp.max(x, axis=axis, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - greatest), axis=axis)) + xp.squeeze(greatest, axis=axis)
