"""Trainings in files: a stopped training resumes with the same numbers, or is refused with the reason."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

from ckn.architecture import Architecture
from ckn.files import model_types
from ckn.loaded import check_arrays, check_head, check_network, check_number, checked, require_readable
from ckn.preprocessing import Step
from ckn.supervised.settings import Supervised
from ckn.supervised.state import EpochReport, TrainingState
from kerneltools import optimisers
from kerneltools.arrays import Array, blocks, is_whole
from kerneltools.backend import backend as backend_named
from kerneltools.backend import to_host
from kerneltools.encoding import by_stored_name, placing
from kerneltools.files import load_tree, save_tree
from kerneltools.optimisers import Geometry, Sphere
from kerneltools.structures.base import is_collection
from kerneltools.trees import Tree, named_leaves, static

KIND = "ckn-training"
HASHED_AT_ONCE = 1000
# A training may go on for more epochs, be compiled or not, and with more memory or less.
FREE = ("epochs", "jit", "memory", "at_once")


class ResumeError(ValueError):
    """A training cannot resume from a file, which is for another architecture, other data or other settings.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import ckn
    >>> from ckn.supervised import ResumeError
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save_state(state, path, {"rng": "0"})
    >>> try:
    ...     load_state(path, {"rng": "1"})
    ... except ResumeError as error:
    ...     print(str(error).replace(str(path), path.name))
    state.safetensors: it is of another training, which cannot be resumed here: rng is 0 there and 1 here
    """


@dataclass(frozen=True, eq=False)
class _Checkpoint(Tree):
    state: TrainingState
    notes: dict[str, str] = static()


def training_notes(
    architecture: Architecture,
    settings: Supervised,
    images: Any,
    labels: Array | Sequence[int],
    rng: int,
    preprocessing: tuple[Step, ...] = (),
    validation: tuple[Any, Any] | None = None,
) -> dict[str, str]:
    """All that decides the numbers of a training, in words by name; its data as a SHA-256.

    (n, *grid, c), (n,) -> architecture, preprocessing, data, validation, rng, and each of the settings but the epochs

    >>> import numpy as np
    >>> import ckn
    >>> images, labels = np.zeros((20, 8, 8, 1)), np.arange(20) % 2
    >>> notes = training_notes(ckn.Architecture((ckn.LayerSpec(4),)), ckn.Supervised(batch=10), images, labels, rng=0)
    >>> sorted(notes)[:4], notes["batch"], len(notes["data"])
    (['architecture', 'augmentation', 'batch', 'clip_norm'], '10', 64)
    """
    chosen = {f.name: _words(getattr(settings, f.name)) for f in fields(settings) if f.name not in FREE}
    return {
        "architecture": _words(architecture),
        "preprocessing": _words(preprocessing),
        "data": _digest(images, labels),
        "validation": "none" if validation is None else _digest(*validation),
        "rng": str(rng),
        **chosen,
    }


def save_state(state: TrainingState, path: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Write a state, with notes such as those of `training_notes`; the file appears complete or not at all.

    Raises OSError if the folder cannot be written, and ValueError for a state that `load_state` would refuse.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save_state(state, path, {"data": "digits"})
    >>> load_state(path).epoch, state_notes(path)
    (0, {'data': 'digits'})
    """
    checkpoint = _Checkpoint(state, dict(notes or {}))
    require_readable(path, _check, checkpoint)
    save_tree(checkpoint, path, KIND)


def load_state(
    path: str | Path,
    notes: Mapping[str, str] | None = None,
    *,
    backend: str | None = None,
    device: Any = None,
    types: Iterable[type] = (),
) -> TrainingState:
    """Read a file of `save_state`; its arrays are in the library of `backend` ("numpy" for None) and on `device`.

    `notes`: those of the current training; each must be the same in the file. `types`: kernels, profiles and
    geometries of your own that the file may hold.

    Raises FileNotFoundError, kerneltools.files.FileFormatError for a file that is damaged, is of another kind, or has
    invalid values (as `ckn.load` does), and ResumeError, with the difference.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save_state(state, path, {"data": "digits"})
    >>> bool(np.array_equal(load_state(path, {"data": "digits"}).network(images), network(images)))
    True
    """
    found = _load(path, placing(backend_named(backend or "numpy"), device), types)
    differing = [name for name, value in (notes or {}).items() if found.notes.get(name) != value]
    if differing:
        told = "; ".join(_told(name, found.notes.get(name, "not known"), (notes or {})[name]) for name in differing)
        raise ResumeError(f"{path}: it is of another training, which cannot be resumed here: {told}")
    return found.state


def state_notes(path: str | Path, types: Iterable[type] = ()) -> dict[str, str]:
    """The notes of a state in a file. Raises what `load_state` raises.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save_state(state, path, {"data": "digits", "rng": "0"})
    >>> state_notes(path)
    {'data': 'digits', 'rng': '0'}
    """
    return _load(path, lambda array: array, types).notes


def best_epoch(history: tuple[EpochReport, ...]) -> int:
    """The number of the best epoch: of the greatest validation accuracy, or where that was not measured of the least
    training loss; of equal ones the first. Raises ValueError for an empty history.

    >>> from ckn.supervised import EpochReport
    >>> accuracies = (0.71, 0.84, 0.83)
    >>> history = tuple(EpochReport(n + 1, loss=0.3, rate=0.1, validation_accuracy=a) for n, a in enumerate(accuracies))
    >>> best_epoch(history)
    2
    """
    if not history:
        raise ValueError("history: expected at least one epoch, got none")

    def badness(report: EpochReport) -> float:
        return report.loss if report.validation_accuracy is None else -report.validation_accuracy

    return min(history, key=badness).epoch


def _load(path: str | Path, convert: Any, types: Iterable[type]) -> _Checkpoint:
    members = [member for member in vars(optimisers).values() if isinstance(member, type)]
    geometries = [member for member in members if issubclass(member, Tree)]
    known = (*model_types(), *geometries, _Checkpoint, TrainingState, EpochReport, *types)
    found: _Checkpoint = checked(path, _check, load_tree(path, KIND, by_stored_name(known), convert))
    return found


def _check(loaded: Any) -> _Checkpoint:
    """The state of a training whose parts fit together, with notes in words."""
    if not isinstance(loaded, _Checkpoint) or not isinstance(loaded.state, TrainingState):
        raise TypeError(f"expected the state of a training, got a {type(loaded).__name__}")
    notes = loaded.notes
    if not isinstance(notes, dict) or not all(isinstance(word, str) for word in notes.values()):
        raise TypeError(f"notes: expected words by name, got {notes!r:.100}")
    state = loaded.state
    check_arrays({"network": state.network, "head": state.head, "spaces": state.spaces})
    check_arrays({"optimiser": state.optimiser}, integers=True)  # which counts its steps
    check_network(state.network)
    check_head(state.head, state.network, None, None)
    _check_spaces(state)
    check_number("rate", state.rate, least=0.0)
    check_number("reg", state.reg, least=0.0)
    _check_history(state)
    return loaded


def _check_spaces(state: TrainingState) -> None:
    spaces, layers = state.spaces, state.network.bare_layers
    if not isinstance(spaces, tuple) or len(spaces) != len(layers) or not all(isinstance(s, Geometry) for s in spaces):
        raise TypeError(f"spaces: expected a geometry for each of {len(layers)} layers, got {spaces!r:.100}")
    for space, layer in zip(spaces, layers, strict=True):
        d = prod(layer.filters.shape[1:])
        if isinstance(space, Sphere) and space.metric is not None and tuple(space.metric.shape) != (d, d):
            raise ValueError(f"metric: expected shape {(d, d)}, got {tuple(space.metric.shape)}")


def _check_history(state: TrainingState) -> None:
    """Check for a report of each epoch, in order; files of earlier versions have none of epoch 0."""
    history = state.history
    if not isinstance(history, tuple) or not all(isinstance(report, EpochReport) for report in history):
        raise TypeError(f"history: expected reports of epochs, got {history!r:.100}")
    if not is_whole(state.epoch, least=0) or len(history) != state.epoch:
        raise ValueError(f"epoch: expected an integer, {len(history)} as in the history, got {state.epoch!r:.60}")
    if not isinstance(state.initial, EpochReport | None):
        raise TypeError(f"initial: expected the report of epoch 0, or None, got {state.initial!r:.100}")
    reports = history if state.initial is None else (state.initial, *history)
    for number, report in enumerate(reports, start=1 if state.initial is None else 0):
        if report.epoch != number or isinstance(report.epoch, bool):
            raise ValueError(f"history: expected epoch {number}, got {report.epoch!r:.60}")
        check_number("loss", report.loss)
        check_number("rate", report.rate, least=0.0)
        for name in ("train_accuracy", "validation_accuracy"):
            if getattr(report, name) is not None:
                check_number(name, getattr(report, name), most=1.0)  # R² may be below 0


def _words(value: Any) -> str:
    """A value in words; for arrays, which are not shown in full, with a SHA-256."""
    arrays = [to_host(leaf) for _, leaf in named_leaves(value) if getattr(leaf, "shape", ())]
    if not arrays:
        return repr(value)
    found = sha256(b"".join(f"{array.dtype}{array.shape}".encode() + array.tobytes() for array in arrays))
    return f"{value!r}, SHA-256 {found.hexdigest()}"


def _digest(data: Any, labels: Any) -> str:
    """A hash of the shape, type and bytes of all images, or of what makes objects equal, and of the labels."""
    found = sha256(repr(tuple(data.shape)).encode())
    for piece in _pieces(data):
        found.update(piece)
    found.update(repr([str(label) for label in to_host(labels).tolist()]).encode())
    return found.hexdigest()


def _pieces(data: Any) -> Iterator[bytes]:
    if is_collection(data):
        yield from (repr(data.key(number)).encode() for number in range(len(data)))
        return
    for rows in blocks(data.shape[0], HASHED_AT_ONCE):
        block = to_host(data[rows, ...])
        yield f"{block.dtype}".encode() + block.tobytes()


def _told(name: str, there: str, here: str) -> str:
    if name in ("data", "validation"):
        return f"other {'data' if name == 'data' else 'validation data'} or labels"
    return f"{name} is {there} there and {here} here"
