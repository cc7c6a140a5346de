"""The meaning of the options of `ckn train --supervised`, and which of them a resumed run takes over."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from ckn.head import HEADS
from ckn.readers import Dataset, Images
from ckn.supervised import (
    Alternating,
    Augmentation,
    Crop,
    Cutout,
    Flip,
    Joint,
    LayerReversal,
    Strategy,
    Supervised,
    state_notes,
)
from kerneltools.arrays import is_whole
from kerneltools.files import FileFormatError, parsed
from kerneltools.optimisers import SGD, Adam, Constant, Cosine, Optimiser, Schedule, Steps, WarmUp

LAST = "last.safetensors"
MOST_EPOCHS = 1_000_000


OPTIMISERS: Mapping[str, Callable[..., Optimiser]] = {"sgd": SGD, "adam": Adam}
STRATEGIES: Mapping[str, Callable[..., Strategy]] = {
    "alternating": Alternating,
    "reversal": LayerReversal,
    "joint": Joint,
}
# Without --milestones: after these shares of the epochs.
MILESTONES = (0.6, 0.85)
# Of images of 32 pixels a side: crops from 4 more on each side, and squares of 8 that are hidden.
AUGMENTATIONS: Mapping[str, Callable[[int], Augmentation]] = {
    "flip": lambda side: Flip(),
    "crop": lambda side: Crop(max(1, side // 8)),
    "cutout": lambda side: Cutout(max(1, side // 4)),
}


OPTIONS = (
    "validation",
    "schedule",
    "milestones",
    "warm_up",
    "strategy",
    "exact_every",
    "weight_decay",
    "epochs",
    "minibatch",
    "lr",
    "optimiser",
    "reg",
    "augment",
    "clip",
    "learn_kernels",
    "precision",
    "at_once",
    "jit",
)
# What a run that goes on has from the run that stopped, and what of it may be given otherwise.
# "planned": the epochs of the run when it began, which some schedules depend on.
KEPT = (
    *OPTIONS,
    *("planned", "head", "test", "labels", "filters", "one_strand", "size", "background", "skip_unreadable"),
    *("architecture", "whiten", "seed", "patches", "batch", "backend", "device"),
)
FREE = ("epochs", "jit", "at_once", "batch", "backend", "device")


def chosen_options(given: typer.Context) -> dict[str, Any]:
    """The options of the command; with --resume, options that are not given are those of the run that stopped.

    Raises BadParameter for options that need --supervised, or that differ from those of the run that stopped.
    """
    options = given.params | {"planned": given.params["epochs"]}
    explicit = {name for name in KEPT if _is_explicit(given, name)}
    folder = None if options["resume"] is None else Path(options["resume"])
    if folder is not None:
        return options | _of_stopped(folder, given, options, explicit) | {"supervised": True, "out": folder}
    without = [name for name in OPTIONS if name in explicit]
    if without and not options["supervised"]:
        raise typer.BadParameter(f"{dashed(without[0])}: only with --supervised")
    return options


def kept_options(options: Mapping[str, Any]) -> str:
    """The options that a resumed run takes over, as JSON."""
    return json.dumps({name: options[name] for name in KEPT})


def dashed(name: str) -> str:
    """The name of an option on the command line."""
    return f"--{name.replace('_', '-')}"


def _of_stopped(folder: Path, given: typer.Context, options: Mapping[str, Any], explicit: set[str]) -> dict[str, Any]:
    if options["out"] not in (None, folder):
        raise typer.BadParameter(f"--out {options['out']}: --resume goes on in {folder}; leave out --out")
    stopped = _kept_in(folder / LAST, given)
    for name in sorted(explicit.intersection(stopped).difference(FREE)):
        if options[name] != stopped[name]:
            raise typer.BadParameter(
                f"{dashed(name)}: the run in {folder} has {_plain(stopped[name])}, got {_plain(options[name])}; "
                "leave it out, or begin another run without --resume"
            )
    if "epochs" in explicit and _ends(stopped) and options["epochs"] > stopped["planned"]:
        raise typer.BadParameter(
            f"--epochs {options['epochs']}: the learning rate of the run in {folder} follows --schedule "
            f"{stopped['schedule']} over {stopped['planned']} epochs, and is not defined beyond; choose at most as "
            "many, or begin another run without --resume"
        )
    return {name: value for name, value in stopped.items() if name not in explicit}


def _kept_in(path: Path, given: typer.Context) -> dict[str, Any]:
    """The options kept in a state, read as those of the command are. Raises FileFormatError, naming the file."""
    try:
        found = parsed(state_notes(path).get("options", "{}"))
        if not isinstance(found, dict) or not found.keys() <= set(KEPT):
            raise ValueError(f"expected some of {', '.join(KEPT)}, got {found!r:.100}")
        planned = found.get("planned", 1)
        if not is_whole(planned) or planned > MOST_EPOCHS:
            raise ValueError(f"planned: expected an integer in 1..{MOST_EPOCHS}, got {planned!r:.60}")
        return {name: found[name] if name == "planned" else value for name, value in _read(found, given).items()}
    except FileFormatError:
        raise
    except (RecursionError, TypeError, ValueError, typer.BadParameter) as error:
        said = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        raise FileFormatError(f"{path}: corrupt: the options that are kept in it are invalid: {said}") from error


def _read(found: Mapping[str, Any], given: typer.Context) -> dict[str, Any]:
    """Values of options, made from words as on the command line. Raises what the command line raises."""
    words = [word for option in given.command.params if option.name in found for word in _words(option, found)]
    context = given.command.make_context(given.info_name, [given.params["data"], *words], parent=given.parent)
    return {name: context.params.get(name) for name in found}


def _words(option: Any, found: Mapping[str, Any]) -> list[str]:
    value = found[option.name]
    if value is None or value is False:
        return []
    if isinstance(value, bool) != bool(option.is_flag) or not isinstance(value, str | int | float):
        raise TypeError(f"{dashed(option.name)}: got {value!r:.60}")
    return [option.opts[0]] if value is True else [f"{option.opts[0]}={value}"]


def _ends(options: Mapping[str, Any]) -> bool:
    """Whether the learning rates depend on the number of epochs."""
    schedule = options.get("schedule")
    return bool(schedule == "cosine" or (schedule == "steps" and options["milestones"] is None))


def _plain(value: Any) -> str:
    return "none" if value is None else str(value)


def _is_explicit(given: typer.Context, name: str) -> bool:
    source = given.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def supervised_settings(options: Mapping[str, Any], data: Dataset) -> Supervised:
    """The settings that the options ask for, for these training data."""
    n, minibatch = len(data), options["minibatch"]
    if minibatch is not None and minibatch > n:
        raise typer.BadParameter(f"--minibatch {minibatch}: there are {n} training {data.nouns}; choose at most {n}")
    words = options["augment"].split(",") if options["augment"] else []
    side = min(data.images.shape[1:-1]) if isinstance(data, Images) else 0
    return Supervised(
        loss=HEADS[options["head"] or "ridge"],
        reg=options["reg"],
        epochs=options["epochs"],
        batch=minibatch,
        rate=options["lr"],
        schedule=_schedule(options),
        halve=options["schedule"] == "halving",
        optimiser=_optimiser(options),
        precondition=options["optimiser"] == "sgd" and isinstance(data, Images),
        strategy=_strategy(options),
        clip_norm=options["clip"],
        augmentation=tuple(AUGMENTATIONS[word](side) for word in words),
        learn_kernels=options["learn_kernels"],
        products=None if options["precision"] == "float32" else str(options["precision"]),
        at_once=options["at_once"],
        jit=options["jit"],
    )


def _optimiser(options: Mapping[str, Any]) -> Optimiser:
    decay = options["weight_decay"]
    if not decay:
        return OPTIMISERS[options["optimiser"]]()
    if options["strategy"] != "joint":
        raise typer.BadParameter(
            f"--weight-decay {decay:g}: it has no effect with --strategy {options['strategy']}: --reg shrinks the "
            "head there, and filters have norm 1; leave it out, or choose --strategy joint"
        )
    return OPTIMISERS[options["optimiser"]](weight_decay=decay)


def _strategy(options: Mapping[str, Any]) -> Strategy:
    name, every = options["strategy"], options["exact_every"]
    if name != "joint":
        return STRATEGIES[name](exact_every=every)
    if every != 1:
        raise typer.BadParameter(f"--exact-every {every}: the head of --strategy joint is never solved; leave it out")
    return STRATEGIES[name]()


def _schedule(options: Mapping[str, Any]) -> Schedule:
    name, epochs = options["schedule"], options["planned"]
    rise = _usual_warm_up(options) if options["warm_up"] is None else options["warm_up"]
    if options["milestones"] is not None and name != "steps":
        raise typer.BadParameter(f"--milestones {options['milestones']}: only with --schedule steps")
    if options["warm_up"] is not None and rise >= epochs:
        raise typer.BadParameter(f"--warm-up {rise}: there are {epochs} epochs; choose at most {epochs - 1}")
    after: Schedule = Constant()
    if name == "cosine":
        after = Cosine(epochs - rise)
    elif name == "steps":
        after = Steps(_steps_after(options["milestones"], epochs, rise))
    return WarmUp(rise, after) if rise else after


def _usual_warm_up(options: Mapping[str, Any]) -> int:
    """One epoch, if the schedule leaves room for it."""
    first = options["planned"] if options["milestones"] is None else int(options["milestones"].partition(",")[0])
    return 1 if first > 1 or options["schedule"] in ("halving", "constant") else 0


def _steps_after(milestones: str | None, epochs: int, rise: int) -> tuple[float, ...]:
    """The milestones, counted from the end of the warm-up as in schedules."""
    if milestones is None:
        return tuple(sorted({float(max(1, round(share * (epochs - rise)))) for share in MILESTONES}))
    found = tuple(float(word) - rise for word in milestones.split(","))
    if found[0] <= 0:
        raise typer.BadParameter(f"--milestones {milestones}: the first one lies within the warm-up of {rise} epochs")
    return found
