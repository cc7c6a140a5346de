"""Readouts by optimal transport to references (Mialon, Chen, d'Aspremont and Mairal 2021)."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ckn.layers.laid import Runs, before_zeros
from kerneltools.arrays import (
    Array,
    asarray_like,
    blocks,
    indices_like,
    namespace,
    require_count,
    require_floating,
    require_rank,
)
from kerneltools.backend import to_host
from kerneltools.kernels.base import check_positive
from kerneltools.landmarks import ReducedWarning, SphericalKMeans
from kerneltools.landmarks.base import warn_reduced
from kerneltools.precision import in_single
from kerneltools.primitives import few_sizes
from kerneltools.random import choice
from kerneltools.structures import Ragged
from kerneltools.structures.base import Host, offsets_of, spans, take
from kerneltools.transport import transport_plan, transport_pool
from kerneltools.trees import Tree, static

Report = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Sets(Tree):
    """Where the elements of each set are.

    `places` (n, T): rows of items, a row of zeros for missing ones; `here` (n, T): 1 where there is an element, else 0;
    `closeness` (n, T, p) of positions, or None.
    """

    places: Array
    here: Array
    closeness: Array | None


@dataclass(frozen=True, eq=False)
class TransportPool(Tree):
    """A readout: each reference gets the mean of the elements that an optimal transport plan carries to it.

    items (N, d), which end with zeros, and a table of n sets -> (n or more, p heads d)

    `references` (heads, p, d), which training moves; `eps` and `iterations`: see `kerneltools.transport`. `position`: a
    width s > 0, for sequences: similarities and plan are multiplied by exp(-((i / T - j / p) / s)²), of the element i
    of T and the reference j of p. T is the set's own length, which does not depend on the batch. (The published code
    divides by the padded length.) A set without elements has features 0. Raises ValueError for numbers out of range.

    >>> import ckn
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "TTACGTCGAA"])
    >>> architecture = ckn.Architecture((ckn.PartSpec(4, Windows(5)),), ckn.Transport(references=3))
    >>> pool = ckn.fit_unsupervised(architecture, x, rng=0).readout
    >>> pool.references.shape, pool.eps
    ((1, 3, 4), 0.5)
    """

    references: Array
    eps: float = static(0.5)
    iterations: int = static(30)
    position: float | None = static(None)

    def __post_init__(self) -> None:
        require_rank(3, "(heads, p, d)", references=self.references)
        require_floating(references=self.references)
        _check(self.eps, self.iterations, self.position)

    def width(self, columns: int) -> int:
        """How many features it makes of items of this many columns."""
        return int(self.references.shape[0] * self.references.shape[1]) * columns

    def lay(self, runs: Runs, like: Array) -> Sets:
        """Where the elements of each set are, in the library of `like`; made on the host."""
        lengths, count = runs.lengths, len(runs)
        rows, width = few_sizes(count + 1, like), few_sizes(max(1, int(lengths.max(initial=0))), like)
        here = np.zeros((rows, width), dtype=bool)
        here[:count] = np.arange(width) < lengths[:, None]
        places = np.full(here.shape, int(runs.offsets[-1]), dtype=np.int64)
        places[here] = np.arange(int(runs.offsets[-1]))
        closeness = None
        if self.position is not None:
            closeness = asarray_like(self._closeness(lengths, rows, width, self.position), like)
        return Sets(indices_like(places, like), asarray_like(here.astype(np.float64), like), closeness)

    @in_single
    def __call__(self, items: Array, table: Sets) -> Array:
        """(N, d), table -> (n or more, p heads d)"""
        pooled = transport_pool(_elements(items, table), self.references, table.here, **self._settings(table))
        n, p, columns = pooled.shape
        return namespace(pooled).reshape(pooled, (n, p * columns))

    @in_single
    def plan(self, items: Array, table: Sets) -> Array:
        """How much of each element goes to each reference: (N, d), table -> (n or more, heads, T, p)"""
        return transport_plan(_elements(items, table), self.references, table.here, **self._settings(table))

    def plans(self, x: Ragged) -> list[Array]:
        """The transport plan of each object, from the items of `Network.items`: n arrays (T_i, d) -> n (heads, T_i, p)

        `ckn.pictures.transport` draws what goes to each reference.
        """
        plans = self.plan(before_zeros(x.values), self.lay(Runs(x.offsets), x.values))
        return [plans[number, :, : int(length), :] for number, length in enumerate(x.lengths)]

    def _settings(self, table: Sets) -> dict[str, Any]:
        return {"eps": self.eps, "iterations": self.iterations, "closeness": table.closeness}

    def _closeness(self, lengths: Host, rows: int, width: int, position: float) -> Host:
        p, true = int(self.references.shape[1]), np.ones(rows)
        true[: len(lengths)] = np.maximum(lengths, 1)
        apart = np.arange(width)[None, :, None] / true[:, None, None] - np.arange(p) / p
        found: Host = np.exp(-((apart / position) ** 2))
        return found


@runtime_checkable
class Start(Protocol):
    """How the references are initialised."""

    def chosen(self, items: Array, offsets: Host, spec: "Transport", rng: np.random.Generator, report: Report) -> Array:
        """Sets (N, d), (n + 1,) on the host -> references (heads, p, d)"""


@dataclass(frozen=True)
class FromElements:
    """References from spherical k-means on at most `elements` elements of all sets; for one head.

    >>> import ckn
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "TTACGTCGAA"])
    >>> readout = ckn.Transport(references=3, start=FromElements(elements=1000))
    >>> ckn.fit_unsupervised(ckn.Architecture((ckn.PartSpec(4, Windows(5)),), readout), x, rng=0).encode(x).shape
    (3, 12)
    """

    elements: int = 100_000

    def __post_init__(self) -> None:
        require_count("elements", self.elements)

    def chosen(self, items: Array, offsets: Host, spec: "Transport", rng: np.random.Generator, report: Report) -> Array:
        """Sets (N, d), (n + 1,) on the host -> references (1, p, d). Raises ValueError for several heads."""
        if spec.heads > 1:
            raise ValueError(f"start: FromElements makes one head, got heads={spec.heads}: take FromSets()")
        found = _centres(items, spec.references, self.elements, rng)
        warn_reduced(spec.references, int(found.shape[0]), "distinct elements", int(items.shape[0]))
        return found[None, :, :]


@dataclass(frozen=True)
class FromSets:
    """References from k-means on whole sets, each head a cluster of them: Wasserstein k-means.

    A set belongs to the head to which it is carried at the least cost, Σ plan <x, w> / p being greatest; the references
    of a head are the centres, by spherical k-means, of at most `elements` elements of its sets. It ends after `rounds`
    rounds, or when no set changes its head.

    >>> import ckn
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "TTACGTCGAA"])
    >>> readout = ckn.Transport(references=3, heads=2, start=FromSets(rounds=5))
    >>> ckn.fit_unsupervised(ckn.Architecture((ckn.PartSpec(4, Windows(5)),), readout), x, rng=0).encode(x).shape
    (3, 24)
    """

    rounds: int = 10
    elements: int = 100_000

    def __post_init__(self) -> None:
        require_count("rounds", self.rounds)
        require_count("elements", self.elements)

    def chosen(self, items: Array, offsets: Host, spec: "Transport", rng: np.random.Generator, report: Report) -> Array:
        """Sets (N, d), (n + 1,) on the host -> references (heads, p, d). Raises ValueError for few sets."""
        full = np.flatnonzero(np.diff(offsets) > 0)
        if len(full) < spec.heads:
            raise ValueError(f"heads: {spec.heads} asked for, and {len(full)} sets have elements; take fewer heads")
        # One set for a head, or as many as have some elements for each reference.
        few = min(ceil(4 * spec.references * len(full) / int(offsets[-1])), len(full) // spec.heads)
        groups = list(rng.permutation(full)[: few * spec.heads].reshape(spec.heads, few))
        before = np.full(len(full), -1)
        for number in range(self.rounds):
            report(number, self.rounds)
            references = self._centres(items, offsets, groups, spec, rng)
            likeness = _likeness(spec.pool(references), items, offsets, full)
            head = np.argmax(likeness, axis=1)
            if (head == before).all():
                break
            worst, before = full[np.argsort(likeness.max(axis=1), kind="stable")[:few]], head
            members = [full[head == h] for h in range(spec.heads)]
            groups = [some if len(some) else worst for some in members]
        report(self.rounds, self.rounds)
        warn_reduced(spec.references, int(references.shape[1]), "distinct elements", int(items.shape[0]))
        return references

    def _centres(
        self, items: Array, offsets: Host, groups: list[Host], spec: "Transport", rng: np.random.Generator
    ) -> Array:
        found = []
        for group in groups:
            own = take(items, spans(offsets[group], np.diff(offsets)[group]))
            centres = _centres(own, spec.references, self.elements, rng)
            if centres.shape[0] < spec.references:  # of too few elements: those of all sets
                centres = _centres(items, spec.references, self.elements, rng)
            found.append(centres)
        return namespace(*found).stack(found)


@dataclass(frozen=True)
class Transport:
    """A readout that learns its `references`, p for each of `heads` heads, and becomes a `TransportPool`.

    `eps` > 0, the entropic regularisation, in units of <x, w>; `iterations` of Sinkhorn's algorithm; `position`: see
    `TransportPool`. `start`: `FromElements()`, the default for one head, or `FromSets()`, the default for several.
    There are p heads times as many features as items have columns. Raises ValueError and TypeError for anything else.

    >>> import ckn
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "TTACGTCGAA"])
    >>> architecture = ckn.Architecture((ckn.PartSpec(4, Windows(5)),), readout=Transport(references=3))
    >>> ckn.fit_unsupervised(architecture, x, rng=0)(x).shape
    (3, 12)
    """

    references: int = 10
    heads: int = 1
    eps: float = 0.5
    iterations: int = 30
    position: float | None = None
    start: Start | None = None

    def __post_init__(self) -> None:
        require_count("references", self.references)
        require_count("heads", self.heads)
        _check(self.eps, self.iterations, self.position)
        start: Any = self.start
        if isinstance(start, type) or not isinstance(start, Start | None):
            raise TypeError(f"start: expected FromElements() or FromSets(), got {start!r}")

    def pool(self, references: Array) -> TransportPool:
        """The readout with these references: (heads, p, d)"""
        return TransportPool(references, self.eps, self.iterations, self.position)

    def fitted(self, items: Array, offsets: Host, rng: np.random.Generator, progress: Report) -> TransportPool:
        """The readout, with references learnt from sets (N, d), (n + 1,) on the host.

        Raises ValueError if all elements are 0. Warns (ReducedWarning) if there are fewer references than asked for,
        since there are too few distinct elements.
        """
        start = self.start or (FromElements() if self.heads == 1 else FromSets())
        progress(0, 1)
        references = start.chosen(items, offsets, self, rng, progress)
        progress(1, 1)
        return self.pool(references)


def _check(eps: float, iterations: int, position: float | None) -> None:
    check_positive("eps", eps)
    require_count("iterations", iterations)
    if position is not None:
        check_positive("position", position)


def _elements(items: Array, table: Sets) -> Array:
    """(N, d) -> (n, T, d)"""
    xp, (n, length) = namespace(items), table.places.shape
    flat = xp.take(items, xp.reshape(table.places, (-1,)), axis=0)
    return xp.reshape(flat, (n, length, items.shape[1]))


def _centres(items: Array, count: int, most: int, rng: np.random.Generator) -> Array:
    """At most `count` centres of directions, fewer if there are no more: (N, d) -> (p, d)"""
    drawn = items if items.shape[0] <= most else take(items, np.sort(choice(rng, int(items.shape[0]), most)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReducedWarning)  # whoever calls says so, once
        rule: Any = SphericalKMeans(count)
        return rule(None, drawn, rng).points


def _likeness(pool: TransportPool, items: Array, offsets: Host, which: Host) -> Host:
    """Σ plan <x, w> / p of some sets with each head, on the host: -> (n, heads)"""
    found, lengths = [], np.diff(offsets)[which]
    for rows in blocks(len(which), 256):
        runs = Runs(offsets_of(lengths[rows]))
        some = take(items, spans(offsets[which[rows]], lengths[rows]))
        xp = namespace(some)
        table = pool.lay(runs, some)
        with_zeros = xp.concat([some, 0 * some[:1, :]], axis=0)
        pooled = transport_pool(_elements(with_zeros, table), pool.references, table.here, **pool._settings(table))
        n, (heads, p, d) = len(runs), pool.references.shape
        by_head = xp.permute_dims(xp.reshape(pooled[:n, ...], (n, p, heads, d)), (0, 2, 1, 3))
        found.append(to_host(xp.sum(by_head * pool.references, axis=(2, 3)) / p))
    return np.concatenate(found)
