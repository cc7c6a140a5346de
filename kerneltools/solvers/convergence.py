"""What a solver says when it stops too early."""

import warnings


class NotConvergedWarning(UserWarning):
    """A solver stopped before it met its tolerance."""


def warn_not_converged(solver: str, what: str, value: float, iterations: int, advice: str) -> None:
    """Warn the caller of a solver that it stopped early."""
    warnings.warn(
        f"{solver}: {what} {value:.1e} after {iterations} steps, above the tolerance; {advice}",
        NotConvergedWarning,
        stacklevel=3,
    )
