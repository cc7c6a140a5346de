"""What the estimators learn, how rows are added, and what wrong input does."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerneltools import kernels, landmarks, maps, solvers, streaming
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, RandomFeatures
from kerneltools.landmarks import ReducedWarning

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3))
Y = np.sin(X @ RNG.standard_normal((3, 2)))
LABELS = np.where(3 * X[:, 0] > X[:, 1], "yes", "no")
WEIGHTS = RNG.random(80) + 0.1
POINTS = X[:10, :]
KERNEL = kernels.Gaussian(1.5)


def test_ridge_is_the_ridge_of_the_features() -> None:
    model = KernelRidge(KERNEL, landmarks=POINTS, reg=1e-3).fit(X, Y, WEIGHTS)
    phi = maps.nystrom(KERNEL, POINTS)
    expected = solvers.ridge(phi(X), Y, 1e-3, weights=WEIGHTS)(phi(X))
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-10)


def test_several_regs_are_judged() -> None:
    regs = (1e-8, 1e-4, 1e-1)
    model = KernelRidge(KERNEL, landmarks=POINTS, reg=regs).fit(X, Y)
    phi = maps.nystrom(KERNEL, POINTS)
    errors = solvers.ridge_path(phi(X), Y).generalised_cross_validation(regs).mean(axis=1)
    np.testing.assert_allclose(model.errors_, errors, rtol=1e-8)
    assert model.reg_ == regs[int(errors.argmin())]


def test_falkon_gives_what_the_direct_solver_gives() -> None:
    by_solver = [
        KernelRidge(KERNEL, landmarks=POINTS, reg=1e-3, solver=solver).fit(X, Y, WEIGHTS)
        for solver in (solvers.falkon, solvers.kernel_ridge)
    ]
    np.testing.assert_allclose(by_solver[0].predict(X), by_solver[1].predict(X), atol=1e-5)
    model = solvers.kernel_ridge(KERNEL, POINTS, X, Y - WEIGHTS @ Y / WEIGHTS.sum(), 1e-3, weights=WEIGHTS)
    np.testing.assert_allclose(by_solver[1].predict(X), model(X) + WEIGHTS @ Y / WEIGHTS.sum(), atol=1e-12)


def test_classifier_is_fit_kernel() -> None:
    model = KernelClassifier(KERNEL, landmarks=POINTS, reg=1e-3).fit(X, LABELS, WEIGHTS)
    targets = np.where(LABELS == "yes", 1.0, -1.0)[:, None]
    expected = solvers.fit_kernel(KERNEL, POINTS, X, targets, solvers.Logistic(), 1e-3, weights=WEIGHTS)(X)[:, 0]
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-expected)), atol=1e-5)


@pytest.mark.parametrize("loss", [solvers.Logistic(), solvers.CrossEntropy(), solvers.SquaredHinge()])
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities(loss: Any, classes: int) -> None:
    labels = np.digitize(X[:, 0], [0.0, 1.0][: classes - 1])
    model = KernelClassifier(KERNEL, landmarks=POINTS, loss=loss).fit(X, labels)
    chances = model.predict_proba(X)
    assert chances.shape == (80, classes)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[chances.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), chances)
    assert model.score(X, labels) > 0.85


def calibration_error(chances: np.ndarray, right: np.ndarray) -> float:
    """The mean difference of the greatest probability and the share of labels that are right, in ten bins of it."""
    bins = np.minimum((10 * chances).astype(int), 9)
    parts = [bins == b for b in range(10) if (bins == b).any()]
    return float(sum(part.mean() * abs(chances[part].mean() - right[part].mean()) for part in parts))


@pytest.mark.parametrize(("classes", "reg"), [(2, None), (2, 1e-5), (3, None)])
def test_probabilities_of_the_hinge_are_reliable(classes: int, reg: float | None) -> None:
    rows = np.random.default_rng(1).standard_normal((2600, 3))
    noisy = np.sin(2 * rows[:, 0]) + rows[:, 1] + 0.7 * np.random.default_rng(2).standard_normal(2600)
    labels = np.digitize(noisy, [0.0, 1.0][: classes - 1])
    model = KernelClassifier(KERNEL, landmarks=60, loss=solvers.SquaredHinge(), reg=reg).fit(rows[:600], labels[:600])
    chances = model.predict_proba(rows[600:])
    right = model.predict(rows[600:]) == labels[600:]
    np.testing.assert_array_equal(chances.argmax(axis=1), model.predict(rows[600:]))
    assert calibration_error(chances.max(axis=1), right) < 0.05
    plain = 1 / (1 + np.exp(-model.decision_function(rows[600:])))
    plain = np.stack([1 - plain, plain], axis=1) if classes == 2 else plain / plain.sum(axis=1, keepdims=True)
    assert calibration_error(plain.max(axis=1), right) > 0.1


def test_class_weights() -> None:
    labels = np.asarray(["rare", "some", "often"])[np.digitize(X[:, 0], [-1.0, 0.0])]
    make = partial(KernelClassifier, KERNEL, landmarks=POINTS, reg=1e-3, loss=solvers.SquaredHinge())
    factors = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    balanced = WEIGHTS * [len(X) / 3 / factors[label] for label in labels]
    np.testing.assert_allclose(
        make(class_weight="balanced").fit(X, labels).decision_function(X),
        make().fit(X, labels, balanced / WEIGHTS).decision_function(X),
        atol=1e-8,
    )
    doubled = make(class_weight={"rare": 2}).fit(X, labels, WEIGHTS).decision_function(X)
    by_hand = make().fit(X, labels, WEIGHTS * np.where(labels == "rare", 2, 1)).decision_function(X)
    np.testing.assert_allclose(doubled, by_hand, atol=1e-8)
    assert np.abs(doubled - make().fit(X, labels, WEIGHTS).decision_function(X)).max() > 0.01
    with pytest.raises(ValueError, match="class_weight: expected classes of y, 'often', 'rare', 'some', got 'never'"):
        make(class_weight={"never": 2}).fit(X, labels)
    with pytest.raises(ValueError, match=r"class_weight.'rare'.: expected a number >= 0, got -1"):
        make(class_weight={"rare": -1}).fit(X, labels)
    with pytest.raises(ValueError, match="y: expected at least two classes, got one class only: 'rare'"):
        make().fit(X, np.full(len(X), "rare"))
    with pytest.raises(ValueError, match="class_weight: expected None, 'balanced' or a dict by class, got 'even'"):
        make(class_weight="even").fit(X, labels)


def test_a_class_of_weight_0_is_as_its_rows_of_weight_0() -> None:
    make = partial(KernelClassifier, KERNEL, landmarks=POINTS, reg=1e-3)
    found = make(class_weight={"no": 0}).fit(X, LABELS).decision_function(X)
    np.testing.assert_array_equal(found, make().fit(X, LABELS, (LABELS == "yes").astype(float)).decision_function(X))
    with pytest.raises(ValueError, match=r"class_weight: expected a number > 0 for some class of y, got 0 for"):
        make(class_weight=dict.fromkeys(LABELS.tolist(), 0)).fit(X, LABELS)


def test_balanced_classes_of_weighted_rows_are_those_of_repeated_rows() -> None:
    times = np.random.default_rng(0).integers(1, 4, len(X))
    make = partial(KernelClassifier, KERNEL, landmarks=POINTS, loss=solvers.SquaredHinge(), class_weight="balanced")
    weighted = make().fit(X, LABELS, times)
    repeated = make().fit(np.repeat(X, times, axis=0), np.repeat(LABELS, times))
    np.testing.assert_allclose(weighted.errors_, repeated.errors_, rtol=1e-5)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-3)


def make(cls: type) -> Any:
    return (
        KernelRidge(KERNEL, landmarks=POINTS) if cls is KernelRidge else KernelPCA(3, kernel=KERNEL, landmarks=POINTS)
    )


def outcome(model: Any) -> np.ndarray:
    return model.predict(X) if isinstance(model, KernelRidge) else model.transform(X)


@pytest.mark.parametrize("cls", [KernelRidge, KernelPCA])
def test_partial_fit_and_merge_are_the_fit_of_all_rows(cls: type) -> None:
    whole = outcome(make(cls).fit(X, Y))
    model = make(cls)
    for part in (slice(0, 1), slice(1, 30), slice(30, 80)):
        model.partial_fit(X[part, :], Y[part, :])
    np.testing.assert_allclose(outcome(model), whole, atol=1e-10)
    here, there = make(cls).fit(X[:30, :], Y[:30, :]), make(cls).fit(X[30:, :], Y[30:, :])
    before = outcome(here)
    np.testing.assert_allclose(outcome(here.merge(there)), whole, atol=1e-10)
    np.testing.assert_array_equal(outcome(here), before)
    with pytest.raises(ValueError, match="merge: expected sums in the features of one map"):
        here.merge(make(cls).set_params(landmarks=X[1:11, :]).fit(X, Y))


def test_partial_fit_takes_weights() -> None:
    whole = make(KernelRidge).fit(X, Y, WEIGHTS).predict(X)
    model = (
        make(KernelRidge)
        .partial_fit(X[:30, :], Y[:30, :], WEIGHTS[:30])
        .partial_fit(X[30:, :], Y[30:, :], WEIGHTS[30:])
    )
    np.testing.assert_allclose(model.predict(X), whole, atol=1e-10)


@pytest.mark.parametrize("cls", [KernelRidge, KernelPCA])
def test_what_fails_leaves_the_estimator(cls: type) -> None:
    broken = X.copy()
    broken[70, 1] = np.inf
    for model in (make(cls), make(cls).fit(X[:30, :], Y[:30, :])):
        before = dict(vars(model))
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match="X: expected finite numbers, got inf in row 70, column 1"):
                call(broken, Y)
        with pytest.raises(ValueError, match=r"columns|features"):
            (model.partial_fit if hasattr(model, "sums_") else model.fit)(X[:, :2], Y)
        assert vars(model) == before


def test_partial_fit_keeps_the_form_of_the_targets() -> None:
    model = KernelRidge(KERNEL, landmarks=POINTS).partial_fit(X, Y[:, 0])
    assert model.predict(X).shape == (80,)
    with pytest.raises(ValueError, match=r"y: expected \(n,\) as before, got \(80, 2\)"):
        model.partial_fit(X, Y)
    assert not hasattr(KernelRidge(solver=solvers.falkon), "partial_fit")


def test_names_of_inner_parameters() -> None:
    model = KernelRidge(2.0 * kernels.Gaussian(1.0) + kernels.Linear(), landmarks=landmarks.KMeans(7))
    names = model.get_params()
    assert names["kernel__terms__0__kernel__bandwidth"] == 1.0
    assert names["landmarks__m"] == 7
    old = model.kernel
    model.set_params(kernel__terms__0__kernel__bandwidth=3.0, landmarks__m=5)
    assert model.kernel == 2.0 * kernels.Gaussian(3.0) + kernels.Linear()
    assert model.landmarks == landmarks.KMeans(5)
    assert old == 2.0 * kernels.Gaussian(1.0) + kernels.Linear()
    assert clone(model).kernel == model.kernel
    with pytest.raises(ValueError, match="Invalid parameter 'width' for"):
        model.set_params(kernel__terms__0__kernel__width=3.0)
    with pytest.raises(ValueError, match="bandwidth: expected a finite number > 0"):
        model.set_params(kernel__terms__0__kernel__bandwidth=-3.0)
    with pytest.raises(ValueError, match="kernel is None; set kernel= first"):
        KernelRidge().set_params(kernel__lengthscale=1.0)


def test_grid_search_over_kernels_and_their_parameters() -> None:
    pipeline = make_pipeline(StandardScaler(), KernelRidge(KERNEL, landmarks=20))
    grid = [
        {"kernelridge__kernel__bandwidth": [0.1, 1.5], "kernelridge__reg": [1e-6, 10.0]},
        {"kernelridge__kernel": [kernels.Matern(0.5, 0.05)]},
    ]
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_params_ == {"kernelridge__kernel__bandwidth": 1.5, "kernelridge__reg": 1e-6}
    assert search.predict(X).shape == Y.shape


def test_cross_validation_on_torch() -> None:
    import torch

    x, labels = torch.asarray(X), torch.asarray(X[:, 0] > 0).to(torch.int64)
    scores = cross_val_score(KernelClassifier(KERNEL, landmarks=10), x, labels, cv=3)
    assert scores.min() > 0.8


def test_set_output_and_names() -> None:
    features = NystromFeatures(KERNEL, landmarks=4).fit(X)
    assert features.get_feature_names_out().tolist() == [f"nystromfeatures{i}" for i in range(4)]
    assert KernelPCA(2, kernel=KERNEL, landmarks=10).fit(X[:20, :], None).get_feature_names_out().tolist() == [
        "kernelpca0",
        "kernelpca1",
    ]
    assert RandomFeatures(KERNEL, m=6).set_output(transform="default").fit_transform(X).shape == (80, 6)


def test_functions_are_kernels() -> None:
    found = NystromFeatures(lambda x, y: x @ y.T, landmarks=POINTS).fit_transform(X)
    np.testing.assert_allclose(found @ found.T, X @ X.T, atol=1e-5)


def test_more_landmarks_than_rows() -> None:
    with pytest.warns(ReducedWarning, match="landmarks: 100 asked for, 80 made: 80 rows"):
        model = NystromFeatures(KERNEL, landmarks=100).fit(X)
    assert model.landmarks_.shape == (80, 3)
    twice = np.concatenate([X[:20, :], X[:20, :]])
    with pytest.warns(ReducedWarning, match="20 made"):
        assert NystromFeatures(KERNEL, landmarks=30).fit(twice).landmarks_.shape == (20, 3)


@pytest.mark.parametrize("state", [0, 3, np.random.RandomState(0), np.random.default_rng(0), None])
def test_random_states(state: Any) -> None:
    assert NystromFeatures(KERNEL, landmarks=5, random_state=state).fit(X).landmarks_.shape == (5, 3)


def test_classes_in_the_place_of_objects() -> None:
    with pytest.raises(TypeError, match=r"kernel: expected a kernel, got the class Gaussian; write Gaussian"):
        NystromFeatures(kernels.Gaussian).fit(X)
    with pytest.raises(TypeError, match=r"landmarks: expected a number, a selector such as .*, got <class .*KMeans'>"):
        NystromFeatures(KERNEL, landmarks=landmarks.KMeans).fit(X)
    with pytest.raises(TypeError, match=r"landmarks: expected kerneltools.landmarks.Landmarks from the selector"):
        NystromFeatures(KERNEL, landmarks=lambda kernel, x, rng: x[:5, :]).fit(X)


def test_merge_of_another_thing() -> None:
    for found in (KernelRidge(KERNEL, landmarks=5).fit(X, X[:, 0]), KernelPCA(2, kernel=KERNEL, landmarks=5).fit(X)):
        with pytest.raises(TypeError, match=r"other: expected a fitted Kernel.*, got int"):
            found.merge(3)  # type: ignore[arg-type]


def test_what_cannot_be_called() -> None:
    y = np.sin(X[:, 0])
    for estimator, message in (
        (
            KernelRidge(KERNEL, landmarks=5, solver=solvers.exact_ridge),
            "solver: expected .* got exact_ridge: too",
        ),
        (KernelRidge(KERNEL, landmarks=5, solver="falkon"), "solver: expected a function .*falkon, got 'falkon'"),
        (KernelClassifier(KERNEL, landmarks=5, loss="hinge"), r"loss: expected one of .*Logistic\(\), got 'hinge'"),
        (RandomFeatures(KERNEL, m=6, draw="fourier"), "draw: expected a function .*fourier, got 'fourier'"),
    ):
        with pytest.raises(TypeError, match=message):
            estimator.fit(X, y > 0 if isinstance(estimator, KernelClassifier) else y)


def test_wrong_parameters() -> None:
    for estimator, error, message in (
        (NystromFeatures("rbf"), TypeError, "kernel: expected an object such as .* got 'rbf'"),
        (NystromFeatures(KERNEL, landmarks=0), ValueError, "landmarks: expected a number >= 1"),
        (NystromFeatures(KERNEL, landmarks="all"), TypeError, "landmarks: expected a number, a selector"),
        (NystromFeatures(KERNEL, landmarks=X[:5, :2]), ValueError, "points: expected 3 columns as in x"),
        (NystromFeatures(kernels.Gaussian(np.ones(2)), landmarks=5), ValueError, "columns"),
        (NystromFeatures(kernels.Sigmoid(1.0, 0.0), landmarks=5), ValueError, "indefinite"),
        (NystromFeatures(kernels.Chi2(1.0), landmarks=5), ValueError, "negative|>= 0"),
        (RandomFeatures(KERNEL, m=7), ValueError, "even"),
        (RandomFeatures(kernels.Linear(), m=8), TypeError, "Gaussian, Matern"),
        (KernelRidge(KERNEL, landmarks=5, reg=0.0), ValueError, "reg: expected a finite number > 0, got 0.0"),
        (KernelRidge(KERNEL, landmarks=5, reg=()), ValueError, "reg: .* got none"),
        (KernelRidge(KERNEL, landmarks=5, reg=(1.0, 2.0), solver=solvers.falkon), ValueError, "one number together"),
        (KernelClassifier(KERNEL, landmarks=5, reg=-1.0), ValueError, "reg: expected a finite number > 0, got -1"),
        (KernelPCA(0, kernel=KERNEL, landmarks=5), ValueError, "n_components: expected an integer >= 1, got 0"),
    ):
        with pytest.raises(error, match=message):
            estimator.fit(X, LABELS if isinstance(estimator, KernelClassifier) else Y)
    with pytest.raises(ValueError, match="one class only"):
        KernelClassifier(KERNEL, landmarks=5).fit(X, np.zeros(80))


def test_the_model_goes_on_in_a_stream() -> None:
    model = make(KernelRidge).fit(X[:30, :], Y[:30, :])
    whole = streaming.ridge(model.sums_.map, [(X[30:, :], Y[30:, :])], start=model.sums_).model(model.reg_)
    np.testing.assert_allclose(whole(X), make(KernelRidge).fit(X, Y).predict(X), atol=1e-10)


def test_rows_of_weight_0_are_no_landmarks() -> None:
    weights = np.where(np.arange(80) < 20, 1.0, 0.0)
    model = KernelRidge(KERNEL, landmarks=landmarks.Uniform(20)).fit(X, Y, weights)
    np.testing.assert_array_equal(np.sort(model.landmarks_, axis=0), np.sort(X[:20, :], axis=0))
    np.testing.assert_allclose(
        model.predict(X),
        KernelRidge(KERNEL, landmarks=model.landmarks_).fit(X[:20, :], Y[:20, :]).predict(X),
        atol=1e-8,
    )


def test_more_components_than_there_are() -> None:
    with pytest.warns(ReducedWarning, match="components: 8 asked for, 4 made: there are no more landmarks"):
        assert KernelPCA(8, kernel=KERNEL, landmarks=X[:4, :]).fit_transform(X).shape == (80, 4)
    # Without landmarks of their own, rows of a line have one component.
    with pytest.warns(ReducedWarning, match="components: 2 asked for, 1 made: 80 rows vary in no more directions"):
        assert KernelPCA(2, kernel=kernels.Linear(), landmarks=X[:3, :]).fit_transform(X * [1.0, 0, 0]).shape == (80, 1)
