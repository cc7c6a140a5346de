"""The estimators for images, series of one length and volumes: arrays (n, *grid, c)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckn.architecture import Architecture, architectures
from ckn.checks import check_images, with_channels
from ckn.estimators.body import NetworkClassifier, NetworkRegressor
from ckn.head import DEFAULT_REGS
from ckn.preprocessing import Scale, Step
from ckn.supervised import Supervised
from ckn.unsupervised import require_patches
from kerneltools.arrays import namespace
from kerneltools.solvers import Loss


@dataclass(frozen=True)
class ImageKind:
    """Arrays of images, with or without an axis for the channels, and nested lists."""

    noun: str = "image"
    nouns: str = "images"
    parts: str = "patches"
    of_objects: bool = False

    def taken(self, X: Any, architecture: Any) -> Any:
        """(n, *grid, c), checked. Raises what `as_images`, `with_channels` and `check_images` raise."""
        images = with_channels(as_images(X), architecture.axes)
        check_images(images)
        return images

    def of_model(self, X: Any, model: Any) -> Any:
        """Arrays, which the model checks."""
        return as_images(X)

    def check(self, architecture: Any) -> None:
        """Raise TypeError for anything but an architecture for grids."""
        if not isinstance(architecture, Architecture):
            raise TypeError(
                f"architecture: expected an Architecture, got {architecture!r}; ckn.architectures[name] is a named one"
            )
        _ = architecture.grids

    def require(self, architecture: Any, data: Any) -> None:
        """Raise ValueError, naming the layer, unless each has a patch without padding to learn from."""
        require_patches(architecture, self.shape(data)[:-1])

    def built(self, architecture: Any, data: Any) -> Architecture:
        """The architecture."""
        found: Architecture = architecture
        return found

    def require_alike(self, data: Any, other: Any) -> None:
        """Raise ValueError for images of another shape."""
        wanted, got = self.shape(data), self.shape(other)
        if got != wanted:
            raise ValueError(f"validation: expected images of shape {wanted}, as in training, got {got}")

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Integers divided by the greatest value of their type; floating-point numbers unchanged."""
        xp = namespace(data)
        return (Scale(float(xp.iinfo(data.dtype).max)),) if xp.isdtype(data.dtype, "integral") else ()

    def shape(self, data: Any) -> tuple[int, ...]:
        """(*grid, c)"""
        return tuple(data.shape[1:])


class ImageClassifier(NetworkClassifier):
    """Classifier of images: filters learnt without labels, and then with them if asked, and a linear head.

    Without labels: k-means of patches, then a head: ridge regression with λ chosen by leave-one-out; from 20,000 images
    on, ridge regression or the squared hinge, whichever is right more often on images left out. With `supervised=True`,
    or the settings `ckn.Supervised(...)`, the filters are then trained end to end.

    Images are (n, h, w, c), or (n, h, w) for grey ones, integers or floating-point numbers of any array library; labels
    are (n,) integers or strings. Series (n, t, c), or (n, t), need an architecture with a patch of one axis in one of
    its layers: `ckn.LayerSpec(filters=64, patch=(3,))`. Volumes (n, d, h, w, c) need no such architecture; volumes (n,
    d, h, w) need a patch of three axes.

    Parameters: `architecture` (an `Architecture`); `validation`, for a supervised training: a pair of images and
    labels, or the share in (0, 1) of each class that is held out of the training: the accuracy on them is measured
    after each epoch, and the best epoch gives the model; `preprocessing` (a tuple of steps of `ckn.preprocessing`; None
    divides integers by the greatest value of their type and leaves others unchanged); `patches`, how many each layer
    learns its filters from; `regs`, the values of λ to choose from; `class_weight`, how much the images of each class
    count for the head, its λ and the probabilities, as in scikit-learn: a dict from class to a number >= 0 (1 for
    others), "balanced" for equal classes, or None (a supervised training takes only None); `head`, the loss of the head
    on filters learnt without labels: `Squared()`, `SquaredHinge()`, `Logistic()` or `CrossEntropy()` of
    `kerneltools.solvers` (None: chosen as above); `batch`, how many images are encoded at a time (None: what fits the
    cache); `random_state`, an integer seed; `backend` (a name, None for "numpy") and `device` to compute on; `dtype`,
    "float32" or "float64"; `verbose`, 1 for a line per step of a fit or a prediction, 2 for a bar per stage that
    takes over two seconds.

    After `fit`: `model_` (a `ckn.Model`), `classes_`, `reg_` (the λ of the head). Unsupervised: `head_` (its loss),
    `loo_accuracy_` (the accuracy on images left out: one at a time, or, for 20,000 or more images or another head than
    ridge regression, some at once), `loo_errors_` (the leave-one-out mean squared error for each of `regs`, or the
    errors of `choice_`) and `choice_` (what was tried, with its λ, errors and accuracy, the seconds it took, and where
    the features were kept: those of 20,000 images or more are in a temporary file if they take over 1 GiB). Supervised:
    `training_` (the last `ckn.TrainingState`, with its history); with `validation`, `best_` is the state of the model.

    >>> from sklearn.datasets import load_digits
    >>> import ckn
    >>> x, y = load_digits(return_X_y=True)
    >>> images = x.reshape(-1, 8, 8, 1)
    >>> small = ckn.ImageClassifier(ckn.architectures["small"], patches=2000).fit(images[:300], y[:300])
    >>> bool(small.score(images[300:500], y[300:500]) > 0.8)
    True
    """

    kind = ImageKind()

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
        head: Loss | None = None,
        batch: int | None = None,
        random_state: int = 0,
        backend: str | None = None,
        device: Any = None,
        dtype: str = "float32",
        verbose: bool | int = False,
    ) -> None:
        self.architecture = architecture
        self.supervised = supervised
        self.validation = validation
        self.preprocessing = preprocessing
        self.patches = patches
        self.regs = regs
        self.class_weight = class_weight
        self.head = head
        self.batch = batch
        self.random_state = random_state
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.verbose = verbose


class ImageRegressor(NetworkRegressor):
    """Regression on images: filters learnt without labels, and then with them if asked, and a linear head.

    K-means of patches, then ridge regression of the standardised targets, with λ chosen by leave-one-out. With
    `supervised=True`, or the settings `ckn.Supervised(...)`, the filters are then trained end to end, by the squared
    error of the standardised targets.

    Images and parameters are as in `ImageClassifier`; `validation` is a pair of images and targets, or the share of the
    images that is held out, and is measured by R². Targets are numbers (n,), or several for each image (n, q).

    After `fit`: `model_` (a `ckn.Model`), `reg_` (the λ of the head). Unsupervised: `loo_score_` (the R² of images left
    out, a mean over the targets) and `loo_errors_` (the mean squared error of images left out for each of `regs`, for
    standardised targets). Supervised: `training_` and `best_` as in `ImageClassifier`; the accuracy in their history is
    R².

    >>> from sklearn.datasets import load_digits
    >>> import ckn
    >>> x, _ = load_digits(return_X_y=True)
    >>> images, ink = x.reshape(-1, 8, 8, 1), x[:, :32].sum(axis=1)
    >>> upper_half = ckn.ImageRegressor(patches=2000).fit(images[:300], ink[:300])
    >>> bool(upper_half.score(images[300:500], ink[300:500]) > 0.7)
    True
    """

    kind = ImageKind()

    def __init__(
        self,
        architecture: Architecture = architectures["small"],
        *,
        supervised: bool | Supervised = False,
        validation: float | tuple[Any, Any] | None = None,
        preprocessing: tuple[Step, ...] | None = None,
        patches: int = 100_000,
        regs: Sequence[float] = DEFAULT_REGS,
        batch: int | None = None,
        random_state: int = 0,
        backend: str | None = None,
        device: Any = None,
        dtype: str = "float32",
        verbose: bool | int = False,
    ) -> None:
        self.architecture = architecture
        self.supervised = supervised
        self.validation = validation
        self.preprocessing = preprocessing
        self.patches = patches
        self.regs = regs
        self.batch = batch
        self.random_state = random_state
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.verbose = verbose


def as_images(X: Any) -> Any:
    """Arrays unchanged; nested lists as an array. Raises ValueError for images or series of several sizes."""
    if isinstance(X, np.ndarray) and X.dtype == np.object_ and X.ndim == 1:
        X = X.tolist()
    if hasattr(X, "shape"):
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(f"images: expected all of one size, got {_sizes(X)}") from error


def _sizes(X: Any) -> str:
    """What differs in a list of arrays or lists."""
    shapes = [tuple(x.shape) if hasattr(x, "shape") else (len(x),) if isinstance(x, list | tuple) else () for x in X]
    if len(set(shapes)) == 1:
        return "nested lists of unequal lengths"
    if len(lengths := {shape[0] for shape in shapes if shape}) > 1:
        return f"lengths from {min(lengths)} to {max(lengths)}: cut, pad or resample them first"
    first, other = list(dict.fromkeys(shapes))[:2]
    return f"shapes {first} and {other}: cut, pad or resize them first"
