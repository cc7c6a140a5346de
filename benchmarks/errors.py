"""Error against time: all rules that choose landmarks, and all maps, on several data sets.

Of each map, for several sizes m, in float32: the relative error |K - ΦΦ'| / |K| (Frobenius) and the relative trace
error |tr K - tr ΦΦ'| / tr K, both on 2,000 rows against the kernel in float64, and the processor seconds of one thread
to prepare the map, landmarks included, and to apply it to all rows. Medians over the seeds. Processor time is what the
process itself has used: other work on the machine does not count.

The kernels: Gaussian, with a bandwidth in units of the median distance; for the maps of other kernels the arc-cosine
kernel of order 1 and the polynomial (1 + <x, y>)³ on rows of mean square norm 1, and additive χ² on rows >= 0.

Usage: python benchmarks/errors.py [digits clustered images.npz] [--scale 1] [--seeds 3]
           [--csv errors.csv] [--picture errors.png] [--short 256]
       python benchmarks/errors.py --from errors.csv ...    the same from numbers measured before
An .npz file holds images or rows in X_train, or in its only array; 10,000 are taken, images averaged over 2 x 2 pixels.
Without --scale each data set has its own bandwidths; the picture is of the greatest. --short prints the tables of one
size as Markdown.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass, fields
from functools import partial
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from datasets import Data, load, median_distance
from measuring import limit_threads, timed

from kerneltools import kernels, landmarks, maps
from kerneltools.kernels import Kernel
from kerneltools.landmarks import Selector

FEW, MANY = (64, 128, 256, 512, 1024), (64, 256, 1024, 4096)
"""Sizes of maps with landmarks, and of random ones, which take less time for each feature."""


@dataclass(frozen=True)
class Line:
    """What was measured; `group` is the panel it belongs to."""

    data: str
    group: str
    scale: float
    name: str
    m: int
    frobenius: float
    trace: float
    prepare: float
    apply: float

    @property
    def seconds(self) -> float:
        """To prepare the map and to apply it."""
        return self.prepare + self.apply


@dataclass(frozen=True, eq=False)
class Candidate:
    """A map of a kernel, made from m and a seed, and the rows it is for."""

    group: str
    scale: float
    name: str
    kernel: Kernel
    x: Any
    make: Callable[[int, int], maps.Map]
    sizes: tuple[int, ...]


RULES: dict[str, Callable[[int], Selector]] = {
    "Uniform": landmarks.Uniform,
    "KMeansPlusPlus": landmarks.KMeansPlusPlus,
    "KMeans": landmarks.KMeans,
    "MiniBatchKMeans": landmarks.MiniBatchKMeans,
    "RPCholesky": landmarks.RPCholesky,
    "Greedy": landmarks.Greedy,
    "RidgeLeverage": landmarks.RidgeLeverage,
    "BLESS": landmarks.BLESS,
}


def on_landmarks(rule: Callable[[int], Selector], kernel: Kernel, x: Any, m: int, seed: int) -> maps.Map:
    """The Nyström map on landmarks that the rule chooses."""
    return maps.nystrom(kernel, rule(m)(kernel, x, seed).points)


def rules(x: Any, scale: float) -> Iterator[Candidate]:
    """All rules that choose landmarks, for a Gaussian kernel."""
    kernel = kernels.Gaussian(scale * median_distance(x))
    for name, rule in RULES.items():
        yield Candidate("landmarks", scale, name, kernel, x, partial(on_landmarks, rule, kernel, x), FEW)


def gaussian(x: Any, scale: float) -> Iterator[Candidate]:
    """All random maps of the Gaussian kernel."""
    kernel = kernels.Gaussian(scale * median_distance(x))
    draw = partial(maps.fourier, kernel, x.shape[1], like=x)
    found: dict[str, Callable[[int, int], maps.Map]] = {
        "fourier, independent": partial(draw, orthogonal=False),
        "fourier, orthogonal": draw,
        "fourier, quasi": partial(draw, quasi=True),
        "positive": partial(maps.positive, kernel, x.shape[1], like=x),
    }
    for name, make in found.items():
        yield Candidate("Gaussian", scale, name, kernel, x, make, MANY)


def others(x: Any, histograms: Any) -> Iterator[Candidate]:
    """Maps of other kernels, each beside a Nyström map of the same kernel."""
    u, d = x / np.sqrt(np.mean(np.sum(x * x, axis=1))), x.shape[1]
    relu, cubic = kernels.ArcCosine(1), kernels.Polynomial(3, 1.0)
    found: dict[str, tuple[Kernel, Callable[[int, int], maps.Map], tuple[int, ...]]] = {
        "arccos": (relu, partial(maps.arccos, relu, d, like=u), MANY),
        "nystrom, arc-cosine": (relu, partial(on_landmarks, landmarks.SphericalKMeans, relu, u), FEW),
        "tensor_sketch": (cubic, partial(maps.tensor_sketch, cubic, d), MANY),
        "maclaurin": (cubic, partial(maps.maclaurin, cubic, d, like=u), MANY),
        "nystrom, polynomial": (cubic, partial(on_landmarks, landmarks.RPCholesky, cubic, u), FEW),
    }
    for name, (kernel, make, sizes) in found.items():
        yield Candidate("others", 0.0, name, kernel, u, make, sizes)
    if histograms is not None:
        chi2, x = kernels.AdditiveChi2(), histograms
        sampled = tuple(n * d for n in (3, 5, 7))
        yield Candidate("others", 0.0, "chi2", chi2, x, partial(with_samples, chi2, d), sampled)
        make = partial(on_landmarks, landmarks.RPCholesky, chi2, x)
        yield Candidate("others", 0.0, "nystrom, χ²", chi2, x, make, FEW)


def with_samples(kernel: kernels.AdditiveChi2, d: int, m: int, seed: int) -> maps.Map:
    """The χ² map of m features, which has no randomness."""
    return maps.chi2(kernel, d, (m // d - 1) // 2)


def candidates(data: Data, scales: tuple[float, ...]) -> Iterator[Candidate]:
    """All maps for a data set."""
    for scale in scales:
        yield from rules(data.x, scale)
        yield from gaussian(data.x, scale)
    yield from others(data.x, data.histograms)


def measure(data: str, c: Candidate, seeds: int) -> Iterator[Line]:
    """One line for each size."""
    part = np.random.default_rng(0).permutation(c.x)[:2000]
    wide = part.astype(float)
    exact = c.kernel(wide, wide)
    c.make(c.sizes[0], 0)(c.x)  # what is loaded, compiled or grown once
    for m in c.sizes:
        runs = [once(c, m, seed, part, exact) for seed in range(seeds)]
        size, *values = (median(numbers) for numbers in zip(*runs, strict=True))
        yield Line(data, c.group, c.scale, c.name, int(size), *values)


def once(c: Candidate, m: int, seed: int, part: Any, exact: Any) -> tuple[float, ...]:
    """How many features were made, both errors, and the seconds to prepare and to apply."""
    phi, _, prepared = timed(c.make, m, seed)
    _, _, applied = timed(lambda: phi(c.x).shape)
    features = phi(part).astype(float)
    missed = float(np.linalg.norm(exact - features @ features.T) / np.linalg.norm(exact))
    traces = float(abs(1 - np.sum(features**2) / np.trace(exact)))
    return phi.dimension, missed, traces, prepared, applied


def show(line: Line) -> None:
    """One line of the table."""
    print(f"{line.data:<11}{line.group:<11}{line.scale or '':>5}  {line.name:<23}{line.m:>6}", end="")
    print(f"{line.frobenius:>12.2e}{line.trace:>12.2e}{line.prepare:>9.3f}{line.apply:>9.3f}", flush=True)


def short(lines: list[Line], group: str, m: int) -> Iterator[str]:
    """A table in Markdown, a row for each map of about m features: trace errors of landmarks, |K - ΦΦ'| of others."""
    chosen = [line for line in lines if line.group == group]
    columns = list(dict.fromkeys((line.data, line.scale) for line in chosen))
    yield "| map | " + " | ".join(data + (f", ×{scale:g}" if scale else "") for data, scale in columns) + " |"
    yield "|---" * (1 + len(columns)) + "|"
    for name in dict.fromkeys(line.name for line in chosen):
        found = {column: [x for x in chosen if (x.data, x.scale) == column and x.name == name] for column in columns}
        yield f"| {name} | " + " | ".join(cell(sizes, group, m) for sizes in found.values()) + " |"


def cell(sizes: list[Line], group: str, m: int) -> str:
    """The error and the seconds of the size next to m, which is named where it is another."""
    if not sizes:
        return ""
    line = min(sizes, key=lambda line: abs(log(line.m / m)))
    error = line.trace if group == "landmarks" else line.frobenius
    return f"{digits(error)}, {digits(line.seconds)} s" + (f" (m = {line.m})" if line.m != m else "")


def digits(x: float) -> str:
    """Two of them."""
    return f"{x:#.2g}".rstrip(".")


def measured(names: list[str], scales: tuple[float, ...], seeds: int) -> Iterator[Line]:
    """All lines, as they come."""
    for name in names:
        data = load(name)
        for candidate in candidates(data, scales or data.scales):
            yield from measure(data.name, candidate, seeds)


def read(path: Path) -> Iterator[Line]:
    """The lines of a file that was written by --csv."""
    kinds = [field.type for field in fields(Line)]
    with path.open(encoding="utf-8", newline="") as file:
        for cells in list(csv.reader(file))[1:]:
            yield Line(*(kind(cell) for kind, cell in zip(kinds, cells, strict=True)))  # type: ignore[operator, arg-type]


def write(lines: list[Line], path: Path) -> None:
    """A file that `read` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(asdict(lines[0]))
        writer.writerows(map(astuple, lines))


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["digits", "clustered"])
    parser.add_argument("--scale", type=float, nargs="+", default=())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--from", type=Path, dest="source")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--short", type=int)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", landmarks.ReducedWarning)  # the table says how many were made
    print(f"processor seconds, {limit_threads(1)}, medians of {asked.seeds} seeds")
    print(f"{'data':<11}{'group':<11}{'width':>5}  {'map':<23}{'m':>6}", end="")
    print(f"{'frobenius':>12}{'trace':>12}{'prepare':>9}{'apply':>9}")
    lines = []
    for line in read(asked.source) if asked.source else measured(asked.data, tuple(asked.scale), asked.seeds):
        show(line)
        lines.append(line)
    if asked.csv:
        write(lines, asked.csv)
    if asked.short:
        for group in dict.fromkeys(line.group for line in lines):
            print("\n".join(["", *short(lines, group, asked.short)]))
    if asked.picture:
        from errors_picture import draw

        draw(lines, asked.picture)


if __name__ == "__main__":
    main()
