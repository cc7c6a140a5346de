"""The tape (NumPy) against torch's own differentiation: value and gradients of one CKN layer.

Prints milliseconds for forward and forward + gradients (in images and filters, float32), the median of paired runs,
and the tape's time over torch's, each pair taken in turn so that a change of the machine's speed meets both. torch
runs the same layer through its plugin.

Usage: OMP_NUM_THREADS=1 python benchmarks/tape.py [--runs 30]
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from ckn import Layer
from kerneltools import backend
from kerneltools.arrays import namespace
from kerneltools.kernels import Homogeneous, profiles

SIZES = (((16, 32, 32, 3), 64), ((8, 16, 16, 64), 128))


def layer(images: tuple[int, ...], filters: int) -> tuple[Layer, np.ndarray[Any, Any]]:
    """A layer with random unit filters of 3x3 points, and random images."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((filters, 3, 3, images[-1]))
    z /= np.sqrt(np.sum(z * z, axis=(1, 2, 3), keepdims=True))
    kernel = Homogeneous(profiles.Exponential(0.6))
    return Layer(z.astype(np.float32), kernel, subsampling=2), rng.standard_normal(images).astype(np.float32)


def calls(name: str, frame: Layer, images: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The forward pass, and value and gradients, on one library."""
    library = backend(name)
    x, z = library.asarray(images), library.asarray(frame.filters)

    def loss(x: Any, z: Any) -> Any:
        y = replace(frame, filters=z)(x)
        return namespace(y).sum(y * y)

    gradients = library.value_and_grad(loss, (0, 1))
    return lambda: loss(x, z), lambda: gradients(x, z)


def paired(first: Callable[[], Any], second: Callable[[], Any], runs: int) -> tuple[float, float, float]:
    """Median milliseconds of both, and the median of their ratios."""
    pairs = []
    for number in range(runs + 3):
        times = []
        for call in (first, second):
            start = perf_counter()
            call()
            times.append(1e3 * (perf_counter() - start))
        if number >= 3:
            pairs.append(times)
    mine, theirs = zip(*pairs, strict=True)
    return statistics.median(mine), statistics.median(theirs), statistics.median(a / b for a, b in pairs)


def main() -> None:
    """Print one line for each size and pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    print(f"{'images':<14}{'filters':>8}  {'pass':<22}{'tape ms':>9}{'torch ms':>10}{'ratio':>7}")
    for shape, filters in SIZES:
        frame, images = layer(shape, filters)
        for label, ours, theirs in zip(
            ("forward", "forward + gradients"),
            calls("numpy", frame, images),
            calls("torch", frame, images),
            strict=True,
        ):
            tape, torch, ratio = paired(ours, theirs, runs)
            print(f"{'x'.join(map(str, shape)):<14}{filters:>8}  {label:<22}{tape:>9.1f}{torch:>10.1f}{ratio:>7.2f}")


if __name__ == "__main__":
    main()
