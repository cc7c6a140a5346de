"""The table of the command, and the tables and the picture of the documentation, all from what was recorded."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import lines
from lines import Line
from recording import Range, Record
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PAGE, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
PICTURES = ROOT / "docs" / "images"
FRONT = ("encode-torch", "nystroem", "fourier", "step", "all-64-256-seconds")
"""The lines of README's table."""

BUSY = 0.1
"""Processors that others use: beyond that, times say little."""

Lines = Mapping[str, tuple[Line, ...]]
Records = Mapping[str, Record]


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def told(found: Range | None, unit: str = "") -> str:
    """A median, and the range it is from where that is one."""
    if found is None:
        return ""
    middle, low, high = map(number, found)
    return f"{middle}{unit and ' ' + unit}" + ("" if low == high else f" ({low} to {high})")


def target(line: Line) -> str:
    """`at most 0.7`, or `at most 75 s`."""
    if line.target is None:
        return ""
    unit = f" {line.measure.unit}" if line.target.absolute and line.measure.unit else ""
    return f"{line.target.word} {line.target.bound:g}{unit}"


def verdict(line: Line, record: Record | None) -> str:
    """yes, no, not run; nothing where there is no target."""
    if record is None:
        return "not run"
    return {True: "yes", False: "no", None: ""}[record.judged(line)[1]]


def cells(line: Line, record: Record | None) -> tuple[str, ...]:
    """Ours, theirs, ratio, target, whether it holds."""
    against = f"{line.against}" if line.theirs else ""
    if record is None:
        return "", against, "", target(line), "not run"
    theirs = f"{against}: {told(record.theirs, record.unit)}" if record.theirs else against
    return told(record.ours, record.unit), theirs, told(record.ratio), target(line), verdict(line, record)


def show(of: Lines, records: Records, fresh: set[str], reasons: Mapping[str, str], console: Console) -> None:
    """The table, with what was measured now told apart from what is recorded, and why lines did not run."""
    table = Table(title="kerneltools: speed and accuracy", title_justify="left")
    for column in ("line", "ours", "theirs", "ratio", "target", "holds", "measured"):
        table.add_column(column, overflow="fold")
    for subject in of.values():
        for line in subject:
            record = records.get(line.name)
            when = "now" if line.name in fresh else f"recorded {record.date}, {record.commit}" if record else ""
            table.add_row(line.name, *cells(line, record), when)
        table.add_section()
    console.print(table)
    used = max((records[name].others for name in fresh), default=0)
    if used >= BUSY:
        console.print(f"other programs used up to {used:g} processors meanwhile: times are not to be trusted")
    for name, reason in reasons.items():
        console.print(f"not run: {name}: {reason}", highlight=False, markup=False)


def rows(of: Sequence[Line], records: Records) -> Iterator[str]:
    """A table in Markdown, and a sentence on where it was measured."""
    if not of:
        return
    yield "| what | ours | theirs | ratio | target | holds |"
    yield "|---|---|---|---|---|---|"
    for line in of:
        yield "| " + " | ".join((f"{line.what} (`{line.name}`)", *cells(line, records.get(line.name)))) + " |"
    there = [records[line.name] for line in of if line.name in records]
    for place in dict.fromkeys(map(where, there)):
        yield ""
        yield place


def where(record: Record) -> str:
    """The machine and the date of a record."""
    packages = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    threads = f"{record.threads} thread{'s' * (record.threads > 1)} of {record.cores}"
    others = "" if record.others < BUSY else f" (**others used {record.others:g} of them: not to be trusted**)"
    return f"{record.date}, commit {record.commit}: {record.processor}, {threads}{others}; {packages}."


def page(text: str, of: Lines, records: Records) -> str:
    """The page with its tables anew, between `<!-- lines: subject -->` and `<!-- end -->`."""
    for subject, found in of.items():
        text = between(text, f"lines: {subject}", "\n".join(rows(found, records)))
    return text


def front(text: str, of: Lines, records: Records) -> str:
    """README with its table anew."""
    named = {line.name: line for found in of.values() for line in found}
    return between(text, "lines: front", "\n".join(rows([named[n] for n in FRONT if n in named], records)))


def between(text: str, mark: str, inside: str) -> str:
    """The text with something else between a mark and the next end; a mark must be there once."""
    pattern = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
    found, count = pattern.subn(lambda m: f"{m[1]}\n{inside}\n\n{m[2]}", text)
    if count != 1:
        raise ValueError(f"expected <!-- {mark} --> ... <!-- end --> once, got it {count} times")
    return found


def write_docs(records: Records) -> list[Path]:
    """Tables and pictures; the files that were written."""
    of = lines.subjects()
    for path, made in ((PAGE, page), (README, front)):
        path.write_text(made(path.read_text(encoding="utf-8"), of, records), encoding="utf-8")
    return [PAGE, README]
