"""Models in files: equal predictions after loading, clear errors for files that are not ours."""

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import kerneltools
from ckn import Architecture, ImageClassifier, LayerSpec, Model, Network, fit_unsupervised, load, save
from ckn.layers.grid import PreparedLayer
from ckn.preprocessing import ContrastNormalise, Scale, Step, Whiten
from kerneltools import kernels
from kerneltools.files import VERSION, FileFormatError, digest, save_tree
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Polynomial
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from kerneltools.solvers import LinearModel
from kerneltools.trees import named_leaves, replace_children

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_models_and_networks_are_shown_in_a_few_lines(fitted: ImageClassifier) -> None:
    model = fitted.model_
    assert "classes=(0, 1, 2, 3, 4, ... 5 more)" in repr(model)
    for shown in (repr(model), repr(model.network), repr(replace(model, classes=tuple(map(str, range(1000)))))):
        assert "filters=<float64 (" in shown
        assert len(shown) < 1500


def test_a_classifier_is_read_back_as_its_model(fitted: ImageClassifier, digits: Digits, path: Path) -> None:
    save(fitted, path)
    model = load(path)
    assert isinstance(model, Model)
    images = digits[0][160:]
    assert np.array_equal(model.decision_function(images), fitted.decision_function(images))
    assert model.predict(images) == fitted.predict(images).tolist()
    assert (model.classes, model.image_shape) == (tuple(range(10)), (8, 8, 1))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_saved_twice_is_the_same(fitted: ImageClassifier, path: Path) -> None:
    save(fitted, path)
    first = load(path)
    save(first, path)
    for a, b in zip(named_leaves(first), named_leaves(load(path)), strict=True):
        assert a[0] == b[0]
        assert np.array_equal(a[1], b[1])


def test_every_setting(tiny: ImageClassifier, digits: Digits, path: Path) -> None:
    images, labels = digits[0][:60], np.array(["even", "odd"])[digits[1][:60] % 2]
    kernels = (
        Gaussian(1.0) + 0.5 * Linear(),
        Homogeneous(ArcCosine(1)),
        Polynomial(3, 1.0),
        Homogeneous(Power(3)) * Gaussian(2.0),
    )
    specs = tuple(LayerSpec(4, patch=2, subsampling=1, kernel=k, padding=1, dilation=(1, 2), reg=0.1) for k in kernels)
    steps = (Scale(2.0), ContrastNormalise(0.5), Whiten((2, 3), -0.5))
    tiny.set_params(architecture=Architecture(specs), preprocessing=steps, dtype="float32").fit(images, labels)
    save(tiny, path)
    model = load(path)
    assert isinstance(model, Model)
    assert model.preprocessing == steps
    assert model.classes == ("even", "odd")
    assert np.array_equal(model.transform(images), tiny.transform(images))
    for layer, spec in zip(model.unprepared().network.layers, specs, strict=True):
        assert layer.kernel == spec.kernel
        assert (layer.padding, layer.dilation, layer.reg) == (1, (1, 2), 0.1)


def test_the_score_of_a_model(fitted: ImageClassifier, digits: Digits, path: Path) -> None:
    images, labels = digits[0][160:], digits[1][160:]
    save(fitted, path)
    model = load(path)
    assert isinstance(model, Model)
    assert model.score(images, labels) == fitted.score(images, labels) > 0.5
    assert model.score(images, labels.tolist()) == model.score(images, kerneltools.backend("torch").asarray(labels))
    assert model.score(images, [99] * len(images)) == 0.0
    with pytest.raises(ValueError, match=r"labels: expected one for each of \d+ images, got 3"):
        model.score(images, labels[:3])
    with pytest.raises(TypeError, match=r"labels: expected classes such as \d, got '\d'"):
        model.score(images, labels.astype(str))
    with pytest.raises(TypeError, match=r"labels: expected classes such as"):
        model.score(images, labels[:, None])


def test_a_network(digits: Digits, path: Path) -> None:
    network = fit_unsupervised(Architecture((LayerSpec(4),)), digits[0][:20], 0)
    save(network.prepare(), path)
    loaded = load(path)
    assert isinstance(loaded, Network)
    assert not any(isinstance(layer, PreparedLayer) for layer in loaded.layers)
    assert np.array_equal(loaded(digits[0]), network(digits[0]))


@dataclass(frozen=True)
class Negative(Step):
    """A step of one's own."""

    def __call__(self, images: Any) -> Any:
        return 1 - images


def test_types_of_ones_own(tiny: ImageClassifier, digits: Digits, path: Path) -> None:
    images, labels = digits[0][:40], digits[1][:40]
    save(tiny.set_params(preprocessing=(Negative(),)).fit(images, labels), path)
    with pytest.raises(FileFormatError, match=r"type 'Negative' is not among .*; pass it in `types`"):
        load(path)
    assert load(path, types=[Negative]).predict(images) == tiny.predict(images).tolist()


def refusal(path: Path) -> str | None:
    try:
        load(path)
    except FileFormatError as error:
        return str(error)
    return None


def refused_both_ways(model: Model, path: Path, message: str) -> None:
    """What `load` refuses in a file, `save` does not write."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(
        ValueError, match=rf"model\.safetensors: not written, because it could not be read .*: {message}"
    ):
        save(model, path)
    assert (path.read_bytes() if path.exists() else None) == before
    save_tree(model.unprepared(), path, "ckn")
    with pytest.raises(FileFormatError, match=rf"model\.safetensors: corrupt.*: {message}"):
        load(path)


def structure_of(path: Path) -> str:
    with safe_open(path, "numpy") as file:
        return file.metadata()["structure"]


def written_with(structure: str, path: Path) -> None:
    """The same arrays in another structure, with the right digest."""
    with safe_open(path, "numpy") as file:
        header = {"kind": "ckn", "version": VERSION, "structure": structure}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(arrays, path, metadata=header | {"digest": digest(header, arrays)})


def with_head(change: Callable[[LinearModel], LinearModel]) -> Callable[[Model], Model]:
    return lambda model: replace(model, head=change(model.head))


def with_layer(number: int, **change: Any) -> Callable[[Model], Model | Network]:
    """The model with another layer; a function is applied to the value that is there."""

    def changed(model: Model) -> Model:
        layer = model.network.bare_layers[number]
        values = {name: new(getattr(layer, name)) if isfunction(new) else new for name, new in change.items()}
        layers = list(model.network.bare_layers)
        layers[number] = replace_children(layer, values)  # without the checks
        return replace(model, network=Network(tuple(layers)))

    return changed


def put(array: np.ndarray, value: float) -> np.ndarray:
    found = array.copy()
    found.reshape(-1)[3] = value
    return found


WRONG: dict[str, tuple[Callable[[Model], Any], str]] = {
    "NaN": (with_head(lambda h: replace(h, weights=put(h.weights, np.nan))), "head.weights: expected finite"),
    "infinity": (
        with_head(lambda h: replace(h, intercept=put(h.intercept, -np.inf))),
        "head.intercept: expected finite",
    ),
    "NaN filters": (with_layer(0, filters=lambda f: put(f, np.nan)), r"network.layers.0.filters: expected finite"),
    "huge filters": (with_layer(1, filters=lambda f: put(f, 1e38)), "layer 2: filters: expected norm 1"),
    "no filters": (with_layer(1, filters=lambda f: 0 * f), "layer 2: filters: expected norm 1"),
    "integers": (
        with_head(lambda h: replace(h, weights=h.weights.astype(np.int32))),
        "head.weights: expected floating",
    ),
    "truth values": (with_head(lambda h: replace(h, intercept=h.intercept > 0)), "head.intercept: expected floating"),
    "two types": (
        with_head(lambda h: LinearModel(*(a.astype(np.float32) for a in (h.weights, h.intercept)))),
        "head: exp",
    ),
    "types of layers": (with_layer(1, filters=lambda f: f.astype(np.float32)), "layer 2: filters: expected float64"),
    "channels": (with_layer(1, filters=lambda f: f[..., :5]), "layer 2: filters: expected 4 axes and 8 channels"),
    "axes": (with_layer(1, filters=lambda f: f[:, 0]), "layer 2: filters: expected 4 axes"),
    "none": (with_layer(1, filters=lambda f: f[:0]), "layer 2: filters: expected at least one"),
    "kernel": (with_layer(0, kernel="x"), "kernel: expected a kerneltools kernel, got 'x'"),
    "indefinite": (with_layer(0, kernel=kernels.Sigmoid(1.0)), "layer 1: kernel: .*indefinite"),
    "degree": (with_layer(0, kernel=kernels.Polynomial(10**9)), "kernel: expected a degree of at most 64"),
    "nested degree": (
        with_layer(0, kernel=Linear() + Homogeneous(Power(65))),
        "kernel: expected a degree of at most 64",
    ),
    "order": (with_layer(0, kernel=kernels.Matern(1000.5, 1.0)), "kernel: expected a nu of at most 64"),
    "array": (with_layer(0, kernel=Gaussian(np.ones(8))), "layer 1: "),
    "padding": (with_layer(0, padding=1000, subsampling=500), "padding: |subsampling: expected a reach"),
    "subsampling": (with_layer(0, subsampling=17), "subsampling: expected a reach of at most 16 points"),
    "dilation": (with_layer(0, dilation=10_000), "patch, dilation: expected a reach of at most 16 points"),
    "one class": (
        lambda m: replace(
            m, classes=("a",), head=LinearModel(m.head.weights[:, :1].copy(), m.head.intercept[:1].copy())
        ),
        "classes: expected at least two",
    ),
    "no class": (
        lambda m: replace(m, classes=(), head=LinearModel(m.head.weights[:, :0].copy(), m.head.intercept[:0].copy())),
        "classes: expected at least two",
    ),
    "classes twice": (lambda m: replace(m, classes=("1",) * 10), "classes: expected different ones"),
    "classes that read alike": (lambda m: replace(m, classes=(*range(9), "0")), "classes: expected different ones"),
    "classes that are equal": (lambda m: replace(m, classes=(*range(9), True)), "classes: expected different ones"),
    "classes of two kinds": (lambda m: replace(m, classes=(*range(9), "cat")), "classes: expected all strings or all"),
    "NaN as a class": (lambda m: replace(m, classes=(*range(9), float("nan"))), "classes: expected finite"),
    "classes as a text": (lambda m: replace(m, classes="abcdefghij"), "expected numbers or strings as classes"),
    **{
        f"shape {shape}": (lambda m, shape=shape: replace(m, image_shape=shape), "image_shape: ")
        for shape in (
            (8, 8, 0),
            (8, 8, -1),
            (8, 8, "x"),
            (8, 8, 1.5),
            (8, 8, 1, 1),
            (8, 8, 3),
            (8, 1),
            (2**20, 2**20, 1),
        )
    },
    "steps as text": (lambda m: replace(m, preprocessing="Scale"), "expected steps of preprocessing"),
    "array in a step": (lambda m: replace(m, preprocessing=(Scale(np.ones(3)),)), "Scale.maximum: expected a number"),
    "window of a step": (lambda m: replace(m, preprocessing=(Whiten(9),)), "no 9x9 window fits"),
    "scores that overflow": (with_head(lambda h: replace(h, weights=h.weights * 0 + 1e307)), "head: weights so great"),
    "head": (lambda m: replace(m, head=m.network), "head: expected a LinearModel"),
    "layers": (lambda m: Network((m.head,)), "expected a network of at least one layer"),
    "axes of weights": (with_head(lambda h: replace(h, weights=h.weights[:, 0].copy())), "weights of shape"),
}


class TestErrors:
    def test_what_is_no_model(self, tiny: ImageClassifier, path: Path) -> None:
        for other, name in ((tiny, "ImageClassifier"), ({}, "dict"), (np.ones(3), "ndarray")):
            with pytest.raises(TypeError, match=f"model: expected a Model, a Network or a fitted .* got {name}"):
                save(other, path)
        assert not path.exists()

    def test_a_folder_that_is_not_there(self, fitted: ImageClassifier, path: Path) -> None:
        with pytest.raises(OSError, match="absent"):
            save(fitted, path.parent / "absent" / "model.safetensors")

    def test_the_folder_of_a_file(self, fitted: ImageClassifier, path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"a folder, no file$"):
            load(path.parent)
        save(fitted, path)
        with pytest.raises(FileNotFoundError, match=r"a folder, no file; there is .*model\.safetensors"):
            load(path.parent)

    def test_no_file(self, path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"model\.safetensors: no such file"):
            load(path)

    @pytest.mark.parametrize("part", [0, 1, 7, 8, 100, 0.3, 0.9, -1])
    def test_truncated(self, fitted: ImageClassifier, path: Path, part: float) -> None:
        save(fitted, path)
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
        with pytest.raises(FileFormatError, match=r"model\.safetensors: not a safetensors file, truncated or corrupt"):
            load(path)

    def test_corrupt_header(self, fitted: ImageClassifier, path: Path) -> None:
        save(fitted, path)
        content = path.read_bytes()
        for old, new in (
            (b"subsampling", b"subsampluck"),
            (b"Homogeneous", b"Inhomogenes"),
            (b"layers.0.filters", b"layers.9.filters"),
            (b"same", b"lame"),
        ):
            assert old in content
            path.write_bytes(content.replace(old, new, 1))
            with pytest.raises(FileFormatError, match=r"model\.safetensors: "):
                load(path)

    def test_a_changed_byte_of_the_header_never_crashes(self, fitted: ImageClassifier, path: Path) -> None:
        save(fitted, path)
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        for at in range(0, 8 + length, 3):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x02]) + content[at + 1 :])
            message = refusal(path)
            assert message is None or str(path) in message

    def test_parts_that_do_not_go_together(self, fitted: ImageClassifier, path: Path) -> None:
        head = fitted.model_.head
        for changed, message in (
            (replace(fitted.model_, classes=(1, 2)), r"weights of shape \(48, 10\), and \(48, 2\) of the network's"),
            (replace(fitted.model_, image_shape=(16, 16, 1)), r"weights of shape \(48, 10\), and \(192, 10\)"),
            (replace(fitted.model_, network=Network(())), "expected a network of at least one layer"),
            (replace(fitted.model_, preprocessing=(2,)), r"expected steps of preprocessing, got \(2,\)"),
            (replace(fitted.model_, classes=(None,) * 10), "expected numbers or strings as classes"),
            (replace(fitted.model_, head=replace(head, intercept=np.zeros(3))), r"an intercept of shape \(3,\) for 10"),
        ):
            refused_both_ways(changed, path, message)

    @pytest.mark.parametrize("case", WRONG)
    def test_values_that_cannot_be(self, case: str, fitted: ImageClassifier, path: Path) -> None:
        change, message = WRONG[case]
        refused_both_ways(change(fitted.model_.unprepared()), path, message)

    def test_texts_that_cannot_be(self, fitted: ImageClassifier, path: Path) -> None:
        """What a dataclass would refuse is refused in a file too."""
        save(fitted.model_, path)
        structure = structure_of(path)
        for old, new in (
            ('"products": null', '"products": "load"'),
            ('"products": null', '"products": "__loader__"'),
            ('"products": null', '"products": "int8"'),
            ('"products": null', '"products": true'),
            ('"reg": 0.01', '"reg": 1' + "0" * 400),
            ('"reg": 0.01', '"reg": true'),
            ('"reg": 0.01', '"reg": NaN'),
            ('"sigma": 0.6', '"sigma": Infinity'),
            ('"subsampling": 2', '"subsampling": 1000000000'),
            ('"subsampling": 2', '"subsampling": 2.0'),
            ('"padding": "same"', '"padding": 20000'),
            ('"padding": "same"', '"padding": {"tuple": [1, 1, 1]}'),
            ('"padding": "same"', '"padding": ["same"]'),
            ('"dilation": 1', '"dilation": 100000'),
            (
                '{"type": "Exponential", "fields": {"sigma": 0.6}}',
                '{"type": "Power", "fields": {"degree": 1000000000}}',
            ),
            ('{"type": "Exponential", "fields": {"sigma": 0.6}}', '"Exponential"'),
            ('"image_shape": {"tuple": [8, 8, 1]}', '"image_shape": {"tuple": [8, 8, true]}'),
        ):
            assert old in structure
            written_with(structure.replace(old, new, 1), path)
            with pytest.raises(FileFormatError, match=r"model\.safetensors: corrupt"):
                load(path)

    def test_flipped_bits_are_found_wherever_they_are(self, fitted: ImageClassifier, path: Path) -> None:
        save(fitted, path)
        content, rng = path.read_bytes(), np.random.default_rng(0)
        wanted = [leaf.tobytes() for _, leaf in named_leaves(load(path)) if hasattr(leaf, "shape")]
        for at, bit in zip(rng.integers(0, len(content), 500), rng.integers(0, 8, 500), strict=True):
            path.write_bytes(content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :])
            message = refusal(path)
            if message is None:
                found = [leaf.tobytes() for _, leaf in named_leaves(load(path)) if hasattr(leaf, "shape")]
                assert found == wanted
            else:
                assert str(path) in message

    @pytest.mark.parametrize("library", ["torch", "jax"])
    def test_in_other_libraries(self, library: str, fitted: ImageClassifier, path: Path) -> None:
        save_tree(WRONG["NaN"][0](fitted.model_.unprepared()), path, "ckn")
        with pytest.raises(
            FileFormatError, match=r"model\.safetensors: corrupt: head.weights: expected finite numbers"
        ):
            load(path, backend=library)

    def test_foreign(self, fitted: ImageClassifier, path: Path) -> None:
        path.write_bytes(pickle.dumps([1, 2, 3]))
        with pytest.raises(FileFormatError, match="not a safetensors file, truncated or corrupt"):
            load(path)
        save_tree(fitted.model_, path, "another kind")
        with pytest.raises(FileFormatError, match="not a file of kind 'ckn'"):
            load(path)
        # Ours by its header, but not one of the things that are saved.
        save_tree({"a": np.ones(3)}, path, "ckn")
        with pytest.raises(FileFormatError, match=r"model\.safetensors: .*dict"):
            load(path)

    def test_another_version(self, fitted: ImageClassifier, path: Path) -> None:
        save_tree(fitted.model_.unprepared(), path, "ckn", notes={"version": "99"})
        with pytest.raises(FileFormatError, match="format version '99', this release reads '1'"):
            load(path)

    def test_unknown_backend(self, fitted: ImageClassifier, path: Path) -> None:
        save(fitted, path)
        with pytest.raises(ValueError, match=r"backend: expected one of .*, got 'nympu'"):
            load(path, backend="nympu")

    def test_a_device_that_is_not_there_is_no_fault_of_the_file(self, fitted: ImageClassifier, path: Path) -> None:
        save(fitted, path)
        with pytest.raises(ValueError, match="device: NumPy has only 'cpu'") as raised:
            load(path, device="cuda:7")
        assert not isinstance(raised.value, FileFormatError)


def test_by_the_functions_of_kerneltools(fitted: ImageClassifier, digits: Digits, path: Path) -> None:
    for model in (fitted, fitted.model_, fitted.model_.network):
        kerneltools.save(model, path)
        assert type(kerneltools.load(path)) is type(load(path))
    kerneltools.save(fitted, path)
    assert np.array_equal(kerneltools.load(path).transform(digits[0]), fitted.transform(digits[0]))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match=r"model\.safetensors: "):
        kerneltools.load(path)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.Exponential(0.8),
        Gaussian(1.0) ** 2,
        kernels.ArcCosine(1),
        Homogeneous(Exponential(0.6)) + 0.5 * kernels.ArcCosine(0),
    ],
    ids=str,
)
def test_kernels_that_share_a_name_with_a_profile(kernel: Kernel, digits: Digits, path: Path) -> None:
    images = digits[0][:20]
    architecture = Architecture((LayerSpec(4, patch=2, kernel=kernel),))
    network = fit_unsupervised(architecture, images, rng=0, patches=200)
    save(network, path)
    assert load(path).layers[0].kernel == kernel
    assert np.array_equal(load(path)(images), network(images))


def test_types_of_one_name_are_refused(fitted: ImageClassifier, path: Path) -> None:
    @dataclass(frozen=True)
    class Scale(Step):
        def __call__(self, images: Any) -> Any:
            return images

    save(fitted, path)
    with pytest.raises(ValueError, match="both called 'Scale'"):
        load(path, types=[Scale])
