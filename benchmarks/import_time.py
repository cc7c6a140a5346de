"""What `import kerneltools` and `import ckn` cost, beside the libraries they stand on.

Prints the median of 10 fresh interpreters in milliseconds, less the start of a bare interpreter.
"""

import subprocess
import sys
from statistics import median
from time import perf_counter

RUNS = 10
STATEMENTS = ("import numpy", "import array_api_compat", "import kerneltools", "import ckn")


def milliseconds(statement: str) -> float:
    """The median time of a fresh interpreter that runs the statement."""
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(1e3 * (perf_counter() - start))
    return median(times)


def main() -> None:
    """Print the table."""
    bare = milliseconds("pass")
    print(f"{'statement':<26}{'ms':>7}   (median of {RUNS}; a bare interpreter takes {bare:.0f} ms)")
    for statement in STATEMENTS:
        print(f"{statement:<26}{milliseconds(statement) - bare:>7.0f}")


if __name__ == "__main__":
    main()
