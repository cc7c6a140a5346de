"""The inverse square root, its derivative, and the Cholesky factor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend, linalg
from kerneltools.arrays import namespace
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.linalg import cholesky_factor, inverse_sqrt, lyapunov, solve_shifted
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def random_psd(m: int, rank: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).standard_normal((m, rank))
    return root @ root.T


def symmetric(m: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((m, m))
    return (x + x.T) / 2


def filters_kernel(duplicate: bool) -> np.ndarray:
    z = np.random.default_rng(3).standard_normal((5, 4))
    if duplicate:
        z[1] = z[0]
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return Homogeneous(Exponential(0.6))(z, z)


# Matrices where the derivative of an eigendecomposition does not exist, and ordinary ones.
MATRICES = {
    "random": random_psd(5, 5, 0),
    "rank 2": random_psd(5, 2, 1),
    "identity": np.eye(4),
    "zero": np.zeros((3, 3)),
    "repeated": np.diag([1.0, 1.0, 1.0, 2.0, 2.0]),
    "nearly repeated": np.diag([1.0, 1.0 + 1e-9, 1.0 - 1e-9, 2.0]),
    "filters": filters_kernel(duplicate=False),
    "two equal filters": filters_kernel(duplicate=True),
    "one by one": np.array([[2.0]]),
}
every_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=list(MATRICES))


def central(f: Callable[[float], np.ndarray], h: float) -> np.ndarray:
    """f'(0), of fourth order in h."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


class TestInverseSqrt:
    @settings(max_examples=50)
    @given(
        m=st.integers(1, 7), rank=st.integers(0, 7), seed=st.integers(0, 1000), reg=st.sampled_from([1e-4, 1e-2, 1.0])
    )
    def test_definition(self, m: int, rank: int, seed: int, reg: float) -> None:
        matrix = random_psd(m, rank, seed)
        root = inverse_sqrt(matrix, reg)
        assert_close(root, root.T, 1e-12)
        assert np.linalg.eigvalsh(root).min() > 0
        assert_close(root @ (matrix + reg * np.eye(m)) @ root, np.eye(m), 1e-8)

    @every_matrix
    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_by_the_standard_alone(self, matrix: np.ndarray, device: Any) -> None:
        assert_same_on(device, inverse_sqrt(to_strict(matrix, device), 1e-2), inverse_sqrt(matrix, 1e-2))

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of a gradient that is infinite
    @pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
    def test_matrices_near_the_ends_of_the_type(self, library: str) -> None:
        matrix = np.array([[1.0, 0.5], [0.5, 1.0]])

        def total(matrix: Any, reg: float) -> Any:
            return namespace(matrix).sum(inverse_sqrt(matrix, reg) * weights)

        chosen = backend(library)
        weights = chosen.asarray(np.array([[1.0, 0.5], [2.0, 3.0]]))
        derive = chosen.value_and_grad(total)
        wanted = [chosen.to_numpy(a) for a in derive(chosen.asarray(matrix), 0.1)]
        for unit in (1e308, 1e200, 1e-200, 1e-300):
            value, gradient = (chosen.to_numpy(a) for a in derive(chosen.asarray(unit * matrix), 0.1 * unit))
            assert_close(value * unit**0.5, wanted[0], 1e-12)
            # As far as it is a number: the gradient goes with the power -3/2 of the unit.
            if abs(np.log10(unit)) == 200:
                assert_close(gradient * unit**0.5 * unit, wanted[1], 1e-12)
            assert not np.isnan(gradient).any()

    def test_only_the_symmetric_part_counts(self) -> None:
        skew = np.triu(np.ones((5, 5)), 1)
        skew = skew - skew.T
        matrix = MATRICES["random"]
        assert_close(inverse_sqrt(matrix + skew, 0.1), inverse_sqrt(matrix, 0.1))

    def test_reg_may_be_an_array(self) -> None:
        matrix = MATRICES["random"]
        assert_close(inverse_sqrt(matrix, np.array(0.1, np.float32)), inverse_sqrt(matrix, float(np.float32(0.1))))

    def test_float32_in_and_out_float64_between(self) -> None:
        # Eigenvalues below the resolution of float32: a root in float32 would be noise.
        matrix = np.diag([1.0, 1e-9]).astype(np.float32)
        root = inverse_sqrt(matrix, 1e-10)
        assert root.dtype == np.float32
        assert root[1, 1] == pytest.approx((1e-9 + 1e-10) ** -0.5, rel=1e-6)

    def test_leaves_its_input_alone(self) -> None:
        matrix = MATRICES["random"].copy()
        matrix.flags.writeable = False
        inverse_sqrt(matrix, 0.1)
        assert np.array_equal(matrix, MATRICES["random"])

    def test_errors(self) -> None:
        with pytest.raises(ValueError, match=r"matrix: expected a square matrix \(m, m\), got shape \(2, 3\)"):
            inverse_sqrt(np.ones((2, 3)), 0.1)
        with pytest.raises(ValueError, match=r"matrix: expected a square matrix \(m, m\), got shape \(3,\)"):
            inverse_sqrt(np.ones(3), 0.1)
        with pytest.raises(TypeError, match="matrix: expected a real floating-point array, got int64"):
            inverse_sqrt(np.eye(2, dtype=np.int64), 0.1)
        for reg in (0, -1.0, float("nan")):
            with pytest.raises(ValueError, match="reg: expected a number > 0, got"):
                inverse_sqrt(np.eye(2), reg)


class TestItsDerivative:
    """The rule (cotangent, output, input) -> cotangent of the input, against central differences."""

    @every_matrix
    def test_in_all_symmetric_directions(self, matrix: np.ndarray) -> None:
        m, reg = len(matrix), 1e-2
        shifted = matrix + reg * np.eye(m)
        cotangent = np.random.default_rng(5).standard_normal((m, m))
        (gradient,) = linalg.pull_inverse_sqrt(cotangent, linalg.inverse_root(shifted), shifted)
        assert np.all(np.isfinite(gradient))
        for i in range(m):
            for j in range(i + 1):
                direction = np.zeros((m, m))
                direction[i, j] = direction[j, i] = 1

                def loss(step: float, direction: np.ndarray = direction) -> np.ndarray:
                    return np.vdot(cotangent, inverse_sqrt(matrix + step * direction, reg))

                # The step keeps the shifted matrix positive: its least eigenvalue may be reg.
                numerical = central(loss, 2e-4 * reg**0.5)
                assert np.vdot(gradient, direction) == pytest.approx(
                    numerical, rel=1e-6, abs=1e-6 * np.abs(gradient).max()
                )

    @every_matrix
    def test_closed_form(self, matrix: np.ndarray) -> None:
        # -V [(V' G V) / (s_i s_j (s_i + s_j))] V' for a symmetric G.
        m = len(matrix)
        shifted, cotangent = matrix + 1e-2 * np.eye(m), symmetric(m, 5)
        eigenvalues, v = np.linalg.eigh(shifted)
        s = np.sqrt(eigenvalues)
        divided = (v.T @ cotangent @ v) / (np.outer(s, s) * (s[:, None] + s[None, :]))
        (gradient,) = linalg.pull_inverse_sqrt(cotangent, linalg.inverse_root(shifted), shifted)
        assert_close(gradient, -v @ divided @ v.T, 1e-11)

    @every_matrix
    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_by_the_standard_alone(self, matrix: np.ndarray, device: Any) -> None:
        shifted, cotangent = matrix + 1e-2 * np.eye(len(matrix)), symmetric(len(matrix), 5)
        root = linalg.inverse_root(shifted)
        (wanted,) = linalg.pull_inverse_sqrt(cotangent, root, shifted)
        (got,) = linalg.pull_inverse_sqrt(*(to_strict(a, device) for a in (cotangent, root, shifted)))
        assert_same_on(device, got, wanted)


class TestLyapunov:
    @every_matrix
    def test_equation(self, matrix: np.ndarray) -> None:
        root = matrix + 0.1 * np.eye(len(matrix))
        rhs = np.random.default_rng(5).standard_normal(root.shape)
        solution = lyapunov(root, rhs)
        assert_close(root @ solution + solution @ root, rhs, 1e-12)

    @every_matrix
    @pytest.mark.parametrize("kind", ["symmetric", "general"])
    def test_derivative(self, matrix: np.ndarray, kind: str) -> None:
        m = len(matrix)
        root, direction = matrix + 0.5 * np.eye(m), symmetric(m, 4)
        rhs = symmetric(m, 5) if kind == "symmetric" else np.random.default_rng(5).standard_normal((m, m))
        cotangent, rhs_direction = np.random.default_rng(6).standard_normal((2, m, m))
        of_root, of_rhs = linalg._lyapunov_backward(cotangent, lyapunov(root, rhs), root, rhs)
        numerical = central(lambda t: np.vdot(cotangent, lyapunov(root + t * direction, rhs)), 1e-3)
        assert np.vdot(of_root, direction) == pytest.approx(numerical, rel=1e-6, abs=1e-9)
        linear = np.vdot(cotangent, lyapunov(root, rhs_direction))
        assert np.vdot(of_rhs, rhs_direction) == pytest.approx(linear, rel=1e-10)

    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_by_the_standard_alone(self, device: Any) -> None:
        root, rhs = MATRICES["random"] + np.eye(5), symmetric(5, 5)
        assert_same_on(device, lyapunov(to_strict(root, device), to_strict(rhs, device)), lyapunov(root, rhs))


class TestSolveShifted:
    @pytest.mark.parametrize("shift", [1e-300, 1e-12, 1e-3, 10.0])
    def test_solution(self, shift: float) -> None:
        basis, _ = np.linalg.qr(symmetric(5, 5))
        matrix = basis[:, :3] @ np.diag([4.0, 2.0, 1.0]) @ basis[:, :3].T
        rhs = matrix @ symmetric(5, 5)
        wanted = basis[:, :3] @ np.diag(1 / (np.array([4.0, 2.0, 1.0]) + shift)) @ basis[:, :3].T @ rhs
        # What rounding leaves of rhs in the two other directions is enlarged by 1 / shift at most.
        assert_close(solve_shifted(matrix, shift, rhs), wanted, 1e-12 if shift != 1e-12 else 1e-3)

    @pytest.mark.parametrize("device", DEVICES, ids=str)
    @pytest.mark.parametrize("shift", [1e-300, 1.0])
    def test_by_the_standard_alone(self, device: Any, shift: float) -> None:
        matrix, rhs = MATRICES["random"] @ MATRICES["random"] + np.eye(5), symmetric(5, 5)
        got = solve_shifted(to_strict(matrix, device), shift, to_strict(rhs, device))
        assert_same_on(device, got, solve_shifted(matrix, shift, rhs), 1e-9)

    def test_where_numbers_are_not_known(self) -> None:
        jax = pytest.importorskip("jax")
        matrix, rhs = np.eye(3, dtype=np.float32), np.ones((3, 1), dtype=np.float32)
        assert_close(np.asarray(jax.jit(solve_shifted)(matrix, 1.0, rhs)), rhs / 2, 1e-6)


class TestCholeskyFactor:
    @every_matrix
    def test_factor(self, matrix: np.ndarray) -> None:
        factor = cholesky_factor(matrix)
        assert np.array_equal(factor, np.tril(factor))
        assert np.all(np.diag(factor) > 0)
        np.testing.assert_allclose(factor @ factor.T, matrix, rtol=0, atol=1e-14)

    def test_relative_shift(self) -> None:
        matrix = 4 * MATRICES["random"]
        shift = 0.1 * np.diag(matrix).max()
        factor = cholesky_factor(matrix, rtol=0.1)
        assert_close(factor @ factor.T, matrix + shift * np.eye(5))

    def test_float32_gives_float64_shifted_by_what_float32_has_lost(self) -> None:
        factor = cholesky_factor(np.ones((6, 6), np.float32))
        assert factor.dtype == np.float64
        shift = (factor @ factor.T - np.ones((6, 6))).diagonal()
        assert_close(shift, np.full(6, 6 * np.finfo(np.float32).eps), 1e-6)
        assert np.linalg.norm(np.linalg.inv(factor), 2) < 1 / np.sqrt(5 * np.finfo(np.float32).eps)

    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_by_the_standard_alone(self, device: Any) -> None:
        matrix = MATRICES["random"]
        assert_same_on(device, cholesky_factor(to_strict(matrix, device)), cholesky_factor(matrix))

    def test_errors(self) -> None:
        with pytest.raises(ValueError, match=r"matrix: expected a square matrix \(m, m\), got shape \(2, 3\)"):
            cholesky_factor(np.ones((2, 3)))
