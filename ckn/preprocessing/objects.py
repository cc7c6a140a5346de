"""Steps between objects and the first layer: frozen, a collection -> a collection.

They learn their parameters from the training.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ckn.layers.embedding import vectors_of
from ckn.preprocessing.base import Step, check_finite
from kerneltools.arrays import Array, asarray_like, namespace
from kerneltools.backend import to_host
from kerneltools.kernels.base import check_positive
from kerneltools.structures import Ragged
from kerneltools.trees import static


class ObjectStep(Step):
    """A step for objects: sets, series, graphs.

    >>> from dataclasses import dataclass
    >>> from kerneltools.structures import Strings
    >>> @dataclass(frozen=True)
    ... class OtherStrand(ObjectStep):
    ...     def __call__(self, x):
    ...         return x.reverse_complement()
    >>> list(OtherStrand()(Strings.of(["AACG"])))
    ['CGTT']
    """

    @property
    def of_objects(self) -> bool:
        return True


@dataclass(frozen=True)
class Standardise(ObjectStep):
    """Each column of arrays, or of attributes of nodes, less its mean, divided by its standard deviation.

    `means` and `scales`: those of the items of the training, which a fit finds if they are not given. A column that is
    constant in the training has the scale 1.

    Raises ValueError unless there are as many means as scales, and for objects of other columns.

    >>> import numpy as np
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of([np.array([[1.0, 10.0]]), np.array([[3.0, 30.0]])])
    >>> step = Standardise().fitted(x)
    >>> step, step(x).values
    (Standardise(means=(2.0, 20.0), scales=(1.0, 10.0)), array([[-1., -1.],
           [ 1.,  1.]]))
    """

    means: tuple[float, ...] | None = static(None)
    scales: tuple[float, ...] | None = static(None)

    def __post_init__(self) -> None:
        if self.means is None and self.scales is None:
            return
        if self.means is None or self.scales is None or len(self.means) != len(self.scales) or not self.means:
            raise ValueError(f"means, scales: expected as many of both, or none, got {self.means} and {self.scales}")
        for mean, scale in zip(self.means, self.scales, strict=True):
            check_finite("means", mean)
            check_positive("scales", scale)

    def fitted(self, x: Any) -> Self:
        if self.means is not None:
            return self
        values = to_host(vectors_of(x)).astype(np.float64)
        if not len(values):
            raise ValueError(f"x: expected items to standardise, got none in {x!r:.60}")
        # Of numbers up to 1, or a power of two more, whose squares neither overflow nor vanish.
        units = _units(np.abs(values).max(axis=0))
        shares = values / units
        means, spread = shares.mean(axis=0), shares.std(axis=0)
        # What rounding leaves of a constant column is no spread.
        constant = spread <= 1e-12 * np.abs(shares).max(axis=0)
        return type(self)(tuple((means * units).tolist()), tuple(np.where(constant, 1.0, spread * units).tolist()))

    def __call__(self, x: Any) -> Any:
        """n objects -> n objects"""
        if self.means is None or self.scales is None:
            raise ValueError(
                "Standardise: it has no means and scales yet; a fit finds them, or Standardise().fitted(x)"
            )
        values = vectors_of(x)
        if values.shape[1] != len(self.means):
            raise ValueError(
                f"x: expected {len(self.means)} columns, as in training, got {values.shape[1]} in {x!r:.60}"
            )
        centred = values - asarray_like(self.means, values)[None, :]
        return _with_vectors(x, centred / asarray_like(self.scales, values)[None, :])


@dataclass(frozen=True)
class NormaliseSeries(ObjectStep):
    """Each channel of each series less its mean, divided by its standard deviation; constant ones become 0.

    >>> import numpy as np
    >>> from kerneltools.structures import Ragged
    >>> NormaliseSeries()(Ragged.of([np.array([[1.0], [3.0]]), np.array([[5.0], [5.0], [5.0]])])).values.ravel()
    array([-1.,  1.,  0.,  0.,  0.])
    """

    def __call__(self, x: Any) -> Any:
        """n series -> n series"""
        values = vectors_of(x)
        host = to_host(values).astype(np.float64)
        lengths = np.diff(x.offsets)
        there = np.flatnonzero(lengths)
        if not len(there):
            return x
        starts, counts = x.offsets[:-1][there], lengths[there][:, None]
        owner = np.repeat(np.arange(len(there)), lengths[there])
        # The first value goes beforehand: of a constant series nothing is left, rounding included.
        centred = host - host[starts][owner]
        centred = centred / _units(np.maximum.reduceat(np.abs(centred), starts, axis=0))[owner]
        centred = centred - (np.add.reduceat(centred, starts, axis=0) / counts)[owner]
        spread = np.sqrt(np.add.reduceat(centred**2, starts, axis=0) / counts)
        return _with_vectors(x, asarray_like(centred / np.where(spread > 0, spread, 1.0)[owner], values))


@dataclass(frozen=True)
class LabelColumns(ObjectStep):
    """Labels of nodes as columns of zeros and ones next to their attributes.

    `labels`: the labels with a column, which a fit finds if they are not given; other labels give zeros.

    >>> import numpy as np
    >>> from kerneltools.structures import Graph, Graphs
    >>> x = Graphs.of([Graph(3, [[0, 1], [1, 2]], labels=[7, 4, 7], attributes=np.array([[0.5], [0.2], [0.1]]))])
    >>> LabelColumns().fitted(x)(x).attributes
    array([[0.5, 0. , 1. ],
           [0.2, 1. , 0. ],
           [0.1, 0. , 1. ]])
    """

    labels: tuple[int, ...] | None = static(None)

    def fitted(self, x: Any) -> Self:
        return self if self.labels is not None else type(self)(tuple(np.unique(_labels_of(x)).tolist()))

    def __call__(self, x: Any) -> Any:
        """n graphs -> n graphs"""
        if self.labels is None:
            raise ValueError("LabelColumns: it has no labels yet; a fit finds them, or LabelColumns().fitted(x)")
        attributes = vectors_of(x)
        columns = asarray_like(_labels_of(x)[:, None] == np.asarray(self.labels), attributes)
        return _with_vectors(x, namespace(attributes).concat([attributes, columns], axis=1))


@dataclass(frozen=True)
class DegreeLabels(ObjectStep):
    """The number of each node's neighbours as its label, for graphs without labels (Chen, Jacob and Mairal 2020).

    `most`: the greatest label, which stands for greater ones too; a fit finds it in the training if it is not given.

    >>> from kerneltools.structures import Graph, Graphs
    >>> star = Graphs.of([Graph(4, [[0, 1], [0, 2], [0, 3]])])
    >>> DegreeLabels(most=2)(star).labels, DegreeLabels().fitted(star)
    (array([2, 1, 1, 1]), DegreeLabels(most=3))
    """

    most: int | None = static(None)

    def fitted(self, x: Any) -> Self:
        return self if self.most is not None else type(self)(int(_degrees(x).max(initial=0)))

    def __call__(self, x: Any) -> Any:
        """n graphs -> n graphs"""
        if self.most is None:
            raise ValueError("DegreeLabels: it has no greatest number yet; a fit finds it")
        return replace(x, labels=np.minimum(_degrees(x), self.most))


def fitted_steps(steps: tuple[Step, ...], x: Any) -> tuple[Step, ...]:
    """The steps, one after the other, with what those for objects learn from a training."""
    found: tuple[Step, ...] = ()
    for step in steps:
        step = step.fitted(x)
        x = step(x) if step.of_objects else x
        found = (*found, step)
    return found


def _units(greatest: Any) -> Any:
    """The powers of two next to these numbers, by which division causes no rounding; 1 for 0."""
    return np.ldexp(1.0, np.where(greatest > 0, np.frexp(greatest)[1] - 1, 0))


def _labels_of(x: Any) -> Any:
    if getattr(x, "labels", None) is None:
        raise ValueError(f"x: expected graphs with labels of nodes, got {x!r:.80}")
    return x.labels


def _degrees(x: Any) -> Any:
    """How many arcs leave each node: (N,)"""
    if not hasattr(x, "edges"):
        raise TypeError(f"x: expected graphs, got {x!r:.80}")
    return np.bincount(x.edges[:, 0], minlength=int(x.offsets[-1])).astype(np.int64)


def _with_vectors(x: Any, values: Array) -> Any:
    """The same objects with other vectors of their items: (N, d)"""
    return Ragged(values, x.offsets) if isinstance(x, Ragged) else replace(x, attributes=values)
