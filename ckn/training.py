"""What `ckn train` does between reading and writing: split, fit, measure."""

import platform
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib import import_module
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ckn.applying import labels_for, matched, predictions, scores
from ckn.architecture import Architecture, architectures
from ckn.head import Choice, word_of
from ckn.layers.beside import Beside
from ckn.model import Model, preprocess
from ckn.network import Progress, batches, named
from ckn.preprocessing import Scale, Step, Whiten
from ckn.readers import DataError, Dataset, Images
from ckn.readers.checks import require_alike
from ckn.splitting import held_out, validation_rows
from ckn.supervised import EpochReport, Supervised, TrainingState, best_epoch
from ckn.text import brief
from kerneltools.backend import to_host
from kerneltools.forecasting import Forecast
from kerneltools.progress import silent
from kerneltools.solvers import Loss
from kerneltools.structures import count, take

Numbers = npt.NDArray[Any]

TEST_SHARE = 0.2
SMALL_SIDE = 12
CERTIFIED = 200
"""The number of images or objects whose patches or parts are looked at."""


@dataclass(frozen=True, eq=False)
class Split:
    """Examples to train on, examples to test on, and `origin`: where the test examples come from, in words.

    `validation`: the examples that each epoch is measured on, if some are held out for that.
    """

    train: Dataset
    test: Dataset
    origin: str
    validation: Dataset | None = None


def split(data: Dataset, source: str, seed: int, test: Dataset | None = None, test_source: str = "") -> Split:
    """The split into training and test examples: those given, or the source's own, or 20 % of each class.

    The 20 % are drawn with the seed. Raises DataError, naming the source, for examples without labels, of a single
    class or too few to split, and for test examples that do not fit those of the training.
    """
    _require_classes(data, source)
    if test is not None:
        return Split(data, _renamed(data, test.test or test, test_source), test_source)
    if data.test is not None:
        return Split(data, data.test, f"the test split of {source}")
    test_rows = held_out(np.asarray(data.labels), TEST_SHARE, seed)
    if not test_rows.any():
        raise DataError(f"{source}: no class has two {data.nouns}, so none can be held out to test; give --test")
    share = f"{TEST_SHARE:.0%} of each class of {source}, drawn with seed {seed}"
    return Split(data.taken(~test_rows), data.taken(test_rows), share)


def with_validation(parts: Split, share: float, source: str, seed: int) -> Split:
    """The same with a `share` in (0, 1) of each class of the training examples held out, drawn with the seed.

    Raises DataError, naming the source, if no class has two examples.
    """
    rows = validation_rows(np.asarray(parts.train.labels), share, seed)
    if not rows.any():
        nouns = parts.train.nouns
        raise DataError(f"{source}: no class has two training {nouns}, so none can be held out for --validation")
    return replace(parts, train=parts.train.taken(~rows), validation=parts.train.taken(rows))


def default_architecture(grid: tuple[int, ...]) -> str:
    """The name of the default architecture for images of that many pixels a side."""
    return "small" if max(grid) <= SMALL_SIDE else "unsup-64-256"


def preprocessing_for(data: Dataset, whiten: bool) -> tuple[Step, ...]:
    """For images: white becomes 1 if the source tells its value, then `Whiten`, if wanted. For others: the default."""
    if not isinstance(data, Images):
        return tuple(_estimator(data).kind.steps(data.data))
    scale: tuple[Step, ...] = () if data.maximum is None else (Scale(data.maximum),)
    return (*scale, Whiten()) if whiten else scale


@dataclass(frozen=True)
class Settings:
    """What was asked for: the name of the data and of the architecture, and the options of `ckn train`.

    `filters`: their number in each layer, if not that of the architecture; `one_strand`: whether only the given strand
    of DNA counts; `head`: the loss of the head on filters learnt without labels, None for the better one; `supervised`:
    how the filters are trained with labels, None if they are not; `validation`: the share of the training data that was
    held out to measure each epoch.
    """

    data: str
    architecture: str
    whiten: bool = False
    seed: int = 0
    patches: int = 100_000
    batch: int | None = None
    filters: int | None = None
    one_strand: bool = False
    backend: str = "numpy"
    device: str | None = None
    head: Loss | None = None
    supervised: Supervised | None = None
    validation: float | None = None

    @property
    def flat(self) -> dict[str, Any]:
        """The settings by name, including those of `supervised`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "head"}
        with_labels = self.supervised
        if self.architecture in architectures:
            del plain["filters"], plain["one_strand"]
        return {**plain, "supervised": with_labels is not None, **({} if with_labels is None else _words(with_labels))}


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model and what was measured.

    `regs`, `reg`: the values of λ tried and the one chosen; `counts` (k, k): how many test images of each class (rows)
    were put into each class (columns); `misses`: the `relative_misses` of each layer; `loo_accuracy`, `choice`: None if
    the filters have seen the labels; `history`: the epochs in which they did; `initial`: epoch 0, before them. `true`
    (n,) and `scores` (n, k): the class of each test image, by its number, and its scores.
    """

    model: Model
    regs: tuple[float, ...]
    reg: float
    loo_accuracy: float | None
    counts: Numbers
    misses: list[Numbers]
    train_seconds: float
    test_seconds: float
    true: Numbers
    scores: Numbers
    choice: Choice | None = None
    history: tuple[EpochReport, ...] = ()
    initial: EpochReport | None = None

    @property
    def test_accuracy(self) -> float:
        """The share of test images that were put into their class."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def labels_did_not_help(self) -> bool:
        """Whether no epoch put the validation images into their classes more often than the start did."""
        start = None if self.initial is None else self.initial.validation_accuracy
        return start is not None and all((report.validation_accuracy or 0.0) <= start for report in self.history)

    @property
    def reg_at_end(self) -> bool:
        """Whether λ is the smallest or the largest of those tried: a better one may lie beyond."""
        return len(self.regs) > 1 and self.reg in (min(self.regs), max(self.regs))


def run(
    parts: Split,
    settings: Settings,
    progress: Progress = silent,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
    begin: TrainingState | None = None,
    best: TrainingState | None = None,
    on_model: Callable[[Model], None] = lambda model: None,
) -> Outcome:
    """Train on the one part, test on the other; a supervised training goes on from `begin`, if given, where `best`
    was its best state. `on_model(model)` is called before the test."""
    start = perf_counter()
    classifier = _classifier(parts, settings)
    labels = parts.train.labels
    classifier.fit(parts.train.data, labels, progress=progress, on_epoch=on_epoch, start=begin, best=best)
    trained = perf_counter()
    names = tuple(parts.train.classes[i] for i in classifier.classes_)
    pictures = parts.train.pictures if isinstance(parts.train, Images) else None
    model = replace(classifier.model_, classes=names, pictures=pictures)
    on_model(model)
    true, values = judged(model, parts.test, parts.origin, settings.batch, named(f"test {parts.test.nouns}", progress))
    tested = perf_counter()
    return Outcome(
        model=model,
        regs=tuple(classifier.regs) if settings.supervised is None else (classifier.reg_,),
        reg=float(classifier.reg_),
        loo_accuracy=float(classifier.loo_accuracy_) if settings.supervised is None else None,
        counts=counted(true, values),
        true=true,
        scores=values,
        misses=relative_misses(model, parts.test.data, settings.batch, progress),
        train_seconds=trained - start,
        test_seconds=tested - trained,
        choice=classifier.choice_ if settings.supervised is None else None,
        history=() if settings.supervised is None else classifier.training_.history,
        initial=None if settings.supervised is None else classifier.training_.initial,
    )


def forecast(parts: Split, settings: Settings) -> Forecast:
    """How long `run` will take and how much memory, from some seconds of work; without the pictures of `run`."""
    found: Forecast = _classifier(parts, settings).forecast(parts.train.data, parts.train.labels, len(parts.test))
    return found


def metrics(parts: Split, settings: Settings, outcome: Outcome) -> dict[str, Any]:
    """All numbers and words in one flat table."""
    return {
        "test_accuracy": outcome.test_accuracy,
        "loo_accuracy": outcome.loo_accuracy,
        "train_seconds": round(outcome.train_seconds, 3),
        "test_seconds": round(outcome.test_seconds, 3),
        **settings.flat,
        "architecture": described_architecture(parts.train, settings),
        "test_data": parts.origin,
        "n_train": len(parts.train),
        "n_validation": 0 if parts.validation is None else len(parts.validation),
        "n_test": len(parts.test),
        "n_classes": len(outcome.model.classes),
        **_form(parts.train),
        "n_features": int(outcome.model.head.weights.shape[0]),
        "reg": outcome.reg,
        "reg_at_end": outcome.reg_at_end,
        **_of_choice(outcome.choice),
        **_of_initial(outcome.initial),
        **_of_history(outcome.history),
        **{f"missed_layer_{i}": float(m.mean()) for i, m in enumerate(outcome.misses, start=1) if m.size},
        **_versions(),
    }


def _form(data: Dataset) -> dict[str, Any]:
    """What the examples are, and the size of images."""
    if not isinstance(data, Images):
        return {"kind": data.nouns}
    height, width, channels = data.images.shape[1:]
    return {"kind": data.nouns, "height": height, "width": width, "channels": channels}


def _words(settings: Supervised) -> dict[str, Any]:
    """The settings under the names of the command's options; other values as Python expressions."""
    names = {"loss": "head", "batch": "minibatch", "rate": "lr", "augmentation": "augment", "clip_norm": "clip"}
    values = {names.get(f.name, f.name): getattr(settings, f.name) for f in fields(settings)}
    values["head"] = word_of(settings.loss)
    return {k: v if v is None or isinstance(v, bool | int | float | str) else repr(v) for k, v in values.items()}


def _of_choice(choice: Choice | None) -> dict[str, Any]:
    """The head that was taken, and the λ and accuracy on rows left out of each one that was tried."""
    if choice is None:
        return {}
    told: dict[str, Any] = {"head": choice.taken.word}
    for tried in choice.tried:
        told |= {f"{tried.word}_reg": tried.reg, f"{tried.word}_left_out_accuracy": tried.accuracy}
    prefix = "left_out_error_at_" if choice.left_out else "loo_error_at_"
    told |= {f"{prefix}{reg:.6g}": error for reg, error in zip(choice.taken.regs, choice.taken.errors, strict=True)}
    left_out = {"head_rows_left_out": choice.left_out or "one at a time"}
    return {**told, **left_out, "head_seconds": round(choice.seconds, 3), "features_kept": choice.features}


def _of_initial(report: EpochReport | None) -> dict[str, Any]:
    if report is None:
        return {}
    names = ("loss", "train_accuracy", "validation_accuracy")
    return {f"initial_{name}": getattr(report, name) for name in names}


def _of_history(history: tuple[EpochReport, ...]) -> dict[str, Any]:
    if not history:
        return {}
    last = history[-1]
    return {
        "epochs": last.epoch,
        "best_epoch": best_epoch(history),
        "loss": last.loss,
        "first_rate": history[0].rate,
        "last_rate": last.rate,
        "train_accuracy": last.train_accuracy,
        "validation_accuracy": history[best_epoch(history) - 1].validation_accuracy,
    }


def architecture_for(data: Dataset, settings: Settings) -> Architecture:
    """The layers to train on such data: the named ones, or the estimator's default for the kind of data."""
    if isinstance(data, Images):
        return architectures[settings.architecture]
    return _changed(_estimator(data).kind.usual(data.data), settings)


def described_architecture(data: Dataset, settings: Settings) -> str:
    """The architecture's name, or its layers in words."""
    if isinstance(data, Images):
        return settings.architecture
    made = architecture_for(data, settings)
    strands = ", both strands" if made.strands else ""
    return ", then ".join(" beside ".join(map(_in_words, stage)) for stage in made.stages) + strands


def _in_words(spec: Any) -> str:
    shorter = " and all shorter ones" if getattr(spec, "lengths", False) else ""
    return f"{spec.filters} filters on {brief(spec.extractor)}{shorter}"


def _changed(architecture: Architecture, settings: Settings) -> Architecture:
    """The architecture with the number of filters and of strands that were asked for."""
    layers: Any = architecture.layers
    if settings.filters is not None:
        layers = tuple(_with_filters(spec, settings.filters) for spec in layers)
    return replace(architecture, layers=layers, strands=architecture.strands and not settings.one_strand)


def _with_filters(spec: Any, count: int) -> Any:
    """The layer with that many filters; for layers beside each other, in each."""
    if isinstance(spec, Beside):
        return Beside(tuple(_with_filters(one, count) for one in spec.specs))
    return replace(spec, filters=count)


def _estimator(data: Dataset) -> Any:
    """The class of estimators for such data."""
    # scikit-learn, which it needs, takes a second to import.
    return getattr(import_module("ckn"), ESTIMATORS[data.nouns])


ESTIMATORS = {
    "images": "ImageClassifier",
    "sequences": "SequenceClassifier",
    "graphs": "GraphClassifier",
    "series": "SeriesClassifier",
}


def _classifier(parts: Split, settings: Settings) -> Any:
    made = _estimator(parts.train)
    return made(
        architecture_for(parts.train, settings),
        supervised=settings.supervised or False,
        validation=None if parts.validation is None else (parts.validation.data, parts.validation.labels),
        preprocessing=preprocessing_for(parts.train, settings.whiten),
        batch=settings.batch,
        random_state=settings.seed,
        backend=settings.backend,
        device=settings.device,
        head=settings.head,
        **{made.kind.parts: settings.patches},
    )


def confusion(model: Model, data: Dataset, source: str, batch: int | None, progress: Progress) -> Numbers:
    """How many examples of each class (rows) the model puts into each class (columns), classes as in the model."""
    return counted(*judged(model, data, source, batch, progress))


def judged(model: Model, data: Dataset, source: str, batch: int | None, progress: Progress) -> tuple[Numbers, Numbers]:
    """The number of each example's class in the model, and its scores: (n,), (n, k)"""
    fitting = matched(model, data, source)
    true = labels_for(tuple(str(name) for name in model.classes), data, source)
    return true, scores(fitting, data.data, batch, progress)


def counted(true: Numbers, values: Numbers) -> Numbers:
    """How many examples of each class (rows) have their best score in each class (columns): (n,), (n, k) -> (k, k)"""
    best, _, _ = predictions(values)
    counts = np.zeros((values.shape[1], values.shape[1]), dtype=np.int64)
    np.add.at(counts, (true, best), 1)
    return counts


def relative_misses(model: Model, data: Any, batch: int | None, progress: Progress) -> list[Numbers]:
    """For each layer, the share of k(p, p) that its map misses, for every patch or part p that is not blank.

    It looks at 200 images or objects at most, evenly spaced, a batch at a time.
    """
    network = model.network.prepare()
    some = take(data, np.unique(np.linspace(0, count(data) - 1, CERTIFIED).round().astype(int)))
    chosen = preprocess(model.preprocessing, some, network.like)
    found: list[list[Numbers]] = [[] for _ in network.layers]
    for block, new, done in batches(chosen, batch or network.batch_for(chosen)):
        for shares, residual in zip(found, network.residuals(block), strict=True):
            shares.append(_shares(*residual, new))
        progress("certificate", done, count(chosen))
    return [np.concatenate(shares) for shares in found]


def _renamed(data: Dataset, test: Dataset, source: str) -> Dataset:
    """Test examples of another source, with labels and classes as in the training."""
    require_alike(data, test, source)
    present = tuple(data.classes[i] for i in np.unique(np.asarray(data.labels)))
    return replace(test, labels=labels_for(present, test, source), classes=present)


def _require_classes(data: Dataset, source: str) -> None:
    if data.labels is None:
        hint = "" if data.names is None or isinstance(data, Images) else ": give a table of them with --labels"
        raise DataError(f"{source}: {len(data)} {data.nouns} without labels; training needs the class of each{hint}")
    present = np.unique(data.labels)
    if len(present) < 2:
        raise DataError(
            f"{source}: all {len(data)} {data.nouns} are of one class ({data.classes[present[0]]}); training needs two"
        )


def _shares(missed: Any, whole: Any, new: slice) -> Numbers:
    """The shares for the images that are `new` in a block, or for all parts of objects."""
    lost, all_ = (to_host(a)[new].astype(np.float64).ravel() for a in (missed, whole))
    # A blank patch has nothing to miss; nor has one that is rounding error.
    shown = all_ > np.finfo(np.float32).eps * all_.max(initial=0.0)
    return np.asarray(np.clip(lost[shown] / all_[shown], 0.0, 1.0))


def _versions() -> dict[str, str]:
    packages = ("kerneltools", "numpy", "scikit-learn")
    return {"python_version": platform.python_version()} | {f"{p}_version": version(p) for p in packages}
