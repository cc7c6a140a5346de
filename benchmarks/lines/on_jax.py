"""Encoding with JAX."""

from functools import partial
from typing import Any

from lines import JAX, TORCH, AtLeast, Line, Prepare, Value, encode, plain_torch


def first_call() -> Prepare:
    """Seconds until the features of a few images are there, of an architecture that JAX has not met."""
    from time import perf_counter

    import jax

    import kerneltools

    x = kerneltools.backend("jax").asarray(plain_torch.images(16))

    def compiled() -> Any:
        jax.clear_caches()
        network = plain_torch.network(encode.ARCHITECTURE, x)
        start = perf_counter()
        network.encode(x).block_until_ready()
        return perf_counter() - start

    return compiled


LINES = (
    Line(
        "encode-jax",
        f"`{encode.ARCHITECTURE}`, JAX",
        partial(encode.ours, "jax"),
        encode.ON_TORCH,
        AtLeast(0.8),
        "ours on PyTorch",
        measure=encode.RATE,
        quick=True,
        needs=(JAX, TORCH),
    ),
    Line(
        "encode-jax-first",
        f"`{encode.ARCHITECTURE}`, JAX, 16 images, the first call, with what is compiled",
        first_call,
        measure=Value("s"),
        quick=True,
        needs=(JAX,),
        runs=3,
        warm_up=0,
    ),
)
