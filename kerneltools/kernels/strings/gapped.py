"""Kernels of strings with common short pieces that have gaps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, require_count, require_number
from kerneltools.kernels.counting import CountingKernel, Counts, mixed, parts, wider
from kerneltools.kernels.strings.windows import Windows, pair_sums
from kerneltools.structures import Strings
from kerneltools.structures.base import Collection, Host
from kerneltools.trees import static

MASKS = 100_000
"""The most choices of places of one kernel: each is a pass over the letters."""

COMPARED = 2**16
"""Letters that a window is compared with at a time, so that they stay in a cache."""


@dataclass(frozen=True)
class GappedKmer(CountingKernel):
    """k(s, t) = Σ_u Σ_v C(l - d(u, v), k), over pieces u of s and v of t of l letters that differ in d places.

    (n,), (m,) strings -> (n, m)

    `length` l >= 1, `informative` 1 <= k <= l. Each feature counts the pieces of l letters with given letters at k
    given places; the other l - k places are gaps. `mismatches`: pairs that differ in more places count as 0.

    `truncated`: compare estimates of the counts of whole pieces, made from the counts of gapped ones, with the filter
    cut off at its first zero (-t 2 of lsgkm); it needs `letters`, the size of the alphabet. Together with `mismatches`
    the values may be no kernel: `indefinite` is true then. `peak`, `half_life`: a piece i places from the middle counts
    min(peak, ⌊peak 2^(-i / half_life) + 1⌋) times (-t 4, of peak 50); None for once each. The middle of an even number
    of pieces lies between two, so that both strands count the same.

    `reverse_complement`: the pieces of the other strand count too. Pieces with an ambiguous letter are left out, and a
    string of fewer than l letters has none (Ghandi et al. 2014; Lee 2016). A value takes time proportional to the
    product of the numbers of letters; features (`maps.counts`) take C(l, k) times the number of letters. Strings of
    more than `longest` letters have no values.

    >>> from kerneltools.structures import Strings
    >>> GappedKmer(3, 2)(Strings.of(["ACG"]), Strings.of(["ATG", "ACG", "AC"]))
    array([[1., 3., 0.]])
    """

    length: int = static(11)
    informative: int = static(7)
    mismatches: int | None = static(None)
    truncated: bool = static(False)
    reverse_complement: bool = static(False)
    peak: int | None = static(None)
    half_life: float = static(50.0)
    letters: int = static(4)
    longest: int = static(10_000)

    def __post_init__(self) -> None:
        for name in ("length", "informative", "letters", "longest"):
            require_count(name, getattr(self, name))
        if self.informative > self.length or self.length > 100:
            raise ValueError(
                f"length, informative: expected informative <= length <= 100, got {self.length} and {self.informative}"
            )
        if self.mismatches is not None:
            require_count("mismatches", self.mismatches, least=0)
        if self.peak is not None:
            require_count("peak", self.peak)
        require_number("half_life", self.half_life, wanted="a finite number > 0")

    @property
    def structure(self) -> type[Collection]:
        return Strings

    @property
    def counted(self) -> bool:
        allowed = self.length - self.informative
        return not self.truncated and (self.mismatches is None or self.mismatches >= allowed)

    @property
    def indefinite(self) -> bool:
        if self.counted or (self.truncated and self.mismatches is None):
            return False
        eigenvalues = self._values() @ _krawtchouk(self.length, self.letters)[::-1]
        return bool(eigenvalues.min() < -1e-12 * eigenvalues.max())

    def load(self, x: Any) -> Host:
        masks = comb(self.length, self.informative)
        return np.maximum(x.lengths - self.length + 1, 0) * (masks + 1 if self.reverse_complement else masks)

    def prepared(self, x: Any) -> Any:
        return x if isinstance(x, Counts) else self.checked(x)

    def counts(self, x: Strings) -> Counts:
        found = list(self.found(x))
        codes, owners = (np.concatenate([piece[i] for piece in found]) for i in range(2))
        if self.peak is None and not self.reverse_complement:
            return Counts.of(codes, owners, len(x), like=x.like)
        if self.peak is None and self._exact(len(x.alphabet)):  # equal codes are of equal places, and count alike
            counts = Counts.of(codes, owners, len(x), like=x.like)
            first = np.array(
                [piece[0][0] // self._each(len(x.alphabet)) for piece in found if len(piece[0])], dtype=int
            )
            factors = np.ones(comb(self.length, self.informative))
            factors[first] = [piece[2] for piece in found if len(piece[0])]
            values = counts.values * factors[counts.codes // self._each(len(x.alphabet))]
            return replace(counts, values=values)
        values = np.concatenate([np.broadcast_to(piece[2], piece[0].shape) for piece in found])
        return Counts.of(codes, owners, len(x), values, x.like)

    def found(self, x: Strings) -> Iterator[tuple[Host, Host, Host | float]]:
        """The features for each choice of places. With both strands, one of two mirror-image choices suffices."""
        masks = comb(self.length, self.informative)
        if not self.counted or masks > MASKS:
            raise ValueError(
                f"kernel: {self!r} has no features that are counted"
                + (f": {masks} choices of places, at most {MASKS}" if self.counted else "")
                + "; take maps.nystrom, which needs its values only"
            )
        sides = self._strands(x)
        here = [Windows.of(side, self.length) for side in sides]
        owners = np.concatenate([windows.owners for windows in here])
        weights: Any = 1.0
        if self.peak is not None:
            weights = np.concatenate([self._weights(windows) for windows in here])
        letters = [
            np.concatenate([w.letters(side, place) for w, side in zip(here, sides, strict=True)]).astype(np.uint64)
            for place in range(self.length)
        ]
        base, each, exact = len(x.alphabet), self._each(len(x.alphabet)), self._exact(len(x.alphabet))
        prefixes, before = [np.zeros(len(owners), dtype=np.uint64)], (-1,) * self.informative
        for number, places in enumerate(combinations(range(self.length), self.informative)):
            mirrored = tuple(self.length - 1 - place for place in reversed(places))
            if self.reverse_complement and mirrored < places:
                continue
            kept = next(i for i in range(len(places)) if places[i] != before[i])
            del prefixes[kept + 1 :]
            for place in places[kept:]:
                codes = prefixes[-1] * np.uint64(base) + letters[place]
                prefixes.append(codes if exact else mixed(codes))
            before = places
            code = prefixes[-1] + np.uint64(number * each if exact else number << 40)
            twice = self.reverse_complement and mirrored != places
            yield (code if exact else mixed(code)).view(np.int64), owners, 2**0.5 * weights if twice else weights

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) -> (n, m)"""
        if isinstance(x, Counts) or isinstance(y, Counts):
            return super().__call__(x, y)
        x, y = self._ready(x), self._ready(y)
        if x.alphabet != y.alphabet:
            raise ValueError(f"x, y: expected strings of one alphabet, got {x!r} and {y!r}")
        # The letters of the first are gone through at once, those of the other one by one.
        found = self._of_pairs(x, y) if len(x.tokens) >= len(y.tokens) else self._of_pairs(y, x).T
        return asarray_like(found, wider(x.like, y.like))

    def diag(self, x: Any) -> Array:
        """k(x, x) of each string: (n,) -> (n,)"""
        if isinstance(x, Counts):
            return super().diag(x)
        x, value = self._ready(x), self._values()
        order = np.argsort(x.lengths, kind="stable")
        found = np.zeros(len(x))
        for part in parts(np.maximum(x.lengths[order], 1), COMPARED):
            some = x.taken(order[part])
            rows = some.padded()[0].astype(np.int8)
            kept = _padded(some, self._all_weights(some), self.length)
            for side in self._strands(some):
                weights = _padded(side, self._all_weights(side), self.length)
                sums = pair_sums(rows, side.padded()[0].astype(np.int8), self.length, value, weights)
                found[order[part]] += (sums * kept).sum(axis=1)
        return asarray_like(found * (2.0 if self.reverse_complement else 1.0), x.like)

    def _each(self, letters: int) -> int:
        """How many features there are for one choice of places."""
        return int(letters**self.informative)

    def _exact(self, letters: int) -> bool:
        """Whether codes are the features themselves, not hashes."""
        return comb(self.length, self.informative) * self._each(letters) < 2**63

    def _ready(self, x: Any) -> Strings:
        held: Strings = self.checked(x)
        if held.lengths.max(initial=0) > self.longest:
            number = int(held.lengths.argmax())
            raise ValueError(
                f"x: string {number} has {held.lengths[number]} letters: a value of two such strings takes about "
                f"{4e-10 * float(held.lengths[number]) ** 2:.2g} s; take maps.counts(kernel, columns=...), which is "
                f"linear, or allow it: longest={held.lengths[number]}"
            )
        if (self.truncated or self.mismatches is not None) and len(held.alphabet) != self.letters:
            raise ValueError(f"letters: expected {len(held.alphabet)}, as the alphabet has, got {self.letters}")
        if len(held.alphabet) > 127:
            raise ValueError(f"x: expected an alphabet of at most 127 letters, got {len(held.alphabet)}")
        return held

    def _of_pairs(self, x: Strings, y: Strings) -> Host:
        value, found = self._values(), np.zeros((len(x), len(y)))
        twice = 2.0 if self.reverse_complement else 1.0
        sides = [(side.tokens.astype(np.int8)[None, :], self._all_weights(side)) for side in self._strands(y)]
        for part in parts(x.lengths, COMPARED):
            some = x[part]
            rows, kept = some.tokens.astype(np.int8)[None, :], self._all_weights(some)
            owners = np.repeat(np.arange(len(some)), some.lengths)[: kept.shape[0]]
            for number in range(part.start if x is y else 0, len(y)):
                letters = slice(int(y.offsets[number]), int(y.offsets[number + 1]))
                if letters.stop - letters.start < self.length:
                    continue
                starts = slice(letters.start, letters.stop - self.length + 1)
                for tokens, weights in sides:
                    sums = pair_sums(rows, tokens[:, letters], self.length, value, weights[None, starts])[0]
                    found[part, number] += twice * np.bincount(owners, sums * kept, minlength=len(some))
        return np.triu(found) + np.triu(found, 1).T if x is y else found

    def _strands(self, x: Strings) -> list[Strings]:
        return [x, x.reverse_complement()] if self.reverse_complement else [x]

    def _weights(self, windows: Windows) -> Host:
        """The weight of each piece, the same on both strands, so that either may be used."""
        if self.peak is None:
            return np.ones(len(windows.starts))
        away = np.abs((windows.counts - 1) / 2 - windows.places)
        return np.minimum(self.peak, np.floor(self.peak * 2.0 ** (-away / self.half_life) + 1))

    def _all_weights(self, x: Strings) -> Host:
        """The weights of all starts of windows, 0 where no piece starts: (N - l + 1,)"""
        windows = Windows.of(x, self.length)
        found = np.zeros(max(0, len(x.tokens) - self.length + 1))
        found[windows.starts] = self._weights(windows)
        return found

    def _values(self) -> Host:
        """The value of two pieces, for each number of common letters: (l + 1,)"""
        if self.truncated:
            found = filtered(self.length, self.informative, self.letters)
        else:
            found = np.array([float(comb(common, self.informative)) for common in range(self.length + 1)])
        if self.mismatches is not None:
            found[: max(0, self.length - self.mismatches)] = 0.0
        return found


def filtered(length: int, informative: int, letters: int) -> Host:
    """Values of the truncated filter for each number of common letters: (l + 1,)

    Estimates are projections on functions of k letters; as functions of the places in which two pieces differ, these
    are sums of Krawtchouk polynomials (Ghandi, Mohammad-Noori and Beer 2014), which also convolve them.
    """
    polynomials, total = _krawtchouk(length, letters), float(letters) ** length
    estimate = polynomials[: informative + 1].sum(axis=0) / total
    cut = (estimate <= 1e-14 * estimate[0]).nonzero()[0]
    estimate[cut[0] if len(cut) else length + 1 :] = 0.0
    eigenvalues = estimate @ polynomials
    found = (eigenvalues**2 @ polynomials / total)[::-1]
    return np.where(np.abs(found) < 1e-14 * found[-1], 0.0, found)


def _krawtchouk(length: int, letters: int) -> Host:
    """K_j(d), of degree j at d places: (l + 1, l + 1); K_d(j) is its sum over all words at distance d, times a wave."""
    return np.array(
        [
            [
                float(
                    sum(
                        (-1) ** i * (letters - 1) ** (j - i) * comb(d, i) * comb(length - d, j - i)
                        for i in range(j + 1)
                    )
                )
                for d in range(length + 1)
            ]
            for j in range(length + 1)
        ]
    )


def _padded(x: Strings, values: Host, length: int) -> Host:
    """Values at all starts of windows (N - l + 1,), string by string, 0 behind the last of each: (n, T - l + 1)"""
    width = max(0, int(x.lengths.max(initial=0)) - length + 1)
    there = np.arange(width) < np.maximum(x.lengths - length + 1, 0)[:, None]
    found = np.zeros(there.shape)
    found[there] = values[(x.offsets[:-1, None] + np.arange(width))[there]]
    return found
