"""Trees of tensors as modules: parameters that torch moves, saves and optimises."""

from collections.abc import Callable
from typing import Any

import torch

from kerneltools.autodiff.arguments import is_array
from kerneltools.trees import map_leaves, named_leaves


def call(tree: Callable[..., Any], *args: Any) -> Any:
    """tree(*args)."""
    return tree(*args)


class _Slot(str):
    """Marks the place of a tensor by its path."""

    __slots__ = ()


class Module(torch.nn.Module):
    """A kernel, a map, a layer or a network, or any other tree of tensors, as a torch module.

    Floating-point tensors become parameters and other tensors buffers, under their paths in the tree
    (`layers.0.filters`); Python numbers stay constants. `forward(*args)` is `run(tree, *args)`; by default the tree
    itself is called. `run` may be a method: `Module(model, type(model).decision_function)`.

    The parameters are copies: the given tree does not change. The results of `prepare()` become parameters like any
    other; to train through `prepare()`, wrap the tree before it.

    Raises TypeError, naming the leaf, for arrays of other libraries.

    >>> from kerneltools.kernels import Homogeneous, profiles
    >>> module = Module(Homogeneous(profiles.Exponential(torch.tensor(0.6))))
    >>> list(module.state_dict())
    ['profile.sigma']
    >>> module(torch.ones(1, 2), torch.ones(3, 2)).shape
    torch.Size([1, 3])
    """

    def __init__(self, tree: Any, run: Callable[..., Any] = call) -> None:
        super().__init__()
        self._run = run
        slots = []
        for path, leaf in named_leaves(tree):
            slots.append(_Slot(path) if is_array(leaf) else leaf)
            if is_array(leaf):
                self._keep(path, leaf)
        supply = iter(slots)
        self._skeleton = map_leaves(lambda _: next(supply), tree)

    @property
    def tree(self) -> Any:
        """The tree with the current parameters in their places."""
        return map_leaves(lambda leaf: self._find(leaf) if type(leaf) is _Slot else leaf, self._skeleton)

    def forward(self, *args: Any) -> Any:
        """The result of the tree, or of `run`, on the arguments."""
        return self._run(self.tree, *args)

    def _keep(self, path: str, leaf: Any) -> None:
        if not isinstance(leaf, torch.Tensor):
            raise TypeError(
                f"{path}: expected a torch tensor, got {type(leaf).__module__}.{type(leaf).__name__}; move it with "
                "kerneltools.backend('torch').asarray(x)"
            )
        *folders, name = path.split(".")
        place: torch.nn.Module = self
        for folder in folders:
            if folder not in place._modules:
                place.add_module(folder, torch.nn.Module())
            place = place.get_submodule(folder)
        copy = leaf.detach().clone()
        if copy.is_floating_point():
            place.register_parameter(name, torch.nn.Parameter(copy))
        else:
            place.register_buffer(name, copy)

    def _find(self, path: str) -> torch.Tensor:
        folder, _, name = path.rpartition(".")
        tensor: torch.Tensor = getattr(self.get_submodule(folder), name)
        return tensor
