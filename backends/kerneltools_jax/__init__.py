"""The JAX plugin of kerneltools. Importing it makes every tree of kerneltools a JAX pytree.

Kernels, maps, layers, networks and models then pass through jax.jit, jax.grad, jax.vmap and optax unchanged. The plugin
is imported automatically when a layer, a map with `reg` or a primitive first meets a JAX array, and by
kerneltools.backend("jax"); a program that passes a tree to JAX before that needs `import kerneltools_jax`.

Arrays and Python numbers in a tree are leaves for JAX; fields declared with `kerneltools.trees.static` are not.

>>> import jax
>>> from kerneltools.kernels import Gaussian
>>> jax.tree.leaves(Gaussian(2.0))
[2.0]
>>> jax.tree.map(lambda leaf: 3 * leaf, Gaussian(2.0))
Gaussian(bandwidth=6.0)
"""

from kerneltools.trees import for_each_type
from kerneltools_jax.plugin import BACKEND, JaxBackend
from kerneltools_jax.pytrees import register

for_each_type(register)

__all__ = ["BACKEND", "JaxBackend"]
