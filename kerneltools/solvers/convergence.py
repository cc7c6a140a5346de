"""What a solver says when it stops too early, or cannot be as exact as was asked."""

import warnings


class NotConvergedWarning(UserWarning):
    """A solver stopped before it met its tolerance."""


class PrecisionWarning(UserWarning):
    """Rounding allows less than was asked for; the message says what was solved instead."""


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
