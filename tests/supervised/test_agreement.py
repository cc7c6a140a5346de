"""Training is the same in every library, whatever the architecture and the settings."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ckn import Architecture, LayerSpec, Supervised, fit_supervised
from ckn.supervised import Alternating, Augmentation, Crop, Cutout, DivergedError, Flip, Joint, LayerReversal
from kerneltools import backend
from kerneltools.kernels import Homogeneous, profiles
from kerneltools.optimisers import SGD, Adam
from kerneltools.solvers import CrossEntropy, Squared, SquaredHinge
from tests.supervised.test_fit import filters_of, moved, start, toy

KERNELS = tuple(map(Homogeneous, (profiles.Exponential(0.6), profiles.Power(2), profiles.ArcCosine(1))))
AUGMENTATIONS: tuple[Augmentation, ...] = (Flip(), Crop(1), Cutout(2))

LAYERS = st.builds(
    LayerSpec,
    filters=st.integers(2, 5),
    patch=st.integers(1, 2),
    subsampling=st.integers(1, 2),
    kernel=st.sampled_from(KERNELS),
    padding=st.sampled_from(["same", "valid"]),
)
ARCHITECTURES = st.lists(LAYERS, min_size=1, max_size=2).map(lambda layers: Architecture(tuple(layers)))
# 20 images in batches of 4, four epochs: 20 steps.
SETTINGS = st.builds(
    Supervised,
    loss=st.sampled_from([SquaredHinge(), CrossEntropy(), Squared()]),
    reg=st.just(1e-3),
    epochs=st.just(4),
    batch=st.just(4),
    rate=st.sampled_from([1e-3, 1e-2]),
    optimiser=st.sampled_from([SGD(), SGD(momentum=0.0), Adam()]),
    precondition=st.booleans(),
    strategy=st.sampled_from([Alternating(), LayerReversal(), Joint()]),
    clip_norm=st.sampled_from([None, 0.5]),
    augmentation=st.lists(st.sampled_from(AUGMENTATIONS), max_size=2).map(tuple),
    learn_kernels=st.booleans(),
)


def same_filters(name: str, architecture: Architecture, settings: Supervised) -> None:
    images, labels = toy(20)
    network = start(images, architecture)
    # Of two features, centred and of norm 1, only the sign is left.
    constant = network.features(images.shape[1:-1]) <= 2
    try:
        expected = fit_supervised(network, images, labels, 3, 1, settings)
    except DivergedError:
        reject()
    # A training that blows up amplifies rounding a millionfold, in one library as between two.
    first, *later = expected.history
    assume(all(report.loss < 3 * first.loss for report in later))
    # JAX without compilation takes a minute here.
    settings = replace(settings, jit=name == "jax")
    got = fit_supervised(moved(name, network), backend(name).asarray(images), labels, 3, 1, settings)
    for before, a, b in zip(network.layers, filters_of(expected), filters_of(got), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-8)
        # Where all margins are met, which the exact head sees to, the squared hinge has no gradient.
        may_stand_still = before.filters[0].size == 1 or isinstance(settings.loss, SquaredHinge) or constant
        assert np.abs(a - before.filters).max() > 1e-7 or may_stand_still


@pytest.mark.filterwarnings("ignore::kerneltools.landmarks.ReducedWarning")
@given(ARCHITECTURES, SETTINGS)
@hypothesis_settings(max_examples=20)
def test_twenty_steps_in_torch(architecture: Architecture, settings: Supervised) -> None:
    same_filters("torch", architecture, settings)


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::kerneltools.landmarks.ReducedWarning")
@given(ARCHITECTURES, SETTINGS)
@hypothesis_settings(max_examples=5)
def test_twenty_steps_in_jax(architecture: Architecture, settings: Supervised) -> None:
    same_filters("jax", architecture, settings)
