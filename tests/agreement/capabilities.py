"""The table of capabilities: what does not work on which library, and why.

It decides what tests/agreement runs, and it is the page docs/capabilities.md, written by
`python -m tests.agreement.capabilities`.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.agreement.cases import CASES
from tests.agreement.libraries import JAX_JIT, LIBRARIES, Library

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"

VALUES, GRADIENTS = "values", "gradients"


@dataclass(frozen=True)
class Limit:
    """Why the function has no such `use`; on all libraries when none are named."""

    function: str
    use: str
    reason: str
    libraries: tuple[Library, ...] = LIBRARIES


CHOSEN = tuple(name for name in CASES if name.startswith("landmarks.") and name != "landmarks.Given")
ON_THE_HOST = "landmarks are chosen on the host, row by row"
EIGENVECTORS = "eigenvectors have no derivative where eigenvalues coincide; differentiate with respect to y"
CHECKED = "looks for NaN among the images, which a compiled function cannot"
STOPS = "takes steps until a tolerance is met, which the host checks"
ITERATIVE = ("linalg.conjugate_gradient", "solvers.falkon", "solvers.fit_kernel", "solvers.nystrom_pcg")

TESTS = ("learning.independence_test", "learning.two_sample_test")

LIMITS = (
    *(Limit(name, GRADIENTS, ON_THE_HOST) for name in CHOSEN),
    *(Limit(name, VALUES, ON_THE_HOST, (JAX_JIT,)) for name in CHOSEN),
    Limit("random", GRADIENTS, "random numbers depend only on the type and the device of the array"),
    Limit("solvers.ridge_path", GRADIENTS, EIGENVECTORS),
    Limit("solvers.path_of", GRADIENTS, EIGENVECTORS),
    Limit("linalg.solve_shifted", GRADIENTS, EIGENVECTORS),
    Limit(
        "solvers.ridge_path of the rows",
        GRADIENTS,
        "singular vectors have no derivative where singular values coincide",
    ),
    *(Limit(name, GRADIENTS, STOPS) for name in ITERATIVE),
    *(Limit(name, VALUES, STOPS, (JAX_JIT,)) for name in ITERATIVE),
    Limit("solvers.kernel_ridge", GRADIENTS, EIGENVECTORS),
    Limit("solvers.exact_path", GRADIENTS, EIGENVECTORS),
    *(Limit(name, GRADIENTS, "a p-value is a share of permutations, counted on the host") for name in TESTS),
    *(Limit(name, VALUES, "a p-value is a share of permutations, counted on the host", (JAX_JIT,)) for name in TESTS),
    Limit("learning.fit_temperature", GRADIENTS, STOPS),
    Limit("learning.fit_temperature", VALUES, STOPS, (JAX_JIT,)),
    Limit("learning.kernel_kmeans", GRADIENTS, "clusters are made on the host, row by row"),
    Limit("learning.kernel_kmeans", VALUES, "clusters are made on the host, row by row", (JAX_JIT,)),
    Limit("learning.kernel_pca", GRADIENTS, "eigenvectors have no derivative where eigenvalues coincide"),
    Limit("learning.kernel_pca", VALUES, "the number of components is determined on the host", (JAX_JIT,)),
    Limit("ckn.exact.gram", VALUES, CHECKED, (JAX_JIT,)),
    Limit("ckn.exact.gram", GRADIENTS, CHECKED, (JAX_JIT,)),
    Limit("ckn.preprocessing.Whiten", GRADIENTS, "eigenvectors have no derivative where eigenvalues coincide"),
)


def why_not(function: str, use: str, library: Library) -> str | None:
    """The reason why the function has no such use on the library; None where it has."""
    for limit in LIMITS:
        if (limit.function, limit.use) == (function, use) and library in limit.libraries:
            return limit.reason
    return None


@dataclass(frozen=True)
class Transform:
    """A transform of a library, and what it does not go through: kernels, maps, layers and pools are meant."""

    name: str
    but: str = ""


# tests/backends/test_torch_compile.py, test_torch_transforms.py and test_jax_transforms.py drive each of them.
TRANSFORMS = (
    Transform("torch.compile(fullgraph=True)", "the first call of a program: say `import kerneltools_torch` before it"),
    Transform("torch.func.jacrev, jacfwd, jvp"),
    Transform("torch.func.vmap(torch.func.grad(f))"),
    Transform(
        "torch.func.hessian",
        "inverse roots, so filters and landmarks with `reg`, a named error: take `jacrev(jacrev(f))`",
    ),
    Transform("jax.jit"),
    Transform("jax.vjp, with cotangents of NumPy too"),
    Transform("jax.jvp, jacfwd, hessian, jacrev of jacrev"),
    Transform("jax.vmap(jax.grad(f)) and jax.grad of jax.vmap"),
    Transform("jax.jacfwd(jax.jacfwd(f))", "inverse roots where eigenvalues coincide: take `jax.hessian(f)`"),
)


HEAD = """\
# Capabilities

<!-- Written by `python -m tests.agreement.capabilities`; a test compares. -->

Which functions run on which library. Each run of the tests (`tests/agreement`) compares them with NumPy: in float64 to
1e-10 for values and 1e-9 for gradients, relative to the greatest number; in float32 up to rounding. Gradients are also
compared with finite differences. They are taken with respect to data, landmarks, filters and the parameters of kernels:
on PyTorch and JAX by the library itself, elsewhere by the tape, [kerneltools.autodiff](autodiff.md).

**v** stands for values, **g** for gradients; a number in its place is that of a reason below why there are none.
The columns on CUDA need a CUDA device: see [](gpu.md).
"""

TAIL = """
`array_api_strict` stands for any library that follows the standard: it has the standard's functions and nothing else.
Arrays left on the wrong device are an error on its virtual `device1`, as they would be on a GPU. Gradients are also
taken in each variable alone, with plain arrays for the others. NumPy arrays are also passed read-only, to test that
nothing is written into arguments.
"""


OF_TRANSFORMS = """
## Transforms of the libraries

The libraries' own transforms work on kernels, maps, layers, networks and pools, and on gradients written by hand
([](decisions/0018-forward-mode.md)).

| transform | does not work for |
|---|---|
"""


def page() -> str:
    """The page of the docs."""
    reasons: list[str] = []
    rows = [_row(function, reasons) for function in CASES]
    titles = ["function", *(library.title for library in LIBRARIES)]
    table = "\n".join(["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), *rows])
    notes = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1))
    transforms = "\n".join(f"| `{t.name}` | {t.but or 'nothing'} |" for t in TRANSFORMS)
    return f"{HEAD}\n{table}\n\n{notes}\n{TAIL}{OF_TRANSFORMS}{transforms}\n"


def _row(function: str, reasons: list[str]) -> str:
    cells = [" ".join(_mark(function, use, library, reasons) for use in (VALUES, GRADIENTS)) for library in LIBRARIES]
    return f"| `{function}` | " + " | ".join(cells) + " |"


def _mark(function: str, use: str, library: Library, reasons: list[str]) -> str:
    """v or g, or the number of the reason why not."""
    reason = why_not(function, use, library)
    if reason is None:
        return f"**{use[0]}**"
    if reason not in reasons:
        reasons.append(reason)
    return f"({reasons.index(reason) + 1})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
