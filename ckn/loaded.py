"""Checks of networks and models from files: right types, finite numbers, parts that fit together.

Each function raises TypeError or ValueError with the reason; the reader of the file adds its name.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from math import isfinite, prod
from numbers import Real
from typing import Any

from ckn.bounds import LARGEST_MAP, check_kernel
from ckn.layers.beside import require_groups
from ckn.layers.embedding import Embedding
from ckn.layers.gapped import GappedLayer
from ckn.layers.grid import Layer
from ckn.layers.laid import ObjectLayer, Readout
from ckn.layers.parts import PartLayer, channels_of
from ckn.layers.readouts import Standardised
from ckn.layers.transport import TransportPool
from ckn.memory import out_of_memory
from ckn.model import Model
from ckn.network import Network
from ckn.preprocessing import Step
from ckn.readers import Pictures
from ckn.targets import Targets
from kerneltools.arrays import Array, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.encoding import told
from kerneltools.files import FileFormatError
from kerneltools.kernels import Kernel
from kerneltools.kernels.base import row_norms
from kerneltools.learning import Temperature
from kerneltools.patches import Extractor, GappedKernel, GappedPool, PartKernel, PartPool
from kerneltools.precision import widened
from kerneltools.primitives import program
from kerneltools.solvers import LinearModel

UNIT_ERROR = 1e-2
"""How far the norm of a filter of a homogeneous kernel may be from 1: half precision rounds to 4e-3."""


def checked(path: Any, check: Callable[[Any], Any], loaded: Any) -> Any:
    """The result of `check` on what was read. Raises FileFormatError, with the file's name, for any error in it."""
    return _passed(check, loaded, lambda words: FileFormatError(f"{path}: corrupt: {words}"))


def require_readable(path: Any, check: Callable[[Any], Any], value: Any) -> None:
    """Raise ValueError, with the file's name, if what is to be written could not be read again, by the same checks."""
    _passed(check, value, lambda words: ValueError(f"{path}: not written, because it could not be read again: {words}"))


def _passed(check: Callable[[Any], Any], value: Any, failure: Callable[[str], Exception]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what overflows here becomes an error
            return check(value)
    except Exception as error:
        # A kernel that cannot be evaluated raises whatever its library does.
        if out_of_memory(error) or isinstance(error, OSError | ImportError):
            raise
        raise failure(told(error)) from error


def check_model(loaded: Any) -> Model | Network:
    """A network, or a model ready for use, whose parts fit together."""
    if not isinstance(loaded, Model | Network):
        raise TypeError(f"expected a Model or a Network, got {type(loaded).__name__}")
    check_arrays(loaded)
    if isinstance(loaded, Network):
        check_network(loaded)
        return loaded
    check_network(loaded.network)
    _check_steps(loaded.preprocessing, loaded.network.embedding is not None)
    outputs = _check_outputs(loaded)
    _check_shape(loaded)
    _check_pictures(loaded)
    if not isinstance(loaded.calibration, Temperature | None):
        raise TypeError(f"calibration: expected a Temperature or None, got {type(loaded.calibration).__name__}")
    check_head(loaded.head, loaded.network, loaded.features, outputs)
    prepared = loaded.prepare()
    check_arrays(prepared.network)
    return prepared


def _check_outputs(model: Model) -> int:
    """How many outputs the head must have: one for each class or target, of which a model has one kind only."""
    if model.targets is None:
        check_classes(model.classes)
        return len(model.classes)
    if not isinstance(model.targets, Targets):
        raise TypeError(f"targets: expected Targets or None, got {type(model.targets).__name__}")
    if model.classes != () or model.calibration is not None:
        raise ValueError(f"targets: expected neither classes nor a calibration with them, got {model.classes!r:.100}")
    return len(model.targets)


def _check_on_objects(network: Network) -> None:
    """Check filters on their spheres, items of the sizes that the layer before makes, and the readout."""
    embedding: Any = network.embedding
    if not isinstance(embedding, Embedding) or not isinstance(network.strands, bool):
        raise TypeError(f"embedding, strands: expected an embedding and a truth value, got {embedding!r:.60}")
    if not isinstance(network.readout, PartPool | Readout):
        raise TypeError(f"readout: expected a pool, got {network.readout!r:.60}")
    require_groups(network.layers, network.beside)
    columns, before, number = embedding.columns, list[tuple[Any, ...]](), 0
    for stage in network.unprepared().stages:
        for layer in stage:
            number += 1
            if not isinstance(layer, ObjectLayer):
                raise TypeError(f"layer {number}: expected a layer of objects, got {type(layer).__name__}")
            if isinstance(layer, PartLayer):
                kinds = {"kernel": PartKernel, "parts": Extractor, "pool": PartPool}
                each = columns // channels_of(before)
                _check_object_layer(number, layer, kinds, each, getattr(layer.parts, "size", None))
            elif isinstance(layer, GappedLayer):
                _check_object_layer(number, layer, {"kernel": GappedKernel, "pool": GappedPool}, columns)
            check_arrays(layer.prepare())
        columns = sum(layer.width(columns) for layer in stage)
        before.append(stage)
    _check_types(network)
    _check_readout(network.readout, columns)


def _check_types(network: Network) -> None:
    """Check that all arrays of layers and readout have the type of the first filters."""
    bare = network.unprepared()
    for name, leaf in (*_arrays(bare.layers, "layers"), *_arrays(bare.readout, "readout")):
        if leaf.dtype != network.like.dtype:
            raise TypeError(f"{name}: expected {network.like.dtype}, as the first filters, got {leaf.dtype}")


def _check_readout(readout: Any, columns: int) -> None:
    """Check that references, also of joined readouts, are as long as the items, and the features to standardise."""
    for one in getattr(readout, "readouts", ()):
        _check_readout(one, columns)
    if isinstance(readout, Standardised):
        if not isinstance(readout.readout, PartPool | Readout):
            raise TypeError(f"readout: expected a pool to standardise, got {readout.readout!r:.60}")
        _check_readout(readout.readout, columns)
        if (least := float(to_host(readout.factors).min(initial=0))) < 0:
            raise ValueError(f"readout: factors: expected numbers >= 0, got {least:.6g}")
        if (found := int(readout.centre.shape[0])) != (wanted := readout.width(columns)):
            raise ValueError(f"readout: expected {wanted} features in the place of {found} to standardise")
    if isinstance(readout, TransportPool) and readout.references.shape[2] != columns:
        raise ValueError(f"readout: references: expected (heads, p, {columns}), got {tuple(readout.references.shape)}")


def _check_object_layer(number: int, layer: Any, kinds: dict[str, Any], columns: int, size: int | None = None) -> None:
    for name, kind in kinds.items():
        value = getattr(layer, name)
        if not isinstance(value, kind):
            raise TypeError(f"layer {number}: {name}: got {value!r:.60}")
    m, k, d = layer.filters.shape
    if d != columns or k != (size or k):
        raise ValueError(f"layer {number}: filters: expected (m, {size or k}, {columns}), got {(m, k, d)}")
    missed = to_host(layer.kernel.normalised(layer.filters)) - to_host(layer.filters)
    if not (abs(missed) <= UNIT_ERROR).all():
        raise ValueError(f"layer {number}: filters: expected filters on the sphere of {layer.kernel!r:.80}")


def check_arrays(tree: Any, integers: bool = False) -> None:
    """Check that arrays are finite floating-point numbers, or integers; other projects' classes are skipped."""
    for name, leaf in _arrays(tree, ""):
        xp = namespace(leaf)
        if integers and xp.isdtype(leaf.dtype, "integral"):
            continue
        if not xp.isdtype(leaf.dtype, "real floating"):
            raise TypeError(f"{name}: expected floating-point numbers, got {leaf.dtype}")
        if not bool(_are_finite(leaf)):
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


@program
def _are_finite(array: Array) -> Array:
    return namespace(array).all(namespace(array).isfinite(array))


def _arrays(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "dtype"):
        yield name.lstrip("."), value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _arrays(child, f"{name}.{key}")
    elif isinstance(value, tuple | list):
        for number, child in enumerate(value):
            yield from _arrays(child, f"{name}.{number}")
    elif is_dataclass(value) and type(value).__module__.partition(".")[0] in ("ckn", "kerneltools"):
        for field in fields(value):
            yield from _arrays(getattr(value, field.name), f"{name}.{field.name}")


def check_network(network: Any) -> None:
    """Check for at least one layer, filters of one type, channels that fit the layer before, and working kernels."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {type(network).__name__}")
    layers = network.layers
    kind = Layer if network.embedding is None else ObjectLayer
    if not isinstance(layers, tuple) or not layers or not all(isinstance(layer, kind) for layer in layers):
        raise TypeError("expected a network of at least one layer")
    if network.embedding is not None:
        _check_on_objects(network)
        return
    if not isinstance(network.readout, PartPool | Readout | None) or network.strands is not False or network.beside:
        raise TypeError(f"readout, strands: expected a pool or None, and False, got {network.readout!r:.60}")
    before: Layer | None = None
    for number, layer in enumerate(network.bare_layers, start=1):
        try:
            _check_layer(layer, before)
        except (TypeError, ValueError) as error:
            raise ValueError(f"layer {number}: {error}") from error
        before = layer
    _check_types(network)
    _check_readout(network.readout, int(layers[-1].filters.shape[0]))


def _check_layer(layer: Layer, before: Layer | None) -> None:
    shape = tuple(layer.filters.shape)
    if min(shape) < 1:
        raise ValueError(f"filters: expected at least one filter, point and channel, got shape {shape}")
    check_number("reg", layer.reg)
    if before is not None:
        wanted = (before.filters.ndim, before.filters.shape[0])
        if (layer.filters.ndim, shape[-1]) != wanted:
            raise ValueError(f"filters: expected {wanted[0]} axes and {wanted[1]} channels, got shape {shape}")
        if layer.filters.dtype != before.filters.dtype:
            raise TypeError(f"filters: expected {before.filters.dtype}, as before, got {layer.filters.dtype}")
    if not isinstance(layer.padding, str):
        _check_axes("padding", layer.padding, layer.filters.ndim - 2)
    _check_axes("dilation", layer.dilation, layer.filters.ndim - 2)
    _check_kernel(layer)


def _check_axes(name: str, value: Any, axes: int) -> None:
    if isinstance(value, tuple) and len(value) != axes:
        raise ValueError(f"{name}: expected one number or {axes}, one for each axis, got {value}")


def _check_kernel(layer: Layer) -> None:
    """Check that the kernel can be evaluated on the filters, which have norm 1 if it requires that."""
    check_kernel(layer.kernel)
    kernel, rows = widened(layer.kernel), widened(layer.rows)
    if kernel.indefinite:
        raise ValueError(f"kernel: {kernel!r} is indefinite, and has no features")
    norms = to_host(row_norms(rows))
    if kernel.homogeneous and not (abs(norms - 1) < UNIT_ERROR).all():
        raise ValueError(
            f"filters: expected norm 1, since the kernel is homogeneous, got {norms.min():.3g} to {norms.max():.3g}"
        )
    # Of rows of length 1, none is out of range: what is checked of their numbers, inside, has been.
    evaluate = _values_of_units if kernel.homogeneous and layer.by_products else type(kernel).__call__
    for few in (1, 3):
        some = rows[:few, :]
        values, wanted = evaluate(kernel, some, rows), (some.shape[0], rows.shape[0])
        if tuple(values.shape) != wanted or not bool(_are_finite(values)):
            raise ValueError(f"kernel: expected finite values {wanted} of the filters, got {_short(values)}")


@program
def _values_of_units(kernel: Kernel, x: Array, y: Array) -> Array:
    return kernel(x, y)


def _short(values: Array) -> str:
    return f"shape {tuple(values.shape)}, or NaN or infinity among them"


def _check_steps(steps: Any, of_objects: bool) -> None:
    if not isinstance(steps, tuple) or not all(isinstance(step, Step) for step in steps):
        raise TypeError(f"expected steps of preprocessing, got {steps!r}")
    if wrong := [step for step in steps if step.of_objects != of_objects]:
        raise TypeError(
            f"preprocessing: expected steps of {'objects' if of_objects else 'images'}, got {wrong[0]!r:.80}"
        )
    # The fields of those at hand are numbers, though their own checks would let arrays pass.
    for step in steps:
        for name, leaf in _arrays(step, type(step).__name__):
            raise TypeError(f"{name}: expected a number, got an array of shape {tuple(leaf.shape)}")


def check_classes(classes: Any) -> None:
    """Check for at least two classes, all different, also as text, since the command finds them by name."""
    if not isinstance(classes, tuple) or not all(isinstance(name, int | float | str) for name in classes):
        raise TypeError(f"expected numbers or strings as classes, got {classes!r:.200}")
    if len(classes) < 2:
        raise ValueError(f"classes: expected at least two, got {classes!r:.200}")
    if len(set(classes)) < len(classes) or len(set(map(str, classes))) < len(classes):
        raise ValueError(f"classes: expected different ones, got {classes!r:.200}")
    if len({isinstance(name, str) for name in classes}) > 1:
        raise TypeError(f"classes: expected all strings or all numbers, got {classes!r:.200}")
    if not all(isinstance(name, str) or isfinite(name) for name in classes):
        raise ValueError(f"classes: expected finite numbers, got {classes!r:.200}")


def _check_shape(model: Model) -> None:
    """Check the images' shape against the filters of the first layer and the size of the maps."""
    shape, filters = model.image_shape, model.network.like
    if model.network.embedding is not None:
        if shape != ():
            raise ValueError(f"image_shape: expected () for a network on objects, got {shape!r:.100}")
        return
    if not isinstance(shape, tuple) or not all(is_whole(side) for side in shape) or len(shape) != filters.ndim - 1:
        raise ValueError(
            f"image_shape: expected {filters.ndim - 1} integers >= 1, for filters of shape {tuple(filters.shape)}, "
            f"got {shape!r:.100}"
        )
    if shape[-1] != filters.shape[-1]:
        raise ValueError(f"image_shape: {shape[-1]} channels, and filters of {filters.shape[-1]}")
    for step in model.preprocessing:
        step.check_grid(shape[:-1])
    largest = max(prod(shape), model.network.numbers_for(shape))
    if largest > LARGEST_MAP:
        raise ValueError(f"image_shape: {shape} asks for {largest} numbers for one image; at most {LARGEST_MAP}")


def _check_pictures(model: Model) -> None:
    """Check that the treatment of picture files makes images of the shape that the model takes."""
    found = model.pictures
    if found is None:
        return
    if not isinstance(found, Pictures):
        raise TypeError(f"pictures: expected how they become images, or None, got {type(found).__name__}")
    if found.size is None or (*found.size, found.channels) != model.image_shape:
        raise ValueError(f"pictures: they become {found.size} in {found.channels} channels, not {model.image_shape}")


def check_head(head: Any, network: Network, features: int | None, classes: int | None) -> None:
    """Check for weights and intercept of the network's type, for the numbers of features and classes, if known."""
    if not isinstance(head, LinearModel):
        raise TypeError(f"head: expected a LinearModel, got {type(head).__name__}")
    weights, intercept = head.weights, head.intercept
    found = tuple(weights.shape)
    if len(found) != 2:
        raise ValueError(f"weights of shape {found}, expected (features, classes)")
    wanted = (found[0] if features is None else features, found[1] if classes is None else classes)
    if found != wanted:
        raise ValueError(f"weights of shape {found}, and {wanted} of the network's features and the classes")
    if tuple(intercept.shape) != wanted[1:]:
        raise ValueError(f"an intercept of shape {tuple(intercept.shape)} for {wanted[1]} classes")
    if not weights.dtype == intercept.dtype == network.like.dtype:
        raise TypeError(
            f"head: expected {network.like.dtype}, as the filters, got {weights.dtype} and {intercept.dtype}"
        )
    # No feature is above 1 in absolute value.
    greatest = [float(abs(to_host(array)).max()) if min(array.shape) else 0.0 for array in (weights, intercept)]
    if not greatest[0] * wanted[0] + greatest[1] < float(namespace(weights).finfo(weights.dtype).max):
        raise ValueError(f"head: weights so great that scores overflow {weights.dtype}")


def check_number(name: str, value: Any, least: float | None = None, most: float | None = None) -> None:
    """Raise TypeError for anything but a number, ValueError if it is not finite, below `least` or above `most`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r:.60}")
    number: Any = value
    if not isfinite(number) or (least is not None and number < least) or (most is not None and number > most):
        at_least = "" if least is None else f" >= {least:g}"
        raise ValueError(f"{name}: expected a finite number{at_least}, got {value:.6g}")
