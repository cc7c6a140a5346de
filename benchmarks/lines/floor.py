"""The floor of the machine at the sizes that networks have: products, exponentials, copies, in float32."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lines import TORCH, Line, Rate

ROWS, DEPTH, COLUMNS = 4096, 576, 256
"""Patches of sixteen images, numbers of a patch, filters of the second layer of `unsup-64-256`."""
TIMES = 20


def product(library: str) -> Callable[[], Any]:
    """Patches with filters."""
    x, y, out = _arrays(library, (ROWS, DEPTH), (DEPTH, COLUMNS), (ROWS, COLUMNS))
    multiply = _of(library).matmul
    return lambda: [multiply(x, y, out=out) for _ in range(TIMES)]


def exponential(library: str) -> Callable[[], Any]:
    """Of an array that stays in cache."""
    x, out = _arrays(library, (ROWS // 8, COLUMNS), (ROWS // 8, COLUMNS))
    exp = _of(library).exp
    return lambda: [exp(x, out=out) for _ in range(10 * TIMES)]


def copy() -> Callable[[], Any]:
    """Of an array beyond the cache: read and written."""
    x, out = _arrays("numpy", (TIMES * ROWS, DEPTH), (TIMES * ROWS, DEPTH))
    return lambda: np.copyto(out, x)


def _of(library: str) -> Any:
    if library == "numpy":
        return np
    import torch

    return torch


def _arrays(library: str, *shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    arrays = [-rng.random(shape, dtype=np.float32) for shape in shapes]
    return arrays if library == "numpy" else [_of(library).from_numpy(array) for array in arrays]


PRODUCT = Rate(TIMES * 2 * ROWS * DEPTH * COLUMNS / 1e9, "GFLOP/s")
EXP = Rate(10 * TIMES * ROWS // 8 * COLUMNS / 1e9, "billion/s")
COPY = Rate(2 * 4 * TIMES * ROWS * DEPTH / 1e9, "GB/s")
SIZES = f"{ROWS} x {DEPTH} x {COLUMNS}"

LINES = (
    Line("product-numpy", f"NumPy, product, {SIZES}", partial(product, "numpy"), measure=PRODUCT, quick=True),
    Line(
        "product-torch",
        f"PyTorch, product, {SIZES}",
        partial(product, "torch"),
        measure=PRODUCT,
        quick=True,
        needs=(TORCH,),
    ),
    Line("exp-numpy", "NumPy, exponential, in cache", partial(exponential, "numpy"), measure=EXP, quick=True),
    Line(
        "exp-torch",
        "PyTorch, exponential, in cache",
        partial(exponential, "torch"),
        measure=EXP,
        quick=True,
        needs=(TORCH,),
    ),
    Line("copy", "NumPy, copy, 380 MB", copy, measure=COPY, quick=True),
)
