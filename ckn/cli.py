"""The command `ckn`: what it needs is imported here, so that a missing package is one line and no traceback."""

import signal
import sys
from io import TextIOWrapper
from typing import NoReturn


def main() -> None:
    """Run the command line."""
    try:
        from ckn.commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"ckn: {error.name} is not installed; install it with: pip install 'kerneltools[cli]'")
    except KeyboardInterrupt:
        sys.exit(130)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), _end)
    for stream in (sys.stdout, sys.stderr):
        # A λ or a class name that the terminal's encoding lacks is no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="ckn")


def _end(number: int, frame: object) -> NoReturn:
    """End as after Ctrl-C: what was half made is removed on the way out."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
