"""A convolutional kernel network on the new backend: learnt, differentiated, saved and loaded."""

import numpy as np

import ckn
import kerneltools

strict = kerneltools.backend("array_api_strict")
architecture = ckn.Architecture((ckn.LayerSpec(4), ckn.LayerSpec(3, patch=2)))
pixels = np.random.default_rng(0).random((6, 8, 8, 2))
images = strict.asarray(pixels, device="device1")

network = ckn.fit_unsupervised(architecture, images, rng=0, patches=100)


def loss(network, images):
    maps = network(images)
    return kerneltools.arrays.namespace(maps).sum(maps * maps)


value, gradient = strict.value_and_grad(loss, argnums=(0, 1))(network, images)
assert strict.owns(gradient[0].layers[0].filters)
assert gradient[1].device == images.device

# The same on NumPy.
on_numpy = ckn.fit_unsupervised(architecture, pixels, rng=0, patches=100)
value_there, gradient_there = kerneltools.backend("numpy").value_and_grad(loss, argnums=(0, 1))(on_numpy, pixels)
np.testing.assert_allclose(strict.to_numpy(value), value_there, rtol=1e-10)
np.testing.assert_allclose(strict.to_numpy(gradient[1]), gradient_there[1], rtol=0, atol=1e-9)
for here, there in zip(gradient[0].layers, gradient_there[0].layers, strict=True):
    np.testing.assert_allclose(strict.to_numpy(here.filters), there.filters, rtol=0, atol=1e-9)

# Files know no library.
ckn.save(network, "network.ckn")
loaded = ckn.load("network.ckn", backend="array_api_strict", device="device1")
np.testing.assert_array_equal(strict.to_numpy(loaded(images)), strict.to_numpy(network(images)))

print(f"array_api_strict {float(value):.3f}, numpy {float(value_there):.3f}")
