"""Kernel ridge regression as a regressor."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from inspect import signature
from math import isqrt
from typing import Any, Literal, Self, cast, overload

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from kerneltools.arrays import Array, namespace, require_rank
from kerneltools.backend import to_host
from kerneltools.estimators.base import (
    LANDMARKS,
    KernelEstimator,
    check_callable,
    check_landmarks,
    check_number,
    number_of,
    require_same_kind,
    usual_landmarks,
)
from kerneltools.estimators.checks import (
    as_examples,
    as_targets,
    as_weights,
    host,
    refuse_no_targets,
    remember_columns,
    remember_more,
)
from kerneltools.estimators.exact import Exact, merged
from kerneltools.estimators.few_shapes import in_few_shapes
from kerneltools.estimators.forecasting import Plan, forecast, planned_number
from kerneltools.estimators.posterior import Posterior
from kerneltools.estimators.search import REGS, KernelSearch, Wide, search, wide_features
from kerneltools.estimators.showing import shortened
from kerneltools.estimators.work import FACTOR, PATH, SPECTRUM, STEPS, SUMS, Work
from kerneltools.forecasting import Forecast, Law
from kerneltools.landmarks.base import precise
from kerneltools.landmarks.forecasting import VALUE, columns_of
from kerneltools.solvers import KernelModel
from kerneltools.solvers.sums import row_weights, weighted_mean
from kerneltools.streaming import FeatureModel, FeatureSums
from kerneltools.structures.base import count, like_of
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class _Regression:
    """Ridge regression on the rows seen, solved only when needed, so that a stream of small blocks is cheap."""

    sums: FeatureSums
    regs: tuple[float, ...]

    @cached_property
    def errors(self) -> Array:
        """The error by generalised cross-validation of each λ, a mean over the targets, on the host."""
        return to_host(self.sums.path().generalised_cross_validation(self.regs)).mean(axis=1)

    @cached_property
    def reg(self) -> float:
        return self.regs[0] if len(self.regs) == 1 else self.regs[int(self.errors.argmin())]

    @cached_property
    def model(self) -> "_Narrow":
        return _Narrow(self.sums.model(self.reg))

    @cached_property
    def posterior(self) -> Posterior:
        return Posterior(self.sums.path(), self.reg, cast(Wide, self.sums.map))


@dataclass(frozen=True, eq=False)
class _Narrow(Tree):
    """A model whose predictions have the type of the rows."""

    model: FeatureModel

    def __call__(self, x: Array) -> Array:
        values = self.model(x)
        return namespace(values).astype(values, like_of(x).dtype)


@dataclass(frozen=True, eq=False)
class _About:
    """A model without intercept, fitted to targets less their `mean` (t,)."""

    kernel_model: KernelModel
    mean: Array
    reg: float

    def __call__(self, x: Array) -> Array:
        values = self.kernel_model(x)
        return values + namespace(values).astype(self.mean, values.dtype)


def _is_direct(estimator: "KernelRidge") -> bool:
    return estimator.solver is None


class KernelRidge(MultiOutputMixin, RegressorMixin, KernelEstimator):  # type: ignore[misc]  # untyped bases
    """Kernel ridge regression in the span of landmarks: minimises (1/Σw) Σ w_i |f(x_i) + b - y_i|² + λ |f|².

    (n, d), (n,) or (n, t) -> (n,) or (n, t)

    Parameters: `kernel`, or None for a Gaussian whose bandwidth is a multiple of the median distance, chosen by
    generalised cross-validation on a sample (see `KernelSearch`); `landmarks` and `random_state` as in
    `NystromFeatures`, but None means 5 √n landmarks, at least 300 and at most 1,000; `reg`, λ > 0, or several values
    from which generalised cross-validation chooses, None for 1e-9 to 1; `solver`, None or a function like
    `solvers.falkon`, which finds f for the targets less their mean (b): take one if m² numbers or n m² operations are
    too many, see `solvers.choose`; `verbose`: 1 prints a line for each stage of a fit, 2 draws a bar for each that
    takes over two seconds. λ is scikit-learn's alpha / n.

    If all rows are among the landmarks, `solvers.exact_ridge` finds the same function without features, some seven
    times faster. Several values of `reg` need the eigenvectors of the kernel matrix, which takes ten times as long.

    After `fit`: `kernel_`, `search_` (what was tried, or None), `landmarks_` (m, d), `reg_`, `errors_` (the error of
    each `reg` by generalised cross-validation), `model_`, a function of rows (n, d) -> (n, t), and `shift_` (the ε
    added to k(Z, Z) before it is factored, relative to its greatest entry; 0 if all rows are landmarks). Without
    `solver`, also `sums_` (a `streaming.FeatureSums`) and `noise_variance_`, with the standard deviations of
    `predict(X, return_std=True)`; then all intermediate numbers are in float64 if the library has it, so that rows in
    float32 give the model of the same rows in float64.

    `partial_fit` adds rows, and `merge` joins two estimators; both give the result of one fit of all rows on the same
    landmarks, up to rounding. The first call chooses the landmarks among its rows. To be independent of that choice,
    pass the points yourself.

    >>> import numpy as np
    >>> from kerneltools.estimators import KernelRidge
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 100)[:, None]
    >>> model = KernelRidge(Gaussian(1.0), landmarks=20, reg=[1e-8, 1e-4, 1.0]).fit(x, np.sin(x[:, 0]))
    >>> model.reg_, bool(model.score(x, np.sin(x[:, 0])) > 0.999)
    (1e-08, True)
    """

    _hidden = ("_found", "_flat")

    def __init__(
        self,
        kernel: Any = None,
        *,
        landmarks: Any = None,
        reg: float | Sequence[float] | None = None,
        solver: Callable[..., KernelModel] | None = None,
        random_state: Any = 0,
        verbose: bool | int = False,
    ) -> None:
        self.kernel = kernel
        self.landmarks = landmarks
        self.reg = reg
        self.solver = solver
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows X (n, d), n >= 2, targets y (n,) or (n, t), and weights (n,) >= 0.

        Raises ValueError for shapes that do not fit, NaN with its row and column, and λ <= 0, and MemoryError before it
        begins if there is no room. A failed call leaves the estimator as it was.
        """
        regs, rows, targets, weights = self._checked(X, y, sample_weight)
        kernel, tried = self._searched(rows, _columns(targets), weights)
        points = self._points(kernel, rows, weights)
        self._progress("regression", 0, 1)
        found: Any
        alike = None if self.solver is not None else merged(points, rows, _columns(targets), weights)
        if alike is not None:
            if len(regs) > 1:
                PATH.check(alike[0].shape[0], alike[0].shape[0], like_of(rows))
            found = Exact.of(kernel, *alike, regs)
        elif self.solver is None:
            if self._may_be_exact(rows):
                _of_features(regs).check(rows.shape[0], points.shape[0], like_of(rows))
            sums = FeatureSums(wide_features(kernel, points))
            told = partial(self._progress, "regression")
            sums = sums.partial_fit(rows, _columns(targets), weights, reg=min(regs), progress=told)
            found = _Regression(sums, regs)
        else:
            # λ |f|² counts for as much beside a mean over so many rows.
            given = regs if self.reg is not None or tried is None else (tried.reg * tried.share,)
            found = self._solved(kernel, points, rows, _columns(targets), weights, given)
        remember_columns(self, X, count(rows))
        self._progress("regression", 1, 1)
        self._set(found, kernel, points, targets.ndim == 1)
        self.search_ = tried
        return self

    def forecast(self, X: Any, y: Any, sample_weight: Any = None) -> Forecast:
        """How long `fit` will take, and how much memory, by fits on some of the rows, in a second or two.

        The result prints as a table. The estimator and its random generators are left unchanged. Raises what `fit`
        raises, except for lack of memory: then `fits` is False. The time does not include the first prediction's, which
        finds the λ with the least error and its model.

        >>> import numpy as np
        >>> from kerneltools.estimators import KernelRidge
        >>> x = np.random.default_rng(0).standard_normal((2000, 3))
        >>> found = KernelRidge(landmarks=50).forecast(x, x[:, 0])
        >>> [stage.name for stage in found.stages]
        ['kernel and λ', 'landmarks', 'regression']
        """
        regs, rows, targets, weights = self._checked(X, y, sample_weight)
        n = int(rows.shape[0])
        m = planned_number(self.landmarks, self._usual(rows), rows)
        work = self._work(rows)
        plan = Plan(m, work, {"regression": self._law(columns_of(rows), m == n, len(regs))}, self._spread())
        return forecast(self, rows, targets, weights, range(n), plan)

    @available_if(_is_direct)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from more rows, exactly; the first call chooses the landmarks. Not with `solver`.

        Raises what `fit` raises; a failed call leaves the estimator, and what it had learnt, as it was.
        """
        if not hasattr(self, "kernel_"):
            return self._begin(X, y, sample_weight)
        regs = self._regs()
        if y is None:
            refuse_no_targets(self, X)
        rows = as_examples(self, X, fitted=self.landmarks_, learning=True)
        targets, weights = as_targets(y, rows), as_weights(sample_weight, rows, least=0)
        if (targets.ndim == 1) != self._flat:
            raise ValueError(f"y: expected {'(n,)' if self._flat else '(n, t)'} as before, got {tuple(targets.shape)}")
        sums = self._fitted().partial_fit(rows, _columns(targets), weights, reg=min(regs))
        self._set(_Regression(sums, regs), self.kernel_, self.landmarks_, self._flat)
        remember_more(self, count(rows))
        return self

    def merge(self, other: "KernelRidge") -> "KernelRidge":
        """A new estimator, exactly as if fitted to the rows of both; neither is changed.

        Raises ValueError unless both have the same landmarks, kernel and number of targets, TypeError for an object of
        another class.
        """
        require_same_kind(self, other)
        sums = self._fitted().merge(other._fitted())
        found = copy(self)
        found._set(_Regression(sums, self._regs()), self.kernel_, self.landmarks_, self._flat)
        remember_more(found, getattr(other, "n_samples_seen_", None))
        return found

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> Array: ...

    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[Array, Array]: ...

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """(n, d) -> (n,) or (n, t), in the library, device and type of the fit; with `return_std` a pair of such.

        `return_std`: also the standard deviation with which new targets scatter about the predictions, noise included:
        of the posterior of a Gaussian process whose covariance is the kernel times σ² / (λ n), beside a constant and
        noise of the variance σ² (`noise_variance_`, which is estimated from the rows). Were the data of such a process,
        a target would be within 1.645 of these nine times out of ten. What the landmarks miss counts as uncertain. The
        first such call takes the eigenvectors of the features' sums, or of the kernel matrix where all rows are
        landmarks: some ten times a fit for one λ.

        Raises ValueError for a fit with a `solver`, which has no posterior, TypeError for another `return_std`.

        >>> import numpy as np
        >>> x = np.linspace(0, 6, 200)[:, None]
        >>> y = np.sin(x[:, 0]) + np.random.default_rng(0).normal(0, 0.3, 200)
        >>> values, std = KernelRidge().fit(x, y).predict(np.asarray([[3.0], [9.0]]), return_std=True)
        >>> std.round(1)  # where there are rows, and far from them
        array([0.3, 0.8])
        """
        if not isinstance(return_std, bool | np.bool_):
            raise TypeError(f"return_std: expected True or False, got {shortened(return_std)}")
        values = self._predicted(X)
        return (values, self._deviations(X)) if return_std else values

    @in_few_shapes
    def _predicted(self, X: Any) -> Array:
        check_is_fitted(self)
        values = self.model_(as_examples(self, X, fitted=self.landmarks_))
        return values[:, 0] if self._flat else values

    @in_few_shapes
    def _deviations(self, X: Any) -> Array:
        spread = self._posterior.deviations(as_examples(self, X, fitted=self.landmarks_))
        return spread[:, 0] if self._flat else spread

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², the share of the targets' variance that the predictions explain."""
        return float(r2_score(host(y), host(self.predict(X)), sample_weight=host(sample_weight)))

    @property
    def model_(self) -> Callable[[Array], Array]:
        """The function that was learnt: (n, d) -> (n, t)"""
        check_is_fitted(self)
        found: Callable[[Array], Array] = self._found if isinstance(self._found, _About) else self._found.model
        return found

    @property
    def sums_(self) -> FeatureSums | None:
        """The sums over the rows seen so far; None with a solver."""
        check_is_fitted(self)
        if isinstance(self._found, Exact):
            return self._found.sums(self.landmarks_)
        return self._found.sums if isinstance(self._found, _Regression) else None

    @property
    def reg_(self) -> float:
        """The λ of the model: the given one, or the one with the least error."""
        check_is_fitted(self)
        reg: float = self._found.reg
        return reg

    @property
    def errors_(self) -> Array:
        """The mean squared error on new rows that generalised cross-validation expects for each λ: (r,)"""
        check_is_fitted(self)
        if isinstance(self._found, _About):
            raise ValueError("solver: errors_ exist only for a fit without a solver; set solver=None")
        errors: Array = self._found.errors
        return errors

    @property
    def noise_variance_(self) -> Any:
        """The variance of the noise, estimated from the residuals (`RidgePath.noise_variance`): a number, or (t,).

        Raises ValueError for a fit with a `solver`.
        """
        check_is_fitted(self)
        noise = to_host(self._posterior.noise)
        return float(noise[0]) if self._flat else noise

    @property
    def _posterior(self) -> Posterior:
        if isinstance(self._found, _About):
            raise ValueError("return_std: a fit with a solver has no posterior; leave solver out")
        found: Posterior = self._found.posterior
        return found

    @property
    def shift_(self) -> float:
        """The least ε, relative to the greatest k(z, z), with which k(Z, Z) + ε I has a factor in spite of rounding."""
        check_is_fitted(self)
        if isinstance(self._found, Exact):
            return 0.0
        if not isinstance(self._found, _Regression):
            return float(getattr(self._found.kernel_model, "shift", 0.0))
        points = precise(self.kernel_, self.landmarks_)
        like = like_of(points)
        return count(points) * float(namespace(like).finfo(like.dtype).eps)

    def _facts(self) -> dict[str, str]:
        found = super()._facts() | {"λ": f"{self.reg_:.3g}"}
        # One λ has been taken without its error, which would cost more than the fit.
        if not isinstance(self._found, _About) and (len(self._found.regs) > 1 or "errors" in vars(self._found)):
            least = float(self.errors_.min())
            found["generalised cross-validation"] = f"error {least:.4g}, its root {least**0.5:.4g}"
        if "posterior" in vars(self._found):
            found["variance of the noise"] = str(np.asarray(self.noise_variance_).round(6))
        return found

    def _check_learnt(self) -> None:
        check_landmarks(self)
        if isinstance(self._found, _Regression):
            if not isinstance(self._found.sums.map, Wide):
                raise TypeError(f"sums: expected those of Nyström features, got {self._found.sums.map!r:.60}")
            if not self._found.regs:
                raise ValueError("regs: expected at least one number > 0, got none")
            for reg in self._found.regs:
                check_number("reg", reg)
            sums = self._found.sums.sums
            targets = 0 if sums is None else sums.cross.shape[1]
        elif isinstance(self._found, Exact):
            targets = self._found.checked()
        elif isinstance(self._found, _About):
            targets = self._found.kernel_model.coefficients.shape[1]
            require_rank(1, f"({targets},)", mean=self._found.mean)
        else:
            raise TypeError(f"expected what a fit finds, got {self._found!r:.60}")
        if not isinstance(self._flat, bool) or targets < 1 or (self._flat and targets > 1):
            raise ValueError(f"expected at least one target as in y, got {targets}")

    def _begin(self, X: Any, y: Any, sample_weight: Any) -> Self:
        regs = self._regs()
        if y is None:
            refuse_no_targets(self, X)
        rows = as_examples(self, X, kernel=self.kernel)
        targets, weights = as_targets(y, rows), as_weights(sample_weight, rows)
        kernel, tried = self._searched(rows, _columns(targets), weights)
        points = self._points(kernel, rows, weights)
        if self._may_be_exact(rows):
            _of_features(regs).check(rows.shape[0], points.shape[0], like_of(rows))
        sums = FeatureSums(wide_features(kernel, points))
        sums = sums.partial_fit(rows, _columns(targets), weights, reg=min(regs))
        remember_columns(self, X, count(rows))
        self._set(_Regression(sums, regs), kernel, points, targets.ndim == 1)
        self.search_ = tried
        return self

    def _searched(self, x: Array, y: Array, weights: Array | None) -> tuple[Any, KernelSearch | None]:
        """The kernel, and the search that found it if none was given; with a solver, the search also finds λ."""
        kernel = None if self.kernel is None else self._kernel_for(x)
        if kernel is not None and (self.reg is not None or self.solver is None):
            return kernel, None
        tried = search(kernel, x, y, weights, None if self.reg is None else self._regs(), self._progress)
        return tried.kernel, tried

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[tuple[float, ...], Array, Array, Array | None]:
        """The λ, and the rows, targets and weights that the fit uses."""
        regs = self._regs()
        if self.solver is not None:
            _check_solver(self.solver)
        if y is None:
            refuse_no_targets(self, X)
        rows = as_examples(self, X, least=2, kernel=self.kernel)
        return regs, rows, as_targets(y, rows), as_weights(sample_weight, rows, least=2)

    def _usual(self, x: Array) -> int:
        """The number of landmarks where none is given."""
        return max(LANDMARKS, min(1000, 5 * isqrt(int(x.shape[0]))))

    def _work(self, x: Array) -> Work:
        return STEPS if self.solver is not None else FACTOR if self._may_be_exact(x) else _of_features(self._regs())

    def _law(self, d: int, all_rows: bool, regs: int) -> Law:
        """The operations of the regression, for rows of d columns."""
        if self.solver is not None:
            return lambda s: (20 * s["n"] * s["m"] * (2 * d + VALUE), 8 * s["n"] * s["m"] ** 2, 10 * s["m"] ** 3)
        if all_rows:
            cubes = PATH.cubes if regs > 1 else FACTOR.cubes
            return lambda s: (s["n"] ** 2 * (2 * d + 3 * VALUE), cubes * s["n"] ** 3)
        return lambda s: (s["n"] * s["m"] * (2 * d + VALUE), 3 * s["n"] * s["m"] ** 2, 2 * s["m"] ** 3)

    def _spread(self) -> dict[str, tuple[float, float]]:
        return {} if self.solver is None else {"regression": (0.7, 1.4)}

    def _points(self, kernel: Any, x: Array, weights: Array | None) -> Array:
        usual, work = self._usual(x), self._work(x)
        return usual_landmarks(self.landmarks, usual, kernel, x, self.random_state, weights, work, self._progress)

    def _may_be_exact(self, x: Array) -> bool:
        """Whether all rows may be among the landmarks, which takes less work; only the chosen landmarks decide it."""
        n = int(x.shape[0])
        return (number_of(self.landmarks, n) or 0) >= n

    def _set(self, found: Any, kernel: Any, points: Array, flat: bool) -> None:
        self._found, self.kernel_, self.landmarks_, self._flat = found, kernel, points, flat

    def _fitted(self) -> FeatureSums:
        check_is_fitted(self)
        if self.sums_ is None:
            raise ValueError("solver: partial_fit and merge work only without a solver; set solver=None")
        return self.sums_

    def _solved(
        self, kernel: Any, points: Array, rows: Array, targets: Array, weights: Array | None, regs: tuple[float, ...]
    ) -> _About:
        if len(regs) > 1:
            raise ValueError(f"reg: expected one number together with a solver, got {len(regs)} numbers")
        assert self.solver is not None  # the caller has asked
        mean = weighted_mean(targets, row_weights(targets, weights))
        return _About(self.solver(kernel, points, rows, targets - mean, regs[0], weights=weights), mean, regs[0])

    def _regs(self) -> tuple[float, ...]:
        given: Any = REGS if self.reg is None else self.reg
        several = isinstance(given, Sequence) or (isinstance(given, np.ndarray) and given.ndim > 0)
        values = tuple(given) if several else (given,)
        if not values:
            raise ValueError("reg: expected a number > 0 or several, got none")
        return tuple(check_number("reg", value) for value in values)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _check_solver(solver: Any) -> None:
    """Raise TypeError unless the solver can be called like `falkon`."""
    check_callable("solver", solver, "a function such as kerneltools.solvers.falkon")
    try:
        taken = signature(solver)
    except ValueError:  # it does not say
        return
    try:
        taken.bind(None, None, None, None, 1.0, weights=None)
    except TypeError as error:
        raise TypeError(
            "solver: expected a function of (kernel, landmarks, x, y, reg, *, weights), such as "
            f"kerneltools.solvers.falkon, got {getattr(solver, '__name__', solver)!s:.60}: {error}; for a fit on all "
            "rows set solver=None and landmarks=X"
        ) from error


def _of_features(regs: tuple[float, ...]) -> Work:
    return SPECTRUM if len(regs) > 1 else SUMS


def _columns(y: Array) -> Array:
    return y[:, None] if y.ndim == 1 else y
