"""What a page says of examples and the numbers that a model predicts for them."""

import numpy as np

from ckn.readers import Images
from ckn.reporting.classes import SHOWN, SHOWN_OBJECTS
from ckn.reporting.examined import Examined, Numbers
from ckn.reporting.looks import card_of
from ckn.targets import explained
from ckn.text import visible
from kerneltools.arrays import evenly
from kerneltools.reporting import Cards, Figure, Paragraph, Section, Table
from kerneltools.reporting.charts import predicted_against_true

DRAWN = 400
"""Examples on the chart."""

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Of the examples, in the table of predictions."""


def error_figures(examined: Examined) -> list[Figure]:
    """R² and the error, where the examples have numbers."""
    if examined.true is None:
        return []
    root, spread = _root(examined), float(examined.true.std())
    return [
        Figure("R²", f"{_score(examined):.4f}", f"of {len(examined.true)} {examined.data.nouns}"),
        Figure("Error", f"{root:.4g}", f"root mean square; the numbers have the standard deviation {spread:.4g}"),
    ]


def of_numbers(examined: Examined) -> list[Section]:
    """The error and the examples that are most wrong; where nothing is known of them, the predictions."""
    nouns, values = examined.data.nouns, examined.scores
    if examined.true is None:
        rows = [(f"{share:.0%}", f"{np.quantile(values, share):.4g}") for share in SHARES]
        table = Table("Predicted numbers", (f"of the {nouns}", "have at most"), rows, (0, 1))
        text = f"These {nouns} have no labels: how far the predictions are off is not known."
        order = np.argsort(-values, kind="stable")
        told = f"The {nouns} with the greatest predictions."
        return [Section("Predictions", [Paragraph(text), table]), _cards(examined, "Greatest", order, told)]
    text = (
        f"R², the share of the variance that is explained, is {_score(examined):.4f} on these {len(values)} {nouns}; "
        f"the root mean square error is {_root(examined):.4g}. {nouns.capitalize()} that the training has seen are "
        "predicted better than new ones."
    )
    some = list(evenly(len(values), DRAWN))
    chart = predicted_against_true(examined.true[some], values[some], nouns)
    order = np.argsort(-np.abs(values - examined.true), kind="stable")
    told = f"The {nouns} whose predictions are furthest off, the worst first."
    return [Section("Error", [Paragraph(text), chart]), _cards(examined, "Hardest", order, told)]


def _cards(examined: Examined, name: str, order: Numbers, text: str) -> Section:
    data, values, true = examined.data, examined.scores, examined.true
    most = SHOWN if isinstance(data, Images) else SHOWN_OBJECTS
    cards = []
    for number in order[:most].tolist():
        facts = {} if true is None else {"true": f"{true[number]:.4g}"}
        facts["predicted"] = f"{values[number]:.4g}"
        if true is not None:
            facts["error"] = f"{values[number] - true[number]:+.4g}"
        title = visible(str(data.names[number])) if data.names else f"{data.noun} {number}"
        cards.append(card_of(data, number, title, facts))
    return Section(f"{name} {data.nouns}", [Paragraph(text), Cards(cards)])


def _score(examined: Examined) -> float:
    assert examined.true is not None  # the caller has asked
    return explained(examined.scores[:, None], examined.true[:, None])


def _root(examined: Examined) -> float:
    return float(np.sqrt(np.mean((examined.scores - examined.true) ** 2)))
