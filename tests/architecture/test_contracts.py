"""Every plugin is under the import contracts: a new folder in backends/ cannot be forgotten there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = {path.parent.name for path in ROOT.glob("backends/*/__init__.py")}
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]


def contract(beginning: str) -> dict[str, Any]:
    """The one contract whose name begins so."""
    (found,) = [c for c in SETTINGS["contracts"] if c["name"].startswith(beginning)]
    return dict(found)


def test_plugins_are_analysed() -> None:
    assert set(SETTINGS["root_packages"]) == {"kerneltools", "ckn", *PLUGINS}


@pytest.mark.parametrize("beginning", ["kerneltools knows", "ckn sees"])
def test_plugins_are_forbidden(beginning: str) -> None:
    assert set(contract(beginning)["forbidden_modules"]) >= PLUGINS


def test_plugins_keep_apart() -> None:
    assert set(contract("Plugins know")["source_modules"]) == PLUGINS
    assert set(contract("Plugins do not know")["modules"]) == PLUGINS
