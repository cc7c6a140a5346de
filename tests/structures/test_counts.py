"""The features of kernels that count: their products are the kernel, hashed ones on average."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools import kernels, maps, solvers, streaming
from kerneltools.kernels import Kernel, Normalised, On
from kerneltools.kernels.strings import Spectrum
from kerneltools.structures import Collection, Strings, Views
from tests.structures.test_toolkit import NUMBERS, TARGETS, WORDS

X = Strings.of(WORDS)
CASES: list[tuple[Kernel, Collection]] = [
    (Spectrum(2), X),
    (Spectrum(3, reverse_complement=True), X),
    (Normalised(Spectrum(2)), X),
    (Normalised(2.0 * Spectrum(1) + 0.5 * Normalised(Spectrum(2))), X),
    (On(0, Spectrum(2)) + 3.0 * On(1, Spectrum(1)), Views((X, X[::-1]))),
]


@pytest.fixture(params=CASES, ids=lambda pair: str(pair[0])[:40])
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_products_are_the_kernel(case: Any) -> None:
    kernel, x = case
    phi = maps.counts(kernel, x[:30])
    features, others = phi(x[:30]), phi(x[30:])
    assert features.format == "csr"
    assert features.shape == (30, phi.dimension)
    assert phi.columns is None
    assert np.allclose((features @ features.T).toarray(), kernel(x[:30], x[:30]), rtol=1e-12, atol=1e-12)
    assert np.allclose((features @ others.T).toarray(), kernel(x[:30], x[30:]), rtol=1e-12, atol=1e-12)
    norms = np.asarray((others * others).sum(axis=1))
    assert np.allclose(norms + phi.residual(x[30:]), kernel.diag(x[30:]), rtol=1e-12)
    assert np.allclose((phi(kernel.prepared(x[30:])) - others).data, 0)


def test_what_is_new_is_counted_as_unseen() -> None:
    phi = maps.counts(Spectrum(2), Strings.of(["ACAC"]))
    new = Strings.of(["ACGGG", "ACA", "A"])
    assert phi.unseen(new).tolist() == [2, 0, 0]
    assert phi.residual(new).tolist() == [5.0, 0.0, 0.0]
    assert phi(new).toarray().tolist() == [[1, 0], [1, 1], [0, 0]]


def test_blocks_change_nothing(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, x = case
    sparse, hashed = maps.counts(kernel, x), maps.counts(kernel, columns=16)
    whole = sparse(x).toarray(), hashed(x)
    module = import_module("kerneltools.maps.counts")  # the function has its name
    monkeypatch.setattr(module, "ENTRIES", 20)
    monkeypatch.setattr(module, "HASHED", 64)
    assert np.array_equal(maps.counts(kernel, x).codes, sparse.codes)
    assert np.allclose(sparse(x).toarray(), whole[0], rtol=1e-14)
    assert np.allclose(hashed(x), whole[1], rtol=1e-14, atol=1e-14)


def test_hashed_products_are_the_kernel_on_average(case: Any) -> None:
    kernel, x = case
    gram, size, draws = kernel(x, x), 64, 400
    products = []
    for seed in range(draws):
        features = maps.counts(kernel, columns=size, rng=seed)(x)
        products.append(features @ features.T)
    roots = np.sqrt(kernel.diag(x))
    # Each has variance at most 2 k(x, x) k(y, y) / m; six deviations of the mean for 1,600 entries.
    bound = 6 * np.sqrt(2 / size / draws) * roots[:, None] * roots
    assert (np.abs(np.mean(products, axis=0) - gram) <= bound).all()
    assert np.std(products) > 0


def test_many_columns_are_exact() -> None:
    features = maps.counts(Spectrum(2), columns=2**16)(X)
    assert np.allclose(features @ features.T, Spectrum(2)(X, X))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_hashed_features_are_in_the_library_of_the_objects(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    like = kerneltools.backend(library).asarray(0.0, dtype=kerneltools.backend(library).namespace.float32)
    phi = maps.counts(Normalised(Spectrum(2)), columns=32)
    found = phi(X.to(like))
    assert type(found) is type(like)
    assert found.dtype == like.dtype
    assert np.allclose(np.asarray(found), phi(X), atol=1e-6)


def test_linear_models_and_streams_take_them(case: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    kernel, x = case
    labels = np.where(np.median(TARGETS) < TARGETS, 1, 0)[:, 0]
    sparse = maps.counts(kernel, x)
    # liblinear takes numbers of columns of 32 bits only.
    assert LogisticRegression(C=1e4, solver="liblinear").fit(sparse(x), labels).score(sparse(x), labels) > 0.8
    assert LogisticRegression(C=1e4).fit(sparse(x), labels).score(sparse(x), labels) > 0.8
    assert sum(block.shape[0] for block in streaming.transform(sparse, streaming.rows(x, 9))) == len(x)
    hashed = maps.counts(kernel, columns=128)
    model = solvers.ridge(hashed(x), TARGETS, 1e-2)
    halves = [streaming.FeatureSums(hashed).partial_fit(x[rows], TARGETS[rows]) for rows in (slice(15), slice(15, 40))]
    assert np.allclose(streaming.merge(*halves).model(1e-2)(x), model(hashed(x)))


@pytest.mark.parametrize("columns", [None, 32])
def test_files_keep_them(case: Any, columns: int | None, tmp_path: Path) -> None:
    kernel, x = case
    phi = maps.counts(kernel, x) if columns is None else maps.counts(kernel, columns=columns, rng=3)
    kerneltools.save(phi, tmp_path / "map")
    found = kerneltools.load(tmp_path / "map")
    assert repr(found) == repr(phi)
    assert ((found(x) - phi(x)) ** 2).sum() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((kernels.Gaussian(1.0), X), "kernel: expected one that counts.*Gaussian.*maps.nystrom"),
        ((Spectrum(2) ** 2, X), "kernel: expected one that counts.*Power"),
        ((Spectrum(2),), "either x, objects.*got neither"),
        ((Spectrum(2), X, 5), "either x, objects.*got both"),
        ((Spectrum(2), None, 0), "columns: expected an integer >= 1"),
        ((Spectrum(20), X), "x: expected objects with features of Spectrum.*got 40 that have none"),
        ((Spectrum(2), NUMBERS), "x: expected Strings"),
        ((Spectrum(2), None, 5, None), "rng: expected an integer seed"),
        ((On(0, Spectrum(2)), X), "x: expected structures.Views"),
    ],
)
def test_what_is_wrong_is_named(arguments: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        maps.counts(*arguments)


def test_objects_of_another_kind_are_refused(tmp_path: Path) -> None:
    phi = maps.counts(Normalised(Spectrum(2)), X)
    kerneltools.save(phi, tmp_path / "map")
    for one in (phi, kerneltools.load(tmp_path / "map")):
        with pytest.raises(ValueError, match=r"x: expected the same kind as the objects that the map was made for"):
            one(Strings.of(["MKVL"]))
        with pytest.raises(TypeError, match="x: expected Strings"):
            one.unseen(NUMBERS)


def test_a_pipeline_takes_lists_of_strings(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from kerneltools.estimators import RandomFeatures

    labels = np.where(np.median(TARGETS) < TARGETS, "many", "few")[:, 0]
    features = RandomFeatures(Normalised(Spectrum(2)), m=256, draw=maps.counts)
    model = make_pipeline(features, LogisticRegression(C=1e3)).fit(WORDS, labels)
    assert model.score(WORDS, labels) > 0.8
    assert np.allclose(features.fit(WORDS).transform(WORDS), maps.counts(Normalised(Spectrum(2)), columns=256)(X))
    kerneltools.save(features, tmp_path / "features")
    assert np.array_equal(kerneltools.load(tmp_path / "features").transform(WORDS[:3]), features.transform(WORDS[:3]))
    with pytest.raises(ValueError, match="X: string 0"):
        features.transform(["A5"])
    with pytest.raises(TypeError, match=r"draw: expected another function than maps.fourier .*maps.counts"):
        RandomFeatures(Spectrum(2)).fit(WORDS)
