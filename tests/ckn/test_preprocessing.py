"""Steps before the first layer, against slow loops over images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ckn import model
from ckn.preprocessing import ContrastNormalise, Scale, Step, Whiten, normalise_features
from kerneltools.patches import Grid
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

IMAGES = np.random.default_rng(0).uniform(0, 1, (3, 7, 8, 3))
STEPS: tuple[Step, ...] = (
    Scale(),
    Scale(2.0),
    ContrastNormalise(),
    ContrastNormalise(floor=0.0),
    Whiten(),
    Whiten(patch=2, exponent=-0.5),
    Whiten(patch=(1, 3)),
)
every = pytest.mark.parametrize("step", STEPS, ids=str)


def slow_whiten(image: np.ndarray, k: int, exponent: float) -> np.ndarray:
    """One image (h, w, c): patches minus their means, averaged back, then multiplied by C^exponent, averaged back."""

    def patches(x: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        h, w, _ = x.shape
        return {(i, j): x[i : i + k, j : j + k] for i in range(h - k + 1) for j in range(w - k + 1)}

    def average(parts: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
        total, count = np.zeros_like(image), np.zeros_like(image)
        for (i, j), part in parts.items():
            total[i : i + k, j : j + k] += part
            count[i : i + k, j : j + k] += 1
        return total / count

    centred = average({at: p - p.mean(axis=(0, 1)) for at, p in patches(image).items()})
    rows = {at: p.reshape(-1) for at, p in patches(centred).items()}
    matrix = np.array(list(rows.values()))
    values, vectors = np.linalg.eigh(matrix.T @ matrix / len(matrix))
    powers = [v**exponent if v > 1e-13 * values.max() else 0.0 for v in values]
    whitening = vectors @ np.diag(powers) @ vectors.T
    return average({at: (whitening @ row).reshape(k, k, -1) for at, row in rows.items()})


@pytest.mark.parametrize(("k", "exponent"), [(3, -0.25), (3, -0.5), (2, -0.25)])
def test_whitening_against_a_loop(k: int, exponent: float) -> None:
    wanted = np.stack([slow_whiten(image, k, exponent) for image in IMAGES])
    assert_close(Whiten(k, exponent)(IMAGES), wanted, 1e-9)


@pytest.mark.parametrize(("dtype", "within"), [(np.float32, 1e-3), (np.float64, 1e-11)])
def test_whitening_of_grey_images_in_three_channels(dtype: Any, within: float) -> None:
    # Two of three channel directions have no variance: to their noise, a negative power must not be applied.
    grey = IMAGES[..., :1].astype(dtype)
    three = Whiten(3, -0.5)(np.repeat(grey, 3, axis=-1))
    for channel in range(3):
        # The variance of the one direction is three times that of a channel.
        assert_close(three[..., channel : channel + 1].astype(float), Whiten(3, -0.5)(IMAGES[..., :1]) / 3**0.5, within)


def test_whitening_flattens_the_spectrum() -> None:
    # Greatest by least eigenvalue of the patches' covariance: untouched (exponent 0), half as steep, flat.
    smooth = np.random.default_rng(0).standard_normal((1, 32, 32, 1)).cumsum(axis=1).cumsum(axis=2)

    def spread(exponent: float) -> float:
        patches = Grid(3, padding="valid").extract(Whiten(3, exponent)(smooth)).reshape(-1, 9)
        eigenvalues = np.linalg.eigvalsh(patches.T @ patches)
        return float(eigenvalues[-1] / eigenvalues[0])

    assert spread(0.0) > 200
    assert spread(-0.25) < 2.5 * spread(0.0) ** 0.5
    assert spread(-0.5) < 5


def test_contrast_against_a_loop() -> None:
    wanted = np.stack([(image - image.mean()) / (image.std() + 0.1) for image in IMAGES])
    assert_close(ContrastNormalise(floor=0.1)(IMAGES), wanted)


def test_many_images_are_those_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).uniform(0, 1, (150, 4, 4, 1))
    whole = model.preprocess((Scale(2.0),), images, images)
    assert_close(whole, images / 2)
    monkeypatch.setattr(model, "PIECE_NUMBERS", 70 * 16)
    assert np.array_equal(model.preprocess((Scale(2.0),), images, images), whole)


def test_scale() -> None:
    assert Scale()(np.array([[[0.0], [255.0]]])).tolist() == [[[0], [1]]]


@every
def test_images_are_independent(step: Step) -> None:
    assert_close(np.concatenate([step(IMAGES[i : i + 1]) for i in range(3)]), step(IMAGES), 1e-11)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(step: Step, device: Any) -> None:
    assert_same_on(device, step(to_strict(IMAGES, device)), step(IMAGES), 1e-11)


@every
def test_float32_and_read_only(step: Step) -> None:
    x = IMAGES.astype(np.float32)
    x.flags.writeable = False
    assert step(x).dtype == np.float32
    assert_close(step(x).astype(float), step(IMAGES), 1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0, 1 / 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", STEPS[2:], ids=str)
def test_a_constant_image_becomes_zero(step: Step, value: float, dtype: Any) -> None:
    x = IMAGES.astype(dtype)
    x[1] = value
    result = step(x)
    assert np.all(result[1] == 0)
    assert np.any(result[0] != 0)


@every
@pytest.mark.parametrize("shape", [(2, 9, 1), (1, 4, 5, 4, 2)], ids=str)
def test_series_and_volumes(step: Step, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    if step == Whiten(patch=(1, 3)):
        with pytest.raises(ValueError, match="size: expected one number or"):
            step(x)
    else:
        assert step(x).shape == shape
        assert np.all(np.isfinite(step(x)))


def test_errors() -> None:
    with pytest.raises(ValueError, match="maximum: expected a finite number > 0, got 0"):
        Scale(0)
    with pytest.raises(ValueError, match="no 9x9 window fits an image of 7x8 pixels"):
        Whiten(9)(IMAGES)


class TestNormaliseFeatures:
    X = np.random.default_rng(0).standard_normal((4, 6)) + 5

    def test_rows(self) -> None:
        rows = normalise_features(self.X)
        assert_close(rows, np.stack([(r - r.mean()) / np.linalg.norm(r - r.mean()) for r in self.X]))

    def test_a_constant_row_becomes_zero(self) -> None:
        assert np.all(normalise_features(np.zeros((1, 6))) == 0)
        assert np.all(normalise_features(np.full((1, 6), 0.1)) == 0)

    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_by_the_standard_alone(self, device: Any) -> None:
        assert_same_on(device, normalise_features(to_strict(self.X, device)), normalise_features(self.X))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContrastNormalise(float("nan")), "floor: expected a finite number, got nan"),
        (lambda: ContrastNormalise(-1.0), r"floor: expected a number >= 0, got -1\.0"),
        (lambda: Whiten(exponent=float("inf")), "exponent: expected a finite number, got inf"),
        (lambda: Whiten(exponent=None), "exponent: expected a finite number, got None"),  # type: ignore[arg-type]
        (lambda: Whiten(patch=0), "size: expected an integer >= 1, or one per axis, got 0"),
    ],
)
def test_settings_out_of_range(make: Callable[[], Step], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
