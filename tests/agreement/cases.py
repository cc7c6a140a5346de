"""What is compared: a function with arguments drawn at random, for each public function that computes.

A `Case` holds NumPy arrays in float64; the tests move it to the library under test. Its function takes two
trees: what may be differentiated with respect to, and what may not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ckn import Architecture, Layer, LayerSpec, Network, exact, preprocessing
from kerneltools import arrays, kernels, linalg, pooling, primitives, random, trees
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Polynomial
from kerneltools.kernels.base import row_norms
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from kerneltools.landmarks import Given, SphericalKMeans, Uniform
from kerneltools.maps import nystrom
from kerneltools.patches import Grid
from kerneltools.primitives import Window
from kerneltools.solvers import ridge, ridge_path
from tests.laws.members import GRIDS, KERNELS, POOLS, PROFILES

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """f(variables, constants) -> a tree of arrays.

    `wide`: the result is in float64 whatever the arguments are in. `terms`: how many numbers are added up in the
    longest sum. `kink`: the lowest order among the arc-cosine
    profiles that meet a cosine of 1, where their derivative of that order and one more is infinite.
    """

    f: Callable[[Any, Any], Any]
    variables: Any
    constants: Any = ()
    terms: int = 8
    kink: int | None = None
    wide: bool = False
    label: str = field(default="", compare=False)

    def __repr__(self) -> str:
        shapes = [f"{name} {np.shape(leaf)}" for name, leaf in trees.named_leaves((self.variables, self.constants))]
        return f"{self.label or self.f}: {', '.join(shapes)}"


def numbers(draw: Draw, *shape: int, blank: bool = False) -> np.ndarray:
    """Standard normal numbers; with `blank`, the last row may be zero."""
    x = np.random.default_rng(draw(st.integers(0, 2**20))).standard_normal(shape)
    if blank and draw(st.booleans()):
        x[-1] = 0
    return x


def unit_rows(x: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.sum(x * x, axis=tuple(range(1, x.ndim)), keepdims=True))
    return x / norms


def size(draw: Draw, few: bool, low: int, high: int) -> int:
    return high if few else draw(st.integers(low, high))


def with_array_parameters(kernel: Any) -> Any:
    """The kernel with its parameters as arrays of no axes, to differentiate with respect to."""
    return trees.map_leaves(lambda leaf: np.asarray(leaf, dtype=float), kernel)


def kink(kernel: Any) -> int | None:
    """The lowest order among the arc-cosine profiles in a kernel."""
    orders = [order for order in range(3) if repr(ArcCosine(order)) in repr(kernel)]
    return min(orders, default=None)


def kernel_matrix(draw: Draw, few: bool) -> Case:
    kernel = draw(st.sampled_from(KERNELS))
    # In one dimension all cosines are 1 or -1.
    d = size(draw, few, 1, 4)
    x = numbers(draw, size(draw, few, 1, 5), d, blank=True)
    y = numbers(draw, size(draw, few, 1, 4), d)
    variables = {"kernel": with_array_parameters(kernel), "x": x, "y": y}
    return Case(lambda v, c: v["kernel"](v["x"], v["y"]), variables, terms=d + 2, kink=kink(kernel) if d == 1 else None)


def kernel_diagonal(draw: Draw, few: bool) -> Case:
    kernel = draw(st.sampled_from(KERNELS))
    d = size(draw, few, 1, 4)
    variables = {"kernel": with_array_parameters(kernel), "x": numbers(draw, size(draw, few, 1, 5), d, blank=True)}
    return Case(lambda v, c: v["kernel"].diag(v["x"]), variables, terms=d + 2, kink=kink(kernel))


def distances(draw: Draw, few: bool) -> Case:
    d = size(draw, few, 1, 4)
    variables = numbers(draw, size(draw, few, 1, 5), d), numbers(draw, size(draw, few, 1, 4), d)
    return Case(lambda v, c: kernels.square_distances(*v), variables, terms=2 * d + 4)


def profile_values(draw: Draw, few: bool) -> Case:
    profile = with_array_parameters(draw(st.sampled_from(PROFILES)))
    cosines = np.tanh(numbers(draw, size(draw, few, 1, 5), 3))
    return Case(lambda v, c: v["profile"](v["u"]), {"profile": profile, "u": cosines})


def _landmarks(draw: Draw, few: bool) -> tuple[Kernel, np.ndarray, np.ndarray]:
    kernel = draw(st.sampled_from(KERNELS))
    d = size(draw, few, 2, 4)
    points = numbers(draw, size(draw, few, 1, 4), d)
    x = numbers(draw, size(draw, few, 1, 5), d, blank=True)
    return kernel, unit_rows(points) if kernel.homogeneous else points, x


def nystrom_map(draw: Draw, few: bool) -> Case:
    kernel, points, x = _landmarks(draw, few)
    variables = {"kernel": with_array_parameters(kernel), "points": points, "x": x, "reg": np.asarray(0.5)}

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(v["kernel"], v["points"], v["reg"])
        return phi(v["x"]), phi.residual(v["x"]), v["kernel"].diag(v["x"])

    return Case(f, variables, terms=x.shape[1] + 2 * len(points), kink=kink(kernel))


def exact_nystrom_map(draw: Draw, few: bool) -> Case:
    """Without regularisation; a narrow Gaussian kernel keeps the landmarks' matrix far from singular."""
    kernel, points, x = _landmarks(draw, few)
    kernel = kernel + Gaussian(0.1)
    variables = {"kernel": with_array_parameters(kernel), "points": points, "x": x}

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(v["kernel"], v["points"])
        return phi(v["x"]), phi.residual(v["x"]), v["kernel"].diag(v["x"])

    return Case(f, variables, terms=x.shape[1] + 2 * len(points), kink=kink(kernel))


def _grid(draw: Draw, few: bool, rank: int, low: int = 5) -> tuple[int, ...]:
    high = {1: 9, 2: 7, 3: 5}[rank]
    return tuple(size(draw, few, min(low, high), high) for _ in range(rank))


def _image(draw: Draw, few: bool, rank: int, low: int = 5) -> np.ndarray:
    shape = (size(draw, few, 1, 2), *_grid(draw, few, rank, low), size(draw, few, 1, 2))
    return numbers(draw, *shape, blank=True)


def pool(draw: Draw, few: bool) -> Case:
    chosen = draw(st.sampled_from(POOLS))
    x = _image(draw, few, draw(st.integers(1, 2 if few else 3)))
    # Equal numbers share the derivative of their maximum: draw none.
    x = x + 1e-3 * np.arange(x.size).reshape(x.shape) if isinstance(chosen, pooling.Max) else x
    return Case(lambda v, c: chosen(v), x, terms=max(x.shape[1:-1]) ** (x.ndim - 2), label=str(chosen))


def _window(draw: Draw, few: bool) -> tuple[np.ndarray, Grid, Window]:
    rank = draw(st.integers(1, 2 if few else 3))
    grid = draw(st.sampled_from(GRIDS[rank]))
    span = {1: 9, 2: 7, 3: 5}[rank]
    x = _image(draw, few, rank, low=span)
    return x, grid, grid.window(x.shape[1:-1])


def grid_patches(draw: Draw, few: bool) -> Case:
    x, grid, _ = _window(draw, few)
    return Case(lambda v, c: grid.extract(v), x, label=str(grid))


def patches(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    return Case(lambda v, c: primitives.extract_patches(v, window), x, label=str(window))


def folded(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    grid = x.shape[1:-1]
    parts = numbers(draw, len(x), *window.output_shape(grid), len(window.offsets()), x.shape[-1])
    return Case(lambda v, c: primitives.fold_patches(v, window, grid), parts, terms=parts.shape[-2], label=str(window))


def grams(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    filters = numbers(draw, size(draw, few, 1, 4), len(window.offsets()), x.shape[-1])
    variables = {"x": x, "filters": filters}
    terms = filters[0].size
    return Case(lambda v, c: primitives.patch_gram(v["x"], v["filters"], window), variables, terms=terms)


def sums(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    return Case(lambda v, c: primitives.window_sum(v, window), x[..., 0], terms=len(window.offsets()))


def _segments(draw: Draw, few: bool) -> tuple[np.ndarray, np.ndarray, int]:
    n, count = size(draw, few, 1, 7), size(draw, few, 1, 4)
    segments = np.random.default_rng(draw(st.integers(0, 99))).integers(0, count, n)
    return numbers(draw, n, 3), segments, count


def segment_sums(draw: Draw, few: bool) -> Case:
    values, segments, count = _segments(draw, few)
    return Case(lambda v, c: primitives.segment_sum(v, c, count), values, segments, terms=len(values))


def segment_maxima(draw: Draw, few: bool) -> Case:
    values, segments, _ = _segments(draw, few)
    # Each number is carried by some row: the maximum of none is -inf, which no difference can be taken of.
    present, segments = np.unique(segments, return_inverse=True)
    return Case(lambda v, c: primitives.segment_max(v, c, len(present)), values, segments)


def added_rows(draw: Draw, few: bool) -> Case:
    values, segments, count = _segments(draw, few)
    variables = {"target": numbers(draw, count, 3), "values": values}
    return Case(lambda v, c: primitives.index_add(v["target"], c, v["values"]), variables, segments, terms=len(values))


def padded(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, 2)
    widths = draw(st.sampled_from([((0, 0), (1, 2), (0, 3), (0, 0)), ((1, 1), (0, 0), (2, 0), (1, 0))]))
    return Case(lambda v, c: primitives.pad(v, widths), x, label=str(widths))


def triangular(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    factor = np.tril(numbers(draw, m, m)) * 0.5
    np.fill_diagonal(factor, 1 + np.abs(np.diag(factor)))
    variables = {"factor": factor, "rhs": numbers(draw, m, size(draw, few, 1, 3))}

    def f(v: Any, c: Any) -> Any:
        # What is above the diagonal is no argument of the function, and libraries differ in looking at it.
        lower = arrays.namespace(v["factor"]).tril(v["factor"])
        return primitives.solve_triangular(lower, v["rhs"])

    return Case(f, variables, terms=2 * m)


def _gram_of(factor: Any) -> Any:
    return factor @ arrays.namespace(factor).matrix_transpose(factor)


def inverse_root(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, size(draw, few, 1, 5)), "reg": np.asarray(0.3)}
    return Case(lambda v, c: linalg.inverse_sqrt(_gram_of(v["factor"]), v["reg"]), variables, terms=3 * m)


def lyapunov(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, m), "rhs": numbers(draw, m, m)}

    def f(v: Any, c: Any) -> Any:
        root = _gram_of(v["factor"])
        return linalg.lyapunov(root + linalg.identity_like(root), v["rhs"])

    return Case(f, variables, terms=4 * m)


def cholesky(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    factor = numbers(draw, m, m)

    def f(v: Any, c: Any) -> Any:
        gram = _gram_of(v)
        return linalg.cholesky_factor(gram + linalg.identity_like(gram), rtol=1e-3)

    return Case(f, factor, terms=2 * m, wide=True)


def roots(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 3, blank=True)
    return Case(lambda v, c: arrays.safe_sqrt(v), np.where(x == 0, 0.0, x * x + 0.1))


def norms(draw: Draw, few: bool) -> Case:
    return Case(lambda v, c: row_norms(v), numbers(draw, size(draw, few, 1, 5), 3, blank=True))


def draws(draw: Draw, few: bool) -> Case:
    seed = draw(st.integers(0, 99))
    like = np.zeros(1)
    return Case(lambda v, c: (random.normal(seed, (3, 2), v), random.uniform(seed, (4,), v)), like)


def _data(draw: Draw, few: bool) -> tuple[np.ndarray, np.ndarray]:
    n, d = size(draw, few, 3, 8), size(draw, few, 1, 5)
    return numbers(draw, n, d), numbers(draw, n, size(draw, few, 1, 2))


def ridge_targets(draw: Draw, few: bool) -> Case:
    x, y = _data(draw, few)
    reg = draw(st.sampled_from([0.1, 1.0]))
    return Case(lambda v, c: ridge(c, v, reg)(c), y, x, terms=2 * len(x))


def ridge_solutions(draw: Draw, few: bool) -> Case:
    x, y = _data(draw, few)
    regs = (0.1, 1.0)

    def f(v: Any, c: Any) -> Any:
        return ridge_path(v["x"], v["y"], block=3).leave_one_out(regs, block=2)

    return Case(f, {"x": x, "y": y}, terms=2 * len(x), wide=True)


def uniform_landmarks(draw: Draw, few: bool) -> Case:
    x, seed = numbers(draw, 12, 3), draw(st.integers(0, 99))
    return Case(lambda v, c: Uniform(4)(Linear(), v, seed).points, x)


def kmeans_landmarks(draw: Draw, few: bool) -> Case:
    x, seed = numbers(draw, 12, 3), draw(st.integers(0, 99))
    selector = SphericalKMeans(3, block=draw(st.sampled_from([5, 12])))
    return Case(lambda v, c: selector(Homogeneous(Exponential(0.5)), v, seed).points, x, terms=12)


def given_landmarks(draw: Draw, few: bool) -> Case:
    variables = {"x": numbers(draw, 4, 3), "points": numbers(draw, 2, 3)}
    return Case(lambda v, c: Given(v["points"])(Linear(), v["x"], 0).points, variables)


LAYER_KERNELS: tuple[Kernel, ...] = (
    Homogeneous(Exponential(0.6)),
    Homogeneous(Power(2)),
    Homogeneous(ArcCosine(1)),
    Homogeneous(ArcCosine(2)),
    Gaussian(1.5),
    Polynomial(2, 1.0),
    0.5 * Homogeneous(Exponential(0.6)) + Linear(),
    Gaussian(2.0) * Polynomial(1, 1.0),
)


def _layer(draw: Draw, few: bool, rank: int, channels: int) -> Layer:
    kernel = draw(st.sampled_from(LAYER_KERNELS))
    patch = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    filters = unit_rows(numbers(draw, size(draw, few, 1, 3), *patch, channels))
    padding = draw(st.sampled_from(["same", "valid", 1]))
    dilation = draw(st.integers(1, 2))
    return Layer(filters, with_array_parameters(kernel), draw(st.integers(1, 3)), padding, 0.1, dilation)


def layer(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, draw(st.sampled_from([2] if few else [2, 1, 3])))
    made = _layer(draw, few, x.ndim - 2, x.shape[-1])
    terms = made.size[1] + 2 * made.size[0] + 7
    return Case(lambda v, c: v["layer"](v["x"]), {"layer": made, "x": x}, terms=terms, kink=kink(made.kernel))


def certificate(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, 2)
    made = _layer(draw, few, 2, x.shape[-1])
    terms = made.size[1] + 2 * made.size[0] + 7
    variables = {"layer": made, "x": x}
    return Case(lambda v, c: v["layer"].prepare().residual(v["x"]), variables, terms=terms, kink=kink(made.kernel))


def network(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, 2)
    first = _layer(draw, few, 2, x.shape[-1])
    # No layer is left with less than one patch: an image of 5 points a side gives at least one.
    second = Layer(
        unit_rows(numbers(draw, 3, 2, 2, len(first.filters))), Homogeneous(Exponential(np.asarray(0.7))), 2, reg=0.1
    )
    terms = first.size[1] + second.size[1] + 2 * len(first.filters) + 14
    variables = {"network": Network((first, second)), "x": x}
    return Case(lambda v, c: v["network"](v["x"]), variables, terms=terms, kink=kink(first.kernel))


def exact_gram(draw: Draw, few: bool) -> Case:
    kernel = draw(st.sampled_from([Homogeneous(Exponential(0.6)), Homogeneous(ArcCosine(2)), Gaussian(1.5)]))
    spec = LayerSpec(1, patch=draw(st.integers(1, 3)), kernel=kernel, subsampling=draw(st.integers(1, 2)))
    architecture = Architecture((spec,) if few else (spec, LayerSpec(1, patch=2, subsampling=2)))
    x, y = numbers(draw, 2, 4, 3, 2), numbers(draw, 1, 4, 3, 2)
    return Case(lambda v, c: exact.gram(architecture, *v), (x, y), terms=64, kink=kink(kernel), label=str(architecture))


def scaled(draw: Draw, few: bool) -> Case:
    return Case(lambda v, c: preprocessing.Scale(255.0)(v), _image(draw, few, 2))


def contrast(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, 2)
    x[-1] += 1e-3 * np.arange(x[-1].size).reshape(x[-1].shape)
    return Case(lambda v, c: preprocessing.ContrastNormalise()(v), x, terms=x[0].size)


def whitened(draw: Draw, few: bool) -> Case:
    # More patches than they have dimensions, so that every direction has variance.
    step = preprocessing.Whiten(patch=draw(st.integers(2, 3)))
    x = numbers(draw, size(draw, few, 1, 2), 9, 8, 1)
    return Case(lambda v, c: step(v), x, terms=x[0].size, label=str(step))


def features(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 4)
    return Case(lambda v, c: preprocessing.normalise_features(v), x, terms=4)


CASES: Mapping[str, Callable[[Draw, bool], Case]] = {
    "arrays.safe_sqrt": roots,
    "kernels: k(x, y)": kernel_matrix,
    "kernels: k.diag(x)": kernel_diagonal,
    "kernels.base.row_norms": norms,
    "kernels.profiles": profile_values,
    "kernels.square_distances": distances,
    "landmarks.Given": given_landmarks,
    "landmarks.SphericalKMeans": kmeans_landmarks,
    "landmarks.Uniform": uniform_landmarks,
    "linalg.cholesky_factor": cholesky,
    "linalg.inverse_sqrt": inverse_root,
    "linalg.lyapunov": lyapunov,
    "maps.nystrom": exact_nystrom_map,
    "maps.nystrom with reg": nystrom_map,
    "patches.Grid.extract": grid_patches,
    "pooling": pool,
    "primitives.extract_patches": patches,
    "primitives.fold_patches": folded,
    "primitives.index_add": added_rows,
    "primitives.pad": padded,
    "primitives.patch_gram": grams,
    "primitives.segment_max": segment_maxima,
    "primitives.segment_sum": segment_sums,
    "primitives.solve_triangular": triangular,
    "primitives.window_sum": sums,
    "random": draws,
    "solvers.ridge, in y": ridge_targets,
    "solvers.ridge_path": ridge_solutions,
    "ckn.Layer": layer,
    "ckn.Layer: residual": certificate,
    "ckn.Network": network,
    "ckn.exact.gram": exact_gram,
    "ckn.preprocessing.ContrastNormalise": contrast,
    "ckn.preprocessing.Scale": scaled,
    "ckn.preprocessing.Whiten": whitened,
    "ckn.preprocessing.normalise_features": features,
}
"""The rows of the table of capabilities, and how a case of each is drawn."""


@st.composite
def cases(draw: Draw, name: str, few: bool) -> Case:
    """A case of the function `name`; of few sizes where each new one costs a compilation."""
    return CASES[name](draw, few)
