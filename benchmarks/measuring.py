"""Seconds of the process, and the peak of its memory."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Thread
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


def forget_peak() -> int:
    """From now on `peak` counts anew, where the system can do that (Linux); what it would say now."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5", encoding="utf-8")
    return peak()


def processors_used() -> tuple[float, float]:
    """Seconds that all programs and that this process, with its children that have ended, have computed so far.

    Where the system does not tell (it is not Linux) both are what this process has computed.
    """
    own = sum(os.times()[:4])
    stat = Path("/proc/stat")
    if not stat.exists():
        return own, own
    ticks = [int(field) for field in stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), own


def in_fresh_process(f: Callable[..., Result], *arguments: Any, threads: int | None = None) -> Result:
    """f(*arguments) in a process of its own, whose memory nothing else has used: f is a function of a module.

    `threads`: as many for all libraries, and as many processors where the system can say so (Linux).
    """
    kept = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    if threads is not None:
        os.environ.update(dict.fromkeys(kept, str(threads)))
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_confine, initargs=(threads,)) as pool:
            return pool.submit(f, *arguments).result()
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _confine(threads: int | None) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    if threads is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _end_with_parent() -> None:
    """A command that is killed leaves no process behind that computes on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
