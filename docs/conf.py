"""The documentation site: MyST Markdown, code cells run at each build, API pages from docstrings."""

import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

import kerneltools  # noqa: F401  a build without the package should fail here, in one line

sys.path.insert(0, str(Path(__file__).parent))

project = "kerneltools"
author = "The kerneltools developers"
copyright = "The kerneltools developers"

# The last one puts MathJax beside the pages: formulas are drawn without a network.
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "cards",
]
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3
# Run always: a stored result would not notice that the code has changed.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# A method that only fills in its base is described there.
autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True, "special-members": "__call__", "member-order": "bysource"}
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "kerneltools"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
# The cards of the gallery are its table of contents.
html_sidebars = {"gallery/index": []}
# Without it the theme complains on each page.
html_context = {"default_mode": "auto"}
# Its lines are fetched from the pages found, which a browser refuses where the site is a folder of files.
html_show_search_summary = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}

CODE_OR_SPECIAL = re.compile(r"(`[^`]*`)|([\\*|_])")
SHAPE_LINE = re.compile(r"\s*\(.*\) -> \S.*")


def as_restructured_text(line: str) -> str:
    """One line of a docstring, which is plain text: `|x|` is a norm and `*` a product."""
    if SHAPE_LINE.fullmatch(line) and "`" not in line:
        return f"``{line.strip()}``"
    return CODE_OR_SPECIAL.sub(lambda found: found[1] or "\\" + found[2], line)


def translate_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Leave examples as they are, translate the other lines."""
    in_example = False
    for number, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        lines[number] = line if in_example else as_restructured_text(line)


class WithoutAccents(SearchEnglish):
    """Words of the search: `nystrom` is `Nyström`. `site.js` does the same to what is searched for."""

    def stem(self, word: str) -> str:
        """The word as the index has it."""
        plain = "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
        return super().stem(plain)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_search_language(WithoutAccents)
    # It copies files once the site is done, and does not say that pages may be read side by side.
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True
    app.connect("autodoc-process-docstring", translate_docstring)
