"""What is settled before the first epoch: λ, the head, the metrics of the layers, the learning rate."""

from dataclasses import replace
from typing import Any

from ckn.model import encode
from ckn.network import Network, Progress
from ckn.supervised.data import Data
from ckn.supervised.features import Features, features_of
from ckn.supervised.parameters import preconditioned, spheres
from ckn.supervised.settings import Supervised
from ckn.supervised.state import TrainingState
from ckn.supervised.trainer import FAR_ABOVE_START, Trainer
from kerneltools.arrays import asarray_like, namespace
from kerneltools.optimisers import Geometry
from kerneltools.random import generator, stream
from kerneltools.solvers import fit_linear

RATES = tuple(10.0**exponent for exponent in range(-8, 1))
TRIAL_STEPS = 20
TRIAL_IMAGES = 500
HOPELESS = 1.5


def begin(network: Network, data: Data, settings: Supervised, progress: Progress) -> TrainingState:
    """The state before the first epoch: λ, an exact head, the metrics of the layers, the learning rate."""
    network = network.unprepared()
    found: tuple[Geometry, ...] = spheres(network)
    if settings.precondition:
        found = preconditioned(network, data.images, stream(data.seed, "metric"))
    features = features_of(network, data, settings.memory, progress)
    reg = settings.reg or features.best_reg()
    trainer = Trainer(data, replace(settings, reg=reg), network, found)
    state = TrainingState(network, fit_linear(features, None, settings.loss, reg), None, found, reg=reg)
    state = replace(state, optimiser=settings.optimiser.start(trainer.parameters(state)))
    return replace(state, rate=settings.rate or best_rate(trainer, state, features, progress))


def best_rate(trainer: Trainer, state: TrainingState, features: Features, progress: Progress) -> float:
    """Of a few learning rates, that with the least loss, after some steps, on images left out.

    Neither the steps nor the head that they start with have seen those images.
    """
    n = trainer.data.images.shape[0]
    order = generator(stream(trainer.data.seed, "learning rate")).permutation(n)
    count = min(TRIAL_IMAGES, n // 5)
    left_out, seen = order[:count], order[count:]
    head = fit_linear(features.without(left_out), None, trainer.settings.loss, trainer.reg, start=state.head)
    state = replace(state, head=head)
    best, least = RATES[0], float("inf")
    for number, rate in enumerate(RATES):
        loss = _loss_left_out(trainer, state, rate, seen, left_out)
        progress("learning rate", number + 1, len(RATES))
        if loss < least:
            best, least = rate, loss
        # Beyond the best rate the loss only grows, up to overflow.
        elif not loss <= HOPELESS * least:
            break
    return best


def _loss_left_out(trainer: Trainer, state: TrainingState, rate: float, seen: Any, left_out: Any) -> float:
    """The loss on images left out, after a few steps; infinite when one of a step is not finite."""
    data = trainer.data
    params, optimiser, losses = trainer.parameters(state), state.optimiser, []
    for x, t, _ in trainer.batches(stream(data.seed, "trial"), seen):
        params, optimiser, value = trainer.step(params, optimiser, x, t, rate)
        losses.append(value)
        if not value <= FAR_ABOVE_START * max(losses[0], 1.0):
            return float("inf")
        if len(losses) == TRIAL_STEPS:
            break
    xp = namespace(data.images)
    numbers = asarray_like(left_out, data.images, xp.int64)
    images, targets = (xp.take(a, numbers, axis=0) for a in (data.images, data.targets))
    scores = trainer.of_norm_one(params.head)(encode(params.network(trainer.frame), (), images))
    return float(xp.mean(trainer.settings.loss(scores, targets)))
