"""Files of models: what is no such file, or another one, is refused by name, and what cannot be read is not written."""

import json
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import kerneltools
from kerneltools import kernels, landmarks, maps, solvers
from kerneltools.arrays import namespace
from kerneltools.files import FileFormatError, digest, save_tree
from kerneltools.kernels import Gaussian, Kernel
from kerneltools.trees import static
from tests.strict import CPU, to_strict

X = np.random.default_rng(0).standard_normal((20, 3))
KERNEL = 2.0 * Gaussian(np.asarray([1.0, 2.0, 3.0])) + kernels.On((0, 2), kernels.Matern(1.5, 1.0))
PHI = maps.nystrom(KERNEL, X[:4])


@dataclass(frozen=True)
class Inverse(Kernel):
    """A kernel of one's own."""

    scale: float
    power: int = static(1)

    def __call__(self, x: Any, y: Any) -> Any:
        squares = namespace(x).sum((x[:, None, :] - y[None, :, :]) ** 2, axis=2)
        return (1 + squares / self.scale) ** -self.power

    def diag(self, x: Any) -> Any:
        return namespace(x).ones_like(x[:, 0])


class Point(NamedTuple):
    """No type that a file knows."""

    x: int
    y: int


@dataclass(frozen=True)
class Lazy:
    """Annotated by what only a type checker sees, and with a field of its own making."""

    scale: "Absent"  # type: ignore[name-defined]  # noqa: F821
    square: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "square", self.scale**2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def parts_of(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    with safe_open(path, "numpy") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def sealed(path: Path, structure: Any, arrays: dict[str, Any]) -> None:
    """A file with the right digest, whatever is in it."""
    header = {"kind": "kerneltools", "version": "1", "structure": json.dumps(structure)}
    save_file(arrays, path, metadata={**header, "digest": digest(header, arrays)})


def refused_or_read(path: Path) -> str | None:
    """What the error says; None for a file that can be read. All other errors are failures."""
    try:
        kerneltools.load(path)
    except FileFormatError as error:
        return str(error) if str(error).startswith(f"{path}: ") else pytest.fail(str(error))
    return None


def test_flipped_bits_and_missing_bytes(path: Path) -> None:
    kerneltools.save(PHI, path)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, len(content), 300), rng.integers(0, 8, 300), strict=True):
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :])
        if refused_or_read(path) is None:  # a blank at the end of the header, say
            assert np.array_equal(kerneltools.load(path)(X), PHI(X))
    for size in range(0, len(content), 37):
        path.write_bytes(content[:size])
        assert "not a safetensors file, truncated or corrupt" in str(refused_or_read(path))


WRONG: tuple[Any, ...] = (
    "x", -1, 10**9, 1e400, True, None, [], {}, {"array": "points"}, {"tuple": []}, {"dict": {"a": 1}}, {"dtype": "x"},
    {"type": "kernels.Gaussian", "fields": {}}, {"function": "maps.fourier"},
    {"words": ["a"], "shape": [7], "object": 0},
    {"again": "x"}, {"host": {"list": [1]}}, {"type": "os.system", "fields": {}},
)  # fmt: skip


def changed(node: Any) -> Iterator[Any]:
    """The structure with one of its nodes, or one of its names, replaced by what is wrong; none is given twice."""
    places = list(_places(node))
    for *way, last in places:
        for wrong in WRONG:
            copy = deepcopy(node)
            holder = copy
            for key in way:
                holder = holder[key]
            if holder[last] != wrong:
                holder[last] = wrong
                yield copy


def _places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*way, key)
        yield from _places(child, (*way, key))


def check_hostile(model: Any, path: Path, every: int = 1) -> None:
    """No edit of the structure leads to another error than that of the file, and few are read; `every` n-th is made."""
    kerneltools.save(model, path)
    header, arrays = parts_of(path)
    answers = []
    for structure in islice(changed(json.loads(header["structure"])), 0, None, every):
        sealed(path, structure, arrays)
        answers.append(refused_or_read(path))
    assert len(answers) > 200
    # Parameters of estimators are looked at by `fit`, as scikit-learn wants it.
    assert sum(answer is None for answer in answers) < 0.1 * len(answers)


@pytest.mark.parametrize(
    "model",
    [
        PHI,
        maps.Product(
            (maps.fourier(Gaussian(1.0), 3, 4, 0, structured=True), maps.tensor_sketch(kernels.Polynomial(2), 3, 4, 1))
        ),
        solvers.kernel_ridge(Gaussian(1.0), X[:4], X, X[:, :2], 1e-3),
    ],
    ids=["nystrom", "random maps", "kernel model"],
)
def test_edited_structures(model: Any, path: Path) -> None:
    check_hostile(model, path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("points", lambda z: z * np.nan, r"points: array: expected finite numbers, got nan in row 0, column 0"),
        ("points", lambda z: z[:, :2].copy(), "bandwidth"),
        ("points", lambda z: z[:0], r"points: expected 4 of them, got 0"),
        ("points", lambda z: z.astype(np.int64), "floating-point"),
        ("whitening", lambda w: w[:3].copy(), r"whitening: expected \(m, m\) with m = 4, got 3"),
        ("whitening", lambda w: w.astype(np.int32), "whitening: "),
        ("whitening", lambda w: w[0].copy(), r"whitening: expected \(m, m\)"),
        ("kernel.terms.0.kernel.bandwidth", lambda b: -b, "bandwidth: expected finite numbers > 0"),
    ],
)
def test_arrays_that_cannot_be(name: str, change: Callable[[Any], Any], message: str, path: Path) -> None:
    kerneltools.save(PHI, path)
    header, arrays = parts_of(path)
    sealed(path, json.loads(header["structure"]), {**arrays, name: change(arrays[name])})
    with pytest.raises(FileFormatError, match=rf"model\.safetensors: corrupt.*{message}"):
        kerneltools.load(path)


@pytest.mark.parametrize(
    ("model", "name", "value", "message"),
    [
        (maps.chi2(kernels.AdditiveChi2(), 3), "samples", 10**9, "samples: expected at most 1000, got 1000000000"),
        (maps.chi2(kernels.AdditiveChi2(), 3), "d", 10**9, "expected 1 to 16777216 columns, got 1000000000"),
        (kernels.Matern(1.5, 1.0), "nu", 10**9 + 0.5, "nu: expected at most 1000, got 1000000000.5"),
        (Gaussian(1.0), "bandwidth", 10**400, "bandwidth: expected a finite number"),
        (Gaussian(1.0) ** 2, "exponent", 10**400, "exponent: expected at most 1000"),
    ],
    ids=["samples", "d", "nu", "bandwidth", "exponent"],
)
def test_numbers_that_ask_for_too_much(model: Any, name: str, value: Any, message: str, path: Path) -> None:
    kerneltools.save(model, path)
    structure = json.loads(parts_of(path)[0]["structure"])
    structure["fields"][name] = value
    sealed(path, structure, {})
    with pytest.raises(FileFormatError, match=message):
        kerneltools.load(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (kernels.Function(lambda x, y: x @ y.T), r"tree\.f: cannot write the function '<lambda>'; make it a class"),
        (maps.nystrom(lambda x, y: x @ y.T, X[:2]), r"tree\.kernel\.f: cannot write the function"),
        ({"draws": np.random.default_rng(0)}, r"tree\.draws: cannot write a Generator"),
        ((1, landmarks), "cannot write a module"),
        (Gaussian, "cannot write a"),
        ([Point(1, 2)], r"tree\.0: cannot write a Point: it would be read as another type"),
        ({"z": np.zeros(2, np.complex128)}, r"tree\.z: cannot write a ndarray"),
    ],
)
def test_what_cannot_be_written(model: Any, message: str, path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        kerneltools.save(model, path)
    assert not os.listdir(path.parent)


def test_what_could_not_be_read_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match=r"points: array: expected finite numbers, got inf at \(1,\)"):
        kerneltools.save({"points": np.asarray([1.0, np.inf])}, path)
    with pytest.raises(ValueError, match=r"coefficients: .*KernelModel\.residual: expected float, got 'small'"):
        kerneltools.save({"coefficients": solvers.KernelModel(Gaussian(1.0), X, X[:, :1], residual="small")}, path)
    assert not os.listdir(path.parent)


def test_types_of_ones_own(path: Path) -> None:
    phi = maps.nystrom(Inverse(2.0), X[:4])
    kerneltools.save(phi, path)
    assert np.array_equal(kerneltools.load(path, types=[Inverse])(X), phi(X))
    with pytest.raises(FileFormatError, match=r"kernel: type 'Inverse' is not among .* known; pass it in `types`"):
        kerneltools.load(path)
    with pytest.raises(ValueError, match="two are called 'Inverse'"):
        kerneltools.load(path, types=[Inverse, dataclass(frozen=True)(type("Inverse", (), {}))])


def test_classes_that_are_not_plain(path: Path) -> None:
    kerneltools.save(Lazy(3.0), path)
    assert kerneltools.load(path, types=[Lazy]).square == 9.0


def test_a_name_of_ours(path: Path) -> None:
    mine = dataclass(frozen=True)(type("Gaussian", (), {}))
    kerneltools.save((mine(), Gaussian(1.0)), path)
    found = kerneltools.load(path, types=[mine])
    assert [type(part) for part in found] == [mine, Gaussian]


def test_bound_functions_and_words(path: Path) -> None:
    kerneltools.save({"draw": partial(maps.fourier, orthogonal=False), "words": np.asarray(["b", "a"])}, path)
    found = kerneltools.load(path)
    assert found["draw"].func is maps.fourier
    assert found["draw"].keywords == {"orthogonal": False}
    assert found["words"].tolist() == ["b", "a"]


def test_arrays_that_are_shared_are_written_once(path: Path) -> None:
    kerneltools.save((X, {"again": X}, kernels.Precomputed(X[:3])), path)
    assert len(parts_of(path)[1]) == 2
    first, second, _ = kerneltools.load(path)
    assert first is second["again"]


def test_arrays_of_other_libraries(path: Path) -> None:
    phi = maps.nystrom(Gaussian(2.0), to_strict(X[:4]))
    kerneltools.save(phi, path)
    assert np.array_equal(kerneltools.load(path).points, X[:4])
    found = kerneltools.load(path, backend="torch", device="cpu")
    assert isinstance(found.points, torch.Tensor)
    assert np.allclose(found(kerneltools.backend("torch").asarray(X)).numpy(), np.asarray(phi(to_strict(X, CPU))))


def test_bfloat16(path: Path) -> None:
    with pytest.raises(TypeError, match=r"tree\.z: cannot write bfloat16; make it float32 first"):
        kerneltools.save({"z": torch.zeros(2, dtype=torch.bfloat16)}, path)


def test_libraries_and_devices_that_are_not_there(path: Path) -> None:
    kerneltools.save(PHI, path)
    with pytest.raises(ValueError, match="backend: expected one of"):
        kerneltools.load(path, backend="nympu")
    with pytest.raises(ValueError, match="device") as raised:
        kerneltools.load(path, device="cuda:0")
    assert not isinstance(raised.value, FileFormatError)


def test_files_of_others(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        kerneltools.load(path)
    save_file({"weight": np.ones(3)}, path)
    with pytest.raises(FileFormatError, match=r"not a file of kind 'kerneltools' \(its header says None\)"):
        kerneltools.load(path)
    save_tree({}, path, "other")
    with pytest.raises(FileFormatError, match="its header says 'other'"):
        kerneltools.load(path)
