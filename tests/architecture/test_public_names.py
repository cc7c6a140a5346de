"""What a package exports is listed, and what is public is explained."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("backends/*/__init__.py"))
PACKAGES = [ROOT / "kerneltools", ROOT / "ckn", *PLUGINS]
FILES = sorted(file for package in PACKAGES for file in package.rglob("*.py"))
INITS = [file for file in FILES if file.name == "__init__.py"]


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
    """The module and its public classes and functions that have no docstring."""
    module = parsed(file)
    if ast.get_docstring(module) is None:
        yield "the module"
    for node in module.body:
        named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if named and ast.get_docstring(node) is None:
            yield node.name


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


def test_the_check_sees_an_unlisted_name() -> None:
    module = ast.parse("from ckn.a import A, used\ndef f(): return used\n__all__ = ['f']")
    assert set(exported_names(module)) == {"A", "f", "__all__"}


def test_the_check_sees_a_missing_docstring(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text('"""A module."""\ndef f(): ...\nclass _Hidden: ...\n')
    assert list(undocumented(file)) == ["f"]
