"""The whole page."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ckn.applying import nouns_for
from ckn.describing import facts_of, layers_of, parameters_of
from ckn.model import Model
from ckn.network import Network
from ckn.reporting.certificates import certificate_of
from ckn.reporting.classes import accuracy_figure, of_examples, right_of
from ckn.reporting.drawings import filters_of
from ckn.reporting.examined import Examined
from ckn.reporting.numbers import error_figures, of_numbers
from ckn.reporting.trainings import Training, measured_in, of_training, settings_of
from ckn.text import visible
from kerneltools.reporting import Facts, Figure, Paragraph, Report, Section, Table


def report_of(
    name: str, held: Model | Network, training: Training | None = None, examined: Examined | None = None
) -> Report:
    """A page on a model or a network: with examples what it makes of them, with a training how that went.

    `name`: of the model, such as its file.
    """
    names = [visible(str(one)) for one in held.classes] if isinstance(held, Model) else []
    of_data: list[Section] = []
    if isinstance(held, Model) and examined is not None:
        of_data = of_numbers(examined) if held.targets is not None else of_examples(held, names, examined, training)
    sections = [
        *of_data,
        filters_of(held, examined),
        *certificate_of(training, examined, nouns_for(held.network if isinstance(held, Model) else held)),
        *([] if training is None else of_training(training)),
        _architecture(held),
        *([] if training is None else [settings_of(training)]),
        _versions(training),
    ]
    nouns = nouns_for(held.network if isinstance(held, Model) else held)
    if examined is not None:
        said = f"{len(examined.data)} {nouns}: {visible(examined.source)}"
    else:
        of_number = isinstance(held, Model) and held.targets is not None
        said = f"of the model alone; give data for its {'error' if of_number else 'accuracy'} and the hardest {nouns}"
    return Report(
        f"Report on {visible(name)}", f"A network on {nouns}; {said}", sections, _figures(held, training, examined)
    )


def _figures(held: Model | Network, training: Training | None, examined: Examined | None) -> list[Figure]:
    """What counts, above all sections."""
    found: list[Figure] = []
    if isinstance(held, Model) and held.targets is not None:
        found += [] if examined is None else error_figures(examined)
    elif examined is not None and examined.true is not None:
        right, n = right_of(examined)
        found.append(accuracy_figure("Accuracy", right, n))
    elif training is not None and (measured := measured_in(training)) is not None:
        found.append(accuracy_figure("Test accuracy, in training", *measured))
    if isinstance(held, Model) and held.classes:
        found.append(Figure("Classes", f"{len(held.classes):,}"))
    network = held.network if isinstance(held, Model) else held
    found.append(Figure("Layers", f"{len(network.layers)}", f"{parameters_of(held):,} numbers in all"))
    if examined is not None and examined.seconds > 0:
        rate = len(examined.data) / examined.seconds
        found.append(
            Figure("Time to apply it", f"{examined.seconds:.2f} s", f"{rate:,.0f} {examined.data.nouns} a second")
        )
    return found


def _architecture(held: Model | Network) -> Section:
    layers = layers_of(held)
    rows = [tuple(map(visible, row)) for row in layers.rows]
    facts = {name: visible(value) for name, value in facts_of(held).items()}
    return Section("Model", [Facts(facts), Table("Layers", layers.columns, rows, layers.right)])


def _versions(training: Training | None) -> Section:
    found = {"Python": platform.python_version()}
    for package in ("kerneltools", "numpy", "scikit-learn", "matplotlib"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    blocks: list[Any] = [Facts(found)]
    if training is not None:
        of_training = {
            key.removesuffix("_version"): visible(str(value))
            for key, value in training.numbers.items()
            if key.endswith("_version")
        }
        if of_training:
            blocks += [Paragraph("The versions of the training:"), Facts(of_training)]
    return Section("Versions", blocks)
