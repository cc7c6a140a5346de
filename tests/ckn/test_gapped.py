"""Layers on subsequences with gaps."""

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
import kerneltools
from ckn import Architecture, GappedLayer, GappedSpec, Network, PartLayer, PartSpec, fit_unsupervised
from ckn.layers.embedding import Vectors
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches import GappedKernel, GappedMax, GappedMean, PartMax, PartMean, PartSum, Subsequences, Windows
from kerneltools.structures import DNA, Graph, Graphs, Ragged, Strings

DRAWS = np.random.default_rng(0)
WORDS = Strings.of(["".join(DRAWS.choice(list("ACGTN"), size=size)) for size in (9, 2, 7, 12, 0, 5)], DNA)
POOLS = [GappedMax(), GappedMean()]


def fitted(pool: Any, **choices: Any) -> Network:
    return fit_unsupervised(Architecture((GappedSpec(5, 3, decay=0.4, pool=pool),), **choices), WORDS, 0)


def embedded(x: Strings) -> Ragged:
    """Letters as the network sees them."""
    vectors = np.concatenate([np.eye(4), np.full((1, 4), 0.25)])
    return Ragged(vectors[x.tokens], x.offsets)


def test_a_mean_is_that_of_a_table_of_all_subsequences() -> None:
    network = fitted(GappedMean())
    layer = network.layers[0]
    table = PartLayer(layer.filters, layer.kernel.of_parts, Subsequences(3, 0.4), PartSum(), layer.reg)
    factor = (1 - 0.4) ** 2 / np.maximum(WORDS.lengths, 1)
    wanted = factor[:, None] * network.with_layers([table])(WORDS)
    assert np.allclose(network(WORDS), wanted, rtol=1e-12, atol=1e-14)
    assert (wanted[[1, 4]] == 0).all()


def test_without_a_gap_a_maximum_is_that_of_windows() -> None:
    network = fit_unsupervised(Architecture((GappedSpec(5, 3, decay=0.0),)), WORDS, 0)
    layer = network.layers[0]
    windows = PartLayer(layer.filters, layer.kernel.of_parts, Windows(3), PartSum(), layer.reg)
    wanted = replace(network, layers=(windows,), readout=PartMax())(WORDS)
    assert np.allclose(network(WORDS), np.maximum(wanted, 0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("pool", POOLS, ids=["max", "mean"])
def test_equal_letters_are_compared_once_and_the_batch_makes_no_difference(pool: Any) -> None:
    network = fitted(pool)
    wanted = network(WORDS)
    on_vectors = replace(network, embedding=Vectors(4))
    assert np.allclose(on_vectors(embedded(WORDS)), wanted, rtol=1e-12, atol=1e-14)
    assert np.allclose(network.encode(WORDS, batch=2), wanted, rtol=1e-12, atol=1e-14)
    assert network.laid(WORDS).tables[0].distinct.shape == (6,)
    missed, whole = next(network.residuals(WORDS))
    assert (missed > -1e-12).all()
    assert 0 < missed.sum() < whole.sum()


@pytest.mark.parametrize(("library", "pool"), [("torch", POOLS[1]), ("jax", POOLS[0])], ids=["torch-mean", "jax-max"])
def test_libraries_agree_on_values_and_gradients(library: str, pool: Any) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    network, there = fitted(pool), kerneltools.backend(library)
    like = there.asarray(0.0, dtype=there.namespace.float64)
    held = kerneltools.trees.map_leaves(
        lambda leaf: there.asarray(leaf, dtype=like.dtype) if hasattr(leaf, "dtype") else leaf, network
    )

    def loss(of: Network) -> Any:
        laid = of.laid(WORDS)

        def squares(parameters: Any) -> Any:
            filters, decay = parameters
            kernel = replace(of.layers[0].kernel, decay=decay[0])
            features = of.with_layers([replace(of.layers[0], filters=filters, kernel=kernel)])(laid)
            return kerneltools.arrays.namespace(features).sum(features * features)

        return squares

    decay = np.asarray([0.3])
    here = kerneltools.backend("numpy").value_and_grad(loss(network))((network.layers[0].filters, decay))
    across = there.value_and_grad(loss(held))((held.layers[0].filters, there.asarray(decay, dtype=like.dtype)))
    assert np.allclose(float(across[0]), float(here[0]), rtol=1e-10)
    assert np.abs(here[1][0]).max() > 0
    for found, wanted in zip(across[1], here[1], strict=True):
        assert np.allclose(np.asarray(found), wanted, rtol=1e-8, atol=1e-10)


def test_behind_other_layers() -> None:
    specs = (PartSpec(6, Windows(2)), GappedSpec(4, 2, decay=0.2))
    network = fit_unsupervised(Architecture(specs, strands=True, readout=PartMean()), WORDS, 0)
    assert network.dimension == 4
    assert np.allclose(network(WORDS), network(WORDS.reverse_complement()))


def test_a_file_keeps_it(tmp_path: Path) -> None:
    network = fitted(GappedMean())
    ckn.save(network, tmp_path / "network.ckn")
    assert (ckn.load(tmp_path / "network.ckn")(WORDS) == network(WORDS)).all()
    layer = network.layers[0]
    long = network.with_layers([replace(layer, filters=2 * layer.filters)])
    with pytest.raises(ValueError, match=r"not written.*on the sphere"):
        ckn.save(long, tmp_path / "network.ckn")
    with pytest.raises(ValueError, match=r"not written.*layer 1: kernel"):
        ckn.save(network.with_layers([replace(layer, kernel=layer.kernel.of_parts)]), tmp_path / "network.ckn")


def test_the_width_of_a_part_is_that_of_its_items_times_the_root_of_their_number() -> None:
    assert GappedSpec(4, 9).kernel.profile == Exponential(0.6 * sqrt(9))
    assert GappedSpec(4, 9, Power(3)).kernel.profile == Power(3)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: GappedSpec(0), ValueError, "filters: expected an integer >= 1, got 0"),
        (lambda: GappedSpec(4, 0), ValueError, "size: expected an integer >= 1, got 0"),
        (lambda: GappedSpec(4, decay=1.0), ValueError, r"decay: expected a number in \[0, 0.99\], got 1.0"),
        (lambda: GappedSpec(4, pool=PartMean()), TypeError, r"pool: expected patches.GappedMax\(\)"),
        (lambda: GappedSpec(4, profile=0.5), TypeError, "profile: expected one of kerneltools.kernels.profiles"),
        (lambda: GappedKernel(Power(2), np.asarray(-0.1)), ValueError, "decay: expected .* got -0.1"),
        (lambda: GappedLayer(np.zeros((3, 4)), GappedKernel(Power(2))), ValueError, r"filters: expected \(m, k, d\)"),
        (lambda: fitted(GappedMax())(Graphs.of([Graph(2, [[0, 1]], [0, 1])])), TypeError, "expected strings"),
    ],
)
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_nodes_have_no_order() -> None:
    graphs = Graphs.of([Graph(4, [[0, 1], [1, 2], [2, 3]], [0, 1, 0, 1])])
    layer = GappedSpec(2, 2).layer(np.ones((1, 2, 2)))
    for take in (lambda: fit_unsupervised(Architecture((GappedSpec(2, 2),)), graphs, 0), lambda: layer.lay(graphs, 0)):
        with pytest.raises(TypeError, match=r"x: expected sequences.* whose nodes have no order"):
            take()
