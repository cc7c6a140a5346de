"""The citation file says what the package says."""

import datetime
import tomllib
from pathlib import Path

import yaml

import kerneltools

ROOT = Path(__file__).parents[2]


def test_the_citation_agrees_with_the_project() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["cff-version"] == "1.2.0"
    assert cited["title"].startswith(project["name"])
    assert (cited["version"], cited["license"]) == (kerneltools.__version__, project["license"])
    assert cited["authors"] == project["authors"]
    assert isinstance(cited["date-released"], datetime.date)
    assert set(cited["keywords"]) <= set(project["keywords"])
    assert cited["message"]
