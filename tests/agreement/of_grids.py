"""Cases of functions of grids: patches, pools, layers and networks."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ckn import Architecture, Layer, LayerSpec, Network, exact, preprocessing
from kerneltools import pooling, primitives
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Polynomial
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from kerneltools.patches import Grid
from kerneltools.patches.responses import patch_norms, patch_response, pooled_response
from kerneltools.primitives import Window
from tests.agreement.case import Case, Draw, kink, numbers, size, unit_rows, with_array_parameters
from tests.laws.members import GRIDS, POOLS


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


def responses(draw: Draw, few: bool, pool: Any = None) -> Case:
    x, _, window = _window(draw, few)
    kernel = draw(st.sampled_from(LAYER_KERNELS))
    filters = unit_rows(numbers(draw, size(draw, few, 1, 4), len(window.offsets()), x.shape[-1]))
    variables = {"x": x, "filters": filters}

    def of(v: Any, c: Any) -> Any:
        if pool is None:
            return patch_response(v["x"], v["filters"], kernel, window)
        return pooled_response(v["x"], v["filters"], kernel, window, pool)

    return Case(of, variables, terms=filters[0].size + 2, kink=kink(kernel), label=f"{kernel}, {window}")


def pooled_responses(draw: Draw, few: bool) -> Case:
    return responses(draw, few, pooling.Gaussian(2))


def norms(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    return Case(lambda v, c: patch_norms(v, window), x, terms=len(window.offsets()) * x.shape[-1])


def mixes(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, draw(st.integers(1, 2 if few else 3)))
    variables = {"x": x, "matrix": numbers(draw, x.shape[-1], size(draw, few, 1, 4))}
    return Case(lambda v, c: primitives.mix_channels(v["x"], v["matrix"]), variables, terms=x.shape[-1])


def sums(draw: Draw, few: bool) -> Case:
    x, _, window = _window(draw, few)
    return Case(lambda v, c: primitives.window_sum(v, window), x[..., 0], terms=len(window.offsets()))


def padded(draw: Draw, few: bool) -> Case:
    x = _image(draw, few, 2)
    widths = draw(st.sampled_from([((0, 0), (1, 2), (0, 3), (0, 0)), ((1, 1), (0, 0), (2, 0), (1, 0))]))
    return Case(lambda v, c: primitives.pad(v, widths), x, label=str(widths))


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
