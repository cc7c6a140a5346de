"""Small files of each format, made in a temporary folder."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., np.ndarray]:
    """Writes random pixels to a file under tmp_path and returns them: `picture("cat/1.png", (4, 5, 3))`."""
    rng = np.random.default_rng(0)

    def write(name: str, shape: tuple[int, ...] = (4, 5, 3), **options: object) -> np.ndarray:
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return pixels

    return write


@pytest.fixture
def idx_file(tmp_path: Path) -> Callable[[str, np.ndarray], Path]:
    """Writes a uint8 array as an IDX file under tmp_path, gzipped if the name ends in .gz."""

    def write(name: str, array: np.ndarray) -> Path:
        raw = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write
