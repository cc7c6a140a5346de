"""Text from files, made safe for a terminal, a picture or a table."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any
from unicodedata import category

# Controls, halves of characters, separators of lines; and what turns the direction of writing round.
UNSEEN = ("Cc", "Cs", "Zl", "Zp")
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

FORMULA = ("=", "+", "-", "@")
"""The characters with which a spreadsheet takes a cell for a formula."""


def visible(text: str) -> str:
    r"""The text, with each character that a terminal would obey and not show written as Python writes it.

    >>> print(visible("a\x1b[31m\n"), visible("é 日本"))
    a\x1b[31m\n é 日本
    """
    return "".join(c.encode("unicode_escape").decode() if _unseen(c) else c for c in text)


def cell(value: object) -> object:
    r"""A value for a table that a spreadsheet may open: visible, and no formula; numbers are unchanged.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.

    >>> cell("=A1+1"), cell("-3.5"), cell("cat"), cell(-1)
    ("'=A1+1", '-3.5', 'cat', -1)
    """
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) and not _is_number(shown) else shown


def brief(value: Any) -> str:
    """An object as a Python expression, without arguments that have their default, except the first.

    >>> from kerneltools.patches import Windows
    >>> brief(Windows(8)), brief(Windows(8, dilation=2)), brief((0.5, 1 / 3, 0.25, 0.2, 0.1))
    ('Windows(8)', 'Windows(8, dilation=2)', '(0.5, 0.333333, 0.25, ... 2 more)')
    """
    if isinstance(value, tuple) and all(isinstance(number, float) for number in value):
        few = [f"{number:g}" for number in value[:3]] + ([f"... {len(value) - 3} more"] if len(value) > 3 else [])
        return f"({', '.join(few)})"
    if isinstance(value, tuple) and len(value) > 1:
        return f"({', '.join(map(brief, value))})"
    if hasattr(value, "shape"):
        return f"{float(value):g}" if value.shape == () else f"<{'x'.join(map(str, value.shape))}>"
    if not is_dataclass(value) or isinstance(value, type):
        return str(value)
    words, named = [], False
    for number, field in enumerate(fields(value)):
        held = getattr(value, field.name)
        if number and _is_usual(field, held):
            named = True  # those behind it need their names
        else:
            words.append(f"{field.name}={brief(held)}" if named else brief(held))
    return f"{type(value).__name__}({', '.join(words)})"


def _is_usual(field: Field[Any], value: object) -> bool:
    usual = field.default_factory() if field.default_factory is not MISSING else field.default
    return type(value) is type(usual) and bool(value == usual)


def _unseen(character: str) -> bool:
    return category(character) in UNSEEN or character in TURNING


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
