"""Gradients for any array library: reverse-mode differentiation over the array API standard.

array.py        a traced array: its value and its place on the tape
operation.py    a function that is recorded when it meets a traced array
graph.py        the tape, and the sweep backwards over it
cotangents.py   sums of gradients
namespace.py    the functions of a library, recorded
rules/          the derivatives, one line each where possible
arguments.py    what a gradient may be taken with respect to
transforms.py   value_and_grad, grad, vjp, custom_vjp, stop_gradient
"""

from kerneltools.autodiff.array import TapeArray
from kerneltools.autodiff.backend import BACKEND, TapeBackend
from kerneltools.autodiff.graph import LeakedArrayError
from kerneltools.autodiff.transforms import custom_vjp, grad, stop_gradient, value_and_grad, vjp

__all__ = [
    "BACKEND",
    "LeakedArrayError",
    "TapeArray",
    "TapeBackend",
    "custom_vjp",
    "grad",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
