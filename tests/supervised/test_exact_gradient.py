"""The exact gradient of the inverse square root leads to no less accuracy than a common slip, over three seeds."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import ckn
from ckn.readers import read
from ckn.training import split
from kerneltools import backend
from kerneltools.arrays import namespace
from kerneltools.solvers import SquaredHinge

ROOT = Path(__file__).parents[2]


def benchmark() -> ModuleType:
    """benchmarks/supervised.py, where the inexact rule is."""
    spec = importlib.util.spec_from_file_location("supervised_benchmark", ROOT / "benchmarks" / "supervised.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_inexact_rule_is_inexact_and_the_right_one_is_not() -> None:
    """The double does what it says: its gradient is off by per cent, that of the same root done right is not."""
    rules, numpy = benchmark().RULES, backend("numpy")
    z = np.random.default_rng(0).standard_normal((6, 4))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    gram, weights = np.exp((z @ z.T - 1) / 0.25), np.random.default_rng(1).standard_normal((6, 6))
    direction = weights + weights.T
    h = 1e-6
    errors = {}
    for name in ("right", "wrong"):

        def f(k: np.ndarray, name: str = name) -> np.ndarray:
            return namespace(k).sum(rules[name](k, 1e-2) * weights)

        slope = (f(gram + h * direction) - f(gram - h * direction)) / (2 * h)
        _, gradient = numpy.value_and_grad(f)(gram)
        errors[name] = abs((gradient * direction).sum() - slope) / abs(slope)
    assert errors["right"] < 1e-6
    assert errors["wrong"] > 1e-3


@pytest.mark.heavy
def test_no_less_accuracy_than_with_the_inexact_rule() -> None:
    module, parts = benchmark(), split(read("digits"), "digits", 0)
    train, test = (
        (backend("torch").asarray(part.images / 16, dtype="float32"), part.labels) for part in (parts.train, parts.test)
    )
    settings = ckn.Supervised(SquaredHinge(), reg=1e-6, epochs=5, rate=0.01)
    small = ckn.architectures["small"]
    found = module.accuracies(small, train, test, settings, rules=("ours", "wrong"), seeds=3, patches=20_000)
    mean, half = module.interval(found["ours"], found["wrong"])
    assert mean + half >= 0
