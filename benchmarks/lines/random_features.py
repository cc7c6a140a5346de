"""Random Fourier features beside scikit-learn's RBFSampler: time, and error of kernel values on 500 rows.

And structured frequencies beside dense ones.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import SKLEARN, TORCH, AtMost, Line, Seconds, Value

CASES = {"50": (20_000, 50, 1_000), "768": (5_000, 768, 1_000)}
SEED = 1  # not that of the maps: they would draw the numbers of the rows


def rows(case: str, dtype: str) -> Any:
    """Normal rows, whose median distance is near √(2d)."""
    import numpy as np

    n, d, _ = CASES[case]
    return np.random.default_rng(SEED).standard_normal((n, d)).astype(dtype)


def error(features: Any, x: Any) -> float:
    """Relative, of the matrix of kernel values."""
    import numpy as np

    from kerneltools.kernels import Gaussian

    exact = Gaussian(float(x.shape[1]) ** 0.5)(x.astype(float), x.astype(float))
    return float(
        np.linalg.norm(np.asarray(features, float) @ np.asarray(features, float).T - exact) / np.linalg.norm(exact)
    )


def ours(case: str, dtype: str, library: str = "numpy", of: str = "time") -> Callable[[], Any]:
    """`RandomFeatures` with its defaults."""
    from kerneltools.estimators import RandomFeatures
    from kerneltools.kernels import Gaussian

    x = rows(case, dtype)
    given = x
    if library == "torch":
        import torch

        given = torch.from_numpy(x)
    made = RandomFeatures(Gaussian(float(x.shape[1]) ** 0.5), m=CASES[case][2]).fit(given)
    return (lambda: made.transform(given)) if of == "time" else lambda: error(made.transform(given[:500]), x[:500])


def theirs(case: str, dtype: str, of: str = "time") -> Callable[[], Any]:
    """`RBFSampler`."""
    from sklearn.kernel_approximation import RBFSampler

    x = rows(case, dtype)
    made = RBFSampler(gamma=0.5 / x.shape[1], n_components=CASES[case][2], random_state=0).fit(x)
    return (lambda: made.transform(x)) if of == "time" else lambda: error(made.transform(x[:500]), x[:500])


def wide(structured: bool) -> Callable[[], Any]:
    """`maps.fourier` of 1,000 rows of images of 32 x 32 x 3 numbers, m = 6,144."""
    import numpy as np

    from kerneltools import maps
    from kerneltools.kernels import Gaussian

    x = np.random.default_rng(SEED).standard_normal((1_000, 3_072)).astype(np.float32)
    phi = maps.fourier(Gaussian(3_072**0.5), 3_072, 6_144, 0, structured=structured, like=x)
    return lambda: phi(x)


def line(case: str, dtype: str, library: str = "numpy", quick: bool = False) -> Line:
    """Of time."""
    n, d, m = CASES[case]
    return Line(
        f"fourier-{d}-{dtype}" + ("-torch" if library == "torch" else ""),
        f"random Fourier features, {n:,} rows, d = {d}, m = {m:,}, {dtype}"
        + (", PyTorch" if library == "torch" else ""),
        partial(ours, case, dtype, library),
        partial(theirs, case, dtype),
        AtMost(0.7),
        "scikit-learn",
        measure=Seconds(),
        quick=quick,
        needs=(SKLEARN, TORCH) if library == "torch" else (SKLEARN,),
    )


LINES: tuple[Line, ...] = (
    line("50", "float32", quick=True),
    line("50", "float64", quick=True),
    line("50", "float64", "torch"),
    line("768", "float32"),
    line("768", "float64"),
    Line(
        "fourier-3072-structured",
        "1,000 rows, d = 3,072, m = 6,144, float32, structured frequencies",
        partial(wide, True),
        partial(wide, False),
        AtMost(0.5),
        "dense ones",
        measure=Seconds(),
        quick=True,
    ),
    *(
        Line(
            f"fourier-{case}-error",
            f"error of kernel values, d = {CASES[case][1]}, m = {CASES[case][2]:,}",
            partial(ours, case, "float64", "numpy", "error"),
            partial(theirs, case, "float64", "error"),
            AtMost(1.0),
            "scikit-learn",
            measure=Value(),
            quick=case == "50",
            needs=(SKLEARN,),
            runs=1,
            warm_up=0,
        )
        for case in CASES
    ),
)
