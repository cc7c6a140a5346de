"""What a kernel of one's own is told when something is wrong with it, wherever it comes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ckn import LayerSpec
from kerneltools import kernels, maps, solvers
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures
from kerneltools.kernels import Gaussian, InnerProductKernel, Kernel
from kerneltools.landmarks import BLESS, Greedy, RidgeLeverage, RPCholesky

X = np.random.default_rng(0).standard_normal((12, 2))
Z, Y = X[:4], np.sin(X[:, :1])


class NoDataclass(Kernel):
    def __init__(self, bandwidth: float) -> None:
        self.bandwidth = bandwidth

    def __call__(self, x: Any, y: Any) -> Any:
        return Gaussian(self.bandwidth)(x, y)

    def diag(self, x: Any) -> Any:
        return Gaussian(self.bandwidth).diag(x)


@dataclass(frozen=True)
class Of(Kernel):
    """Whatever the functions give."""

    values: Callable[[Any], Any] = lambda value: value
    diagonal: Callable[[Any], Any] = lambda value: value

    def __call__(self, x: Any, y: Any) -> Any:
        return self.values(Gaussian(1.0)(x, y))

    def diag(self, x: Any) -> Any:
        return self.diagonal(Gaussian(1.0).diag(x))

    def __repr__(self) -> str:
        return "Of()"


@dataclass(frozen=True)
class Row(InnerProductKernel):
    """One that defines `from_inner` alone."""

    def from_inner(self, inner: Any, x_norm: Any, y_norm: Any) -> Any:
        return inner[..., 0]


DOORS: dict[str, Callable[[Any], Any]] = {
    "nystrom": lambda k: maps.nystrom(k, Z).residual(X),
    "kernel_ridge": lambda k: solvers.kernel_ridge(k, Z, X, Y, 1e-3),
    "falkon": lambda k: solvers.falkon(k, Z, X, Y, 1e-3),
    "nystrom_pcg": lambda k: solvers.nystrom_pcg(k, X, Y, 1e-3),
    "fit_kernel": lambda k: solvers.fit_kernel(k, Z, X, np.sign(Y), solvers.Logistic(), 1e-3),
    "RPCholesky": lambda k: RPCholesky(3)(k, X, 0),
    "Greedy": lambda k: Greedy(3)(k, X, 0),
    "RidgeLeverage": lambda k: RidgeLeverage(3)(k, X, 0),
    "BLESS": lambda k: BLESS(3)(k, X, 0),
    "KernelRidge": lambda k: KernelRidge(k, landmarks=4).fit(X, Y),
    "KernelClassifier": lambda k: KernelClassifier(k, landmarks=4).fit(X, Y[:, 0] > 0),
    "NystromFeatures": lambda k: NystromFeatures(k, landmarks=4).fit_transform(X),
    "KernelPCA": lambda k: KernelPCA(kernel=k, landmarks=4).fit(X),
    "a call": lambda k: (k(X, Z), k.diag(X)),
    "in a sum": lambda k: (kernels.Sum((Gaussian(1.0), k))(X, Z), (k + Gaussian(1.0)).diag(X)),
    "in a power": lambda k: ((k**2)(X, Z), (k**2).diag(X)),
    "on columns": lambda k: (kernels.On((0,), k)(X, Z), kernels.On((0,), k).diag(X)),
}
every_door = pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))


@every_door
def test_a_good_one_passes(door: Callable[[Any], Any]) -> None:
    door(Of())


@every_door
def test_no_dataclass(door: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"kernel: NoDataclass is no dataclass: write @dataclass\(frozen=True\)"):
        door(NoDataclass(1.0))


def test_no_dataclass_in_a_layer() -> None:
    with pytest.raises(TypeError, match="kernel: NoDataclass is no dataclass"):
        LayerSpec(4, kernel=NoDataclass(1.0))


@every_door
@pytest.mark.parametrize(
    ("kernel", "got"),
    [
        (Of(values=lambda value: value[:, 0], diagonal=lambda value: value[:, None]), r"shape \(\d+,( 1)?\)"),
        (Of(values=lambda value: value[None], diagonal=lambda value: value[:-1]), r"shape \((1, )?\d+(, \d+)?,?\)"),
        (Of(values=lambda value: None, diagonal=lambda value: 1.0), "(NoneType|float)"),
    ],
    ids=["flat", "more", "nothing"],
)
def test_values_of_another_shape(door: Callable[[Any], Any], kernel: Kernel, got: str) -> None:
    wanted = r"kernel: (__call__|diag) of Of\(\), given rows of shape .*: expected values of shape \(\d+,.*\), got "
    with pytest.raises(ValueError, match=wanted + got + "$"):
        door(kernel)


def test_the_shapes_are_said() -> None:
    message = (
        r"kernel: __call__ of Of\(\), given rows of shape \(12, 2\) and \(4, 2\): expected values of shape \(12, 4\), "
        r"got shape \(4, 12\)$"
    )
    with pytest.raises(ValueError, match=message):
        Of(values=lambda value: value.T)(X, Z)


def test_families() -> None:
    with pytest.raises(ValueError, match=r"kernel: __call__ of Row\(\).*got shape \(12,\)"):
        Row()(X, Z)
