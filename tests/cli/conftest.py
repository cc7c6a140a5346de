"""The command line, run in this process, and a small model that it trained."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ckn.commands import app
from ckn.readers import read

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def run() -> Run:
    """`run("train", data, "--out", folder)` -> result with exit_code, stdout and stderr."""
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 digits as bytes, without a split."""
    path = tmp_path_factory.mktemp("data") / "some.npz"
    data = read("digits")
    np.savez(path, images=data.images[:300].astype(np.uint8), labels=data.labels[:300])
    return path


@pytest.fixture(scope="session")
def trained(run: Run, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder that `ckn train` wrote, and what it said."""
    folder = tmp_path_factory.mktemp("trained") / "deep" / "model"
    result = run("train", digits, "--out", folder, "--patches", 500, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    return folder, result


@pytest.fixture(scope="session")
def model(trained: tuple[Path, Result]) -> Path:
    """The model's file."""
    return trained[0] / "model.safetensors"
