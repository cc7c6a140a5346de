"""Convolutional kernel networks: unsupervised and end-to-end learning of kernel maps for images."""

from typing import TYPE_CHECKING, Any

from ckn import exact, preprocessing, readers, supervised
from ckn.architecture import Architecture, LayerSpec, architectures
from ckn.files import load, save
from ckn.layer import Layer
from ckn.memory import keep_freed_memory
from ckn.model import Model
from ckn.network import Network
from ckn.supervised import Supervised, TrainingState, fit_supervised
from ckn.unsupervised import fit_unsupervised

if TYPE_CHECKING:
    from ckn.classifier import ImageClassifier

__all__ = [
    "Architecture",
    "ImageClassifier",
    "Layer",
    "LayerSpec",
    "Model",
    "Network",
    "Supervised",
    "TrainingState",
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


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import and is an extra: only the estimator needs it.
    if name == "ImageClassifier":
        from ckn.classifier import ImageClassifier

        return ImageClassifier
    raise AttributeError(f"module 'ckn' has no attribute {name!r}")
