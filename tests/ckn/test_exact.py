"""The exact kernel: its laws, and the approximation that converges to it."""

from typing import Any

import numpy as np
import pytest

from ckn import Architecture, LayerSpec, exact, fit_unsupervised
from kerneltools import pooling
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Matern
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from kerneltools.landmarks import Uniform
from kerneltools.patches import Grid
from tests.ckn.test_layer import ByPatchVectors
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def images(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, *shape))


ONE = Architecture((LayerSpec(1, patch=3, subsampling=2),))
TWO = Architecture(
    (
        LayerSpec(1, patch=2, subsampling=2, kernel=Homogeneous(ArcCosine(1))),
        LayerSpec(1, patch=3, subsampling=1, kernel=Homogeneous(Power(2)), padding="valid"),
    )
)
# Images square and not, series, volumes.
CASES: dict[str, tuple[Architecture, np.ndarray]] = {
    "square": (ONE, images(4, 6, 6, 2)),
    "two layers, not square": (TWO, images(4, 5, 8, 2)),
    "series": (ONE, images(4, 9, 2)),
    "volumes": (Architecture((LayerSpec(1, patch=2, dilation=2),)), images(3, 3, 4, 3, 1)),
    "Gaussian": (Architecture((LayerSpec(1, kernel=Gaussian(2.0)),)), images(4, 6, 6, 2)),
}
every = pytest.mark.parametrize(("architecture", "x"), CASES.values(), ids=list(CASES))


@every
def test_symmetric_and_positive_semi_definite(architecture: Architecture, x: np.ndarray) -> None:
    gram = exact.gram(architecture, x)
    assert np.array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram).min() >= -1e-12 * gram.max()


@every
def test_against_others_and_against_itself(architecture: Architecture, x: np.ndarray) -> None:
    whole = exact.gram(architecture, x)
    assert_close(exact.gram(architecture, x, x), whole, 1e-13)
    assert_close(exact.gram(architecture, x[:1], x[1:]), whole[:1, 1:], 1e-13)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(architecture: Architecture, x: np.ndarray, device: Any) -> None:
    assert_same_on(device, exact.gram(architecture, to_strict(x[:2], device)), exact.gram(architecture, x[:2]))


@pytest.mark.parametrize("kernel", [Homogeneous(Exponential(0.6)), Gaussian(2.0), Linear()], ids=str)
def test_one_layer_against_a_loop(kernel: Kernel) -> None:
    x = images(3, 5, 7, 2)
    spec = LayerSpec(1, patch=3, subsampling=2, kernel=kernel)
    patches = Grid(3).extract(x)
    # The pool as weights of each position on the patches.
    rows, columns = (pooling.Gaussian(2).matrix(n, x) for n in (5, 7))
    weights = np.kron(rows, columns)
    got = exact.gram(Architecture((spec,)), x)
    for i in range(3):
        for j in range(3):
            of_patches = kernel(patches[i].reshape(-1, 18), patches[j].reshape(-1, 18))
            assert got[i, j] == pytest.approx(np.trace(weights @ of_patches @ weights.T), rel=1e-12)


def test_a_linear_layer_is_a_product_of_pooled_patches() -> None:
    x = images(3, 5, 7, 2)
    features = pooling.Gaussian(3)(Grid(2).extract(x)).reshape(3, -1)
    got = exact.gram(Architecture((LayerSpec(1, patch=2, subsampling=3, kernel=Linear()),)), x)
    assert_close(got, features @ features.T)


def test_a_blank_image_is_zero() -> None:
    x = images(3, 6, 6, 2)
    x[1] = 0
    gram = exact.gram(ONE, x)
    assert np.all(np.isfinite(gram))
    assert np.all(gram[1] == 0)


def test_homogeneous() -> None:
    x = images(2, 5, 8, 2)
    scaled = exact.gram(Architecture((LayerSpec(1), LayerSpec(1))), x * np.array([2.0, 3.0])[:, None, None, None])
    assert_close(scaled, exact.gram(Architecture((LayerSpec(1), LayerSpec(1))), x) * [[4, 6], [6, 9]])


def test_more_filters_come_closer_within_the_certificate() -> None:
    x = images(3, 6, 6, 1)
    wanted, missed = exact.gram(ONE, x), []
    for filters in (2, 8, 24, 48):
        architecture = Architecture((LayerSpec(filters, patch=3, subsampling=2, reg=1e-8),))
        # Uniform, so that each set of filters contains the one before.
        network = fit_unsupervised(architecture, x, 0, patches=1000, selector=lambda spec: Uniform(spec.filters))
        features = network.encode(x)
        difference = wanted - features @ features.T
        # Of each patch it misses a residual r; of a sum of weighted inner products, at most the root of their products.
        residual, _ = network.layers[0].prepare().residual(x)
        lost = pooling.Gaussian(2)(np.sqrt(residual.clip(0))[..., None]).reshape(3, -1)
        assert np.all(np.abs(difference) <= lost @ lost.T + 1e-6)
        missed.append(float(np.abs(difference).max()))
    assert missed == sorted(missed, reverse=True)
    assert missed[-1] < missed[0] / 5


def test_errors() -> None:
    x = images(2, 6, 6, 2)
    with pytest.raises(ValueError, match=r"x, y: expected images of one shape, got \(2, 6, 6, 2\) and \(2, 6, 6, 1\)"):
        exact.gram(ONE, x, x[..., :1])
    with pytest.raises(ValueError, match=r"expected \(n, h, w, c\), got shape \(6, 6\)"):
        exact.gram(ONE, x[0, :, :, 0])
    with pytest.raises(ValueError, match="NaN or infinity in image 1"):
        exact.gram(ONE, np.where(np.arange(2)[:, None, None, None] == 1, np.nan, x))
    with pytest.raises(ValueError, match="no 3x3 window fits an image of 2x2 pixels"):
        exact.gram(TWO, x[:, :3, :3])
    with pytest.raises(TypeError, match="ByPatchVectors is not a function of inner products and norms"):
        exact.gram(Architecture((LayerSpec(1), LayerSpec(1, kernel=ByPatchVectors(Gaussian(1.0))))), x)


@pytest.mark.parametrize("kernel", [Gaussian(15.0), Matern(2.5, 20.0), Gaussian(15.0) * Matern(1.5, 30.0)], ids=str)
@pytest.mark.parametrize("offset", [0.0, 1000.0, 20_000.0])
def test_kernels_of_differences_on_bright_images(kernel: Kernel, offset: float) -> None:
    # Raw values of a camera: patches differ by a few hundredths of what they have in common.
    x = (offset + 5 * np.random.default_rng(0).standard_normal((3, 8, 8, 1))).astype(np.float32)
    one = Architecture((LayerSpec(1, patch=3, subsampling=2, padding="valid", kernel=kernel),))
    wanted = exact.gram(one, x.astype(float) - offset)
    assert_close(exact.gram(one, x), wanted, 1e-5)
