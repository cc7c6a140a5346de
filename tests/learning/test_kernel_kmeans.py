"""Kernel k-means on features, against distances by kernel values and scikit-learn's k-means."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from kerneltools.kernels import Gaussian
from kerneltools.landmarks import ReducedWarning
from kerneltools.learning import kernel_kmeans
from kerneltools.maps import nystrom


def rings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc within a ring: no two convex sets."""
    rng = np.random.default_rng(seed)
    outside = np.arange(n) % 2
    angle = 2 * np.pi * rng.random(n)
    radius = 3 * outside + 0.3 * rng.standard_normal(n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), outside


X, OUTSIDE = rings(200, 0)
PHI = nystrom(Gaussian(1.0), X[:60])


def test_clusters_that_are_not_convex() -> None:
    # The square of the distance from the origin tells the rings apart; so do features of a polynomial kernel.
    found = kernel_kmeans(lambda x: np.stack([x[:, 0] ** 2, x[:, 1] ** 2, x[:, 0] * x[:, 1]], axis=1), X, 3, rng=0)
    plain = kernel_kmeans(lambda x: x, X, 3, rng=0)
    assert agreement(found.labels, OUTSIDE) > 0.95 > 0.9 > agreement(plain.labels, OUTSIDE)


def agreement(labels: np.ndarray, truth: np.ndarray) -> float:
    """The share of rows that are of the most frequent kind in their cluster."""
    return sum(max(np.sum(truth[labels == k]), np.sum(1 - truth[labels == k])) for k in set(labels.tolist())) / len(
        truth
    )


def test_inertia_is_that_of_kernel_values() -> None:
    exact = nystrom(Gaussian(1.0), X)
    found = kernel_kmeans(exact, X, 4, rng=0)
    gram = Gaussian(1.0)(X, X)
    wanted = 0.0
    for k in range(4):
        part = gram[np.ix_(found.labels == k, found.labels == k)]
        wanted += np.trace(part) - part.sum() / len(part)
    # The last centres are means of the clusters before them: as good as the tolerance of the rounds.
    assert found.inertia == pytest.approx(wanted, rel=1e-3)
    assert found.inertia >= wanted * (1 - 1e-9)


def test_it_is_as_good_as_plain_kmeans_of_the_features() -> None:
    other = KMeans(4, n_init=4, random_state=0).fit(PHI(X)).inertia_
    assert kernel_kmeans(PHI, X, 4, rng=0).inertia <= 1.02 * other


def test_new_rows_go_to_the_nearest_centre() -> None:
    found = kernel_kmeans(PHI, X, 4, rng=0)
    assert np.array_equal(found(X, block=7), found.labels)
    new, _ = rings(50, 1)
    distances = np.sum((PHI(new)[:, None, :] - found.centres) ** 2, axis=2)
    assert np.array_equal(found(new), np.argmin(distances, axis=1))


def test_more_restarts_are_no_worse() -> None:
    assert kernel_kmeans(PHI, X, 8, rng=0, restarts=6).inertia <= kernel_kmeans(PHI, X, 8, rng=0, restarts=1).inertia


def test_fewer_clusters_than_asked_for() -> None:
    with pytest.warns(ReducedWarning, match="clusters: 4 asked for, 2 made") as caught:
        found = kernel_kmeans(PHI, np.repeat(X[:2], 5, axis=0), 4, rng=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found.inertia == pytest.approx(0, abs=1e-12)


def test_rows_of_weight_0_have_labels_but_no_say() -> None:
    weights = np.where(np.arange(200) < 150, 2.0, 0.0)
    found, wanted = kernel_kmeans(PHI, X, 4, rng=0, weights=weights), kernel_kmeans(PHI, X[:150], 4, rng=0)
    np.testing.assert_allclose(found.centres, wanted.centres, atol=1e-12)
    assert np.array_equal(found.labels, wanted(X))
    assert found.inertia == pytest.approx(2 * wanted.inertia)


def test_wrong_input() -> None:
    for weights in (-np.ones(200), np.ones(3), np.zeros(200)):
        with pytest.raises(ValueError, match="weights: expected"):
            kernel_kmeans(PHI, X, 2, rng=0, weights=weights)
    with pytest.raises(ValueError, match="restarts: expected an integer >= 1, got 0"):
        kernel_kmeans(PHI, X, 2, rng=0, restarts=0)
    with pytest.raises(ValueError, match="clusters: expected an integer >= 1, got 0"):
        kernel_kmeans(PHI, X, 0, rng=0)
    with pytest.raises(ValueError, match=r"x: expected finite numbers, got inf in row 0, column 0"):
        kernel_kmeans(PHI, X + np.inf, 2, rng=0)
