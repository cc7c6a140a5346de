"""The head: all of CIFAR-10 from the file to the test accuracy, and the squared hinge beside scikit-learn's."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import CIFAR10, SKLEARN, TORCH, AtLeast, AtMost, Line, Megabytes, Value

ROWS, COLUMNS, CLASSES, REG = 5_000, 1_024, 4, 1e-5


def all_of_cifar10(architecture: str) -> Callable[[], dict[str, float]]:
    """What `ckn train $KERNELTOOLS_CIFAR10 --whiten --backend torch` does, without its pictures."""

    def run() -> dict[str, float]:
        from ckn import training
        from ckn.readers import read

        path = str(CIFAR10.path)
        parts = training.split(read(path), path, 0)
        found = len(parts.train), len(parts.test)
        if found != (50_000, 10_000):
            raise ValueError(
                f"KERNELTOOLS_CIFAR10: expected 50,000 and 10,000 images, got {found[0]:,} and {found[1]:,}"
            )
        settings = training.Settings(path, architecture, whiten=True, backend="torch")
        outcome = training.run(parts, settings)
        choice = outcome.choice
        assert choice is not None
        of_ridge = next(tried for tried in choice.tried if tried.word == "ridge")
        return {
            "accuracy": 100 * outcome.test_accuracy,
            "gain": 100 * (choice.taken.accuracy - of_ridge.accuracy),
            "head": choice.seconds,
        }

    return run


def rows() -> tuple[Any, Any, Any]:
    """Features of norm 1 with a spectrum that falls, noisy classes, and these as targets."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, COLUMNS)) * np.arange(1, COLUMNS + 1) ** -0.5
    classes = np.argmax(x[:, : 4 * CLASSES] @ rng.standard_normal((4 * CLASSES, CLASSES)), axis=1)
    classes = np.where(rng.random(ROWS) < 0.2, rng.integers(0, CLASSES, ROWS), classes)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return x, classes, np.where(classes[:, None] == np.arange(CLASSES), 1.0, -1.0).astype(np.float32)


def objective(weights: Any, intercept: Any, x: Any, targets: Any) -> dict[str, float]:
    """Of all classes together."""
    import numpy as np

    gap = np.maximum(0, 1 - targets * (x @ weights + intercept))
    return {"objective": float((gap**2).sum(axis=1).mean() / 2 + REG * (weights**2).sum())}


def ours() -> Callable[[], dict[str, float]]:
    """`newton_cg`, with the sums, the moments and the ridge regression that it begins with."""
    from kerneltools.solvers import SquaredHinge, moments, newton_cg
    from kerneltools.solvers.ridge import model_of
    from kerneltools.solvers.sums import sums_of_blocks

    x, _, targets = rows()

    def run() -> dict[str, float]:
        sums = sums_of_blocks([(x, targets, None)])
        known, start = moments(sums, 5 * REG, x.dtype), model_of(sums, REG, x.dtype)
        model = newton_cg(x, targets, SquaredHinge(), REG, known, start=start, tolerance=1e-5)
        return objective(model.weights, model.intercept, x, targets)

    return run


def theirs() -> Callable[[], dict[str, float]]:
    """`LinearSVC` of the same λ, in float64, which it converts to; an intercept that is hardly penalised."""
    from sklearn.svm import LinearSVC

    x, classes, targets = rows()

    def run() -> dict[str, float]:
        svc = LinearSVC(C=1 / (4 * REG * ROWS), dual=False, intercept_scaling=10).fit(x, classes)
        return objective(svc.coef_.T, svc.intercept_, x, targets)

    return run


SMALL, LARGE = (partial(all_of_cifar10, name) for name in ("unsup-64-256", "unsup-256-1024"))
LONG: dict[str, Any] = {"needs": (CIFAR10, TORCH), "runs": 1, "warm_up": 0}
HINGE: dict[str, Any] = {"needs": (SKLEARN,), "runs": 2, "warm_up": 0}
OF_SMALL, OF_LARGE = (f"all of CIFAR-10, `{name}`, whitened, PyTorch" for name in ("unsup-64-256", "unsup-256-1024"))

LINES: tuple[Line, ...] = (
    Line("cifar10", f"{OF_SMALL}: from the file to the test accuracy", SMALL, target=AtMost(75, True), **LONG),
    Line(
        "cifar10-accuracy",
        f"{OF_SMALL}: test accuracy",
        SMALL,
        target=AtLeast(75, True),
        measure=Value("%", "accuracy"),
        **LONG,
    ),
    Line(
        "cifar10-gain",
        f"{OF_SMALL}: points of the head over ridge regression, on 5,000 images left out",
        SMALL,
        measure=Value("", "gain"),
        **LONG,
    ),
    Line(
        "cifar10-head",
        f"{OF_SMALL}: seconds of the head and its choice",
        SMALL,
        measure=Value("s", "head"),
        **LONG,
    ),
    Line("cifar10-large", f"{OF_LARGE}: from the file to the test accuracy", LARGE, target=AtMost(840, True), **LONG),
    Line(
        "cifar10-large-accuracy",
        f"{OF_LARGE}: test accuracy",
        LARGE,
        target=AtLeast(79, True),
        measure=Value("%", "accuracy"),
        **LONG,
    ),
    Line(
        "cifar10-large-memory",
        f"{OF_LARGE}: peak of memory",
        LARGE,
        target=AtMost(4096, True),
        measure=Megabytes(),
        **LONG,
    ),
    Line(
        "cifar10-large-head",
        f"{OF_LARGE}: seconds of the head and its choice",
        LARGE,
        measure=Value("s", "head"),
        **LONG,
    ),
    Line(
        "hinge",
        "squared hinge, 5,000 rows of 1,024 features, 4 classes, λ = 1e-5",
        ours,
        theirs,
        AtMost(0.1),
        "`LinearSVC`",
        **HINGE,
    ),
    Line(
        "hinge-objective",
        "the same: the objective, smaller is better",
        ours,
        theirs,
        AtMost(1.001),
        "`LinearSVC`",
        measure=Value("", "objective"),
        **HINGE,
    ),
)
