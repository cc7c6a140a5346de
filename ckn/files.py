"""Networks and models in files: one safetensors file, the architecture as JSON in its header."""

from collections.abc import Iterable
from inspect import isabstract
from pathlib import Path
from typing import Any

from ckn import preprocessing
from ckn.layers import embedding
from ckn.layers.gapped import GappedLayer
from ckn.layers.grid import Layer
from ckn.layers.parts import PartLayer
from ckn.layers.readouts import Joined, Standardised
from ckn.layers.transport import TransportPool
from ckn.loaded import check_model, checked, require_readable
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Pictures
from ckn.targets import Targets
from kerneltools import kernels, patches
from kerneltools.backend import backend as backend_named
from kerneltools.encoding import by_stored_name, placing
from kerneltools.files import load_tree, save_tree
from kerneltools.learning import Temperature
from kerneltools.solvers import LinearModel
from kerneltools.structures import Alphabet
from kerneltools.trees import Tree

KIND = "ckn"


def save(model: Model | Network | Any, path: str | Path) -> None:
    """Write a `Model`, a `Network`, or a fitted estimator, which is read back as a `Model`.

    The file appears complete or not at all. Raises OSError if the folder cannot be written, and ValueError, with the
    reason, for a model that `load` would refuse: NaN, repeated classes, sizes that do not fit together.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import ckn
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(8),)), images, rng=0, patches=200)
    >>> path = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save(network, path)
    >>> path.exists()
    True
    """
    model = getattr(model, "model_", model)
    if not isinstance(model, Model | Network):
        raise TypeError(f"model: expected a Model, a Network or a fitted estimator, got {type(model).__name__}")
    model = model.unprepared()
    require_readable(path, check_model, model)
    save_tree(model, path, KIND)


def load(
    path: str | Path, backend: str | None = None, device: Any = None, types: Iterable[type] = ()
) -> Model | Network:
    """Read a file of `save`; its arrays are in the library of `backend` ("numpy" for None) and on `device`.

    `types`: kernels, profiles and preprocessing steps of your own that the file may hold.

    Raises FileNotFoundError, and kerneltools.files.FileFormatError, which names the file, for one that is truncated,
    corrupt (a bit has changed), from another version or of another kind; or whose values are invalid: arrays that are
    not finite floating-point numbers, classes that are not two or more different ones, parts whose sizes do not fit
    together, and sizes beyond the bounds of `ckn.bounds` (docs/decisions/0015).

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> import tempfile
    >>> from pathlib import Path
    >>> import ckn
    >>> architecture = ckn.Architecture((ckn.LayerSpec(8),))
    >>> network = ckn.fit_unsupervised(architecture, images, rng=0, patches=200)
    >>> path = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save(network, path)
    >>> np.array_equal(load(path)(images), network(images))
    True
    """
    convert = placing(backend_named(backend or "numpy"), device)
    loaded = load_tree(path, KIND, by_stored_name((*model_types(), *types)), convert)
    found: Model | Network = checked(path, check_model, loaded)
    return found


def model_types() -> list[type]:
    """The types that a file of `save` may contain."""
    modules = (kernels, kernels.profiles, preprocessing, patches, embedding)
    members = [member for module in modules for member in vars(module).values()]
    trees = [m for m in members if isinstance(m, type) and issubclass(m, Tree) and not isabstract(m)]
    layers = [Layer, PartLayer, GappedLayer, Joined, Standardised, TransportPool]
    return [Model, Network, *layers, Alphabet, LinearModel, Pictures, Targets, Temperature, *trees]
