"""What JAX adds: trees as pytrees, tracing, and 64-bit numbers that may be missing."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ckn
from kerneltools.backend import backend, backend_of
from kerneltools.kernels import Gaussian, Homogeneous, Polynomial, profiles
from kerneltools.linalg import inverse_sqrt
from kerneltools.maps import nystrom
from kerneltools.solvers import LinearModel
from kerneltools.trees import Tree, named_leaves, static

JAX = backend("jax")
rng = np.random.default_rng(0)
X = jnp.asarray(rng.standard_normal((5, 3)))
IMAGES = jnp.asarray(rng.standard_normal((2, 6, 6, 2)))


def network() -> ckn.Network:
    filters = np.random.default_rng(1).standard_normal((4, 3, 3, 2))
    unit = filters / np.sqrt(np.sum(filters**2, axis=(1, 2, 3), keepdims=True))
    return ckn.Network((ckn.Layer(jnp.asarray(unit), Homogeneous(profiles.Exponential(jnp.asarray(0.6))), 2),))


TREES = {
    "kernel": Gaussian(2.0),
    "sum": Gaussian(jnp.asarray(2.0)) + 3.0 * Polynomial(3, 1.0),
    "map": nystrom(Gaussian(2.0), X, reg=0.1),
    "network": network(),
    "prepared": network().prepare(),
    "model": ckn.Model(network(), LinearModel(jnp.ones((36, 2)), jnp.zeros(2)), (), ("a", "b"), (6, 6, 2)),
}


@pytest.mark.parametrize("name", TREES)
def test_leaves_are_those_of_the_tree(name: str) -> None:
    tree = TREES[name]
    with_paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in with_paths]
    assert paths == [path for path, _ in named_leaves(tree)]


@pytest.mark.parametrize("name", TREES)
def test_rebuilt_from_leaves(name: str) -> None:
    leaves, structure = jax.tree.flatten(TREES[name])
    again = jax.tree.unflatten(structure, leaves)
    assert type(again) is type(TREES[name])
    assert jax.tree.structure(again) == structure
    assert all(a is b for a, b in zip(leaves, jax.tree.leaves(again), strict=True))


def test_what_is_static_is_part_of_the_structure() -> None:
    assert jax.tree.structure(Polynomial(2)) != jax.tree.structure(Polynomial(3))
    again = jax.tree.map(lambda leaf: leaf, TREES["model"])
    assert (again.classes, again.image_shape, again.network.layers[0].subsampling) == (("a", "b"), (6, 6, 2), 2)


def test_placeholders_pass_the_checks() -> None:
    hollow = jax.tree.map(lambda leaf: None, Gaussian(2.0))
    assert hollow.bandwidth is None
    assert jax.eval_shape(lambda tree: tree, network()).layers[0].filters.shape == (4, 3, 3, 2)


@dataclass(frozen=True)
class Late(Tree):
    """A type that is defined after the plugin was loaded."""

    weight: Any
    power: int = static(2)


def test_types_to_come_are_known() -> None:
    assert jax.tree.map(lambda leaf: 2 * leaf, Late(1.5, 3)) == Late(3.0, 3)


def test_jit_of_a_function_of_a_network() -> None:
    found = jax.jit(lambda tree, x: tree(x))(network(), IMAGES)
    np.testing.assert_allclose(found, network()(IMAGES), atol=1e-14)


def test_traced_arrays_are_of_this_backend() -> None:
    seen = []
    jax.jit(lambda x: seen.append(backend_of(x)) or x)(X)
    jax.grad(lambda x: seen.append(backend_of(x)) or jnp.sum(x))(X)
    jax.vmap(lambda x: seen.append(backend_of(x)) or x)(X)
    assert seen == [JAX, JAX, JAX]


def loss(tree: ckn.Network, x: Any) -> Any:
    return jnp.sum(tree(x) ** 2)


def test_grad_agrees_with_the_backend() -> None:
    tree = network()
    mine = JAX.jit(JAX.value_and_grad(loss))(tree, IMAGES)[1].layers[0]
    theirs = jax.jit(jax.grad(loss))(tree, IMAGES).layers[0]
    np.testing.assert_allclose(mine.filters, theirs.filters, atol=1e-12)
    np.testing.assert_allclose(mine.kernel.profile.sigma, theirs.kernel.profile.sigma, rtol=1e-12)


def test_vmap_over_parameters() -> None:
    many = Gaussian(jnp.asarray([1.0, 2.0]))
    found = jax.vmap(lambda kernel: kernel(X, X))(many)
    for values, bandwidth in zip(found, (1.0, 2.0), strict=True):
        np.testing.assert_allclose(values, Gaussian(bandwidth)(X, X), rtol=1e-14)


def test_vmap_of_the_backends_gradient() -> None:
    matrices = jnp.stack([jnp.eye(3), 2 * jnp.eye(3) + 0.1])
    f = JAX.value_and_grad(lambda k: jnp.sum(jnp.sin(inverse_sqrt(k, 0.1))))
    _, together = jax.vmap(f)(matrices)
    np.testing.assert_allclose(together, jnp.stack([f(k)[1] for k in matrices]), atol=1e-14)


def test_optax_steps() -> None:
    optimiser = optax.adam(1e-2)
    tree = network()
    target = jnp.ones_like(tree(IMAGES))

    @jax.jit
    def step(tree: Any, state: Any) -> Any:
        value, gradient = jax.value_and_grad(lambda tree: jnp.mean((tree(IMAGES) - target) ** 2))(tree)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(tree, updates), state, value

    state, losses = optimiser.init(tree), []
    for _ in range(20):
        tree, state, value = step(tree, state)
        losses.append(float(value))
    assert losses[-1] < 0.8 * losses[0]
    assert isinstance(tree, ckn.Network)


def test_numpy_does_not_share_memory() -> None:
    buffer = np.zeros(1024 * 8 + 64, dtype=np.uint8)
    start = -buffer.ctypes.data % 64  # aligned as JAX's own arrays are
    x = buffer[start : start + 1024 * 8].view(np.float64)
    array = JAX.asarray(x)
    x[0] = 1.0
    assert array[0] == 0.0


def test_numpy_has_no_bfloat16() -> None:
    assert JAX.to_numpy(jnp.asarray([1.5], dtype=jnp.bfloat16)).dtype == np.float32


def in_fresh_interpreter(code: str, x64: str) -> str:
    environment = os.environ | {"JAX_ENABLE_X64": x64}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_64_bits_are_refused_where_jax_has_32() -> None:
    code = """
import numpy as np
from kerneltools import backend
for x, dtype in (([1.0], "float64"), (np.zeros(2), None), ([1], "int64")):
    try:
        backend("jax").asarray(x, dtype=dtype)
    except TypeError as error:
        print(error)
print(backend("jax").asarray(np.zeros(2), dtype="float32").dtype, backend("jax").asarray([1.0, 2]).dtype)
"""
    first, second, third, last = in_fresh_interpreter(code, "0").splitlines()
    assert "float64 needs JAX's x64 mode" in first
    assert "dtype='float32'" in second
    assert "int64" in third
    assert last == "float32 float32"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_factorised_in_32_bits_where_jax_has_no_more(dtype: str) -> None:
    code = f"""
import jax.numpy as jnp, numpy as np
from kerneltools.linalg import inverse_sqrt
root = inverse_sqrt(jnp.diag(jnp.asarray([3.0, 8.0], dtype="{dtype}")), 1.0)
print(root.dtype, bool(np.allclose(root.astype("float32"), np.diag([1 / 2, 1 / 3]), atol=1e-3)))
"""
    assert in_fresh_interpreter(code, "0") == f"{dtype} True"


def test_32_bits_are_no_reason_to_warn() -> None:
    code = """
import warnings
warnings.simplefilter("error")
import jax.numpy as jnp, numpy as np
import ckn
from ckn.supervised import Crop, Cutout, Flip
from kerneltools import kernels, landmarks, maps
rng = np.random.default_rng(0)
images = jnp.asarray(rng.random((20, 8, 8, 2)), dtype="float32")
architecture = ckn.Architecture((ckn.LayerSpec(8), ckn.LayerSpec(8)))
network = ckn.fit_unsupervised(architecture, images, rng=0, patches=600)
settings = ckn.Supervised(epochs=1, batch=10, rate=1e-3, reg=1e-3, augmentation=(Flip(), Crop(1), Cutout(2)))
state = ckn.fit_supervised(network, images, np.arange(20) % 2, 2, rng=0, settings=settings)
x = jnp.reshape(images, (20, -1))
chosen = landmarks.RPCholesky(4)(kernels.Gaussian(1.0), x, rng=0)
sketch = maps.tensor_sketch(kernels.Polynomial(2), x.shape[1], 8, rng=0)
print(chosen.points.shape, sketch(x).shape)
"""
    assert in_fresh_interpreter(code, "0") == "(4, 128) (20, 8)"


@pytest.mark.parametrize(
    "first", ["import kerneltools_jax", "kerneltools.backend('jax')", "kerneltools.linalg.inverse_sqrt(x, 1.0)"]
)
def test_trees_are_known_once_the_plugin_is_loaded(first: str) -> None:
    code = f"""
import jax, kerneltools
from kerneltools.kernels import Gaussian
kernel, x = Gaussian(2.0), jax.numpy.ones((2, 2))
before = len(jax.tree.leaves(kernel)), jax.tree.leaves(kernel)[0] is kernel
{first}
print(before, jax.tree.leaves(kernel))
"""
    assert in_fresh_interpreter(code, "1") == "(1, True) [2.0]"
