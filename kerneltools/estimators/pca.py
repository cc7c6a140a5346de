"""Kernel principal components as a transformer."""

import warnings
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from kerneltools import learning
from kerneltools.arrays import Array, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.estimators.base import LANDMARKS, KernelEstimator, check_landmarks, landmarks_of, require_same_kind
from kerneltools.estimators.checks import as_examples, as_weights, remember_columns, remember_more
from kerneltools.estimators.few_shapes import in_few_shapes
from kerneltools.estimators.work import SPECTRUM
from kerneltools.landmarks import ReducedWarning
from kerneltools.learning.pca import components_of
from kerneltools.maps import Nystrom, nystrom
from kerneltools.streaming import FeatureSums
from kerneltools.structures.base import count


@dataclass(frozen=True, eq=False)
class _Components:
    """The components of the rows seen, computed when they are first needed."""

    sums: FeatureSums
    count: int

    @cached_property
    def model(self) -> learning.KernelPCA:
        sums = self.sums.sums
        assert sums is not None  # at least one row has been seen
        size = sums.gram.shape[0]
        if size < self.count:
            message = f"components: {self.count} asked for, {size} made: there are no more landmarks"
            warnings.warn(message, ReducedWarning, stacklevel=2)
        return components_of(self.sums.map, sums, min(self.count, size), self.sums.dtype)


class KernelPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KernelEstimator):  # type: ignore[misc]
    """Kernel PCA: the directions in the span of landmarks along which rows vary most.

    (n, d) -> (n, c)

    Parameters: `n_components`, c; `kernel`, `landmarks`, `random_state` and `verbose` as in `NystromFeatures`. With all
    rows as landmarks this is exact kernel PCA (Schölkopf, Smola and Müller 1998), scaled as in scikit-learn.

    After `fit`: `kernel_`, `landmarks_` (m, d), `sums_`, `model_` (a `learning.KernelPCA`), `eigenvalues_` (c,) of the
    centred kernel matrix, and `explained_variance_ratio_` (c,). If the rows vary in fewer directions, there are fewer
    components, and a ReducedWarning.

    `partial_fit` and `merge` are exact, and choose landmarks, as in `KernelRidge`. A row of weight w counts like w
    equal rows.

    >>> import numpy as np
    >>> from kerneltools.estimators import KernelPCA
    >>> from kerneltools.kernels import Linear
    >>> x = np.random.default_rng(0).standard_normal((50, 3)) * np.array([5.0, 1.0, 0.1])
    >>> pca = KernelPCA(2, kernel=Linear(), landmarks=3).fit(x)
    >>> pca.transform(x).shape, bool(pca.explained_variance_ratio_[0] > 0.9)
    ((50, 2), True)
    """

    _hidden = ("_found",)

    def __init__(
        self,
        n_components: int = 2,
        *,
        kernel: Any = None,
        landmarks: Any = LANDMARKS,
        random_state: Any = 0,
        verbose: bool | int = False,
    ) -> None:
        self.n_components = n_components
        self.kernel = kernel
        self.landmarks = landmarks
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows X (n, d), n >= 2, and weights (n,) >= 0; y is not used.

        A failed call leaves the estimator as it was.
        """
        self._begin(X, sample_weight, least=2)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from more rows, exactly; the first call chooses the landmarks. A failed call changes nothing."""
        if not hasattr(self, "kernel_"):
            self._begin(X, sample_weight, least=1)
            return self
        rows = as_examples(self, X, fitted=self.landmarks_, learning=True)
        weights = as_weights(sample_weight, rows, least=0)
        self._set(self.sums_.partial_fit(rows, weights=weights), self.kernel_, self.landmarks_)
        remember_more(self, count(rows))
        return self

    def merge(self, other: "KernelPCA") -> "KernelPCA":
        """A new estimator, exactly as if fitted to the rows of both; neither is changed.

        Raises ValueError unless both have the same landmarks and kernel, TypeError for an object of another class.
        """
        require_same_kind(self, other)
        check_is_fitted(self)
        check_is_fitted(other)
        found = copy(self)
        found._set(self.sums_.merge(other.sums_), self.kernel_, self.landmarks_)
        remember_more(found, getattr(other, "n_samples_seen_", None))
        return found

    @in_few_shapes
    def transform(self, X: Any) -> Array:
        """The components, in the library, device and type of the fit: (n, d) -> (n, c)"""
        check_is_fitted(self)
        return self.model_(as_examples(self, X, fitted=self.landmarks_))

    @property
    def sums_(self) -> FeatureSums:
        """The sums over the rows seen so far."""
        check_is_fitted(self)
        return self._found.sums

    @property
    def model_(self) -> learning.KernelPCA:
        """The map to the components. Raises ValueError before two rows have been seen."""
        check_is_fitted(self)
        if self._rows < 2:
            raise ValueError("KernelPCA: components need at least 2 rows, got n_samples = 1")
        return self._found.model

    @property
    def eigenvalues_(self) -> Array:
        """The greatest eigenvalues of the centred, weighted kernel matrix, in falling order: (c,)"""
        variances, seen = self.model_.variances, self.sums_.sums
        assert seen is not None  # there is a model of it
        return variances * namespace(variances).astype(seen.weight, variances.dtype)

    @property
    def explained_variance_ratio_(self) -> Array:
        """The share of each component in the variance within the landmarks' span: (c,)"""
        return self.model_.shares

    def _facts(self) -> dict[str, str]:
        if self._rows < 2:
            return super()._facts()
        shares = to_host(self.explained_variance_ratio_).tolist()
        told = f"{', '.join(f'{share:.1%}' for share in shares[:5])}; {sum(shares):.1%} in all"
        return super()._facts() | {"components": f"{len(shares)}", "of the variance": told}

    def _check_learnt(self) -> None:
        check_landmarks(self)
        if not isinstance(self._found, _Components) or not isinstance(self._found.sums.map, Nystrom):
            raise TypeError(f"expected what a fit finds, got {self._found!r:.60}")
        if self._found.sums.sums is None:
            raise ValueError("sums_: expected the sums of at least one row")

    def _begin(self, X: Any, sample_weight: Any, least: int) -> None:
        if not is_whole(self.n_components):
            raise ValueError(f"n_components: expected an integer >= 1, got {self.n_components!r}")
        rows = as_examples(self, X, least=least, kernel=self.kernel)
        weights = as_weights(sample_weight, rows, least=least)
        kernel = self._kernel_for(rows)
        points = landmarks_of(self.landmarks, kernel, rows, self.random_state, weights, SPECTRUM, self._progress)
        told = partial(self._progress, "features")
        sums = FeatureSums(nystrom(kernel, points)).partial_fit(rows, weights=weights, progress=told)
        remember_columns(self, X, count(rows))
        self._set(sums, kernel, points)

    def _set(self, sums: FeatureSums, kernel: Any, points: Array) -> None:
        self.kernel_, self.landmarks_ = kernel, points
        self._found = _Components(sums, self.n_components)

    @property
    def _rows(self) -> int:
        return 0 if self.sums_.sums is None else int(self.sums_.sums.rows)

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.variances.shape[0])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags
