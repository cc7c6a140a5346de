"""Classes of the user, from modules that a command is told to import."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import typer

from kerneltools.trees import Tree


def types_of(modules: Sequence[str] | None) -> list[type]:
    """The kernels, profiles and preprocessing steps of modules, which are run; also of the current folder.

    Raises BadParameter for anything but a module, and for one that fails when it is run, or has no such class.
    """
    return [cls for name in modules or () for cls in _types_of(name)]


def _types_of(name: str) -> list[type]:
    with _from_here():
        module = _imported(name)
    members = [member for member in vars(module).values() if isinstance(member, type) and issubclass(member, Tree)]
    found = [cls for cls in members if cls.__module__.partition(".")[0] not in ("kerneltools", "ckn")]
    if not found:
        raise typer.BadParameter(f"--import {name}: it has no kernel, profile or preprocessing step of its own")
    return found


def _imported(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        raise typer.BadParameter(f"--import {name}: expected the name of a module, my_kernels for a file my_kernels.py")
    try:
        return import_module(name)
    except Exception as error:  # whatever the code of others does
        raise typer.BadParameter(f"--import {name}: {type(error).__name__}: {error}") from error


@contextmanager
def _from_here() -> Iterator[None]:
    """Also look for modules in the current folder, like `python -m`."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
