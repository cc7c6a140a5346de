"""How much memory is free, before work begins that needs much of it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from kerneltools.arrays import Array, on_host

GROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""The files with the memory that a group of processes (a container) may use, and uses, in both versions of Linux."""


def free_memory() -> int | None:
    """Bytes that this process can still get without swapping; None if the system does not tell.

    On Linux it is the least of what the system has available and what the container and `ulimit -v` leave; elsewhere it
    is all the memory of the machine.

    >>> found = free_memory()
    >>> found is None or found > 0
    True
    """
    known = [*_of_linux(), *_of_limit()] if sys.platform == "linux" else list(_of_machine())
    return max(0, min(known)) if known else None


LITTLE = 2**28
"""Bytes that are always available: less is not checked."""


def require_memory(message: str, needed: float, like: Array | None, instead: Callable[[int], str]) -> None:
    """Raise MemoryError if so many bytes are not free: "`message` 16.8 GB, and 9.9 GB are free; `instead`(free)".

    If `like` is on an accelerator, it does nothing: its library tells at once if there is no room. None is the host.
    """
    if needed < LITTLE or not (like is None or on_host(like)):
        return
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryError(f"{message} {size(needed)}, and {size(free)} are free; {instead(free)}")


def size(count: float) -> str:
    """So many bytes, in the unit that suits.

    >>> size(1e3), size(3.2e8), size(1.68e10), size(2.448e14)
    ('1 kB', '320 MB', '16.8 GB', '244.8 TB')
    """
    for unit, name, digits in ((1e12, "TB", 1), (1e9, "GB", 1), (1e6, "MB", 0)):
        if count >= unit:
            return f"{count / unit:.{digits}f} {name}"
    return f"{count / 1e3:.0f} kB"


def _of_linux() -> Iterator[int]:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])
    yield from _of_groups(Path("/sys/fs/cgroup"))


def _of_groups(root: Path) -> Iterator[int]:
    for limit, usage in GROUPS:
        most, used = _text(root / limit).strip(), _text(root / usage).strip()
        if most.isdigit() and used.isdigit():
            # Pages of files count as used, and make room when they are wanted.
            yield int(most) - int(used) + _files(root / limit)


def _files(limit: Path) -> int:
    lines = _text(limit.with_name("memory.stat")).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)


def _of_limit() -> Iterator[int]:
    import resource  # which is not everywhere

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(Path("/proc/self/statm")).split()
    if most != resource.RLIM_INFINITY and pages:
        yield most - int(pages[0]) * resource.getpagesize()


def _of_machine() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return ""
