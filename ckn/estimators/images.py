"""The scikit-learn face of convolutional kernel networks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ckn.architecture import Architecture, architectures
from ckn.checks import check_batch, check_count, check_regs
from ckn.head import DEFAULT_REGS, FittedHead, fit_head
from ckn.model import Model, encode, preprocess
from ckn.network import Network, Progress
from ckn.preprocessing import Scale, Step
from ckn.splitting import as_images, labelled, numbers_of, split_off
from ckn.supervised import Supervised, TrainingState, best_epoch, fit_supervised
from ckn.supervised.calibration import calibrated
from ckn.supervised.data import Data
from ckn.unsupervised import fit_unsupervised, require_patches
from kerneltools.arrays import indices_like, namespace
from kerneltools.backend import backend as backend_named
from kerneltools.backend import to_host
from kerneltools.estimators.class_weight import check_class_weight, class_factors
from kerneltools.estimators.foreign import Hinted
from kerneltools.learning import Temperature
from kerneltools.progress import silent
from kerneltools.solvers import LinearModel


class ImageClassifier(ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Hinted):  # type: ignore[misc]  # untyped bases
    """Filters learnt without labels, and with them when asked; a linear classifier on the features.

    Without labels: k-means of patches, then ridge regression, λ chosen by leave-one-out. `supervised=True`, or
    the settings `ckn.Supervised(...)`: from there the filters are trained end to end.

    Images are (n, h, w, c), or (n, h, w) for grey ones, integers or floating-point numbers of any array library;
    labels are (n,) integers or strings. Series (n, t, c), or (n, t), need an architecture that says so, by a patch of
    one axis in one of its layers: `ckn.LayerSpec(filters=64, patch=(3,))`. Volumes (n, d, h, w, c) need none, and
    (n, d, h, w) one with a patch of three.

    Parameters: `architecture` (an `Architecture`); `validation`, for a supervised training: a pair of images and
    labels, or the share in (0, 1) of each class that is held out of the training for it: the accuracy on them is
    measured after each epoch, and the model is that of the best one; `preprocessing` (a tuple of steps of
    `ckn.preprocessing`; None divides integers by the greatest value of their type and leaves others); `patches`
    per layer to learn the filters from; `regs`, the values of λ to choose from; `class_weight`, how much the images of
    each class count for the head, its λ and the probabilities, as scikit-learn has it: a dict of numbers >= 0 by class
    (1 for others), "balanced" for as much for each class, or None (without labels only: a supervised training takes all
    alike); `batch` images encoded at a time (None: what fits the cache); `random_state`, an integer seed; `backend` (a
    name, "numpy" when None) and `device` to compute on; `dtype`, "float32" or "float64".

    After `fit`: `model_` (a `ckn.Model`), `classes_`, `reg_` (the λ of the head). Unsupervised: `loo_accuracy_`
    and `loo_errors_` (leave-one-out mean squared error for each of `regs`). Supervised: `training_` (the last
    `ckn.TrainingState`, with its history); with `validation`, `best_` is the state that the model is of.

    >>> from sklearn.datasets import load_digits
    >>> import ckn
    >>> x, y = load_digits(return_X_y=True)
    >>> images = x.reshape(-1, 8, 8, 1)
    >>> small = ckn.ImageClassifier(ckn.architectures["small"], patches=2000).fit(images[:300], y[:300])
    >>> bool(small.score(images[300:500], y[300:500]) > 0.8)
    True
    """

    def __init__(
        self,
        architecture: Architecture = architectures["small"],
        *,
        supervised: bool | Supervised = False,
        validation: float | tuple[Any, Any] | None = None,
        preprocessing: tuple[Step, ...] | None = None,
        patches: int = 100_000,
        regs: Sequence[float] = DEFAULT_REGS,
        class_weight: Mapping[Any, float] | str | None = None,
        batch: int | None = None,
        random_state: int = 0,
        backend: str | None = None,
        device: Any = None,
        dtype: str = "float32",
    ) -> None:
        self.architecture = architecture
        self.supervised = supervised
        self.validation = validation
        self.preprocessing = preprocessing
        self.patches = patches
        self.regs = regs
        self.class_weight = class_weight
        self.batch = batch
        self.random_state = random_state
        self.backend = backend
        self.device = device
        self.dtype = dtype

    def fit(
        self,
        X: Any,
        y: Any,
        progress: Progress = silent,
        on_epoch: Callable[[TrainingState], None] = lambda state: None,
        start: TrainingState | None = None,
        best: TrainingState | None = None,
    ) -> Self:
        """Learn from images X (n, h, w, c) and labels y (n,); `progress(stage, done, total)` is told how far it is.

        Supervised: `on_epoch(state)` is called after each epoch; a training goes on from `start`, and `best` is
        its best state so far where that is another one.

        Raises ValueError for wrong shapes, NaN or infinity, a single class and patches that do not fit the
        images, and what `ckn.fit_supervised` raises. A failed call leaves the estimator as it was.
        """
        self._check_parameters()
        X, y = labelled(X, in_one_column(y), self.architecture.axes)
        check_classification_targets(y)
        X, y, measured = split_off(self._validation(), X, y, self.random_state, self.architecture.axes)
        require_patches(self.architecture, tuple(X.shape[1:-1]))
        if start is not None and not isinstance(self.supervised, Supervised):
            raise TypeError("start: a training goes on with its own settings; pass supervised=ckn.Supervised(...)")
        classes, indices = np.unique(y, return_inverse=True)
        images, steps = self._preprocess(X, progress)
        if self.supervised:
            validation = None
            if measured is not None:
                numbers = numbers_of(measured, classes, tuple(X.shape[1:]))
                validation = preprocess(steps, measured[0], self._like()), numbers
            job = _Job(progress, on_epoch, start, best)
            network, linear, calibration, found = self._with_labels(images, indices, len(classes), validation, job)
        else:
            weights = class_factors(self.class_weight, classes, indices)
            network = self._filters(images, progress)
            head = self._ridge(network, images, indices, len(classes), weights, progress)
            linear, calibration = head.model, head.calibration
            found = {"reg_": head.reg, "loo_accuracy_": head.loo_accuracy, "loo_errors_": head.loo_errors}
        names, shape = tuple(classes.tolist()), tuple(X.shape[1:])
        model = Model(network, linear, steps, names, shape, calibration=calibration).prepare()
        for name in {"loo_accuracy_", "loo_errors_", "training_", "best_"}.intersection(vars(self)):
            delattr(self, name)  # of an earlier fit of another kind
        for name, value in {**found, "classes_": classes, "model_": model}.items():
            setattr(self, name, value)
        return self

    def _validation(self) -> float | tuple[Any, Any] | None:
        given = self.validation
        return (given[0], in_one_column(given[1])) if isinstance(given, tuple | list) else given

    def _preprocess(self, X: Any, progress: Progress) -> tuple[Any, tuple[Step, ...]]:
        """The images as the network takes them, and the steps that made them so."""
        steps = default_preprocessing(X) if self.preprocessing is None else tuple(self.preprocessing)
        progress("preprocessing", 0, 1)
        images = preprocess(steps, X, self._like())
        progress("preprocessing", 1, 1)
        return images, steps

    def _like(self) -> Any:
        """An array of the library, type and device to compute in."""
        return backend_named(self.backend or "numpy").asarray([0.0], dtype=self.dtype, device=self.device)

    def _filters(self, images: Any, progress: Progress) -> Network:
        """Filters from patches, without the labels."""
        return fit_unsupervised(
            self.architecture, images, self.random_state, patches=self.patches, batch=self.batch, progress=progress
        )

    def _ridge(
        self, network: Network, images: Any, indices: Any, classes: int, weights: Any, progress: Progress
    ) -> FittedHead:
        """The ridge head on the features, with its λ by leave-one-out."""
        features = encode(network, (), images, self.batch, progress)
        progress("ridge", 0, 1)
        head = fit_head(features, indices, classes, tuple(self.regs), weights)
        progress("ridge", 1, 1)
        return head

    def _with_labels(
        self, images: Any, indices: Any, classes: int, validation: tuple[Any, list[int]] | None, job: "_Job"
    ) -> tuple[Network, LinearModel, Temperature, dict[str, Any]]:
        """Network and head trained end to end, and what makes probabilities of the scores."""
        network = self._filters(images, job.progress) if job.start is None else job.start.network
        settings = self.supervised if isinstance(self.supervised, Supervised) else Supervised()
        state = fit_supervised(
            network,
            images,
            indices.tolist(),
            classes,
            self.random_state,
            settings,
            start=job.start,
            validation=validation,
            progress=job.progress,
            on_epoch=job.after_epoch,
        )
        best = state if validation is None else job.best or state
        data = Data(images, indices_like(indices, images), classes, self.random_state)
        calibration = calibrated(best, data, settings, validation, job.progress)
        found = {"reg_": state.reg, "training_": state, **({} if validation is None else {"best_": best})}
        return best.network, best.head, calibration, found

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.network.features(self.model_.image_shape[:-1]))

    def _check_parameters(self) -> None:
        if not isinstance(self.architecture, Architecture):
            raise TypeError(
                f"architecture: expected an Architecture, got {self.architecture!r}; "
                "ckn.architectures[name] is a named one"
            )
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected 'float32' or 'float64', got {self.dtype!r}")
        if not isinstance(self.supervised, bool | Supervised):
            raise TypeError(f"supervised: expected True, False or ckn.Supervised(...), got {self.supervised!r}")
        self._check_validation()
        check_batch(self.batch)
        check_count("patches", self.patches)
        check_regs(self.regs)
        self._check_class_weight()
        self._check_preprocessing()

    def _check_validation(self) -> None:
        wanted = self.validation
        if wanted is None:
            return
        if not self.supervised:
            raise ValueError("validation: only with supervised=True; without labels nothing is trained in epochs")
        pair = isinstance(wanted, tuple | list) and len(wanted) == 2
        share = isinstance(wanted, float) and 0 < wanted < 1
        if not (pair or share):
            raise ValueError(
                f"validation: expected a share between 0 and 1, or a pair (images, labels), got {wanted!r:.60}"
            )

    def _check_class_weight(self) -> None:
        wanted = self.class_weight
        if wanted is not None and self.supervised:
            raise ValueError(
                "class_weight: a supervised training takes all images alike; leave it out, or give each class as many "
                "images"
            )
        check_class_weight(wanted)

    def _check_preprocessing(self) -> None:
        steps = self.preprocessing
        if steps is not None and not (isinstance(steps, tuple | list) and all(isinstance(s, Step) for s in steps)):
            raise TypeError(f"preprocessing: expected a tuple of steps of ckn.preprocessing, got {steps!r}")

    def transform(self, X: Any) -> Any:
        """The features: (n, h, w, c) -> (n, features), in the library of `backend`."""
        check_is_fitted(self, "model_")
        return self.model_.transform(as_images(X), self.batch)

    def decision_function(self, X: Any) -> Any:
        """A score for each class, (n, h, w, c) -> (n, classes); for two classes that of the second, -> (n,)."""
        check_is_fitted(self, "model_")
        scores = self.model_.decision_function(as_images(X), self.batch)
        return scores[:, 1] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> Any:
        """The probability of each of `classes_`: (n, h, w, c) -> (n, classes), in the library of `backend`.

        They are the softmax of the scores over a temperature (`kerneltools.learning.fit_temperature`), fitted to the
        leave-one-out scores of the training images; after a supervised training to the scores of the validation images,
        or without those to scores of fifths of the training images by heads for the others, whose filters have seen
        them: they are then too sure where the filters fit closely. The most probable class is that of `predict`.
        """
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(as_images(X), self.batch)

    def predict(self, X: Any) -> Any:
        """The classes of highest score: (n, h, w, c) -> (n,), a NumPy array."""
        check_is_fitted(self, "model_")
        return np.asarray(self.model_.predict(as_images(X), self.batch), dtype=self.classes_.dtype)


def in_one_column(y: Any) -> Any:
    """Labels (n, 1) as (n,), with scikit-learn's DataConversionWarning; others as they are."""
    y = to_host(y) if hasattr(y, "dtype") else np.asarray(y)
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


@dataclass(eq=False)
class _Job:
    """What a supervised training reports to, where it goes on, and its best state by the validation images."""

    progress: Progress
    on_epoch: Callable[[TrainingState], None]
    start: TrainingState | None
    best: TrainingState | None

    def __post_init__(self) -> None:
        self.best = self.best or self.start

    def after_epoch(self, state: TrainingState) -> None:
        """Keep the state if it is the best one, and pass it on."""
        if self.best is None or best_epoch(state.history) == state.epoch:
            self.best = state
        self.on_epoch(state)


def default_preprocessing(images: Any) -> tuple[Step, ...]:
    """Integers are divided by the greatest value of their type; floating-point numbers stay as they are."""
    xp = namespace(images)
    return (Scale(float(xp.iinfo(images.dtype).max)),) if xp.isdtype(images.dtype, "integral") else ()
