"""`ckn train`."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ckn.architecture import architectures
from ckn.commands import learning
from ckn.commands.console import Screen, facts, note, on_terminal, progress, room_for, say
from ckn.commands.epochs import BEST, NUMBERS, Epochs
from ckn.commands.options import (
    ArchitectureName,
    BackendName,
    Background,
    Batch,
    Data,
    Device,
    DryRun,
    Filters,
    Labels,
    OneStrand,
    Quiet,
    Size,
    SkipUnreadable,
    as_colour,
    as_size,
    check_device,
    check_precision,
)
from ckn.commands.outputs import output_folder, require_folder
from ckn.commands.results import PAGE, Results
from ckn.commands.supervised import LAST, chosen_options, dashed, supervised_settings
from ckn.head import HEADS, Choice
from ckn.interrupts import ending_at_once
from ckn.memory import keep_freed_memory
from ckn.readers import Dataset, Images, LabelTable, Pictures, read
from ckn.readers.images import optional_module, pictures_of
from ckn.supervised import EpochReport, best_epoch
from ckn.training import (
    Outcome,
    Settings,
    Split,
    default_architecture,
    described_architecture,
    forecast,
    run,
    split,
    with_validation,
)
from ckn.unsupervised import require_patches
from kerneltools.forecasting import Forecast

WRITTEN = ("model.safetensors", "metrics.json", "filters.png", "confusion.png", "certificate.png")
"""The files that every training leaves in its folder."""

WRITTEN_OF_OBJECTS = ("motifs.png",)
WRITTEN_WITH_LABELS = ("curves.png", NUMBERS, LAST, BEST)

SMALLER = "a smaller --batch or --minibatch, fewer --patches or a smaller --architecture"
FEWER = "fewer or smaller examples"
LESS, FEWER_PARTS = "fewer --patches or a smaller --architecture", "fewer --patches or fewer --filters"

LONG = 2000
"""The number of examples from which a training is worth the seconds that its forecast takes."""

OF_IMAGES = ("size", "background", "skip_unreadable", "architecture", "whiten", "augment", "precision")
"""Options for images only."""

OF_OBJECTS = ("filters", "one_strand")
"""Options for other data only."""


def train(
    context: typer.Context,
    data: Data,
    test: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Data to test on. [default: DATA's own test split, or 20 % of each class]"),
    ] = None,
    labels: Labels = None,
    size: Size = None,
    background: Background = None,
    skip_unreadable: SkipUnreadable = False,
    architecture: ArchitectureName = None,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="Decorrelate the patches of each image first; good for photographs.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for the model and its pictures. [default: ckn-<data>]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the random choices; the same seed gives the same model.")
    ] = 0,
    batch: Batch = None,
    patches: Annotated[
        int,
        typer.Option(
            min=1, max=10**12, metavar="N", help="Patches, or parts, from which each layer learns its filters."
        ),
    ] = 100_000,
    filters: Filters = None,
    one_strand: OneStrand = False,
    backend: BackendName = None,
    device: Device = None,
    supervised: learning.WithLabels = False,
    validation: learning.Validation = None,
    epochs: learning.Epochs = 20,
    minibatch: learning.Minibatch = None,
    lr: learning.Rate = None,
    schedule: learning.ScheduleChoice = learning.ScheduleName.halving,
    milestones: learning.Milestones = None,
    warm_up: learning.WarmUpEpochs = None,
    optimiser: learning.OptimiserChoice = learning.OptimiserName.adam,
    strategy: learning.StrategyChoice = learning.StrategyName.alternating,
    exact_every: learning.ExactEvery = 1,
    head: learning.Head = None,
    reg: learning.Reg = None,
    augment: learning.Augment = None,
    weight_decay: learning.WeightDecay = 0.0,
    clip: learning.Clip = None,
    learn_kernels: learning.LearnKernels = False,
    precision: learning.Precision = learning.PrecisionName.float32,
    at_once: learning.AtOnce = None,
    jit: learning.Jit = False,
    resume: learning.Resume = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html, a page with all results to open in a browser.")
    ] = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier of images, sequences, graphs or series, and test it.

    \b
    The folder --out gets model.safetensors, metrics.json and
      filters.png      the filters of the first layer; for sequences, as logos
      motifs.png       for sequences, graphs and series: what excites the filters most
      confusion.png    which classes are mistaken for which
      certificate.png  how much of each layer's kernel its finite map misses
    and with --supervised
      curves.png       loss and accuracy, epoch by epoch
      metrics.jsonl    the same in numbers, written after each epoch
      last.safetensors, best.safetensors
                       the states after the last and the best epoch: the one with the
                       greatest validation accuracy, or without --validation the least loss
    and with --report
      report.html      all of this on one page, with the images that are hardest to classify

    \b
    Examples:
      ckn train digits --out demo --report
      ckn train photos/ --whiten --seed 1
      ckn train peaks.fa --labels labels.csv --out peaks
      ckn train MUTAG/
      ckn train GunPoint_TRAIN.ts --test GunPoint_TEST.ts --filters 64
      ckn train cifar-10-batches-bin/ --architecture unsup-256-1024 --whiten --dry-run
      ckn train cifar-10-batches-bin/ --architecture unsup-256-1024 --whiten
      ckn train cifar-10-batches-bin/ --architecture ckn-5 --whiten --supervised \\
          --augment flip,crop --validation 0.1 --backend torch
    """
    with ending_at_once():
        if report:
            optional_module("jinja2", "jinja2")
        for module, package in (("matplotlib", "matplotlib"), ("sklearn", "scikit-learn")):
            optional_module(module, package)
    # A resumed run has the options that it began with.
    _train(data, chosen_options(context))


def _train(data: str, chosen: Mapping[str, Any]) -> None:
    """The same for all options by name."""
    quiet = chosen["quiet"]
    if chosen["dry_run"] and chosen["resume"] is not None:
        raise typer.BadParameter("--dry-run: not with --resume; how long its epochs take is in metrics.jsonl")
    if chosen["supervised"] and chosen["backend"] == "torch" and chosen["device"] in (None, "cpu"):
        keep_freed_memory()
    parts, settings = _prepared(data, chosen)
    # Some versions of typer hand on the paths of a context as strings.
    folder = Path(chosen["out"] or f"ckn-{Path(data).resolve().stem}")
    of_kind = () if isinstance(parts.train, Images) else WRITTEN_OF_OBJECTS
    pages = (PAGE,) if chosen["report"] else ()
    names = (*WRITTEN, *of_kind, *(WRITTEN_WITH_LABELS if chosen["supervised"] else ()), *pages)
    why = "" if chosen["architecture"] else _why(parts.train)
    if chosen["dry_run"]:
        require_folder(folder, names)
        if not quiet:
            _announce(parts, settings, why)
        _foretell(parts, settings, quiet)
        return
    with output_folder(folder, names), room_for(data, SMALLER):
        if not quiet:
            _announce(parts, settings, why)
        results = Results(folder)
        with progress(quiet, _forecast(parts, settings, chosen)) as screen, ExitStack() as told:
            outcome = _trained(folder, data, parts, settings, chosen, screen, told, results)
            screen("pictures", 0, 1)
            results.write(parts, settings, outcome, chosen["report"])
            screen("pictures", 1, 1)
    if not quiet:
        _summarise(outcome, folder, results, parts.train.nouns)
    if outcome.reg_at_end:
        note(f"λ = {outcome.reg:.1e} is at an end of the values tried; a better one may lie beyond")
    if outcome.labels_did_not_help:
        note(
            f"no epoch was better than the start on the validation {parts.train.nouns}: training "
            "with the labels did not help"
        )


def _foretell(parts: Split, settings: Settings, quiet: bool) -> None:
    """Print how long it will take, and whether the memory suffices."""
    if settings.backend == "jax" and not quiet:
        note("JAX compiles the runs of a forecast for their sizes first: some ten seconds, which are not counted")
    with room_for(settings.data, SMALLER), progress(quiet) as screen:
        screen("forecast", 0, 1)
        found = replace(
            forecast(parts, settings), advice=f"try {LESS if isinstance(parts.train, Images) else FEWER_PARTS}"
        )
        screen("forecast", 1, 1)
    for line in str(found).splitlines():
        say(line)


def _forecast(parts: Split, settings: Settings, chosen: Mapping[str, Any]) -> Forecast | None:
    """The forecast for a bar over all stages, if somebody is likely to watch it for long.

    There is none for JAX, which compiles anew for the sizes of each run.
    """
    seen = not chosen["quiet"] and on_terminal()
    if not seen or len(parts.train) < LONG or chosen["resume"] is not None or settings.backend == "jax":
        return None
    with progress() as screen:
        screen("forecast", 0, 1)
        found = forecast(parts, settings)
        screen("forecast", 1, 1)
    return found


def _prepared(data: str, chosen: Mapping[str, Any]) -> tuple[Split, Settings]:
    """The images and how to train on them; whatever does not fit together is found here, before the work."""
    check_device(chosen["backend"], chosen["device"])
    check_precision(chosen["backend"], chosen["precision"])
    with room_for(data, FEWER), progress(chosen["quiet"]) as screen:
        parts = _read(data, chosen, screen)
    if chosen["validation"] is not None and chosen["supervised"]:
        parts = with_validation(parts, chosen["validation"], data, chosen["seed"])
    name = parts.train.nouns
    if isinstance(parts.train, Images):
        grid = parts.train.images.shape[1:-1]
        name = chosen["architecture"] or default_architecture(grid)
        require_patches(architectures[name], grid)
    supervised = supervised_settings(chosen, parts.train) if chosen["supervised"] else None
    plain = {key: chosen[key] for key in ("whiten", "seed", "patches", "batch", "device", "validation", *OF_OBJECTS)}
    head = None if chosen["supervised"] or chosen["head"] is None else HEADS[chosen["head"]]
    return parts, Settings(data, name, backend=chosen["backend"] or "numpy", head=head, supervised=supervised, **plain)


def _read(data: str, chosen: Mapping[str, Any], screen: Screen) -> Split:
    """The examples to train on, and those to test on, which are treated in the same way."""
    size, background, test = chosen["size"], chosen["background"], chosen["test"]
    wanted = Pictures(
        None if size is None else as_size(size), background=None if background is None else as_colour(background)
    )
    table = None if chosen["labels"] is None else LabelTable.of_file(chosen["labels"])
    asked: dict[str, Any] = {"skip_unreadable": chosen["skip_unreadable"], "labels": table, "report": screen}
    train = read(data, pictures=wanted, **asked)
    _require_suited(train, data, chosen)
    others = None
    if test is not None:
        asked |= (
            {"pictures": train.pictures or pictures_of(train.images.shape[1:])} if isinstance(train, Images) else {}
        )
        others = read(test, alphabet=getattr(train.data, "alphabet", None), **asked)
    if table is not None:
        held = [part.names or () for part in (train, train.test, others, others and others.test) if part is not None]
        table.warn_of_others([name for names in held for name in names], data if test is None else f"{data}, {test}")
    return split(train, data, chosen["seed"], others, test or "")


def _require_suited(data: Dataset, source: str, chosen: Mapping[str, Any]) -> None:
    """Raise BadParameter for options that do not apply to such data."""
    if not isinstance(data, Images):
        for name in OF_IMAGES:
            if chosen[name] and chosen[name] != learning.PrecisionName.float32:
                raise typer.BadParameter(f"{dashed(name)}: only for images, and {source} holds {data.nouns}")
        if chosen["one_strand"] and getattr(getattr(data.data, "alphabet", None), "complement", None) is None:
            raise typer.BadParameter(f"--one-strand: only for DNA and RNA, and {source} holds {data.described}")
        return
    for name in OF_OBJECTS:
        if chosen[name]:
            raise typer.BadParameter(f"{dashed(name)}: not for images, which {source} holds; choose an --architecture")
    if data.pictures is None and (given := [name for name in ("size", "background") if chosen[name] is not None]):
        raise typer.BadParameter(
            f"{dashed(given[0])} {chosen[given[0]]}: only for picture files, and {source} holds none"
        )


def _trained(
    folder: Path,
    data: str,
    parts: Split,
    settings: Settings,
    chosen: Mapping[str, Any],
    screen: Screen,
    told: ExitStack,
    results: Results,
) -> Outcome:
    """The trained model, which is written at once; `told` gets the message on a training that ends early."""
    if settings.supervised is None:
        told.enter_context(results.told(with_labels=False))
        return run(parts, settings, screen, on_model=results.keep)
    epochs = Epochs(folder, data, parts, settings, settings.supervised, chosen, screen)
    begin, best = epochs.begin()
    told.enter_context(epochs.told())
    told.enter_context(results.told(with_labels=True))
    return run(parts, settings, epochs.progress, epochs.on_epoch, begin, best, results.keep)


def _why(data: Dataset) -> str:
    """Why the architecture was chosen."""
    if not isinstance(data, Images):
        return ""
    height, width = data.images.shape[1:-1]
    return f", chosen for images of {height}x{width} pixels"


def _announce(parts: Split, settings: Settings, why: str) -> None:
    train, held_out = parts.train, parts.validation
    facts(
        {
            "training": f"{train.described}, {len(train.classes)} classes",
            **({} if held_out is None else {"validation": f"{len(held_out)} of the training {train.nouns}"}),
            "test": f"{len(parts.test)} {train.nouns}: {parts.origin}",
            "architecture": described_architecture(train, settings) + why,
        }
    )


def _summarise(outcome: Outcome, folder: Path, results: Results, nouns: str) -> None:
    right, n = int(outcome.counts.trace()), int(outcome.counts.sum())
    missed = ", ".join(f"layer {i} {m.mean():.1%}" for i, m in enumerate(outcome.misses, start=1) if m.size)
    files = [*results.written, *((NUMBERS, LAST, BEST) if outcome.history else ())]
    facts(
        {
            "test accuracy": f"{outcome.test_accuracy:.2%} ({right} of {n})",
            **(_of_epochs(outcome) if outcome.history else _of_head(outcome, nouns)),
            "kernel missed": f"{missed} (mean over {'patches' if nouns == 'images' else 'parts'})",
            "time": f"{outcome.train_seconds:.1f} s to train, {outcome.test_seconds:.1f} s to test",
            "written": f"{folder}/: {', '.join(files)}",
        }
    )


def _of_head(outcome: Outcome, nouns: str) -> dict[str, str]:
    choice = outcome.choice
    if choice is not None and choice.left_out:
        return {
            "head": f"{_of_tried(choice)} of {choice.left_out} left out right; {choice.seconds:.1f} s of the training",
            "features": choice.features,
            "λ": f"{outcome.reg:.1e}, of {len(outcome.regs)} from {min(outcome.regs):.0e} to {max(outcome.regs):.0e}",
        }
    return {
        "leave-one-out": f"{outcome.loo_accuracy:.2%} on the training {nouns}",
        "λ": f"{outcome.reg:.1e}, of {len(outcome.regs)} from {min(outcome.regs):.0e} to {max(outcome.regs):.0e}",
    }


def _of_tried(choice: Choice) -> str:
    """The head that was taken, then the others: "hinge 75.60 %, ridge 74.44 %"."""
    ordered = sorted(choice.tried, key=lambda tried: tried is not choice.taken)
    return ", ".join(f"{tried.word} {tried.accuracy:.2%}" for tried in ordered)


def _of_epochs(outcome: Outcome) -> dict[str, str]:
    last, best = outcome.history[-1], best_epoch(outcome.history)
    measured = outcome.history[best - 1].validation_accuracy
    before = "" if outcome.initial is None else f", before training {outcome.initial.loss:.4g}"
    return {
        **({} if measured is None else {"validation": f"{measured:.2%} right after epoch {best}, whose model this is"}),
        **_of_training(last),
        "loss": f"{last.loss:.4g}{before}, least {least_loss(outcome.initial, outcome.history)}",
        "learning rate": f"{outcome.history[0].rate:.3g} at first, {last.rate:.3g} at last",
    }


def least_loss(start: EpochReport | None, history: Sequence[EpochReport]) -> str:
    """When the loss was least; among equal ones, the first time."""
    least = min(history if start is None else (start, *history), key=lambda report: report.loss)
    return f"in epoch {least.epoch}" if least.epoch else "at the start"


def _of_training(last: EpochReport) -> dict[str, str]:
    """The accuracy on the training data; nothing if the strategy makes no pass to measure it."""
    if last.train_accuracy is None:
        return {}
    return {"training": f"{last.train_accuracy:.2%} right after epoch {last.epoch}"}
