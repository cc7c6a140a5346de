"""Kernel logistic regression and support vector machines as a classifier."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from kerneltools.arrays import Array, asarray_like, device_of, index_dtype, namespace, require_finite
from kerneltools.backend import backend_of, move
from kerneltools.estimators.base import LANDMARKS, KernelEstimator, check_landmarks, check_number, usual_landmarks
from kerneltools.estimators.checks import as_examples, as_weights, host, refuse_no_targets, remember_columns
from kerneltools.estimators.checks import draws as generator_of
from kerneltools.estimators.search import REGS_OF_CLASSES, search
from kerneltools.solvers import CrossEntropy, KernelModel, Logistic, Loss, SquaredHinge, fit_kernel
from kerneltools.structures.base import like_of


def _has_probabilities(estimator: "KernelClassifier") -> bool:
    return estimator.loss is None or isinstance(estimator.loss, Logistic | CrossEntropy)


class KernelClassifier(ClassifierMixin, KernelEstimator):  # type: ignore[misc]  # untyped bases
    """The classifier f = k(., Z) α of least (1/Σw) Σ w_i loss(f(x_i), y_i) + λ |f|².

    (n, d), (n,) labels -> (n,) labels

    Parameters: `kernel` as in `KernelRidge`, `landmarks` and `random_state` as in `NystromFeatures`, None for 300 or
    all rows; `loss`, of kerneltools.solvers: `Logistic` (None: that), `SquaredHinge` (a support vector machine) or
    `CrossEntropy` (softmax); `reg`, λ > 0, None for what generalised cross-validation of ridge regression on ±1 takes,
    times the curvature of the loss at 0; `verbose`: print a line for each step of a fit.

    After `fit`: `classes_`, `kernel_`, `reg_`, `search_` (what was tried, or None), `landmarks_` (m, d), `model_` (a
    `solvers.KernelModel`, with `iterations`, `residual` and `converged`). Labels that are numbers come in the library
    and on the device of X, others in NumPy.

    Found by Newton's method, see `solvers.fit_kernel`; it warns (NotConvergedWarning) when it stops early.

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
        random_state: Any = 0,
        verbose: bool | int = False,
    ) -> None:
        self.kernel = kernel
        self.landmarks = landmarks
        self.loss = loss
        self.reg = reg
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows X (n, d), labels y (n,) of at least two classes, and weights (n,) >= 0.

        Raises ValueError for shapes that do not fit, NaN with its row and column, λ <= 0 and a single class. A failed
        call leaves the estimator as it was.
        """
        reg = None if self.reg is None else check_number("reg", self.reg)
        if y is None:
            refuse_no_targets(self, X)
        rows = as_examples(self, X, kernel=self.kernel)
        classes, indices = _classes(y, rows.shape[0])
        weights = as_weights(sample_weight, rows)
        loss = Logistic() if self.loss is None else self.loss
        targets = move(_targets(indices, len(classes), loss), like_of(rows))
        kernel, tried = None if self.kernel is None else self._kernel_for(rows), None
        if kernel is None or reg is None:
            tried = search(kernel, rows, targets, weights, REGS_OF_CLASSES, self._progress)
            kernel = tried.kernel
            reg = reg or tried.reg * tried.share * _curvature(loss)
        self._progress("landmarks", 0, 1)
        points = usual_landmarks(self.landmarks, LANDMARKS, kernel, rows, self.random_state, weights)
        self._progress("landmarks", 1, 1)
        draws = generator_of(self.random_state)
        model = fit_kernel(
            kernel, points, rows, targets, loss, reg, weights=weights, rng=draws, progress=self._progress
        )
        remember_columns(self, X)
        self.classes_, self.kernel_, self.landmarks_, self.model_ = classes, kernel, points, model
        self.search_, self.reg_ = tried, reg
        return self

    def _check_learnt(self) -> None:
        check_landmarks(self)
        if not isinstance(self.model_, KernelModel):
            raise TypeError(f"model_: expected a KernelModel, got {self.model_!r:.60}")
        if self.classes_.ndim != 1 or len(set(self.classes_.tolist())) < self.classes_.size:
            raise ValueError(f"classes_: expected different ones (k,), got {self.classes_!r:.60}")
        found, k = self.model_.coefficients.shape[1], len(self.classes_)
        if k < 2 or ((found, k) != (1, 2) and found != k):
            raise ValueError(f"classes_: expected two or more, for {found} columns of scores, got {k}")

    def decision_function(self, X: Any) -> Array:
        """Scores, of the second class where there are two: (n, d) -> (n,) or (n, k)"""
        check_is_fitted(self)
        scores = self.model_(as_examples(self, X, fitted=self.landmarks_))
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    def predict(self, X: Any) -> Array:
        """(n, d) -> (n,) labels"""
        scores = self.decision_function(X)
        xp = namespace(scores)
        indices = xp.astype(scores > 0, index_dtype(scores)) if scores.ndim == 1 else xp.argmax(scores, axis=1)
        if isinstance(scores, np.ndarray) or self.classes_.dtype.kind not in "iufb":
            return self.classes_[host(indices)]
        return xp.take(_in_library(self.classes_, scores), indices)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: (n, d) -> (n, k). With `Logistic` or `CrossEntropy` only.

        Classes against the rest have probabilities of their own, which are divided by their sum.
        """
        scores = self.decision_function(X)
        xp = namespace(scores)
        if scores.ndim == 1:
            second = _sigmoid(scores)
            return xp.stack([1 - second, second], axis=1)
        if isinstance(self.loss, CrossEntropy):
            powers = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
            return powers / xp.sum(powers, axis=1, keepdims=True)
        # Never all 0: the ratios are what counts.
        chances = _sigmoid(scores) + float(xp.finfo(scores.dtype).smallest_normal)
        return chances / xp.sum(chances, axis=1, keepdims=True)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`: (n, d) -> (n, k)"""
        chances = self.predict_proba(X)
        return namespace(chances).log(chances)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of labels that are right."""
        return float(accuracy_score(host(y), host(self.predict(X)), sample_weight=host(sample_weight)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _classes(y: Any, n: int) -> tuple[Any, Any]:
    """The labels that occur, in order, and the number of each row's."""
    labels = column_or_1d(host(y), warn=True)
    if labels.dtype.kind == "f":
        require_finite(y=labels)
    check_classification_targets(labels)
    if labels.shape[0] != n:
        raise ValueError(f"y: expected a label for each of {n} rows, got {labels.shape[0]}")
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y: expected at least two classes, got one class only: {classes[0]!r}")
    return classes, indices


def _curvature(loss: Loss) -> float:
    """Of a loss where nothing is known, f = 0, in units of that of squares: how much λ weighs beside it."""
    return 1.0 if isinstance(loss, SquaredHinge) else 1 / 8


def _targets(indices: Any, count: int, loss: Loss) -> Any:
    """+1 for a row's class and -1 for others; one column for two classes, where scores are not of differences only."""
    targets = np.where(indices[:, None] == np.arange(count), 1.0, -1.0)
    return targets if count > 2 or isinstance(loss, CrossEntropy) else targets[:, 1:]


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    xp = namespace(x)
    small = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(x), small) / (1 + small)


def _in_library(classes: Any, like: Array) -> Array:
    owner = backend_of(like)
    if owner is None:
        return asarray_like(classes.tolist(), like, index_dtype(like) if classes.dtype.kind in "iub" else like.dtype)
    return owner.asarray(classes, device=device_of(like))
