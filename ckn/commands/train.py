"""`ckn train`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ckn.architecture import architectures
from ckn.commands.console import facts, note, progress
from ckn.commands.options import ArchitectureName, BackendName, Batch, Data, Device, check_device
from ckn.commands.outputs import output_folder
from ckn.files import save
from ckn.readers import read
from ckn.readers.images import optional_module
from ckn.training import Outcome, Settings, Split, default_architecture, metrics, run, split
from ckn.unsupervised import require_patches
from kerneltools.backend import to_host


def train(
    data: Data,
    test: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Images to test on. [default: DATA's own test split, or 20 % of its images]"),
    ] = None,
    architecture: ArchitectureName = None,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="Decorrelate the patches of each image first; good for photographs.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the model and its pictures. [default: ckn-<data>]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same model.")] = 0,
    batch: Batch = None,
    patches: Annotated[
        int, typer.Option(min=1, metavar="N", help="Patches from which each layer learns its filters.")
    ] = 100_000,
    backend: BackendName = None,
    device: Device = None,
) -> None:
    """Train a classifier of images and test it.

    \b
    The folder --out gets model.safetensors, metrics.json and
      filters.png      the filters of the first layer
      confusion.png    which classes are taken for which
      certificate.png  how much of each layer's kernel its finite map misses

    \b
    Examples:
      ckn train digits --out demo
      ckn train photos/ --whiten --seed 1
      ckn train cifar-10-batches-bin/ --architecture unsup-256-1024 --whiten
    """
    for module, package in (("matplotlib", "matplotlib"), ("sklearn", "scikit-learn")):
        optional_module(module, package)
    check_device(backend, device)
    parts = split(read(data), data, seed, None if test is None else read(test), test or "")
    grid = parts.train.images.shape[1:-1]
    name = architecture or default_architecture(grid)
    require_patches(architectures[name], grid)
    settings = Settings(data, name, whiten, seed, patches, batch, backend or "numpy", device)
    folder = out or Path(f"ckn-{Path(data).resolve().stem}")
    with output_folder(folder) as hidden:
        _announce(parts, settings, "" if architecture else f", chosen for images of {grid[0]}x{grid[1]} pixels")
        with progress() as report:
            outcome = run(parts, settings, report)
            report("pictures", 0, 1)
            _write(hidden, parts, settings, outcome)
            report("pictures", 1, 1)
    _summarise(outcome, folder)


def _announce(parts: Split, settings: Settings, why: str) -> None:
    n, *shape = parts.train.images.shape
    facts(
        {
            "training": f"{n} images of {'x'.join(map(str, shape))}, {len(parts.train.classes)} classes",
            "test": f"{len(parts.test)} images: {parts.origin}",
            "architecture": settings.architecture + why,
        }
    )


def _write(folder: Path, parts: Split, settings: Settings, outcome: Outcome) -> None:
    from ckn import plots

    save(outcome.model, folder / "model.safetensors")
    table = json.dumps(metrics(parts, settings, outcome), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "metrics.json").write_text(table + "\n", encoding="utf-8")
    names = [str(name) for name in outcome.model.classes]
    plots.write(plots.filter_sheet(to_host(outcome.model.network.like)), folder / "filters.png")
    plots.write(plots.confusion_matrix(outcome.counts, names), folder / "confusion.png")
    plots.write(plots.certificate(outcome.misses), folder / "certificate.png")


def _summarise(outcome: Outcome, folder: Path) -> None:
    right, n = int(outcome.counts.trace()), int(outcome.counts.sum())
    missed = ", ".join(f"layer {i} {m.mean():.1%}" for i, m in enumerate(outcome.misses, start=1) if m.size)
    facts(
        {
            "test accuracy": f"{outcome.test_accuracy:.2%} ({right} of {n})",
            "leave-one-out": f"{outcome.loo_accuracy:.2%} on the training images",
            "λ": f"{outcome.reg:.1e}, of {len(outcome.regs)} from {min(outcome.regs):.0e} to {max(outcome.regs):.0e}",
            "kernel missed": f"{missed} (mean over patches)",
            "time": f"{outcome.train_seconds:.1f} s to train, {outcome.test_seconds:.1f} s to test",
            "written": f"{folder}/: model.safetensors, metrics.json, filters.png, confusion.png, certificate.png",
        }
    )
    if outcome.reg_at_end:
        note(f"λ = {outcome.reg:.1e} is at an end of the values tried; a better one may lie beyond")
