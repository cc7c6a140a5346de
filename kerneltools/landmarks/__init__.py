"""Selectors of landmarks: selector(kernel, x, rng) -> Landmarks."""

from kerneltools.landmarks.base import Landmarks, ReducedWarning, Selector, WeightedSelector
from kerneltools.landmarks.bless import BLESS
from kerneltools.landmarks.cell_means import CellMeans
from kerneltools.landmarks.choosing import default
from kerneltools.landmarks.forecasting import forecast
from kerneltools.landmarks.given import Given
from kerneltools.landmarks.greedy import Greedy
from kerneltools.landmarks.kmeans import KMeans
from kerneltools.landmarks.kmeans_plus_plus import KMeansPlusPlus
from kerneltools.landmarks.minibatch_kmeans import MiniBatchKMeans
from kerneltools.landmarks.ridge_leverage import RidgeLeverage
from kerneltools.landmarks.rpcholesky import RPCholesky
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans
from kerneltools.landmarks.uniform import Uniform

__all__ = [
    "BLESS",
    "CellMeans",
    "Given",
    "Greedy",
    "KMeans",
    "KMeansPlusPlus",
    "Landmarks",
    "MiniBatchKMeans",
    "RPCholesky",
    "ReducedWarning",
    "RidgeLeverage",
    "Selector",
    "SphericalKMeans",
    "Uniform",
    "WeightedSelector",
    "default",
    "forecast",
]
