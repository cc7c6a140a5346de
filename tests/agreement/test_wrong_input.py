"""What cannot be computed is an error that says so, the same on every library."""

import re
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any

import numpy as np
import pytest

import ckn
from ckn import Architecture, Layer, LayerSpec, Network
from kerneltools import autodiff, landmarks, learning, linalg, pooling, solvers
from kerneltools.arrays import namespace
from kerneltools.backend import backend
from kerneltools.estimators import NystromFeatures
from kerneltools.kernels import Gaussian, Homogeneous, Linear, Polynomial
from kerneltools.kernels.profiles import Exponential
from kerneltools.maps import nystrom
from kerneltools.patches import Grid
from tests.agreement.libraries import JAX, LIBRARIES, NUMPY, STRICT, STRICT_DEVICE1, TORCH, Library, parameters

ROWS = np.random.default_rng(0).standard_normal((4, 3))
IMAGES = np.random.default_rng(1).random((2, 6, 6, 1))
ARCHITECTURE = Architecture((LayerSpec(2),))
OFF_CUDA = tuple(library for library in LIBRARIES if not library.cuda and not library.jit)
every_library = pytest.mark.parametrize("library", parameters(OFF_CUDA))


def layer(library: Library) -> Layer:
    return Layer(library.array(IMAGES[:, :3, :3, :]), Homogeneous(Exponential(0.6)))


# From a library, and the array that does not fit, to the call.
ONE: dict[str, tuple[np.ndarray, Callable[[Library, Any], Any]]] = {
    "kernel": (ROWS, lambda library, x: Gaussian(1.0)(x, x)),
    "kernel.diag": (ROWS, lambda library, x: (Gaussian(1.0) + Linear()).diag(x)),
    "nystrom": (ROWS, lambda library, x: nystrom(Gaussian(1.0), x)),
    "map": (ROWS, lambda library, x: nystrom(Gaussian(1.0), library.array(ROWS))(x)),
    "selector": (ROWS, lambda library, x: landmarks.SphericalKMeans(2)(Linear(), x, 0)),
    "inverse_sqrt": (np.eye(3), lambda library, x: linalg.inverse_sqrt(x, 0.1)),
    "cholesky_factor": (np.eye(3), lambda library, x: linalg.cholesky_factor(x)),
    "patches": (IMAGES, lambda library, x: Grid(3).extract(x)),
    "pool": (IMAGES, lambda library, x: pooling.Mean(2)(x)),
    "layer": (IMAGES, lambda library, x: layer(library)(x)),
    "network": (IMAGES, lambda library, x: Network((layer(library),)).prepare()(x)),
    "exact kernel": (IMAGES, lambda library, x: ckn.exact.gram(ARCHITECTURE, x)),
    "filters": (IMAGES, lambda library, x: Layer(x[:, :3, :3, :], Linear())),
    "fit": (IMAGES, lambda library, x: ckn.fit_unsupervised(ARCHITECTURE, x, 0)),
    "ridge": (ROWS, lambda library, x: solvers.ridge(x, library.array(ROWS), 0.1)),
    "falkon": (
        ROWS,
        lambda library, x: solvers.falkon(Gaussian(1.0), library.array(ROWS), x, library.array(ROWS), 0.1),
    ),
    "nystrom_pcg": (ROWS, lambda library, x: solvers.nystrom_pcg(Gaussian(1.0), library.array(ROWS), x, 0.1)),
    "hyper.fit": (ROWS, lambda library, x: learning.hyper.fit(Gaussian(1.0), x, x, x)),
    "kernel_pca": (ROWS, lambda library, x: learning.kernel_pca(lambda rows: rows, x, 1)),
    "mmd": (ROWS, lambda library, x: learning.mmd(lambda rows: rows, library.array(ROWS), x)),
}
TWO: dict[str, tuple[np.ndarray, Callable[[Library, Any], Any]]] = {
    "kernel": (ROWS, lambda library, x: Gaussian(1.0)(library.array(ROWS), x)),
    "product of kernels": (ROWS, lambda library, x: (Gaussian(1.0) * Linear())(library.array(ROWS), x)),
    "map": (ROWS, lambda library, x: nystrom(Gaussian(1.0), library.array(ROWS))(x)),
    "given landmarks": (ROWS, lambda library, x: landmarks.Given(library.array(ROWS))(Linear(), x, 0)),
    "layer": (IMAGES, lambda library, x: layer(library)(x)),
    "network": (IMAGES, lambda library, x: Network((layer(library),)).prepare()(x)),
    "exact kernel": (IMAGES, lambda library, x: ckn.exact.gram(ARCHITECTURE, library.array(IMAGES), x)),
    "ridge": (ROWS, lambda library, x: solvers.ridge(library.array(ROWS), x, 0.1)),
    "fit_linear": (ROWS, lambda library, x: solvers.fit_linear(library.array(ROWS), x, solvers.Squared(), 0.1)),
    "falkon": (
        ROWS,
        lambda library, x: solvers.falkon(Gaussian(1.0), x, library.array(ROWS), library.array(ROWS), 0.1),
    ),
    "nystrom_pcg": (ROWS, lambda library, x: solvers.nystrom_pcg(Gaussian(1.0), library.array(ROWS), x, 0.1)),
    "hyper.fit": (
        ROWS,
        lambda library, x: learning.hyper.fit(Gaussian(1.0), x, library.array(ROWS), library.array(ROWS)),
    ),
    "mmd": (ROWS, lambda library, x: learning.mmd(lambda rows: rows, library.array(ROWS), x)),
    "hsic": (ROWS, lambda library, x: learning.hsic(lambda rows: rows, lambda rows: rows, library.array(ROWS), x)),
}


@every_library
@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("dtype", ["int64", "complex128"])
def test_integers_and_complex_numbers(library: Library, name: str, dtype: str) -> None:
    host, call = ONE[name]
    with pytest.raises(TypeError, match=rf"expected .*floating-point.*, got .*{dtype}"):
        call(library, library.array(host.round().astype(dtype)))


@every_library
@pytest.mark.parametrize("name", TWO)
def test_arrays_of_two_libraries(library: Library, name: str) -> None:
    host, call = TWO[name]
    other = TORCH if library.root == "numpy" else NUMPY
    match = r"arrays of several libraries in one call: .*; convert .*kerneltools\.backend\('\w+'\)\.asarray"
    with pytest.raises(TypeError, match=match):
        call(library, other.array(host))


@pytest.mark.parametrize("name", TWO)
def test_arrays_on_two_devices(name: str) -> None:
    host, call = TWO[name]
    with pytest.raises(
        ValueError,
        match=r"arrays on several devices in one call: .*CPU_DEVICE.*device1.*move them|"
        r"arrays on several devices in one call: .*device1.*CPU_DEVICE.*move them",
    ):
        call(STRICT, STRICT_DEVICE1.array(host))


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_a_device_that_does_not_exist(name: str) -> None:
    with pytest.raises(ValueError, match=r"device: .*cpu.*, got 'warp:3'"):
        backend(name).asarray(ROWS, device="warp:3")


@pytest.mark.parametrize("name", ["torch", "jax", "cupy"])
def test_a_library_that_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(point: metadata.EntryPoint) -> Any:
        raise ModuleNotFoundError(f"No module named {point.name!r}", name=point.name)

    monkeypatch.setattr(metadata.EntryPoint, "load", not_there)
    registry = import_module("kerneltools.backend")
    monkeypatch.setattr(registry, "_load", registry._load.__wrapped__)  # not the one that remembers
    with pytest.raises(ImportError, match=rf"{name} is not installed; .* pip install 'kerneltools\[{name}"):
        backend(name)


@every_library
def test_an_integer_argument_has_no_gradient(library: Library) -> None:
    tree = {"x": library.array(ROWS), "order": library.array(np.arange(4))}
    with pytest.raises(TypeError, match=r"argument 0, order: expected a real floating-point array .*int64"):
        library.value_and_grad(lambda t: namespace(t["x"]).sum(t["x"]))(tree)


TAPE = tuple(library for library in OFF_CUDA if library.root not in ("torch", "jax"))


@pytest.mark.parametrize("library", parameters(TAPE))
def test_a_traced_array_that_is_used_afterwards(library: Library) -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        leaked.append(Gaussian(1.0)(x, x))
        return namespace(x).sum(leaked[0])

    library.value_and_grad(f)(library.array(ROWS))
    with pytest.raises(autodiff.LeakedArrayError):
        namespace(leaked[0]).exp(leaked[0])


def test_a_leaked_array_of_jax() -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        leaked.append(x * 2)
        return namespace(x).sum(leaked[0])

    JAX.backend.jit(f)(JAX.array(ROWS))
    with pytest.raises(Exception, match=re.compile("leaked", re.IGNORECASE)):
        leaked[0] + 1


@pytest.mark.parametrize("library", parameters(TAPE))
def test_an_operation_without_a_rule(library: Library) -> None:
    with pytest.raises(NotImplementedError, match=r"gradient of unique_values: .*kerneltools/autodiff/rules"):
        library.value_and_grad(lambda x: namespace(x).sum(namespace(x).unique_values(x)))(library.array(ROWS))


@pytest.mark.parametrize("library", parameters(TAPE))
def test_a_conversion_that_would_lose_the_gradient(library: Library) -> None:
    with pytest.raises(TypeError, match=r"would lose its gradient; .*kerneltools\.arrays\.namespace"):
        library.value_and_grad(lambda x: namespace(x).sum(x) * float(x[0, 0]))(library.array(ROWS))


# For each call, its arrays by their names; each is replaced in turn by what is no matrix of numbers.
MATRICES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "nystrom": (lambda points: nystrom(Gaussian(1.0), points), ("points",)),
    "ridge": (lambda x, y: solvers.ridge(x, y, 0.1), ("x", "y")),
    "ridge_path": (solvers.ridge_path, ("x", "y")),
    "falkon": (lambda points, x, y: solvers.falkon(Gaussian(1.0), points, x, y, 0.1), ("points", "x", "y")),
    "kernel_ridge": (lambda points, x, y: solvers.kernel_ridge(Gaussian(1.0), points, x, y, 0.1), ("points", "x", "y")),
    "exact_ridge": (lambda x, y: solvers.exact_ridge(Gaussian(1.0), x, y, 0.1), ("x", "y")),
    "nystrom_pcg": (lambda x, y: solvers.nystrom_pcg(Gaussian(1.0), x, y, 0.1), ("x", "y")),
    "fit_kernel": (
        lambda points, x, targets: solvers.fit_kernel(Gaussian(1.0), points, x, targets, solvers.Squared(), 0.1),
        ("points", "x", "targets"),
    ),
    "fit_linear": (lambda x, targets: solvers.fit_linear(x, targets, solvers.Squared(), 0.1), ("x", "targets")),
    "hyper.fit": (lambda points, x, y: learning.hyper.fit(Gaussian(1.0), points, x, y), ("points", "x", "y")),
    "mmd": (lambda x, y: learning.mmd(lambda rows: rows, x, y), ("x", "y")),
    "hsic": (lambda x, y: learning.hsic(lambda rows: rows, lambda rows: rows, x, y), ("x", "y")),
    "conjugate_gradient": (lambda rhs: linalg.conjugate_gradient(lambda v: v, rhs), ("rhs",)),
    "cholesky_factor": (linalg.cholesky_factor, ("matrix",)),
    "inverse_sqrt": (lambda matrix: linalg.inverse_sqrt(matrix, 0.1), ("matrix",)),
    "solve_shifted": (lambda matrix, rhs: linalg.solve_shifted(matrix, 0.1, rhs), ("matrix", "rhs")),
    "KMeans": (lambda x: landmarks.KMeans(2)(Gaussian(1.0), x, 0), ("x",)),
}
NO_MATRICES: dict[str, Any] = {
    "a list": ROWS.tolist(),
    "None": None,
    "text": "rows",
    "a row": ROWS[0, :],
    "no rows": ROWS[:0, :],
    "no columns": ROWS[:, :0],
    "longdouble": ROWS.astype(np.longdouble),
    "objects": ROWS.astype(object),
    "complex": ROWS + 0j,
}
ARGUMENTS = [(call, name) for call, (_, names) in MATRICES.items() for name in names]


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is float64 here")
@pytest.mark.parametrize(("call", "argument"), ARGUMENTS)
@pytest.mark.parametrize("wrong", NO_MATRICES)
def test_what_is_no_matrix_is_named(call: str, argument: str, wrong: str) -> None:
    if (call, wrong) in {("nystrom", "no columns")}:
        pytest.skip("kernels of rows without columns have values")
    if (call, argument, wrong) in {("fit_linear", "targets", "None")}:
        pytest.skip("None says that x gives the targets")
    function, names = MATRICES[call]
    square = call in ("inverse_sqrt", "solve_shifted", "cholesky_factor")
    good = dict.fromkeys(names, ROWS[:3, :] if square else ROWS)
    with pytest.raises((TypeError, ValueError), match=rf"\b{argument}\b.*expected|expected.*\b{argument}\b"):
        function(**{**good, argument: NO_MATRICES[wrong]})


NO_NUMBERS: dict[str, Any] = {
    "10^400": 10**400,
    "0": 0,
    "-1": -1.0,
    "-1 ()": np.asarray(-1.0),
    "nan": float("nan"),
    "nan ()": np.asarray(np.nan),
    "text": "a",
    "a list": [0.1],
    "complex": 1j,
    "an array": np.ones(2),
    "True": True,
    "True of NumPy": np.True_,
    "longdouble": np.longdouble(0.5),
    "torch": TORCH.array(np.asarray(0.5)),
}
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "nystrom": lambda reg: nystrom(Gaussian(1.0), ROWS, reg),
    "inverse_sqrt": lambda reg: linalg.inverse_sqrt(np.eye(3), reg),
    "ridge": lambda reg: solvers.ridge(ROWS, ROWS, reg),
    "falkon": lambda reg: solvers.falkon(Gaussian(1.0), ROWS, ROWS, ROWS, reg),
    "nystrom_pcg": lambda reg: solvers.nystrom_pcg(Gaussian(1.0), ROWS, ROWS, reg),
    "solve_shifted": lambda reg: linalg.solve_shifted(np.eye(3), reg, np.eye(3)),
    "exact_ridge": lambda reg: solvers.exact_ridge(Gaussian(1.0), ROWS, ROWS, reg),
    "exact_path": lambda reg: solvers.exact_path(Gaussian(1.0), ROWS, ROWS).model(reg),
    "kernel_ridge": lambda reg: solvers.kernel_ridge(Gaussian(1.0), ROWS, ROWS, ROWS, reg),
    "leave_one_out": lambda reg: solvers.ridge_path(ROWS, ROWS).leave_one_out([reg]),
    "LeaveOneOut": lambda reg: learning.LeaveOneOut()(lambda x: x, ROWS, ROWS, reg),
    "fit_kernel": lambda reg: solvers.fit_kernel(Gaussian(1.0), ROWS, ROWS, ROWS, solvers.Squared(), reg),
    "NystromFeatures": lambda reg: NystromFeatures(Gaussian(1.0), landmarks=3, reg=reg).fit(ROWS),
    "fit_linear": lambda reg: solvers.fit_linear(ROWS, ROWS, solvers.Squared(), reg),
    "hyper.fit": lambda reg: learning.hyper.fit(Gaussian(1.0), ROWS, ROWS, ROWS, reg),
}


@pytest.mark.parametrize("call", NUMBERS)
@pytest.mark.parametrize("wrong", NO_NUMBERS)
def test_what_is_no_positive_number_is_named(call: str, wrong: str) -> None:
    name = "shift" if call == "solve_shifted" else "reg"
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}: expected a (finite )?number > 0"):
        NUMBERS[call](NO_NUMBERS[wrong])


OTHER_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "bandwidth": Gaussian,
    "scale": lambda scale: scale * Gaussian(1.0),
    "offset": lambda offset: Polynomial(2, offset),
    "tolerance": lambda tolerance: linalg.conjugate_gradient(lambda v: v, ROWS, tolerance=tolerance),
    "rate": lambda rate: learning.hyper.Descent(2, rate),
}


@pytest.mark.parametrize("name", OTHER_NUMBERS)
@pytest.mark.parametrize("wrong", sorted({*NO_NUMBERS} - {"0", "torch", "an array"}))
def test_other_numbers_are_named(name: str, wrong: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"{name}: expected "):
        OTHER_NUMBERS[name](NO_NUMBERS[wrong])


STEPS: dict[str, Callable[..., Any]] = {
    "minimise": lambda **how: solvers.minimise(lambda x: ((x * x).sum(), 2 * x), ROWS, **how),
    "falkon": lambda **how: solvers.falkon(Gaussian(1.0), ROWS, ROWS, ROWS, 0.1, **how),
    "fit_kernel": lambda **how: solvers.fit_kernel(Gaussian(1.0), ROWS, ROWS, ROWS, solvers.Squared(), 0.1, **how),
    "fit_linear": lambda **how: solvers.fit_linear(ROWS, ROWS, solvers.Squared(), 0.1, **how),
    "kernel_kmeans": lambda **how: learning.kernel_kmeans(lambda x: x, ROWS, 2, 0, **how),
    "KMeans": lambda **how: landmarks.KMeans(2, **how)(Gaussian(1.0), ROWS, 0),
}


@pytest.mark.parametrize("call", STEPS)
def test_rules_to_stop_are_named(call: str) -> None:
    for wrong in ("a", None, float("nan"), -1.0, True):
        with pytest.raises((TypeError, ValueError), match="tolerance: expected a number >= 0, got"):
            STEPS[call](tolerance=wrong)
    for wrong in ("a", None, 2.5, -1, True):
        with pytest.raises(ValueError, match="iterations: expected an integer >= 0, got"):
            STEPS[call](iterations=wrong)
