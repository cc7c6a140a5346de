"""Readouts by transport to references."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
import kerneltools
from ckn import Architecture, LayerSpec, Network, PartSpec, Transport, TransportPool, fit_unsupervised
from ckn.layers.laid import Runs
from ckn.layers.transport import FromElements, FromSets
from kerneltools.landmarks import ReducedWarning
from kerneltools.patches import Elements, Windows
from kerneltools.structures import Ragged, Strings
from kerneltools.structures.base import offsets_of

DRAWS = np.random.default_rng(0)
WORDS = Strings.of(["".join(DRAWS.choice(list("ACGT"), size=size)) for size in (9, 3, 7, 12, 5, 8, 8, 10)])
SETS = Ragged.of([DRAWS.standard_normal((size, 3)) for size in (6, 2, 9, 4, 5, 7)])


def fitted(readout: Any, x: Any = WORDS, size: int = 4) -> Network:
    parts = Windows(size) if isinstance(x, Strings) else Elements()
    return fit_unsupervised(Architecture((PartSpec(6, parts),), readout), x, 0)


@pytest.mark.parametrize(
    "spec", [Transport(3), Transport(2, heads=2), Transport(3, position=0.4)], ids=["one head", "two", "position"]
)
def test_features_of_objects_are_their_own(spec: Transport) -> None:
    network = fitted(spec)
    features = network(WORDS)
    assert features.shape == (8, network.dimension) == (8, 6 * spec.references * spec.heads)
    assert np.allclose(network.encode(WORDS, batch=3), features, rtol=1e-10, atol=1e-13)
    assert (features[1] == 0).all()
    assert np.abs(features[[0, 2, 3, 4, 5, 6, 7]]).max(axis=1).min() > 0.1


def test_the_order_of_a_set_says_nothing_and_that_of_a_sequence_does() -> None:
    mixed = Ragged.of([one[DRAWS.permutation(len(one))] for one in SETS])
    network = fitted(Transport(3), SETS)
    assert np.allclose(network(mixed), network(SETS))
    near = replace(network, readout=replace(network.readout, position=0.3))
    assert not np.allclose(near(mixed), near(SETS))


def test_positions_are_shares_of_the_true_length() -> None:
    pool = TransportPool(np.ones((1, 2, 1)), position=0.5)
    table = pool.lay(Runs(offsets_of([4, 2])), np.zeros(()))
    wanted = np.exp(-((((np.arange(4) / 4)[:, None] - np.asarray([0, 0.5])) / 0.5) ** 2))
    assert np.allclose(table.closeness[0], wanted)
    assert np.allclose(table.closeness[1, :2], wanted[::2])


def test_plans_are_those_of_the_features() -> None:
    network = fitted(Transport(3, heads=2, position=0.5))
    pool, items = network.readout, network.items(WORDS)
    assert isinstance(pool, TransportPool)
    plans, features = pool.plans(items), network(WORDS)
    assert [plan.shape for plan in plans] == [(2, length, 3) for length in items.lengths]
    for plan, item, wanted in zip(plans, items, features, strict=True):
        assert np.allclose((plan.transpose(2, 0, 1) @ item).reshape(-1), wanted)


def test_heads_are_clusters_of_sets() -> None:
    centres = np.eye(4)
    kinds = np.arange(20) % 2
    sets = Ragged.of([centres[[2 * kind, 2 * kind + 1] * 3] + 0.01 * DRAWS.standard_normal((6, 4)) for kind in kinds])
    pool = Transport(2, heads=2).fitted(sets.values, sets.offsets, np.random.default_rng(0), lambda *_: None)
    cosines = pool.references @ centres
    assert sorted(tuple(sorted(head)) for head in cosines.argmax(axis=2).tolist()) == [(0, 1), (2, 3)]
    assert cosines.max(axis=2).min() > 0.99


def test_images_are_sets_of_points() -> None:
    images = DRAWS.random((5, 8, 8, 1))
    architecture = Architecture((LayerSpec(4, 3, 2),), Transport(3))
    network = fit_unsupervised(architecture, images, 0)
    assert network(images).shape == (5, network.dimension) == (5, 12)
    maps = replace(network, readout=None)(images)
    pool = network.readout
    assert isinstance(pool, TransportPool)
    wanted = kerneltools.transport.transport_pool(maps.reshape(5, 16, 4), pool.references)
    assert np.allclose(network(images), wanted.reshape(5, 12))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_libraries_agree_on_values_and_gradients(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    network, there = fitted(Transport(3, iterations=5, position=0.4)), kerneltools.backend(library)
    like = there.asarray(0.0, dtype=there.namespace.float64)
    held = kerneltools.trees.map_leaves(
        lambda leaf: there.asarray(leaf, dtype=like.dtype) if hasattr(leaf, "dtype") else leaf, network
    )

    def loss(of: Network) -> Any:
        laid = of.laid(WORDS)

        def squares(references: Any) -> Any:
            features = replace(of, readout=replace(of.readout, references=references))(laid)
            return kerneltools.arrays.namespace(features).sum(features * features)

        return squares

    def references(of: Network) -> Any:
        assert isinstance(of.readout, TransportPool)
        return of.readout.references

    value, gradient = kerneltools.backend("numpy").value_and_grad(loss(network))(references(network))
    other, found = there.value_and_grad(loss(held))(references(held))
    assert np.allclose(float(other), float(value), rtol=1e-10)
    assert np.abs(gradient).max() > 0
    assert np.allclose(np.asarray(found), gradient, rtol=1e-8, atol=1e-10)


def test_a_file_keeps_it(tmp_path: Path) -> None:
    network = fitted(Transport(3, position=0.4))
    ckn.save(network, tmp_path / "network.ckn")
    assert (ckn.load(tmp_path / "network.ckn")(WORDS) == network(WORDS)).all()
    other = replace(network, readout=TransportPool(np.ones((1, 2, 5))))
    with pytest.raises(ValueError, match=r"not written.*references: expected \(heads, p, 6\), got \(1, 2, 5\)"):
        ckn.save(other, tmp_path / "network.ckn")


def test_fewer_distinct_elements_than_references() -> None:
    x = Ragged.of([np.eye(2)[[0, 1, 0]] for _ in range(4)])
    for start in (FromElements(), FromSets()):
        with pytest.warns(ReducedWarning, match="3 asked for, 2 made"):
            found = Transport(3, start=start).fitted(x.values, x.offsets, np.random.default_rng(0), lambda *_: None)
        assert found.references.shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Transport(0), ValueError, "references: expected an integer >= 1"),
        (lambda: Transport(eps=0.0), ValueError, "eps: expected a finite number > 0"),
        (lambda: Transport(position=-1.0), ValueError, "position: expected a finite number > 0"),
        (lambda: Transport(start="kmeans"), TypeError, r"start: expected FromElements\(\) or FromSets\(\)"),
        (lambda: fitted(Transport(2, heads=2, start=FromElements())), ValueError, r"heads=2: take FromSets\(\)"),
        (lambda: fitted(Transport(2, heads=9)), ValueError, "heads: 9 asked for, and 7 sets have elements"),
    ],
)
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
