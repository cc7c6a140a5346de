"""Seconds of the process, and the peak of its memory."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


def timed(f: Callable[..., Result], *arguments: Any) -> tuple[Result, float, float]:
    """The result, and the seconds it took on the wall clock and of the process (all its threads)."""
    wall, cpu = perf_counter(), process_time()
    found = f(*arguments)
    return found, perf_counter() - wall, process_time() - cpu


def limit_threads(threads: int) -> str:
    """Let linear algebra take so many threads from now on; what to say about it in a table's head."""
    threadpool_limits(threads)
    return f"{threads} thread{'s' if threads > 1 else ''} of {os.cpu_count()} processors"


def peak() -> int:
    """The greatest number of bytes that this process has had so far.

    On Linux without its parent's, which getrusage counts for a process that was started from a large one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_fresh_process(f: Callable[..., Result], *arguments: Any) -> Result:
    """f(*arguments) in a process of its own, whose memory nothing else has used: f is a function of a module."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(f, arguments)
