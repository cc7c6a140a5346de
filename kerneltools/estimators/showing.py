"""How an estimator shows itself in notebooks: what it does, its parameters, and what a fit has found."""

import re
from collections.abc import Mapping
from inspect import signature
from typing import Any

from sklearn.base import BaseEstimator

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.structures.base import is_collection
from kerneltools.trees import first_line, html_table

LONG = re.compile(r"\d+\.\d{5,}(?:e[+-]?\d+)?")
"""Text of numbers with more digits than are useful."""


class Described(BaseEstimator):  # type: ignore[misc]  # an untyped base
    """An estimator that tells in notebooks what scikit-learn's diagrams do not: formulas, sizes, λ and its error.

    In a pipeline or a search, whose diagram is scikit-learn's, the same stands below the parameters of the step.

    >>> from kerneltools.estimators import KernelRidge
    >>> table = KernelRidge(reg=1e-3)._repr_html_()
    >>> "Kernel ridge regression" in table, ">0.001<" in table
    (True, True)
    """

    def _facts(self) -> Mapping[str, str]:
        """What a fit has found, by name; what would take long to find is left out."""
        return {}

    def _after_fit(self) -> str:
        """The same as HTML; nothing before a fit."""
        fitted = any(name.endswith("_") and not name.startswith("_") for name in vars(self))
        return html_table("After the fit", "", list(self._facts().items())) if fitted else ""

    def _html_repr(self) -> str:
        return _parameters(self) + self._after_fit()

    def _repr_html_inner(self) -> str:  # scikit-learn 1.6 has no `_html_repr`
        return self._html_repr()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        found: dict[str, str] = super()._repr_mimebundle_(**options)
        return found | ({"text/html": self._html_repr()} if "text/html" in found else {})

    def _get_fitted_attr_html(self, doc_link: str = "") -> "_Html":
        # scikit-learn's own asks for all attributes, some of which are computed then, or are not there.
        return _Html(self._after_fit())


class _Html(str):
    """What scikit-learn's diagram of a pipeline writes below the parameters of a step."""

    def _repr_html_inner(self) -> str:
        return str(self)


def said(value: Any) -> str:
    """A parameter in a line: arrays by their size, numbers to five digits, functions by their name.

    >>> import numpy as np
    >>> said(np.zeros((5, 2))), said(0.1 + 0.2), said(max)
    ('an array of shape (5, 2), float64', '0.3', 'max')
    """
    shape: Any = getattr(value, "shape", None)
    if shape and not is_collection(value):
        return f"an array of shape {tuple(shape)}, {value.dtype}"
    name: str | None = getattr(value, "__name__", None)
    return name or LONG.sub(lambda found: f"{float(found[0]):.5g}", shortened(value))


def shortened(value: Any) -> str:
    """The text of a value, without its middle if it is long."""
    text = repr(value) if not isinstance(value, int) or value < 10**30 else f"an integer of {value.bit_length()} bits"
    return text if len(text) < 80 else f"{text[:40]} ... {text[-20:]}"


def where(like: Array) -> str:
    """The library, type and device of arrays.

    >>> import numpy as np
    >>> where(np.zeros(1))
    'numpy, float64, on cpu'
    """
    return f"{library_of(like)}, {str(like.dtype).rpartition('.')[2]}, on {device_of(like)}"


def library_of(like: Array) -> str:
    """What the library of an array is called."""
    name: str = namespace(like).__name__
    return name.removeprefix("array_api_compat.").partition(".")[0]


def _parameters(estimator: Any) -> str:
    """A table of them: those that are not as by default first, and marked."""
    usual = {name: one.default for name, one in signature(type(estimator).__init__).parameters.items()}
    given = estimator.get_params(deep=False)
    rows = [
        (name, said(value), "default" if _same(value, usual.get(name, estimator)) else "given")
        for name, value in given.items()
    ]
    rows.sort(key=lambda row: row[2] == "default")
    title = type(estimator).__qualname__
    return html_table(title, first_line(estimator), rows, ("parameter", "value", "is"))


def _same(value: Any, usual: Any) -> bool:
    if value is usual:
        return True
    try:
        return type(value) is type(usual) and bool(value == usual)
    except (TypeError, ValueError):  # of arrays
        return False
