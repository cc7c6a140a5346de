"""The design of a network, before it has learnt anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ckn.bounds import check_kernel, reached_shape
from ckn.layers.beside import Beside
from ckn.layers.laid import AnyReadout, ObjectSpec, Readout, ReadoutSpec
from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches import Grid, Padding, PartPool, PositionPool
from kerneltools.patches.grid import PerAxis
from kerneltools.pooling import Gaussian


@dataclass(frozen=True)
class LayerSpec:
    """The design of a layer: `filters` of side `patch`, a kernel between patches, Gaussian pooling.

    `patch`, `dilation`: one number or one per axis; `padding`: "same" (the size is kept), "valid" or zeros per
    side; `subsampling` s >= 1: the pooled map has one point for every s; `reg` > 0 is added to the eigenvalues of
    the filters' kernel matrix. Raises ValueError for numbers out of range, and for kernels of a degree above 64.

    >>> LayerSpec(filters=64, patch=3, subsampling=2).filters
    64
    """

    filters: int
    patch: PerAxis = 3
    subsampling: int = 2
    kernel: Kernel = field(default_factory=lambda: Homogeneous(Exponential(0.6)))
    padding: Padding = "same"
    dilation: PerAxis = 1
    reg: float = 1e-2

    def __post_init__(self) -> None:
        if isinstance(self.filters, bool) or not isinstance(self.filters, int) or self.filters < 1:
            raise ValueError(f"filters: expected an integer >= 1, got {self.filters!r}")
        check_positive("reg", self.reg)
        check_kernel(self.kernel)
        _ = self.grid, self.pool  # they check the rest

    @property
    def grid(self) -> Grid:
        """The patches of the layer's input."""
        return Grid(self.patch, padding=self.padding, dilation=self.dilation)

    @property
    def pool(self) -> Gaussian:
        """The pooling of the layer's responses."""
        return Gaussian(self.subsampling)

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the layer's output for an input grid.

        Raises ValueError if no patch fits, for a patch or a pooling that reaches beyond 16 points and twice the grid,
        and for padding so wide that patches see only zeros.
        """
        return reached_shape(self.grid, self.pool, grid)


AnySpec = LayerSpec | ObjectSpec | Beside


@dataclass(frozen=True)
class Architecture:
    """The layers of a network, in order from the image, or from the items of objects.

    `layers`: each a `LayerSpec`, for images and other grids; or, for objects (sequences, graphs, sets, series), each a
    `PartSpec`, another design of parts, or a `Beside` of several that see the same items. `readout`: turns the last
    maps or items into features: a pool, such as `patches.PartMean()`, the default for objects, or `ckn.Transport(...)`;
    None leaves the maps of a grid as they are. `strands`: for strings whose alphabet has a complement, take the mean of
    the features of both strands.

    Raises ValueError if there are no layers, or layers of both kinds, TypeError for anything but a readout.

    >>> Architecture((LayerSpec(filters=64), LayerSpec(filters=256, subsampling=6))).output_shape((32, 32))
    (3, 3)
    """

    layers: tuple[AnySpec, ...]
    readout: AnyReadout | ReadoutSpec | None = None
    strands: bool = False

    def __post_init__(self) -> None:
        layers: Any = self.layers
        if not isinstance(layers, tuple | list) or not layers or not all(isinstance(s, AnySpec) for s in layers):
            raise ValueError(f"layers: expected a tuple of at least one LayerSpec or PartSpec, got {layers!r}")
        if len({isinstance(spec, LayerSpec) for spec in layers}) > 1:
            raise ValueError("layers: expected all for grids (LayerSpec) or all for objects (PartSpec), got both")
        if not isinstance(self.strands, bool) or (self.strands and self.of_grids):
            raise ValueError(f"strands: expected True or False, and False for grids, got {self.strands!r}")
        readout: Any = self.readout
        known = isinstance(readout, PartPool | Readout | ReadoutSpec | None) and not isinstance(readout, PositionPool)
        if isinstance(readout, type) or not known:
            raise TypeError(f"readout: expected a pool such as kerneltools.patches.PartMean(), got {readout!r:.80}")

    @property
    def of_grids(self) -> bool:
        """Whether the layers are for images, series of one length and volumes, and not for objects."""
        return isinstance(self.layers[0], LayerSpec)

    @property
    def grids(self) -> tuple[LayerSpec, ...]:
        """The layers, if they are for grids. Raises TypeError if they are not."""
        if not self.of_grids:
            raise TypeError("architecture: expected layers for images (LayerSpec), got layers for objects (PartSpec)")
        return tuple(spec for spec in self.layers if isinstance(spec, LayerSpec))

    @property
    def stages(self) -> tuple[tuple[ObjectSpec, ...], ...]:
        """The layers, those beside each other together, if they are for objects. Raises TypeError if they are not."""
        if self.of_grids:
            raise TypeError("architecture: expected layers for objects (PartSpec), got layers for images (LayerSpec)")
        specs = [spec for spec in self.layers if not isinstance(spec, LayerSpec)]
        return tuple(spec.specs if isinstance(spec, Beside) else (spec,) for spec in specs)

    @property
    def axes(self) -> int | None:
        """The number of axes of the grid, if a parameter such as `patch` has a number for each; else None."""
        given = (value for spec in self.grids for value in (spec.patch, spec.dilation, spec.padding))
        return next((len(value) for value in given if isinstance(value, tuple | list)), None)

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the last layer's output. Raises ValueError, naming the layer, if a patch does not fit."""
        for number, spec in enumerate(self.grids, start=1):
            try:
                grid = spec.output_shape(grid)
            except ValueError as error:
                raise ValueError(f"layer {number}: {error}") from error
        return grid

    def features(self, grid: tuple[int, ...]) -> int:
        """How many numbers the network makes of one image of that grid, without a readout."""
        count = self.layers[-1].filters
        for side in self.output_shape(grid):
            count *= side
        return count


class UnknownArchitectureError(ValueError, KeyError):
    """There is no architecture of that name; the message lists the known ones."""

    # A KeyError would print its message in quotation marks.
    __str__ = Exception.__str__


class _Named(Mapping[str, Architecture]):
    """The named architectures; an unknown name raises an error that lists them."""

    def __init__(self, members: dict[str, Architecture]) -> None:
        self._members = members

    def __getitem__(self, name: str) -> Architecture:
        if name not in self._members:
            near = get_close_matches(str(name), self._members, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnknownArchitectureError(f"architecture: expected one of {', '.join(self)}, got {name!r}{hint}")
        return self._members[name]

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _alternating(filters: tuple[int, ...], subsampling: tuple[int, ...]) -> Architecture:
    """Layers of 3x3 patches with the exponential kernel, alternating with layers of single points with the square."""
    kinds = ((3, Homogeneous(Exponential(0.5))), (1, Homogeneous(Power(2))))
    specs = [
        LayerSpec(m, patch=kinds[number % 2][0], subsampling=s, kernel=kinds[number % 2][1])
        for number, (m, s) in enumerate(zip(filters, subsampling, strict=True))
    ]
    return Architecture(tuple(specs))


architectures: Mapping[str, Architecture] = _Named(
    {
        "small": Architecture((LayerSpec(32, subsampling=2), LayerSpec(128, subsampling=2))),
        "unsup-64-256": Architecture((LayerSpec(64, subsampling=2), LayerSpec(256, subsampling=6))),
        "unsup-256-1024": Architecture((LayerSpec(256, subsampling=2), LayerSpec(1024, subsampling=6))),
        "unsup-512-8192": Architecture(
            (LayerSpec(512, subsampling=2), LayerSpec(8192, patch=2, padding=1, subsampling=6))
        ),
        "ckn-5": _alternating((128,) * 5, (2, 1, 2, 1, 3)),
        "ckn-14": _alternating((256, 128, 256, 128, *(256,) * 10), (1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 2)),
    }
)
"""Named architectures: `small` for images of about 8x8, the others for 32x32 (Mairal 2016, unsupervised CKN)."""
