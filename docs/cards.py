"""The directive `gallery`: names of pages, and for each a card of its title, first paragraph and first picture.

A page that draws nothing shows what it prints.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.other import TocTree


class Cards(nodes.General, nodes.Element):
    """Where the cards of the pages `names` go, once all pages have been run."""


class Gallery(TocTree):
    """A table of contents that is drawn as cards."""

    def run(self) -> list[nodes.Node]:
        """The hidden table of contents, and the place of the cards."""
        self.options["hidden"] = True
        found = super().run()
        names = [name for tree in found for inner in tree.children for name in inner["includefiles"]]
        return [*found, Cards("", names=names)]


def card(app: Sphinx, at: str, name: str) -> nodes.Node:
    """The card of the page `name`, on the page `at`."""
    page = app.env.get_doctree(name)
    link = nodes.reference(
        "", app.env.titles[name].astext(), refuri=app.builder.get_relative_uri(at, name), internal=True
    )
    whole = nodes.container(classes=["gallery-card"])
    picture = next(iter(page.findall(nodes.image)), None)
    if picture is None:
        printed = "".join(one.astext() for one in page.findall(nodes.literal_block) if "output" in one["classes"])
        whole += nodes.literal_block(printed, printed, language="none")
    else:
        drawn = picture.deepcopy()
        drawn["alt"] = ""  # the title beside it says the same
        drawn.attributes.pop("width", None)
        whole += drawn
    said = next(iter(page.findall(nodes.paragraph))).astext()
    whole += nodes.paragraph("", "", link, classes=["gallery-title"])
    whole += nodes.paragraph("", said)
    return whole


def draw(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the cards where they go."""
    for place in list(doctree.findall(Cards)):
        pages = [card(app, docname, name) for name in place["names"]]
        place.replace_self(nodes.container("", *pages, classes=["gallery"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_node(Cards)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", draw)
    app.connect("env-updated", lambda app, env: ["gallery/index"] if "gallery/index" in env.all_docs else [])
    return {"parallel_read_safe": True}
