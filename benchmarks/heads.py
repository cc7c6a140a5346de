"""Heads on the same features at each λ: ours on rows left out and on test rows, and scikit-learn's `LinearSVC`.

    ckn train cifar10.npz --architecture unsup-256-1024 --whiten --backend torch --out large
    ckn encode large/model.safetensors cifar10.npz --split train --backend torch --out train.npz
    ckn encode large/model.safetensors cifar10.npz --split test --backend torch --out test.npz
    python benchmarks/heads.py train.npz test.npz --heads ridge hinge softmax --svc 5.6e-8

For each λ one head of the rows that `ckn train` does not leave out to choose by, which gives the accuracy on those that
it does, and the error that λ is chosen by there: squared for ridge regression, else the log loss at the best
temperature. One head of all training rows gives the accuracy on the test rows. `gap`: how far, at most, the objective
of that head is above the least there is, in shares of it: by the dual problem of the squared hinge, whatever the
solver. `--svc`: the values of λ at which `LinearSVC` minimises the same with `C` = 1 / (4 λ n), its intercept penalised
a little: its accuracy, and its objective beside ours. It takes 16 bytes for each feature of each row.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from measuring import timed

from ckn.choice import left_out
from ckn.head import DEFAULT_REGS, HEADS, one_vs_rest, word_of
from kerneltools.learning import fit_temperature
from kerneltools.solvers import LinearModel, Loss, Squared, SquaredHinge, moments, newton_cg
from kerneltools.solvers.ridge import model_of
from kerneltools.solvers.sums import RidgeSums, sums_of_blocks

BLOCK = 2048
REUSED = 10.0
SOLVED = 1e-6


@dataclass(frozen=True, eq=False)
class Rows:
    """Features (n, d), the number of the class of each row, and these as targets (n, k) in {+1, -1}."""

    x: Any
    numbers: Any
    targets: Any

    @staticmethod
    def of(path: Path) -> "Rows":
        """What `ckn encode` wrote."""
        with np.load(path) as found:
            x, numbers, names = found["features"], found["labels"], found["classes"]
        return Rows(x, numbers, one_vs_rest(numbers, len(names), x))

    def taken(self, rows: Any) -> "Rows":
        """Those of a mask (n,)."""
        return Rows(self.x[rows], self.numbers[rows], self.targets[rows])

    def accuracy(self, model: Callable[[Any], Any]) -> float:
        """In percent."""
        return 100 * float((np.argmax(model(self.x), axis=1) == self.numbers).mean())

    def blocks(self, weights: Any) -> Iterator[tuple[Any, Any, Any]]:
        """For `sums_of_blocks`."""
        for start in range(0, len(self.x), BLOCK):
            here = slice(start, start + BLOCK)
            yield self.x[here], self.targets[here], weights[here]


def models(rows: Rows, weights: Any, sums: RidgeSums, loss: Loss, regs: Iterable[float]) -> Iterator[LinearModel]:
    """A head for each λ, each from that of the λ before."""
    known, start = None, None
    for reg in regs:
        if isinstance(loss, Squared):
            yield model_of(sums, reg, rows.x.dtype)
            continue
        shift = 5 * reg / loss.greatest_curvature
        if known is None or not 1 / REUSED <= shift / known.shift <= REUSED:
            known = moments(sums, shift, rows.x.dtype)
        start = start or model_of(sums, reg, rows.x.dtype)
        start = newton_cg(rows.x, rows.targets, loss, reg, known, weights=weights, start=start, tolerance=SOLVED)
        yield start


def error(loss: Loss, rows: Rows, model: LinearModel) -> float:
    """What λ is chosen by, on rows that the model has not seen."""
    scores = model(rows.x)
    if isinstance(loss, Squared):
        return float(((scores - rows.targets) ** 2).mean())
    chances = fit_temperature(scores, rows.numbers.tolist())(scores)
    return float(-np.log(chances[np.arange(len(scores)), rows.numbers]).mean())


def objectives(rows: Rows, reg: float, model: LinearModel) -> Any:
    """Of the squared hinge: (k,)"""
    missed = np.maximum(0, 1 - rows.targets * model(rows.x)).astype(np.float64)
    penalty = (model.weights.astype(np.float64) ** 2).sum(axis=0)
    return (missed**2).sum(axis=0) / (2 * len(missed)) + reg * penalty


def gap(rows: Rows, reg: float, model: LinearModel) -> float:
    """A bound of (objective - least objective) / objective for the squared hinge, by the dual problem.

    The largest Σα - n/2 Σα² - |X'(α t)|² / 4λ of a class over α >= 0 with Σ α t = 0 is its least objective.
    """
    n, t = len(rows.x), rows.targets
    alpha = np.maximum(0, 1 - t * model(rows.x)).astype(np.float64) / n
    # As the derivative by the intercept is not quite 0, neither is Σ α t: the greater side gives way.
    sides = [np.where(t == side, alpha, 0) for side in (1, -1)]
    least = np.minimum(*(side.sum(axis=0) for side in sides))
    alpha = sum(side * (least / side.sum(axis=0)) for side in sides)
    across = sum(x.T @ (t * a).astype(x.dtype) for x, t, a in rows.blocks(alpha)).astype(np.float64)
    bound = alpha.sum() - n / 2 * (alpha**2).sum() - (across**2).sum() / (4 * reg)
    return 1 - float(bound / objectives(rows, reg, model).sum())


def swept(loss: Loss, train: Rows, test: Rows, out: Any, regs: list[float], sums: Any) -> dict[float, LinearModel]:
    """A line for each λ; the heads of all rows."""
    seen, every = (~out).astype(train.x.dtype), np.ones(len(out), dtype=train.x.dtype)
    aside, found = train.taken(out), dict[float, LinearModel]()
    heads = models(train, seen, sums[0], loss, regs), models(train, every, sums[1], loss, regs)
    print(f"\n{word_of(loss)}\n{'λ':>9}{'error':>10}{'left out, %':>13}{'test, %':>9}{'gap':>10}")
    for reg, of_seen, of_all in zip(regs, *heads, strict=True):
        line = f"{reg:>9.2g}{error(loss, aside, of_seen):>10.4f}{aside.accuracy(of_seen):>13.2f}"
        above = f"{gap(train, reg, of_all):>10.1e}" if isinstance(loss, SquaredHinge) else ""
        print(f"{line}{test.accuracy(of_all):>9.2f}{above}", flush=True)
        found[reg] = of_all
    return found


def svc(train: Rows, test: Rows, reg: float, ours: LinearModel, tolerance: float) -> None:
    """`LinearSVC`, one class after the other, on features in float64 in a temporary file; what it finds beside ours."""
    from sklearn.svm import LinearSVC

    print(f"\nLinearSVC, λ = {reg:.2g}, C = {1 / (4 * reg * len(train.x)):.4g}, tol = {tolerance:g}")
    least, weights, intercepts = objectives(train, reg, ours), ours.weights.copy(), ours.intercept.copy()
    with tempfile.TemporaryDirectory() as folder:
        x = np.lib.format.open_memmap(Path(folder) / "x.npy", "w+", np.float64, train.x.shape)
        for start in range(0, len(x), BLOCK):
            x[start : start + BLOCK] = train.x[start : start + BLOCK]
        for number in range(len(least)):
            one = LinearSVC(C=1 / (4 * reg * len(x)), dual=False, tol=tolerance)
            _, wall, cpu = timed(one.fit, x, train.numbers == number)
            weights[:, number], intercepts[number] = one.coef_[0], one.intercept_[0]
            found = LinearModel(weights, intercepts)
            ratio = objectives(train, reg, found)[number] / least[number]
            told = f"objective {ratio:.6f} of ours, {one.n_iter_} steps, {wall:.0f} s, {cpu:.0f} of the processor"
            print(f"  class {number}: {told}; test with it {test.accuracy(found):.2f} %", flush=True)
    total = objectives(train, reg, found).sum() / least.sum()
    print(f"  test {test.accuracy(found):.2f} %, ours {test.accuracy(ours):.2f} %; objective {total:.6f} of ours")


def main() -> None:
    """As the text above says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=["ridge", "hinge"])
    parser.add_argument("--least", type=float, default=1e-9, help="the least λ")
    parser.add_argument("--greatest", type=float, default=1e-5, help="the greatest λ")
    parser.add_argument("--svc", nargs="*", type=float, default=[], metavar="λ", help="λ of the hinge for LinearSVC")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of LinearSVC")
    parser.add_argument("--seed", type=int, default=0, help="that of the training")
    args = parser.parse_args()
    train, test = Rows.of(args.train), Rows.of(args.test)
    out = left_out(train.numbers, args.seed)
    print(f"{len(out):,} rows, of which {out.sum():,} left out, and {len(test.x):,}; {train.x.shape[1]:,} features")
    regs = [reg for reg in sorted(DEFAULT_REGS, reverse=True) if args.least <= reg <= args.greatest]
    some = sums_of_blocks(train.blocks((~out).astype(train.x.dtype)))
    aside = train.taken(out)
    sums = [some, some.merge(sums_of_blocks(aside.blocks(np.ones(len(aside.x), dtype=aside.x.dtype))))]
    hinge = {}
    for word in args.heads:
        found = swept(HEADS[word], train, test, out, regs, sums)
        hinge = found if word == "hinge" else hinge
    del some, sums
    for wanted in args.svc:
        reg = min(hinge, key=lambda known: abs(np.log(known / wanted)))
        svc(train, test, reg, hinge[reg], args.tolerance)


if __name__ == "__main__":
    main()
