"""Feature maps: time and memory beside scikit-learn's Nystroem, and error against time.

speed: landmarks, map and all features of n rows of d columns, float32, ours and scikit-learn's by turns in one process;
seconds (least of the runs, of the wall clock and of the process), and the peak of extra memory in sizes of the result,
each in a process of its own.
error: relative error |K - ΦΦ'| / |K| (Frobenius) on 2,000 rows, and seconds to prepare the map and to apply it to all.

Usage: python benchmarks/maps.py speed [--n 50000] [--d 50] [--m 1000] [--runs 3]
       python benchmarks/maps.py error [--data digits clustered images.npz] [--m 64 256 1024]
An .npz file holds images or rows in its first array, as in benchmarks/landmarks.py.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from landmarks import NAMED, file, median_distance

from kerneltools import landmarks, maps
from kerneltools.kernels import Gaussian


def ours(x: Any, kernel: Gaussian, m: int) -> Any:
    """Nyström features on uniform landmarks, as scikit-learn's are."""
    return maps.nystrom(kernel, landmarks.Uniform(m)(kernel, x, 0).points)(x)


def theirs(x: Any, kernel: Gaussian, m: int) -> Any:
    """The same by scikit-learn."""
    from sklearn.kernel_approximation import Nystroem

    return Nystroem(gamma=0.5 / float(kernel.bandwidth) ** 2, n_components=m, random_state=0).fit_transform(x)


SIDES: dict[str, Callable[[Any, Gaussian, int], Any]] = {"kerneltools": ours, "scikit-learn": theirs}


def problem(n: int, d: int) -> tuple[Any, Gaussian]:
    """Normal rows, and the kernel of their median distance."""
    x = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    return x, Gaussian(median_distance(x))


def extra_memory(side: str, n: int, d: int, m: int, channel: Any) -> None:
    """The growth of the peak of this process over the features' making, in sizes of the result."""
    x, kernel = problem(n, d)
    SIDES[side](x[:200], kernel, 10)
    before = peak()
    size = SIDES[side](x, kernel, m).nbytes
    channel.put((peak() - before) / size)


def peak() -> int:
    """The greatest number of bytes that this process has had so far (Linux); getrusage counts its parent's, too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def memory_of(side: str, n: int, d: int, m: int) -> float:
    """`extra_memory` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    channel = context.Queue()
    process = context.Process(target=extra_memory, args=(side, n, d, m, channel))
    process.start()
    found = float(channel.get())
    process.join()
    return found


def timed(f: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, and the seconds of the wall clock and of the process."""
    wall, cpu = perf_counter(), process_time()
    found = f()
    return found, perf_counter() - wall, process_time() - cpu


def speed(n: int, d: int, m: int, runs: int) -> None:
    """The table of the two, and their ratios."""
    x, kernel = problem(n, d)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for _ in range(runs):
        for name, side in SIDES.items():
            times[name].append(timed(lambda side=side: side(x, kernel, m).shape)[1:])  # type: ignore[misc]
    table = {
        name: (*(min(run[i] for run in found) for i in (0, 1)), memory_of(name, n, d, m))
        for name, found in times.items()
    }
    print(f"n = {n}, d = {d}, m = {m}, float32\n{'':<14}{'seconds':>9}{'cpu':>9}{'memory':>9}")
    for name, row in table.items():
        print(f"{name:<14}" + "".join(f"{value:>9.3f}" for value in row))
    ratios = (a / b for a, b in zip(table["kerneltools"], table["scikit-learn"], strict=True))
    print(f"{'ratio':<14}" + "".join(f"{value:>9.3f}" for value in ratios), flush=True)


def makers(kernel: Gaussian, x: Any) -> dict[str, Callable[[int], maps.Map]]:
    """The maps of a Gaussian kernel."""
    d = x.shape[1]

    def nystrom(selector: Callable[[int], Any]) -> Callable[[int], maps.Map]:
        return lambda m: maps.nystrom(kernel, selector(m)(kernel, x, 0).points)

    return {
        "nystrom, uniform": nystrom(landmarks.Uniform),
        "nystrom, k-means": nystrom(landmarks.MiniBatchKMeans),
        "nystrom, rpcholesky": nystrom(landmarks.RPCholesky),
        "fourier": lambda m: maps.fourier(kernel, d, m, 0, orthogonal=False, like=x),
        "fourier, orthogonal": lambda m: maps.fourier(kernel, d, m, 0, like=x),
        "fourier, quasi": lambda m: maps.fourier(kernel, d, m, 0, quasi=True, like=x),
        "positive": lambda m: maps.positive(kernel, d, m, 0, like=x),
    }


def errors(name: str, sizes: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """The lines of the table of one data set."""
    data = NAMED[name]() if name in NAMED else file(name)
    x = data.x.astype(np.float32)
    part = np.random.default_rng(0).permutation(x)[:2000]
    for scale in data.scales:
        kernel = Gaussian(scale * median_distance(x))
        exact = kernel(part.astype(float), part.astype(float))
        for label, make in makers(kernel, x).items():
            for m in (m for m in sizes if m <= len(x)):
                phi, prepared, _ = timed(lambda make=make, m=m: make(m))  # type: ignore[misc]
                _, applied, _ = timed(lambda phi=phi: phi(x).shape)  # type: ignore[misc]
                features = phi(part).astype(float)
                missed = float(np.linalg.norm(exact - features @ features.T) / np.linalg.norm(exact))
                yield data.name, f"{scale:g}", label, m, missed, prepared, applied


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("speed", "error"))
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--m", type=int, nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=["digits", "clustered"])
    asked = parser.parse_args()
    if asked.command == "speed":
        return speed(asked.n, asked.d, (asked.m or [1000])[0], asked.runs)
    print(f"{'data':<12}{'width':>6}  {'map':<22}{'m':>6}{'error':>11}{'prepare':>9}{'apply':>9}")
    for name in asked.data:
        for data, scale, label, m, missed, prepared, applied in errors(name, tuple(asked.m or (64, 256, 1024))):
            print(f"{data:<12}{scale:>6}  {label:<22}{m:>6}{missed:>11.2e}{prepared:>9.3f}{applied:>9.3f}", flush=True)
    return None


if __name__ == "__main__":
    main()
