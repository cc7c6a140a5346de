"""The head of many rows, and heads that are asked for: which loss, which λ, in memory or in a file."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.svm import LinearSVC

import ckn
from ckn import ImageClassifier, ImageRegressor, choice
from ckn.choice import chosen_head, chosen_regression
from ckn.estimators import body
from ckn.head import fit_head
from ckn.kept import Kept, kept
from kerneltools.files import open_rows, save_rows
from kerneltools.solvers import CrossEntropy, LinearModel, Squared, SquaredHinge, ridge_sums
from kerneltools.solvers.sums import sums_of_blocks

RNG = np.random.default_rng(0)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if 100 rows were many and nothing had room in memory; the folder for temporary files."""
    for module in (choice, body):
        monkeypatch.setattr(module, "MANY", 100)
    monkeypatch.setattr(body, "MEMORY", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def of_few_rows() -> tuple[np.ndarray, np.ndarray]:
    """What linear discriminants are best for, ridge regression among them, and too few rows for margins to be known."""
    rng = np.random.default_rng(3)
    labels, x = rng.integers(0, 2, 300), rng.standard_normal((300, 60))
    return x + 2 * labels[:, None] * np.eye(60)[0], labels


def gaussian(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    return rng.standard_normal((n, 8)) + rng.standard_normal((3, 8))[labels], labels


def with_far_ones(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of one class is far beyond the margin, where least squares cannot let it be."""
    labels = RNG.integers(0, 2, n)
    x = RNG.standard_normal((n, 2)) * 0.3 + np.where(labels[:, None] == 1, 1.0, -1.0) * np.asarray([0.5, 0.0])
    far = (labels == 1) & (RNG.random(n) < 0.5)
    return x + np.where(far[:, None], 12.0, 0.0), labels


def test_the_head_that_is_right_more_often(many: Path) -> None:
    for (x, labels), loss in ((of_few_rows(), Squared()), (with_far_ones(1500), SquaredHinge())):
        found = chosen_head(Kept(x, x), labels, int(labels.max()) + 1)
        ridge, hinge = found.choice.tried
        assert (ridge.loss, hinge.loss, found.loss) == (Squared(), SquaredHinge(), loss)
        assert found.choice.taken.loss == loss
        assert found.loo_accuracy == max(ridge.accuracy, hinge.accuracy)
        assert found.choice.left_out == pytest.approx(len(x) / 5, abs=2)
        assert found.choice.seconds > 0
        assert abs(hinge.accuracy - ridge.accuracy) > 0.02
        assert np.mean(np.argmax(found.model(x), axis=1) == labels) >= found.loo_accuracy - 0.02


def test_the_head_of_scikit_learn(many: Path) -> None:
    x, labels = gaussian(400)
    found = chosen_head(Kept(x, x), labels, 3, SquaredHinge(), regs=(1e-3,))
    svc = LinearSVC(C=1 / (4 * 1e-3 * len(x)), dual=False, intercept_scaling=1e3, tol=1e-9).fit(x, labels)
    targets = np.where(labels[:, None] == np.arange(3), 1.0, -1.0)

    def objective(model: LinearModel) -> float:
        return float(SquaredHinge()(model(x), targets).mean() + 1e-3 * (model.weights**2).sum())

    assert objective(found.model) == pytest.approx(objective(LinearModel(svc.coef_.T, svc.intercept_)), rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_gives_what_memory_gives(dtype: type, many: Path, tmp_path: Path, monkeypatch: Any) -> None:
    x, labels = gaussian(700)
    x = x.astype(dtype)
    monkeypatch.setattr("ckn.kept.BLOCK_NUMBERS", 8 * 64)
    save_rows(tmp_path / "x.npy", len(x), iter([x]))
    weights = np.where(labels == 0, 2.0, 1.0)
    for loss in (None, CrossEntropy()):
        a = chosen_head(Kept(x, x), labels, 3, loss, weights=weights)
        b = chosen_head(Kept(x, file=open_rows(tmp_path / "x.npy")), labels, 3, loss, weights=weights)
        assert (a.reg, a.loss, a.loo_accuracy) == (b.reg, b.loss, b.loo_accuracy)
        np.testing.assert_allclose(a.model.weights, b.model.weights, rtol=1e-5, atol=1e-6)
        assert (a.choice.features[:9], b.choice.features[:19]) == ("in memory", "in a temporary file")
        assert a.model.weights.dtype == dtype


def test_regressions_of_many_rows(many: Path) -> None:
    x = RNG.standard_normal((500, 6))
    y = x @ RNG.standard_normal((6, 2)) + 0.1 * RNG.standard_normal((500, 2))
    found = chosen_regression(Kept(x, x), y)
    assert found.loo_score == pytest.approx(0.99, abs=0.02)
    assert found.reg in choice.DEFAULT_REGS
    np.testing.assert_allclose(found.model(x), y, atol=0.5)


def test_few_rows_are_as_before() -> None:
    x, labels = gaussian(200)
    found, before = chosen_head(Kept(x, x), labels, 3), fit_head(x, labels, 3)
    np.testing.assert_array_equal(found.model.weights, before.model.weights)
    assert (found.reg, found.loo_errors, found.calibration) == (before.reg, before.loo_errors, before.calibration)
    (alone,) = found.choice.tried
    assert (found.choice.left_out, alone.loss, alone.accuracy) == (0, Squared(), before.loo_accuracy)
    for loss in (SquaredHinge(), CrossEntropy()):
        asked = chosen_head(Kept(x, x), labels, 3, loss)
        assert asked.loss == loss
        assert asked.loo_accuracy == pytest.approx(before.loo_accuracy, abs=0.15)
    with pytest.raises(ValueError, match="head: no class has two examples"):
        chosen_head(Kept(x[:2], x[:2]), [0, 1], 2, SquaredHinge())


def test_sums_of_blocks() -> None:
    x, y = 5 + RNG.standard_normal((300, 4)), RNG.standard_normal((300, 2))
    weights = RNG.integers(0, 3, 300).astype(float)
    rows = (slice(0, 120), slice(120, 121), slice(121, 300))
    for dtype, within in ((np.float64, 1e-12), (np.float32, 1e-5)):
        here, there, w = x.astype(dtype), y.astype(dtype), weights.astype(dtype)
        found = sums_of_blocks((here[r], there[r], w[r]) for r in rows)
        wanted = ridge_sums(here, there, w)
        for name in ("rows", "weight", "x_mean", "y_mean", "gram", "cross", "square"):
            np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=within, atol=300 * within)
            assert getattr(found, name).dtype == np.float64
    with pytest.raises(ValueError, match="pairs: expected at least one block"):
        sums_of_blocks([])
    with pytest.raises(ValueError, match="expected finite numbers"):
        sums_of_blocks([(np.full((2, 2), np.nan), y[:2], None)])


class TestEstimators:
    def test_many_images_in_a_file(self, many: Path, tiny: ImageClassifier, digits: Any) -> None:
        images, labels = digits
        seen: list[str] = []

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "head":
                seen.extend(path.name[:12] for path in many.iterdir())

        fitted = tiny.fit(images[:160], labels[:160], progress=progress)
        assert set(seen) == {"ckn-features"}
        assert list(many.iterdir()) == []
        assert fitted.choice_.features == "in a temporary file, 0.00 GiB"
        assert [tried.word for tried in fitted.choice_.tried] == ["ridge", "hinge"]
        assert fitted.score(images[160:], labels[160:]) > 0.8
        assert fitted.head_ == fitted.choice_.taken.loss
        regressor = ImageRegressor(tiny.architecture, patches=500).fit(images, labels.astype(float))
        assert regressor.score(images, labels) > 0.7

    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
    def test_a_fit_that_ends_early_leaves_no_file(
        self, error: type[BaseException], many: Path, tiny: ImageClassifier, digits: Any
    ) -> None:
        def progress(stage: str, done: int, total: int) -> None:
            if stage == "head" and done == 1:
                raise error

        with pytest.raises(error):
            tiny.fit(*digits, progress=progress)
        assert list(many.iterdir()) == []

    def test_a_full_disk(self, many: Path, tiny: ImageClassifier, digits: Any, monkeypatch: Any) -> None:
        def full(path: Path, *_: Any) -> None:
            path.write_bytes(b"begun")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("ckn.kept.save_rows", full)
        with pytest.raises(OSError, match=r"cannot hold 0\.0 GiB of features: No space left.*set TMPDIR to another"):
            tiny.fit(*digits)
        assert list(many.iterdir()) == []

    def test_a_head_that_is_asked_for(self, tiny: ImageClassifier, digits: Any, tmp_path: Path) -> None:
        images, labels = digits
        asked = tiny.set_params(head=SquaredHinge(), class_weight="balanced").fit(images[:160], labels[:160])
        assert asked.head_ == SquaredHinge()
        assert asked.score(images[160:], labels[160:]) > 0.8
        assert asked.predict_proba(images[160:]).max(axis=1).mean() > 0.3
        ckn.save(asked, tmp_path / "model")
        again = ckn.load(tmp_path / "model")
        np.testing.assert_array_equal(again.predict_proba(images), asked.predict_proba(images))

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"head": SquaredHinge}, TypeError, r"head: expected None, or a loss .* such as SquaredHinge\(\)"),
            ({"head": "hinge"}, TypeError, r"head: expected None, or a loss .*, got 'hinge'"),
            (
                {"head": SquaredHinge(), "supervised": True},
                ValueError,
                r"head: the loss of a supervised training .* supervised=ckn.Supervised\(loss=SquaredHinge\(\)\)",
            ),
        ],
    )
    def test_heads_that_cannot_be(
        self, change: dict[str, Any], error: type[Exception], message: str, tiny: ImageClassifier, digits: Any
    ) -> None:
        with pytest.raises(error, match=message):
            tiny.set_params(**change).fit(*digits)


def test_blocks_of_a_file_in_the_type_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    x = RNG.standard_normal((50, 3)).astype(np.float32)
    with kept(iter([x[:20], x[20:]]), (50, 3), x[:1], memory=0) as features:
        assert features.shape == (50, 3)
        np.testing.assert_array_equal(np.concatenate(list(features())), x)
        np.testing.assert_array_equal(features.taken(np.asarray([3, 30, 49])), x[[3, 30, 49]])
    assert list(tmp_path.iterdir()) == []
