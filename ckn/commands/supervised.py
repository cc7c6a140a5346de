"""The options of `ckn train --supervised`, and what they mean."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ckn.supervised import Augmentation, Crop, Cutout, Flip, Supervised, state_notes
from kerneltools.optimisers import SGD, Adam, Optimiser
from kerneltools.solvers import CrossEntropy, Loss, Squared, SquaredHinge

LAST = "last.safetensors"
MINIBATCH = 128


class OptimiserName(StrEnum):
    """Rules for steps downhill."""

    sgd = "sgd"
    adam = "adam"


class HeadName(StrEnum):
    """Losses of the linear head."""

    ridge = "ridge"
    hinge = "hinge"
    softmax = "softmax"


class PrecisionName(StrEnum):
    """Types of products."""

    float32 = "float32"
    bfloat16 = "bfloat16"


OPTIMISERS: Mapping[str, Optimiser] = {"sgd": SGD(), "adam": Adam()}
HEADS: Mapping[str, Loss] = {"hinge": SquaredHinge(), "softmax": CrossEntropy(), "ridge": Squared()}
# Of images of 32 pixels a side: crops from 4 more on each side, and squares of 8 that are hidden.
AUGMENTATIONS: Mapping[str, Callable[[int], Augmentation]] = {
    "flip": lambda side: Flip(),
    "crop": lambda side: Crop(max(1, side // 8)),
    "cutout": lambda side: Cutout(max(1, side // 4)),
}


def _augment(words: str | None) -> str | None:
    wrong = [word for word in (words or "").split(",") if words and word not in AUGMENTATIONS]
    if wrong:
        raise typer.BadParameter(f"expected some of {','.join(AUGMENTATIONS)}, got {wrong[0]!r}")
    return words


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"expected a finite number > 0, got {value:g}")
    return value


WithLabels = Annotated[
    bool,
    typer.Option("--supervised", help="Train the filters with the labels too, from the unsupervised ones on."),
]
Epochs = Annotated[int, typer.Option(min=1, metavar="N", help="Passes over the training images.")]
Minibatch = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Images a step. [default: 128, or all if fewer]")
]
Rate = Annotated[
    float | None,
    typer.Option(
        callback=_positive, metavar="X", help="Learning rate. [default: the best of a few, tried for some steps]"
    ),
]
OptimiserChoice = Annotated[OptimiserName, typer.Option(help="How the filters move.")]
Head = Annotated[
    HeadName,
    typer.Option(help="Loss: least squares, squared hinge of each class against the rest, or softmax cross-entropy."),
]
Reg = Annotated[
    float | None,
    typer.Option(
        callback=_positive, metavar="X", help="λ of the head, for features of norm 1. [default: by leave-one-out]"
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(callback=_augment, metavar="WORDS", help="Random changes of the images: some of flip,crop,cutout."),
]
Clip = Annotated[
    float | None, typer.Option(callback=_positive, metavar="X", help="Greatest norm of a gradient. [default: any]")
]
LearnKernels = Annotated[bool, typer.Option("--learn-kernels", help="The kernels' parameters move too.")]
Jit = Annotated[bool, typer.Option("--jit", help="Compile the step, where the library can.")]
Precision = Annotated[
    PrecisionName, typer.Option(help="Type in which steps multiply patches with filters; all else is float32.")
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Go on with a run that stopped; its options hold. --epochs may be greater."),
]

OPTIONS = (
    "epochs",
    "minibatch",
    "lr",
    "optimiser",
    "head",
    "reg",
    "augment",
    "clip",
    "learn_kernels",
    "precision",
    "jit",
)
# What a run that goes on has from the run that stopped, and what of it may be given otherwise.
KEPT = (*OPTIONS, "test", "architecture", "whiten", "seed", "patches", "batch", "backend", "device")
FREE = ("epochs", "jit", "batch", "backend", "device")


def chosen_options(given: typer.Context) -> dict[str, Any]:
    """The options of the command; with --resume, those not given are the ones of the run that stopped.

    Raises BadParameter for options that need --supervised or that the run that stopped had otherwise.
    """
    options = dict(given.params)
    explicit = {name for name in KEPT if _is_explicit(given, name)}
    folder = options["resume"]
    if folder is not None:
        return options | _of_stopped(folder, options, explicit) | {"supervised": True, "out": folder}
    without = [name for name in OPTIONS if name in explicit]
    if without and not options["supervised"]:
        raise typer.BadParameter(f"{_dashed(without[0])}: only with --supervised")
    return options


def kept_options(options: Mapping[str, Any]) -> str:
    """The options that a run that goes on takes up, as JSON."""
    return json.dumps({name: options[name] for name in KEPT})


def _of_stopped(folder: Path, options: Mapping[str, Any], explicit: set[str]) -> dict[str, Any]:
    if options["out"] not in (None, folder):
        raise typer.BadParameter(f"--out {options['out']}: --resume goes on in its own folder, {folder}")
    stopped: dict[str, Any] = json.loads(state_notes(folder / LAST).get("options", "{}"))
    for name in sorted(explicit.intersection(stopped).difference(FREE)):
        if options[name] != stopped[name]:
            raise typer.BadParameter(
                f"{_dashed(name)}: the run in {folder} has {_plain(stopped[name])}, got {_plain(options[name])}; "
                "leave it out, or begin another run without --resume"
            )
    return {name: value for name, value in stopped.items() if name not in explicit}


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(value: Any) -> str:
    return "none" if value is None else str(value)


def _is_explicit(given: typer.Context, name: str) -> bool:
    source = given.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def supervised_settings(options: Mapping[str, Any], images: Any) -> Supervised:
    """The settings that the options ask for, for training images (n, h, w, c)."""
    n, *grid, _ = images.shape
    minibatch = options["minibatch"] or min(MINIBATCH, n)
    if minibatch > n:
        raise typer.BadParameter(f"--minibatch {minibatch}: there are {n} training images; choose at most {n}")
    words = options["augment"].split(",") if options["augment"] else []
    return Supervised(
        loss=HEADS[options["head"]],
        reg=options["reg"],
        epochs=options["epochs"],
        batch=minibatch,
        rate=options["lr"],
        optimiser=OPTIMISERS[options["optimiser"]],
        clip_norm=options["clip"],
        augmentation=tuple(AUGMENTATIONS[word](min(grid)) for word in words),
        learn_kernels=options["learn_kernels"],
        products=None if options["precision"] == "float32" else str(options["precision"]),
        jit=options["jit"],
    )
