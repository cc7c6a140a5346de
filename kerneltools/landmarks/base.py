"""What a selector of landmarks is."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from math import inf, isqrt
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from kerneltools.arrays import (
    Array,
    compiling,
    is_whole,
    namespace,
    require_finite,
    require_floating,
    require_rank,
    require_weights,
    widest_float,
)
from kerneltools.backend import stop_gradient, to_host
from kerneltools.kernels import Function, Kernel
from kerneltools.memory import require_memory
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.structures.base import in_type, is_collection, keys, like_of, part, require_known, take
from kerneltools.trees import Shown, child_names, map_leaves

Tree = TypeVar("Tree")
# An array of NumPy: what is chosen on the host.
Host = Any


class ReducedWarning(UserWarning):
    """The result is smaller than asked for, because the data hold no more; the message says how small.

    >>> import warnings
    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.landmarks import KMeansPlusPlus, ReducedWarning
    >>> with warnings.catch_warnings(record=True, category=ReducedWarning, action="always") as told:
    ...     found = KMeansPlusPlus(5)(Gaussian(1.0), np.array([[0.0], [0.0], [1.0]]), rng=0)
    >>> found.points.shape, str(told[0].message)
    ((2, 1), 'landmarks: 5 asked for, 2 made: 3 rows hold no more distinct rows')
    """


@dataclass(frozen=True, eq=False)
class Landmarks(Shown):
    """`points` (m, d), or m objects, and their row numbers if they are among the data.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Polynomial
    >>> from kerneltools.landmarks import RPCholesky
    >>> chosen = RPCholesky(3)(Polynomial(2), x, rng=0)
    >>> len(chosen.indices), bool((x[list(chosen.indices)] == chosen.points).all())
    (3, True)
    """

    points: Array
    indices: tuple[int, ...] | None = None


@runtime_checkable
class Selector(Protocol):
    """Chooses landmarks among, or from, the rows of x.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> class FirstRows:
    ...     def __call__(self, kernel, x, rng):
    ...         return Landmarks(x[:2, :], (0, 1))
    >>> isinstance(FirstRows(), Selector), isinstance(FirstRows(), WeightedSelector)
    (True, True)
    >>> FirstRows()(Gaussian(1.0), np.array([[0.0], [1.0], [2.0]]), rng=0).points.ravel()
    array([0., 1.])
    """

    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> at most m landmarks; fewer, with a ReducedWarning, if x has fewer distinct rows."""


@runtime_checkable
class WeightedSelector(Selector, Protocol):
    """A selector that takes weights: a row of weight w counts like w equal rows, and a row of weight 0 not at all.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.landmarks import Uniform
    >>> x, weights = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 2.0, 1.0])
    >>> isinstance(Uniform(2), WeightedSelector)
    True
    >>> sorted(Uniform(2)(Gaussian(1.0), x, rng=0, weights=weights).points.ravel().tolist())
    [1.0, 2.0]
    """

    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> at most m landmarks. Only the ratios of the weights count."""


def chosen(
    selector: Selector,
    kernel: Kernel,
    x: Array,
    rng: Rng,
    weights: Array | None = None,
    progress: Progress = silent,
) -> Landmarks:
    """The landmarks that a selector chooses among weighted rows: (n, d), weights (n,) or None -> at most m landmarks

    `weights` are passed on if given. A selector without a parameter of that name gets only the rows of weight > 0, and
    treats them alike. `progress` is passed on if the selector has that parameter, and told of the stage "landmarks".
    """
    select: Callable[..., Landmarks] = selector
    if progress is not silent and "progress" in parameters_of(selector):
        select = partial(selector, progress=progress)  # type: ignore[call-arg]  # it has that parameter
    if weights is None:
        return select(kernel, x, rng)
    if takes_weights(selector):
        return select(kernel, x, rng, weights=weights)
    part = seen(x, weights)
    found = select(kernel, part.x, rng)
    if found.indices is None or part.numbers is None:
        return found
    return Landmarks(found.points, tuple(part.numbers[list(found.indices)].tolist()))


def parameters_of(selector: Selector) -> Mapping[str, Parameter]:
    """Those that it can be called with, by name; none where it does not say."""
    try:
        return signature(selector).parameters
    except ValueError:  # callables of compiled modules
        return {}


def takes_weights(selector: Selector) -> bool:
    """Whether a selector can be called with weights=..."""
    parameters = parameters_of(selector)
    return "weights" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


@dataclass(frozen=True, eq=False)
class Seen:
    """The rows of weight > 0, their numbers among all rows (None: all of them), and their weights, of mean 1.

    Equal weights make no difference, and are None.
    """

    x: Array
    weights: Host | None = None
    numbers: Host | None = None

    def weighted(self, values: Host) -> Host:
        """The values (n,) times the weights."""
        return values if self.weights is None else values * self.weights

    def landmarks(self, picks: Sequence[int]) -> Landmarks:
        """These rows, with their numbers among all."""
        indices = list(picks) if self.numbers is None else self.numbers[list(picks)].tolist()
        return Landmarks(take(self.x, picks), tuple(indices))


def seen(x: Array, weights: Array | None) -> Seen:
    """The rows and weights that a selector uses, after checks: (n, d), (n,) or None.

    Raises ValueError unless each row has a finite weight >= 0 and at least one weight is > 0.
    """
    if weights is None:
        return Seen(x)
    namespace(like_of(x), weights)
    require_weights(weights, x.shape[0])
    host = to_host(weights).astype(float)
    numbers = host.nonzero()[0]
    # By the greatest first: the sum of great weights would overflow.
    host = host[numbers] / host.max()
    part = x if len(numbers) == x.shape[0] else take(x, numbers)
    return Seen(part, None if host.min() == 1 else host / host.mean(), numbers)


def distinct(x: Array, order: Sequence[int], count: int) -> list[int]:
    """The first `count` numbers of `order` whose rows differ from one another."""
    seen: dict[Any, int] = {}
    for start in range(0, len(order), count):
        block = order[start : start + count]
        for index, key in zip(block, keys(x, block), strict=True):
            seen.setdefault(key, index)
            if len(seen) == count:
                return list(seen.values())
    return list(seen.values())


def drawn(x: Array, weights: Host | None, m: int, draws: Any) -> list[int]:
    """The numbers of at most m distinct rows, drawn without replacement by these weights; None for equal ones."""
    if weights is not None:
        return drawn_by_weight(x, weights, m, draws)
    return distinct(x, draws.permutation(x.shape[0]).tolist(), m)


def drawn_by_weight(x: Array, weights: Host, m: int, draws: Any) -> list[int]:
    """The numbers of at most m distinct rows, drawn by these weights one after the other, without replacement.

    Rows of weight 0 come after all others.
    """
    # The least of exponential times with these rates comes first (Efraimidis and Spirakis 2006).
    times = draws.exponential(size=len(weights)) / weights.clip(TINY, None)
    return distinct(x, times.argsort(kind="stable").tolist(), m)


TINY = 1e-300


def constant(tree: Tree) -> Tree:
    """The tree with its arrays as constants: choosing rows needs no gradient, nor the memory for one."""
    return cast(Tree, map_leaves(lambda leaf: stop_gradient(leaf) if hasattr(leaf, "dtype") else leaf, tree))


def require_room(points: Array) -> None:
    """Raise MemoryError beforehand if there is no room for k(Z, Z) and its factors, 5.25 matrices (m, m)."""
    if compiling():  # when the machine is not known that it will run on
        return
    m = int(points.shape[0])
    require_memory(
        f"points: {m} landmarks need", 42.0 * m**2, like_of(points), lambda free: f"take at most {isqrt(free // 42)}"
    )


def precise(kernel: Kernel, x: Array) -> Array:
    """The rows in the type that kernel values are computed in: float64 if the library has it.

    In float32, the part of a kernel that a factor leaves is soon only rounding. Functions of the user get the rows
    unchanged: they may hold arrays of that type.
    """
    return x if _has_function(kernel) else in_type(x, widest_float(like_of(x)))


def _has_function(tree: Any) -> bool:
    if isinstance(tree, Function):
        return True
    if isinstance(tree, Kernel):
        if not hasattr(type(tree), "__dataclass_fields__"):
            return True
        tree = tuple(getattr(tree, name) for name in child_names(tree))
    return isinstance(tree, tuple) and any(_has_function(child) for child in tree)


def positive_diagonal(kernel: Kernel, x: Array) -> Host:
    """k(x, x) (n,) on the host, in float64. Raises ValueError, with the row, if it is negative or not finite."""
    diagonal = to_host(kernel.diag(x)).astype(float)
    least, greatest = int(diagonal.argmin()), int(diagonal.argmax())  # NaN is both
    if not diagonal[greatest] < inf:
        raise ValueError(
            f"kernel: expected finite k(x, x), got {diagonal[greatest]} for row {greatest} of {len(diagonal)}; "
            "scale the data, or compute in float64"
        )
    if diagonal[least] < 0:
        raise ValueError(
            f"kernel: expected k(x, x) >= 0, got {diagonal[least]:.3g} for row {least} of {len(diagonal)}; {INDEFINITE}"
        )
    return diagonal


def rounding(kernel: Kernel, x: Array) -> float:
    """The rounding error of kernel values relative to the diagonal; in float64, 1e-13."""
    values = kernel.diag(part(x, slice(0, 1)))
    return 512 * float(namespace(values).finfo(values.dtype).eps)


INDEFINITE = (
    "for an indefinite kernel take a selector that uses no kernel values, such as landmarks.Uniform or landmarks.KMeans"
)
"""The advice for indefinite kernels."""


def check_examples(x: Any, m: int) -> None:
    """Raise unless x is a finite floating-point (n, d) with n, d >= 1, or objects, and m is an integer >= 1."""
    if not is_collection(x):
        check_rows(x, m)
        return
    _check_number(m)
    if len(x) == 0:
        raise ValueError(f"x: expected at least one object, got {x!r}")
    require_known(x=x)


def check_vectors(x: Any, m: int, rule: str) -> None:
    """`check_rows`, for a rule that makes means of rows. Raises TypeError for objects, with rules that take them."""
    if is_collection(x):
        raise TypeError(
            f"{rule} needs vectors, whose means it takes, got {x!r}; take RPCholesky, Greedy, RidgeLeverage, BLESS or "
            "Uniform, which choose among the objects"
        )
    check_rows(x, m)


def check_rows(x: Array, m: int) -> None:
    """Raise unless x is a finite floating-point (n, d) with n, d >= 1 and m is an integer >= 1."""
    _check_number(m)
    require_rank(2, "(n, d)", x=x)
    require_floating(x=x)
    if 0 in x.shape:
        raise ValueError(f"x: expected at least one row and one column, got shape {tuple(x.shape)}")
    require_finite(x=x)


def _check_number(m: int) -> None:
    if not is_whole(m):
        raise ValueError(f"m: expected an integer >= 1, got {m!r}")


def warn_reduced(asked: int, found: int, of: str, n: int) -> None:
    """Warn that fewer landmarks were found than asked for."""
    if found < asked:
        warnings.warn(
            f"landmarks: {asked} asked for, {found} made: {n} rows hold no more {of}",
            ReducedWarning,
            stacklevel=3,
        )
