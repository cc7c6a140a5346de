"""The tape: the list of operations in the order they ran, which is read backwards to compute gradients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from kerneltools.arrays import Array
from kerneltools.autodiff.array import TapeArray
from kerneltools.autodiff.cotangents import Cotangents
from kerneltools.autodiff.namespace import RecordingNamespace, recording
from kerneltools.autodiff.operation import Pull

_serials = count()


class LeakedArrayError(RuntimeError):
    """A traced array was used after the call that traced it had ended.

    >>> import numpy as np
    >>> from kerneltools.autodiff import LeakedArrayError, value_and_grad
    >>> kept = []
    >>> value, gradient = value_and_grad(lambda x: kept.append(x) or x @ x)(np.ones(2))
    >>> try:
    ...     kept[0] * 2
    ... except LeakedArrayError as error:
    ...     print(str(error).split(";")[0])
    a traced array was used after its value_and_grad, grad or vjp call had ended
    """


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: the places of the arrays it came from, and the pull of its cotangents to them."""

    name: str
    parents: Sequence[int]
    pull: Pull | None
    outputs: int = 1


@dataclass(eq=False)
class Tape:
    """One recording. A tape that begins later is an inner one: its gradients are computed first.

    An operation with several outputs occupies as many places, of which the first holds its node.
    """

    nodes: list[Node | None] = field(default_factory=list)
    serial: int = field(default_factory=lambda: next(_serials))
    is_open: bool = True

    def close(self) -> None:
        """End the recording: arrays traced on it cannot be used any more."""
        self.is_open = False

    def require_open(self) -> None:
        """Raise LeakedArrayError if the recording has ended."""
        if not self.is_open:
            raise LeakedArrayError(
                "a traced array was used after its value_and_grad, grad or vjp call had ended; return it from the "
                "function, or keep kerneltools.autodiff.stop_gradient(x) instead"
            )

    def trace(self, value: Array, name: str = "input") -> TapeArray:
        """A value to differentiate with respect to."""
        return self._append(Node(name, (), None), value, recording(value))

    def record(self, name: str, out: Any, parents: Sequence[int], pull: Pull, space: RecordingNamespace) -> Any:
        """The traced output of an operation; a tuple of them for a tuple."""
        if not isinstance(out, tuple):
            return self._append(Node(name, parents, pull), out, space)
        first = len(self.nodes)
        self.nodes += [Node(name, parents, pull, len(out)), *[None] * (len(out) - 1)]
        traced = [TapeArray(value, self, first + k, space) for k, value in enumerate(out)]
        return out._make(traced) if hasattr(out, "_make") else tuple(traced)

    def _append(self, node: Node, value: Array, space: RecordingNamespace) -> TapeArray:
        self.nodes.append(node)
        return TapeArray(value, self, len(self.nodes) - 1, space)

    def sweep(self, start: int, seed: Array, wanted: Collection[int], *, keep: bool = False) -> dict[int, Array]:
        """The gradients at the places `wanted`, from the cotangent `seed` of the array at `start`.

        The chain rule: each operation, last first, takes the cotangents of its outputs and adds to those of
        the arrays it came from. Then its node and the arrays that it holds are freed, unless `keep`.
        """
        pending, found = Cotangents({start: seed}), {}
        for at in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[at]
            if node is None:
                continue
            if at in wanted and at in pending.totals:
                found[at] = pending.totals[at]
            cotangents = [pending.pop(at + k) for k in range(node.outputs)]
            if node.pull is not None and any(g is not None for g in cotangents):
                for parent, extra in zip(node.parents, node.pull(*cotangents), strict=True):
                    pending.add(parent, extra)
            if not keep:
                self.nodes[at] = None
        return found
