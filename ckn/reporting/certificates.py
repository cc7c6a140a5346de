"""What the kernel maps of a network miss of the patches or parts that they see."""

from typing import Any

import numpy as np

from ckn.reporting.examined import Examined
from ckn.reporting.trainings import Training, missed_in_training
from kerneltools.reporting import Chart, Paragraph, Section, Series, Table


def certificate_of(training: Training | None, examined: Examined | None, nouns: str) -> list[Section]:
    """What each layer misses: of the examples, or as the training has noted it; nothing where neither is known."""
    parts = "patches" if nouns == "images" else "parts"
    text = (
        f"Each layer replaces its kernel by a map ψ onto its filters. Of each of its {parts} p the map misses the "
        "share (k(p, p) − |ψ(p)|²) / k(p, p): 0 % is exact, and at 100 % nothing of p is seen."
    )
    found = _missed(examined, parts) if examined is not None else missed_in_training(training)
    return [Section("Certificate", [Paragraph(text), *found])] if found else []


def _missed(examined: Examined, parts: str) -> list[Any]:
    """A table, and a curve for each layer that has seen some."""
    held = [(number, miss) for number, miss in enumerate(examined.misses, start=1) if miss.size]
    if not held:
        return []
    rows = [
        (
            f"layer {number}",
            f"{miss.mean():.2%}",
            *(f"{q:.2%}" for q in np.quantile(miss, (0.5, 0.9))),
            f"{miss.size:,}",
        )
        for number, miss in held
    ]
    table = Table("What each layer misses", ("layer", "mean", "median", "90 % miss at most", parts), rows, (1, 2, 3, 4))
    places = np.linspace(0.0, 1.0, 51)
    series = [
        Series(f"layer {number}", (100 * places).tolist(), [float((miss <= at).mean()) for at in places])
        for number, miss in held
    ]
    title = f"How many {parts} are missed by at most so much"
    alt = f"For each layer, the share of {parts} of which it misses at most so much, from 0 to 100 percent"
    return [table, Chart(title, alt, series, "missed, %", f"share of {parts}", percent=True)]
