"""Real digits, few of them, and a classifier that learns them in a moment."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ckn import Architecture, ImageClassifier, LayerSpec

TINY = Architecture((LayerSpec(8, patch=3, subsampling=2), LayerSpec(12, patch=2, subsampling=2)))


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """(240, 8, 8, 1) images in [0, 1] and their labels 0..9; read-only, for the session shares them."""
    x, y = load_digits(return_X_y=True)
    images = x[:240].reshape(-1, 8, 8, 1) / 16
    labels = y[:240].copy()
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


@pytest.fixture
def tiny() -> ImageClassifier:
    """Not fitted."""
    return ImageClassifier(TINY, patches=500, dtype="float64")


@pytest.fixture(scope="session")
def fitted(digits: tuple[np.ndarray, np.ndarray]) -> Any:
    """Fitted to all but the last 80 digits; not to be changed."""
    images, labels = digits
    return ImageClassifier(TINY, patches=500, dtype="float64").fit(images[:160], labels[:160])
