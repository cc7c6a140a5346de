"""What is settled before the first epoch: λ, the head, the metrics of the layers, the learning rate."""

from dataclasses import replace
from typing import Any

from ckn.head import fit_head
from ckn.model import encode
from ckn.network import Network, Progress
from ckn.supervised.parameters import preconditioned, spheres
from ckn.supervised.settings import Supervised
from ckn.supervised.state import TrainingState
from ckn.supervised.trainer import FAR_ABOVE_START, Data, Trainer
from kerneltools.arrays import asarray_like, namespace
from kerneltools.backend import to_host
from kerneltools.optimisers import Geometry
from kerneltools.random import generator, stream
from kerneltools.solvers import Blocks, fit_linear

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
    visit = Trainer(data, settings, network, found).visits(network, progress)
    reg = settings.reg or _least_left_out(visit, data)
    trainer = Trainer(data, replace(settings, reg=reg), network, found)
    state = TrainingState(network, fit_linear(visit, None, settings.loss, reg), None, found, reg=reg)
    state = replace(state, optimiser=settings.optimiser.start(trainer.parameters(state)))
    return replace(state, rate=settings.rate or best_rate(trainer, state, progress))


def _least_left_out(visit: Blocks, data: Data) -> float:
    """The λ of least leave-one-out error of ridge regression."""
    features = namespace(data.images).concat([block for block, _ in visit()])
    return fit_head(features, to_host(data.numbers), data.classes).reg


def best_rate(trainer: Trainer, state: TrainingState, progress: Progress) -> float:
    """Of a few learning rates, that with the least loss, after some steps, on images left out.

    Neither the steps nor the head that they start with have seen those images.
    """
    data = trainer.data
    order = generator(stream(data.seed, "learning rate")).permutation(data.images.shape[0])
    count = min(TRIAL_IMAGES, len(order) // 5)
    left_out, rest = _part(data, order[:count]), _part(data, order[count:])
    batch = min(trainer.settings.batch, len(order) - count)
    trial = replace(trainer, data=rest, settings=replace(trainer.settings, batch=batch))
    visit = trial.visits(state.network, progress)
    state = replace(state, head=fit_linear(visit, None, trial.settings.loss, trial.reg, start=state.head))
    best, least = RATES[0], float("inf")
    for number, rate in enumerate(RATES):
        loss = _loss_left_out(trial, state, rate, left_out)
        progress("learning rate", number + 1, len(RATES))
        if loss < least:
            best, least = rate, loss
        # Beyond the best rate the loss only grows, up to overflow.
        elif not loss <= HOPELESS * least:
            break
    return best


def _loss_left_out(trainer: Trainer, state: TrainingState, rate: float, left_out: Data) -> float:
    """The loss on images left out, after a few steps; infinite when one of a step is not finite."""
    params, optimiser, losses = trainer.parameters(state), state.optimiser, []
    for x, t, _ in trainer.batches(stream(trainer.data.seed, "trial")):
        params, optimiser, value = trainer.step(params, optimiser, x, t, rate)
        losses.append(value)
        if not value <= FAR_ABOVE_START * max(losses[0], 1.0):
            return float("inf")
        if len(losses) == TRIAL_STEPS:
            break
    features = encode(params.network(trainer.frame), (), left_out.images)
    scores = trainer.of_norm_one(params.head)(features)
    return float(namespace(scores).mean(trainer.settings.loss(scores, left_out.targets)))


def _part(data: Data, rows: Any) -> Data:
    """Some of the images."""
    xp = namespace(data.images)
    numbers = asarray_like(rows, data.images, xp.int64)
    return replace(data, images=xp.take(data.images, numbers, axis=0), numbers=xp.take(data.numbers, numbers, axis=0))
