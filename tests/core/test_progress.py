"""Bars of long work."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools.estimators import KernelClassifier
from kerneltools.kernels import Gaussian
from kerneltools.progress import Bar


class Terminal(io.StringIO):
    """What takes part as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which tests set."""
    now = [100.0]
    monkeypatch.setattr("kerneltools.progress.perf_counter", lambda: now[0])
    return now


def told(progress: Any, clock: list[float], stage: str, total: int, seconds: float) -> None:
    for step in range(total + 1):
        progress(stage, step, total)
        clock[0] += seconds


def test_short_stages_say_nothing_and_long_ones_move(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    bar = Bar()
    told(bar, clock, "landmarks", 4, 0.4)
    told(bar, clock, "newton", 4, 1.0)
    lines = sys.stdout.getvalue().split("\r")  # type: ignore[attr-defined]  # of the terminal
    assert [line.split()[2:] for line in lines[1:]] == [
        ["2/4", "2.0", "s,", "2", "s", "left"],
        ["3/4", "3.0", "s,", "1", "s", "left"],
        ["4/4", "4.0", "s"],
    ]
    assert lines[0] == ""
    assert lines[-1].endswith("\n")
    assert len(lines[-1].rstrip("\n")) == len(lines[-2])  # nothing of the longer line is left


def test_files_get_a_line_at_the_end(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    told(bar, clock, "newton", 3, 1.0)
    told(bar, clock, "newton", 3, 1.0)
    bar("unknown", 5, 0)
    said = capsys.readouterr().out
    assert said.count("\n") == 2
    assert "\r" not in said
    assert said.count("3/3  3.0 s") == 2


def test_a_stage_that_ends_early_has_its_line_when_the_next_begins(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = Bar()
    for step in range(4):
        bar("landmarks", step, 100)
        clock[0] += 1.0
    assert capsys.readouterr().out == ""
    bar("landmarks", 1, 1)
    assert "3/100  3.0 s" in capsys.readouterr().out
    bar("newton", 1, 100)
    assert capsys.readouterr().out == ""


def test_estimators_draw_bars_where_asked(
    clock: list[float], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    x = np.linspace(0, 6, 40)[:, None]
    model = KernelClassifier(Gaussian(1.0), landmarks=5, verbose=2).fit(x, x[:, 0] > 3)
    assert capsys.readouterr().out == ""  # for no stage took two seconds
    kerneltools.save(model, tmp_path / "model.safetensors")  # a bar is no part of it
    assert kerneltools.load(tmp_path / "model.safetensors").verbose == 2
    KernelClassifier(Gaussian(1.0), landmarks=5, reg=1e-3, verbose=True).fit(x, x[:, 0] > 3)
    assert "landmarks 1/1" in capsys.readouterr().out
