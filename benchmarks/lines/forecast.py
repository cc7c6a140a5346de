"""How long a fit will take, told beforehand: ours is the forecast, theirs the time that the fit then takes."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from lines import CIFAR10, TORCH, Line, Near, Value

Case = Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]
"""A forecast, and the work that it is of."""


def _rows(n: int, d: int) -> tuple[Any, Any]:
    """Rows of a few directions, and a smooth function of them."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) / d**0.5
    return x, np.sin(x[:, :1]) + 0.1 * rng.standard_normal((n, 1))


def kernel_ridge(n: int, m: int | None) -> Any:
    from kerneltools.estimators import KernelRidge

    x, y = _rows(n, 10)
    model = KernelRidge(landmarks=m)
    return lambda: model.forecast(x, y), lambda: model.fit(x, y)


def rule(name: str, n: int, m: int, d: int) -> Any:
    from kerneltools import kernels, landmarks

    x, kernel, chosen = _rows(n, d)[0], kernels.Gaussian(d**0.5), getattr(landmarks, name)(m)
    return lambda: landmarks.forecast(chosen, kernel, x), lambda: chosen(kernel, x, 0)


def falkon(n: int, m: int) -> Any:
    from kerneltools import kernels, solvers

    x, y = _rows(n, 10)
    given = kernels.Gaussian(3.0), x[:m], x, y, 1e-5
    return lambda: solvers.forecast(solvers.falkon, *given), lambda: solvers.falkon(*given)


def exact_ridge(n: int) -> Any:
    from kerneltools import kernels, solvers

    given = kernels.Gaussian(3.0), *_rows(n, 10), 1e-4
    return lambda: solvers.forecast(solvers.exact_ridge, *given), lambda: solvers.exact_ridge(*given)


def images(n: int, backend: str) -> Any:
    import numpy as np

    import ckn

    with np.load(CIFAR10.path) as data:
        x, y = data["X_train"][:n], data["y_train"][:n]
    steps = ckn.preprocessing.Scale(255.0), ckn.preprocessing.Whiten()
    model = ckn.ImageClassifier(ckn.architectures["unsup-64-256"], preprocessing=steps, backend=backend)
    return lambda: model.forecast(x, y), lambda: model.fit(x, y)


def with_labels() -> Any:
    from sklearn.datasets import load_digits

    import ckn

    x, y = load_digits(return_X_y=True)
    settings = ckn.Supervised(epochs=5)
    model = ckn.ImageClassifier(ckn.architectures["small"], supervised=settings, backend="torch")
    x = x.reshape(-1, 8, 8, 1) / 16
    return lambda: model.forecast(x, y), lambda: model.fit(x, y)


def sequences(n: int) -> Any:
    import numpy as np

    import ckn

    rng = np.random.default_rng(0)
    x = ["".join(word) for word in rng.choice(list("ACGT"), size=(n, 100))]
    y, model = rng.integers(0, 2, n), ckn.SequenceClassifier()
    return lambda: model.forecast(x, y), lambda: model.fit(x, y)


def told(case: Case) -> Callable[[], float]:
    """The seconds of the forecast."""
    forecast, _ = case()
    return lambda: float(forecast().seconds)


def taken(case: Case) -> Callable[[], float]:
    """The seconds of the work."""
    _, work = case()

    def run() -> float:
        start = perf_counter()
        work()
        return perf_counter() - start

    return run


def _line(name: str, what: str, case: Case, *needs: Any, quick: bool = False) -> Line:
    sides = partial(told, case), partial(taken, case)
    return Line(
        f"forecast-{name}", what, *sides, Near(0.3), "the fit itself", Value("s"), quick, needs, runs=3, warm_up=0
    )


LINES = (
    _line("ridge", "KernelRidge, defaults, 20,000 rows", partial(kernel_ridge, 20_000, None), quick=True),
    _line("ridge-large", "KernelRidge, 100,000 rows, m = 1,000", partial(kernel_ridge, 100_000, 1000)),
    _line("kmeans", "KMeans(300), 50,000 rows of 50", partial(rule, "KMeans", 50_000, 300, 50)),
    _line("rpcholesky", "RPCholesky(500), 50,000 rows", partial(rule, "RPCholesky", 50_000, 500, 20)),
    _line("falkon", "falkon, 50,000 rows, m = 1,000", partial(falkon, 50_000, 1000)),
    _line("exact", "exact_ridge, 5,000 rows", partial(exact_ridge, 5000), quick=True),
    _line("images", "ImageClassifier, unsup-64-256, 1,000 images, NumPy", partial(images, 1000, "numpy"), CIFAR10),
    _line("images-torch", "the same, 5,000 images, PyTorch", partial(images, 5000, "torch"), CIFAR10, TORCH),
    _line("labels", "the digits with labels, 5 epochs, PyTorch", with_labels, TORCH),
    _line("sequences", "SequenceClassifier, 3,000 of 100 letters", partial(sequences, 3000)),
)
