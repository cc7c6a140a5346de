"""The command `ckn`. It imports what it needs here, so that a missing package gives one line and no traceback."""

import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

from ckn.interrupts import CODE, ending_at_once


def main() -> None:
    """Run the command line."""
    try:
        with ending_at_once():
            from ckn.commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"ckn: {error.name} is not installed; install it with: pip install 'kerneltools[cli]'")
    except MemoryError as error:
        sys.exit(f"ckn: not enough memory to begin ({error or 'MemoryError'})")
    except KeyboardInterrupt:
        sys.exit(CODE)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), _end)
    for stream in (sys.stdout, sys.stderr):
        # A λ or a class name that the terminal's encoding lacks is no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="ckn")
    finally:
        _flush()


def _end(number: int, frame: object) -> NoReturn:
    """End as after Ctrl-C: unfinished files are removed on the way out."""
    sys.exit(128 + number)


def _flush() -> None:
    """Write what is left, without a message from the interpreter if nobody reads it (`ckn predict ... | head`)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
