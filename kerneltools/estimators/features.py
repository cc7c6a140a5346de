"""Feature maps as transformers."""

from collections.abc import Callable
from typing import Any, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from kerneltools import maps
from kerneltools.arrays import Array, namespace
from kerneltools.estimators.base import LANDMARKS, KernelEstimator, check_callable, landmarks_of
from kerneltools.estimators.checks import as_examples, as_weights, draws, like, remember_columns
from kerneltools.estimators.few_shapes import in_few_shapes
from kerneltools.estimators.forecasting import Plan, forecast, planned_number
from kerneltools.estimators.informative import warn_uninformative
from kerneltools.estimators.parts import check_columns
from kerneltools.estimators.showing import where
from kerneltools.estimators.work import FEATURES, ROOTS, Work
from kerneltools.forecasting import Forecast
from kerneltools.kernels import Kernel
from kerneltools.maps import Map, fourier, nystrom
from kerneltools.memory import require_memory
from kerneltools.structures import Ragged
from kerneltools.structures.base import count, is_collection, like_of, part, require_examples
from kerneltools.trees import map_leaves


class _FeatureMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KernelEstimator):  # type: ignore[misc]
    """A transformer whose map `fit` prepares from the rows, and perhaps from random numbers."""

    _hidden = ("_type",)

    map_: Map

    @in_few_shapes
    def transform(self, X: Any) -> Array:
        """The features, in the library, device and type of the fit: (n, d) -> (n, m)

        Raises MemoryError if there is no room for them.
        """
        check_is_fitted(self)
        rows, m = as_examples(self, X, fitted=self._type), self.map_.dimension
        each = m * namespace(like_of(rows)).finfo(like_of(rows).dtype).bits / 8
        require_memory(
            f"X: {m} features of {rows.shape[0]} rows need",
            each * rows.shape[0],
            like_of(rows),
            lambda free: f"take at most {int(free / each / 2)} rows at a time, see kerneltools.streaming.transform",
        )
        return self.map_(rows)

    def _set(self, X: Any, rows: Array, found: Map) -> Self:
        remember_columns(self, X, count(rows))
        self.kernel_, self.map_, self._type = found.kernel, found, part(rows, slice(0, 0))
        return self

    def _facts(self) -> dict[str, str]:
        return super()._facts() | {"features": f"{self.map_.dimension:,}", "arrays": where(like_of(self._type))}

    def _check_learnt(self) -> None:
        if not isinstance(self.map_, Map) or not isinstance(self.kernel_, Kernel):
            raise TypeError(f"map_, kernel_: expected a map and a kernel, got {self.map_!r:.60}, {self.kernel_!r:.60}")
        if self.map_.columns is not None:
            check_columns(self, self.map_.columns)
        require_examples("(0, d)", _type=self._type)

    @property
    def _n_features_out(self) -> int:
        return self.map_.dimension

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags


class NystromFeatures(_FeatureMap):
    """The Nyström map of a kernel: φ(x)·φ(y) is close to k(x, y).

    (n, d) -> (n, m)

    Parameters: `kernel`, an object of kerneltools.kernels or a function of two sets of rows (None: a Gaussian of
    bandwidth sqrt(d/2), scikit-learn's gamma = 1/d); `landmarks`, a number m (`landmarks.default` chooses them; with
    fewer distinct rows there are fewer, and a ReducedWarning), a selector, or points (m, d); `reg` > 0 or None, see
    `maps.nystrom`; `random_state`, a seed, a generator or None; `verbose`, as in `KernelRidge`.

    After `fit`: `kernel_`, `map_` (a `maps.Nystrom`, with `residual`, `trace_error` and `rank`), `landmarks_` (m, d).
    Arrays may be of any library; results are of the same one. `fit` takes weights of the rows for the choice of
    landmarks: selectors receive them as `weights`, and rows of weight 0 never become landmarks.

    Raises ValueError for NaN with its row and column, a wrong number of columns and an indefinite kernel.

    >>> import numpy as np
    >>> from kerneltools.estimators import NystromFeatures
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> features = NystromFeatures(Gaussian(2.0), landmarks=30).fit(x)
    >>> features.transform(x).shape, bool(features.map_.relative_error(x) < 1e-3)
    ((100, 30), True)
    """

    def __init__(
        self,
        kernel: Any = None,
        *,
        landmarks: Any = LANDMARKS,
        reg: float | None = None,
        random_state: Any = 0,
        verbose: bool | int = False,
    ) -> None:
        self.kernel = kernel
        self.landmarks = landmarks
        self.reg = reg
        self.random_state = random_state
        self.verbose = verbose

    @property
    def landmarks_(self) -> Array:
        """The landmarks that `fit` chose: (m, d)"""
        check_is_fitted(self)
        return self.map_.points  # type: ignore[attr-defined]  # it is a maps.Nystrom

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Prepare the map from rows X (n, d), and weights (n,) >= 0 of the rows -> self; y is not used.

        A failed call leaves the estimator as it was.
        """
        rows = as_examples(self, X, kernel=self.kernel)
        kernel, weights = self._kernel_for(rows), as_weights(sample_weight, rows)
        points = landmarks_of(self.landmarks, kernel, rows, self.random_state, weights, self._work, self._progress)
        return self._set(X, rows, nystrom(kernel, points, self.reg))

    def forecast(self, X: Any, y: Any = None, sample_weight: Any = None) -> Forecast:
        """How long `fit` will take, and how much memory, by fits on some of the rows; y is not used. See `KernelRidge`.

        `transform` is not counted.
        """
        rows = as_examples(self, X, kernel=self.kernel)
        weights, n = as_weights(sample_weight, rows), int(rows.shape[0])
        plan = Plan(planned_number(self.landmarks, LANDMARKS, rows), self._work, {}, {})
        return forecast(self, rows, None, weights, range(n), plan)

    @property
    def _work(self) -> Work:
        return FEATURES if self.reg is None else ROOTS


class RandomFeatures(_FeatureMap):
    """Random features of a kernel: the mean of φ(x)·φ(y) over all draws is k(x, y).

    (n, d) -> (n, m)

    Parameters: `kernel`, as in `NystromFeatures`; `m`, the number of features (even, for pairs); `draw`, the function
    of kerneltools.maps that suits the kernel, called as draw(kernel, d, m, rng): `maps.fourier` for stationary ones,
    `maps.arccos`, `maps.tensor_sketch` (polynomial), `maps.maclaurin`, `maps.positive` (exponential of the inner
    product), `maps.signature` (`kernels.series.Signature`, of series: X is a list of arrays (T, d)), `maps.counts`
    (kernels of strings and graphs that count parts, hashed to m columns), or a functools.partial of a function with
    more arguments; `random_state`, a seed, a generator or None.

    After `fit`: `kernel_` and `map_`. `fit` uses only the number of columns of X.

    Raises TypeError for a kernel that `draw` does not support, ValueError for an m that it cannot make.

    >>> import numpy as np
    >>> from kerneltools.estimators import RandomFeatures
    >>> from kerneltools.kernels import Matern
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> RandomFeatures(Matern(1.5, 1.0), m=50).fit_transform(x).shape
    (100, 50)
    """

    def __init__(
        self, kernel: Any = None, *, m: int = 500, draw: Callable[..., maps.Map] = fourier, random_state: Any = 0
    ) -> None:
        self.kernel = kernel
        self.m = m
        self.draw = draw
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the map for rows X (n, d) -> self; y is not used. A failed call leaves the estimator as it was."""
        rows = as_examples(self, X, kernel=self.kernel)
        others = is_collection(rows) and not isinstance(rows, Ragged)
        if others and self.draw is fourier:
            raise TypeError(
                f"draw: expected another function than maps.fourier for {rows!r}: maps.counts, or take NystromFeatures"
            )
        kernel = self._kernel_for(rows)
        check_callable("draw", self.draw, "a function such as kerneltools.maps.fourier")
        warn_uninformative(kernel, rows, rows)
        columns = None if others else rows.columns if isinstance(rows, Ragged) else rows.shape[1]
        found: Map = self.draw(kernel, columns, self.m, draws(self.random_state))
        return self._set(X, rows, map_leaves(lambda leaf: like(rows, leaf), found))
