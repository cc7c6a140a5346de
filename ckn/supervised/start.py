"""What is decided before the first epoch: λ, the head, the metrics of the layers, the learning rate."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count, islice
from math import sqrt
from typing import Any

from ckn.model import encode
from ckn.network import Network, Progress
from ckn.supervised.data import Data
from ckn.supervised.features import Features, features_of
from ckn.supervised.parameters import preconditioned, spheres
from ckn.supervised.settings import Supervised
from ckn.supervised.state import TrainingState, in_row_order
from ckn.supervised.trainer import Trainer, Validation
from kerneltools.arrays import Array, namespace
from kerneltools.backend import to_host
from kerneltools.optimisers import Geometry
from kerneltools.random import generator, stream
from kerneltools.solvers import LinearModel, Loss, Squared, fit_linear, ridge
from kerneltools.structures import take
from kerneltools.structures.base import part

RATES = tuple(10 ** (-exponent / 2) for exponent in range(11))
"""From 1 down to 1e-5, two to a decade."""
TRIAL_STEPS = 20
LONGEST_RISE = 100
"""Epochs in which the greatest factor of a schedule is sought."""
RISE = 1.1
"""By what factor the mean loss of a trial's steps may exceed that of the same batches without steps."""
FACTORS = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
ROUNDED = 256
LEFT_OUT, SEEN = 1000, 2000
"""The most images that judge a rate, and the most that the head for judging is fitted to."""


def begin(
    network: Network, data: Data, settings: Supervised, progress: Progress, validation: Validation = None
) -> tuple[Trainer, TrainingState]:
    """The trainer and the state before the first epoch.

    The state has λ, an exact head, the metrics of the layers, the learning rate, and epoch 0."""
    network = network.unprepared()
    found: tuple[Geometry, ...] = spheres(network)
    if settings.precondition:
        found = preconditioned(network, data.examples, stream(data.seed, "metric"))
    features = features_of(network, data, settings.memory, progress)
    reg = _reg(network, features, settings, progress)
    progress("head", 0, 1)
    # An inverse of PyTorch's is in column order, and the metrics of the spheres are inverses.
    state = in_row_order(TrainingState(network, features.fit(settings.loss, reg), None, found, reg=reg))
    progress("head", 1, 1)
    trainer = Trainer(data, replace(settings, reg=reg), state.network, state.spaces)
    state = in_row_order(replace(state, optimiser=settings.optimiser.start(trainer.parameters(state))))
    state = replace(state, initial=trainer.initial(state, features, validation, progress))
    return trainer, replace(state, rate=settings.rate or best_rate(trainer, state, features, progress))


def _reg(network: Network, features: Features, settings: Supervised, progress: Progress) -> float:
    """The given λ, or else the best one."""
    if settings.reg is not None:
        return settings.reg
    progress("λ", 0, 1)
    found = max(best_reg(features, settings.loss), reg_of_rounding(network, features.data, settings.products))
    progress("λ", 1, 1)
    return found


def reg_of_rounding(network: Network, data: Data, products: str | None) -> float:
    """The λ below which a head would suffer from the rounding of short products; 0 if there are none.

    For a head that was solved for other features, their rounding is noise, and noise of variance λ in each feature adds
    λ |W|² to the mean square (Bishop 1995). Measured on some of the images.
    """
    if products is None:
        return 0.0
    some = part(data.examples, slice(0, ROUNDED))
    exact, short = (encode(each.prepare(), (), some) for each in (network, network.with_products(products)))
    return float(namespace(exact).mean((exact - short) ** 2))


def best_reg(features: Features, loss: Loss) -> float:
    """The λ with the least leave-one-out error of ridge regression, or the best multiple of it for another loss.

    Other losses depend more on margins than on values; the multiple is the best for images left out."""
    least = features.best_reg()
    if isinstance(loss, Squared):
        return least
    left_out = order(features.data)[0]
    errors: list[float] = []
    head = None
    for reg in (least * factor for factor in FACTORS):
        head = features.fit(loss, reg, start=head, without=left_out)
        errors.append(features.loss_of(head, loss, left_out))
        if errors[-1] > min(errors):
            break
    return least * FACTORS[errors.index(min(errors))]


def order(data: Data) -> tuple[Any, Any]:
    """The indices of images left out of trials, and of the others, both in random order."""
    n = len(data)
    order = generator(stream(data.seed, "learning rate")).permutation(n)
    share = min(LEFT_OUT, max(1, n // 5))
    return order[:share], order[share:]


def best_rate(trainer: Trainer, state: TrainingState, features: Features, progress: Progress) -> float:
    """The learning rate with the least error on images left out, by the exact head for the filters after a trial.

    Neither the steps of the trial nor a head has seen those images. If no rate does significantly better than the
    initial filters, as with too few data, the least rate is taken. A rate at which the loss of the steps rises by more
    than a tenth is excluded: the head would follow the filters too late.
    """
    left_out, seen = order(trainer.data)
    head = features.fit(trainer.settings.loss, trainer.reg, start=state.head, without=left_out)
    state = replace(state, head=head)
    judge = partial(_errors, trainer, seen[:SEEN].tolist(), left_out.tolist())
    before = judge(state.network)
    most = RISE * trainer.loss(state, islice(_batches(trainer, seen), TRIAL_STEPS))
    best, least, worse = RATES[-1], float("inf"), 0
    for number, rate in enumerate(RATES):
        network = _after_steps(trainer, state, rate, seen, most)
        errors = None if network is None else judge(network)
        progress("learning rate", number + 1, len(RATES))
        if errors is not None and _is_less(errors, before) and errors.mean() < least:
            best, least, worse = rate, float(errors.mean()), 0
        else:
            worse += 1
        if worse == 2 and least < float("inf"):
            break
    return best


def _is_less(errors: Any, before: Any) -> bool:
    """Whether errors (n,) are less than others of the same images by more than two standard errors of the mean."""
    gain = before - errors
    return len(gain) > 1 and bool(gain.mean() > 2 * gain.std(ddof=1) / sqrt(len(gain)))


def _after_steps(trainer: Trainer, state: TrainingState, rate: float, seen: Any, most: float) -> Network | None:
    """The network after some steps on the images with these numbers; None if their mean loss exceeds `most`.

    The schedule runs through the time in which it rises, and then as long again. In between, the head is solved
    exactly, if epochs end with that: it is steeper for the filters that have learnt, and some rates are too great only
    for it.
    """
    schedule = trainer.settings.schedule
    peak = max(range(LONGEST_RISE), key=schedule)
    batches, steps = _batches(trainer, seen), TRIAL_STEPS // 2
    for half in range(2):
        params, total = trainer.parameters(state), 0.0
        for number, (x, t) in enumerate(islice(batches, steps)):
            now = rate * schedule(peak * (half + (number + 0.5) / steps))
            params, optimiser, value = trainer.step(params, state.optimiser, x, t, now)
            state = replace(state, optimiser=optimiser)
            total += value
            if not total <= most * steps:
                return None
        state = replace(state, network=params.network(trainer.frame), head=trainer.of_norm_one(params.head))
        if half == 0 and trainer.settings.strategy.exact_every:
            state = replace(state, head=_head_of(trainer, state, seen[:SEEN].tolist()))
    return state.network


def _head_of(trainer: Trainer, state: TrainingState, numbers: list[int]) -> LinearModel:
    """The exact head for the images with these numbers."""
    examples, targets = trainer.data.taken(numbers)
    features = encode(state.network.prepare(), (), examples)
    return fit_linear(features, targets, trainer.settings.loss, trainer.reg, start=state.head)


def _batches(trainer: Trainer, seen: Any) -> Iterator[tuple[Array, Array]]:
    """Images and targets of these numbers, pass after pass; without the shorter batches, which compilers would go
    through once more."""
    whole = min(trainer.batch, len(seen))
    for number in count():
        for x, t, _ in trainer.batches(stream(trainer.data.seed, f"trial {number}"), seen):
            if t.shape[0] == whole:
                yield x, t


def _errors(trainer: Trainer, seen: list[int], left_out: list[int], network: Network) -> Any:
    """The squared errors, for images left out, of ridge regression on the features of images that were seen.

    (n,), on the host
    """
    data, network = trainer.data, network.prepare()
    of_seen, of_left_out = (encode(network, (), take(data.examples, numbers)) for numbers in (seen, left_out))
    scores = ridge(of_seen, take(data.targets, seen), trainer.reg)(of_left_out)
    xp = namespace(scores)
    return to_host(xp.mean((scores - take(data.targets, left_out)) ** 2, axis=1))
