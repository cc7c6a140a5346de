"""Links to the glossary: a term once on a page, and none that nobody meets."""

import re
from collections import Counter
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts and page.stem != "writing")
LINK = re.compile(r"\{term\}`(?:[^`<]+ <([^>`]+)>|([^`<>]+))`")


def linked(text: str) -> Counter[str]:
    """How often each term is linked."""
    return Counter(first or second for first, second in LINK.findall(text))


def test_a_page_links_a_term_once_and_each_term_is_met_somewhere() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = set(re.findall(r"^([^\s`].*)\n  ", glossary[glossary.index("```{glossary}") :], flags=re.MULTILINE))
    found = {str(page.relative_to(DOCS)): linked(page.read_text(encoding="utf-8")) for page in PAGES}
    twice = [(name, term) for name, terms_of in found.items() for term, times in terms_of.items() if times > 1]
    assert twice == []
    assert len(terms) > 20
    assert {term for terms_of in found.values() for term in terms_of} == terms


def test_the_check_sees_both_forms_of_a_link() -> None:
    assert linked("a {term}`landmark`, {term}`landmarks <landmark>`") == {"landmark": 2}
