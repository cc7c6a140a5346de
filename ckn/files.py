"""Networks and models in files: one safetensors file, the architecture as JSON in its header."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ckn import preprocessing
from ckn.layer import Layer
from ckn.model import Model
from ckn.network import Network
from ckn.preprocessing import Step
from kerneltools import kernels
from kerneltools.backend import backend as backend_named
from kerneltools.files import FileFormatError, by_stored_name, load_tree, save_tree
from kerneltools.solvers import LinearModel
from kerneltools.trees import Tree

KIND = "ckn"


def save(model: Model | Network | Any, path: str | Path) -> None:
    """Write a `Model`, a `Network` or a fitted `ImageClassifier` to a file; the last is read back as its `Model`.

    The file appears whole or not at all. Raises OSError when the folder cannot be written.
    """
    model = getattr(model, "model_", model)
    if not isinstance(model, Model | Network):
        raise TypeError(f"model: expected a Model, a Network or a fitted ImageClassifier, got {type(model).__name__}")
    save_tree(model.unprepared(), path, KIND)


def load(
    path: str | Path, backend: str | None = None, device: Any = None, types: Iterable[type] = ()
) -> Model | Network:
    """Read what `save` wrote, its arrays in the library of `backend` ("numpy" when None) and on `device`.

    `types`: kernels, profiles and preprocessing steps of your own that the file may hold.

    Raises FileNotFoundError, and kerneltools.files.FileFormatError for a file that is truncated, corrupt, from
    another version or not one of these.
    """
    library = backend_named(backend or "numpy")
    loaded = load_tree(
        path, KIND, by_stored_name((*model_types(), *types)), lambda array: library.asarray(array, device=device)
    )
    try:
        return _checked(loaded)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: corrupt: {error}") from error


def _checked(loaded: Any) -> Model | Network:
    """A network, or a model ready for use, whose parts go together."""
    if not isinstance(loaded, Model | Network):
        raise TypeError(f"expected a Model or a Network, got {type(loaded).__name__}")
    network = loaded if isinstance(loaded, Network) else loaded.network
    if not network.layers or not all(isinstance(layer, Layer) for layer in network.layers):
        raise TypeError("expected a network of at least one layer")
    if isinstance(loaded, Network):
        return loaded
    if not all(isinstance(step, Step) for step in loaded.preprocessing):
        raise TypeError(f"expected steps of preprocessing, got {loaded.preprocessing!r}")
    if not all(isinstance(name, int | float | str) for name in loaded.classes):
        raise TypeError(f"expected numbers or strings as classes, got {loaded.classes!r}")
    features = loaded.network.features(loaded.image_shape[:-1])
    shape, wanted = tuple(loaded.head.weights.shape), (features, len(loaded.classes))
    if shape != wanted:
        raise ValueError(f"weights of shape {shape}, and {wanted} of the network's features and the classes")
    if tuple(loaded.head.intercept.shape) != wanted[1:]:
        raise ValueError(f"an intercept of shape {tuple(loaded.head.intercept.shape)} for {wanted[1]} classes")
    return loaded.prepare()


def model_types() -> list[type]:
    """The types of which a file of `save` may be made."""
    members = [*vars(kernels).values(), *vars(kernels.profiles).values(), *vars(preprocessing).values()]
    trees = [m for m in members if isinstance(m, type) and issubclass(m, Tree)]
    return [Model, Network, Layer, LinearModel, *trees]
