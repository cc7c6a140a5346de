"""Operations: a computation, and the rule by which gradients come back through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.autodiff.array import TapeArray, lifted, newest, require_real

# A cotangent is the gradient of the final scalar with respect to one intermediate array. Its pull takes
# the cotangents of an operation's outputs to those of its arguments.
Pull = Callable[..., Any]
# pull = rule(xp, output, *arguments, **keywords): made when the operation is recorded, so that the pull
# keeps alive only the arrays that it needs.
Rule = Callable[..., Pull]
# The rules of one operation, for the arguments `wanted`: pulls(wanted, xp, output, arguments, keywords).
Pulls = Callable[[Sequence[int], Any, Any, Sequence[Any], dict[str, Any]], Pull]


def each(*rules: Rule | None) -> Pulls:
    """One rule for each argument; None for an argument without a derivative."""

    def pulls(wanted: Sequence[int], xp: Any, out: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Pull:
        chosen = [rules[i] if i < len(rules) else None for i in wanted]
        if None in chosen:
            raise NotImplementedError(f"argument {wanted[chosen.index(None)]} has no derivative rule")
        parts = [rule(xp, out, *arguments, **keywords) for rule in chosen if rule is not None]
        if len(parts) == 1:
            (only,) = parts
            return lambda g: (only(g),)
        return lambda g: [part(g) for part in parts]

    return pulls


def together(rule: Rule) -> Pulls:
    """One rule whose pull gives the cotangents (or None) of all arguments at once."""

    def pulls(wanted: Sequence[int], xp: Any, out: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Pull:
        pull = rule(xp, out, *arguments, **keywords)

        def chosen(*cotangents: Array) -> list[Any]:
            found = pull(*cotangents)
            return [found[i] for i in wanted]

        return chosen

    return pulls


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A function of arrays (positional) and settings (keywords) that is recorded if an array is traced."""

    name: str
    forward: Callable[..., Any]
    pulls: Pulls

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        top = newest(arguments)
        if top is None:
            return self.forward(*arguments, **keywords)
        tape = top.tape
        tape.require_open()
        values, wanted, parents = list(arguments), [], []
        for i, a in enumerate(arguments):
            if type(a) is TapeArray and a.tape is tape:
                values[i] = a.value
                if a.place is not None:
                    wanted.append(i)
                    parents.append(a.place)
        # The values may be traced by outer tapes: the same operation again, one level down.
        out = self(*values, **keywords)
        for result in _results(out):
            require_real(self.name, top.space, result.dtype)
        if not wanted:
            return lifted(out, top)
        pull = self._pull(wanted, top.space, out, values, keywords)
        return tape.record(self.name, out, parents, pull, top.space)

    def _pull(self, wanted: list[int], space: Any, out: Any, values: list[Any], keywords: dict[str, Any]) -> Pull:
        # A rule's arrays are all traced by the outer tape, or none is: its operators then meet no strange operand.
        outer = newest((*values, *_results(out)))
        values, seen = ([lifted(v, outer) for v in values], lifted(out, outer)) if outer is not None else (values, out)
        try:
            pull = self.pulls(wanted, space, seen, values, keywords)
            return _in_their_types(pull, [values[i].dtype for i in wanted], out)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"gradient of {self.name}: {error}; rules are written in kerneltools/autodiff/rules"
            ) from error


def _results(out: Any) -> tuple[Any, ...]:
    return out if isinstance(out, tuple) else (out,)


def _in_their_types(pull: Pull, dtypes: list[Any], out: Any) -> Pull:
    """The pull, with each cotangent in the type of its argument, if these and the results have several types."""
    if all(dtype == result.dtype for dtype in dtypes for result in _results(out)):
        return pull
    return lambda *g: [_cast(x, dtype) for x, dtype in zip(pull(*g), dtypes, strict=True)]


def _cast(x: Any, dtype: Any) -> Any:
    if x is None or x.dtype == dtype:
        return x
    return x.cast(dtype) if hasattr(x, "cast") else namespace(x).astype(x, dtype)
