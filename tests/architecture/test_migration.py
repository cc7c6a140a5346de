"""Every line of ours on the page for users of other libraries runs."""

import re
import warnings
from pathlib import Path
from typing import Any

import kerneltools_torch
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

import ckn
import kerneltools
from kerneltools import estimators, kernels, landmarks, learning, maps, solvers, structures

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
ROWS = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
LINES = list(dict.fromkeys(code for row in ROWS for code in re.findall(r"`([^`]+)`", row[1])))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the lines take as given."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 3))
    y = np.sin(x[:, 0])
    graphs = [structures.Graph(n, [[i, i + 1] for i in range(n - 1)], np.arange(n) % 3) for n in range(4, 14)]
    series = [rng.standard_normal(int(length)) for length in rng.integers(8, 12, 10)]
    modules = {module.__name__.split(".")[-1]: module for module in (kernels, landmarks, learning, maps, solvers)}
    objects = {name: getattr(estimators, name) for name in estimators.__all__}
    numbers = np.arange(60.0)[:, None]
    return modules | objects | {
        "X": x, "y": y, "Y": y[:, None], "Z": x[:10], "n": 60, "m": 10, "d": 3, "g": 0.5, "a": 1.0, "s": 1.0, "r": 1e-3,
        "K": kernels.Gaussian(1.0)(x, x), "numbers": numbers, "rng": rng, "graphs": graphs, "series": series,
        "kinds": np.arange(10) % 2, "images": rng.random((20, 8, 8, 3)), "np": np, "torch": torch, "ckn": ckn,
        "architecture": ckn.Architecture((ckn.LayerSpec(4), ckn.LayerSpec(4))), "kerneltools": kerneltools,
        "Module": kerneltools_torch.Module, "GridSearchCV": GridSearchCV, "structures": structures,
        "model": estimators.KernelRidge(landmarks=10).fit(x, y), "path": tmp_path_factory.mktemp("page") / "model",
    }  # fmt: skip


def test_the_page_has_lines() -> None:
    assert len(LINES) > 40


@pytest.mark.parametrize("line", LINES)
def test_a_line_runs(line: str, names: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", landmarks.ReducedWarning)
        eval(compile(line, str(PAGE), "eval"), names)
