"""The README's example is code that runs, and prints what a reader expects."""

import re
from pathlib import Path

import pytest
from sklearn.datasets import load_wine

ROOT = Path(__file__).parents[2]


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    table = load_wine()
    rows = [(*row, label) for row, label in zip(table.data, table.target_names[table.target], strict=True)]
    lines = [",".join(map(str, row)) for row in [(*table.feature_names, "kind"), *rows]]
    Path("table.csv").write_text("\n".join(lines), encoding="utf-8")
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    accuracy, prediction = re.search(r"test accuracy (0\.\d+)", printed), re.search(r"\[(1\.\d+)\]", printed)
    assert accuracy is not None
    assert float(accuracy[1]) >= 0.985
    assert prediction is not None
    assert 1.0 < float(prediction[1]) < 1.2
    assert "44 of 45 rows are in their class" in Path("report.html").read_text(encoding="utf-8")


def test_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE):
        assert f"\n{command}:" in makefile


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert targets
    assert all((ROOT / target).is_file() for target in targets)
