"""Accuracy, time and memory of unsupervised training on CIFAR-10, by the command that users type.

    python benchmarks/cifar10.py cifar10_sub.npz --seeds 3

The file holds `X_train` (n, 32, 32, 3), `y_train`, `X_test`, `y_test`. For each seed: one process
`ckn train FILE --architecture unsup-64-256 --whiten --seed SEED`, whose wall time and peak memory are read from
the operating system. λ is chosen by leave-one-out on the training rows; the test rows are used once.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(data: Path, architecture: str, seed: int, out: Path) -> dict[str, float]:
    """Train once; accuracy, seconds and the peak memory of the process in MB."""
    command = [sys.executable, "-m", "ckn.cli", "train", str(data), "--architecture", architecture]
    started = time.perf_counter()
    subprocess.run([*command, "--whiten", "--seed", str(seed), "--out", str(out)], check=True)
    seconds = time.perf_counter() - started
    accuracy = json.loads((out / "metrics.json").read_text())["test_accuracy"]
    # The greatest of all children so far: right for the first, an upper bound for the next.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"accuracy": accuracy, "seconds": seconds, "peak_mb": peak}


def main() -> None:
    """Read the arguments, train once for each seed, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--architecture", default="unsup-64-256")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [run(args.data, args.architecture, seed, Path(folder) / str(seed)) for seed in range(args.seeds)]
    print(f"\n{args.data.name}, {args.architecture}, whitened; seed: test accuracy, seconds, peak MB")
    for seed, row in enumerate(rows):
        print(f"{seed}: {row['accuracy']:.4f}  {row['seconds']:6.1f}  {row['peak_mb']:6.0f}")
    print(f"mean test accuracy of {len(rows)} seeds: {statistics.mean(row['accuracy'] for row in rows):.4f}")


if __name__ == "__main__":
    main()
