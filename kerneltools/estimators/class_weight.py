"""How much each class counts: the parameter `class_weight`, as in scikit-learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerneltools.arrays import require_number


def check_class_weight(class_weight: Any) -> None:
    """Raise ValueError unless the value is None, "balanced" or a dict of numbers >= 0."""
    if class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced"):
        return
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"class_weight: expected None, 'balanced' or a dict by class, got {class_weight!r:.60}")
    for key, value in class_weight.items():
        require_number(f"class_weight[{key!r}]", value, least=0.0)


def class_factors(class_weight: Any, classes: Any, indices: Any, counts: Any = None) -> Any:
    """The factor of each row's weight, which is that of the row's class.

    Classes (k,), each row's class number (n,), weights (n,) or None for 1 each -> NumPy (n,); None for None

    "balanced": the weights of each class have the same sum. A dict: its numbers >= 0, and 1 for other classes.

    Raises ValueError for other numbers, unknown classes, and weights that are all 0.

    >>> class_factors({"b": 3.0}, np.array(["a", "b"]), np.array([0, 1, 1]))
    array([1., 3., 3.])
    """
    check_class_weight(class_weight)
    if class_weight is None:
        return None
    counts = np.ones(len(indices)) if counts is None else counts
    if isinstance(class_weight, str):
        sums = np.bincount(indices, weights=counts, minlength=len(classes))
        return (counts.sum() / np.where(sums > 0, len(classes) * sums, np.inf))[indices]
    known = classes.tolist()
    if unknown := [key for key in class_weight if key not in known]:
        raise ValueError(f"class_weight: expected classes of y, {_listed(known)}, got {_listed(unknown)}")
    factors = np.asarray([class_weight.get(key, 1.0) for key in known], dtype=np.float64)[indices]
    if not (factors * counts).any():
        raise ValueError(f"class_weight: expected a number > 0 for some class of y, got 0 for {_listed(known)}")
    return factors


def _listed(classes: list[Any]) -> str:
    return ", ".join(map(repr, classes[:10])) + (" ..." if len(classes) > 10 else "")
