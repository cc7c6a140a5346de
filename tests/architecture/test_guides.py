"""The guides as a reader follows them: files and lines are copied from the page to an empty folder, no more."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)\n(?::.*\n)*?:caption: (\S+)\n```$", flags=re.MULTILINE)
BLOCK = r"^```{}\n(.*?)^```$"

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


def blocks(page: str, language: str) -> list[str]:
    """What is printed in the blocks of that language."""
    return re.findall(BLOCK.format(re.escape(language)), page, flags=re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody in an empty folder, with an interpreter that has kerneltools; pip needs no network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site, commands = folder / "work", folder / "site", folder / "commands"
        self.folder.mkdir()
        commands.mkdir()
        for name, options in {"python": "-W error", "pip": "-m pip --quiet --disable-pip-version-check"}.items():
            command = commands / name
            command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {options} "$@"\n')
            command.chmod(0o755)
        found = [str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = os.environ | {
            "PATH": os.pathsep.join([str(commands), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(found),
            "PIP_TARGET": str(self.site),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes to it
        }

    def copies(self, page: Path) -> str:
        """Copy the files that the page shows under their names, and the cells as `cells.py` -> the page."""
        text = page.read_text(encoding="utf-8")
        for source, name in INCLUDED.findall(text):
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((page.parent / source).read_bytes())
        if cells := blocks(text, "{code-cell} python"):
            (self.folder / "cells.py").write_text("\n".join(cells), encoding="utf-8")
        return text

    def types(self, lines: str) -> str:
        """What the lines print; an error stops them."""
        command = ["sh", "-e", "-c", lines]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def of_backend(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Who has followed the guide to backends to its end."""
    reader = Reader(tmp_path_factory.mktemp("backend"))
    page = reader.copies(GUIDES / "new-backend.md")
    assert reader.types("\n".join(blocks(page, "sh"))) == "".join(blocks(page, "text"))
    return reader


def test_a_backend_runs_a_network_with_gradients(of_backend: Reader) -> None:
    assert {path.name for path in of_backend.folder.glob("*")} == {"kerneltools-strict", "use.py", "network.ckn"}


def test_a_backend_is_found_and_follows_the_protocol(of_backend: Reader) -> None:
    of_backend.types(f"python -c '{PROTOCOL}'")


def test_a_backend_names_the_devices(of_backend: Reader) -> None:
    wanted = "device: expected one of CPU_DEVICE, device1, device2, got 'device7'"
    assert wanted in of_backend.types(f"python -c '{NO_SUCH_DEVICE}'")


def test_a_kernel(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    page = reader.copies(GUIDES / "new-kernel.md")
    prints = sum(cell.count("print(") for cell in blocks(page, "{code-cell} python"))
    assert reader.types("python cells.py").count("[[") == prints > 0


def test_objects(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.copies(GUIDES / "new-structure.md")
    minutes, *gram, expression, score = reader.types("python cells.py").splitlines()
    assert "".join(gram) == "[[2. 3. 1.] [3. 5. 1.] [1. 1. 2.]]"
    assert (minutes, expression) == ("[27.4]", "[3.]")
    assert float(score) > 0.9


def test_strings_graphs_and_series(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.copies(GUIDES / "structured-data.md")
    printed = reader.types("python cells.py")
    scores = [float(line.split()[-1]) for line in printed.splitlines() if re.search(r"(?<![\w.])[01]\.\d+$", line)]
    assert len(scores) == (GUIDES / "structured-data.md").read_text(encoding="utf-8").count(".score(") + 1
    assert min(scores[:-1]) > 0.75
    assert 0 < scores[-1] < 0.3  # what the map misses


def test_every_guide_is_followed() -> None:
    followed = {"new-backend.md", "new-kernel.md", "new-structure.md", "structured-data.md"}
    assert {page.name for page in GUIDES.glob("*.md")} == followed
