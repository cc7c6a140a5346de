"""Each plugin's bodies of the primitives against the generic ones, on the same arrays in the same run.

Prints milliseconds (the least of many runs) and how many times faster the plugin's body is; the last column is that
ratio for value and gradient together. `ratio` below 1: the override does not pay. Then the greatest error of square
distances, relative to each, on tables as people have them, in float32 and float64.

Usage: OMP_NUM_THREADS=1 python benchmarks/primitives.py [backend[@device] ...], such as torch@cuda:0
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import kerneltools
from kerneltools import alignments, columns, kernels, linalg, pairwise, pooling, primitives
from kerneltools.arrays import namespace
from kerneltools.kernels import Homogeneous, profiles
from kerneltools.patches import Grid
from kerneltools.patches.responses import patch_response, pooled_response

SECONDS = 0.5  # for each measurement
HEADER = f"{'backend':<10}{'primitive':<22}{'size':<30}{'generic':>9}{'plugin':>9}{'ratio':>7}{'with gradient':>15}"


@dataclass(frozen=True)
class Case:
    """A primitive on arrays: the first `differentiated` of them get a gradient."""

    primitive: Any
    label: str
    arrays: tuple[Any, ...]
    settings: tuple[Any, ...] = ()
    differentiated: tuple[int, ...] = (0,)


def patches(shape: tuple[int, ...], size: int, filters: int | None = None) -> Case:
    """Patches of a grid, or their products with filters."""
    rng = np.random.default_rng(0)
    window = Grid(size).window(shape[1:-1])
    label = f"{'x'.join(map(str, shape))}, size {size}"
    x = rng.standard_normal(shape).astype(np.float32)
    if filters is None:
        return Case(primitives.extract_patches, label, (x,), (window,))
    points = size ** len(window.size)
    z = rng.standard_normal((filters, points, shape[-1])).astype(np.float32)
    return Case(primitives.patch_gram, f"{label}, m={filters}", (x, z), (window,), (0, 1))


def segments(primitive: Any, n: int, d: int, count: int) -> Case:
    """n rows of d numbers in `count` segments."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((n, d)).astype(np.float32)
    numbers = rng.integers(count, size=n)
    label = f"{n}x{d}, {count} segments"
    return Case(primitive, label, (values, numbers), (count,))


def triangle(m: int, n: int) -> Case:
    """A triangular system of m equations with n right-hand sides."""
    rng = np.random.default_rng(0)
    factor = np.tril(rng.standard_normal((m, m))) / m + np.eye(m)
    return Case(primitives.solve_triangular, f"{m}x{m}, n={n}", (factor, rng.standard_normal((m, n))), (), (0, 1))


def responses(*shape: int) -> Case:
    """The exponential of a layer's inner products over norms."""
    rng = np.random.default_rng(0)
    scale = np.abs(rng.standard_normal((*shape[:-1], 1))).astype(np.float32)
    inner = scale * rng.uniform(-1, 1, shape).astype(np.float32)
    return Case(primitives.exponential_response, "x".join(map(str, shape)), (inner, scale), (2.5,), (0, 1))


def in_place(shape: tuple[int, ...], size: int, filters: int, profile: profiles.Profile) -> Case:
    """Kernel values of patches of images with filters."""
    case = patches(shape, size, filters)
    x, z = case.arrays
    z /= np.linalg.norm(z, axis=(1, 2), keepdims=True)
    kernel, label = Homogeneous(profile), f"{'x'.join(map(str, shape))}, {type(profile).__name__}"
    return Case(patch_response, label, (x, z), (kernel, *case.settings), (0, 1))


def pooled(shape: tuple[int, ...], size: int, filters: int, subsampling: int) -> Case:
    """The same, pooled, of images that need no gradient."""
    case = in_place(shape, size, filters, profiles.Exponential(0.5))
    return Case(
        pooled_response,
        f"{case.label}, s={subsampling}",
        case.arrays,
        (*case.settings, pooling.Gaussian(subsampling)),
        (1,),
    )


def pool(shape: tuple[int, ...], subsampling: int) -> Case:
    """Gaussian pooling."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return Case(
        pooling.smoothed, f"{'x'.join(map(str, shape))}, s={subsampling}", (x,), (pooling.Gaussian(subsampling),)
    )


def mix(*shape: int) -> Case:
    """A map of the channels of images to as many."""
    rng = np.random.default_rng(0)
    x, matrix = rng.standard_normal(shape), rng.standard_normal((shape[-1], shape[-1]))
    arrays = (x.astype(np.float32), matrix.astype(np.float32))
    return Case(primitives.mix_channels, "x".join(map(str, shape)), arrays, (), (0, 1))


def distances(primitive: Any, n: int, m: int, d: int) -> Case:
    """A distance between all pairs of rows of numbers >= 0."""
    rng = np.random.default_rng(0)
    x, y = (rng.random((rows, d)).astype(np.float32) for rows in (n, m))
    return Case(primitive, f"{n}x{m}, d={d}", (x, y), (), (0, 1))


def square_distances(n: int, m: int, d: int, apart: float = 0.0) -> Case:
    """Of normal rows; every other one lies `apart` from the rest."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((rows, d)).astype(np.float32) for rows in (n, m))
    x[::2, 0] += apart
    y[::2, 0] += apart
    label = f"{n}x{m}, d={d}" + (f", {apart:g} apart" if apart else "")
    return Case(pairwise.scaled_distances, label, (x, y, np.ones(d, dtype=np.float32)), (), (0, 1))


def definite(count: int, m: int) -> Case:
    """Inverse square roots of kernel matrices, in float64; their gradients come from elsewhere."""
    z = np.random.default_rng(0).standard_normal((count, m, 64))
    z /= np.linalg.norm(z, axis=2, keepdims=True)
    return Case(linalg.inverse_root, f"{count} of {m}x{m}", ((z @ z.swapaxes(1, 2)) ** 2 + 1e-2 * np.eye(m),))


def series(n: int, m: int, length: int) -> Case:
    """All alignments of pairs of series, with gradients in both."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((length, n, 1, 1)).astype(np.float32)
    y = rng.standard_normal((length, 1, m, 1)).astype(np.float32)
    last = np.full((n, 1), length - 1), np.full((1, m), length - 1)
    settings = ((2 * length - 2,), None, False)
    return Case(alignments.alignment_logs, f"{n}x{m}, {length} points", (x, y, *last), settings, (0, 1))


CASES = (
    patches((16, 32, 32, 3), 3, 64),
    patches((8, 16, 16, 64), 3, 128),
    patches((16, 32, 32, 3), 5, 64),
    patches((16, 200, 4), 7, 64),
    patches((4, 12, 12, 12, 8), 3, 32),
    patches((1, 8, 8, 1), 3, 16),
    patches((16, 32, 32, 3), 3),
    patches((8, 16, 16, 64), 3),
    *(
        segments(primitive, *size)
        for primitive in (primitives.segment_sum, primitives.segment_max)
        for size in ((20_000, 27, 64), (20_000, 8, 1000), (200, 16, 20))
    ),
    in_place((32, 32, 32, 3), 3, 128, profiles.Exponential(0.5)),
    in_place((32, 16, 16, 128), 3, 128, profiles.Exponential(0.5)),
    in_place((32, 16, 16, 128), 1, 128, profiles.Power(2)),
    in_place((1, 8, 8, 16), 3, 16, profiles.Exponential(0.5)),
    pooled((128, 32, 32, 3), 3, 128, 2),
    pool((32, 32, 32, 128), 2),
    pool((32, 16, 16, 256), 6),
    pool((1, 8, 8, 16), 2),
    mix(32, 16, 16, 128),
    mix(1, 8, 8, 16),
    responses(16, 32, 32, 64),
    responses(1, 8, 8, 16),
    triangle(256, 256),
    triangle(32, 32),
    definite(12, 256),
    square_distances(50_000, 1_000, 50),
    square_distances(50_000, 1_000, 50, apart=1000.0),
    square_distances(50_000, 1_000, 10),
    square_distances(2_000, 500, 768),
    square_distances(100, 20, 10),
    distances(columns.chi_square_distances.values, 5_000, 500, 50),
    series(20, 20, 20),
)


def milliseconds(f: Callable[[], Any], wait: Callable[[Any], None]) -> float:
    """The least time of one call, after two that warm up."""
    wait(f())
    wait(f())
    times, end = [], perf_counter() + SECONDS
    while perf_counter() < end:
        start = perf_counter()
        wait(f())
        times.append(1e3 * (perf_counter() - start))
    return min(times)


def total(found: Any) -> Any:
    """A scalar that depends on all of a primitive's outputs."""
    outputs = found if isinstance(found, tuple) else (found,)
    return sum(namespace(output).sum(output) for output in outputs)


def run(name: str, backend: Any, device: str | None, compile: Callable[..., Any], case: Case) -> str:
    """One line of the table."""
    arrays = tuple(backend.asarray(array, device=device) for array in case.arrays)

    def wait(found: Any) -> None:
        backend.synchronize(found[0] if isinstance(found, tuple) else found)

    def both(body: Callable[..., Any]) -> tuple[float, float]:
        def loss(*arrays: Any) -> Any:
            return total(body(*arrays, *case.settings))

        forward = compile(lambda *arrays: body(*arrays, *case.settings))
        gradient = compile(backend.value_and_grad(loss, case.differentiated, alone=True))
        return milliseconds(lambda: forward(*arrays), wait), milliseconds(lambda: gradient(*arrays), wait)

    generic, plugin = both(case.primitive.generic), both(case.primitive)
    return (
        f"{name:<10}{case.primitive.__name__:<22}{case.label:<30}{generic[0]:>9.3f}{plugin[0]:>9.3f}"
        f"{generic[0] / plugin[0]:>7.1f}{generic[1] / plugin[1]:>15.1f}"
    )


def tables(d: int, rng: Any) -> dict[str, Any]:
    """Normal rows, and what happens to them."""
    x = rng.standard_normal((1200, d))
    far, outliers = x.copy(), x.copy()
    far[::2, 0] += 1000
    outliers[3, 0], outliers[5] = -999, 1e6
    groups = 1e4 * rng.standard_normal((20, d))[rng.integers(20, size=len(x))]
    units = 10.0 ** rng.integers(-6, 7, size=d)
    year = x + 3.15e7 * (np.arange(len(x)) % 2)[:, None] * (np.arange(d) == 0)
    return {
        "normal": x, "offset 1e4": x + 1e4, "outliers": outliers, "2 groups, 1000 apart": far,
        "20 groups, 1e4 apart": x + groups, "2 groups, 3e7 apart": year, "units 1e-6 to 1e6": x * units,
    }  # fmt: skip


def greatest_error(backend: Any, x: Any) -> float:
    """Of square distances, relative to each."""
    y = x[::3].copy()
    wide = [array.astype(np.longdouble).T for array in (x, y)]
    exact = sum((a[:, None] - b[None, :]) ** 2 for a, b in zip(*wide, strict=True))
    got = backend.to_numpy(kernels.square_distances(backend.asarray(x), backend.asarray(y)))
    return float((np.abs(got - exact) / np.where(exact > 0, exact, 1)).max())


def print_errors(names: list[str]) -> None:
    """A line for each table and number of columns."""
    print(f"\n{'greatest relative error of square distances':<46}" + "".join(f"{name:>20}" for name in names))
    for d in (3, 12, 50):
        for label, x in tables(d, np.random.default_rng(0)).items():
            errors = [
                f"{greatest_error(backend, x.astype(np.float32)):.0e} {greatest_error(backend, x):.0e}"
                for backend in map(kerneltools.backend, names)
            ]
            print(f"{f'd={d}, {label} (float32, float64)':<46}" + "".join(f"{e:>20}" for e in errors), flush=True)


def main(names: list[str]) -> None:
    """Print the table of the backends that are asked for, or of all that can compute here."""
    os.environ.setdefault("JAX_ENABLE_X64", "1")  # JAX, loaded when it is needed, has no float64 otherwise
    print(HEADER)
    for place in names or [n for n in kerneltools.available() if kerneltools.backend(n).devices()]:
        name, _, device = place.partition("@")
        backend = kerneltools.backend(name)
        compilers = {name: lambda f: f} | ({"jax.jit": backend.jit} if name == "jax" else {})
        for case in CASES:
            if case.primitive in backend.overrides:
                for label, compile in compilers.items():
                    print(run(label, backend, device or None, compile, case), flush=True)
    available = [n for n in kerneltools.available() if kerneltools.backend(n).devices()]
    print_errors([n for n in available if not names or any(place.partition("@")[0] == n for place in names)])


if __name__ == "__main__":
    main(sys.argv[1:])
