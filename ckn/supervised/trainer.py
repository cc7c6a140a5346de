"""The steps and epochs of a supervised training."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, sqrt
from typing import Any

from ckn.head import one_vs_rest
from ckn.layers.laid import Laid
from ckn.model import encode, encode_blocks
from ckn.network import Network, Progress, named
from ckn.supervised.augmentation import augment
from ckn.supervised.data import Data, explained_by, share_right
from ckn.supervised.features import Features, features_of
from ckn.supervised.parameters import Parameters, geometries, parameters
from ckn.supervised.passes import Passes, unit_features
from ckn.supervised.settings import Supervised
from ckn.supervised.state import DivergedError, EpochReport, TrainingState, in_row_order
from kerneltools.arrays import Array, asarray_like, blocks, device_of, indices_like, namespace
from kerneltools.backend import Backend, backend_of, stop_gradient, to_host
from kerneltools.optimisers import Geometry, clip
from kerneltools.progress import silent
from kerneltools.random import Rng, generator, stream
from kerneltools.solvers import LinearModel
from kerneltools.structures import count, take
from kerneltools.trees import flatten, map_leaves

FAR_ABOVE_START = 1e3
# An epoch that lowers the loss by less than this share of it has not lowered it.
STAGNATION = 1e-3
WORSE_THAN_NOTHING = 10.0

Validation = tuple[Any, Any] | None
"""Images or objects that are only measured, and their class numbers (n,), or numbers to predict (n, q)."""


def zero_head(network: Network, data: Data) -> LinearModel:
    """A head of zeros for the features of the network."""
    xp, like = namespace(data.like), data.like
    d = network.features_of(data.examples)
    weights = xp.zeros((d, data.outputs), dtype=like.dtype, device=device_of(like))
    return LinearModel(weights, weights[0, :])


@dataclass(frozen=True, eq=False)
class Trainer:
    """What stays the same from epoch to epoch, and the work of one epoch."""

    data: Data
    settings: Supervised
    frame: Network
    spaces: tuple[Geometry, ...]

    def epoch(self, state: TrainingState, validation: Validation, progress: Progress) -> TrainingState:
        """One pass over the data, then the exact head."""
        params, optimiser, losses = self._pass(state, progress)
        self._require_learning(losses, state)
        network, head = params.network(self.frame), self.of_norm_one(params.head)
        after = replace(state, network=network, head=head, optimiser=optimiser, epoch=state.epoch + 1)
        accuracy = None
        if self._has_exact_head(after.epoch):
            head, accuracy = self.exact_head(after, progress)
            after = replace(after, head=head)
        measured = None if validation is None else quality_of(after, *validation, progress)
        rate = self._rate(state, (len(losses) - 1) / 2, len(losses))
        report = EpochReport(after.epoch, sum(losses) / len(losses), rate, accuracy, measured)
        after = replace(after, rate=self._next_rate(state, report), history=(*state.history, report))
        return in_row_order(after)

    def initial(
        self, state: TrainingState, features: Features, validation: Validation, progress: Progress
    ) -> EpochReport:
        """Epoch 0: the measurements of an epoch, of its images without a step; `features`: those of the state."""
        progress("epoch 0", 0, 1)
        if self.settings.augmentation or self.settings.products:
            batches = self.batches(stream(self.data.seed, "epoch 1"))
            loss = self.loss(state, ((x, t) for x, t, _ in batches))
        else:
            loss = self._mean_loss(state.head, features())
        accuracy = self._accuracy(state.head, features) if self._has_exact_head(0) else None
        measured = None if validation is None else quality_of(state, *validation)
        progress("epoch 0", 1, 1)
        return EpochReport(0, loss, 0.0, accuracy, measured)

    def loss(self, state: TrainingState, batches: Iterable[tuple[Array, Array]]) -> float:
        """The mean of the regularised loss over the images (b, *grid, c) of batches, while nothing moves."""
        network = state.network.with_products(self.settings.products).prepare()
        return self._mean_loss(state.head, ((encode(network, (), x), t) for x, t in batches))

    def _mean_loss(self, head: LinearModel, pairs: Iterable[tuple[Array, Array]]) -> float:
        """The same of pairs of features (b, d) and targets."""
        xp = namespace(head.weights)
        losses = xp.concat([self.settings.loss(head(x), t) for x, t in pairs])
        return float(xp.mean(losses) + self.reg * xp.sum(head.weights * head.weights))

    def _rate(self, state: TrainingState, step: float, steps: int) -> float:
        """The learning rate of a step, counted from 0: the schedule's in its middle, which is 0 at neither end."""
        return state.rate * self.settings.schedule(state.epoch + (step + 0.5) / steps)

    def finished(self, state: TrainingState, progress: Progress) -> TrainingState:
        """The state with an exact head, if the strategy wants one and the last epoch has left another."""
        if not self.settings.strategy.exact_every or self._has_exact_head(state.epoch):
            return state
        return replace(state, head=self.exact_head(state, progress)[0])

    def _has_exact_head(self, epoch: int) -> bool:
        """Whether the head is exact after so many epochs; before the first it is."""
        every = self.settings.strategy.exact_every
        return every > 0 and epoch % every == 0

    def exact_head(self, state: TrainingState, progress: Progress) -> tuple[LinearModel, float]:
        """The best head for the current features, and its accuracy on the training images."""
        features = features_of(state.network, self.data, self.settings.memory, named("head", progress))
        head = features.fit(self.settings.loss, self.reg, start=state.head)
        return head, self._accuracy(head, features)

    def _accuracy(self, head: LinearModel, features: Features) -> float:
        """The share of training images that a head puts in their class."""
        return self.data.quality((head(x), targets) for x, targets in features())

    def parameters(self, state: TrainingState) -> Parameters:
        """What moves, with the head in the units of features of root mean square 1, so that steps suit both."""
        root = sqrt(state.head.weights.shape[0])
        head = LinearModel(state.head.weights / root, state.head.intercept)
        return parameters(state.network, head, self.settings.learn_kernels)

    def of_norm_one(self, head: LinearModel) -> LinearModel:
        """The head of the parameters, in the units of features of norm 1."""
        return LinearModel(head.weights * sqrt(head.weights.shape[0]), head.intercept)

    def _pass(self, state: TrainingState, progress: Progress) -> tuple[Parameters, Any, list[float]]:
        """All batches of an epoch."""
        n, stage = len(self.data), f"epoch {state.epoch + 1}"
        params, optimiser = self.parameters(state), state.optimiser
        losses: list[float] = []
        progress(stage, 0, n)
        for x, t, numbers in self.batches(stream(self.data.seed, stage)):
            rate = self._rate(state, len(losses), -(-n // self.batch))
            params, optimiser, value = self.step(params, optimiser, x, t, rate)
            self._require_sane(value, losses, state, rate, numbers)
            losses.append(value)
            progress(stage, min(len(losses) * self.batch, n), n)
        return params, optimiser, losses

    @property
    def batch(self) -> int:
        """Images per step."""
        return self.settings.batch_of(len(self.data))

    def batches(self, rng: Rng, among: Any = None) -> Iterator[tuple[Any, Array, Any]]:
        """Examples, targets and the examples' numbers, in random order, augmented; those of `among`, or all."""
        data, targets = self.data, self.data.targets
        order = generator(rng).permutation(len(data) if among is None else among)
        for rows in blocks(len(order), self.batch):
            x = take(data.examples, order[rows])
            if self.settings.augmentation:
                x = augment(self.settings.augmentation, x, rng)
            yield x, take(targets, order[rows]), order[rows]

    def step(self, params: Parameters, optimiser: Any, x: Any, t: Array, rate: float) -> tuple[Parameters, Any, float]:
        """The parameters and the optimiser's state after a batch, and its loss before.

        (b, *grid, c), (b, classes) -> parameters, state, loss
        """
        passes = self._passes(params)
        whole = passes.size(x) == count(x)
        try:
            seen = self.frame.laid(x) if whole else x
            params, optimiser, value = self._compiled(params, optimiser, seen, t, rate)
            return params, map_leaves(_as_number, optimiser), float(value)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in f"{type(error).__name__} {error}".lower():
                raise
            raise MemoryError(
                f"batch: no memory for {count(x)} examples a step on {device_of(t)}; "
                f"try batch={max(1, self.batch // 2)}, or at_once={max(1, self.batch // 2)} for the "
                "same steps"
            ) from error

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        owner = self._backend

        def step(params: Parameters, optimiser: Any, x: Any, t: Array, rate: float) -> tuple[Parameters, Any, Array]:
            value, found = self.gradient(params, x, t)
            head = None
            if self.settings.strategy.solves_batches:
                head, found = _less(params.head, found.head), replace(found, head=LinearModel(None, None))
            if self.settings.clip_norm is not None:
                found = clip(found, self.settings.clip_norm)
            spaces = geometries(self.frame, found, self.spaces)
            params, optimiser = self.settings.optimiser.step(params, found, optimiser, rate, spaces)
            return params if head is None else replace(params, head=head), optimiser, value

        return owner.jit(step) if self.settings.jit else step

    def gradient(self, params: Parameters, x: Any, t: Array) -> tuple[Array, Parameters]:
        """The objective of a batch and its gradient, in passes of a few examples if the batch is large."""
        if not isinstance(x, Laid):
            passes = self._passes(params)
            if (size := passes.size(x)) < count(x):
                return passes.gradient(params, x, t, size)
            x = self.frame.laid(x)
        found: tuple[Array, Parameters] = self._backend.value_and_grad(self.objective, alone=True)(params, x, t)
        return found

    def _passes(self, params: Parameters) -> Passes:
        return Passes(self._backend, self.settings, self.frame, self.reg * params.head.weights.shape[0])

    @property
    def reg(self) -> float:
        """λ of the head."""
        if self.settings.reg is None:
            raise ValueError("reg: a step needs a number > 0; take that of a state, state.reg")
        return self.settings.reg

    @property
    def _backend(self) -> Backend:
        owner = backend_of(self.data.like)
        if owner is None:
            raise TypeError(
                f"images: {type(self.data.like).__module__} has no backend, and training needs gradients; "
                "see the guide to new backends"
            )
        return owner

    def objective(self, params: Parameters, x: Any, t: Array) -> Array:
        """The regularised loss of a batch: a scalar to differentiate in the parameters.

        If batches determine the next head, a step of length 1 along the gradient with respect to the head leads there.
        """
        features = self.features(params, x)
        xp, settings = namespace(features), self.settings
        reg = self.reg * features.shape[1]
        head, after = settings.strategy.heads(params.head, features, t, settings.loss, reg)
        value = xp.mean(settings.loss(head(features), t)) + reg * xp.sum(head.weights * head.weights)
        return value + _towards(after, params.head) if settings.strategy.solves_batches else value

    def features(self, params: Parameters, x: Any) -> Array:
        """Features of root mean square 1: b images or objects -> (b, d)"""
        network = params.network(self.frame).with_products(self.settings.products)
        return unit_features(network, network(x))

    def _require_sane(self, value: float, losses: list[float], state: TrainingState, rate: float, numbers: Any) -> None:
        """Raise DivergedError for a loss that is not finite, or far greater than that of the first step."""
        first = losses[0] if losses else value
        if isfinite(value) and value <= FAR_ABOVE_START * max(first, 1.0):
            return
        where = f"step {len(losses) + 1} of epoch {state.epoch + 1}"
        if not losses and not state.history:
            shown = ", ".join(str(number) for number in numbers[:5])
            raise DivergedError(
                f"reg, data: the loss was {value:.3g} in {where}, before any filter had moved; check λ = "
                f"{self.reg:.3g} and examples {shown}, ..., of which that batch is made",
                state,
            )
        raise DivergedError(
            f"rate: the loss was {value:.3g} in {where} (first step: {first:.3g}) at learning rate {rate:.3g}; "
            "try a rate ten times smaller, or clip_norm=1",
            state,
        )

    def _require_learning(self, losses: list[float], state: TrainingState) -> None:
        """Raise DivergedError for an epoch whose loss is far greater than that of a head of zeros."""
        mean = sum(losses) / len(losses)
        if mean > WORSE_THAN_NOTHING * self.loss_of_nothing:
            raise DivergedError(
                f"rate: the loss was {mean:.3g} on average in epoch {state.epoch + 1}, and a head of zeros has "
                f"{self.loss_of_nothing:.3g}; learning rate {state.rate:.3g} is too great, try a tenth of it, or "
                "clip_norm=1",
                state,
            )

    @cached_property
    def loss_of_nothing(self) -> float:
        """The loss of a head of zeros."""
        targets = self.data.targets
        xp = namespace(targets)
        return float(xp.mean(self.settings.loss(xp.zeros_like(targets), targets)))

    def _next_rate(self, state: TrainingState, report: EpochReport) -> float:
        before = [r.loss for r in state.history]
        stagnates = bool(before) and report.loss > (1 - STAGNATION) * min(before)
        return state.rate / 2 if self.settings.halve and stagnates else state.rate


def quality_of(state: TrainingState, examples: Any, wanted: Any, progress: Progress = silent) -> float:
    """The share of images or objects that network and head put in their class; R² for numbers to predict (n, q)."""
    pairs = _measured(state, examples, wanted, progress)
    return explained_by(pairs) if getattr(wanted, "ndim", 1) == 2 else share_right(pairs)


def _measured(state: TrainingState, examples: Any, wanted: Any, progress: Progress) -> Iterator[tuple[Array, Array]]:
    start = 0
    for features in encode_blocks(state.network, (), examples, progress=named("accuracy", progress)):
        stop, scores = start + features.shape[0], state.head(features)
        some = wanted[start:stop]
        if getattr(wanted, "ndim", 1) == 2:
            yield scores, asarray_like(to_host(some), scores)
        else:
            numbers = indices_like([int(label) for label in some], features)
            yield scores, one_vs_rest(numbers, int(scores.shape[1]), scores)
        start = stop


def _as_number(leaf: Any) -> Any:
    """Counts, which compilers turn into arrays, as Python's numbers, as at the start, to compile only once."""
    is_count = getattr(leaf, "shape", None) == () and namespace(leaf).isdtype(leaf.dtype, "integral")
    return int(leaf) if is_count else leaf


def _towards(target: LinearModel, head: LinearModel) -> Array:
    """0, with the gradient `head` - `target` with respect to `head`."""
    xp = namespace(head.weights)
    total: Array = 0
    for there, here in zip(flatten(target)[0], flatten(head)[0], strict=True):
        total = total + xp.sum(stop_gradient(here - there) * (here - stop_gradient(here)))
    return total


def _less(head: LinearModel, gradient: LinearModel) -> LinearModel:
    return LinearModel(head.weights - gradient.weights, head.intercept - gradient.intercept)
