"""The gallery: short pages, each with one card; and pictures of all pages. That they run is found out by the build."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GALLERY = DOCS / "gallery"
PAGES = sorted(page for page in GALLERY.glob("*.md") if page.stem != "index")
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?:---\n.*?^---\n)?(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
OTHERS = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts and page.parent != GALLERY)


def drawn(text: str) -> int:
    """How many pictures the cells of a page draw."""
    return sum(cell.count("plt.figure(") + cell.count("plt.subplots(") for cell in CELL.findall(text))


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
    assert text.count("\n    alt: ") == drawn(text)
    assert "Read on: [](" in text


def test_pictures_of_other_pages_have_words() -> None:
    texts = {str(page.relative_to(DOCS)): page.read_text(encoding="utf-8") for page in OTHERS}
    assert sum(map(drawn, texts.values())) > 10
    assert [name for name, text in texts.items() if text.count("\n    alt: ") != drawn(text)] == []
