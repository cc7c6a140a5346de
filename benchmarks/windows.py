"""Windows of sequences by a table of parts, against the layer of grids on the same letters as vectors.

    python benchmarks/windows.py

512 sequences of 200 letters, windows of 12, 128 filters, float32, one thread, batches of 64 (seed 0); processor time,
the two in turn, median of nine.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

import kerneltools
from ckn import Layer, Network
from ckn.layers.embedding import Letters
from ckn.layers.parts import PartLayer
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import PartKernel, PartMean, PartSum, Windows
from kerneltools.structures import DNA, Strings

sys.path.insert(0, str(Path(__file__).parent))

from measuring import limit_threads

SEQUENCES, LETTERS, BATCH, FILTERS, SIZE, ROUNDS = 512, 200, 64, 128, 12, 9


def timed(run: Callable[[], object]) -> float:
    """Seconds of the processor."""
    start = process_time()
    run()
    return process_time() - start


def main() -> None:
    """Print the table."""
    limit_threads(1)
    draws = np.random.default_rng(0)
    tokens = draws.integers(0, 4, (SEQUENCES, LETTERS))
    z = draws.random((FILTERS, SIZE, 4))
    z /= np.sqrt((z**2).sum(axis=(1, 2), keepdims=True))
    strings, profile = Strings.of_tokens(tokens, DNA), Exponential(0.3)
    print("library   table (s)   grid (s)   ratio   greatest difference")
    for library in ("numpy", "torch"):
        backend = kerneltools.backend(library)
        filters = backend.asarray(z, dtype="float32")
        images = backend.asarray(np.eye(4)[tokens], dtype="float32")
        layer = PartLayer(filters, PartKernel(profile), Windows(SIZE), PartSum())
        parts = Network((layer,), Letters(DNA), PartMean()).prepare()
        grid = Network((Layer(filters, Homogeneous(profile), padding="valid"),)).prepare()

        def by_table(parts: Network = parts) -> np.ndarray:
            return np.asarray(parts.encode(strings, BATCH))

        def by_grid(grid: Network = grid, images: object = images) -> np.ndarray:
            pieces = (grid(images[start : start + BATCH]) for start in range(0, SEQUENCES, BATCH))
            return np.concatenate([np.asarray(piece).mean(axis=1) for piece in pieces])

        off = np.abs(by_table() - by_grid()).max()
        table, other = zip(*[(timed(by_table), timed(by_grid)) for _ in range(ROUNDS)], strict=True)
        ratio = median(table) / median(other)
        print(f"{library:7}   {median(table):9.3f}   {median(other):8.3f}   {ratio:5.2f}   {off:.0e}")


if __name__ == "__main__":
    main()
