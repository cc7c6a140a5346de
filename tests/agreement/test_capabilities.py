"""The table of capabilities names every public function, and the page in the docs is the table."""

import inspect
from types import ModuleType
from typing import Any

import pytest

from ckn import exact, preprocessing
from kerneltools import (
    arrays,
    kernels,
    landmarks,
    learning,
    linalg,
    maps,
    patches,
    pooling,
    primitives,
    random,
    solvers,
    streaming,
)
from kerneltools.kernels import base, profiles
from tests.agreement.capabilities import GRADIENTS, LIMITS, PAGE, VALUES, page
from tests.agreement.cases import CASES
from tests.agreement.libraries import LIBRARIES
from tests.laws.members import HISTOGRAM, INDEFINITE, KERNELS, POOLS, PROFILES

MODULES = (
    arrays,
    linalg,
    primitives,
    random,
    base,
    solvers,
    maps,
    landmarks,
    learning,
    streaming,
    patches.responses,
    exact,
    preprocessing,
)
# No array goes in, or none comes out, or what comes out is a copy of the numbers.
NO_NUMBERS = {
    *("arrays.namespace", "arrays.device_of", "arrays.asarray_like", "arrays.named_dtype", "arrays.blocks"),
    *("arrays.require_floating", "arrays.require_rank", "arrays.widest_float", "arrays.on_host"),
    *("arrays.index_dtype", "arrays.indices_like", "arrays.flattened", "arrays.evenly", "arrays.points_of"),
    # What inverse_sqrt and lyapunov are made of.
    *("linalg.inverse_root", "linalg.inverse_sqrt_of_definite", "linalg.lyapunov_solution", "linalg.pull_inverse_sqrt"),
    *("arrays.add_compiler", "arrays.compiling"),
    *("arrays.holds", "arrays.is_whole", "arrays.require_beside", "arrays.require_everywhere", "arrays.require_finite"),
    *(
        "linalg.require_square",
        "primitives.primitive",
        "primitives.few_sizes",
        "primitives.map_blocks",
        "primitives.owner_sum",
        "primitives.program",
        "primitives.short_dtype",
        "primitives.by_rows",
        "primitives.by_rows_into_one",
        "random.generator",
        "random.stream",
        "random.choice",
    ),
    *("arrays.require_number", "arrays.require_real", "arrays.require_count", "arrays.require_stopping"),
    *("arrays.require_together", "arrays.finite"),
    *("arrays.require_weights", "kernels.base.greatest_entries", "kernels.base.require_dataclass"),
    "linalg.why_no_factor",
    *("kernels.base.check_parts", "kernels.base.check_positive", "kernels.base.check_rows", "landmarks.default"),
    *("streaming.rows", "streaming.transform_file"),
    *("kernels.pairwise", "maps.counts", "maps.random_warping", "maps.signature"),  # tests/structures
    *("ckn.preprocessing.DegreeLabels", "ckn.preprocessing.LabelColumns"),  # tests/ckn/test_object_steps.py
    *("ckn.preprocessing.NormaliseSeries", "ckn.preprocessing.Standardise"),
    *("solvers.choose", "solvers.Blocks", "maps.suggest"),
    *("solvers.forecast", "landmarks.forecast"),
}
# They stop where a tolerance is met; tests/supervised holds them against the optimum.
ITERATIVE = {"solvers.fit_linear", "solvers.minimise", "solvers.newton_cg"}
ITERATIVE |= {"solvers.moments", "solvers.Moments"}  # its variables


def covered() -> str:
    return (
        " ".join(CASES)
        + " random.normal random.uniform solvers.ridge linalg.identity_like primitives.exponential_response_pull"
    )


def functions(module: ModuleType) -> list[str]:
    """The public functions and selectors that a module defines."""
    short = module.__name__.removeprefix("kerneltools.")
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]
    return [f"{short}.{name}" for name in names if _computes(getattr(module, name))]


def _computes(thing: Any) -> bool:
    if inspect.isclass(thing):
        return not inspect.isabstract(thing) and issubclass(thing, preprocessing.Step)
    return callable(thing)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_function_is_in_the_table(module: ModuleType) -> None:
    missing = [name for name in functions(module) if name not in NO_NUMBERS | ITERATIVE and name not in covered()]
    assert missing == []


def concrete(module: ModuleType, base: Any) -> set[str]:
    """The names of the classes in a module that derive from `base` and can be made."""
    classes = [thing for thing in vars(module).values() if inspect.isclass(thing) and issubclass(thing, base)]
    return {c.__name__ for c in classes if not inspect.isabstract(c)}


@pytest.mark.parametrize(
    ("found", "members"),
    [
        (concrete(kernels, kernels.Kernel) - {"Precomputed", "Pairwise"}, (*KERNELS, *HISTOGRAM, *INDEFINITE)),
        (concrete(profiles, profiles.Profile), PROFILES),
        (concrete(pooling, pooling.LinearPool) | {"Max"}, POOLS),
    ],
    ids=["kernels", "profiles", "pools"],
)
def test_every_kernel_profile_and_pool_is_drawn(found: set[str], members: tuple[Any, ...]) -> None:
    assert [name for name in sorted(found) if f"{name}(" not in repr(members)] == []


def test_every_limit_is_of_a_function_in_the_table() -> None:
    assert all(limit.function in CASES and limit.use in (VALUES, GRADIENTS) for limit in LIMITS)
    assert all(library in LIBRARIES for limit in LIMITS for library in limit.libraries)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.agreement.capabilities"
