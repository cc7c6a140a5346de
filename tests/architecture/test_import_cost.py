"""Importing the packages loads no library that only some users have or need."""

import json
import subprocess
import sys

import pytest

OPTIONAL = {
    "torch", "jax", "jaxlib", "cupy", "cupyx", "sklearn", "scipy", "matplotlib", "PIL", "typer", "click", "rich",
    "jinja2",
    "safetensors.torch", "safetensors.flax",
}  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", ["import kerneltools, ckn", "import kerneltools; kerneltools.available()"])
def test_import_loads_no_optional_library(statement: str) -> None:
    assert OPTIONAL & loaded_after(statement) == set()


def test_numpy_plugin_loads_no_other_library() -> None:
    loaded = loaded_after("import kerneltools; kerneltools.backend('numpy')")
    assert "kerneltools_numpy" in loaded
    assert OPTIONAL & loaded == set()
