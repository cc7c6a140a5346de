"""Networks on strings, graphs and series, each beside what a user would take instead.

Each row says what its filters are learnt from: never labels, unless it says supervised. A row of several seeds gives
their mean and range, and the seconds of one. Features are standardised on the training data. Where nothing else is
said, the head is ridge regression with λ by leave-one-out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import structured_graphs
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from structured_rows import Row

from ckn import (
    Architecture,
    GappedSpec,
    Joined,
    LayerSpec,
    PartSpec,
    SeriesClassifier,
    Supervised,
    Transport,
    fit_supervised,
    fit_unsupervised,
)
from ckn.head import fit_head
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import ReducedWarning
from kerneltools.patches import Averaged, FirstNorm, PartKernel, PartMax, PartMean, PartSum, Paths, Windows
from kerneltools.solvers import CrossEntropy
from kerneltools.structures import DNA, Graphs, Ragged, Strings

SEEDS = range(3)
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)
BOTH = Joined((PartMean(), PartMax()))
OF_PATHS = PartKernel(Exponential(1.5), Averaged(), FirstNorm())

AEON = "KERNELTOOLS_AEON"
"""The variable that holds the Python which has aeon: `--aeon` of the command."""


def nfe2_means(folder: Path) -> Row:
    """CKN-seq with means of the windows, as in the authors' code."""
    return _nfe2(folder, "mean", PartMean(), _logistic, 0.975, "the authors' layers .975, 4.6 s")


def nfe2_maxima(folder: Path) -> Row:
    """CKN-seq with maxima."""
    return _nfe2(folder, "max", PartMax(), _logistic, 0.975, "the authors' layers .976, 4.6 s")


def nfe2_both(folder: Path) -> Row:
    """CKN-seq with both, beside each other."""
    return _nfe2(folder, "mean and max", BOTH, _ridge, 0.975, "lsgkm .992, 59 s")


def nfe2_gapped(folder: Path) -> Row:
    """RKN with maxima."""
    architecture = Architecture((GappedSpec(128, 12, decay=0.1),))
    found, fit, encode, _ = _unsupervised(folder, architecture, _logistic)
    return Row(
        "NFE2, RKN, k = 12, 128 filters, σ = 0.6, gaps of 0.1, one strand, max, logistic",
        f"AUC {_several(found, 4)}, fit {fit:.1f} + encode {encode:.1f} s",
        "0.975, encode 2.5 s",
        bool(np.mean(found) >= 0.975 and encode <= 2.5),
        "the authors' code .976, encode 23 s",
    )


def nfe2_transport(folder: Path) -> Row:
    """CKN-seq with OTKE behind it."""
    layer = PartSpec(64, Windows(12), PartKernel(Exponential(0.6)))
    found, fit, encode, columns = _unsupervised(folder, Architecture((layer,), Transport(10)), _logistic)
    return Row(
        f"NFE2, CKN-seq and OTKE, 64 filters, σ = 0.6, 10 references, one strand, {columns} features, logistic",
        f"AUC {_several(found, 4)}, fit {fit:.1f} + encode {encode:.1f} s",
        "0.93",
        bool(np.mean(found) >= 0.93),
        "the authors' code .926, fit 5.7 + encode 0.3 s",
    )


def nfe2_supervised(folder: Path) -> Row:
    """CKN-seq, filters trained too: batch, rate, epochs, loss and readout by a fifth of the training sequences."""
    import torch

    x, y, train = _nfe2_data(folder)
    x, new = x.to(torch.zeros((), dtype=torch.float32)), ~train
    layer = PartSpec(64, Windows(12), PartKernel(Exponential(0.3)))
    settings = Supervised(loss=CrossEntropy(), epochs=4, batch=64, rate=0.05)
    found, seconds = [], []
    for seed in SEEDS:
        started = perf_counter()
        network = fit_unsupervised(Architecture((layer,), PartMax(), strands=True), x[train], seed, patches=20_000)
        state = fit_supervised(network, x[train], y[train], 2, seed, settings)
        scores = np.asarray(state.head(state.network.encode(x[new])))
        seconds.append(perf_counter() - started)
        found.append(float(roc_auc_score(y[new], scores[:, 1] - scores[:, 0])))
    return Row(
        "NFE2, CKN-seq supervised, k = 12, 64 filters, σ = 0.3, both strands, max, 4 epochs, PyTorch",
        f"AUC {_several(found, 4)}, {min(seconds):.1f} s",
        "0.98, 20 s",
        bool(np.mean(found) >= 0.98 and min(seconds) <= 20),
        "the authors' layers .980, 26 s, 12 epochs",
    )


def mutag_paths(folder: Path) -> Row:
    """GCKN-path: all lengths up to 3."""
    layers = (PartSpec(32, Paths(3), OF_PATHS, lengths=True),)
    others = "the authors' code 88.3 %; GraKeL 85.0 %, Weisfeiler-Lehman"
    return _mutag(folder, "GCKN-path, lengths 1 to 3", layers, 0.88, others, most=1.0)


def mutag_subtrees(folder: Path) -> Row:
    """GCKN-subtree: a layer on nodes behind that of paths."""
    layers = (PartSpec(32, Paths(3), OF_PATHS, lengths=True), PartSpec(32, Paths(1), OF_PATHS))
    return _mutag(folder, "GCKN-subtree, lengths 1 to 3", layers, 0.87, "the authors' code 87.2 %")


def many_paths(_: Path) -> Row:
    """Seconds for half a million paths: what they are, filters, features."""
    x = structured_graphs.drawn(4000, 30)
    started = perf_counter()
    network = fit_unsupervised(Architecture((PartSpec(32, Paths(4), OF_PATHS),), PartSum()), x, 0)
    network.encode(x)
    seconds = perf_counter() - started
    return Row(
        f"4,000 drawn graphs of 30 nodes, {len(Paths(4)(x)):,} paths of 4, 32 filters",
        f"paths, filters and features {seconds:.1f} s",
        "8 s",
        seconds <= 8,
        "the authors' code 21.5 s for NCI1, 4,110 graphs",
    )


def gunpoint(folder: Path) -> Row:
    """Accuracy and seconds, beside aeon."""
    return _series(folder, "GunPoint", 0.97)


def ecg200(folder: Path) -> Row:
    """Accuracy and seconds, beside aeon."""
    return _series(folder, "ECG200", 0.89)


def coffee(folder: Path) -> Row:
    """Accuracy and seconds, beside aeon."""
    return _series(folder, "Coffee", 1.0)


def digits(_: Path) -> Row:
    """Images: a pool by transport in the place of the last Gaussian one, of as many features."""
    x, y = load_digits(return_X_y=True)
    images, classes = (x / 16).astype(np.float32).reshape(-1, 8, 8, 1), 10
    first = LayerSpec(32)
    pools = {
        "Gaussian": Architecture((first, LayerSpec(128))),
        "transport": Architecture((first, LayerSpec(128, subsampling=1)), Transport(4)),
    }
    told = []
    for name, architecture in pools.items():
        found, seconds = [], []
        for seed in SEEDS:
            started = perf_counter()
            features = fit_unsupervised(architecture, images[:1000], seed).encode(images)
            seconds.append(perf_counter() - started)
            scores = _outputs(features[:1000], y[:1000], features[1000:], classes)
            found.append(float((scores.argmax(axis=1) == y[1000:]).mean()))
        told.append(f"{name} {_several(found)}, {min(seconds):.1f} s")
    return Row(
        f"Digits, 1,000 to learn from, 797 to test, two layers, last pool, {features.shape[1]} features, ridge",
        "; ".join(told),
        "reported",
        None,
        "",
    )


ROWS: tuple[Callable[[Path], Row], ...] = (
    nfe2_means,
    nfe2_maxima,
    nfe2_both,
    nfe2_gapped,
    nfe2_transport,
    nfe2_supervised,
    mutag_paths,
    mutag_subtrees,
    many_paths,
    gunpoint,
    ecg200,
    coffee,
    digits,
)


def _several(found: Sequence[float], digits: int = 3) -> str:
    return f"{np.mean(found):.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f})"


def _nfe2_data(folder: Path) -> tuple[Strings, Any, Any]:
    with np.load(folder / "dna_nfe2_gm12878.npz") as file:
        tokens = file["tokens"].astype(np.int32) - 1
        x = Strings(tokens, file["ptr"], DNA, np.zeros((), dtype=np.float32))
        return x, (file["y"] > 0).astype(int), file["split"] == 0


def _nfe2(folder: Path, said: str, readout: Any, scored: Callable[..., Any], wanted: float, other: str) -> Row:
    windows = PartSpec(128, Windows(12), PartKernel(Exponential(0.3)))
    architecture = Architecture((windows,), readout, strands=True)
    found, fit, encode, _ = _unsupervised(folder, architecture, scored)
    return Row(
        f"NFE2, CKN-seq, k = 12, 128 filters, σ = 0.3, both strands, {said}, {scored.__name__.strip('_')}",
        f"AUC {_several(found, 4)}, fit {fit:.1f} + encode {encode:.1f} s",
        f"{wanted}, 3 s",
        bool(np.mean(found) >= wanted and fit + encode <= 3),
        other,
    )


def _unsupervised(
    folder: Path, architecture: Architecture, scored: Callable[..., Any]
) -> tuple[list[float], float, float, int]:
    """AUC of each seed, the least seconds of a fit and of all features, and how many features."""
    x, y, train = _nfe2_data(folder)
    found, fits, encodes = [], [], []
    for seed in SEEDS:
        started = perf_counter()
        network = fit_unsupervised(architecture, x[train], seed, patches=20_000)
        fitted = perf_counter()
        features = network.encode(x)
        encodes.append(perf_counter() - fitted)
        fits.append(fitted - started)
        found.append(float(roc_auc_score(y[~train], scored(features[train], y[train], features[~train]))))
    return found, min(fits), min(encodes), network.dimension


def _logistic(features: Any, y: Any, new: Any) -> Any:
    """Scores of logistic regression; C by a fifth of the training rows."""
    scaler = StandardScaler().fit(features)
    x, order = scaler.transform(features), np.random.default_rng(0).permutation(len(y))
    held, fitted = order[: len(y) // 5], order[len(y) // 5 :]

    def auc(penalty: float) -> float:
        model = LogisticRegression(C=penalty, max_iter=2000).fit(x[fitted], y[fitted])
        return float(roc_auc_score(y[held], model.decision_function(x[held])))

    model = LogisticRegression(C=max(10.0 ** np.arange(-4, 2), key=auc), max_iter=2000).fit(x, y)
    return model.decision_function(scaler.transform(new))


def _ridge(features: Any, y: Any, new: Any) -> Any:
    """Scores of ridge regression, of class 1 less class 0."""
    scores = _outputs(features, y, new, 2)
    return scores[:, 1] - scores[:, 0]


def _outputs(features: Any, y: Any, new: Any, classes: int) -> Any:
    scaler, norm = StandardScaler().fit(features), features.shape[1] ** 0.5
    head = fit_head(scaler.transform(features) / norm, y, classes)
    return head.model(scaler.transform(new) / norm)


def _mutag(folder: Path, said: str, layers: tuple[PartSpec, ...], wanted: float, other: str, most: float = inf) -> Row:
    with np.load(folder / "graphs_MUTAG.npz") as file:
        x = Graphs(file["graph_ptr"], file["edge_index"].T, labels=file["node_label"])
        y, fold = file["y"], file["fold_dgcnn"]
    architecture, found, seconds = Architecture(layers, PartSum()), [], []
    for seed in SEEDS:
        spent, right = 0.0, []
        for number in range(10):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            begun = perf_counter()
            with catch_warnings():
                simplefilter("ignore", ReducedWarning)  # of nodes there are fewer that differ than filters
                features = fit_unsupervised(architecture, x[train], seed).encode(x)
            spent += perf_counter() - begun
            model = make_pipeline(StandardScaler(), LinearSVC(dual=False))
            grid = {"linearsvc__C": 10.0 ** np.arange(-4, 3)}
            search = GridSearchCV(model, grid, cv=FOLDS).fit(features[train], y[train])
            right.append(search.score(features[test], y[test]))
        found.append(100 * float(np.mean(right)))
        seconds.append(spent)
    return Row(
        f"MUTAG, {said}, 32 filters, σ = 1.5, linear SVC, nested",
        f"{_several(found, 1)} %, features of ten folds {min(seconds):.2f} s",
        f"{100 * wanted:.0f} %" + ("" if most == inf else f", {most:g} s"),
        bool(np.mean(found) >= 100 * wanted and min(seconds) <= most),
        other,
    )


def _series(folder: Path, name: str, wanted: float) -> Row:
    path = folder / f"ucr_{name}.npz"
    with np.load(path) as file:
        x, new = (Ragged.of_padded(file[f"X_{part}"].astype(np.float32)[:, :, None]) for part in ("train", "test"))
        y, y_new = file["y_train"], file["y_test"]
    found, seconds = [], []
    for seed in SEEDS:
        started = perf_counter()
        model = SeriesClassifier(random_state=seed).fit(x, y)
        found.append(float(model.score(new, y_new)))
        seconds.append(perf_counter() - started)
    mean = float(np.mean(found))
    return Row(
        f"{name}, SeriesClassifier as it is, {model.model_.network.dimension} features",
        f"{_several(found)}, {min(seconds):.1f} s",
        f"{wanted}, 10 s",
        mean >= wanted and min(seconds) <= 10,
        _of_aeon(path, mean),
    )


def _of_aeon(path: Path, ours: float) -> str:
    """What aeon's classifiers make of the same file in the Python that has aeon, or that they have not been run."""
    python = os.environ.get(AEON)
    if not python:
        return "aeon not run (--aeon)"
    script = Path(__file__).with_name("aeon_classifiers.py")
    done = subprocess.run([python, str(script), str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return "aeon failed"
    told = []
    for name, accuracies, seconds in json.loads(done.stdout.splitlines()[-1]):
        ahead = ", **ahead**" if np.mean(accuracies) > ours else ""
        told.append(f"{name} {_several(accuracies)}, {seconds:.1f} s{ahead}")
    return "; ".join(told)
