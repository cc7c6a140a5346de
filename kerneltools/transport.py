"""Pooling of sets by optimal transport to references (Mialon, Chen, d'Aspremont and Mairal 2021)."""

from typing import Any

from kerneltools.arrays import Array, asarray_like, device_of, namespace, require_count, require_number, require_rank
from kerneltools.precision import in_single
from kerneltools.primitives import primitive


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

    sets (n, T, d), references (heads, p, d), mask (n, T) of valid elements -> plans (n, heads, T, p)

    The similarity is <x, w>; `eps` > 0 is the entropic regularisation, in its units. The last of the `iterations` makes
    the columns exact: each reference receives 1. Elements give p / T each, masked ones nothing; numbers >= 0 in the
    mask are the elements' shares of p. The plan of a set without elements is 0. `closeness` (T, p), or (n, T, p) for
    each set, of positions, multiplies the similarity and the plan.

    Raises ValueError for shapes that do not fit together.

    >>> import numpy as np
    >>> x = np.array([[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]])  # a set of three elements
    >>> references = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> transport_plan(x, references, eps=0.1).round(2)[0, 0]
    array([[0.61, 0.06],
           [0.39, 0.28],
           [0.  , 0.67]])
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
        closeness = closeness[None, None, :, :] if closeness.ndim == 2 else closeness[:, None, :, :]
        similarity = similarity * closeness
    log_k = similarity / eps
    log_a = _marginal(x, mask, int(references.shape[1]))
    plan = xp.exp(sinkhorn(log_k, log_a, iterations))
    return plan if closeness is None else plan * closeness


@primitive
def sinkhorn(log_k: Array, log_a: Array, iterations: int) -> Array:
    """log P of the plan P = diag(exp u) K diag(exp v) whose columns sum to 1, and whose rows sum to a in the limit.

    (n, heads, T, p), (n, 1, T), `LOW` for missing elements -> (n, heads, T, p)

    >>> import numpy as np
    >>> similarity, share = np.array([[[[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]]]), np.log(np.full((1, 1, 3), 2 / 3))
    >>> np.exp(sinkhorn(similarity, share, 30)).round(3)[0, 0]
    array([[0.587, 0.079],
           [0.333, 0.333],
           [0.079, 0.587]])
    """
    logs = sinkhorn_start(log_k, log_a)
    for _ in range(iterations - 1):
        logs = sinkhorn_step(logs, log_a)
    return logs


def sinkhorn_start(log_k: Array, log_a: Array) -> Array:
    """The first iteration, for K of any size: (n, heads, T, p), (n, 1, T) -> log P (n, heads, T, p)

    >>> import numpy as np
    >>> similarity, share = np.array([[[[2.0, 0.0], [0.0, 2.0]]]]), np.zeros((1, 1, 2))
    >>> np.exp(sinkhorn_start(similarity, share)).round(3)[0, 0]
    array([[0.881, 0.119],
           [0.119, 0.881]])
    """
    xp = namespace(log_k, log_a)
    logs = log_k + (log_a - _log_sum(log_k, axis=-1))[..., None]
    logs = logs - _log_sum(logs, axis=-2)[..., None, :]
    return xp.where(_there(log_a)[..., None], logs, xp.full_like(logs, LOW))


def sinkhorn_step(logs: Array, log_a: Array) -> Array:
    """One more iteration, on log P itself: (n, heads, T, p), (n, 1, T) -> (n, heads, T, p)

    >>> import numpy as np
    >>> similarity, share = np.array([[[[2.0, 0.0], [1.0, 0.0]]]]), np.zeros((1, 1, 2))
    >>> logs = sinkhorn_start(similarity, share)
    >>> rows = [np.exp(plan).sum(axis=-1).round(3).ravel() for plan in (logs, sinkhorn_step(logs, share))]
    >>> rows  # towards 1
    [array([0.854, 1.146]), array([0.991, 1.009])]
    """
    xp = namespace(logs, log_a)
    there = _there(log_a)
    # Nothing overflows, and no sum is 0: columns sum to 1; after a step on rows of sums a they sum to p at most, so
    # that rows lose no more than a factor p; and after that on rows columns keep 1 / T, or the least share.
    rows = xp.where(there, _sums_of_rows(xp.exp(logs)), xp.ones_like(logs[..., 0]))
    logs = logs + xp.where(there, log_a - xp.log(rows), xp.zeros_like(rows))[..., None]
    columns = _sums_of_columns(xp.exp(logs))
    # Those of a set of no elements are 0.
    return logs - xp.log(xp.where(columns > 0, columns, xp.ones_like(columns)))[..., None, :]


@in_single
def transport_pool(x: Array, references: Array, mask: Any = None, **settings: Any) -> Array:
    """The mean of the elements that go to each reference: plan' x. Arguments: those of `transport_plan`.

    sets (n, T, d), references (heads, p, d), mask (n, T) -> (n, p, heads d)

    >>> import numpy as np
    >>> x = np.array([[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]])
    >>> references = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> transport_pool(x, references, eps=0.1).round(2)[0]
    array([[0.96, 0.04],
           [0.31, 0.69]])
    """
    plan = transport_plan(x, references, mask, **settings)
    xp = namespace(plan, x)
    pooled = xp.matmul(xp.matrix_transpose(plan), x[:, None, :, :])
    n, heads, p, d = pooled.shape
    return xp.reshape(xp.permute_dims(pooled, (0, 2, 1, 3)), (n, p, heads * d))


LOW = -1e30
"""The logarithm for missing elements: its exponential is 0, and it is finite, so that differences are too."""


def _marginal(x: Array, mask: Any, references: int) -> Array:
    """log(p / T) for existing elements, `LOW` for others: (n, 1, T)"""
    xp, shape = namespace(x), (int(x.shape[0]), int(x.shape[1]))
    shares = xp.ones(shape, dtype=x.dtype, device=device_of(x)) if mask is None else asarray_like(mask, x)
    if tuple(shares.shape) != shape:
        raise ValueError(f"mask: expected {shape} as in x of shape {tuple(x.shape)}, got {tuple(shares.shape)}")
    there, total = shares > 0, xp.sum(shares, axis=1, keepdims=True)
    given = references * shares / xp.where(total > 0, total, xp.ones_like(total))
    logs = xp.log(xp.where(there, given, xp.ones_like(given)))
    return xp.where(there, logs, xp.full_like(logs, LOW))[:, None, :]


def _there(log_a: Array) -> Array:
    return log_a > LOW / 2


def _sums_of_rows(x: Array) -> Array:
    """By a product, which is several times as fast as a sum over a short axis: (..., T, p) -> (..., T)"""
    xp = namespace(x)
    return xp.matmul(x, xp.ones((x.shape[-1], 1), dtype=x.dtype, device=device_of(x)))[..., 0]


def _sums_of_columns(x: Array) -> Array:
    """(..., T, p) -> (..., p)"""
    xp = namespace(x)
    return xp.matmul(xp.ones((1, x.shape[-2]), dtype=x.dtype, device=device_of(x)), x)[..., 0, :]


def _log_sum(x: Array, axis: int) -> Array:
    """log Σ exp along an axis, without overflow."""
    xp = namespace(x)
    greatest = xp.max(x, axis=axis, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - greatest), axis=axis)) + xp.squeeze(greatest, axis=axis)
