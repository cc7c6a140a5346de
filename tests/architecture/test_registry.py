"""How a backend is found: by name or by the type of an array, and only when it is needed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerneltools.backend import Backend, available, backend, backend_of

# A library, its plugin and their announcement, as a third party would install them.
LIBRARY = "class Vector:\n    dtype = float\n"
PLUGIN = "class Plugin:\n    name = 'thirdlib'\nBACKEND = Plugin()\n"
BROKEN_PLUGIN = "import a_library_that_is_not_installed\n"
ENTRY_POINTS = """\
[kerneltools.backends]
thirdlib = thirdlib_plugin:BACKEND
broken = broken_plugin:BACKEND
"""

Run = Callable[[str], str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run code in a fresh interpreter where the third party's distribution is installed."""
    for name, text in {
        "thirdlib.py": LIBRARY,
        "thirdlib_plugin.py": PLUGIN,
        "broken_plugin.py": BROKEN_PLUGIN,
        "thirdlib-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
        "thirdlib-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: thirdlib\nVersion: 1.0\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def in_fresh_interpreter(code: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return in_fresh_interpreter


def test_numpy_is_found_by_name_and_by_array() -> None:
    by_name = backend("numpy")
    assert isinstance(by_name, Backend)
    assert backend_of(np.zeros(2)) is by_name
    assert by_name.owns(np.zeros(2))


def test_numbers_belong_to_no_backend() -> None:
    assert backend_of(1, 2.0) is None


def test_numbers_do_not_hide_an_array() -> None:
    assert backend_of(1.0, np.zeros(2)) is backend("numpy")


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"backend: expected one of .*numpy.*, got 'nympu'"):
        backend("nympu")


def test_the_tape_is_not_offered_by_name() -> None:
    assert "numpy" in available()
    assert "kerneltools" not in available()


def test_nothing_is_loaded_before_its_array_arrives(run: Run) -> None:
    code = """
import sys, kerneltools, thirdlib
kerneltools.available()
before = "thirdlib_plugin" in sys.modules
kerneltools.backend_of(thirdlib.Vector())
print(before, "thirdlib_plugin" in sys.modules, "kerneltools_numpy" in sys.modules)
"""
    assert run(code) == "False True False"


def test_a_third_party_is_available(run: Run) -> None:
    code = "import kerneltools; print('thirdlib' in kerneltools.available(), kerneltools.backend('thirdlib').name)"
    assert run(code) == "True thirdlib"


def test_a_subclass_elsewhere_is_known_by_its_base(run: Run) -> None:
    code = """
import kerneltools, thirdlib
class Mine(thirdlib.Vector): ...
print(kerneltools.backend_of(Mine()).name)
"""
    assert run(code) == "thirdlib"


def test_an_array_without_a_plugin_has_no_backend(run: Run) -> None:
    assert run("import kerneltools; print(kerneltools.backend_of(object()))") == "None"


def test_a_missing_library_is_answered_with_the_install_line(run: Run) -> None:
    code = """
import kerneltools
try:
    kerneltools.backend("broken")
except ImportError as error:
    print(error)
"""
    answer = run(code)
    assert "a_library_that_is_not_installed is not installed" in answer
    assert "pip install 'kerneltools[broken]'" in answer
