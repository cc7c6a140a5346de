"""What the estimators for all kinds of data share: parameters, fit, features, classes and numbers to predict."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ckn.architecture import Architecture
from ckn.checks import check_batch, check_count, check_labels, check_regs
from ckn.choice import MANY, chosen_head, chosen_regression
from ckn.describing import as_html
from ckn.estimators.forecasting import forecast
from ckn.kept import MEMORY, Kept, kept
from ckn.layers.readouts import standardised
from ckn.model import Model, bare_features, encode_blocks, preprocess
from ckn.network import Network, Progress
from ckn.preprocessing import Step
from ckn.preprocessing.objects import fitted_steps
from ckn.splitting import held_out, validation_rows
from ckn.supervised import StartError, Supervised, TrainingState, best_epoch, fit_supervised
from ckn.supervised.calibration import calibrated
from ckn.supervised.data import Data
from ckn.supervised.fit import require_architecture
from ckn.targets import Targets, check_targets
from ckn.unsupervised import fit_unsupervised
from kerneltools.arrays import Array, indices_like, require_count
from kerneltools.backend import backend as backend_named
from kerneltools.backend import to_host
from kerneltools.estimators.class_weight import check_class_weight, class_factors
from kerneltools.estimators.showing import where
from kerneltools.estimators.watched import Watched
from kerneltools.forecasting import Forecast
from kerneltools.landmarks import ReducedWarning
from kerneltools.learning import Temperature
from kerneltools.random import generator, stream
from kerneltools.solvers import LinearModel, Loss
from kerneltools.structures import count, take
from kerneltools.structures.base import is_collection

OF_A_FIT = (
    "reg_",
    "head_",
    "choice_",
    "loo_accuracy_",
    "loo_errors_",
    "loo_score_",
    "training_",
    "best_",
    "classes_",
    "architecture_",
    "model_",
    "n_samples_seen_",
)
"""The attributes that a fit may set; some belong to one kind of fit only."""

Measured = tuple[Any, Any] | None
"""Examples that epochs are measured on, and their targets."""


class Kind(Protocol):
    """One kind of examples: what an estimator takes, and how it treats it."""

    @property
    def noun(self) -> str:
        """What messages call one of them."""

    @property
    def nouns(self) -> str:
        """What messages call several of them."""

    @property
    def parts(self) -> str:
        """The parameter that sets how many parts each layer learns from."""

    @property
    def of_objects(self) -> bool:
        """Whether they are objects, not arrays of one shape."""

    def taken(self, X: Any, architecture: Any) -> Any:
        """The examples in the form that is computed with. Raises TypeError or ValueError for anything else."""

    def of_model(self, X: Any, model: Any) -> Any:
        """The same for examples for a trained model."""

    def check(self, architecture: Any) -> None:
        """Raise TypeError for anything but an architecture for such examples."""

    def require(self, architecture: Any, data: Any) -> None:
        """Raise TypeError or ValueError if the layers are not for such examples."""

    def built(self, architecture: Any, data: Any) -> Architecture:
        """The architecture as the network takes it, or the default one for such examples if there is none."""

    def require_alike(self, data: Any, other: Any) -> None:
        """Raise ValueError for other examples that do not fit those of the training."""

    def steps(self, data: Any) -> tuple[Step, ...]:
        """The default preprocessing, with what it learns from the examples."""

    def shape(self, data: Any) -> tuple[int, ...]:
        """The part of the shape that all examples share."""


class NetworkEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Watched):  # type: ignore[misc]  # untyped bases
    """A network whose filters are learnt without labels, or also with them, and a linear head on its features.

    >>> import ckn
    >>> from ckn.estimators.body import NetworkEstimator
    >>> model = ckn.SetClassifier(random_state=1)
    >>> isinstance(model, NetworkEstimator), sorted(model.get_params())[:4]
    (True, ['architecture', 'backend', 'batch', 'class_weight'])
    """

    kind: ClassVar[Kind]

    architecture: Architecture | None
    supervised: bool | Supervised
    validation: float | tuple[Any, Any] | None
    preprocessing: tuple[Step, ...] | None
    regs: Sequence[float]
    batch: int | None
    random_state: int
    backend: str | None
    device: Any
    dtype: str
    verbose: bool | int

    def fit(
        self,
        X: Any,
        y: Any,
        progress: Progress | None = None,
        on_epoch: Callable[[TrainingState], None] = lambda state: None,
        start: TrainingState | None = None,
        best: TrainingState | None = None,
    ) -> Self:
        """Learn from n examples X and y, their labels (n,) or numbers (n,) or (n, q) to predict.

        `progress(stage, done, total)` is called as the work proceeds, instead of what `verbose` asks for. Supervised:
        `on_epoch(state)` is called after each epoch; a training resumes from `start`, and `best` is its best state so
        far if that is another one.

        Raises ValueError for wrong shapes, NaN or infinity, a single class and layers that do not fit the
        examples, and what `ckn.fit_supervised` raises. A failed call leaves the estimator as it was.
        """
        self._check_parameters()
        progress = progress or self._progress
        X, y, measured = self._split(*self._taken(X, y, least=2))
        self.kind.require(self.architecture, X)
        if start is not None and not isinstance(self.supervised, Supervised):
            raise TypeError("start: a training resumes with its own settings; pass supervised=ckn.Supervised(...)")
        goal, n = self._goal(y), count(X)
        progress("preprocessing", 0, 1)
        steps = fitted_steps(self.kind.steps(X) if self.preprocessing is None else tuple(self.preprocessing), X)
        examples = preprocess(steps, X, self._like())
        progress("preprocessing", 1, 1)
        architecture = self.kind.built(self.architecture, examples)
        if self.supervised:
            job = Job(progress, on_epoch, start, best)
            found = self._with_labels(architecture, examples, goal, self._measured(measured, X, goal, steps), job)
        else:
            network = self._filters(architecture, examples, progress)
            with self._kept(network, [examples], progress) as (network, features):
                del examples  # their memory is wanted for the head
                found = self._ridge(network, features, goal, progress)
        model = self._model(found, steps, self.kind.shape(X), goal)
        for name in set(OF_A_FIT).intersection(vars(self)):
            delattr(self, name)  # of an earlier fit, which may be of another kind
        told = {"architecture_": architecture, "model_": model, "n_samples_seen_": n}
        for name, value in {**found.attributes, **told}.items():
            setattr(self, name, value)
        return self

    def forecast(self, X: Any, y: Any, test: int = 0) -> Forecast:
        """How long `fit` will take, stage by stage, and how much memory, from a few seconds of work on some examples.

        `test`: how many other examples are predicted afterwards. The result prints as a table. The estimator is left
        unchanged. All epochs are one stage, "epochs". Raises what `fit` raises for such examples, except for lack of
        memory: then `fits` is False.
        """
        self._check_parameters()
        require_count("test", test, 0)
        began = perf_counter()
        X, y, measured = self._split(*self._taken(X, y, least=2))
        self.kind.require(self.architecture, X)
        taken = perf_counter() - began  # it is in the first stage that a fit reports
        return forecast(self, X, self._goal(y), 0 if measured is None else count(measured[0]), test, taken)

    @abstractmethod
    def _targets(self, y: Any, n: int, least: int) -> Any:
        """The targets of n examples, on the host and checked; `least`: the least number of classes."""

    @abstractmethod
    def _rows_held_out(self, y: Any, share: float) -> Any:
        """A mask (n,) of the examples that epochs are measured on."""

    @abstractmethod
    def _goal(self, y: Any) -> Any:
        """What is learnt from the targets."""

    @abstractmethod
    def _ridge(self, network: Network, features: Kept, goal: Any, progress: Progress) -> "Found":
        """The head on the features of filters that know no labels."""

    @abstractmethod
    def _calibration(
        self, state: TrainingState, examples: Any, goal: Any, measured: Measured, job: "Job"
    ) -> Temperature | None:
        """What turns the scores into probabilities after a supervised training; None if there is nothing."""

    @abstractmethod
    def _model(self, found: "Found", steps: tuple[Step, ...], shape: tuple[int, ...], goal: Any) -> Any:
        """The model that predicts, without scikit-learn."""

    def _taken(self, X: Any, y: Any, least: int) -> tuple[Any, Any]:
        data = self.kind.taken(X, self.architecture)
        return data, self._targets(to_host(y) if hasattr(y, "shape") else np.asarray(y), count(data), least)

    def _split(self, X: Any, y: Any) -> tuple[Any, Any, Measured]:
        """The examples to train on and those to measure: a pair as given, or a share drawn with the seed."""
        wanted = self.validation
        if wanted is None:
            return X, y, None
        if isinstance(wanted, tuple | list):
            try:
                return X, y, self._taken(*wanted, least=1)
            except (TypeError, ValueError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                raise kind(f"validation: {error}") from error
        rows = self._rows_held_out(y, wanted)
        return take(X, ~rows), y[~rows], (take(X, rows), y[rows])

    def _measured(self, measured: Measured, X: Any, goal: Any, steps: tuple[Step, ...]) -> Measured:
        """Examples for validation as the network takes them, and their targets in the form of the head's."""
        if measured is None:
            return None
        self.kind.require_alike(X, measured[0])
        return preprocess(steps, measured[0], self._like()), goal.of(measured[1])

    def _like(self) -> Any:
        """An array in the library, type and device to compute in."""
        return backend_named(self.backend or "numpy").asarray([0.0], dtype=self.dtype, device=self.device)

    def _filters(self, architecture: Architecture, examples: Any, progress: Progress) -> Network:
        """Filters from parts of the examples, without labels."""
        parts = getattr(self, self.kind.parts)
        with warnings.catch_warnings():
            if self.architecture is None:
                # There may be fewer filters than a number that nobody asked for.
                warnings.filterwarnings("ignore", "landmarks: ", ReducedWarning)
            return fit_unsupervised(
                architecture, examples, self.random_state, patches=parts, batch=self.batch, progress=progress
            )

    @contextmanager
    def _kept(self, network: Network, examples: list[Any], progress: Progress) -> Iterator[tuple[Network, Kept]]:
        """The network, and the features of the examples in the list, which is emptied, in the form that a head takes.

        Features of objects are standardised by column, and in memory; those of many images are in a file if they take
        more than `MEMORY`.
        """
        data = examples.pop()
        if network.embedding is not None:
            network, features = self._standardised(network, data, progress)
            yield network, Kept(network.like, features)
            return
        n, blocks = count(data), encode_blocks(network, (), data, self.batch, progress)
        columns = network.features_of(data)
        del data
        with kept(blocks, (n, columns), network.like, MEMORY if n >= MANY else None) as features:
            yield network, features

    def _standardised(self, network: Network, examples: Any, progress: Progress) -> tuple[Network, Array]:
        """The network with a readout that standardises the features of objects by column, and these features."""
        bare = bare_features(network, examples, self.batch, progress)
        assert network.readout is not None  # `fit_unsupervised` gives one
        readout = standardised(network.readout, bare)
        return replace(network, readout=readout), readout.of(bare)

    def _with_labels(
        self, architecture: Architecture, examples: Any, goal: Any, measured: Measured, job: "Job"
    ) -> "Found":
        """Network and head trained end to end."""
        state = fit_supervised(
            self._begun(architecture, examples, job),
            examples,
            goal.wanted,
            goal.classes,
            self.random_state,
            self._settings,
            start=job.start,
            validation=measured,
            progress=job.progress,
            on_epoch=job.after_epoch,
        )
        best = state if measured is None else job.best or state
        told = {"reg_": state.reg, "training_": state, **({} if measured is None else {"best_": best})}
        calibration = self._calibration(best, examples, goal, measured, job)
        return Found(best.network, best.head, calibration, {**told, **goal.told})

    @property
    def _settings(self) -> Supervised:
        return self.supervised if isinstance(self.supervised, Supervised) else Supervised()

    def _begun(self, architecture: Architecture, examples: Any, job: "Job") -> Network:
        """The network that a supervised training starts or resumes with."""
        if job.start is not None:
            network = _going_on(job.start.network, examples)
            if self.architecture is not None:
                require_architecture(network, architecture)
            return network
        network = self._filters(architecture, examples, job.progress)
        return network if network.embedding is None else self._standardised(network, examples, job.progress)[0]

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.features)

    def _check_parameters(self) -> None:
        self.kind.check(self.architecture)
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected 'float32' or 'float64', got {self.dtype!r}")
        if not isinstance(self.supervised, bool | Supervised):
            raise TypeError(f"supervised: expected True, False or ckn.Supervised(...), got {self.supervised!r}")
        self._check_validation()
        check_batch(self.batch)
        _ = self._progress  # of which `verbose` is checked
        check_count(self.kind.parts, getattr(self, self.kind.parts))
        check_regs(self.regs)
        generator(self.random_state, "random_state")
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
                f"validation: expected a share between 0 and 1, or a pair ({self.kind.nouns}, labels), "
                f"got {wanted!r:.60}"
            )

    def _check_preprocessing(self) -> None:
        steps = self.preprocessing
        if steps is not None and not (isinstance(steps, tuple | list) and all(isinstance(s, Step) for s in steps)):
            raise TypeError(f"preprocessing: expected a tuple of steps of ckn.preprocessing, got {steps!r}")
        if wrong := [step for step in steps or () if step.of_objects != self.kind.of_objects]:
            raise TypeError(f"preprocessing: expected steps of {self.kind.nouns}, got {wrong[0]!r}")

    def transform(self, X: Any) -> Any:
        """The features: n examples -> (n, features), in the library of `backend`."""
        return self._fitted.transform(self._again(X), self.batch, self._progress)

    def _facts(self) -> dict[str, str]:
        found = {self.kind.nouns: f"{self.n_samples_seen_:,}", "arrays": where(self.model_.network.like)}
        found["λ"] = f"{self.reg_:.3g}"
        for name, measure in {"loo_accuracy_": "accuracy", "loo_score_": "R²"}.items():
            if hasattr(self, name):
                found[f"{measure} of {self.kind.nouns} left out"] = f"{getattr(self, name):.4f}"
        state = getattr(self, "best_", None) or getattr(self, "training_", None)
        if state is not None and state.history:
            last = state.history[-1]
            found |= {"epochs": f"{last.epoch}", "loss": f"{last.loss:.4g}"}
            if last.validation_accuracy is not None:
                found["validation"] = f"{last.validation_accuracy:.4f}"
        return found

    def _after_fit(self) -> str:
        return super()._after_fit() + (as_html(self.model_) if hasattr(self, "model_") else "")

    @property
    def _fitted(self) -> Any:
        check_is_fitted(self, "model_")
        return self.model_

    def _again(self, X: Any) -> Any:
        """Examples in the form for the model."""
        return self.kind.of_model(X, self._fitted)


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a fit: a network with its head, the calibration of probabilities, and the rest by name."""

    network: Network
    head: LinearModel
    calibration: Temperature | None
    attributes: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Classes:
    """The names of classes (k,), and the class numbers (n,) of the examples, each of which is called `noun`."""

    names: Any
    numbers: Any
    noun: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def wanted(self) -> list[int]:
        """The number of each example's class."""
        found: list[int] = self.numbers.tolist()
        return found

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self)

    @property
    def told(self) -> dict[str, Any]:
        """The attributes that a fit sets for them."""
        return {"classes_": self.names}

    def of(self, labels: Any) -> list[int]:
        """The labels of examples for validation as numbers. Raises ValueError for unknown classes."""
        place = {label: number for number, label in enumerate(self.names.tolist())}
        found: list[Any] = labels.tolist()
        if strangers := sorted({label for label in found if label not in place}):
            listed = ", ".join(map(str, strangers[:5]))
            raise ValueError(f"validation: classes without a training {self.noun}: {listed}")
        return [place[label] for label in found]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The targets of a training, and their standardised values (n, q) for the examples, each called `noun`."""

    targets: Targets
    wanted: Any
    noun: str
    classes: None = None

    @property
    def told(self) -> dict[str, Any]:
        """The attributes that a fit sets for them."""
        return {}

    def of(self, y: Any) -> Any:
        """The targets of examples for validation, standardised: (n, q)"""
        try:
            return self.targets.standardised(self.targets.checked(y, len(y), self.noun))
        except ValueError as error:
            raise ValueError(f"validation: {error}") from error


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]  # untyped bases
    """A network with a head that has one output per class.

    >>> import numpy as np
    >>> import ckn
    >>> rng, labels = np.random.default_rng(0), np.arange(20) % 2
    >>> sets = [rng.normal(2.0 * label, 1.0, (30, 2)) for label in labels]
    >>> model = ckn.SetClassifier(parts=200).fit(sets, labels)
    >>> model.predict(sets[:4]), model.predict_proba(sets[:4]).shape, model.transform(sets[:4]).shape[0]
    (array([0, 1, 0, 1]), (4, 2), 4)
    """

    class_weight: Mapping[Any, float] | str | None
    head: Loss | None

    def _targets(self, y: Any, n: int, least: int) -> Any:
        y = in_one_column(y)
        check_labels(y, n, least, self.kind.noun)
        check_classification_targets(y)
        return y

    def _rows_held_out(self, y: Any, share: float) -> Any:
        rows = validation_rows(y, share, self.random_state)
        if not rows.any():
            raise ValueError(f"validation: no class has two {self.kind.nouns}, so none can be held out")
        return rows

    def _goal(self, y: Any) -> Classes:
        return Classes(*np.unique(y, return_inverse=True), self.kind.noun)

    def _ridge(self, network: Network, features: Kept, goal: Classes, progress: Progress) -> Found:
        weights = class_factors(self.class_weight, goal.names, goal.numbers)
        settings = (self.head, tuple(self.regs), weights, self.random_state, progress)
        head = chosen_head(features, goal.numbers, len(goal), *settings)
        told = {"reg_": head.reg, "loo_accuracy_": head.loo_accuracy, "loo_errors_": head.loo_errors}
        told |= {"head_": head.loss, "choice_": head.choice}
        return Found(network, head.model, head.calibration, {**told, **goal.told})

    def _calibration(
        self, state: TrainingState, examples: Any, goal: Classes, measured: Measured, job: "Job"
    ) -> Temperature:
        like = state.network.like
        data = Data(examples, indices_like(goal.numbers, like), len(goal), self.random_state, like)
        return calibrated(state, data, self._settings, measured, job.progress)

    def _model(self, found: Found, steps: tuple[Step, ...], shape: tuple[int, ...], goal: Classes) -> Model:
        names = tuple(goal.names.tolist())
        return Model(found.network, found.head, steps, names, shape, calibration=found.calibration).prepare()

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.class_weight is not None and self.supervised:
            raise ValueError(
                f"class_weight: a supervised training weighs all {self.kind.nouns} alike; leave it out, or take "
                f"as many {self.kind.nouns} of each class"
            )
        check_class_weight(self.class_weight)
        if self.head is None:
            return
        if self.supervised:
            raise ValueError(
                "head: the loss of a supervised training is one of its settings; leave head out, and pass "
                f"supervised=ckn.Supervised(loss={self.head!r})"
            )
        if isinstance(self.head, type) or not isinstance(self.head, Loss):
            raise TypeError(
                f"head: expected None, or a loss of kerneltools.solvers such as SquaredHinge(), got {self.head!r}"
            )

    def decision_function(self, X: Any) -> Any:
        """The score of each class: n examples -> (n, classes); for two classes that of the second: -> (n,)."""
        scores = self._fitted.decision_function(self._again(X), self.batch, self._progress)
        return scores[:, 1] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> Any:
        """The probability of each of `classes_`: n examples -> (n, classes), in the library of `backend`.

        They are the softmax of the scores over a temperature (`kerneltools.learning.fit_temperature`), fitted to the
        leave-one-out scores of the training examples. After a supervised training it is fitted to the scores of the
        examples for validation, or, if there are none, to scores of each fifth of the training examples by a head
        fitted to the others. The filters have seen these, so that the probabilities are then too confident if the
        filters fit closely. `predict` returns the most probable class.
        """
        return self._fitted.predict_proba(self._again(X), self.batch, self._progress)

    def predict(self, X: Any) -> Any:
        """The classes of highest score: n examples -> (n,), a NumPy array."""
        found = self._fitted.predict(self._again(X), self.batch, self._progress)
        return np.asarray(found, dtype=self.classes_.dtype)


class NetworkRegressor(MultiOutputMixin, RegressorMixin, NetworkEstimator):  # type: ignore[misc]  # untyped bases
    """A network with a head that has one output per target.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> means = rng.uniform(-1, 1, 20)
    >>> sets = [rng.normal(mean, 0.3, (30, 2)) for mean in means]
    >>> model = ckn.SetRegressor(parts=200).fit(sets, means)
    >>> model.predict(sets[:4]).shape, bool(model.score(sets, means) > 0.9)
    ((4,), True)
    """

    def _targets(self, y: Any, n: int, least: int) -> Any:
        check_targets(y, n, self.kind.noun)
        return y

    def _rows_held_out(self, y: Any, share: float) -> Any:
        return held_out(np.zeros(len(y)), share, stream(self.random_state, "validation"))

    def _goal(self, y: Any) -> Numbers:
        targets = Targets.of(y)
        return Numbers(targets, targets.standardised(y), self.kind.noun)

    def _ridge(self, network: Network, features: Kept, goal: Numbers, progress: Progress) -> Found:
        head = chosen_regression(features, goal.wanted, tuple(self.regs), self.random_state, progress)
        told = {"reg_": head.reg, "loo_score_": head.loo_score, "loo_errors_": head.loo_errors}
        return Found(network, head.model, None, told)

    def _calibration(self, state: TrainingState, examples: Any, goal: Numbers, measured: Measured, job: "Job") -> None:
        return None

    def _model(self, found: Found, steps: tuple[Step, ...], shape: tuple[int, ...], goal: Numbers) -> Model:
        return Model(found.network, found.head, steps, (), shape, targets=goal.targets).prepare()

    def predict(self, X: Any) -> Any:
        """The targets: n examples -> (n,) or (n, q) as in `fit`, a NumPy array in float64."""
        return self._fitted.predict(self._again(X), self.batch, self._progress)


def _going_on(network: Network, examples: Any) -> Network:
    """The network of a training to resume. Raises StartError if it is for other data."""
    try:
        if network.embedding is not None:
            network.embedding.check(examples)
        elif is_collection(examples):
            raise TypeError(f"expected images, got {examples!r:.80}")
    except (TypeError, ValueError) as error:
        raise StartError(f"start: it is of other data: {error}") from error
    return network


def in_one_column(y: Any) -> Any:
    """Labels (n, 1) as (n,), with scikit-learn's DataConversionWarning; others unchanged."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


@dataclass(eq=False)
class Job:
    """What a supervised training reports to, where it resumes, and its best state on the examples for validation."""

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
