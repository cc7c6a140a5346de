"""Kernel logistic regression and support vector machines as a classifier."""

from collections.abc import Mapping
from math import isqrt
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from kerneltools.arrays import Array, asarray_like, device_of, index_dtype, namespace, require_finite
from kerneltools.backend import backend_of, move, to_host
from kerneltools.encoding import Host
from kerneltools.estimators.base import LANDMARKS, KernelEstimator, check_landmarks, check_number, usual_landmarks
from kerneltools.estimators.checks import as_examples, as_weights, host, refuse_no_targets, remember_columns
from kerneltools.estimators.checks import draws as generator_of
from kerneltools.estimators.class_weight import class_factors
from kerneltools.estimators.few_shapes import in_few_shapes
from kerneltools.estimators.forecasting import Plan, forecast, planned_number
from kerneltools.estimators.search import REGS_OF_CLASSES, KernelSearch, search
from kerneltools.estimators.work import STEPS
from kerneltools.forecasting import Forecast, Law, Sizes
from kerneltools.kernels import Kernel
from kerneltools.landmarks.forecasting import VALUE, columns_of
from kerneltools.learning import fit_temperature
from kerneltools.solvers import CrossEntropy, KernelModel, Logistic, Loss, SquaredHinge
from kerneltools.solvers.features import KEPT_ENTRIES
from kerneltools.solvers.left_out import SAMPLE, LeftOut, fit_left_out
from kerneltools.solvers.losses import sigmoid, softmax
from kerneltools.structures.base import count, like_of

REGS_TRIED = 7
"""The λ that are tried: from 4 times the λ of the search on, each is a quarter of the one before."""

SPREAD = {"reg": (0.6, 1.6), "newton": (0.5, 1.8)}
"""The multiples of a forecast between which the time may lie, since the data decide the number of steps."""

LEAST_REG = 1e-8
"""Relative to the greatest k(z, z): products of kernel values with the landmarks' root below it are rounding errors."""


class KernelClassifier(ClassifierMixin, KernelEstimator):  # type: ignore[misc]  # untyped bases
    """Kernel classifier f = k(., Z) α that minimises (1/Σw) Σ w_i loss(f(x_i), y_i) + λ |f|².

    (n, d), (n,) labels -> (n,) labels

    Parameters: `kernel` as in `KernelRidge`; `landmarks` and `random_state` as in `NystromFeatures`, but None means 8
    √n landmarks, at least 300 and at most 1,000, or all rows; `loss`, one of kerneltools.solvers: `Logistic` (the
    default), `SquaredHinge` (a support vector machine) or `CrossEntropy` (softmax); `reg`, λ > 0, or None for the one
    of several λ with the least loss on rows left out; `class_weight`, None, "balanced" (all classes count the same) or
    a dict from class to a factor >= 0 of the weights of its rows (1 for classes not in it); `verbose`: 1 prints a line
    for each step of a fit, 2 draws a bar for each stage that takes over two seconds.

    After `fit`: `classes_`, `kernel_`, `reg_`, `search_` (the search for a kernel, or None), `regs_` and `errors_` (the
    λ that were tried, and the mean losses of rows left out; empty if λ was given), `landmarks_` (m, d), `model_` (a
    `solvers.KernelModel`, with `iterations`, `residual` and `converged`), `slope_` (the slope of probabilities, see
    `predict_proba`). Labels that are numbers are returned in the library and on the device of X, others in NumPy.

    `fit` uses Newton's method, see `solvers.fit_kernel`, and warns (NotConvergedWarning) if it stops early.

    >>> import numpy as np
    >>> from kerneltools.estimators import KernelClassifier
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 100)[:, None]
    >>> labels = np.where(np.sin(x[:, 0]) > 0, "up", "down")
    >>> KernelClassifier(Gaussian(1.0), landmarks=10).fit(x, labels).predict(np.asarray([[1.0], [5.0]])).tolist()
    ['up', 'down']
    """

    def __init__(
        self,
        kernel: Any = None,
        *,
        landmarks: Any = None,
        loss: Loss | None = None,
        reg: float | None = None,
        class_weight: Any = None,
        random_state: Any = 0,
        verbose: bool | int = False,
    ) -> None:
        self.kernel = kernel
        self.landmarks = landmarks
        self.loss = loss
        self.reg = reg
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows X (n, d), labels y (n,) of at least two classes, and weights (n,) >= 0.

        Raises ValueError for shapes that do not fit, NaN with its row and column, λ <= 0 and a single class. A failed
        call leaves the estimator as it was.
        """
        reg, rows, classes, indices, repeats = self._checked(X, y, sample_weight)
        weights = _class_weights(self.class_weight, classes, indices, repeats, rows)
        loss = Logistic() if self.loss is None else self.loss
        targets = move(_targets(indices, len(classes), loss), like_of(rows))
        kernel, tried = None if self.kernel is None else self._kernel_for(rows), None
        if kernel is None or reg is None:
            tried = search(kernel, rows, targets, weights, REGS_OF_CLASSES, self._progress)
            kernel = tried.kernel
        usual, progress = _usual(rows), self._progress
        points = usual_landmarks(self.landmarks, usual, kernel, rows, self.random_state, weights, progress=progress)
        regs = _regs(tried, loss, kernel, points, rows) if reg is None and tried is not None else (float(reg or 0),)
        found = fit_left_out(
            kernel,
            points,
            rows,
            targets,
            loss,
            regs,
            weights=weights,
            repeats=repeats,
            wanted=not isinstance(loss, Logistic | CrossEntropy),
            rng=generator_of(self.random_state),
            progress=self._progress,
        )
        remember_columns(self, X, count(rows))
        self.classes_, self.kernel_, self.landmarks_, self.model_ = classes, kernel, points, found.model
        self.search_, self.reg_, self.regs_, self.errors_ = tried, found.reg, found.regs, found.errors
        self.slope_ = _slope(found, indices, weights)
        return self

    def forecast(self, X: Any, y: Any, sample_weight: Any = None) -> Forecast:
        """How long `fit` will take, and how much memory, by fits on some of the rows of each class.

        As `KernelRidge.forecast`. The number of Newton's steps depends on the data, so the time is given as a range.
        """
        reg, rows, classes, indices, repeats = self._checked(X, y, sample_weight)
        k, d = 1 if len(classes) == 2 else len(classes), columns_of(rows)
        m = planned_number(self.landmarks, _usual(rows), rows)
        several = reg is None or not isinstance(Logistic() if self.loss is None else self.loss, Logistic | CrossEntropy)
        laws: dict[str, Law] = {"newton": _newton(d, k)}
        plan = Plan(m, STEPS, laws if not several or reg is not None else {"reg": _tried(d, k), **laws}, SPREAD)
        order = np.argsort(indices, kind="stable").tolist()
        return forecast(self, rows, np.asarray(classes)[indices], repeats, order, plan)

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[float | None, Array, Any, Any, Array | None]:
        """λ, and the rows, classes, class number of each row, and weights that the fit uses."""
        reg = None if self.reg is None else check_number("reg", self.reg)
        if y is None:
            refuse_no_targets(self, X)
        rows = as_examples(self, X, kernel=self.kernel)
        return reg, rows, *_classes(y, rows.shape[0]), as_weights(sample_weight, rows)

    def _stored(self) -> dict[str, Any]:
        parts = super()._stored()
        params = parts["params"].tree
        if isinstance(params["class_weight"], Mapping):  # whose keys are of the labels' type, those of files are words
            params = params | {"class_weight": tuple(params["class_weight"].items())}
        return parts | {"params": Host(params)}

    @classmethod
    def _restored(cls, params: Any, learnt: Any) -> Self:
        given = params.get("class_weight")
        return super()._restored(params | {"class_weight": dict(given)} if isinstance(given, tuple) else params, learnt)

    def _facts(self) -> dict[str, str]:
        found = super()._facts() | {"classes": f"{len(self.classes_)}", "λ": f"{self.reg_:.3g}"}
        if len(self.errors_) > 1:
            found["loss of rows left out"] = f"{min(self.errors_):.4g}"
        model = self.model_
        ended = "" if model.converged else ", stopped early"
        return found | {"Newton's method": f"{model.iterations} step{'s' * (model.iterations != 1)}{ended}"}

    def _check_learnt(self) -> None:
        check_landmarks(self)
        if not isinstance(self.model_, KernelModel):
            raise TypeError(f"model_: expected a KernelModel, got {self.model_!r:.60}")
        for name, values in {"slope_": (self.slope_,), "reg_": (self.reg_,), "regs_": self.regs_}.items():
            for value in values:
                check_number(name, value)
        if len(self.errors_) != len(self.regs_) or not all(isinstance(error, float) for error in self.errors_):
            raise ValueError(f"errors_: expected a number for each of regs_, got {self.errors_!r:.60}")
        if self.classes_.ndim != 1 or len(set(self.classes_.tolist())) < self.classes_.size:
            raise ValueError(f"classes_: expected different ones (k,), got {self.classes_!r:.60}")
        found, k = self.model_.coefficients.shape[1], len(self.classes_)
        if k < 2 or ((found, k) != (1, 2) and found != k):
            raise ValueError(f"classes_: expected two or more, for {found} columns of scores, got {k}")

    @in_few_shapes
    def decision_function(self, X: Any) -> Array:
        """The scores of the classes, or of the second class if there are two: (n, d) -> (n,) or (n, k)"""
        check_is_fitted(self)
        scores = self.model_(as_examples(self, X, fitted=self.landmarks_))
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    @in_few_shapes
    def predict(self, X: Any) -> Array:
        """(n, d) -> (n,) labels"""
        scores = self.decision_function(X)
        xp = namespace(scores)
        indices = xp.astype(scores > 0, index_dtype(scores)) if scores.ndim == 1 else xp.argmax(scores, axis=1)
        if isinstance(scores, np.ndarray) or self.classes_.dtype.kind not in "iufb":
            return self.classes_[host(indices)]
        return xp.take(_in_library(self.classes_, scores), indices)

    @in_few_shapes
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: (n, d) -> (n, k). `predict` returns the most likely class.

        `Logistic` (each class against the rest) and `CrossEntropy` define probabilities themselves, which are divided
        by their sum. For other losses they are the softmax of `slope_` times the scores, or the sigmoid for two
        classes. The slope is the one that fits best the scores of rows left out, each by a model that was not fitted to
        it.
        """
        scores = self.decision_function(X)
        xp = namespace(scores)
        if scores.ndim == 1:
            return xp.stack([sigmoid(-self.slope_ * scores), sigmoid(self.slope_ * scores)], axis=1)
        if self.loss is None or isinstance(self.loss, Logistic):
            # Never all 0: the ratios are what counts.
            chances = sigmoid(scores) + float(xp.finfo(scores.dtype).smallest_normal)
            return chances / xp.sum(chances, axis=1, keepdims=True)
        return softmax(self.slope_ * (scores - xp.max(scores, axis=1, keepdims=True)))

    @in_few_shapes
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`: (n, d) -> (n, k)"""
        scores = self.decision_function(X)
        xp = namespace(scores)
        if scores.ndim == 1:
            scores = self.slope_ * scores
            zero = xp.zeros_like(scores)
            return -xp.stack([xp.logaddexp(zero, scores), xp.logaddexp(zero, -scores)], axis=1)
        if self.loss is None or isinstance(self.loss, Logistic):
            return xp.log(self.predict_proba(X))
        scores = self.slope_ * (scores - xp.max(scores, axis=1, keepdims=True))
        return scores - xp.log(xp.sum(xp.exp(scores), axis=1, keepdims=True))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of labels that are predicted correctly."""
        return float(accuracy_score(host(y), host(self.predict(X)), sample_weight=host(sample_weight)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _usual(rows: Any) -> int:
    """The number of landmarks where none is given."""
    return max(LANDMARKS, min(1000, 8 * isqrt(count(rows))))


def _newton(d: int, k: int) -> Law:
    """The operations of Newton's steps, for rows of d columns and k columns of targets."""

    def law(size: Sizes) -> tuple[float, ...]:
        n, m = size["n"], size["m"]
        passes = 1 if n * m <= KEPT_ENTRIES else 60  # features that are not kept are made anew
        return (passes * n * m * (2 * d + VALUE), 400 * n * m * k, 20 * k * min(n, 4 * m) * m**2)

    return law


def _tried(d: int, k: int) -> Law:
    """The operations of the choice of λ."""

    def law(size: Sizes) -> tuple[float, ...]:
        n, m = size["n"], size["m"]
        values = min(n * m, KEPT_ENTRIES) * (2 * d + VALUE + 2 * m)
        return (values, 1000 * min(n, SAMPLE) * m * k, 40 * k * min(n, SAMPLE) * m**2)

    return law


def _classes(y: Any, n: int) -> tuple[Any, Any]:
    """The classes in order, and the class number of each row."""
    labels = column_or_1d(host(y), warn=True)
    if labels.dtype.kind == "f":
        require_finite(y=labels)
    check_classification_targets(labels)
    if labels.shape[0] != n:
        raise ValueError(f"y: expected a label for each of {n} rows, got {labels.shape[0]}")
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y: expected at least two classes, got one class only: {classes.tolist()[0]!r}")
    return classes, indices


def _slope(found: LeftOut, indices: Any, weights: Array | None) -> float:
    """The slope of probabilities, one over a temperature; 1 if the loss defines probabilities itself."""
    if found.scores is None:
        return 1.0
    which = list(found.rows)
    counts = np.ones(len(which)) if weights is None else to_host(weights).astype(np.float64)[which]
    scores = to_host(found.scores).astype(np.float64)
    both = np.concatenate([-scores / 2, scores / 2], axis=1) if scores.shape[1] == 1 else scores
    return 1 / fit_temperature(both, indices[which].tolist(), weights=counts).value


def _class_weights(class_weight: Any, classes: Any, indices: Any, weights: Array | None, X: Array) -> Array | None:
    """The weights of rows times the factors of their classes: (n,), or None if all are 1."""
    counts = None if weights is None else to_host(weights).astype(np.float64)
    factors = class_factors(class_weight, classes, indices, counts)
    if factors is None:
        return weights
    found = as_weights(factors, X)
    return found if weights is None else found * weights


def _regs(tried: KernelSearch, loss: Loss, kernel: Kernel, points: Array, X: Array) -> tuple[float, ...]:
    """The λ to try on a sample, in falling order: the λ of a search on few landmarks may be far too great."""
    diagonal, n = kernel.diag(points), count(X)
    size = float(namespace(diagonal).max(diagonal))
    part = min(SAMPLE, n) / n
    first = 4 * tried.reg * tried.share / part * _curvature(loss)
    regs = (first / 4**k for k in range(REGS_TRIED))
    return tuple(reg for reg in regs if reg * part >= LEAST_REG * size) or (first,)


def _curvature(loss: Loss) -> float:
    """The curvature of a loss at f = 0 relative to that of squares: how much λ weighs beside it."""
    return 1.0 if isinstance(loss, SquaredHinge) else 1 / 8


def _targets(indices: Any, count: int, loss: Loss) -> Any:
    """+1 for a row's class and -1 for others; one column for two classes, unless the loss needs a score of each."""
    targets = np.where(indices[:, None] == np.arange(count), 1.0, -1.0)
    return targets if count > 2 or isinstance(loss, CrossEntropy) else targets[:, 1:]


def _in_library(classes: Any, like: Array) -> Array:
    owner = backend_of(like)
    if owner is None:
        return asarray_like(classes.tolist(), like, index_dtype(like) if classes.dtype.kind in "iub" else like.dtype)
    return owner.asarray(classes, device=device_of(like))
