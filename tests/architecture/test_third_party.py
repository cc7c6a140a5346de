"""Somebody else's backend: a distribution of its own, installed beside this project, which is not edited."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "third_party"
PAGE = ROOT / "docs" / "guides" / "new-backend.md"

PROTOCOL = """
import kerneltools
assert "array_api_strict" in kerneltools.available(), kerneltools.available()
assert isinstance(kerneltools.backend("array_api_strict"), kerneltools.Backend)
"""
NO_SUCH_DEVICE = """
import kerneltools
try:
    kerneltools.backend("array_api_strict").asarray([1.0], device="device7")
except ValueError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the distribution has been built and installed, without network."""
    project = tmp_path_factory.mktemp("project") / "kerneltools-strict"
    shutil.copytree(SOURCE, project)
    target = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*install, "--target", str(target), str(project)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def run(site: Path, folder: Path, *arguments: str) -> str:
    """The output of a fresh interpreter that finds the distribution."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(SOURCE)])}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_is_found_and_follows_the_protocol(site: Path, tmp_path: Path) -> None:
    run(site, tmp_path, "-c", PROTOCOL)


def test_runs_a_network_with_gradients(site: Path, tmp_path: Path) -> None:
    run(site, tmp_path, str(SOURCE / "use.py"))
    assert (tmp_path / "network.ckn").is_file()


def test_names_the_devices(site: Path, tmp_path: Path) -> None:
    assert "device: expected one of CPU_DEVICE, device1, device2, got 'device7'" in run(
        site, tmp_path, "-c", NO_SUCH_DEVICE
    )


@pytest.mark.parametrize("name", ["pyproject.toml", "kerneltools_strict.py", "use.py"])
def test_the_guide_shows_these_very_files(name: str) -> None:
    assert f"../../tests/architecture/third_party/{name}" in PAGE.read_text(encoding="utf-8")
