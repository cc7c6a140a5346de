"""What is wrong with objects and with kernels of them is named: its number, its view, its pair."""

from typing import Any

import numpy as np
import pytest

from kerneltools import landmarks
from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian, On, pairwise
from kerneltools.kernels.strings import Spectrum
from kerneltools.maps import nystrom
from kerneltools.structures import Objects, Strings, Views, of

SEEN = of([("ACGT", np.zeros(2), 1.0)] * 2)


@pytest.mark.parametrize(
    ("objects", "beside", "error", "message"),
    [
        ([("A", [1.0]), ("C", [np.nan])], None, ValueError, "finite numbers, got nan in number 1, view 1"),
        ([("A", 1.0), ("C", np.inf)], None, ValueError, "finite numbers, got inf in number 1, view 1"),
        ([("A", 1.0), ("C",)], None, ValueError, "tuples of 2 views, got 1 in number 1"),
        ([("A", [1.0, 2.0], 3.0), ("A", [1.0], 3.0)], SEEN, ValueError, "length 2, got 1 in number 1, view 1"),
        ([("A", [1.0, 2.0], "b")], SEEN, TypeError, "numbers, got str 'b' in number 0, view 2"),
        ([("A", [1.0, 2.0])], SEEN, ValueError, "tuples of 3 views, got 2 in number 0"),
        ([("A", [1.0, 2.0], np.nan)], SEEN, ValueError, "got nan in number 0, view 2"),
        (["ACG"], SEEN, TypeError, "tuples, got str as number 0"),
        (["A", "C", None], None, TypeError, "one kind, got NoneType, str; the first unlike number 0 is number 2, None"),
    ],
)
def test_the_object_is_named(objects: Any, beside: Views | None, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        of(objects, beside=beside)


def test_a_kernel_that_is_not_symmetric_is_named_where_a_factor_fails() -> None:
    lopsided = pairwise(lambda a, b: float(10 * a + b), symmetric=False)
    with pytest.raises(ValueError, match=r"not symmetric.* 13 for landmarks 0 and 2, 31 for 2 and 0\. Make Pairwise"):
        nystrom(lopsided, Objects((1, 2, 3)))


def test_a_function_that_raises_is_told_with_its_objects() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        pairwise(lambda a, b: 1 / (a + b - 5))(Objects((1, 2)), Objects((1, 3)))
    assert caught.value.__notes__ == ["f: raised for objects 1 and 1"]


@pytest.mark.parametrize(
    ("strings", "letters"),
    [(["acgt", "ACnn"], "ACGT"), (["NNNNACGT", "--"], "ACGT"), (["MKV"], "ARN"), (["NNN"], "ARN"), ([""], "ACGT")],
)
def test_few_letters_tell_nucleotides(strings: list[str], letters: str) -> None:
    assert Strings.of(strings).alphabet.letters.startswith(letters)


def test_numbers_that_are_missing_are_found_in_collections_made_by_hand() -> None:
    words, rows = Strings.of(["ACGT", "AC"]), np.asarray([[1.0], [np.nan]])
    kernel = On(0, Spectrum(2)) + On(1, Gaussian(1.0))
    x, y = Views((words, rows)), np.asarray([0.0, 1.0])
    with pytest.raises(ValueError, match=r"X\.views\.1: expected finite numbers, got nan in row 1, column 0"):
        KernelRidge(kernel, landmarks=1).fit(x, y)
    with pytest.raises(ValueError, match=r"x\.views\.1: expected finite numbers, got nan"):
        landmarks.RPCholesky(1)(kernel, x, 0)
    model = KernelRidge(kernel, landmarks=2, reg=1e-3).fit(Views((words, rows[:1][[0, 0]])), y)
    with pytest.raises(ValueError, match="got nan in row 1"):
        model.predict(x)


def test_a_kernel_of_rows_is_named() -> None:
    with pytest.raises(TypeError, match=r"kernel: Gaussian\(bandwidth=1.0\) is of rows of numbers, and X is Strings"):
        KernelRidge(Gaussian(1.0), landmarks=1).fit(["ACGT", "AC"], [0.0, 1.0])
