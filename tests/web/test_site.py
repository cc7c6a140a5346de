"""The built site in a browser, from the file system and without a network: `make test-web`."""

import os
import shutil
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.web

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser's driver is not installed: make test-web")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: make test-web")

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
# The pages of the sources' code are Sphinx's own.
PAGES = sorted(
    str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if not {"_modules", "_static"} & set(page.parts)
)
LOOKED_AT = ["index.html", "gallery/index.html", "gallery/regression.html", "article/layers.html", "cheat-sheet.html"]
LOOKED_AT += ["api/maps.html", "tutorial.html", "search.html", "migration.html"]
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
NETWORKS = ("http:", "https:", "ws:")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        # A sandbox needs rights that root of a container lacks.
        arguments = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        started = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield started
        started.close()


class Opened:
    """A page of the site, and what went wrong on it."""

    def __init__(self, browser: Any, name: str, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport=DESK, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"{request.url}: {request.failure}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.goto((SITE / name.split("?")[0]).as_uri() + name[len(name.split("?")[0]) :])
        self.page.wait_for_function("() => !window.MathJax || !MathJax.startup || MathJax.startup.promise")

    def _asked(self, url: str) -> None:
        if url.startswith(NETWORKS):
            self.wrong.append(f"asks the network for {url}")

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_whole_without_a_network_and_fits_a_telephone(browser: Any, name: str) -> None:
    with Opened(browser, name) as opened:
        broken = opened.page.evaluate(
            "() => [...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
        )
        silent = opened.page.evaluate("() => [...document.images].filter(i => !i.hasAttribute('alt')).map(i => i.src)")
        # What a formula was made of stands nowhere once it is drawn.
        raw = opened.page.evaluate(
            "() => [...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).length"
        )
        assert (opened.wrong, broken, silent, raw) == ([], [], [], 0)
        opened.page.set_viewport_size(PHONE)
        assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_can_be_read_by_everyone(browser: Any, name: str, scheme: str) -> None:
    with Opened(browser, name, scheme=scheme) as opened:
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        found = axe.Axe().run(opened.page, options=rules).response["violations"]
        assert [(rule["id"], [node["target"] for node in rule["nodes"]][:5]) for rule in found] == []


@pytest.mark.parametrize("word", ["Nyström", "nystrom", "nyström"])
def test_search_finds_words_with_and_without_their_dots(browser: Any, word: str) -> None:
    with Opened(browser, f"search.html?q={word}") as opened:
        for name in ("maps", "cheat-sheet"):
            opened.page.wait_for_selector(f"#search-results a[href*='{name}.html']", timeout=60_000)
        assert opened.wrong == []


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for key, value in attributes:
            if key in ("href", "src") and value:
                self.links.append(value)
            if key in ("id", "name") and value:
                self.ids.add(value)


@cache
def _anchors(page: Path) -> _Anchors:
    found = _Anchors()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def test_no_link_is_broken() -> None:
    broken = []
    for name in PAGES:
        for link in _anchors(SITE / name).links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            if not target.exists():
                broken.append((name, link))
            elif parts.fragment and target.suffix == ".html":
                broken += [] if unquote(parts.fragment) in _anchors(target.resolve()).ids else [(name, link)]
    assert broken == []


def test_there_are_pages() -> None:
    assert len(PAGES) > 50, "the site is not built: make docs"
