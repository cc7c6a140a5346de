"""scikit-learn's names of parameters, and the names that replace them here."""

from collections.abc import Iterable
from typing import Any, Self

from kerneltools.estimators.showing import Described

# Ours, and what to write; the first that the estimator has. Our λ |f|² stands beside a mean, theirs beside a sum.
FOREIGN: dict[str, tuple[tuple[str, str], ...]] = {
    "gamma": (("kernel", "kernel=Gaussian(bandwidth), with bandwidth = 1 / sqrt(2 gamma)"),),
    "length_scale": (("kernel", "kernel=Gaussian(bandwidth), with bandwidth = length_scale"),),
    "degree": (("kernel", "kernel=Polynomial(degree, offset)"),),
    "coef0": (("kernel", "kernel=Polynomial(degree, offset), with offset = coef0 / gamma"),),
    "kernel_params": (("kernel", "the fields of a kernel of kerneltools.kernels"),),
    "alpha": (
        ("reg", "reg, with reg = alpha / n for n rows"),
        ("regs", "regs, those to choose from, with reg = alpha / n for n rows"),
    ),
    "alphas": (
        ("reg", "reg, several with reg = alpha / n for n rows"),
        ("regs", "regs, with reg = alpha / n for n rows"),
    ),
    "C": (
        ("reg", "reg, with reg = 1 / (2 C n) for n rows, and 1 / (4 C n) with SquaredHinge()"),
        ("regs", "regs, those to choose from, with reg = 1 / (2 C n) for n rows"),
    ),
    "n_components": (("m", "m"), ("landmarks", "landmarks")),
}
KERNELS = {
    "rbf": "Gaussian(bandwidth)",
    "linear": "Linear()",
    "poly": "Polynomial(degree, offset)",
    "polynomial": "Polynomial(degree, offset)",
    "laplacian": "Laplacian(lengthscale)",
    "cosine": "Cosine()",
    "sigmoid": "Sigmoid(gamma, offset)",
    "chi2": "Chi2(gamma)",
    "additive_chi2": "AdditiveChi2()",
    "precomputed": "Precomputed(matrix)",
}


class Hinted(Described):
    """An estimator that answers scikit-learn's names of parameters with its own in the error."""

    def __new__(cls, *args: Any, **params: Any) -> Self:
        # Before `__init__`, whose signature is what scikit-learn reads the parameters from.
        if known := hint(cls, params, cls._get_param_names()):
            raise TypeError(known)
        return super().__new__(cls)  # type: ignore[no-any-return]  # an untyped base

    def set_params(self, **params: Any) -> Self:
        """Set parameters. Raises ValueError for unknown names."""
        if known := hint(type(self), params, self._get_param_names()):
            raise ValueError(known)
        return super().set_params(**params)  # type: ignore[no-any-return]  # an untyped base


def hint(cls: type, given: Iterable[str], own: Iterable[str]) -> str | None:
    """A line on the first name that is scikit-learn's and not the estimator's own; None if there is none.

    >>> class Model:
    ...     def predict(self, x): ...
    >>> hint(Model, ["alpha"], ["kernel", "reg"])
    "Invalid parameter 'alpha' for Model: here it is reg, with reg = alpha / n for n rows"
    """
    known = set(own)
    if not hasattr(cls, "predict"):
        known.discard("reg")  # it is no λ there
    for name in given:
        for ours, text in FOREIGN.get(name, ()) if name not in known else ():
            if ours in known:
                return f"Invalid parameter {name!r} for {cls.__name__}: here it is {text}"
    return None


def kernel_hint(kernel: object) -> str:
    """The kernel that one of scikit-learn's words for kernels stands for; "" for other words."""
    known = isinstance(kernel, str) and kernel in KERNELS
    return f"; here it is kernels.{KERNELS[kernel]}" if known else ""  # type: ignore[index]  # it is a text
