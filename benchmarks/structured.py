"""Strings, graphs and series: what is reached in what time on the data sets of the field, beside what others reach.

    KERNELTOOLS_DATA=FOLDER python benchmarks/structured.py [--only graphs] [--threads 2] [--aeon PYTHON]

One table, row by row as they are done; a row whose file is not in the folder says so. Seconds are those of the wall
clock; what they are of, and how accuracies are measured, is said in each row. The rows of each kind are in a file of
their own: `structured_strings.py`, `structured_graphs.py`, `structured_series.py`; those of convolutional kernel
networks on all three in `structured_networks.py`. `--aeon`: a Python that has aeon, whose classifiers are then run on
the same series (see `aeon_classifiers.py`).
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import structured_graphs
import structured_networks
import structured_series
import structured_strings
from measuring import limit_threads
from structured_rows import HEAD, text

KINDS = {
    "strings": structured_strings.ROWS,
    "graphs": structured_graphs.ROWS,
    "series": structured_series.ROWS,
    "networks": structured_networks.ROWS,
}


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("KERNELTOOLS_DATA"), help="instead of the variable")
    parser.add_argument("--only", choices=sorted(KINDS), help="one kind of data")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--aeon", metavar="PYTHON", help="run aeon's classifiers of series in this Python")
    asked = parser.parse_args()
    if asked.aeon:
        os.environ[structured_networks.AEON] = asked.aeon
    if asked.data is None:
        parser.error("where are the data? Set KERNELTOOLS_DATA to their folder, or give --data")
    print(f"{limit_threads(asked.threads)}\n\n{HEAD}")
    for kind in [asked.only] if asked.only else KINDS:
        for row in KINDS[kind]:
            print(text(row, Path(asked.data)), flush=True)


if __name__ == "__main__":
    main()
