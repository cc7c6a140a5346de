"""Other pieces: estimators on tables beside scikit-learn's, the tape beside PyTorch's gradients, imports."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import SKLEARN, TORCH, AtMost, Line, Seconds, Value

ROWS = 4000


def all_rows(side: str) -> Callable[[], Any]:
    """`full_ridge.py`: a fit on 4,000 rows that are all landmarks."""
    import full_ridge
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(ROWS, noise=1.0, random_state=0)
    fit = getattr(full_ridge, side)
    return lambda: fit(x, y)


def machine(name: str, table: str) -> Callable[[], Any]:
    """`svm.py`: fit and score of one of its models on one of its tables."""
    import svm
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split

    x, y = make_classification(20_000, random_state=0, **svm.TABLES[table])
    a, b, y_a, y_b = train_test_split(x, y, train_size=16_000, random_state=0)
    make = svm.models(a)[name]
    return lambda: 100 * make().fit(a, y_a).score(b, y_b)


def layer(library: str) -> Callable[[], Any]:
    """`tape.py`: value and gradients of one layer."""
    import tape

    frame, images = tape.layer(*tape.SIZES[0])
    return tape.calls(library, frame, images)[1]


def imported() -> Callable[[], float]:
    """`import_time.py`: milliseconds of a fresh interpreter, less those of a bare one."""
    import import_time

    return lambda: import_time.milliseconds("import kerneltools") - import_time.milliseconds("pass")


def numpy_imported() -> Callable[[], float]:
    """The same of what it stands on."""
    import import_time

    return lambda: import_time.milliseconds("import numpy") - import_time.milliseconds("pass")


def machines(table: str, label: str) -> tuple[Line, Line]:
    """Seconds and accuracy, on one table."""
    sides = partial(machine, "KernelClassifier", table), partial(machine, "SVC", table)
    what = f"`KernelClassifier(loss=SquaredHinge())` as it is, 16,000 rows, {table}"
    return (
        Line(
            f"svm-{label}-seconds",
            f"{what}: fit and score of 4,000 rows",
            *sides,
            AtMost(1),
            "scikit-learn's SVC",
            runs=3,
            warm_up=0,
            needs=(SKLEARN,),
        ),
        Line(
            f"svm-{label}-accuracy",
            f"{what}: accuracy",
            *sides,
            None,
            "scikit-learn's SVC",
            Value("%"),
            runs=3,
            warm_up=0,
            needs=(SKLEARN,),
        ),
    )


LINES = (
    Line(
        "all-rows",
        f"`KernelRidge(landmarks=X)`, {ROWS:,} rows of 10 columns, float64",
        partial(all_rows, "ours"),
        partial(all_rows, "theirs"),
        None,
        "scikit-learn's KernelRidge",
        Seconds(),
        runs=3,
        needs=(SKLEARN,),
    ),
    *machines("20 columns", "20"),
    *machines("30 columns", "30"),
    Line(
        "tape",
        "value and gradients of a layer of 64 filters on 16 images: the tape on NumPy",
        partial(layer, "numpy"),
        partial(layer, "torch"),
        None,
        "our layer on PyTorch",
        Seconds(),
        needs=(TORCH,),
    ),
    Line(
        "import", "`import kerneltools`", imported, numpy_imported, None, "import numpy", Value("ms"), runs=1, warm_up=0
    ),
)
