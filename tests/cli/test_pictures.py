"""Folders of mixed pictures: two commands from them to a prediction."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import ckn
from ckn.readers import Pictures, read

Say = Callable[..., Result]


def drawn(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    """Stripes that lie or stand, in one of several colours."""
    rng = np.random.default_rng(seed)
    where = np.arange(height)[:, None] / height if kind == "lying" else np.arange(width)[None, :] / width
    dark = np.broadcast_to(np.sin(25 * where + rng.uniform(0, 6)) > 0, (height, width))
    return np.where(dark[..., None], rng.integers(0, 90, 3), rng.integers(160, 256, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of many sizes and kinds, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    for kind in ("lying", "standing"):
        (folder / kind).mkdir(parents=True)
        for i, end in enumerate(("jpg", "png", "webp", "bmp", "gif", "tif") * 2):
            made = Image.fromarray(drawn(kind, 30 + 3 * i, 60 - 2 * i, i))
            options: dict[str, Any] = {}
            if i == 1:
                made = made.convert("RGBA")
                made.putpixel((30, 15), (0, 0, 0, 0))
            if i == 6:
                exif = Image.Exif()
                exif[0x0112] = 6
                made, options = made.rotate(90, expand=True), {"exif": exif}
            made.save(folder / kind / f"{i:02}.{end}", **options)
    (folder / "lying" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


@pytest.fixture(scope="module")
def of_photos(run: Say, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The model of them, with every option, and what was said."""
    out = tmp_path_factory.mktemp("out")
    words = ("--size", "12x10", "--background", "#102030", "--skip-unreadable", "--patches", 300, "--out", out)
    result = run("train", photos, *words)
    assert result.exit_code == 0, result.stderr
    return out / "model.safetensors", result


def test_training_on_mixed_pictures(of_photos: tuple[Path, Result]) -> None:
    model, result = of_photos
    assert "of 10x12x3, 2 classes" in result.stdout
    assert "left out 1 of 25 pictures: " in result.stderr
    assert "broken.jpg: " in result.stderr
    assert "--size" not in result.stderr  # it was asked for
    assert "--background" not in result.stderr
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    assert loaded.pictures == loaded.as_trained == Pictures((10, 12), 3, (16, 32, 48))


def test_the_model_treats_other_pictures_as_in_training(
    run: Say, photos: Path, of_photos: tuple[Path, Result], tmp_path: Path
) -> None:
    model, _ = of_photos
    files = [tmp_path / f"{kind}.{end}" for kind in ("lying", "standing") for end in ("jpg", "png")]
    for i, file in enumerate(files):
        Image.fromarray(drawn(file.stem, 300, 200 + i, 90 + i)).save(file)
    result = run("predict", model, *files)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["class"] for row in rows] == ["lying", "lying", "standing", "standing"]
    assert "note: " not in result.stderr
    result = run("evaluate", model, photos)
    assert (result.exit_code, "1 of 25 pictures" in result.stderr or "broken.jpg: " in result.stderr) == (1, True)
    assert "accuracy 100.00% (24 of 24)" in run("evaluate", model, photos, "--skip-unreadable").stdout
    assert run("encode", model, photos, "--skip-unreadable", "--out", tmp_path / "f.npz").exit_code == 0
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        loaded = ckn.load(model)
        assert isinstance(loaded, ckn.Model)
        again = read(photos / "standing" / "01.png", pictures=loaded.as_trained).images
        row = file["names"].tolist().index("standing/01.png")
        np.testing.assert_allclose(file["features"][row], loaded.transform(again)[0], atol=1e-6)
    assert "scaled to 12x10 (width x height), cropped in the middle, on #102030" in run("show", model).stdout


def test_pictures_for_a_model_of_arrays(run: Say, model: Path, tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(drawn("lying", 40, 50, i)).save(tmp_path / f"{i}.png")
    result = run("predict", model, tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "2 of 2 pictures in colour are read as grey" in result.stderr
    assert "scaled to 8x8 (width x height), cropped in the middle\n" in run("show", model).stdout


def test_test_pictures_follow_the_training(run: Say, digits: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    for kind in ("0", "1"):
        (folder / kind).mkdir(parents=True)
        Image.fromarray(drawn("lying", 40, 50, 3)).save(folder / kind / "1.png")
    result = run("train", digits, "--test", folder, "--patches", 300, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "test          2 images" in result.stdout


def test_a_size_is_chosen_and_told(run: Say, photos: Path, tmp_path: Path) -> None:
    words = ("--skip-unreadable", "--patches", 100, "--out", tmp_path)
    result = run("train", photos, *words, "--architecture", "small")
    assert result.exit_code == 0, result.stderr
    assert "pixels (width x height) become 41x41: scaled, and cropped" in result.stderr
    assert "2 of 25 pictures have transparent pixels, put on white" in result.stderr
