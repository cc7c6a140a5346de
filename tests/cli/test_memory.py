"""Where there is not enough memory: one line with the cause, for what, and what to try."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckn.memory import out_of_memory


class OutOfMemoryError(RuntimeError):
    """As PyTorch and CuPy have one."""


class XlaRuntimeError(RuntimeError):
    """As JAX has one."""


def of_numpy() -> MemoryError:
    """NumPy's own, which is made of a shape and a type and not of a text."""
    with pytest.raises(MemoryError) as caught:
        np.empty((2**40, 2**19))
    return caught.value


ERRORS = {
    "numpy": (of_numpy(), "Unable to allocate 4.00 EiB for an array with shape (1099511627776, 524288)"),
    "torch": (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee the notes"), "CUDA out of memory."),
    "torch, host": (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "[enforce"),
    "jax": (XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."), "RESOURCE_EXHAUSTED: Out of"),
    "without a word": (MemoryError(), "MemoryError"),
}
# What the command does, and the place where memory ends.
PLACES = {
    "reading": (["evaluate", "MODEL", "DATA"], "ckn.commands.use.read", "DATA", "fewer or smaller examples"),
    "the model": (["show", "MODEL"], "ckn.files.load_tree", "MODEL", "a machine with more"),
    "the model of others": (["evaluate", "MODEL", "DATA"], "ckn.files.load_tree", "MODEL", "a machine with more"),
    "evaluate": (["evaluate", "MODEL", "DATA"], "ckn.applying.encode_blocks", "DATA", "a smaller --batch"),
    "predict": (["predict", "MODEL", "DATA"], "ckn.applying.encode_blocks", "DATA", "a smaller --batch"),
    "encode": (["encode", "MODEL", "DATA", "--out", "OUT.npz"], "ckn.applying.encode_blocks", "DATA", "a smaller --b"),
    "data of a training": (["train", "DATA", "--out", "OUT"], "ckn.commands.train.read", "DATA", "fewer or smaller"),
    "training": (
        ["train", "DATA", "--out", "OUT"],
        "ckn.estimators.body.fit_unsupervised",
        "DATA",
        "a smaller --batch or",
    ),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", PLACES)
def test_says_the_cause_for_what_and_what_to_try(
    place: str, error: str, run: Any, model: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words, function, named, advice = PLACES[place]
    raised, cause = ERRORS[error]

    def fail(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(function, fail)
    names = {"MODEL": str(model), "DATA": str(digits)}
    given = [names.get(word, word.replace("OUT", str(tmp_path / "out"))) for word in words]
    result = run(*given)
    assert result.exit_code == 1, result.exception
    assert "Traceback" not in result.stderr
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"error: not enough memory ({cause}")
    assert f") for {names[named]}; try {advice}" in said
    assert list(tmp_path.iterdir()) == []


def test_what_is_out_of_memory() -> None:
    assert all(out_of_memory(error) for error, _ in ERRORS.values())
    assert not any(map(out_of_memory, [RuntimeError("shapes differ"), ValueError("out of memory"), KeyError("x")]))
