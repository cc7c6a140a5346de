"""The choice of a solver by its operations."""

import pytest

from kerneltools.solvers import choose, falkon, kernel_ridge


def test_the_rule() -> None:
    # The direct solver wins while 3 m < steps (2 d + 4 t), up to the factorisations.
    assert choose(50_000, 1_000, 784, 10).solver is kernel_ridge
    assert choose(8_000, 3_000, 784, 10).solver is kernel_ridge
    assert choose(10**7, 20_000, 10).solver is falkon
    n, d, t = 10**9, 50, 1
    turn = 20 * (2 * d + 4 * t) / 3
    assert choose(n, int(0.99 * turn), d, t).solver is kernel_ridge
    assert choose(n, int(1.01 * turn), d, t).solver is falkon


def test_it_says_why() -> None:
    choice = choose(10**6, 10**4, 10)
    assert choice.solver is falkon
    assert "in 20 steps against" in choice.reason
    assert choice.falkon_flops < choice.direct_flops
    assert "40" in choose(10**6, 10**3, 100, iterations=40).reason


def test_memory() -> None:
    tight = choose(10**7, 20_000, 10, memory=20 * 10**9)
    assert tight.solver is kernel_ridge
    assert "the preconditioner of the iterative one would take 32.0 GB" in tight.reason
    with pytest.raises(
        ValueError, match=r"m: 20000 landmarks take 12\.8 GB, 1\.0 GB are free; take at most 5590 landmarks"
    ):
        choose(10**7, 20_000, 10, memory=10**9)


def test_wrong_sizes() -> None:
    for name in ("n", "m", "d", "t"):
        with pytest.raises(ValueError, match=f"{name}: expected an integer >= 1, got 0"):
            choose(**{"n": 10, "m": 5, "d": 2, "t": 1, name: 0})
