"""All subsequences with gaps, without a table of them: recurrent kernel networks (Chen, Jacob and Mairal 2019)."""

from functools import reduce

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.kernels.base import row_norms
from kerneltools.kernels.profiles import Profile
from kerneltools.precision import in_single
from kerneltools.primitives import primitive
from kerneltools.trees import together


@in_single
def gapped_responses(items: Array, filters: Array, profile: Profile) -> Array:
    """b = |x| κ(<x, z_j> / |x|) of each item to each place of the filters, and 0 for an item of zeros.

    items (V, d), filters (m, k, d), each of their items of length 1 -> (V, k, m)
    """
    items, filters, profile = together(items, filters, profile)
    xp, (m, k, d) = namespace(items, filters), filters.shape
    rows = xp.reshape(xp.permute_dims(filters, (1, 0, 2)), (k * m, d))
    inner = items @ xp.matrix_transpose(rows)
    return xp.reshape(profile.response(inner, row_norms(items)[:, None]), (items.shape[0], k, m))


@in_single
def gapped_sum(responses: Array, places: Array, decay: Array | float) -> Array:
    """Σ over places t₁ < ... < t_k of decay^gaps Π_j b_j(t_j): what a table of `Subsequences` sums.

    b (V, k, m), places (n, T) of the items of each sequence among the V, decay in [0, 1] -> (n, m)

    An item of which b is 0 is as none: so sequences of different lengths are one array. A recursion of T steps in place
    of binomially many terms. Differentiable in b and the decay. Raises ValueError for no place.

    >>> import numpy as np
    >>> gapped_sum(np.ones((1, 2, 1)), np.zeros((1, 3), dtype=int), 0.5)  # two pairs without a gap, one with
    array([[2.5]])
    """
    _require_places(responses, places)
    ends = gapped_ends(responses, places, decay, False)
    return namespace(ends).sum(ends, axis=0)


@in_single
def gapped_max(responses: Array, places: Array, decay: Array | float, whitening: Array) -> Array:
    """The greatest projected value of the recursion with a maximum in the place of the sum, and no less than 0.

    b (V, k, m), places (n, T), decay, whitening (m, m) -> (n, m): with h_0 = 1, a_j(t) = h_{j - 1}(t - 1) b_j(t) and
    h_j(t) = max(decay h_j(t - 1), a_j(t)); what is pooled is a_k(t) W (Chen, Jacob and Mairal 2019, §3.3).
    Raises ValueError for no place.
    """
    _require_places(responses, places)
    ends = gapped_ends(responses, places, decay, True)
    return greatest_in_turn(namespace(ends, whitening).matmul(ends, whitening))


@primitive
def greatest_in_turn(values: Array) -> Array:
    """The greatest over the first axis, and no less than 0: (T, n, m) -> (n, m)

    Ties share the gradient two by two, one after the other, as the published layer has it.
    """
    xp = namespace(values)
    return reduce(xp.maximum, xp.unstack(values), xp.zeros_like(values[0, ...]))


@primitive
def gapped_ends(responses: Array, places: Array, decay: Array | float, greatest: bool) -> Array:
    """a_k(t): all subsequences that end at t, added up, or the greatest of them.

    b (V, k, m), places (n, T) -> (T, n, m): a_j(t) = h_{j - 1}(t - 1) b_j(t), h_j(t) = decay h_j(t - 1) + a_j(t), or
    the maximum of the two, h_0 = 1.
    """
    xp, n, (_, k, m) = namespace(responses, decay), places.shape[0], responses.shape
    join = xp.maximum if greatest else xp.add
    one = xp.ones((n, 1, m), dtype=responses.dtype, device=device_of(responses))
    state = xp.zeros((n, k - 1, m), dtype=responses.dtype, device=device_of(responses))
    ends = []
    for b in _by_time(responses, places):
        before = xp.concat([one, state], axis=1)
        # The last ones apart, and not as a view: it would hold all the others.
        ends.append(before[:, k - 1, :] * b[:, k - 1, :])
        state = join(decay * state, before[:, : k - 1, :] * b[:, : k - 1, :])
    return xp.stack(ends)


def _by_time(responses: Array, places: Array) -> list[Array]:
    """The responses of the items at each time: T of (n, k, m)"""
    xp, (n, length) = namespace(responses, places), places.shape
    if responses.shape[0] > n:
        # In one piece: the gradient of taking, at each time, is as large as all responses.
        times = xp.reshape(xp.matrix_transpose(places), (length * n,))
        taken = xp.take(responses, times, axis=0)
        return list(xp.unstack(xp.reshape(taken, (length, n, *responses.shape[1:]))))
    return [xp.take(responses, places[:, t], axis=0) for t in range(length)]


def _require_places(responses: Array, places: Array) -> None:
    if responses.ndim != 3 or places.ndim != 2 or not places.shape[1]:
        raise ValueError(
            f"responses, places: expected (V, k, m) and (n, T) with T >= 1, got shapes {tuple(responses.shape)} and "
            f"{tuple(places.shape)}"
        )
