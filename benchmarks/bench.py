"""Time, memory and accuracy beside other people's code and the floor of the machine: one table, from one command.

    python benchmarks/bench.py                         all lines (half an hour and more, on a machine at rest)
    python benchmarks/bench.py --quick                 those of seconds; the others as recorded
    python benchmarks/bench.py --only encode floor     some subjects or lines
    python benchmarks/bench.py --write-docs            no measurement: tables and pictures from what is recorded

The lines are in `benchmarks/lines/`, with their targets. Each pair has a process of its own, in which its two sides
take turns, A B A B ...; median and range are told. A line that lacks a package or a file says which. Each line that is
done goes to `benchmarks/results.json` at once; one that fails is told, its last record stays, and the exit code is 1.
A target that does not hold is no error.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lines
import recording
from lines import Line, Run
from measuring import forget_peak, in_fresh_process, peak, processors_used
from rich.console import Console

SIDES = ("ours", "theirs")


@dataclass
class Found:
    """By line, then by side, one number for each run; how many processors other programs used meanwhile; and the
    `points` of a dict that ours returned, where it has them."""

    values: dict[str, dict[str, list[float]]]
    others: float = 0.0
    points: Any = None


def once(call: Callable[[], Any], before: int) -> Run:
    """Call it; the process had `before` bytes when its sides were prepared."""
    forget_peak()
    start = perf_counter()
    result = call()
    seconds = perf_counter() - start
    return Run(seconds, result, (peak() - before) / 2**20)


def measured(group: Sequence[Line], sides: Sequence[str]) -> Found:
    """Lines with the same functions, in this process: the sides take turns."""
    first = group[0]
    calls = {side: getattr(first, side)() for side in sides}
    before = forget_peak()
    for _ in range(first.warm_up):
        for call in calls.values():
            call()
    values: dict[str, dict[str, list[float]]] = {line.name: {side: [] for side in sides} for line in group}
    points = None
    start, (all_before, own_before) = perf_counter(), processors_used()
    for _ in range(first.runs):
        for side, call in calls.items():
            run = once(call, before)
            for line in group:
                values[line.name][side].append(line.measure(run))
            if side == SIDES[0] and isinstance(run.result, dict):
                points = run.result.get("points")
            del run
    all_after, own_after = processors_used()
    others = max(0.0, all_after - all_before - (own_after - own_before)) / (perf_counter() - start)
    return Found(values, others, points)


def in_processes(group: Sequence[Line], threads: int) -> Found:
    """The same in a process of its own, or in two where the measure says so."""
    sides = SIDES if group[0].theirs else SIDES[:1]
    parts = [[side] for side in sides] if group[0].measure.alone else [list(sides)]
    found = Found({line.name: {} for line in group})
    for part in parts:
        side = in_fresh_process(measured, group, part, threads=threads)
        found.others, found.points = max(found.others, side.others), found.points or side.points
        for name, values in side.values.items():
            found.values[name] |= values
    return found


def groups(of: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that share their runs."""
    shared: dict[Any, list[Line]] = {}
    for line in of:
        alone = line.measure.alone and line.theirs is not None
        key = (line.ours, line.theirs, line.threads, line.runs, line.warm_up, alone)
        shared.setdefault(key, []).append(line)
    yield from shared.values()


def asked_for(of: Mapping[str, tuple[Line, ...]], only: Sequence[str]) -> dict[str, tuple[Line, ...]]:
    """The subjects and lines of these names, or all."""
    names = {line.name for found in of.values() for line in found}
    unknown = [name for name in only if name not in names | of.keys()]
    if unknown:
        raise SystemExit(
            f"--only: no line or subject {', '.join(unknown)}; there are the subjects {', '.join(of)}, "
            f"and the lines {', '.join(sorted(names))}"
        )
    return {
        subject: tuple(line for line in found if not only or subject in only or line.name in only)
        for subject, found in of.items()
    }


def run(
    of: Sequence[Line],
    threads: int,
    results: Path,
    say: Callable[[str], Any],
    measure: Callable[[Sequence[Line], int], Found] = in_processes,
) -> tuple[set[str], dict[str, str], list[str]]:
    """Measure, and keep each line that is done: what was measured, why others were not, which failed."""
    fresh: set[str] = set()
    reasons: dict[str, str] = {}
    failed: list[str] = []
    for group in groups(of):
        names = [line.name for line in group]
        lacking = next(filter(None, (line.lacking() for line in group)), None)
        if lacking:
            reasons |= dict.fromkeys(names, lacking)
            continue
        start = perf_counter()
        used = group[0].threads or threads
        try:
            found = measure(group, used)
        except Exception:
            say(f"{', '.join(names)} failed:\n{traceback.format_exc()}")
            failed += names
            continue
        for line in group:
            sides = found.values[line.name]
            record = recording.record(line, sides["ours"], sides.get("theirs", ()), used, found.others)
            recording.keep(results, line.name, replace(record, points=found.points))
            fresh.add(line.name)
        say(f"{', '.join(names)}: {perf_counter() - start:.0f} s")
    return fresh, reasons, failed


def arguments() -> argparse.Namespace:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the lines of seconds; the others as recorded")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="subjects or lines")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="[default: all processors]")
    parser.add_argument("--results", type=Path, default=recording.RESULTS, help="[default: benchmarks/results.json]")
    parser.add_argument("--write-docs", action="store_true", help="tables and pictures from what is recorded")
    asked = parser.parse_args()
    if asked.threads < 1:
        parser.error(f"--threads: expected an integer >= 1, got {asked.threads}")
    return asked


def main() -> int:
    """The exit code."""
    import report

    asked, console = arguments(), Console(width=None if sys.stdout.isatty() else 160)
    of = asked_for(lines.subjects(), asked.only)
    if asked.write_docs:
        if asked.results != recording.RESULTS and not asked.results.exists():
            raise SystemExit(f"--results: {asked.results} does not exist, and the tables would be empty")
        console.print(*report.write_docs(recording.read(asked.results)), sep="\n", highlight=False)
        return 0
    chosen = [line for found in of.values() for line in found if line.quick or not asked.quick]
    recording.require_place(asked.results)
    say = Console(stderr=True, highlight=False, markup=False).print
    try:
        fresh, reasons, failed = run(chosen, asked.threads, asked.results, say)
    except KeyboardInterrupt:
        say(f"interrupted: the lines that are done are in {asked.results}, the others as they were")
        return 130
    report.show(of, recording.read(asked.results), fresh, reasons, console)
    for name in failed:
        console.print(f"failed: {name}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
