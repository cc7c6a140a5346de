"""Blocks on several threads, each with products of one thread: NumPy's elementwise arithmetic takes one alone."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from itertools import islice
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

R = TypeVar("R")
T = TypeVar("T")

WAVE = 8
"""Blocks for each thread between two times that all wait for the last."""

_BUSY = Lock()
"""Held by the one caller whose blocks are on several threads. Nobody waits for it: a process forked meanwhile would for
ever."""


def map_blocks(f: Callable[[T], R], blocks: Iterable[T]) -> Iterator[R]:
    """On as many threads as BLAS has, whose products take one each meanwhile.

    In waves of some blocks: between them, where the caller goes on, there is no thread, and BLAS has all of its own.
    A single block is worked on where the call is, and so are those of calls from inside of a block, or beside another.
    """
    supply = iter(blocks)
    first = list(islice(supply, 2))
    threads = min(_processors(), _threads_of_blas()) if len(first) == 2 else 1
    if threads == 1 or _BUSY.locked():
        yield from map(f, first)
        yield from map(f, supply)
        return
    wave = [*first, *islice(supply, WAVE * threads - 2)]
    while wave:
        yield from _together(f, wave, threads)
        wave = list(islice(supply, WAVE * threads))


def _together(f: Callable[[T], R], wave: list[T], threads: int) -> list[R]:
    """f of each. Where some fail, the error of the first of them, and no other is begun."""
    with _single_thread_of_blas() as single:
        if not single:
            return [f(block) for block in wave]
        with ThreadPoolExecutor(min(threads, len(wave)), "kerneltools", _limit_here) as pool:
            # In the caller's context, which has NumPy's errstate; each can be entered once at a time.
            futures = [pool.submit(copy_context().run, f, block) for block in wave]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def _single_thread_of_blas() -> Iterator[bool]:
    """Whether products take one thread now; not where another caller has his blocks on threads, or the limits."""
    if not _BUSY.acquire(blocking=False):
        yield False
        return
    try:
        with _blas().limit(limits=1):
            yield _threads_of_blas() == 1
    finally:
        _BUSY.release()


def _limit_here() -> None:
    """In a thread that has begun: where OpenMP is below BLAS, each has a number of its own."""
    _blas().limit(limits=1)


@cache
def _blas() -> ThreadpoolController:
    # Looking for the libraries of the process takes milliseconds.
    return ThreadpoolController().select(user_api="blas")


def _threads_of_blas() -> int:
    """1 too where it is none that threadpoolctl knows."""
    return max(1, min((library["num_threads"] for library in _blas().info()), default=1))


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
