"""Warnings of a solver that stops too early, or cannot be as accurate as asked for."""

import warnings


class NotConvergedWarning(UserWarning):
    """A solver stopped before it met its tolerance.

    >>> import warnings
    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import NotConvergedWarning, falkon
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> with warnings.catch_warnings(record=True, category=NotConvergedWarning, action="always") as told:
    ...     model = falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), reg=1e-6, iterations=1)
    >>> model.converged, len(told)
    (False, 1)
    """


class PrecisionWarning(UserWarning):
    """Rounding allows less accuracy than was asked for; the message says what was solved instead.

    >>> import warnings
    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import Logistic, PrecisionWarning, fit_kernel
    >>> x = np.linspace(0, 6, 15)[:, None]
    >>> with warnings.catch_warnings(record=True, category=PrecisionWarning, action="always") as told:
    ...     model = fit_kernel(Gaussian(1.0), x, x, np.where(x > 3, 1.0, -1.0), Logistic(), reg=1e-13)
    >>> str(told[0].message)[:71]
    'reg: 1.0e-13 is below what products with the root of k(Z, Z)^-1 resolve'
    """


def warn_imprecise(reg: float, shift: float) -> None:
    """Warn the caller of an iterative solver on landmarks that λ is below what its products resolve."""
    warnings.warn(
        f"reg: {reg:.1e} is below what products with the root of k(Z, Z)^-1 resolve; |f|² is that of "
        f"k(Z, Z) + {shift:.1e} I instead; raise reg, take fewer landmarks, or, for regression, kernel_ridge",
        PrecisionWarning,
        stacklevel=5,
    )


def warn_not_converged(solver: str, what: str, value: float, iterations: int, advice: str) -> None:
    """Warn the caller of a solver that it stopped early."""
    warnings.warn(
        f"{solver}: {what} {value:.1e} after {iterations} steps, above the tolerance; {advice}",
        NotConvergedWarning,
        stacklevel=3,
    )
