"""Pictures of matplotlib in a page: the filters, and what excites them."""

import base64
from collections.abc import Callable
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any

from ckn.applying import nouns_for
from ckn.model import Model, preprocess
from ckn.network import Network
from ckn.reporting.examined import Examined
from kerneltools.reporting import Paragraph, Picture, Section


def filters_of(held: Model | Network, examined: Examined | None) -> Section:
    """The filters of the first layer, and what of objects excites them."""
    network, steps = (held.network, held.preprocessing) if isinstance(held, Model) else (held, ())
    nouns = nouns_for(network)
    m, *size = network.bare_layers[0].filters.shape
    alt = f"The filters of the first layer side by side: {m} of {' × '.join(map(str, size))}"
    blocks: list[Any] = [_drawn("filters", alt, lambda: pictures_for(nouns).filters(network))]
    if examined is not None and nouns != "images":
        told: dict[str, Any] = {}
        if isinstance(held, Model):
            of_classes = {"weights": held.head.weights, "classes": [str(name) for name in held.classes]}
            told = of_classes if held.targets is None else {"weights": held.head.weights[:, 0]}
        seen = partial(preprocess, steps, examined.data.data, network.like)
        alt = f"What in the {nouns} excites the strongest filters most, and where"
        blocks.append(_drawn("motifs", alt, lambda: pictures_for(nouns).motifs(network, seen(), **told)))
    return Section("Filters", blocks)


def _drawn(name: str, alt: str, figure: Callable[[], Any]) -> Picture | Paragraph:
    """A picture, or what was wrong with it."""
    try:
        return _picture_of(figure(), alt)
    except Exception as error:  # whatever it is, the rest of the page is worth more
        return Paragraph(f"The picture of {name} was not drawn: {error or type(error).__name__}")


def _picture_of(figure: Any, alt: str, caption: str = "") -> Picture:
    """A figure of matplotlib in the page, in at most 256 colours."""
    from PIL import Image

    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=110, bbox_inches="tight", pad_inches=0.1, facecolor="white")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return Picture(data_url(small.getvalue()), alt, caption)


def data_url(png: bytes) -> str:
    """The URL that holds the bytes of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def pictures_for(kind: str) -> Any:
    """The module that draws for images, sequences, graphs or series."""
    # matplotlib takes a second to import.
    return import_module(f"ckn.pictures.{kind}")
