"""The table of the command, and the tables and the picture of the documentation, all from what was recorded."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lines
from lines import Line, growth
from recording import Range, Record
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PAGE, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
SPEED, GROWTH = (ROOT / "docs" / "images" / f"{name}.png" for name in ("speed", "growth"))
SPEED_WORDS = "Bars: how many times as fast as other libraries, line by line, with the range of the runs"
GROWTH_WORDS = "Time above and memory below, against rows of a stream, landmarks and images, on logarithmic axes"
OTHERS = ("plain PyTorch", "scikit-learn", "`LinearSVC`", "GPyTorch", "KeOps", "GraKeL", "tslearn", "aeon")
"""How the names of the other sides begin that the picture of speed has."""
FRONT = ("encode-torch", "step", "cifar10", "ridge-50000-50-1000-float64", "fourier-50-float64")
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


COLUMNS = ("what", "ours", "theirs", "ratio", "target", "holds")


def rows(of: Sequence[Line], records: Records, columns: Sequence[str] = COLUMNS) -> Iterator[str]:
    """A table in Markdown, and a sentence on where it was measured."""
    if not of:
        return
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for line in of:
        found = (f"{line.what} (`{line.name}`)", *cells(line, records.get(line.name)))
        yield f"| {' | '.join(found[: len(columns)])} |"
    places: dict[str, dict[str, str]] = {}
    for record in (records[line.name] for line in of if line.name in records):
        places.setdefault(where(record), {}).update(record.versions)
    for place, versions in places.items():
        yield ""
        yield f"{place}; {', '.join(f'{name} {version}' for name, version in versions.items())}."


def where(record: Record) -> str:
    """The machine and the date of a record."""
    threads = f"{record.threads} thread{'s' * (record.threads > 1)} of {record.cores}"
    others = "" if record.others < BUSY else f" (**others used {record.others:g} of them: not to be trusted**)"
    return f"{record.date}, commit {record.commit}: {record.processor}, {threads}{others}"


def page(text: str, of: Lines, records: Records) -> str:
    """The page with its tables anew, between `<!-- lines: subject -->` and `<!-- end -->`."""
    for subject, found in of.items():
        made = [*rows(found, records), *(points(records) if subject == "growth" else ())]
        text = between(text, f"lines: {subject}", "\n".join(made))
    return text


def points(records: Records) -> Iterator[str]:
    """What the lines of growth measured at each size, and their picture."""
    measured = {kind: _sizes(kind, records) for kind in growth.KINDS}
    if not any(measured.values()):
        return
    yield ""
    yield f"![{GROWTH_WORDS}](images/{GROWTH.name})"
    yield ""
    yield "| what | size | " + " | ".join(f"seconds, {t} thread{'s' * (t > 1)}" for t in growth.THREADS) + " | MB |"
    yield "|---|---|" + "---|" * (len(growth.THREADS) + 1)
    for kind, sizes in measured.items():
        for size, found in sizes.items():
            seconds = " | ".join(number(found[t][0]) if t in found else "" for t in growth.THREADS)
            memory = number(max(megabytes for _, megabytes in found.values()))
            yield f"| {growth.WHAT[kind]} | {size:,} {kind} | {seconds} | {memory} |"


def _sizes(kind: str, records: Records) -> dict[int, dict[int, tuple[float, float]]]:
    """Seconds and MB by size and threads."""
    found: dict[int, dict[int, tuple[float, float]]] = {}
    for threads in growth.THREADS:
        record = records.get(f"growth-{kind}-{threads}")
        for size, seconds, megabytes in record.points if record else ():
            found.setdefault(size, {})[threads] = seconds, megabytes
    return dict(sorted(found.items()))


def front(text: str, of: Lines, records: Records) -> str:
    """README with its picture and its table anew."""
    named = {line.name: line for found in of.values() for line in found}
    made = [*rows([named[name] for name in FRONT], records, COLUMNS[:4])]
    if speeds(of, records):
        made = [f"![{SPEED_WORDS}](docs/images/{SPEED.name})", "", *made]
    return between(text, "lines: front", "\n".join(made))


def speeds(of: Lines, records: Records) -> dict[str, Range]:
    """How many times as fast as other libraries, of the quick lines that say so."""
    found = {}
    for line in (line for subject in of.values() for line in subject):
        record, unit = records.get(line.name), line.measure.unit
        timed = line.against.startswith(OTHERS) and (unit == "s" or unit.endswith("/s"))
        if record and record.ratio and timed and (line.quick or line.name in FRONT):
            middle, low, high = record.ratio
            fast = (1 / middle, 1 / high, 1 / low) if unit == "s" else (middle, low, high)
            found[f"{line.name}, {line.against.strip('`')}"] = fast
    return found


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
    return [PAGE, README, *draw_speed(speeds(of, records)), *draw_growth(records)]


def draw_speed(found: Mapping[str, Range]) -> list[Path]:
    """A bar for each line: times as fast as the other side."""
    if not found:
        return []
    figure, axes = _figure(1, 1, (7, 1 + 0.32 * len(found)))
    names, (middle, low, high) = list(found)[::-1], zip(*list(found.values())[::-1], strict=True)
    colours = ["C0" if value >= 1 else "C3" for value in middle]
    axes.barh(names, [value - 1 for value in middle], left=1, color=colours, height=0.6)
    axes.hlines(names, low, high, color="black", linewidth=1)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(ticks := [t for t in (0.25, 0.5, 1, 2, 4, 8, 16, 32) if min(low) / 2 <= t <= 2 * max(high)])
    axes.set_xticklabels(map("{:g}".format, ticks))
    axes.minorticks_off()
    axes.set_xlabel("times as fast as the other side")
    axes.spines[["top", "right"]].set_visible(False)
    return _saved(figure, SPEED)


def draw_growth(records: Records) -> list[Path]:
    """Time and memory against each size."""
    measured = {kind: sizes for kind in growth.KINDS if (sizes := _sizes(kind, records))}
    if not measured:
        return []
    figure, axes = _figure(2, len(measured), (3 * len(measured), 4.6))
    for column, (kind, sizes) in zip(axes.T.reshape(len(measured), 2), measured.items(), strict=True):
        for threads in growth.THREADS:
            there = {size: found[threads] for size, found in sizes.items() if threads in found}
            if not there:
                continue
            record = records.get(f"growth-{kind}-{threads}")
            slope = f", slope {record.ours[0]:.2f}" if record else ""
            label = f"{threads} thread{'s' * (threads > 1)}{slope}"
            for axis, values in zip(column, zip(*there.values(), strict=True), strict=True):
                axis.loglog(list(there), values, marker="o", markersize=4, label=label)
        column[0].legend(fontsize=7, frameon=False)
        column[0].set_title(kind, fontsize=10)
        column[1].set_ylim(1, 10 * max(megabytes for found in sizes.values() for _, megabytes in found.values()))
        for axis in column:
            axis.grid(alpha=0.3)
            axis.tick_params(labelsize=8)
    axes[0][0].set_ylabel("seconds")
    axes[1][0].set_ylabel("MB beyond the data")
    return _saved(figure, GROWTH)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> Any:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=rows * columns == 1)


def _saved(figure: Any, path: Path) -> list[Path]:
    figure.savefig(path, dpi=100, metadata={"Software": None})
    return [path]
