"""The changelog says each thing once: two branches that change one line leave both versions of it when they meet."""

from collections import Counter
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
BEGINNING = 40
"""Characters in which two entries are taken for versions of one."""


def test_no_entry_is_there_twice() -> None:
    lines = CHANGELOG.read_text(encoding="utf-8").splitlines()
    begin = Counter(line[:BEGINNING] for line in lines if line.startswith("- "))
    assert [text for text, number in begin.items() if number > 1] == []


def test_no_heading_is_there_twice_in_a_version() -> None:
    versions = CHANGELOG.read_text(encoding="utf-8").split("\n## ")[1:]
    headings = [[line for line in version.splitlines() if line.startswith("### ")] for version in versions]
    assert all(len(set(found)) == len(found) for found in headings)
