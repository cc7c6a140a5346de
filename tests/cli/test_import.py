"""Models with classes of the user's own, which the command takes from a module that it is told to import."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ckn

MODULE = """
from dataclasses import dataclass
from ckn.preprocessing import Step

print("run", file=__import__("sys").stderr)

@dataclass(frozen=True)
class Negative(Step):
    def __call__(self, images):
        return 1 - images
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder at hand, with modules of the user's own; none is imported before or after."""
    for name, text in {"my_steps": MODULE, "broken_steps": "1 / 0", "empty_steps": "from ckn import Model"}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("my_steps", "broken_steps", "empty_steps"):
        sys.modules.pop(name, None)


@pytest.fixture
def negative(folder: Path, digits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with a step of a module's."""
    monkeypatch.syspath_prepend(str(folder))
    from my_steps import Negative  # type: ignore[import-not-found]

    data = ckn.readers.read(str(digits))
    images, labels = data.images / data.maximum, data.labels
    architecture = ckn.Architecture((ckn.LayerSpec(4),))
    classifier = ckn.ImageClassifier(architecture, preprocessing=(Negative(),), patches=100).fit(images, labels)
    ckn.save(classifier, folder / "model.safetensors")
    sys.modules.pop("my_steps")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    return folder / "model.safetensors"


def test_a_model_with_a_step_of_ones_own(run: Any, negative: Path, digits: Path) -> None:
    path = list(sys.path)
    for words in (("show", negative), ("predict", negative, digits), ("evaluate", negative, digits)):
        refused = run(*words)
        assert refused.exit_code == 1
        assert "type 'Negative' is not among" in " ".join(refused.stderr.split())
        assert "--import MODULE" in " ".join(refused.stderr.split())
        sys.modules.pop("my_steps", None)
        result = run(*words, "--import", "my_steps")
        assert result.exit_code == 0, result.stderr
        assert "run" in result.stderr
    assert sys.path == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_steps.py", "expected the name of a module, my_kernels for a file my_kernels.py"),
        ("absent_steps", "ModuleNotFoundError: No module named 'absent_steps'"),
        ("broken_steps", "ZeroDivisionError: division by zero"),
        ("empty_steps", "it has no kernel, profile or preprocessing step of its own"),
    ],
)
def test_modules_that_will_not_do(run: Any, folder: Path, model: Path, name: str, message: str) -> None:
    result = run("show", model, "--import", name)
    assert result.exit_code == 2
    assert f"--import {name}: {message}" in " ".join(result.stderr.replace("│", " ").split())


def test_help_says_that_code_is_run(run: Any) -> None:
    for command in ("evaluate", "predict", "encode", "show"):
        assert "runs the module's code" in " ".join(run(command, "--help").stdout.replace("│", " ").split())
