"""Kernels of series: numbers of others, laws, all libraries, and what they refuse."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian, Kernel, Linear
from kerneltools.kernels.series import GlobalAlignment, Signature, SignaturePDE
from kerneltools.learning import hyper
from kerneltools.structures import Ragged, concat
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

with np.load(Path(__file__).parents[1] / "golden" / "data" / "structured_timeseries_kernels.npz") as file:
    GOLDEN = dict(file)

SERIES = Ragged.of([GOLDEN[f"series{number}"] for number in range(4)])

KERNELS: dict[str, Any] = {
    "alignment": lambda p: GlobalAlignment(p),
    "window": lambda p: GlobalAlignment(p, window=4),
    "signature": lambda p: Signature(3, Gaussian(p)),
    "higher order": lambda p: Signature(3, Gaussian(p), order=2, normalised=True),
    "equation": lambda p: SignaturePDE(Gaussian(p), refinement=1),
}


@pytest.fixture(params=KERNELS)
def family(request: pytest.FixtureRequest) -> Any:
    return KERNELS[request.param]


def test_alignment_is_that_of_others() -> None:
    kernel = GlobalAlignment(float(GOLDEN["gak_sigma"]))
    assert_close(kernel(SERIES, SERIES), GOLDEN["gak_normalized"], 1e-13)
    assert np.allclose(np.exp(kernel.log_values(SERIES, SERIES)), GOLDEN["gak_unnormalized"], rtol=1e-12, atol=0)


def test_signatures_are_those_of_others() -> None:
    assert_close(Signature(4, Linear(), order=4).levels(SERIES, SERIES), GOLDEN["sig_levels"])
    assert_close(Signature(4, Linear()).levels(SERIES, SERIES), GOLDEN["sig_levels_order1"])
    assert_close(Signature(9, Linear(), order=9)(SERIES, SERIES), GOLDEN["sig_full_level9"])


@pytest.mark.parametrize("refinement", [0, 1, 4])
def test_the_equation_is_solved_as_by_others(refinement: int) -> None:
    assert_close(SignaturePDE(Linear(), refinement)(SERIES, SERIES), GOLDEN[f"sigpde_dyadic{refinement}"], 1e-12)


def test_windows_weigh_pairs_by_a_triangle() -> None:
    x, y = GOLDEN["series0"], GOLDEN["series2"]
    local = np.exp(-((x[:, None, :] - y[None, :, :]) ** 2).sum(-1) / 2 / 1.3**2)
    local *= np.maximum(0, 1 - np.abs(np.subtract.outer(np.arange(6), np.arange(5))) / 3)
    total = np.zeros((7, 6))
    total[0, 0] = 1
    for i, j in product(range(6), range(5)):
        total[i + 1, j + 1] = (total[i, j + 1] + total[i + 1, j] + total[i, j]) * local[i, j] / (2 - local[i, j])
    kernel = GlobalAlignment(1.3, window=3)
    assert np.allclose(np.exp(kernel.log_values(SERIES[:1], SERIES[2:3])), total[6, 5], rtol=1e-12, atol=0)


def test_laws(family: Any) -> None:
    kernel: Kernel = family(1.3)
    draws = np.random.default_rng(0)
    x = Ragged.of([draws.standard_normal((length, 2)) / 2 for length in draws.integers(1, 9, 20)])
    gram = kernel(x, x)
    assert_close(gram, gram.T)
    assert np.linalg.eigvalsh((gram + gram.T) / 2).min() > -1e-12 * np.abs(gram).max()
    assert_close(kernel.diag(x), np.diagonal(gram))
    order = draws.permutation(20)
    assert_close(kernel(x[order], concat([x[:3], x[3:]])), gram[order])
    assert_close(kernel(x[2:3], x[:7]), gram[2:3, :7])
    assert kernel(x[:0], x).shape == (0, 20)


def test_blocks_are_of_bounded_memory(family: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = family(1.3)
    whole = kernel(SERIES, SERIES), kernel(SERIES, SERIES[1:]), kernel.diag(SERIES)
    monkeypatch.setattr(type(kernel), "held", 1)
    assert_close(kernel(SERIES, SERIES), whole[0])
    assert_close(kernel(SERIES, SERIES[1:]), whole[1])
    assert_close(kernel.diag(SERIES), whole[2])


@pytest.mark.parametrize("device", DEVICES)
def test_in_the_standard_alone(family: Any, device: Any) -> None:
    x = SERIES.to(to_strict(0.0, device))
    assert_same_on(device, family(1.3)(x, x), family(1.3)(SERIES, SERIES))
    assert_same_on(device, family(1.3).diag(x), family(1.3).diag(SERIES))


OF_JAX = ("window", "signature", "equation")
"""Each is seconds of compilation, and the others have the same bodies."""


@pytest.mark.parametrize(
    ("library", "name"), [*product(("numpy", "torch"), KERNELS), *product(("jax",), OF_JAX)], ids=str
)
def test_gradients_are_those_of_differences(library: str, name: str) -> None:
    family = KERNELS[name]
    pytest.importorskip(library, reason=f"{library} is not installed")
    backend = kerneltools.backend(library)

    def total(parameter: Any, x: Ragged) -> Any:
        values = family(parameter)(x[:2], x[1:])
        return namespace(values).sum(values)

    parameter = backend.asarray(1.3, dtype=backend.namespace.float64)
    x = SERIES.to(parameter)
    gradient_of = backend.value_and_grad(lambda p: total(p, x))
    # Compiled as a whole, JAX makes one program and not one of each operation.
    value, gradient = (backend.jit(gradient_of) if library == "jax" else gradient_of)(parameter)
    assert np.allclose(float(value), total(1.3, SERIES), rtol=1e-12)
    wanted = (total(1.3 + 1e-5, SERIES) - total(1.3 - 1e-5, SERIES)) / 2e-5
    assert np.allclose(float(gradient), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("length", [700, 1500])
def test_no_length_overflows(length: int) -> None:
    time = np.arange(length) / 20
    x = Ragged.of([np.sin(time), np.sin(time * 1.02), np.cos(time[: length - 9])])
    kernel = GlobalAlignment(5.0, window=40)
    logs = kernel.log_values(x, x)
    assert logs.max() > 709
    own = np.diagonal(logs)
    assert np.allclose(kernel(x, x), np.exp(logs - (own[:, None] + own) / 2), rtol=1e-9, atol=1e-30)
    whole = GlobalAlignment(5.0)(x, x)
    assert np.isfinite(whole).all()
    assert np.linalg.eigvalsh(whole).min() > 0


def test_single_precision_keeps_its_digits() -> None:
    time = np.arange(600) / 20
    x = Ragged.of([np.sin(time), np.sin(time * 1.02), np.cos(time[:590])])
    kernel = GlobalAlignment(5.0)
    assert_close(kernel(x.to(np.float32(0)), x.to(np.float32(0))), kernel(x, x).astype(np.float32), 1e-5)
    prepared = kernel.prepared(x)
    assert_close(kernel(concat([prepared[2:], prepared[:1]]), prepared), kernel(x[[2, 0]], x))


def test_series_far_from_each_other_have_digits_in_logarithms() -> None:
    x = Ragged.of([np.zeros(30), np.full(30, 200.0)])
    kernel = GlobalAlignment(1.0)
    assert kernel(x, x).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert np.isclose(kernel.log_values(x, x)[0, 1], -30 * 200.0**2 / 2 - 30 * np.log(2), rtol=1e-9)
    assert GlobalAlignment(1.0, window=3).log_values(x[:1], Ragged.of([np.zeros(9)])).tolist() == [[-np.inf]]


@pytest.mark.parametrize("kernel", [Signature(3, Gaussian(1.3)), SignaturePDE(Gaussian(1.3))], ids=str)
def test_signatures_are_of_paths_whatever_their_place_and_pace(kernel: Kernel) -> None:
    x = list(SERIES)
    slow = Ragged.of([np.repeat(one, 2, axis=0) for one in x])
    assert_close(
        kernel(slow, SERIES) if isinstance(kernel, Signature) else kernel(SERIES, SERIES), kernel(SERIES, SERIES)
    )
    moved = Ragged.of([one + 7.0 for one in x])
    assert_close(kernel(moved, moved), kernel(SERIES, SERIES), 1e-9)
    linear = type(kernel)(3, Linear()) if isinstance(kernel, Signature) else SignaturePDE(Linear())
    assert_close(linear(Ragged.of([one - one[:1] for one in x]), SERIES), linear(SERIES, SERIES), 1e-9)


def test_lists_of_series_in_a_grid_search() -> None:
    from sklearn.model_selection import GridSearchCV

    from kerneltools.estimators import KernelClassifier

    draws = np.random.default_rng(0)
    fast = np.arange(24) % 2
    series = [np.sin(np.arange(15 + n % 3) / (2 - kind) + draws.random()) for n, kind in enumerate(fast)]
    model = KernelClassifier(GlobalAlignment(1.0), landmarks=10)
    search = GridSearchCV(model, {"kernel__sigma": [0.3, 1.0], "kernel__window": [None, 9]}, cv=2).fit(series, fast)
    assert search.best_score_ > 0.8


def test_a_scale_is_learnt() -> None:
    found = hyper.fit(GlobalAlignment(0.3), SERIES[:2], SERIES, np.asarray([[1.0], [-1.0], [0.5], [0.0]]))
    assert found.loss < found.history[0]
    assert found.kernel.sigma != 0.3  # type: ignore[attr-defined]


def test_the_median_gives_a_scale() -> None:
    assert GlobalAlignment.of_median(Ragged.of([[0.0, 1.0, 0.0, 1.0]]), 3.0, window=5) == GlobalAlignment(6.0, 5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 2)), r"x: expected Ragged for .* got ndarray; make them with structures.Ragged"),
        (Ragged(np.zeros((3, 2)), (0, 2, 2, 3)), "x: series 1 is empty"),
        (
            Ragged.of([np.zeros((2, 2)), np.zeros((9, 2))]),
            "series 1 has 9 points.* longest=8.* (81|162) cells",
        ),
        (Ragged.of([np.zeros((2, 3))]), "expected series of as many channels, got 3 and 2"),
    ],
    ids=["rows", "empty", "long", "channels"],
)
def test_what_is_wrong_is_named(x: Any, message: str) -> None:
    y = Ragged.of([np.ones((3, 2))])
    for kernel in (
        GlobalAlignment(1.0, longest=8),
        Signature(2, Linear(), longest=8),
        SignaturePDE(Linear(), longest=8),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            kernel(x, y)


def test_pairs_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerneltools.memory.free_memory", lambda: 2**30)
    x = Ragged.of([np.zeros(5000)])
    with pytest.raises(
        MemoryError, match=r"a pair of series of 5,000 points needs 3.2 GB, and 1.1 GB .* maps.signature"
    ):
        Signature(2, Linear())(x, x)


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="sigma"):
        GlobalAlignment(-1.0)
    with pytest.raises(ValueError, match="window"):
        GlobalAlignment(1.0, window=0)
    with pytest.raises(ValueError, match="order: expected 1 to depth = 2, got 3"):
        Signature(2, Linear(), order=3)
    with pytest.raises(ValueError, match=r"grow exponentially.*scale the series"), np.errstate(all="ignore"):
        SignaturePDE(Linear())(x := Ragged.of([np.arange(60) * 1e9]), x)
