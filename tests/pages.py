"""What the tests of reports ask of a page."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

LARGEST = 3 * 2**20
"""Bytes of a page."""

LOADING = ("src", "href", "xlink:href", "srcset", "poster", "data", "action")
VOID = ("meta", "img", "br", "line", "circle", "polyline", "path", "link", "input")


class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and what is wrong with how they are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.html = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is to be read, its white space as single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of that name."""
        return [found for name, found in self.elements if name == tag]


def checked(page: Path | str) -> Page:
    """The page, which obeys what every report has to: one file, nothing loaded, pictures with words, landmarks."""
    text = page if isinstance(page, str) else page.read_text(encoding="utf-8")
    found = Page(text)
    assert found.wrong == []
    assert len(text.encode()) < LARGEST
    links = [value for _, have in found.elements for name, value in have.items() if name in LOADING]
    assert links
    assert all(link is not None and link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in found.elements}
    assert "url(" not in text
    assert "@import" not in text
    assert len(found.all("script")) == 1  # its own, inline
    ids = [have["id"] for _, have in found.elements if "id" in have]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link is not None and link.startswith("#")} <= set(ids)
    assert all(have.get("alt") for have in found.all("img"))
    assert all(have.get("role") == "img" and have.get("aria-label") for have in found.all("svg"))
    assert all(have.get("scope") in ("col", "row") for have in found.all("th"))
    assert [len(found.all(tag)) for tag in ("main", "h1", "header", "footer")] == [1, 1, 1, 1]
    assert found.all("html") == [{"lang": "en"}]
    return found
