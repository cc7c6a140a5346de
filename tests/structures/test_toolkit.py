"""All that works on rows works on objects: landmarks, maps, solvers, learning, streams and estimators."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest

import kerneltools
from kerneltools import kernels, landmarks, learning, maps, solvers, streaming, structures
from kerneltools.kernels import Kernel, Normalised, On, pairwise
from kerneltools.kernels.graphs import OptimalAssignment, RandomWalk, ShortestPath, WeisfeilerLehman
from kerneltools.kernels.series import GlobalAlignment, Signature
from kerneltools.kernels.strings import GappedKmer, LocalAlignment, Mismatch, Spectrum, Subsequence, match_scores
from kerneltools.landmarks import RPCholesky
from kerneltools.structures import Collection, Graph, Graphs, Objects, Ragged, Strings, Views

N = 40
DRAWS = np.random.default_rng(0)
WORDS = ["".join(DRAWS.choice(list("ACGT"), size=DRAWS.integers(5, 12))) for _ in range(N)]
NUMBERS = DRAWS.standard_normal((N, 2))
NETWORKS = [
    Graph(len(word), [[i, i + 1] for i in range(len(word) - 1)], [ord(letter) for letter in word]) for word in WORDS
]
# As many points as letters: a step for each, up or down.
SERIES = [np.cumsum([[(a in "AC") - 0.5, (a in "AG") - 0.5] for a in word], axis=0) for word in WORDS]
TARGETS = np.asarray([[word.count("AC") + 0.5 * word.count("G")] for word in WORDS])


def _common(a: str, b: str) -> float:
    return float(sum(min(a.count(letter), b.count(letter)) for letter in "ACGT"))


CASES: list[tuple[Kernel, Collection]] = [
    (Spectrum(2), Strings.of(WORDS)),
    (GappedKmer(3, 2), Strings.of(WORDS)),
    (kernels.GaussianOf(Normalised(Mismatch(3, 1)), 1.0), Strings.of(WORDS)),
    (Normalised(Subsequence(2, 0.7)), Strings.of(WORDS)),
    (Normalised(LocalAlignment(match_scores(4), 2.0, 1.0, 0.5)), Strings.of(WORDS)),
    (2.0 * Normalised(Spectrum(2)) + 0.5 * Spectrum(1) ** 2, Strings.of(WORDS)),
    (pairwise(_common), Objects(tuple(WORDS))),
    (On(0, Spectrum(2)) * On(1, kernels.Gaussian(2.0)), Views((Strings.of(WORDS), NUMBERS))),
    (WeisfeilerLehman(1), Graphs.of(NETWORKS)),
    (Normalised(OptimalAssignment(1)) + 0.01 * ShortestPath() + RandomWalk(0.1), Graphs.of(NETWORKS)),
    (GlobalAlignment(2.0), Ragged.of(SERIES)),
    (Signature(2, kernels.Gaussian(3.0)), Ragged.of(SERIES)),
]


NAMES = [
    *("strings", "gaps", "mismatches", "subsequences", "local alignment", "sums", "function", "views"),
    *("graphs", "sums of graphs", "alignment", "signature"),
]


@pytest.fixture(params=CASES, ids=NAMES)
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_kernels_obey_the_laws(case: Any) -> None:
    kernel, x = case
    gram = kernel(x, x)
    assert gram.shape == (N, N)
    assert np.allclose(gram, gram.T, rtol=1e-12)
    assert np.allclose(np.diagonal(gram), kernel.diag(x), rtol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-10 * np.abs(gram).max()
    assert np.allclose(kernel(x[3:7], x[[1, 30]]), gram[3:7][:, [1, 30]], rtol=1e-12)
    prepared = kernel.prepared(x)
    assert np.allclose(kernel(prepared[:5], prepared), gram[:5], rtol=1e-12)


@pytest.mark.parametrize(
    "selector",
    [
        landmarks.Uniform(12),
        landmarks.RPCholesky(12),
        landmarks.Greedy(12),
        landmarks.RidgeLeverage(12),
        landmarks.BLESS(12),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_rules_choose_objects(case: Any, selector: Any) -> None:
    kernel, x = case
    with _reduced():
        found = selector(kernel, x, 0, weights=np.where(np.arange(N) < 20, 1.0, 0.0))
    assert 1 <= len(found.points) <= 12
    assert max(found.indices) < 20
    assert [found.points.key(i) for i in range(len(found.points))] == [x.key(i) for i in found.indices]
    assert len({found.points.key(i) for i in range(len(found.points))}) == len(found.points)


@pytest.mark.parametrize("rule", [landmarks.KMeans, landmarks.MiniBatchKMeans, landmarks.SphericalKMeans])
def test_rules_of_vectors_say_what_to_take(rule: Any) -> None:
    with pytest.raises(TypeError, match=f"{rule.__name__} needs vectors.*take RPCholesky"):
        rule(3)(Spectrum(2), Strings.of(WORDS), 0)


def test_maps_are_as_of_the_matrix(case: Any) -> None:
    kernel, x = case
    gram, points = kernel(x, x), x[:10]
    phi = maps.nystrom(kernel, points, reg=1e-6)
    of_matrix = maps.nystrom(kernels.Precomputed(gram), np.arange(10.0)[:, None], reg=1e-6)
    numbers = np.arange(float(N))[:, None]
    assert np.allclose(phi(x), of_matrix(numbers), rtol=1e-9, atol=1e-9)
    assert np.allclose(phi.residual(x), of_matrix.residual(numbers), atol=1e-8 * np.abs(gram).max())
    assert np.allclose(phi.relative_error(x), of_matrix.relative_error(numbers), atol=1e-8)
    assert np.allclose(phi.trace_error(x, block=7), phi.trace_error(x), atol=1e-8 * np.abs(gram).max())
    assert phi.rank == of_matrix.rank
    assert phi.columns is None


def test_a_size_is_suggested() -> None:
    found = maps.suggest(Spectrum(2), Strings.of(WORDS), error=0.2, rng=0)
    assert found.reached
    assert found.chosen.name == "nystrom"


@pytest.mark.parametrize("solver", [solvers.kernel_ridge, solvers.falkon])
def test_solvers_find_what_they_find_of_the_matrix(case: Any, solver: Any) -> None:
    kernel, x = case
    gram = kernel(x, x)
    points = RPCholesky(6)(kernel, x, 0)
    numbers = np.asarray(points.indices, dtype=float)[:, None]
    found = solver(kernel, points.points, x, TARGETS, 1e-2)
    wanted = solver(kernels.Precomputed(gram), numbers, np.arange(float(N))[:, None], TARGETS, 1e-2)
    assert np.allclose(found(x), wanted(np.arange(float(N))[:, None]), atol=1e-5)


def test_all_objects_are_solved_for(case: Any) -> None:
    kernel, x = case
    found = solvers.nystrom_pcg(kernel, x, TARGETS, 1e-2)
    wanted = kernel(x, x) @ np.linalg.solve(kernel(x, x) + 1e-2 * N * np.eye(N), TARGETS)
    assert np.allclose(found(x), wanted, atol=1e-4)


def test_a_classifier_is_fitted(case: Any) -> None:
    kernel, x = case
    labels = np.where(np.median(TARGETS) < TARGETS, 1.0, -1.0)
    model = solvers.fit_kernel(kernel, RPCholesky(6)(kernel, x, 0).points, x, labels, solvers.Logistic(), 1e-3)
    assert (np.sign(model(x)) == labels).mean() > 0.7


def test_learning_is_that_of_the_features(case: Any) -> None:
    kernel, x = case
    phi = maps.nystrom(kernel, x[:8], reg=1e-3)
    features = phi(x)

    def same(rows: Any) -> Any:
        return rows

    assert np.allclose(learning.kernel_pca(phi, x, 2)(x), learning.kernel_pca(same, features, 2)(features))
    clusters = learning.kernel_kmeans(phi, x, 3, rng=0)
    assert (clusters.labels == learning.kernel_kmeans(same, features, 3, rng=0).labels).all()
    assert (clusters(x) == clusters.labels).all()
    assert np.allclose(learning.mmd(phi, x[:20], x[20:]), learning.mmd(same, features[:20], features[20:]))
    assert np.allclose(learning.hsic(phi, phi, x, x), learning.hsic(same, same, features, features))


def test_blocks_are_seen_as_one(case: Any) -> None:
    kernel, x = case
    phi = maps.nystrom(kernel, x[:8], reg=1e-3)
    pairs = [(x[:15], TARGETS[:15]), (x[15:], TARGETS[15:])]
    streamed = streaming.ridge(phi, pairs).model(1e-3)
    assert np.allclose(streamed(x), solvers.ridge(phi(x), TARGETS, 1e-3)(phi(x)))
    halves = [streaming.FeatureSums(phi).partial_fit(*pair) for pair in pairs]
    assert np.allclose(streaming.merge(*halves).model(1e-3)(x), streamed(x))
    assert np.allclose(np.concatenate(list(streaming.transform(phi, streaming.rows(x, 9)))), phi(x))


def test_parameters_of_kernels_are_learnt() -> None:
    x, y = Strings.of(WORDS), TARGETS
    kernel = 2.0 * Normalised(Spectrum(2)) + 3.0 * Normalised(Spectrum(1))
    found = learning.hyper.fit(kernel, x[:8], x, y)
    assert found.loss <= found.history[0]
    assert found.points is not None
    with pytest.raises(ValueError, match=r"expected some of kernel\.terms\.0\.scale"):
        learning.hyper.fit(kernel, x[:8], x, y, fixed=("points",))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_values_are_in_the_library_of_the_objects(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    like = kerneltools.backend(library).asarray(0.0, dtype=kerneltools.backend(library).namespace.float32)
    x = Strings.of(WORDS).to(like)
    phi = maps.nystrom(Spectrum(2), x[:8])
    assert phi(x).dtype == like.dtype
    assert type(phi(x)) is type(like)
    here = maps.nystrom(Spectrum(2), Strings.of(WORDS)[:8])
    assert np.allclose(np.asarray(phi(x)), here(Strings.of(WORDS)), atol=1e-3)
    y = kerneltools.backend(library).asarray(TARGETS, dtype=like.dtype)
    model = solvers.kernel_ridge(Spectrum(2), x[:8], x, y, 1e-2)
    words = Strings.of(WORDS)
    assert np.allclose(
        np.asarray(model(x)), solvers.kernel_ridge(Spectrum(2), words[:8], words, TARGETS, 1e-2)(words), atol=1e-3
    )


def test_rows_are_refused_where_objects_are_wanted() -> None:
    x = Strings.of(WORDS)
    with pytest.raises(TypeError, match=r"expected Strings for Spectrum.*got ndarray.*structures.Strings.of"):
        Spectrum(2)(NUMBERS, NUMBERS)
    with pytest.raises(TypeError, match=r"expected arrays?, got Strings.*kernels.strings"):
        kernels.Gaussian(1.0)(x, x)
    with pytest.raises(TypeError, match="x: expected Strings as the landmarks, got an array of rows"):
        maps.nystrom(Spectrum(2), x[:3])(NUMBERS)


class TestEstimators:
    """With lists of Python objects, as scikit-learn's tools cut them."""

    def test_a_list_of_strings_in_a_grid_search(self) -> None:
        from sklearn.model_selection import GridSearchCV

        from kerneltools.estimators import KernelRidge

        search = GridSearchCV(KernelRidge(Spectrum(2), landmarks=20), {"kernel__k": [1, 2]}, cv=3)
        with _reduced():
            found = search.fit(WORDS, TARGETS[:, 0])
        assert found.best_params_ == {"kernel__k": 2}
        assert found.predict(["ACAC", "GG"]).shape == (2,)

    def test_all_five(self, case: Any) -> None:
        from sklearn.base import clone
        from sklearn.model_selection import cross_val_score
        from sklearn.pipeline import make_pipeline

        from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures

        kernel, x = case
        objects, y = list(x), TARGETS[:, 0]
        labels = np.where(y > np.median(y), "many", "few")
        with _reduced():
            regression = clone(KernelRidge(kernel, landmarks=10)).fit(objects, y)
            assert regression.score(objects, y) > 0.3
            assert np.allclose(regression.predict(objects), KernelRidge(kernel, landmarks=10).fit(x, y).predict(x))
            halves = KernelRidge(kernel, landmarks=x[:10], reg=1e-2).partial_fit(objects[:20], y[:20])
            whole = KernelRidge(kernel, landmarks=x[:10], reg=1e-2).fit(objects, y)
            assert np.allclose(halves.partial_fit(objects[20:], y[20:]).predict(objects), whole.predict(objects))
            assert cross_val_score(KernelClassifier(kernel, landmarks=10), objects, labels, cv=2).min() > 0.3
            features = NystromFeatures(kernel, landmarks=10).fit(objects)
            assert features.transform(objects).shape[0] == N
            assert KernelPCA(2, kernel=kernel, landmarks=10).fit_transform(objects).shape == (N, 2)
            steps = make_pipeline(NystromFeatures(kernel, landmarks=10), KernelRidge(kernels.Linear(), landmarks=5))
            assert steps.fit(objects, y).predict(objects[:3]).shape == (3,)

    def test_a_file_keeps_them(self, tmp_path: Any) -> None:
        from kerneltools.estimators import KernelClassifier

        labels = np.where(TARGETS[:, 0] > 2, "many", "few")
        model = KernelClassifier(Normalised(Spectrum(2)), landmarks=10).fit(WORDS, labels)
        kerneltools.save(model, tmp_path / "model.safetensors")
        again = kerneltools.load(tmp_path / "model.safetensors")
        assert (again.predict(WORDS) == model.predict(WORDS)).all()
        assert repr(again.landmarks_).startswith("Strings(10 strings")

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (["ACGT", "A5"], "X: string 1.*'5'"),
            ([], "X: objects: expected at least one"),
            (NUMBERS, "X: "),
            (["ACGT", 5], "X: strings: expected strings, got int as number 1"),
        ],
    )
    def test_what_is_wrong_is_named(self, X: Any, message: str) -> None:
        from kerneltools.estimators import KernelRidge

        model = KernelRidge(Spectrum(2), landmarks=5).fit(WORDS, TARGETS[:, 0])
        with pytest.raises((TypeError, ValueError), match=message):
            model.predict(X)

    def test_a_kernel_is_asked_for(self) -> None:
        from kerneltools.estimators import KernelRidge

        with pytest.raises(ValueError, match="kernel: expected one for Strings"):
            KernelRidge().fit(WORDS, TARGETS[:, 0])


@contextmanager
def _reduced() -> Iterator[None]:
    """Fewer landmarks than were asked for are no news here."""
    with catch_warnings():
        simplefilter("ignore", landmarks.ReducedWarning)
        yield


def test_structures_are_named() -> None:
    assert Spectrum(2).structure is Strings
    assert (2.0 * Spectrum(2) + Spectrum(1)).structure is Strings
    assert structures.of(WORDS).lengths.tolist() == [len(word) for word in WORDS]
