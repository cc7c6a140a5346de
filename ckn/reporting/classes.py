"""What a page says of examples and their classes: accuracy, confusion, the hardest ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ckn.applying import predictions
from ckn.model import Model
from ckn.readers import Images
from ckn.reporting.examined import Examined, Numbers
from ckn.reporting.looks import card_of
from ckn.reporting.trainings import Training
from ckn.text import visible
from ckn.training import counted
from kerneltools.reporting import Cards, Figure, Matrix, Paragraph, Section, Table, wilson

MOST_CLASSES = 30
"""Of a confusion matrix whose cells are all shown; of more, the most frequent mistakes are."""


SEEN = (
    "The model was trained on data of this name: examples that it has seen are right more often than new ones. The "
    "test accuracy, below, is of examples that were held out."
)


SHOWN, SHOWN_OBJECTS = 24, 12
"""Examples that are shown: images, and objects, which take more room."""


def of_examples(model: Model, names: Sequence[str], examined: Examined, training: Training | None) -> list[Section]:
    """Accuracy and confusion where there are labels, predictions where there are none; the hardest examples."""
    nouns = examined.data.nouns
    if examined.true is None:
        text = f"These {nouns} have no labels: which are right is not known. How many were put into each class:"
        best, _, _ = predictions(examined.scores)
        many = np.bincount(best, minlength=len(names))
        rows = [(one, str(count), f"{count / len(best):.1%}") for one, count in zip(names, many, strict=True)]
        table = Table("Predicted classes", ("class", nouns, "share"), rows, (1, 2))
        return [Section("Predictions", [Paragraph(text), table]), _hardest(model, names, examined)]
    return [_confusion(names, examined, training), _hardest(model, names, examined)]


def accuracy_figure(name: str, right: int, n: int) -> Figure:
    """A share of examples that are right, with its interval."""
    return Figure(name, f"{right / n:.2%}", f"{right} of {n}; 95 % interval {wilson(right, n)}")


def right_of(examined: Examined) -> tuple[int, int]:
    """How many examples are in their class, of how many."""
    best, _, _ = predictions(examined.scores)
    return int((best == examined.true).sum()), len(best)


def _confusion(names: Sequence[str], examined: Examined, training: Training | None) -> Section:
    assert examined.true is not None  # the caller has asked
    counts = counted(examined.true, examined.scores)
    right, n = right_of(examined)
    text = (
        f"{right} of {n} {examined.data.nouns} are in their class: {right / n:.2%}. The 95 % interval of Wilson, "
        f"{wilson(right, n)}, is where the accuracy on all {examined.data.nouns} of this kind may lie."
    )
    rows = []
    for i, name in enumerate(names):
        own, true, said = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        interval = str(wilson(own, true)) if true else "-"
        rows.append((name, str(true), _share(own, true), interval, _share(own, said)))
    columns = ("class", examined.data.nouns, "recall", "95 % interval of recall", "precision")
    table = Table("Class by class", columns, rows, (1, 2, 3, 4))
    if len(names) <= MOST_CLASSES:
        shown: Any = Matrix("Confusion matrix: true classes in rows, predicted ones in columns", names, counts.tolist())
    else:
        shown = _mistakes(names, counts)
    seen = [] if training is None or not _were_seen(training, examined) else [Paragraph(SEEN)]
    return Section("Accuracy", [Paragraph(text), *seen, shown, table])


def _hardest(model: Model, names: Sequence[str], examined: Examined) -> Section:
    """Those whose true class has the score that is furthest below, or least above, that of the best other one."""
    values, true, data = examined.scores, examined.true, examined.data
    best, _, margin = predictions(values)
    if true is not None:
        own = values[np.arange(len(values)), true]
        others = values.copy()
        others[np.arange(len(values)), true] = -np.inf
        margin = own - others.max(axis=1)
    most = SHOWN if isinstance(data, Images) else SHOWN_OBJECTS
    order = np.argsort(margin, kind="stable")[:most].tolist()
    chances = None if model.calibration is None else model.calibration(values[order])
    cards = []
    for at, number in enumerate(order):
        facts = {} if true is None else {"true": names[true[number]]}
        facts["predicted"] = names[best[number]]
        for column in dict.fromkeys([best[number], *([] if true is None else [true[number]])]):
            chance = "" if chances is None else f" (p {chances[at, column]:.3f})"
            facts[f"score of {names[column]}"] = f"{values[number, column]:.3f}{chance}"
        title = visible(str(data.names[number])) if data.names else f"{data.noun} {number}"
        cards.append(card_of(data, number, title, facts))
    if true is None:
        text = f"The {len(order)} {data.nouns} whose best two classes have scores closest to each other."
    else:
        wrong = int((margin[order] < 0).sum())
        text = (
            f"The {len(order)} {data.nouns} whose true class is furthest below the best other one, or least above it: "
            f"{wrong} of these are mistakes, the worst first."
        )
    told = "" if chances is None else " p is the probability of a class."
    return Section(f"Hardest {data.nouns}", [Paragraph(text + told), Cards(cards)])


def _were_seen(training: Training, examined: Examined) -> bool:
    """Whether the training had some of these examples, as far as the names of the data tell."""
    numbers = training.numbers
    return numbers.get("data") == examined.source and numbers.get("n_test") != len(examined.data)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _mistakes(names: Sequence[str], counts: Numbers) -> Table:
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]
    pairs = [np.unravel_index(number, wrong.shape) for number in order.tolist()]
    rows = [(names[i], names[j], str(wrong[i, j])) for i, j in pairs if wrong[i, j]]
    caption = f"The most frequent mistakes; the matrix of {len(names)} classes is too large for a page"
    return Table(caption, ("true class", "taken for", "times"), rows, (2,))
