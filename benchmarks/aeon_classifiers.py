"""What aeon's MiniRocket and Hydra make of one data set: called by `structured.py --aeon PYTHON`, in that Python.

    python -m venv AEON && AEON/bin/pip install "aeon==1.6.*" torch

Prints a list of [name, accuracies of three seeds, least seconds of a fit and a prediction] as JSON: the first fit of a
process also compiles.
"""

import json
import sys
import warnings
from time import perf_counter

import numpy as np

warnings.simplefilter("ignore")

from aeon.classification.convolution_based import HydraClassifier, MiniRocketClassifier  # noqa: E402

with np.load(sys.argv[1]) as file:
    x, new = (file[f"X_{part}"].astype(np.float64)[:, None, :] for part in ("train", "test"))
    y, y_new = file["y_train"], file["y_test"]
found = []
for name, kind in (("MiniRocket", MiniRocketClassifier), ("Hydra", HydraClassifier)):
    accuracies, seconds = [], []
    for seed in range(3):
        started = perf_counter()
        accuracies.append(float(kind(random_state=seed).fit(x, y).score(new, y_new)))
        seconds.append(perf_counter() - started)
    found.append((name, accuracies, min(seconds)))
print(json.dumps(found))
