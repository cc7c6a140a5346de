"""All subsequences with gaps, without a table of them: recurrent kernel networks (Chen, Jacob and Mairal 2019)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, device_of, namespace, on_host, require_everywhere, require_real
from kerneltools.kernels.base import row_norms
from kerneltools.kernels.profiles import Profile
from kerneltools.patches.local import Multiplied, PartKernel, ProductOfNorms
from kerneltools.precision import in_single
from kerneltools.primitives import by_rows, primitive
from kerneltools.trees import Tree, together

LARGEST_DECAY = 0.99
"""The greatest decay; with 1 a mean over gaps would be 0, as in the published layer."""


@dataclass(frozen=True)
class GappedKernel(Tree):
    """The kernel between subsequences with gaps and filters: decay^gaps Π_j |x_j| κ(<x_j, z_j> / |x_j|).

    `profile` κ is of single items: the σ of an exponential is √k times that of a whole part of k items. `decay` in [0,
    0.99], a number or an array (); with 0 only windows without a gap count. Raises ValueError for another decay.

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> pairs = np.eye(4)[np.array([[0, 1], [0, 2], [2, 3]]), :]  # AC, AG and GT
    >>> GappedKernel(Exponential(1.0), decay=0.5).gram(pairs).round(3)
    array([[1.   , 0.368, 0.135],
           [0.368, 1.   , 0.135],
           [0.135, 0.135, 1.   ]])
    """

    profile: Profile
    decay: float | Array = 0.3

    def __post_init__(self) -> None:
        wanted = f"a number in [0, {LARGEST_DECAY}]"
        require_real("decay", self.decay, wanted)
        inside = (self.decay >= 0) & (self.decay <= LARGEST_DECAY)
        if isinstance(inside, bool):
            if not inside:
                raise ValueError(f"decay: expected {wanted}, got {self.decay!r}")
        else:
            require_everywhere(inside, wanted, "decay", self.decay)

    @property
    def of_parts(self) -> PartKernel:
        """The kernel between parts without gaps; for a table of `Subsequences`, all but their weights."""
        return PartKernel(self.profile, Multiplied(), ProductOfNorms())

    def gram(self, filters: Array) -> Array:
        """The kernel between filters on the sphere: (m, k, d) -> (m, m)"""
        return self.of_parts.gram(filters)

    def normalised(self, filters: Array) -> Array:
        """The filters with each of their items on the sphere: (m, k, d) -> (m, k, d)"""
        return self.of_parts.normalised(filters)

    def responses(self, items: Array, filters: Array) -> Array:
        """The b of `gapped_sum`: (V, d), (m, k, d) -> (V, k, m)"""
        return gapped_responses(items, filters, self.profile)


@runtime_checkable
class GappedPool(Protocol):
    """Pools all subsequences of a sequence into the features of the sequence.

    >>> import numpy as np
    >>> class GappedTotal:
    ...     def pooled(self, responses, places, inverse, decay, whitening):
    ...         return gapped_sum(responses, places, decay) @ whitening
    >>> isinstance(GappedTotal(), GappedPool)
    True
    >>> GappedTotal().pooled(np.ones((1, 2, 1)), np.zeros((1, 3), dtype=int), np.array([1 / 3]), 0.5, np.eye(1))
    array([[2.5]])
    """

    def pooled(self, responses: Array, places: Array, inverse: Array, decay: Array | float, whitening: Array) -> Array:
        """b (V, k, m), places (n, T), 1 / T of each sequence (n,), decay, whitening (m, m) -> (n, m)"""


@dataclass(frozen=True)
class GappedMean(Tree):
    """(1 - decay)^(k - 1) / T times the sum over all subsequences, whose weights decay with their gaps.

    >>> import numpy as np
    >>> agreement = np.array([[[1.0], [0.1]], [[0.1], [1.0]]])  # of A and C with both places of AC
    >>> places = np.array([[0, 0, 1], [1, 0, 0]])  # AAC and CAA
    >>> GappedMean().pooled(agreement, places, np.array([1 / 3, 1 / 3]), 0.5, np.eye(1)).round(3)
    array([[0.267],
           [0.019]])
    """

    def pooled(self, responses: Array, places: Array, inverse: Array, decay: Array | float, whitening: Array) -> Array:
        """b (V, k, m), places (n, T), 1 / T of each sequence (n,), decay, whitening (m, m) -> (n, m)"""
        share = (1 - decay) ** (responses.shape[1] - 1)
        return share * inverse[:, None] * gapped_sum(responses, places, decay) @ whitening


@dataclass(frozen=True)
class GappedMax(Tree):
    """The greatest projected value, see `gapped_max`; the length of a sequence does not matter.

    >>> import numpy as np
    >>> agreement = np.array([[[1.0], [0.1]], [[0.1], [1.0]]])  # of A and C with both places of AC
    >>> places = np.array([[0, 0, 1], [1, 0, 0]])  # AAC and CAA
    >>> GappedMax().pooled(agreement, places, np.array([1 / 3, 1 / 3]), 0.5, np.eye(1))
    array([[1. ],
           [0.1]])
    """

    def pooled(self, responses: Array, places: Array, inverse: Array, decay: Array | float, whitening: Array) -> Array:
        """b (V, k, m), places (n, T), 1 / T of each sequence (n,), decay, whitening (m, m) -> (n, m)"""
        return gapped_max(responses, places, decay, whitening)


@in_single
def gapped_responses(items: Array, filters: Array, profile: Profile) -> Array:
    """b = |x| κ(<x, z_j> / |x|) of each item with each place of the filters, and 0 for an item of zeros.

    items (V, d), filters (m, k, d), each of their items of length 1 -> (V, k, m)

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> letters, filters = np.eye(3), np.eye(3)[None, :2, :]  # A, C and G; the filter AC
    >>> gapped_responses(letters, filters, Exponential(1.0)).round(3).tolist()
    [[[1.0], [0.368]], [[0.368], [1.0]], [[0.368], [0.368]]]
    """
    items, filters, profile = together(items, filters, profile)
    xp, (m, k, d) = namespace(items, filters), filters.shape
    rows = xp.reshape(xp.permute_dims(filters, (1, 0, 2)), (k * m, d))
    inner = items @ xp.matrix_transpose(rows)
    return xp.reshape(profile.response(inner, row_norms(items)[:, None]), (items.shape[0], k, m))


@in_single
def gapped_sum(responses: Array, places: Array, decay: Array | float) -> Array:
    """Σ over places t₁ < ... < t_k of decay^gaps Π_j b_j(t_j): the sum over a table of `Subsequences`.

    b (V, k, m), places (n, T) of the items of each sequence among the V, decay in [0, 1] -> (n, m)

    An item with b = 0 has no effect, so that one array holds sequences of different lengths. A recursion of T steps
    replaces binomially many terms. Differentiable in b and the decay. Raises ValueError if there is no place.

    >>> import numpy as np
    >>> gapped_sum(np.ones((1, 2, 1)), np.zeros((1, 3), dtype=int), 0.5)  # two pairs without a gap, one with
    array([[2.5]])
    """
    _require_places(responses, places)

    def summed(rows: Array) -> Array:
        ends = gapped_ends(responses, rows, decay, False)
        return namespace(ends).sum(ends, axis=0)

    return by_rows(places, summed, _at_a_time(responses), responses, decay)


@in_single
def gapped_max(responses: Array, places: Array, decay: Array | float, whitening: Array) -> Array:
    """The greatest projected value, at least 0: the recursion of `gapped_sum` with a maximum in place of the sum.

    b (V, k, m), places (n, T), decay, whitening (m, m) -> (n, m): with h_0 = 1, a_j(t) = h_{j - 1}(t - 1) b_j(t) and
    h_j(t) = max(decay h_j(t - 1), a_j(t)); what is pooled is a_k(t) W (Chen, Jacob and Mairal 2019, §3.3).
    Raises ValueError if there is no place.

    >>> import numpy as np
    >>> agreement = np.array([[[1.0], [0.1]], [[0.1], [1.0]]])  # of A and C with both places of AC
    >>> gapped_max(agreement, np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]), 0.5, np.eye(1))  # AAC, ACA and CAA
    array([[1. ],
           [1. ],
           [0.1]])
    """
    _require_places(responses, places)

    def greatest(rows: Array) -> Array:
        ends = gapped_ends(responses, rows, decay, True)
        return greatest_in_turn(namespace(ends, whitening).matmul(ends, whitening))

    return by_rows(places, greatest, _at_a_time(responses), responses, decay, whitening)


@primitive
def greatest_in_turn(values: Array) -> Array:
    """The greatest value over the first axis, and at least 0: (T, n, m) -> (n, m)

    Ties share the gradient two by two, one after the other, as in the published layer.
    """
    xp = namespace(values)
    return reduce(xp.maximum, xp.unstack(values), xp.zeros_like(values[0, ...]))


@primitive
def gapped_ends(responses: Array, places: Array, decay: Array | float, greatest: bool) -> Array:
    """a_k(t): the sum of all subsequences that end at t, or the greatest of them.

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


def _by_time(responses: Array, places: Array) -> Iterator[Array]:
    """The responses of the items at each time: T of (n, k, m)"""
    xp, (n, length) = namespace(responses, places), places.shape
    if responses.shape[0] > n:
        # In one piece: the gradient of taking, at each time, is as large as all responses.
        times = xp.reshape(xp.matrix_transpose(places), (length * n,))
        taken = xp.take(responses, times, axis=0)
        yield from xp.unstack(xp.reshape(taken, (length, n, *responses.shape[1:])))
        return
    for t in range(length):
        yield xp.take(responses, places[:, t], axis=0)


def _at_a_time(responses: Array) -> int:
    """How many sequences fit into the host's cache at a time; on devices, all."""
    _, k, m = responses.shape
    return max(1, CACHED_NUMBERS // max(1, k * m)) if on_host(responses) else ALL


CACHED_NUMBERS, ALL = 2**16, 2**30


def _require_places(responses: Array, places: Array) -> None:
    if responses.ndim != 3 or places.ndim != 2 or not places.shape[1]:
        raise ValueError(
            f"responses, places: expected (V, k, m) and (n, T) with T >= 1, got shapes {tuple(responses.shape)} and "
            f"{tuple(places.shape)}"
        )
