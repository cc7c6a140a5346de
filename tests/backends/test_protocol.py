"""What every backend promises, for each that can compute here."""

from typing import Any

import numpy as np
import pytest

from kerneltools.arrays import namespace
from kerneltools.backend import Backend, available, backend, backend_of, move
from kerneltools.kernels import Gaussian, Sum

OTHERS = tuple(name for name in available() if backend(name).devices())


def test_protocol(library: Backend) -> None:
    assert isinstance(library, Backend)
    assert backend(library.name) is library
    assert library.devices()


def test_owns_its_arrays_only(library: Backend) -> None:
    for name in OTHERS:
        array = backend(name).asarray([1.0])
        assert library.owns(array) == (name == library.name)
        assert backend_of(array) is backend(name)


@pytest.mark.parametrize("name", OTHERS)
def test_arrays_of_any_library(library: Backend, name: str) -> None:
    there = backend(name).asarray([[1.0, 2.0], [3.0, 4.5]], dtype="float32")
    here = library.asarray(there)
    assert library.owns(here)
    assert here.dtype == library.namespace.float32
    assert library.to_numpy(here).tolist() == [[1.0, 2.0], [3.0, 4.5]]


def unwritable(x: Any) -> Any:
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "x",
    [
        unwritable(np.arange(3.0)),
        np.arange(3.0)[::-1][::-1],
        np.flip(np.array([2.0, 1.0, 0.0])),
        np.arange(3, dtype=">f8"),
        np.arange(6.0)[::2] / 2,
        [0.0, 1.0, 2.0],
        (0, 1, 2),
    ],
    ids=["read-only", "twice reversed", "reversed", "big-endian", "strided", "list", "tuple of integers"],
)
def test_arrays_from_the_host(library: Backend, x: Any) -> None:
    assert library.to_numpy(library.asarray(x, dtype="float64")).tolist() == [0.0, 1.0, 2.0]


def test_numbers_keep_all_their_digits(library: Backend) -> None:
    for number in (0.1, np.float64(0.1), np.asarray(0.1)):
        array = library.asarray(number, dtype="float64")
        assert tuple(array.shape) == ()
        assert float(array) == 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
def test_types_by_name_and_by_themselves(library: Backend, dtype: str) -> None:
    named = library.asarray([0, 1], dtype=dtype)
    own = getattr(library.namespace, dtype)
    assert named.dtype == own
    assert library.asarray([0, 1], dtype=own).dtype == own
    assert library.asarray(np.asarray([0, 1], dtype=dtype)).dtype == own


def test_unknown_type(library: Backend) -> None:
    with pytest.raises((ValueError, TypeError), match="flot32"):
        library.asarray([1.0], dtype="flot32")


def test_every_device_takes_an_array(library: Backend) -> None:
    for device in library.devices():
        array = library.asarray([1.0, 2.0], dtype="float32", device=device)
        assert library.to_numpy(array).tolist() == [1.0, 2.0]
        library.synchronize(array)


@pytest.mark.parametrize("device", ["cuda:77", "nowhere"])
def test_unknown_device_is_answered_with_the_known(library: Backend, device: str) -> None:
    with pytest.raises(ValueError, match=f"cpu.*{device}"):
        library.asarray([1.0], device=device)


def test_move_takes_library_type_and_device(library: Backend) -> None:
    like = library.asarray([0.0], dtype="float32")
    moved = move(np.arange(3), like)
    assert library.owns(moved)
    assert moved.dtype == like.dtype


def test_mixing_says_how_to_move(library: Backend) -> None:
    for name in set(OTHERS) - {library.name}:
        x, y = backend(name).asarray([[1.0]]), library.asarray([[1.0]])
        with pytest.raises(TypeError, match=r"several libraries.*kerneltools\.backend\('.*'\)\.asarray\(x"):
            Gaussian(1.0)(x, y)


def total(kernel: Any, x: Any) -> Any:
    values = kernel(x, x)
    return namespace(values).sum(values)


def test_gradient_is_a_tree_like_the_argument(library: Backend) -> None:
    x = library.asarray([[0.0], [1.0]], dtype="float64")
    kernel = Sum((Gaussian(library.asarray(2.0, dtype="float64")), Gaussian(3.0)))
    value, gradient = library.value_and_grad(total)(kernel, x)
    first, second = np.exp(-1 / 8), np.exp(-1 / 18)
    assert float(value) == pytest.approx(4 + 2 * first + 2 * second, rel=1e-14)
    # d/db exp(-1 / 2b²) = exp(-1 / 2b²) / b³
    assert float(gradient.terms[0].bandwidth) == pytest.approx(2 * first / 8, rel=1e-13)
    assert gradient.terms[1].bandwidth is None
    assert library.owns(gradient.terms[0].bandwidth)


def test_gradients_of_several_arguments(library: Backend) -> None:
    x, y = library.asarray([1.0, 2.0], dtype="float64"), library.asarray([3.0, 5.0], dtype="float64")
    value, (of_y, of_x) = library.value_and_grad(lambda x, y: (x * x) @ y, (1, 0))(x, y)
    assert float(value) == 23.0
    assert library.to_numpy(of_y).tolist() == [1.0, 4.0]
    assert library.to_numpy(of_x).tolist() == [6.0, 20.0]
    _, last = library.value_and_grad(lambda x, y: (x * x) @ y, -1)(x, y)
    assert library.to_numpy(last).tolist() == [1.0, 4.0]


def test_settings_are_passed_on(library: Backend) -> None:
    x = library.asarray(2.0, dtype="float64")
    value, gradient = library.value_and_grad(lambda x, *, power: x**power)(x, power=3)
    assert (float(value), float(gradient)) == (8.0, 12.0)


def test_gradients_of_gradients(library: Backend) -> None:
    def slope(x: Any) -> Any:
        return library.value_and_grad(lambda x: x**4)(x)[1]

    def curvature(x: Any) -> Any:
        return library.value_and_grad(slope)(x)[1]

    assert float(library.value_and_grad(curvature)(library.asarray(2.0, dtype="float64"))[1]) == 48.0


def test_gradients_of_gradients_through_a_closure(library: Backend) -> None:
    def outer(x: Any) -> Any:
        return library.value_and_grad(lambda y: x * y * y)(x * x)[1]  # 2 x y at y = x²

    value, gradient = library.value_and_grad(outer)(library.asarray(3.0, dtype="float64"))
    assert (float(value), float(gradient)) == (54.0, 54.0)


def test_no_confusion_of_nested_gradients(library: Backend) -> None:
    one = library.asarray(1.0, dtype="float64")

    def outer(x: Any) -> Any:
        return x * library.value_and_grad(lambda y: x + y)(one)[1]

    assert float(library.value_and_grad(outer)(one)[1]) == 1.0


def test_what_f_does_not_use_has_gradient_zero(library: Backend) -> None:
    x = library.asarray([1.0, 2.0], dtype="float64")
    one = library.asarray(1.0, dtype="float64")
    _, (unused, used) = library.value_and_grad(lambda pair: pair[1] * 2.0)((x, one))
    assert (library.to_numpy(unused).tolist(), float(used)) == ([0.0, 0.0], 2.0)
    value, gradient = library.value_and_grad(lambda x: one)(x)
    assert (float(value), library.to_numpy(gradient).tolist()) == (1.0, [0.0, 0.0])


def test_integers_have_no_gradient(library: Backend) -> None:
    tree = {"bandwidth": library.asarray(1.0), "labels": library.asarray([1, 2])}
    with pytest.raises(TypeError, match=r"argument 0, labels: expected a real floating-point array.*int"):
        library.value_and_grad(lambda tree: tree["bandwidth"])(tree)


def test_numbers_have_no_gradient(library: Backend) -> None:
    with pytest.raises(TypeError, match=r"argument 0: expected at least one array.*Gaussian"):
        library.value_and_grad(lambda kernel: kernel.bandwidth)(Gaussian(2.0))


@pytest.mark.parametrize(("argnums", "match"), [(2, "2 positional"), ((0, 0), "different"), ((0, -2), "different")])
def test_wrong_positions(library: Backend, argnums: Any, match: str) -> None:
    x = library.asarray(1.0)
    with pytest.raises(ValueError, match=match):
        library.value_and_grad(lambda x, y: x * y, argnums)(x, x)


def test_only_scalars_have_a_gradient(library: Backend) -> None:
    x = library.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected a function that returns a scalar, got an array of shape \(2,\)"):
        library.value_and_grad(lambda x: x * x)(x)
    with pytest.raises(TypeError, match="scalar array, got float"):
        library.value_and_grad(lambda x: 1.0)(x)


def test_stop_gradient(library: Backend) -> None:
    x = library.asarray(3.0, dtype="float64")
    value, gradient = library.value_and_grad(lambda x: x * backend_of(x).stop_gradient(x * x))(x)
    assert (float(value), float(gradient)) == (27.0, 9.0)


def test_jit_changes_no_number(library: Backend) -> None:
    if library.name == "torch":
        pytest.skip(
            "torch.compile with its default compiler takes a minute; test_torch_module.py compiles with another"
        )
    x = library.asarray([[0.0], [1.0]], dtype="float64")
    compiled = library.jit(lambda x: Gaussian(2.0)(x, x))(x)
    np.testing.assert_allclose(library.to_numpy(compiled), library.to_numpy(Gaussian(2.0)(x, x)), rtol=1e-15)
