"""Learning and applying whole models: the same filters from the same seed, the same predictions from one file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
from ckn import Architecture, LayerSpec
from ckn.head import fit_head
from ckn.model import Model, encode
from ckn.preprocessing import Scale
from tests.agreement.case import Case
from tests.agreement.comparing import assert_agrees, rounded, tolerance
from tests.agreement.libraries import JAX_JIT, LIBRARIES, NUMPY, STRICT, STRICT_DEVICE1, Library, parameters

ARCHITECTURE = Architecture((LayerSpec(6, subsampling=2), LayerSpec(5, patch=2, subsampling=2)))
CLASSES = 3
# Learning is steered from the host: nothing of it is compiled whole.
LEARNERS = parameters(tuple(library for library in LIBRARIES if library is not JAX_JIT))
# What a file is loaded into needs a backend.
LOADERS = parameters(tuple(x for x in LIBRARIES if x not in (JAX_JIT, STRICT, STRICT_DEVICE1)))


def images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stripes of three directions under noise, as 8-bit pixels, and the directions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    rows, columns = np.mgrid[0:8, 0:8]
    waves = np.stack([np.sin(rows), np.sin(columns), np.sin(rows + columns)])[labels]
    pixels = 128 + 60 * waves[..., None] + 20 * rng.standard_normal((n, 8, 8, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def model() -> Model:
    """A model trained on NumPy."""
    pixels, labels = images(60, seed=0)
    x = pixels / 255
    network = ckn.fit_unsupervised(ARCHITECTURE, x, rng=0, patches=500)
    head = fit_head(encode(network, (), x), labels, CLASSES)
    return Model(network, head.model, (Scale(255.0),), tuple(range(CLASSES)), (8, 8, 1))


def _scores(variables: tuple[Model, np.ndarray]) -> np.ndarray:
    model, pixels = variables
    return model.decision_function(pixels)


def filters(network: Any) -> list[Any]:
    return [layer.filters for layer in network.layers]


def run_or_skip(library: Library) -> Library:
    if reason := library.missing():
        pytest.skip(reason)
    return library


@pytest.mark.parametrize("library", LEARNERS)
def test_the_same_seed_gives_the_same_filters(library: Library, tmp_path: Path) -> None:
    run_or_skip(library)
    pixels, _ = images(20, seed=1)
    wanted = ckn.fit_unsupervised(ARCHITECTURE, pixels / 255, rng=5, patches=200)
    got = ckn.fit_unsupervised(ARCHITECTURE, library.array(pixels / 255), rng=5, patches=200)
    assert_agrees(library, filters(got), filters(wanted), "float64", 1e-8)
    ckn.save(got, tmp_path / "network.ckn")
    assert_agrees(NUMPY, filters(ckn.load(tmp_path / "network.ckn")), filters(wanted), "float64", 1e-8)


@pytest.mark.parametrize("library", LOADERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_file_predicts_the_same_everywhere(library: Library, model: Model, dtype: str, tmp_path: Path) -> None:
    run_or_skip(library)
    pixels, labels = images(30, seed=2)
    ckn.save(rounded(model, dtype), tmp_path / "model.ckn")
    here = ckn.load(tmp_path / "model.ckn")
    there = ckn.load(tmp_path / "model.ckn", backend=library.root, device=library.device)
    case = Case(lambda v, c: _scores(v), (model, pixels / 1.0), terms=4 * 9 + 2 * 6)
    within = tolerance(case, _scores, dtype, 0)
    assert_agrees(library, there.decision_function(pixels), here.decision_function(pixels), dtype, within)
    assert there.predict(pixels) == here.predict(pixels)
    assert np.mean(np.equal(here.predict(pixels), labels)) > 0.8
