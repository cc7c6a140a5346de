"""The gradient of a batch in several passes is that of one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckn import Supervised
from ckn.supervised import Alternating, Joint, LayerReversal, Strategy
from ckn.supervised.data import Data
from ckn.supervised.parameters import spheres
from ckn.supervised.passes import Passes
from ckn.supervised.state import TrainingState
from ckn.supervised.trainer import Trainer
from kerneltools import backend
from kerneltools.solvers import CrossEntropy, LinearModel, Loss, Squared, SquaredHinge
from kerneltools.trees import named_leaves
from tests.supervised.test_fit import moved, start, toy

PAIRS = [(Alternating(), SquaredHinge()), (LayerReversal(), CrossEntropy()), (Joint(), Squared())]


def prepared(name: str, settings: Supervised) -> tuple[Trainer, Any, Any, Any]:
    """A trainer with a random head, its parameters, and a batch of 10 images."""
    images, labels = toy(10)
    network, library = moved(name, start(images)), backend(name)
    data = Data(library.asarray(images), library.asarray(labels), 3, 0)
    rng = np.random.default_rng(0)
    d = network.features(images.shape[1:-1])
    head = LinearModel(library.asarray(rng.standard_normal((d, 3))), library.asarray(rng.standard_normal(3)))
    trainer = Trainer(data, replace(settings, reg=1e-3, batch=10), network, spheres(network))
    return trainer, trainer.parameters(TrainingState(network, head, None, ())), data.examples, data.targets


def arrays(name: str, tree: Any) -> dict[str, np.ndarray]:
    found = {path: leaf for path, leaf in named_leaves(tree) if hasattr(leaf, "shape")}
    return {path: backend("numpy").asarray(leaf) for path, leaf in found.items()}


# JAX compiles each operation apart for a minute.
@pytest.mark.parametrize("name", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.heavy)])
@pytest.mark.parametrize(("strategy", "loss"), PAIRS, ids=lambda part: type(part).__name__)
def test_the_gradient_is_that_of_the_whole(name: str, strategy: Strategy, loss: Loss) -> None:
    whole, params, x, t = prepared(name, Supervised(loss, strategy=strategy, learn_kernels=True, at_once=10))
    parts = Trainer(whole.data, replace(whole.settings, at_once=4), whole.frame, whole.spaces)
    (value, expected), (got_value, got) = whole.gradient(params, x, t), parts.gradient(params, x, t)
    assert float(got_value) == pytest.approx(float(value), abs=1e-11)
    expected, got = arrays(name, expected), arrays(name, got)
    assert expected.keys() == got.keys()
    assert any("sigma" in path for path in got)
    for path in got:
        np.testing.assert_allclose(got[path], expected[path], rtol=0, atol=1e-10, err_msg=path)


def test_parts_are_of_one_size_and_small_where_arrays_are_great() -> None:
    trainer, *_ = prepared("numpy", Supervised())
    owner = backend("numpy")

    def size(images: tuple[int, ...], **settings: Any) -> int:
        passes = Passes(owner, replace(trainer.settings, **settings), trainer.frame, 1.0)
        return passes.size(np.broadcast_to(np.float64(0), images))

    assert size((10, 7, 6, 2), at_once=4) == 4  # and not 4, 4, 2
    assert size((9, 7, 6, 2), at_once=4) == 3
    assert size((128, 7, 6, 2)) == 128
    assert size((128, 200, 200, 2)) < 80
    assert size((128, 200, 200, 2), jit=True) == 128


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True])
def test_at_once_out_of_range(wrong: Any) -> None:
    with pytest.raises(ValueError, match="at_once: expected an integer >= 1"):
        Supervised(at_once=wrong)
