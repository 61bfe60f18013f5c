"""Pages: HTML files of one look that need nothing else, each a template that extends the page."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from PIL import Image

from archsim.words import digits

__all__ = ["picture", "render_page"]

_IMAGE_QUALITY = 90


def render_page(template: str, **values: Any) -> str:
    """Return a template of ``archsim.templates`` filled in; the page's own parts are supplied.

    Figures are plain Plotly figures (data and layout), without colours of the page: ``charts.js``
    gives them those. A number that JSON does not know raises :class:`ValueError`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["digits"] = digits
    # of ``tojson``, which escapes what could end a script element
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template(template).render(
        css=_text("page.css"),
        plotly=(resources.files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8"),
        charts=_text("charts.js"),
        **values,
    )


def picture(image: npt.NDArray[np.uint8]) -> str:
    """Return an image as the address of an ``img`` element: lossy WebP, inside the page."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="WEBP", quality=_IMAGE_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def _text(name: str) -> str:
    return (resources.files("archsim.templates") / name).read_text(encoding="utf-8")
