"""Kernels of graphs that have walks with the same labels."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, blocks, require_number
from kerneltools.backend import stop_gradient
from kerneltools.kernels.base import Kernel
from kerneltools.kernels.counting import parts
from kerneltools.kernels.graphs.colours import labels_of
from kerneltools.memory import size
from kerneltools.structures import Graphs
from kerneltools.structures.base import Collection, Host, offsets_of, require_alike, spans
from kerneltools.structures.graphs import one_way
from kerneltools.trees import static

AT_A_TIME = 2**18
"""Arcs between pairs of nodes in memory at a time, about: 25 MB, with vectors that stay in a cache."""

PAIRS = 2**20
"""Graphs in memory at a time, about: 100 MB."""

MOST = 2**26
"""The most such arcs that two graphs may have: 6 GB."""

STEPS = 10_000
TOLERANCE = 1e-12


@dataclass(frozen=True)
class RandomWalk(Kernel):
    """k(G, H) = Σ_s decay^s #(pairs of walks of s steps, in G and in H, with the same labels all along), s >= 0.

    (n,), (m,) graphs -> (n, m)

    A walk has the labels of its nodes and edges, if graphs have labels; `labelled` = False treats all as equal. `decay`
    >= 0, a number or an array (), less than 1 / (ρ(G) ρ(H)) for any two graphs, so that the sum is finite; ρ is the
    greatest eigenvalue of the adjacency matrix. The sum is eᵀ (I - decay W)⁻¹ e of the product graph, by conjugate
    gradients (Vishwanathan et al. 2010), on the host in float64; first derivatives by `decay` are exact, others are 0.
    Attributes are ignored. Two graphs take memory for the nodes of one times the edges of the other, and are refused
    beyond 6 GB.

    Raises ValueError, with the graphs, for a decay that is too large, edges with a direction, and graphs that are too
    large.

    >>> from kerneltools.structures import Graph, Graphs
    >>> x = Graphs.of([Graph(2, [[0, 1]]), Graph(3, [[0, 1], [1, 2], [2, 0]])])
    >>> RandomWalk(0.1)(x, x)
    array([[ 4.44444444,  7.5       ],
           [ 7.5       , 15.        ]])
    """

    decay: float | Array = 0.1
    labelled: bool = static(True)

    def __post_init__(self) -> None:
        require_number("decay", self.decay, least=0)

    @property
    def structure(self) -> type[Collection]:
        return Graphs

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) -> (n, m)"""
        self._check(x, "x")
        self._check(y, "y")
        require_alike(x, y, "y")
        values = np.zeros((2, len(x), len(y)))
        ours = radii(x)
        theirs = ours if x is y else radii(y)
        for rows in blocks(len(x), max(1, PAIRS // max(len(y), 1))):
            left, right = (place.reshape(-1) for place in np.indices((rows.stop - rows.start, len(y))))
            left += rows.start
            if x is y:
                # Half of the pairs, and equal numbers in both halves.
                left, right = left[left <= right], right[left <= right]
            values[:, left, right] = self._pairs(x, y, left, right, ours, theirs)
        if x is y:
            values = np.triu(values) + np.triu(values, 1).transpose(0, 2, 1)
        return self._placed(values, x)

    def diag(self, x: Any) -> Array:
        """k(x, x) of each graph: (n,) -> (n,)"""
        self._check(x, "x")
        every, ours = np.arange(len(x)), radii(x)
        return self._placed(self._pairs(x, x, every, every, ours, ours), x)

    def _placed(self, values: Host, x: Graphs) -> Array:
        found = asarray_like(values[0], x.like)
        if isinstance(self.decay, Real):
            return found
        require_number("decay", self.decay, found, least=0)
        # The tangent: equal value, equal first derivative.
        return found + (self.decay - stop_gradient(self.decay)) * asarray_like(values[1], x.like)

    def _check(self, x: Any, name: str) -> None:
        if not isinstance(x, Graphs):
            raise TypeError(
                f"{name}: expected Graphs for {self!r}, got {type(x).__name__}; make them with structures.Graphs.of"
            )
        alone = one_way(x.edges, x.edge_labels if self.labelled else None)
        if alone.any():
            graph = int(x.owner[x.edges[alone.argmax(), 0]])
            arc = (x.edges[alone.argmax()] - x.offsets[graph]).tolist()
            raise ValueError(
                f"{name}: expected edges without direction, got {arc} in graph {graph} without one back of the same "
                "label; make the graphs with directed=False"
            )

    def _number(self) -> float:
        try:
            return float(self.decay if isinstance(self.decay, Real) else stop_gradient(self.decay))
        except (TypeError, RuntimeError) as error:  # JAX's traces raise the one, torch's vmap the other
            raise TypeError(
                "decay: its number is needed on the host; call RandomWalk outside of compiled functions"
            ) from error

    def _pairs(self, x: Graphs, y: Graphs, left: Host, right: Host, ours: Host, theirs: Host) -> Host:
        """Values of pairs of graphs, and their derivatives by `decay`: (p,), (p,) -> (2, p)"""
        decay = self._number()
        _require_finite_sum(decay, left, right, ours, theirs)
        arcs, sizes = np.diff(x.edge_offsets)[left], x.sizes[left]
        load = arcs * y.sizes[right] + sizes * np.diff(y.edge_offsets)[right] + sizes * y.sizes[right]
        if (load > MOST).any():
            at = int(load.argmax())
            raise ValueError(
                f"x: graphs {left[at]} of {sizes[at]} nodes and {right[at]} of {y.sizes[right[at]]} need some "
                f"{size(load[at] * 96)} for RandomWalk; take WeisfeilerLehman or ShortestPath, or smaller graphs"
            )
        found = [_solve(self._product(x, y, left[part], right[part]), decay) for part in parts(load, AT_A_TIME)]
        return np.concatenate(found, axis=1)

    def _product(self, x: Graphs, y: Graphs, left: Host, right: Host) -> "_Product":
        ones, others = x.sizes[left], y.sizes[right]
        base = offsets_of(ones * others)
        pair = np.repeat(np.arange(len(left)), np.diff(base))
        a, b = np.divmod(np.arange(int(base[-1])) - base[pair], others[pair])
        same = np.ones(len(pair), dtype=bool)
        if self.labelled:
            same = labels_of(x)[x.offsets[left][pair] + a] == labels_of(y)[y.offsets[right][pair] + b]
        kinds = [None]
        if self.labelled and x.edge_labels is not None and y.edge_labels is not None:
            kinds = np.intersect1d(x.edge_labels, y.edge_labels).tolist()
        steps = [
            (
                _moves(x, left, others, kind, base, others, np.ones_like(others), same, True),
                _moves(y, right, ones, kind, base, np.ones_like(others), others, same, False),
            )
            for kind in kinds
        ]
        return _Product(pair[same], len(left), steps)


def _require_finite_sum(decay: float, left: Host, right: Host, ours: Host, theirs: Host) -> None:
    """Raise ValueError for a pair of graphs whose sum over walks diverges; `ours`, `theirs`: the results of `radii`."""
    product = decay * ours[left] * theirs[right]
    if (product >= 1).any():
        at = int(product.argmax())
        i, j = int(left[at]), int(right[at])
        raise ValueError(
            f"decay: expected less than {1 / (ours[i] * theirs[j]):.6g}, 1 / ({ours[i]:.4g} · {theirs[j]:.4g}) of the "
            f"greatest eigenvalues of graphs {i} of x and {j} of y, got {decay:.6g}: longer walks would count ever more"
        )


@dataclass(frozen=True, eq=False)
class _Product:
    """Product graphs: the pair of graphs of each of their nodes (z,), the number of pairs, and the steps."""

    pair: Host
    count: int
    steps: list[tuple[Any, Any]]

    def walk(self, r: Host) -> Host:
        """W r: (z,) -> (z,)"""
        return sum((first @ (second @ r) for first, second in self.steps), np.zeros_like(r))

    def sums(self, r: Host) -> Host:
        """(z,) -> (p,)"""
        return np.bincount(self.pair, r, minlength=self.count)


def _moves(
    x: Graphs, graphs: Host, others: Host, kind: Any, base: Host, by: Host, beside: Host, same: Host, last: bool
) -> Any:
    """Steps in one of the two graphs of each pair, as a sparse matrix: node a of it with b of the other is at
    a `by` + b `beside` among all nodes (Z,), of which those count that are the `same` (z,).

    (z, Z) of the `last` of two steps, (Z, z) of the first.
    """
    from scipy.sparse import csr_array

    starts, counts = x.edge_offsets[graphs], np.diff(x.edge_offsets)[graphs]
    arcs, pair = spans(starts, counts), np.repeat(np.arange(len(graphs)), counts)
    if kind is not None and x.edge_labels is not None:
        kept = x.edge_labels[arcs] == kind
        arcs, pair = arcs[kept], pair[kept]
    ends = x.edges[arcs] - x.offsets[graphs[pair]][:, None]
    rest = base[pair]
    rows, columns = (rest + end * by[pair] for end in ends.T)
    times = others[pair]
    shift = spans(np.zeros_like(times), times) * np.repeat(beside[pair], times)
    rows, columns = np.repeat(rows, times) + shift, np.repeat(columns, times) + shift
    kept = same[rows if last else columns]
    rows, columns = rows[kept], columns[kept]
    place, shape = np.cumsum(same) - 1, (int(same.sum()), len(same))
    if last:
        return csr_array((np.ones(len(rows)), (place[rows], columns)), shape=shape)
    return csr_array((np.ones(len(rows)), (rows, place[columns])), shape=shape[::-1])


def _solve(product: _Product, decay: float) -> Host:
    """eᵀ r and rᵀ W r, (I - decay W) r = e, of each pair: (2, p), by conjugate gradients of all pairs at a time."""
    e = np.ones(len(product.pair))
    r = e.copy()
    rest = decay * product.walk(r)
    direction = rest.copy()
    square = product.sums(rest**2)
    enough = TOLERANCE**2 * product.sums(e)
    for _ in range(STEPS):
        # A pair that is done does not move: its value does not depend on its company.
        going = square > enough
        if not going.any():
            break
        moved = direction - decay * product.walk(direction)
        step = _share(square, product.sums(direction * moved), going)[product.pair]
        r += step * direction
        rest -= step * moved
        last, square = square, np.where(going, product.sums(rest**2), square)
        direction = rest + _share(square, last, going)[product.pair] * direction
    else:
        raise ArithmeticError(f"decay: {decay:.6g} is too close to where walks count ever more; take a smaller one")
    return np.stack([product.sums(e * r), product.sums(r * product.walk(r))])


def _share(a: Host, b: Host, where: Host) -> Host:
    return np.divide(a, b, out=np.zeros_like(a), where=where & (b > 0))


def radii(x: Graphs) -> Host:
    """The greatest eigenvalue of each adjacency matrix, or a slightly greater number: (n,) -> (n,)

    Of any positive v, the greatest (A² v)_i / v_i is an upper bound of its square (Collatz and Wielandt).
    """
    from scipy.sparse import csr_array

    total, owner = int(x.offsets[-1]), x.owner
    ones = np.ones(len(x.edges))
    matrix = csr_array((ones, (x.edges[:, 0], x.edges[:, 1])), shape=(total, total))
    v, bound = np.ones(total), np.full(len(x), np.inf)
    filled = x.sizes > 0
    starts = x.offsets[:-1][filled]
    for _ in range(50):
        new = matrix @ (matrix @ v)
        if len(starts):
            bound[filled] = np.minimum(bound[filled], np.maximum.reduceat(new / v, starts))
            greatest = np.ones(len(x))
            greatest[filled] = np.maximum(np.maximum.reduceat(new, starts), 1e-200)
            v = np.maximum(new / greatest[owner], 1e-200)
    return np.sqrt(np.where(filled, bound, 0.0))
