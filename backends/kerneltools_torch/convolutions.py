"""Convolutions of grids that have their channels last, and their adjoints.

torch has channels first: everything works on views, whose memory layout suits torch's convolutions best.
"""

from collections.abc import Callable

import torch
from torch.nn import functional

from kerneltools.primitives import Window

CONVOLUTIONS: tuple[Callable[..., torch.Tensor], ...] = (functional.conv1d, functional.conv2d, functional.conv3d)
TRANSPOSES: tuple[Callable[..., torch.Tensor], ...] = (
    functional.conv_transpose1d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
)


def pays(*arrays: torch.Tensor) -> bool:
    """Whether a convolution of these arrays is faster than patches and a product, and as accurate.

    In float64 it is no faster; on CUDA it would round float32 to TF32, unlike a product. torch has no convolution of
    empty arrays.
    """
    return all(a.dtype == torch.float32 and a.device.type == "cpu" and a.numel() > 0 for a in arrays)


def smooths(x: torch.Tensor, stride: int) -> bool:
    """Whether `smooth` is faster than a product for each axis: for images on the host."""
    # The window of the greatest subsampling would not fit memory; where this ends, products have been as fast for long.
    return x.ndim == 4 and pays(x) and stride <= LARGEST_WINDOWED


LARGEST_WINDOWED = 8


def convolve(x: torch.Tensor, filters: torch.Tensor, window: Window) -> torch.Tensor:
    """(n, *grid, c), (m, *size, c) -> (n, *positions, m)"""
    x, padding = _padded(x, window)
    found = CONVOLUTIONS[len(padding) - 1](
        x.movedim(-1, 1), filters.movedim(-1, 1), None, window.stride, padding, window.dilation
    )
    return found.movedim(1, -1)


def pull_convolution(
    cotangent: torch.Tensor, x: torch.Tensor, filters: torch.Tensor, window: Window, of_x: bool
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The gradients of `convolve` in x, where it is asked for, and in the filters."""
    padded, padding = _padded(x, window)
    in_x, in_filters, _ = torch.ops.aten.convolution_backward(
        *(array.movedim(-1, 1) for array in (cotangent, padded, filters)),
        *(None, window.stride, padding, window.dilation),
        *(False, [0] * len(padding), 1),  # not transposed, no more rows, all channels in one group
        (of_x, True, False),
    )
    return _cropped(in_x.movedim(1, -1), window, x) if of_x else None, in_filters.movedim(1, -1)


def box_sums(x: torch.Tensor, window: Window) -> torch.Tensor:
    """The sum over the window, one axis after the other: (n, *grid) -> (n, *positions)"""
    if _is_a_point(window):
        return x
    x = functional.pad(x, _widths(window))
    for axis, (size, stride, dilation) in enumerate(zip(window.size, window.stride, window.dilation, strict=True), 1):
        x = x.unfold(axis, (size - 1) * dilation + 1, stride)[..., ::dilation].sum(-1)
    return x


def pull_box_sums(cotangent: torch.Tensor, window: Window, grid: tuple[int, ...]) -> torch.Tensor:
    """The gradient of `box_sums`: (n, *positions) -> (n, *grid)"""
    if _is_a_point(window):
        return cotangent
    ones = cotangent.new_ones((1, 1, *window.size))
    spread = TRANSPOSES[len(grid) - 1](cotangent[:, None], ones, None, window.stride, dilation=window.dilation)[:, 0]
    for axis, (points, (before, after)) in enumerate(zip(grid, window.padding, strict=True), 1):
        # The last window may end before the padded grid does.
        missing = points + before + after - spread.shape[axis]
        spread = functional.pad(spread, [*[0, 0] * (len(grid) - axis), 0, missing]).narrow(axis, before, points)
    return spread


def smooth(x: torch.Tensor, weights: tuple[float, ...], stride: int) -> torch.Tensor:
    """The same odd number of weights along both axes of images, in each channel: (n, h, w, c) -> (n, h', w', c)"""
    each, channels = _each_channel(x, weights), x.shape[-1]
    return functional.conv2d(x.movedim(-1, 1), each, None, stride, len(weights) // 2, 1, channels).movedim(1, -1)


def pull_smooth(cotangent: torch.Tensor, x: torch.Tensor, weights: tuple[float, ...], stride: int) -> torch.Tensor:
    """The gradient of `smooth` in x, whose numbers do not matter: (n, h', w', c), (n, h, w, c) -> (n, h, w, c)"""
    found: torch.Tensor = torch.ops.aten.convolution_backward(
        *(cotangent.movedim(-1, 1), x.movedim(-1, 1), _each_channel(x, weights)),
        *(None, (stride, stride), (len(weights) // 2,) * 2, (1, 1)),
        *(False, [0, 0], x.shape[-1]),  # not transposed, no more rows, a group for each channel
        (True, False, False),
    )[0]
    return found.movedim(1, -1)


def _each_channel(x: torch.Tensor, weights: tuple[float, ...]) -> torch.Tensor:
    line = x.new_tensor(weights)
    return (line[:, None] * line).expand(x.shape[-1], 1, -1, -1)


def _padded(x: torch.Tensor, window: Window) -> tuple[torch.Tensor, list[int]]:
    """The grid, and how many zeros to add on each side: torch adds as many before it as after."""
    if all(before == after for before, after in window.padding):
        return x, [before for before, _ in window.padding]
    return functional.pad(x, [0, 0, *_widths(window)]), [0] * len(window.padding)


def _cropped(padded: torch.Tensor, window: Window, x: torch.Tensor) -> torch.Tensor:
    """The part of a grid from `_padded` where x lies."""
    if padded.shape != x.shape:
        for axis, (points, (before, _)) in enumerate(zip(x.shape[1:-1], window.padding, strict=True), 1):
            padded = padded.narrow(axis, before, points)
    return padded


def _widths(window: Window) -> list[int]:
    """The padding in torch's form: the last axis first."""
    return [width for before_after in reversed(window.padding) for width in before_after]


def _is_a_point(window: Window) -> bool:
    return {*window.size, *window.stride} == {1} and not any(map(any, window.padding))
