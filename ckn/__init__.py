"""Convolutional kernel networks: unsupervised and end-to-end learning of kernel maps for images and other data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckn import exact, preprocessing, readers, supervised
    from ckn.architecture import Architecture, LayerSpec, architectures
    from ckn.estimators.graphs import GraphClassifier, GraphRegressor
    from ckn.estimators.images import ImageClassifier, ImageRegressor
    from ckn.estimators.sequences import SequenceClassifier, SequenceRegressor
    from ckn.estimators.series import SeriesClassifier, SeriesRegressor
    from ckn.estimators.sets import SetClassifier, SetRegressor
    from ckn.files import load, save
    from ckn.layers.beside import Beside
    from ckn.layers.gapped import GappedLayer, GappedSpec
    from ckn.layers.grid import Layer
    from ckn.layers.parts import PartLayer, PartSpec
    from ckn.layers.readouts import Joined
    from ckn.layers.transport import FromElements, FromSets, Transport, TransportPool
    from ckn.memory import keep_freed_memory
    from ckn.model import Model
    from ckn.network import Network
    from ckn.supervised import Supervised, TrainingState, fit_supervised
    from ckn.unsupervised import fit_unsupervised

__all__ = [
    "Architecture",
    "Beside",
    "FromElements",
    "FromSets",
    "GappedLayer",
    "GappedSpec",
    "GraphClassifier",
    "GraphRegressor",
    "ImageClassifier",
    "ImageRegressor",
    "Joined",
    "Layer",
    "LayerSpec",
    "Model",
    "Network",
    "PartLayer",
    "PartSpec",
    "SequenceClassifier",
    "SequenceRegressor",
    "SeriesClassifier",
    "SeriesRegressor",
    "SetClassifier",
    "SetRegressor",
    "Supervised",
    "TrainingState",
    "Transport",
    "TransportPool",
    "architectures",
    "exact",
    "fit_supervised",
    "fit_unsupervised",
    "keep_freed_memory",
    "load",
    "preprocessing",
    "readers",
    "save",
    "supervised",
]

# Imported when asked for: scikit-learn takes a second and is an extra, which only the estimator needs; and Ctrl-C in
# the second that NumPy takes would be a traceback of the command, which handles it once it runs.
_PLACES = {
    "Architecture": "architecture",
    "Beside": "layers.beside",
    "FromElements": "layers.transport",
    "FromSets": "layers.transport",
    "GappedLayer": "layers.gapped",
    "GappedSpec": "layers.gapped",
    "GraphClassifier": "estimators.graphs",
    "GraphRegressor": "estimators.graphs",
    "ImageClassifier": "estimators.images",
    "ImageRegressor": "estimators.images",
    "Joined": "layers.readouts",
    "Layer": "layers.grid",
    "LayerSpec": "architecture",
    "Model": "model",
    "Network": "network",
    "PartLayer": "layers.parts",
    "PartSpec": "layers.parts",
    "SequenceClassifier": "estimators.sequences",
    "SequenceRegressor": "estimators.sequences",
    "SeriesClassifier": "estimators.series",
    "SeriesRegressor": "estimators.series",
    "SetClassifier": "estimators.sets",
    "SetRegressor": "estimators.sets",
    "Supervised": "supervised",
    "TrainingState": "supervised",
    "Transport": "layers.transport",
    "TransportPool": "layers.transport",
    "architectures": "architecture",
    "fit_supervised": "supervised",
    "fit_unsupervised": "unsupervised",
    "keep_freed_memory": "memory",
    "load": "files",
    "save": "files",
}
_MODULES = tuple(name for name in __all__ if name not in _PLACES)


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        found = getattr(import_module(f"ckn.{_PLACES[name]}"), name)
    elif name == "__version__":
        found = import_module("kerneltools").__version__
    elif name in _MODULES:
        found = import_module(f"ckn.{name}")
    else:
        raise AttributeError(f"module 'ckn' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    special = {name for name in globals() if name.startswith("__")}
    return sorted({"__version__", *special, *__all__})
