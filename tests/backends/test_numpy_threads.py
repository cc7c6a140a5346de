"""Blocks on several threads: what a loop gives, in its order, and the threads of BLAS as they were before."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

import ckn
from ckn.model import preprocess
from ckn.preprocessing import Scale, Whiten
from ckn.sampling import sample_patches
from kerneltools import maps
from kerneltools.arrays import namespace
from kerneltools.backend import backend
from kerneltools.kernels import Gaussian
from kerneltools.patches import Grid
from kerneltools.primitives import by_rows, map_blocks

HERE = np.zeros(1)
BLAS = ThreadpoolController().select(user_api="blas")


def threads_of_blas() -> set[int]:
    return {library["num_threads"] for library in BLAS.info()}


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, on a machine of one processor too."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    with threadpool_limits(2):
        yield
        assert threads_of_blas() == {2}


def names_of(blocks: int, f: Callable[[int], Any] = lambda block: None) -> set[str]:
    """The threads on which the blocks are worked on."""

    def name(block: int) -> str:
        f(block)
        time.sleep(0.001)
        return threading.current_thread().name

    return set(map_blocks(name, range(blocks), HERE))


@pytest.mark.usefixtures("two")
def test_two_threads_each_with_products_of_one() -> None:
    seen: list[set[int]] = []
    names = names_of(20, lambda block: seen.append(threads_of_blas()))
    assert len(names) == 2
    assert threading.current_thread().name not in names
    assert seen == [{1}] * 20


@pytest.mark.usefixtures("two")
def test_the_order_is_that_of_the_blocks() -> None:
    def late(block: int) -> int:
        time.sleep(0.002 * (block % 3 == 0))
        return block**2

    assert list(map_blocks(late, iter(range(50)), HERE)) == [block**2 for block in range(50)]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("count", [0, 1])
def test_too_few_blocks_for_a_thread(count: int) -> None:
    seen: list[set[int]] = []
    assert names_of(count, lambda block: seen.append(threads_of_blas())) <= {threading.current_thread().name}
    assert seen == [{2}] * count


def test_one_thread_of_blas_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread"))
    with threadpool_limits(1):
        assert names_of(3) == {threading.current_thread().name}


def test_one_processor_starts_none(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
    assert names_of(3) == {threading.current_thread().name}


def test_the_variable_of_the_shell_is_heard() -> None:
    code = (
        "import threading, numpy, kerneltools.primitives as p\n"
        "name = lambda block: threading.current_thread().name\n"
        "print(set(p.map_blocks(name, range(5), numpy.zeros(1))))"
    )
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables)
    assert done.stdout == "{'MainThread'}\n"


@pytest.mark.usefixtures("two")
def test_blocks_are_drawn_a_few_at_a_time() -> None:
    drawn: list[int] = []

    def blocks() -> Iterator[int]:
        for block in range(1000):
            drawn.append(block)
            yield block

    found = map_blocks(lambda block: block, blocks(), HERE)
    assert drawn == []
    for block in range(100):
        assert next(found) == block
        assert len(drawn) <= block + 1 + 16
        assert threads_of_blas() == {2}  # the caller's products have both


@pytest.mark.usefixtures("two")
def test_the_first_error_ends_it() -> None:
    done: list[int] = []

    def fails(block: int) -> int:
        time.sleep(0.02 * (block == 3))
        if block in (3, 4):
            raise ValueError(f"block {block}")
        done.append(block)
        return block

    found = map_blocks(fails, range(1000), HERE)
    with pytest.raises(ValueError, match="block 3"):
        list(found)
    assert max(done) < 16
    assert threads_of_blas() == {2}
    assert list(found) == []


@pytest.mark.usefixtures("two")
def test_an_interrupt_ends_it() -> None:
    done: list[int] = []

    def interrupted(block: int) -> None:
        if block == 2:
            raise KeyboardInterrupt
        time.sleep(0.02)
        done.append(block)

    with pytest.raises(KeyboardInterrupt):
        list(map_blocks(interrupted, range(16), HERE))
    assert len(done) < 8
    assert threads_of_blas() == {2}


@pytest.mark.usefixtures("two")
def test_blocks_inside_of_a_block_stay_on_its_thread() -> None:
    def inner(block: int) -> tuple[str, set[str], set[int]]:
        here = threading.current_thread().name
        return here, names_of(3), threads_of_blas()

    for here, inside, blas in map_blocks(inner, range(4), HERE):
        assert inside == {here}
        assert blas == {1}


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("first_to_go", ["on threads", "beside"])
def test_a_caller_beside_another_works_on_its_own_thread(first_to_go: str) -> None:
    inside, go = threading.Event(), {"on threads": threading.Event(), "beside": threading.Event()}
    found: list[set[str]] = []

    def beside() -> None:
        names = names_of(3, lambda block: (inside.set(), go["beside"].wait(10)))
        found.append(names)
        go["on threads"].set()

    other = threading.Thread(target=beside, name="beside")

    def block(number: int) -> None:
        if number == 0:
            other.start()
            assert inside.wait(10)
            go[first_to_go].set()
            assert go["on threads"].wait(10)
            assert threads_of_blas() == {1}

    assert len(names_of(8, block)) == 2
    assert threads_of_blas() == {2}
    go["beside"].set()
    other.join()
    assert found == [{"beside"}]
    assert threads_of_blas() == {2}


@pytest.mark.usefixtures("two")
def test_limits_that_another_thread_has_set_are_left_alone() -> None:
    # This thread has set them, so that threadpoolctl lets no other one change them.
    found: list[set[str]] = []
    other = threading.Thread(target=lambda: found.append(names_of(3)), name="other")
    other.start()
    other.join()
    assert len(found) == 1
    assert found == [{"other"}] or all(name.startswith("kerneltools") for name in found[0])  # before threadpoolctl 3.7
    assert threads_of_blas() == {2}


@pytest.mark.usefixtures("two")
def test_settings_of_the_caller_hold_in_its_blocks() -> None:
    def divide(block: int) -> float:
        return float(np.ones(1)[0] / np.zeros(1)[0])

    with np.errstate(divide="ignore"):
        assert set(map_blocks(divide, range(4), HERE)) == {np.inf}
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(map_blocks(divide, range(4), HERE))


@pytest.mark.usefixtures("two")
def test_other_libraries_and_traced_arrays_stay_in_the_loop() -> None:
    here = {threading.current_thread().name}

    def names(*parts: Any) -> set[str]:
        return set(map_blocks(lambda block: threading.current_thread().name, range(4), *parts))

    assert names() == names(array_api_strict.zeros(1)) == names(backend("torch").asarray([0.0])) == here
    assert names({"weights": [HERE]}) != here

    def f(x: Any) -> Any:
        assert names(HERE, x) == here
        return x @ x

    backend("numpy").value_and_grad(f)(np.ones(2))


rng = np.random.default_rng(0)
IMAGES = rng.random((40, 10, 10, 3)).astype(np.float32)
ROWS = rng.standard_normal((1000, 30))
# The factor of its landmarks is made here: products of their own take as many threads as BLAS has.
PHI = maps.nystrom(Gaussian(3.0), ROWS[:300, :])


def network() -> ckn.Network:
    architecture = ckn.Architecture((ckn.LayerSpec(8), ckn.LayerSpec(16)))
    return ckn.fit_unsupervised(architecture, IMAGES, 0, patches=400)


def patches(images: Any) -> Any:
    below = network().below(1)
    return sample_patches(below, images, Grid(3, padding="valid"), 300, 0, 4, lambda done, of: None)


def forest(x: Any) -> Any:
    return np.stack([np.sin(x).sum(axis=1), np.cos(x).sum(axis=1)], axis=1)


WORK: dict[str, Callable[[], Any]] = {
    "encoding": lambda: network().encode(IMAGES, batch=4),
    "whitening": lambda: preprocess((Scale(1.0), Whiten()), np.concatenate(3 * [IMAGES]), IMAGES),
    "patches": lambda: patches(IMAGES),
    "patches of crops": lambda: patches(np.tile(IMAGES, (30, 9, 9, 1))),
    "Nyström features": lambda: PHI(np.concatenate(5 * [ROWS])),
    "Fourier features": lambda: maps.fourier(Gaussian(3.0), 30, 600, 0)(np.concatenate(2 * [ROWS])),
    "Fourier features in float32": lambda: maps.fourier(Gaussian(3.0), 30, 600, 0)(
        np.concatenate(2 * [ROWS.astype(np.float32)])
    ),
    "rows": lambda: by_rows(ROWS, forest, 90),
}


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("name", WORK)
def test_the_bits_are_those_of_one_thread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: (begun.append(self.name), start(self))[1])
    found = WORK[name]()
    assert any(name.startswith("kerneltools") for name in begun)
    begun.clear()
    with threadpool_limits(1):
        expected = WORK[name]()
    assert begun == []
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.usefixtures("two")
def test_gradients_through_rows_are_recorded_on_one_thread() -> None:
    def loss(width: Any) -> Any:
        phi = maps.nystrom(Gaussian(width), ROWS[:50, :])
        features = phi(np.concatenate(50 * [ROWS]))  # two blocks
        return namespace(features).sum(features**2)

    value, gradient = backend("numpy").value_and_grad(loss)(np.asarray(3.0))
    with threadpool_limits(1):
        expected = backend("numpy").value_and_grad(loss)(np.asarray(3.0))
    assert np.allclose([value, gradient], expected, rtol=1e-12)
