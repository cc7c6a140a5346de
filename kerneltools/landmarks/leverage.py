"""Ridge leverage scores: how much each row counts for ridge regression on the kernel."""

from dataclasses import dataclass

from kerneltools.arrays import Array, asarray_like, blocks, namespace, widest_float
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import INDEFINITE, Host, Seen, constant, positive_diagonal, precise, rounding
from kerneltools.structures.base import part, take


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A sample that stands for all rows: their numbers (s,), and the probabilities (s,) with which they were drawn."""

    picks: Host
    probabilities: Host


@dataclass(frozen=True, eq=False)
class LeverageScores:
    """Estimates of [K (K + ridge I)^-1]_ii for rows of x, made by `leverage_scores`. All but x is on the host.

    With weights, K has the entries sqrt(w_i w_j) k(x_i, x_j); `roots` are the roots of the weights, (n,) or None.
    """

    kernel: Kernel
    x: Array
    roots: Host | None
    diagonal: Host
    least_ridge: float
    block: int

    def __call__(self, dictionary: Dictionary, ridge: float, among: Host) -> Host:
        """(k_ii - k_iS (K_SS + ridge P)^-1 k_Si) / ridge, at most 1, for the rows with the numbers `among`.

        S and the diagonal P are those of the dictionary (Musco and Musco 2017; Rudi et al. 2018).
        """
        left = self.diagonal[among]
        if len(dictionary.picks):
            points = self._rows(dictionary.picks)
            inverse = self._inverse_factor(dictionary, ridge)
            if self.roots is not None:
                inverse = inverse * self.roots[dictionary.picks]
            for here in blocks(len(among), self.block):
                explained = _explained(self.kernel, points, inverse, self._rows(among[here]))
                left[here] -= explained if self.roots is None else explained * self.roots[among[here]] ** 2
        return (left / ridge).clip(0.0, 1.0)

    def gram(self, picks: Host) -> Host:
        """The kernel matrix of these rows, with their weights."""
        points = self._rows(picks)
        values = to_host(self.kernel(points, points)).astype(float)
        return values if self.roots is None else self.roots[picks][:, None] * values * self.roots[picks]

    def _rows(self, picks: Host) -> Array:
        return precise(self.kernel, take(self.x, picks.tolist()))

    def _inverse_factor(self, dictionary: Dictionary, ridge: float) -> Host:
        """L^-1 for L L' = K_SS + ridge P."""
        gram = self.gram(dictionary.picks)
        host = namespace(gram)
        identity = host.eye(len(gram))
        shift = ridge * dictionary.probabilities + len(gram) * self.least_ridge
        try:
            return host.linalg.solve(host.linalg.cholesky(gram + shift * identity), identity)
        except ValueError as error:
            raise ValueError(
                f"kernel: expected a positive semi-definite one, but its matrix of {len(gram)} rows has an eigenvalue "
                f"of {host.linalg.eigvalsh(gram)[0]:.3g}; {INDEFINITE}"
            ) from error


def leverage_scores(kernel: Kernel, data: Seen, block: int) -> LeverageScores:
    """The scores of these rows for this kernel, `block` rows at a time: memory O(block |S|)."""
    kernel, x = constant(as_kernel(kernel)), constant(data.x)
    diagonal = data.weighted(positive_diagonal(kernel, precise(kernel, x)))
    greatest = float(diagonal.max())
    if not greatest > 0:
        raise ValueError(f"kernel: k(x, x) is 0 for all {x.shape[0]} rows, so that none can be chosen")
    least_ridge = rounding(kernel, precise(kernel, part(x, slice(0, 1)))) * greatest
    roots = None if data.weights is None else data.weights**0.5
    return LeverageScores(kernel, kernel.prepared(x), roots, diagonal, least_ridge, block)


def _explained(kernel: Kernel, points: Array, inverse: Host, here: Array) -> Host:
    values = kernel(points, here)
    xp, wide = namespace(values), widest_float(values)
    whitened = asarray_like(inverse, values, wide) @ xp.astype(values, wide)
    return to_host(xp.sum(whitened * whitened, axis=0))
