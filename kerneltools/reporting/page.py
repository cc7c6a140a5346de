"""Pages and their elements: text, tables, charts and pictures, in one file that loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from kerneltools.files import replacing
from kerneltools.reporting.charts import Chart, shortly


@dataclass(frozen=True)
class Paragraph:
    """Plain text.

    >>> from kerneltools.reporting import Paragraph
    >>> Paragraph("1 < 2").text
    '1 < 2'
    """

    kind: ClassVar[str] = "paragraph"

    text: str


@dataclass(frozen=True)
class Figure:
    """An important number, its name, and a line below it.

    >>> from kerneltools.reporting import Figure
    >>> Figure("Accuracy", "98.2 %", "of 500 images").value
    '98.2 %'
    """

    name: str
    value: str
    below: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values.

    >>> from kerneltools.reporting import Facts
    >>> list(Facts({"seed": "0"}).values)
    ['seed']
    """

    kind: ClassVar[str] = "facts"

    values: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings; the first cell of a row is its name. `right`: columns of numbers, from 0.

    >>> from kerneltools.reporting import Table
    >>> Table("Prices", ("what", "EUR"), [("tea", "3.20")], right=(1,)).columns
    ('what', 'EUR')
    """

    kind: ClassVar[str] = "table"

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()


@dataclass(frozen=True)
class Matrix:
    """Counts by the true value (rows) and the predicted one (columns), with their shares of the rows as colours.

    >>> from kerneltools.reporting import Matrix
    >>> Matrix("Confusion", ("cat", "dog"), ((8, 2), (0, 5))).rows[1]
    ('dog', ((0, 0, False), (5, 100, True)))
    """

    kind: ClassVar[str] = "matrix"

    caption: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]

    @cached_property
    def rows(self) -> tuple[tuple[str, tuple[tuple[int, int, bool], ...]], ...]:
        """Each row's name, and its cells: the count, the strength of its colour (0..100), and whether it is right."""
        found = []
        for i, (name, row) in enumerate(zip(self.names, self.counts, strict=True)):
            whole = max(1, sum(row))
            # Mistakes are few: the root makes one in a hundred visible.
            cells = tuple((int(count), round(100 * (count / whole) ** 0.5), i == j) for j, count in enumerate(row))
            found.append((name, cells))
        return tuple(found)


@dataclass(frozen=True)
class Picture:
    """An image in the page; `data`: a URL of its bytes; `alt`: the content in words; `pixels`: show them sharp.

    Raises ValueError for other URLs and an empty `alt`.

    >>> from kerneltools.reporting import Picture
    >>> Picture("data:image/png;base64,iVBORw0KGgo=", "A cat").alt
    'A cat'
    """

    kind: ClassVar[str] = "picture"

    data: str
    alt: str
    caption: str = ""
    pixels: bool = False

    def __post_init__(self) -> None:
        if not self.data.startswith("data:image/png;base64,") or not self.alt:
            raise ValueError(f"data, alt: expected a data: URL of a PNG and words, got {self.data!r:.40}, {self.alt!r}")


@dataclass(frozen=True)
class Sketch:
    """Lines and dots, 100 wide and `height` high, in the page's colours: curves of a series, a graph.

    `lines`: the number of a colour, -1 for grey, and points (x, y) from the top left; `dots`: colour, x and y.

    >>> from kerneltools.reporting import Sketch
    >>> Sketch("A line that falls", [(0, [(0, 0), (100, 100)])]).paths
    ((0, '0.0,0.0 100.0,100.0'),)
    """

    kind: ClassVar[str] = "sketch"

    alt: str
    lines: Sequence[tuple[int, Sequence[tuple[float, float]]]] = ()
    dots: Sequence[tuple[int, float, float]] = ()
    height: int = 100

    @cached_property
    def paths(self) -> tuple[tuple[int, str], ...]:
        """The number of a line's colour and its points."""
        return tuple((colour, " ".join(f"{x:.1f},{y:.1f}" for x, y in line)) for colour, line in self.lines)


@dataclass(frozen=True)
class Card:
    """One example: its title, text, and picture.

    >>> from kerneltools.reporting import Card
    >>> Card("image 7", {"true": "cat"}).facts
    {'true': 'cat'}
    """

    title: str
    facts: Mapping[str, str]
    look: Picture | Sketch | None = None
    text: str = ""


@dataclass(frozen=True)
class Cards:
    """Several examples.

    >>> from kerneltools.reporting import Card, Cards
    >>> len(Cards([Card("image 7", {})]).cards)
    1
    """

    kind: ClassVar[str] = "cards"

    cards: Sequence[Card]


Block = Paragraph | Facts | Table | Matrix | Picture | Chart | Cards


@dataclass(frozen=True)
class Section:
    """A heading and what is below it.

    >>> from kerneltools.reporting import Paragraph, Section
    >>> Section("Data", [Paragraph("500 images")]).title
    'Data'
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A page that opens without a network: `save` writes it, and a notebook shows it.

    `figures`: the numbers above the sections.

    >>> from kerneltools.reporting import Paragraph, Report, Section
    >>> page = Report("Digits", "of June", [Section("Data", [Paragraph("1 < 2")])])
    >>> "<p>1 &lt; 2</p>" in page.html
    True
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    figures: Sequence[Figure] = ()
    made: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    @cached_property
    def html(self) -> str:
        """The page. Raises ImportError if Jinja is not installed."""
        try:
            from jinja2 import Environment, PackageLoader, StrictUndefined
        except ImportError as error:
            raise ImportError(
                "jinja2, which makes the page, is not installed; install it with: pip install 'kerneltools[report]'"
            ) from error
        made = Environment(
            loader=PackageLoader("kerneltools", "reporting"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return made.get_template("page.html.jinja").render(page=self, shortly=shortly)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page to a file, complete or not at all, replacing an earlier one -> its path.

        Raises OSError if it cannot be written.
        """
        place = Path(path)
        if place.is_dir():
            raise IsADirectoryError(f"path: expected the name of a file, such as report.html, got the folder {place}")
        with replacing(place) as temporary:
            temporary.write_text(self.html, encoding="utf-8", errors="backslashreplace")
        return place

    def _repr_html_(self) -> str:
        """A frame, so that the page and the notebook keep their styles apart."""
        return (
            f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" srcdoc="{escape(self.html)}" '
            'style="width:100%;height:40rem;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        titles: Any = tuple(section.title for section in self.sections)
        return f"Report({self.title!r}, sections={titles!r})"
