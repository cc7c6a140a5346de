"""Locks on files and folders that end with the process that holds them: a dead process holds none.

If the system or the file system has no such locks (Windows, some network drives), locks of others are unknown.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        raise OSError(None, "no locks of folders here")

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Raises BlockingIOError if another process holds it, another OSError if there are no locks."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(descriptor: int) -> bool:
    """Hold the open file until it is closed; False if there are no locks. Raises BlockingIOError if it is held."""
    try:
        _lock(descriptor)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold an existing file or folder; yields False if there are no locks.

    Raises BlockingIOError if another process holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        yield False
        return
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)
