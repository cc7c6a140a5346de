"""How Ctrl-C ends the program while there is nothing to clean up."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

CODE = 130
"""The exit code of a program that Ctrl-C ended, by the shells' convention."""


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once and silently: for imports, where an exception may surface anywhere.

    Nothing changes if Ctrl-C is ignored or handled by other code, or outside the main thread.
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
