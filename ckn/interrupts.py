"""What Ctrl-C does while there is nothing to clean up."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

CODE = 130
"""The exit code of a program that Ctrl-C ended, as shells have it."""


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Ctrl-C ends the process at once and without a word: for imports, in which an exception may surface anywhere.

    Where Ctrl-C is ignored or is somebody else's, and outside the main thread, nothing changes.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(CODE))
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
