"""The gallery: short pages, each with one card. That they run is found out when the site is built."""

import re
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
PAGES = sorted(page for page in GALLERY.glob("*.md") if page.stem != "index")
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?:---\n.*?^---\n)?(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def test_each_page_has_one_card() -> None:
    lists = re.findall(
        r"^```\{gallery\}\n(.*?)^```$", (GALLERY / "index.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    assert sorted(name for one in lists for name in one.split()) == [page.stem for page in PAGES]
    assert len(PAGES) >= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_and_its_pictures_have_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    cells = CELL.findall(text)
    assert 0 < sum(len(cell.splitlines()) for cell in cells) < 60
    drawn = sum(cell.count("plt.figure(") + cell.count("plt.subplots(") for cell in cells)
    assert text.count("\n    alt: ") == drawn
    assert "Read on: [](" in text
