"""Files of models, and messages about other files."""

from collections.abc import Sequence
from pathlib import Path

from ckn.commands.supervised import LAST
from ckn.files import load
from ckn.model import Model
from ckn.network import Network
from ckn.supervised import load_state
from kerneltools.files import FileFormatError

UNKNOWN, NAMED = "pass it in `types`", "name the Python module that defines it, whose code is then run: --import MODULE"


def load_model(
    path: Path, backend: str | None = None, device: str | None = None, types: Sequence[type] = ()
) -> Model | Network:
    """The result of `ckn.load`. For the state of a training, the error tells how to make a model of it."""
    try:
        found = load(path, backend, device, types)
    except FileFormatError as error:
        if _epoch_of(path) is None:
            said = str(error)
            if said.endswith(UNKNOWN):
                raise FileFormatError(f"{said.removesuffix(UNKNOWN)}{NAMED}") from error
            raise
        epoch = _epoch_of(path.parent / LAST)
        at_once = "" if epoch is None else f" --epochs {epoch}"
        raise FileFormatError(
            f"{path}: the state of a training, no model; a run that ends writes its model.safetensors, and this one "
            f"ends at once with: ckn train DATA --resume {path.parent}{at_once}"
        ) from error
    return found


def _epoch_of(path: Path) -> int | None:
    """The epoch of the state of a training; None for other files."""
    try:
        return load_state(path).epoch
    except (OSError, ValueError):
        return None
