"""Checks of input: lists, data frames and NumPy arrays by scikit-learn's rules, arrays of other libraries by ours."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, NoReturn

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from kerneltools.arrays import Array, namespace, require_floating, require_weights, widest_float
from kerneltools.backend import backend_of, move, stop_gradient, to_host
from kerneltools.kernels import Kernel
from kerneltools.random import generator
from kerneltools.structures import of
from kerneltools.structures.base import cast_numbers, is_collection, like_of, require_known

FLOATS = (np.float64, np.float32, np.float16)
"""Types that are kept; all others become the first."""


def as_rows(estimator: Any, X: Any, least: int = 1, fitted: Array | None = None, learning: bool | None = None) -> Array:
    """X as a finite floating-point (n, d) with n >= `least`, in its library; NumPy's for lists and data frames.

    `fitted`: an array of the fit. The rows must have its columns and library, and are converted to its device and type.
    `learning`: whether the rows are for learning, and therefore constants; by default, if there is no fit yet.
    """
    learning = fitted is None if learning is None else learning
    if is_of_other_library(X):
        _check_shape(estimator, X, least)
        require_floating(X=X)
        rows = X
    else:
        rows = check_array(
            X,
            dtype=list(FLOATS),
            ensure_all_finite=False,
            ensure_min_samples=least,
            estimator=estimator,
            input_name="X",
        )
    if fitted is not None:
        validate_data(estimator, X, reset=False, skip_check_array=True)
        rows = _in_type_of(rows, fitted)
    _check_finite(X=rows)
    # What is learnt keeps no graph of the rows that it was learnt from.
    return stop_gradient(rows) if learning else rows


def as_examples(
    estimator: Any, X: Any, least: int = 1, fitted: Any = None, learning: bool | None = None, kernel: Any = None
) -> Any:
    """`as_rows`, or a collection of objects: X itself, or the one that `structures.of` makes of a list of objects.

    X is read as objects if the fit was on objects, if `kernel` is for objects (`Kernel.structure`), or if X is a list
    of things that are not numbers.
    """
    wanted = type(fitted) if is_collection(fitted) else (kernel.structure if isinstance(kernel, Kernel) else None)
    if not is_collection(X) and wanted is None and not holds_objects(X):
        return as_rows(estimator, X, least, fitted, learning)
    if fitted is not None and not is_collection(fitted):
        raise TypeError(f"X: expected rows (n, d) as in the fit, got {X!r:.60}")
    try:
        # A kernel of any objects takes collections as they are.
        found = of(X, None if is_collection(X) and fitted is None else wanted, fitted)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X: {error}") from error
    if len(found) < least:
        raise ValueError(f"X: {type(estimator).__name__} needs at least {least} objects, got {len(found)}")
    _check_finite(X=found)
    learning = fitted is None if learning is None else learning
    return cast_numbers(found, stop_gradient) if learning else found


def holds_objects(X: Any) -> bool:
    """Whether X is a list, a table's column or a NumPy array (n,) of things that are no rows for scikit-learn."""
    if isinstance(X, list | tuple):
        return len(X) > 0 and _are_objects(X)
    one_axis = getattr(X, "ndim", 0) == 1 and not is_of_other_library(X)
    return is_collection(X) or (one_axis and str(getattr(X, "dtype", ""))[:3] in ("obj", "str", "<U", ">U", "|S"))


def _are_objects(X: Sequence[Any]) -> bool:
    first = X[0]
    if first is None or isinstance(first, Real):
        return False
    if isinstance(first, tuple):
        return any(not isinstance(one, Real) for one in first)
    if isinstance(first, list):
        return any(isinstance(one, list) for one in first) or len({len(one) for one in X}) > 1
    if hasattr(first, "ndim") and hasattr(first, "shape"):
        return first.ndim == 2 or (first.ndim == 1 and len({tuple(one.shape) for one in X}) > 1)
    return True


def require_kernel(X: Any) -> None:
    """Raise ValueError for objects without a kernel: they have no default one."""
    if is_collection(X):
        raise ValueError(
            f"kernel: expected one for {X!r}, such as kernels.strings.Spectrum(3), kernels.graphs.WeisfeilerLehman(3) "
            "or kernels.pairwise(a function of two objects)"
        )


def refuse_no_targets(estimator: Any, X: Any) -> NoReturn:
    """Raise scikit-learn's own message if y is None."""
    validate_data(estimator, np.zeros((len(X), 1)) if holds_objects(X) else X, None)
    raise ValueError(f"y: {type(estimator).__name__} needs targets, got None")


def as_targets(y: Any, X: Array) -> Array:
    """Targets (n,) or (n, t) as floating-point numbers in the library and on the device of X, in float64 if it has it.

    Raises ValueError for y of another length, and for NaN.
    """
    if not is_of_other_library(y):
        y = check_array(y, ensure_2d=False, dtype="numeric", ensure_all_finite=False, input_name="y")
    if y.ndim not in (1, 2) or y.shape[0] != X.shape[0]:
        raise ValueError(f"y: expected ({X.shape[0]},) or ({X.shape[0]}, t) as for X, got shape {tuple(y.shape)}")
    y = stop_gradient(move(y, _wide(X)))
    _check_finite(y=y)
    return y


def as_weights(sample_weight: Any, X: Array, least: int = 1) -> Array | None:
    """Weights (n,) in the library and on the device of X; None for None.

    Raises ValueError unless each row has a finite weight >= 0 and at least `least` weights are > 0.
    """
    if sample_weight is None:
        return None
    if not is_of_other_library(sample_weight):
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
        if sample_weight.ndim == 0:
            sample_weight = np.full(X.shape[0], sample_weight)
    weights = stop_gradient(move(sample_weight, _wide(X)))
    require_weights(weights, X.shape[0], least=0, name="sample_weight")
    positive = int(namespace(weights).count_nonzero(weights))
    if positive < least:
        raise ValueError(f"sample_weight: expected at least {least} above zero, got {positive} of {X.shape[0]}")
    return weights


def remember_columns(estimator: Any, X: Any, n: int) -> None:
    """Set `n_samples_seen_` to n, `n_features_in_`, and `feature_names_in_` for data frames, after a successful fit.

    Objects have no columns: both attributes are removed then.
    """
    estimator.n_samples_seen_ = n
    if holds_objects(X):
        for name in ("n_features_in_", "feature_names_in_"):
            vars(estimator).pop(name, None)
        return
    validate_data(estimator, X, reset=True, skip_check_array=True)


def remember_more(estimator: Any, n: int | None) -> None:
    """Add to `n_samples_seen_`; not known of what an older version has written, nor with such a one."""
    known = getattr(estimator, "n_samples_seen_", None)
    if known is not None and n is not None:
        estimator.n_samples_seen_ = known + n
    else:
        vars(estimator).pop("n_samples_seen_", None)


def draws(random_state: Any) -> np.random.Generator:
    """A generator from a seed, a generator or scikit-learn's RandomState; from None, one that differs each time."""
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    return generator(random_state, "random_state")


def like(X: Array, leaf: Any) -> Any:
    """A floating-point NumPy parameter in the library, device and type of X; anything else unchanged."""
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind != "f":
        return leaf
    return move(leaf, like_of(X))


def is_of_other_library(X: Any) -> bool:
    """Whether X is an array of another library than NumPy, which scikit-learn's own checks would convert to NumPy."""
    owner = backend_of(X) if hasattr(X, "dtype") else None
    if owner is not None:
        return owner.name != "numpy"
    return hasattr(X, "__array_namespace__") and not isinstance(X, np.ndarray | np.generic)


def host(array: Any) -> Any:
    """The numbers in NumPy; lists and NumPy arrays unchanged."""
    return to_host(array) if is_of_other_library(array) else array


def _check_shape(estimator: Any, X: Array, least: int) -> None:
    name = type(estimator).__name__
    if X.ndim != 2:
        raise ValueError(f"X: Expected 2D array (n, d) for {name}, got shape {tuple(X.shape)}. Reshape your data")
    if X.shape[0] < least or X.shape[1] < 1:
        raise ValueError(
            f"X: {name} needs at least {least} sample(s) and 1 feature(s), got {X.shape[0]} sample(s) and "
            f"{X.shape[1]} feature(s)"
        )


def _check_finite(**named: Array) -> None:
    try:
        require_known(**named)
    except ValueError as error:
        raise ValueError(f"{error}; fill in or leave out NaN and inf first") from error


def _in_type_of(rows: Array, fitted: Array) -> Array:
    try:
        xp = namespace(rows, fitted)
    except TypeError as error:
        raise TypeError(f"X: expected an array of the library of the fit; {error}") from error
    return rows if rows.dtype == fitted.dtype else xp.astype(rows, fitted.dtype)


def _wide(X: Array) -> Array:
    """An array in the library and on the device of X, in float64 if it exists there."""
    some = like_of(X)
    some = some[:1, :1] if some.ndim == 2 else some
    return namespace(some).astype(some, widest_float(some))
