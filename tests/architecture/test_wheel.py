"""The wheel: what is in it, and that it works away from the source tree."""

import json
import os
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = {path.parent.name for path in ROOT.glob("backends/*/__init__.py")}

# Each module of the wheel is imported and each of its listed names looked up; typing stubs and scripts have none.
LOOK_UP_ALL = """
import importlib, json, sys
missing = []
for name in json.loads(sys.argv[1]):
    module = importlib.import_module(name)
    assert module.__file__.startswith(sys.argv[2]), module.__file__
    missing += [f"{name}.{public}" for public in getattr(module, "__all__", []) if not hasattr(module, public)]
print(json.dumps(missing))
"""

LOAD_ENTRY_POINTS = """
from importlib import metadata
from pathlib import Path
import sys
for point in metadata.Distribution.at(Path(sys.argv[1])).entry_points:
    assert point.load() is not None, point
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel would put into site-packages."""
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (wheel,) = built.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run_away_from_source(site: Path, code: str, *arguments: str) -> str:
    """The output of a fresh interpreter that finds the wheel's packages first."""
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=site.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def metadata_of(site: Path) -> Path:
    (folder,) = site.glob("*.dist-info")
    return folder


def test_holds_the_packages_and_nothing_else(installed: Path) -> None:
    found = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert found == {"kerneltools", "ckn", *PLUGINS}


@pytest.mark.parametrize("package", ["kerneltools", "ckn"])
def test_is_typed(installed: Path, package: str) -> None:
    assert (installed / package / "py.typed").is_file()


def test_holds_every_source_file(installed: Path) -> None:
    roots = [ROOT / "kerneltools", ROOT / "ckn", *(ROOT / "backends" / name for name in PLUGINS)]
    source = {file.relative_to(root.parent) for root in roots for file in root.rglob("*.py")}
    assert source == {file.relative_to(installed) for file in installed.rglob("*.py")}


def test_every_listed_name_is_there(installed: Path) -> None:
    names = sorted(".".join(file.relative_to(installed).with_suffix("").parts) for file in installed.rglob("*.py"))
    modules = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    assert json.loads(run_away_from_source(installed, LOOK_UP_ALL, json.dumps(modules), str(installed))) == []


def test_entry_points_load(installed: Path) -> None:
    run_away_from_source(installed, LOAD_ENTRY_POINTS, str(metadata_of(installed)))


def test_every_plugin_is_announced(installed: Path) -> None:
    points = ConfigParser()
    points.read(metadata_of(installed) / "entry_points.txt")
    announced = {value.partition(":")[0] for value in points["kerneltools.backends"].values()}
    assert announced >= PLUGINS
    assert points["console_scripts"]["ckn"] == "ckn.cli:main"
