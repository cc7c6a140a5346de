"""Preprocessing: steps between the data and the first layer."""

from ckn.preprocessing.base import Step, normalise_features
from ckn.preprocessing.images import ContrastNormalise, Scale, Whiten
from ckn.preprocessing.objects import DegreeLabels, LabelColumns, NormaliseSeries, ObjectStep, Standardise

__all__ = [
    "ContrastNormalise",
    "DegreeLabels",
    "LabelColumns",
    "NormaliseSeries",
    "ObjectStep",
    "Scale",
    "Standardise",
    "Step",
    "Whiten",
    "normalise_features",
]
