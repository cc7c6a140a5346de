"""The options of `ckn train --supervised`."""

from enum import StrEnum
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from ckn.commands.supervised import AUGMENTATIONS, MOST_EPOCHS


class OptimiserName(StrEnum):
    """Rules for gradient steps."""

    sgd = "sgd"
    adam = "adam"


class HeadName(StrEnum):
    """Losses of the linear head."""

    ridge = "ridge"
    hinge = "hinge"
    softmax = "softmax"


class ScheduleName(StrEnum):
    """How the learning rate changes."""

    halving = "halving"
    constant = "constant"
    cosine = "cosine"
    steps = "steps"


class StrategyName(StrEnum):
    """How the head is trained."""

    alternating = "alternating"
    reversal = "reversal"
    joint = "joint"


class PrecisionName(StrEnum):
    """Types of products."""

    float32 = "float32"
    bfloat16 = "bfloat16"


def _augment(words: str | None) -> str | None:
    given = [word.strip() for word in words.split(",")] if words else []
    if wrong := [word for word in given if word not in AUGMENTATIONS]:
        raise typer.BadParameter(f"expected some of {','.join(AUGMENTATIONS)}, got {wrong[0]!r}")
    if len(set(given)) < len(given):
        raise typer.BadParameter(f"expected each word once, got {words}")
    return ",".join(given) or None


def _milestones(words: str | None) -> str | None:
    if words is None:
        return None
    try:
        numbers = [int(word) for word in words.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers of epochs such as 60,85, got {words!r}") from error
    if numbers[0] < 1 or numbers[-1] > MOST_EPOCHS or any(a >= b for a, b in pairwise(numbers)):
        raise typer.BadParameter(f"expected increasing numbers of epochs such as 60,85, got {words}")
    return ",".join(map(str, numbers))


def _share(value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"expected a share between 0 and 1, got {value:g}")
    return value


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"expected a finite number > 0, got {value:g}")
    return value


def _finite(value: float) -> float:
    if not isfinite(value):
        raise typer.BadParameter(f"expected a finite number, got {value:g}")
    return value


WithLabels = Annotated[
    bool,
    typer.Option("--supervised", help="Train the filters with the labels too, starting from filters learnt without."),
]
Epochs = Annotated[int, typer.Option(min=1, max=MOST_EPOCHS, metavar="N", help="Passes over the training data.")]
Minibatch = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Examples per step. [default: 128, or all if fewer]")
]
Rate = Annotated[
    float | None,
    typer.Option(
        callback=_positive, metavar="X", help="Learning rate. [default: the best of several, after some steps each]"
    ),
]
Validation = Annotated[
    float | None,
    typer.Option(
        callback=_share,
        metavar="SHARE",
        help="Hold out this share of each class of the training data, drawn with the seed, to measure each epoch; "
        "the best epoch gives the model. [default: none; the last epoch gives the model]",
    ),
]
ScheduleChoice = Annotated[
    ScheduleName,
    typer.Option(
        help="How the learning rate changes: halving after each epoch that does not lower the loss, constant, "
        "cosine (falling to 0 at the last epoch), or steps (a tenth from each milestone on)."
    ),
]
Milestones = Annotated[
    str | None,
    typer.Option(
        callback=_milestones,
        metavar="EPOCHS",
        help="Epochs of --schedule steps, such as 60,85. [default: after 60 % and 85 % of the epochs]",
    ),
]
WarmUpEpochs = Annotated[
    int | None,
    typer.Option(
        "--warm-up", min=0, metavar="N", help="Epochs in which the learning rate rises from 0. [default: 1 if possible]"
    ),
]
StrategyChoice = Annotated[
    StrategyName,
    typer.Option(
        help="How the head is trained: alternating (it follows the filters, and is solved exactly after each epoch), "
        "reversal (each batch meets the best head for it) or joint (it moves by gradients, like the filters)."
    ),
]
ExactEvery = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Solve the head exactly on all training data after every N epochs; a larger N is faster.",
    ),
]
WeightDecay = Annotated[
    float,
    typer.Option(
        min=0.0,
        callback=_finite,
        metavar="X",
        help="Weight decay of the head, only for --strategy joint: with others --reg shrinks it.",
    ),
]
OptimiserChoice = Annotated[
    OptimiserName,
    typer.Option(help="Rule of the gradient steps: Adam, or SGD (for images, in the metric of each layer's patches)."),
]
Head = Annotated[
    HeadName | None,
    typer.Option(
        help="Loss of the head: least squares, squared hinge of each class against the rest, or softmax cross-entropy. "
        "[default: ridge; for 20,000 or more training examples without --supervised, the better of ridge and hinge on "
        "examples left out]"
    ),
]
Reg = Annotated[
    float | None,
    typer.Option(
        callback=_positive, metavar="X", help="λ of the head, for features of norm 1. [default: by examples left out]"
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(callback=_augment, metavar="WORDS", help="Random changes of images: some of flip,crop,cutout."),
]
Clip = Annotated[
    float | None, typer.Option(callback=_positive, metavar="X", help="Greatest norm of a gradient. [default: any]")
]
LearnKernels = Annotated[bool, typer.Option("--learn-kernels", help="Train the kernels' parameters too.")]
AtOnce = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Images of a minibatch in the network at a time; fewer take less memory. [default: on the host as many "
        "as make no array of more than 36 million numbers; elsewhere all]",
    ),
]
Jit = Annotated[bool, typer.Option("--jit", help="Compile the training step, if the library can.")]
Precision = Annotated[
    PrecisionName, typer.Option(help="Type of the products of patches with filters in training; all else is float32.")
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Resume a run that stopped, with its options; --epochs may be greater."),
]
