"""The parts of an estimator that files hold: its parameters, and what it has learnt (see `kerneltools.save`)."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from kerneltools.arrays import is_whole
from kerneltools.encoding import Host

ON_HOST = ("classes_", "feature_names_in_")
"""Attributes that stay in NumPy, whichever library computes."""

SETTINGS = ("_sklearn_output_config",)
"""The attribute in which scikit-learn keeps the setting of `set_output`."""


LATER = {"verbose": False}
"""Parameters that files of older versions lack, and what they stand for."""

BAR = "_bar"
"""The attribute of the progress bar of a fit, which files do not hold."""


def parts_of(estimator: BaseEstimator, hidden: tuple[str, ...]) -> dict[str, Any]:
    """Parameters and learnt attributes by name; `hidden`: learnt ones whose names have no underscore at the end.

    Raises TypeError for random generators, and for attributes that were added to the estimator from outside.
    """
    params = estimator.get_params(deep=False)
    for name, value in params.items():
        if isinstance(value, np.random.Generator | np.random.RandomState):
            raise TypeError(f"{name}: cannot write a random generator; set_params({name}=<an integer>) first")
    learnt = {name: value for name, value in vars(estimator).items() if name not in (*params, BAR)}
    for name in learnt:
        _check_name(type(estimator), name, hidden)
    learnt = {name: Host(value) if name in ON_HOST else value for name, value in learnt.items()}
    return {"params": Host(params), "learnt": learnt}


def made_of(cls: Any, hidden: tuple[str, ...], params: Any, learnt: Any) -> Any:
    """The estimator with these parts. Raises TypeError or ValueError if they do not fit."""
    params = {name: usual for name, usual in LATER.items() if name in cls._get_param_names()} | params
    wanted, got = sorted(cls._get_param_names()), sorted(params)
    if got != wanted:
        raise ValueError(f"{cls.__name__}: expected the parameters {', '.join(wanted)}, got {', '.join(got)}")
    estimator = cls(**params)
    for name, value in learnt.items():
        _check_name(cls, name, hidden)
        setattr(estimator, name, value)
    return estimator


def check_columns(estimator: Any, columns: int) -> None:
    """Raise ValueError unless number and names of the columns fit the map or the landmarks."""
    n = estimator.n_features_in_
    if not is_whole(n) or n != columns:
        raise ValueError(f"n_features_in_: expected {columns}, as for the map or the landmarks, got {n!r:.60}")
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and np.shape(names) != (n,):
        raise ValueError(f"feature_names_in_: expected {n}, got shape {np.shape(names)}")


def _check_name(cls: type, name: str, hidden: tuple[str, ...]) -> None:
    public = name.endswith("_") and not name.startswith("_") and not hasattr(cls, name)
    if not public and name not in (*hidden, *SETTINGS):
        raise TypeError(f"{name}: a {cls.__name__} has no such attribute, and no file of one; delete it first")
