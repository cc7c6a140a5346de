"""Input that cannot be used: one line that names it, exit code 1 (2 for misuse of options), nothing written."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from ckn.commands import options

X = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
Y = np.arange(12) % 3


def with_value(value: float) -> np.ndarray:
    x = X / 255
    x[4, 2, 3] = value
    return x


DATA = {
    "wrong rank": ({"images": X[0, ..., 0], "labels": Y}, "expected images of shape (n, h, w)"),
    "no image": ({"images": X[:0], "labels": Y[:0]}, "no image"),
    "labels of another length": ({"images": X, "labels": Y[:7]}, "12 images, but labels of shape (7,)"),
    "no labels": ({"images": X}, "12 images without labels"),
    "one class": ({"images": X, "labels": ["cat"] * 12}, "all 12 images are of one class (cat)"),
    "NaN": ({"images": with_value(np.nan), "labels": Y}, "NaN or infinity in 1 of 12 images, the first is image 4"),
    "infinity": ({"images": with_value(np.inf), "labels": Y}, "NaN or infinity"),
    "each class once": ({"images": X[:3], "labels": Y[:3]}, "no class has two images"),
    "blank": ({"images": np.zeros_like(X), "labels": Y}, "blank"),
    "unknown arrays": ({"pixels": X}, "found pixels; expected images"),
}


def failed(result: Any, code: int, *words: str) -> None:
    """The command ended with this code and one line, without a traceback, that has these words."""
    assert result.exit_code == code, (result.exit_code, result.stderr, result.exception)
    last = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(last) == 1 or code == 2, result.stderr
    assert "Traceback" not in result.stderr
    # help and messages of misuse are folded, in a box or not
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


@pytest.mark.parametrize("case", DATA)
def test_data(case: str, run: Any, tmp_path: Path) -> None:
    arrays, words = DATA[case]
    np.savez(tmp_path / "data.npz", **arrays)
    failed(run("train", tmp_path / "data.npz", "--out", tmp_path / "out"), 1, words)
    assert [p.name for p in tmp_path.iterdir()] == ["data.npz"]


@pytest.mark.parametrize(("side", "layer"), [(2, 1), (4, 2)])
def test_image_smaller_than_the_patch(side: int, layer: int, run: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=X[:, :side, :side], labels=Y)
    result = run("train", tmp_path / "data.npz", "--whiten", "--out", tmp_path / "out")
    failed(result, 1, f"layer {layer}: no 3x3 window fits", "2x2")
    assert not result.stdout
    assert not (tmp_path / "out").exists()


def test_damaged_files_are_named_before_training(run: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=X, labels=Y)
    whole = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(whole[: len(whole) // 2])
    failed(run("train", tmp_path / "data.npz", "--out", tmp_path / "out"), 1, "data.npz: not a .npz archive")
    folder = tmp_path / "photos"
    for i, label in enumerate("aabb"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[i, ..., 0]).save(folder / label / f"{i}.png")
    file = folder / "b" / "3.png"
    file.write_bytes(file.read_bytes()[:40])
    failed(run("train", folder, "--out", tmp_path / "out"), 1, f"{file}: ")
    (folder / "a" / "9.webp").write_bytes(b"")
    result = run("train", folder, "--out", tmp_path / "out")
    failed(result, 1, "2 of 5 pictures cannot be read", "--skip-unreadable", "9.webp: the file is empty", f"{file}: ")
    assert result.stderr.count("\n  ") == 2
    assert not (tmp_path / "out").exists()


def test_unknown_names(run: Any, digits: Path, tmp_path: Path) -> None:
    failed(run("train", "digts"), 1, "'digts': no such file", "did you mean digits?")
    failed(run("train", digits, "--architecture", "large"), 2, "expected one of small, unsup-64-256", "got 'large'")
    failed(run("train", digits, "--backend", "fortran"), 2, "numpy", "got 'fortran'")
    failed(run("train", digits, "--device", "moon"), 2, "--device", "got 'moon'")
    failed(run("train", digits, "--patches", "0"), 2, "--patches")
    failed(run("train"), 2, "DATA")
    for size in ("0", "64x", "axb", "1x2x3", "-5", "100000"):
        failed(run("train", digits, "--size", size), 2, "--size", "WIDTHxHEIGHT", f"got '{size}'")
    failed(run("train", digits, "--background", "sky"), 2, "expected a colour", "got 'sky'")
    failed(run("train", digits, "--background", "#12345678"), 2, "expected a colour", "got '#12345678'")
    failed(run("train", digits, "--size", "8"), 2, "--size 8: only for picture files")
    failed(run("train", digits, "--background", "red"), 2, "--background red: only for picture files")
    failed(run("encode", digits, digits, "--out", tmp_path / "f.txt"), 2, "ends in .npz")


def test_other_test_images(run: Any, digits: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "size.npz", images=X[:, :7], labels=Y)
    failed(run("train", digits, "--test", tmp_path / "size.npz"), 1, "size.npz", "(7, 8, 1)", "(8, 8, 1)")
    np.savez(tmp_path / "names.npz", images=X, labels=np.asarray(["1", "cat", "dog"])[Y])
    words = ("names.npz: images of classes without a training image: cat, dog", "0, 1, 2, 3")
    failed(run("train", digits, "--test", tmp_path / "names.npz"), 1, *words)


def test_data_that_do_not_go_with_the_model(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "colour.npz", images=X.repeat(3, axis=-1), labels=Y)
    for command in (["evaluate"], ["predict"], ["encode", "--out", tmp_path / "f.npz"]):
        words = ("colour.npz: images of 8x8 pixels (height x width) in 3 channels", "8x8 pixels", "in 1 channel")
        failed(run(command[0], model, tmp_path / "colour.npz", *command[1:]), 1, *words)
    np.savez(tmp_path / "names.npz", images=X, labels=np.asarray(["1", "cat", "dog"])[Y])
    failed(run("evaluate", model, tmp_path / "names.npz"), 1, "cat, dog")
    np.savez(tmp_path / "bare.npz", images=X)
    failed(run("evaluate", model, tmp_path / "bare.npz"), 1, "12 images without labels")
    failed(run("predict", model, digits, "--split", "train"), 1, "--split train")
    assert not (tmp_path / "f.npz").exists()


def test_unknown_white_is_a_note(run: Any, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "floats.npz", images=X / 255)
    result = run("predict", model, tmp_path / "floats.npz")
    assert result.exit_code == 0
    assert "note: " in result.stderr
    assert "in training in 0..255" in result.stderr


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def with_metadata(path: Path, target: Path, **changes: str) -> Path:
    """A copy of a model whose header says something else."""
    header, rest = header_of(path)
    header["__metadata__"] |= changes
    text = json.dumps(header).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + rest)
    return target


def test_model_files(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    raw = model.read_bytes()
    wrong = {
        "truncated": raw[: len(raw) // 2],
        "empty": b"",
        "text": b"# a README\n" * 50,
        "corrupt": raw[:30] + bytes(40) + raw[70:],
    }
    for name, content in wrong.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        for command in (["show", path], ["predict", path, digits]):
            failed(run(*command), 1, f"{path}: ")
    failed(run("show", tmp_path / "none.safetensors"), 1, "none.safetensors: no such file")
    failed(run("show", tmp_path), 1, str(tmp_path))
    newer = with_metadata(model, tmp_path / "newer.safetensors", version="99")
    failed(run("evaluate", newer, digits), 1, "newer.safetensors", "version '99'")
    foreign = with_metadata(model, tmp_path / "foreign.safetensors", kind="another")
    failed(run("encode", foreign, digits, "--out", tmp_path / "f.npz"), 1, "foreign.safetensors", "'another'")
    assert not (tmp_path / "f.npz").exists()


def test_traceback_where_wanted(run: Any) -> None:
    result = run("--traceback", "train", "digts")
    assert result.exit_code == 1
    assert "no such file" in str(result.exception)


def test_a_library_without_any_device_is_found_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        name = "cupy"

        def asarray(self, x: Any, device: Any = None) -> Any:
            raise RuntimeError("no CUDA device")

    monkeypatch.setattr(options, "backend_named", lambda name: Library())
    with pytest.raises(typer.BadParameter, match="--backend cupy: no CUDA device"):
        options.check_device("cupy", None)
