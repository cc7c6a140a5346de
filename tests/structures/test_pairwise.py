"""A plain function of two objects as a kernel."""

from typing import Any

import numpy as np
import pytest

from kerneltools import kernels, maps
from kerneltools.kernels import pairwise
from kerneltools.structures import Objects

X = Objects(tuple(frozenset(s) for s in ("abc", "bcd", "a", "xyz")))


UNEQUAL = Objects(("a", "bb"))


def common(a: Any, b: Any) -> int:
    return len(a & b)


def test_half_of_a_matrix_is_the_other() -> None:
    calls: list[tuple[Any, Any]] = []

    def counted(a: Any, b: Any) -> int:
        calls.append((a, b))
        return common(a, b)

    wanted = np.asarray([[len(a & b) for b in X] for a in X], dtype=float)
    assert (pairwise(counted)(X, X) == wanted).all()
    assert len(calls) == 10 + 2  # one pair is looked at both ways
    calls.clear()
    assert (pairwise(counted, symmetric=False)(X, X) == wanted).all()
    assert len(calls) == 16
    assert (pairwise(counted)(X, X[1:3]) == wanted[:, 1:3]).all()


def test_processes_give_the_same() -> None:
    assert (pairwise(common, processes=2)(X, X) == pairwise(common)(X, X)).all()


def test_progress_is_told() -> None:
    seen: list[tuple[Any, ...]] = []
    pairwise(common, progress=lambda *told: seen.append(told))(X, X[:1])
    assert seen == [("pairs", done, 4) for done in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pairwise(lambda a, b: None)(X, X[:1]), "number for objects 0 and 0, got NoneType"),
        (lambda: pairwise(lambda a, b: "x")(X[1:], X), "number for objects 0 and 0, got str 'x'"),
        (lambda: pairwise(lambda a, b: len(a))(UNEQUAL, UNEQUAL), "got 1 for objects 0 and 1 and 2 for 1 and 0"),
        (lambda: pairwise(3), "f: expected a function, got 3"),  # type: ignore[arg-type]
        (lambda: pairwise(common, processes=0), "processes: expected an integer >= 1"),
        (lambda: pairwise(common)(["a"], X), "x: expected a collection.*got list"),
        (lambda: maps.nystrom(pairwise(lambda a, b: -float(a == b)), X), "pairwise|Pairwise"),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_kernel_of_another_shape_is_named() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Wrong(kernels.Kernel):
        def __call__(self, x: Any, y: Any) -> Any:
            return np.zeros((len(y), len(x)))

        def diag(self, x: Any) -> Any:
            return np.zeros(len(x))

    message = r"Wrong\(\), given Objects\(4 objects\) and Objects\(1 objects\): expected .*\(4, 1\)"
    with pytest.raises(ValueError, match=message):
        Wrong()(X, X[:1])
