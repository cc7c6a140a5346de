"""What the estimators share: a kernel, landmarks, and parameters inside these."""

import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from warnings import catch_warnings, simplefilter

import numpy as np

from kerneltools.arrays import Array, is_whole
from kerneltools.backend import move, to_host
from kerneltools.estimators.checks import draws, like, require_kernel
from kerneltools.estimators.foreign import kernel_hint
from kerneltools.estimators.informative import warn_uninformative
from kerneltools.estimators.parameters import is_open, nested, replaced
from kerneltools.estimators.parts import SETTINGS, check_columns, made_of, parts_of
from kerneltools.estimators.showing import said, shortened, where
from kerneltools.estimators.watched import Watched
from kerneltools.estimators.work import FEATURES, STEPS, Work
from kerneltools.kernels import Gaussian, Kernel, as_kernel
from kerneltools.landmarks import Given, Landmarks, MiniBatchKMeans, ReducedWarning, default
from kerneltools.landmarks.base import chosen, distinct, warn_reduced
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.structures import of, take
from kerneltools.structures.base import count, in_type, is_collection, like_of, require_examples
from kerneltools.trees import first_line, map_leaves

LANDMARKS = 300
"""The number of landmarks where none is given."""


class KernelEstimator(Watched):
    """An estimator with the parameters `kernel` and `random_state`, whose fields can be set as `kernel__bandwidth`."""

    _hidden: ClassVar[tuple[str, ...]] = ()
    """Learnt attributes whose names have no underscore at the end."""

    kernel: Any
    random_state: Any
    kernel_: Kernel

    def _facts(self) -> dict[str, str]:
        found = {"kernel": said(self.kernel_), "its formula": first_line(self.kernel_)}
        columns = getattr(self, "n_features_in_", None)
        if (seen := getattr(self, "n_samples_seen_", None)) is not None:
            found["objects" if columns is None else "rows"] = f"{seen:,}"
        if columns is not None:
            found["columns"] = f"{columns:,}"
        points = getattr(self, "landmarks_", None)
        if points is not None:
            found["landmarks"] = f"{count(points):,}"
            found["arrays"] = where(like_of(points))
        return {name: value for name, value in found.items() if value}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with `deep`, also those of kernels and selectors, such as `kernel__bandwidth`."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if not deep:
            return found
        inner = {name: nested(value) for name, value in found.items() if "__" not in name}
        return found | {f"{name}__{key}": leaf for name, leaves in inner.items() for key, leaf in leaves.items()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters; `kernel__bandwidth=2.0` replaces the kernel by one with this bandwidth.

        If the kernel is None, `kernel__bandwidth` makes it a Gaussian. `landmarks__m` sets the number of landmarks.

        Raises ValueError for unknown names, and whatever a kernel raises for values out of its range.
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if not rest:
                continue
            holder = self.get_params(deep=False).get(name)
            if key == "kernel__bandwidth" and holder is None:
                self.kernel = Gaussian(value)
                continue
            if key == "landmarks__m" and (holder is None or is_whole(holder)):
                setattr(self, name, value)
                continue
            if not is_open(holder):
                raise ValueError(f"Invalid parameter {key!r} for {self!r}: {name} is {holder!r}; set {name}= first")
            setattr(self, name, replaced(holder, rest, value))
        return self

    def _stored(self) -> dict[str, Any]:
        """The parts of the estimator that a file holds."""
        return parts_of(self, self._hidden)

    @classmethod
    def _restored(cls, params: Any, learnt: Any) -> Self:
        """The estimator that a file describes. Raises TypeError or ValueError if its parts do not fit together."""
        found: Self = made_of(cls, cls._hidden, params, learnt)
        if learnt.keys() - SETTINGS:
            found._check_learnt()
        return found

    def _check_learnt(self) -> None:
        """Raise TypeError, AttributeError or ValueError unless the learnt attributes fit together."""

    def _kernel_for(self, X: Array) -> Kernel:
        """The kernel, with its NumPy parameters in the library, device and type of X; see `kernel` for None."""
        if self.kernel is None:
            require_kernel(X)
            return Gaussian(float(X.shape[1] / 2) ** 0.5)
        if not callable(self.kernel):
            raise TypeError(
                f"kernel: expected an object such as kerneltools.kernels.Gaussian(bandwidth=1.0), or a function, "
                f"got {self.kernel!r}{kernel_hint(self.kernel)}"
            )
        found: Kernel = map_leaves(lambda leaf: like(X, leaf), as_kernel(self.kernel))
        if is_collection(X) and (found.by_inner_products or found.euclidean):
            raise TypeError(f"kernel: {found!r} is of rows of numbers, and X is {X!r}; {X.no_rows}")
        return found


def usual_landmarks(
    landmarks: Any,
    usual: int,
    kernel: Kernel,
    X: Array,
    random_state: Any,
    weights: Array | None,
    work: Work = STEPS,
    progress: Progress = silent,
) -> Array:
    """`landmarks_of`, but None means the usual number, or all distinct rows: (n, d) -> (m, d)"""
    if landmarks is not None:
        return landmarks_of(landmarks, kernel, X, random_state, weights, work, progress)
    with catch_warnings():
        simplefilter("ignore", ReducedWarning)  # of a number that nobody asked for
        return landmarks_of(usual, kernel, X, random_state, weights, work, progress)


def landmarks_of(
    landmarks: Any,
    kernel: Kernel,
    X: Array,
    random_state: Any,
    weights: Array | None = None,
    work: Work = FEATURES,
    progress: Progress = silent,
) -> Array:
    """Landmarks from a number, a selector or an array of points: (n, d) -> (m, d)

    Rows of weight 0 never become landmarks, and selectors that take weights receive them. A number larger than that of
    the rows is reduced, with a ReducedWarning. Where k-means would have a cluster for each row, the rows themselves are
    the landmarks.

    `work`: the memory and time of a fit on them. It is checked before they are chosen, if their number is known.
    `progress`: is told of the stage "landmarks".
    """
    progress("landmarks", 0, 1)
    if weights is not None:
        seen = to_host(weights).nonzero()[0].tolist()
        X, weights = take(X, seen), take(weights, seen)
    if asked := number_of(landmarks, X.shape[0]):
        work.check(X.shape[0], asked, like_of(X))
    selector = selector_of(landmarks, kernel, X)
    found = chosen(selector, kernel, X, draws(random_state), weights, progress)
    if not isinstance(found, Landmarks):
        raise TypeError(f"landmarks: expected kerneltools.landmarks.Landmarks from the selector, got {type(found)}")
    if not asked:
        work.check(X.shape[0], found.points.shape[0], like_of(X))
    points = in_type(found.points, like_of(X).dtype)
    warn_uninformative(kernel, X, points)
    progress("landmarks", 1, 1)
    every = is_number(landmarks) and landmarks >= X.shape[0]
    return _in_order(points) if every and not is_collection(points) else points


def selector_of(landmarks: Any, kernel: Kernel, X: Any) -> Any:
    """The selector that a number, an array of points or a selector stands for."""
    if is_number(landmarks):
        if landmarks < 1:
            raise ValueError(f"landmarks: expected a number >= 1, a selector or points (m, d), got {landmarks}")
        m = min(int(landmarks), X.shape[0])
        warn_reduced(int(landmarks), m, "rows", X.shape[0])
        if landmarks >= X.shape[0] and isinstance(default(kernel, m), MiniBatchKMeans):
            return _Every(m)
        return default(kernel, m, None if is_collection(X) else X.shape)
    if hasattr(landmarks, "dtype") and not is_collection(X):
        require_examples("(m, d)", landmarks=landmarks)
        return Given(move(landmarks, X))
    if is_collection(X) and (is_collection(landmarks) or isinstance(landmarks, list)):
        return Given(of(landmarks, type(X), X).to(X.like))
    if callable(landmarks) and not isinstance(landmarks, type):
        return landmarks
    raise TypeError(
        f"landmarks: expected a number, a selector such as kerneltools.landmarks.KMeans(100), or an array of points "
        f"(m, d), got {landmarks!r}"
    )


def is_number(landmarks: Any) -> bool:
    """Whether `landmarks` is a number of landmarks."""
    return isinstance(landmarks, int | np.integer) and not isinstance(landmarks, bool)


def number_of(landmarks: Any, n: int) -> int | None:
    """The greatest possible number of landmarks, from a number, points or a selector's `m`; None if unknown."""
    if isinstance(landmarks, list):
        return len(landmarks)
    shape: Any = getattr(getattr(landmarks, "points", landmarks), "shape", ())
    if shape:
        return int(shape[0])
    number: Any = getattr(landmarks, "m", landmarks)
    return min(int(number), n) if is_whole(number) else None


@dataclass(frozen=True)
class _Every:
    """Selects all distinct rows, of which there are m or fewer."""

    m: int

    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d)"""
        picked = distinct(x, range(x.shape[0]), self.m)
        warn_reduced(self.m, len(picked), "distinct rows", x.shape[0])
        return Landmarks(take(x, picked), tuple(picked))


def _in_order(points: Array) -> Array:
    """The rows sorted by their columns, so that neither chance nor the order of the rows decides the landmarks."""
    return take(points, np.lexsort(to_host(points).T[::-1]).tolist())


def check_landmarks(estimator: Any) -> None:
    """Raise TypeError or ValueError unless the kernel and the landmarks of a file fit together."""
    if not isinstance(estimator.kernel_, Kernel):
        raise TypeError(f"kernel_: expected a kernel, got {estimator.kernel_!r:.60}")
    require_examples("(m, d)", landmarks_=estimator.landmarks_)
    if not is_collection(estimator.landmarks_):
        check_columns(estimator, estimator.landmarks_.shape[1])


def require_same_kind(estimator: Any, other: Any) -> None:
    """Raise TypeError unless the other is an estimator of the same class."""
    if not isinstance(other, type(estimator)):
        raise TypeError(f"other: expected a fitted {type(estimator).__name__}, got {type(other).__name__}")


def check_callable(name: str, value: Any, wanted: str) -> None:
    """Raise TypeError, with the argument's name, for a value that cannot be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected {wanted}, got {value!r}")


def check_number(name: str, value: Any) -> float:
    """A finite number > 0. Raises ValueError, with the argument's name, for anything else."""
    known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not known or not 0 < value <= sys.float_info.max:  # Python's integers have no end
        raise ValueError(f"{name}: expected a finite number > 0, got {shortened(value)}")
    return float(value)
