"""What a package exports is listed, and what is public is explained."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("backends/*/__init__.py"))
PACKAGES = [ROOT / "kerneltools", ROOT / "ckn", *PLUGINS]
FILES = sorted(file for package in PACKAGES for file in package.rglob("*.py"))
INITS = [file for file in FILES if file.name == "__init__.py"]
FOR_AUTHORS = {
    "kerneltools.arrays": "checks and conversions, whose use is in every body",
    "kerneltools.trees": "what dataclasses of parameters are made of",
    "kerneltools.precision": "what decides in which type a body computes",
    "kerneltools.primitives": "functions that a backend replaces; each is one line of what it gives",
    "kerneltools.linalg": "factors and their pulls, for bodies of maps and solvers",
    "kerneltools.pairwise": "sums over pairs, for bodies of kernels",
    "kerneltools.columns": "sums over columns, for bodies of kernels",
    "kerneltools.alignments": "recursions over two series, for bodies of kernels",
    "kerneltools.forecasting": "stages of a forecast, for bodies of solvers",
    "kerneltools.files": "how trees become files, for formats of other packages",
    "kerneltools.storing": "the protocol of such a format",
    "ckn.pictures": "figures, which a line of output does not show; the guides draw them",
}
"""Modules without `__all__` whose functions may do without an example, and why."""
API = "".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "api").glob("*.md")))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def label(file: Path) -> str:
    return str(file.relative_to(ROOT))


def listed_names(module: ast.Module) -> list[str] | None:
    """The literal value of `__all__`; None where there is none."""
    for node in module.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def exported_names(module: ast.Module) -> Iterator[str]:
    """The names that a package's own file defines, or takes from the project without using them itself."""
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("kerneltools", "ckn")):
            yield from {alias.asname or alias.name for alias in node.names} - used
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (ast.unparse(target) for target in node.targets)


def undocumented(file: Path) -> Iterator[str]:
    """The module and its public classes and functions that have no docstring; overloads have that of the function."""
    module = parsed(file)
    if ast.get_docstring(module) is None:
        yield "the module"
    for node in module.body:
        named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if named and ast.get_docstring(node) is None and not is_overload(node):
            yield node.name


def is_overload(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)


def entries() -> Iterator[Any]:
    """What the pages of the API describe: what their modules list, or define, and single classes."""
    for name in re.findall(r"automodule:: (\S+)", API):
        module = import_module(name)
        if hasattr(module, "__all__"):
            yield from (getattr(module, listed) for listed in module.__all__)
        elif not name.startswith(tuple(FOR_AUTHORS)):
            yield from (found for found in vars(module).values() if getattr(found, "__module__", None) == name)
    for name in re.findall(r"autoclass:: (\S+)", API):
        module_name, _, class_name = name.rpartition(".")
        yield getattr(import_module(module_name), class_name)


def without_example(objects: Iterable[Any]) -> list[str]:
    """The classes and functions that show no use of themselves."""
    shown = (found for found in objects if inspect.isclass(found) or inspect.isfunction(found))
    named = (found for found in shown if not found.__name__.startswith("_"))
    return [f"{found.__module__}.{found.__qualname__}" for found in named if ">>>" not in (found.__doc__ or "")]


@pytest.mark.parametrize("file", INITS, ids=label)
def test_all_is_complete_and_distinct(file: Path) -> None:
    module = parsed(file)
    public = {name for name in exported_names(module) if not name.startswith("_")}
    listed = listed_names(module) or []
    # Their order is ruff's matter (RUF022).
    assert len(listed) == len(set(listed))
    assert public <= set(listed)


@pytest.mark.parametrize("file", FILES, ids=label)
def test_public_objects_have_docstrings(file: Path) -> None:
    assert list(undocumented(file)) == []


def test_entries_of_the_api_show_an_example() -> None:
    found = list(entries())
    assert len(found) > 200
    assert without_example(found) == []


def test_the_check_sees_an_unlisted_name() -> None:
    module = ast.parse("from ckn.a import A, used\ndef f(): return used\n__all__ = ['f']")
    assert set(exported_names(module)) == {"A", "f", "__all__"}


def test_the_check_sees_a_missing_docstring(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text('"""A module."""\ndef f(): ...\nclass _Hidden: ...\n')
    assert list(undocumented(file)) == ["f"]


def test_the_check_sees_a_missing_example() -> None:
    class Bare:
        """A class."""

    class Shown:
        """A class.

        >>> 1 + 1
        2
        """

    assert without_example([Bare, Shown, 3]) == [f"{__name__}.{Bare.__qualname__}"]
