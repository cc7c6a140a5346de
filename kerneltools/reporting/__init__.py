"""Reports: pages of HTML in one file each, which open without a network. Needs the extra `report`."""

from kerneltools.reporting.charts import Chart, Series
from kerneltools.reporting.intervals import Interval, wilson
from kerneltools.reporting.page import (
    Card,
    Cards,
    Facts,
    Figure,
    Matrix,
    Paragraph,
    Picture,
    Report,
    Section,
    Sketch,
    Table,
)

__all__ = [
    "Card",
    "Cards",
    "Chart",
    "Facts",
    "Figure",
    "Interval",
    "Matrix",
    "Paragraph",
    "Picture",
    "Report",
    "Section",
    "Series",
    "Sketch",
    "Table",
    "wilson",
]
