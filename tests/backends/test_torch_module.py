"""Trees as torch modules: what torch does with modules, it does with these."""

import copy
import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from kerneltools_torch import Module
from torch.testing import assert_close

import ckn
from kerneltools.kernels import Gaussian, Homogeneous, profiles
from kerneltools.maps import nystrom
from kerneltools.solvers import LinearModel
from kerneltools.trees import Tree, named_leaves
from tests.backends.quick import own_warnings_of_compilation


def filters(m: int, c: int) -> torch.Tensor:
    flat = torch.randn(m, 9 * c, generator=torch.Generator().manual_seed(m))
    return torch.nn.functional.normalize(flat).reshape(m, 3, 3, c)


def network() -> ckn.Network:
    return ckn.Network(
        (
            ckn.Layer(filters(4, 2), Homogeneous(profiles.Exponential(torch.tensor(0.6))), 2),
            ckn.Layer(filters(3, 4), Homogeneous(profiles.Exponential(0.6)), 2),
        )
    )


def images() -> torch.Tensor:
    return torch.randn(3, 6, 6, 2, generator=torch.Generator().manual_seed(0))


def classifier() -> ckn.Model:
    features = network().encode(images())
    head = LinearModel(torch.ones(features.shape[1], 2), torch.zeros(2))
    return ckn.Model(network(), head, classes=("a", "b"), image_shape=(6, 6, 2))


ROWS = torch.arange(6.0).sin().reshape(3, 2)
TREES = {
    "kernel": (Gaussian(torch.tensor(2.0)), (ROWS, ROWS)),
    "map": (nystrom(Gaussian(2.0), ROWS, reg=0.1), (ROWS,)),
    "layer": (network().layers[0], (images(),)),
    "network": (network(), (images(),)),
}


@pytest.mark.parametrize("name", TREES)
def test_forward_is_the_call_of_the_tree(name: str) -> None:
    tree, inputs = TREES[name]
    module = Module(tree)
    assert_close(module(*inputs), tree(*inputs))
    assert_close(module.tree(*inputs), tree(*inputs))
    assert type(module.tree) is type(tree)


def test_a_method_instead_of_the_call() -> None:
    model = classifier()
    module = Module(model, ckn.Model.decision_function)
    scores = module(images())
    assert_close(scores, model.decision_function(images()))
    scores.sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_names_are_the_paths_in_the_tree() -> None:
    module = Module(network())
    expected = [name for name, leaf in named_leaves(network()) if isinstance(leaf, torch.Tensor)]
    assert [name for name, _ in module.named_parameters()] == expected
    assert (
        list(module.state_dict())
        == expected
        == ["layers.0.filters", "layers.0.kernel.profile.sigma", "layers.1.filters"]
    )


def test_numbers_stay_constants() -> None:
    assert Module(network()).tree.layers[1].kernel.profile.sigma == 0.6


@dataclass(frozen=True)
class Table(Tree):
    """Rows of a table, taken by number."""

    rows: torch.Tensor
    numbers: torch.Tensor

    def __call__(self) -> torch.Tensor:
        return self.rows[self.numbers]


def test_integers_are_buffers() -> None:
    module = Module(Table(torch.arange(3.0), torch.tensor([2, 0])))
    assert [name for name, _ in module.named_buffers()] == ["numbers"]
    assert module().tolist() == [2.0, 0.0]
    assert module.to(torch.float64).tree.numbers.dtype == torch.int64


def test_the_tree_that_was_given_does_not_change() -> None:
    tree = network()
    before = tree.layers[0].filters.clone()
    module = Module(tree)
    with torch.no_grad():
        module.get_parameter("layers.0.filters").zero_()
    assert_close(tree.layers[0].filters, before)
    assert torch.all(module.tree.layers[0].filters == 0)


def test_state_goes_into_a_fresh_module() -> None:
    module, fresh = Module(network()), Module(network())
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1.1)
    assert not torch.equal(module(images()), fresh(images()))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(module(images()), fresh(images()))


def test_moved_to_another_type() -> None:
    module = Module(network()).to(torch.float64)
    assert {p.dtype for p in module.parameters()} == {torch.float64}
    assert_close(module(images().double()), network()(images()).double(), rtol=1e-5, atol=1e-5)


def test_moved_to_another_device() -> None:
    # `meta` is the one other device that every machine has.
    module = Module(network()).to("meta")
    assert {str(leaf.device) for _, leaf in named_leaves(module.tree) if isinstance(leaf, torch.Tensor)} == {"meta"}


def test_optimised() -> None:
    module, target = Module(network()), torch.ones(3, 2, 2, 3)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = ((module(images()) - target) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_frozen_parameters_stay() -> None:
    module = Module(network())
    module.get_parameter("layers.0.filters").requires_grad_(False)
    module(images()).sum().backward()
    assert module.get_parameter("layers.0.filters").grad is None
    assert module.get_parameter("layers.1.filters").grad is not None


@own_warnings_of_compilation
@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
def test_compiled_as_one_graph(compiler: str) -> None:
    torch._dynamo.reset()
    plain, module = Module(network()), Module(network())
    fast = torch.compile(module, backend=compiler, fullgraph=True)
    assert_close(fast(images()), plain(images()))
    (plain(images()) ** 2).sum().backward()
    (fast(images()) ** 2).sum().backward()
    for p, q in zip(plain.parameters(), module.parameters(), strict=True):
        assert_close(q.grad, p.grad, rtol=1e-4, atol=1e-4)


def pickled(module: Any) -> Any:
    return pickle.loads(pickle.dumps(module))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
def test_copies_are_independent(copied: Any) -> None:
    module = Module(network())
    before = module(images()).detach()
    twin = copied(module)
    assert_close(twin(images()), before)
    with torch.no_grad():
        for p in twin.parameters():
            p.mul_(1.1)
    assert not torch.equal(twin(images()), before)
    assert_close(module(images()), before)


def test_arrays_of_other_libraries_are_refused() -> None:
    with pytest.raises(TypeError, match=r"bandwidth: expected a torch tensor, got numpy.ndarray.*asarray"):
        Module(Gaussian(np.asarray(2.0)))
