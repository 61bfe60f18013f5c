"""Every report is one page: the same frame, and figures that stay inside their elements."""

import json
from html.parser import HTMLParser
from importlib import resources
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archsim.claims.verdict import Figure
from archsim.claims_report import render_claims
from archsim.page import picture

TEMPLATES = sorted(
    (file for file in resources.files("archsim.templates").iterdir()
     if file.name.endswith(".html.j2") and file.name != "page.html.j2"),
    key=lambda file: file.name,
)  # fmt: skip


class Scripts(HTMLParser):
    """The page's elements, and what a browser takes for the text of its figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.figures: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._inside = ("type", "application/json") in attrs

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.figures.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def page_with(plot: dict[str, Any]) -> str:
    claims: Any = SimpleNamespace(title="a system", paper="a paper")
    return render_claims(claims, [], [Figure("a figure", plot)], ["a fact"], [])


def test_the_templates_are_found() -> None:
    assert len(TEMPLATES) == 6


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_every_template_extends_the_page(file: Any) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith('{% extends "page.html.j2" %}\n')
    for part in ("<html", "<head>", "<header", "<script", "css|safe"):
        assert part not in text, part


@pytest.mark.parametrize("text", ["</script><b>", "<!--<script>", "&lt;'\"\u2028", "a < b & c"])
def test_a_figure_cannot_leave_its_script_element(text: str) -> None:
    plot = {"data": [{"name": text, "y": [1.5]}], "layout": {"title": {"text": text}}}
    found, plain = Scripts(page_with(plot)), Scripts(page_with({"data": [], "layout": {}}))
    assert [json.loads(figure) for figure in found.figures] == [plot]
    assert found.elements == plain.elements
    assert found.elements.count("script") == 3  # the figure, Plotly, what draws


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        page_with({"data": [{"y": [float("nan")]}], "layout": {}})


def test_a_picture_is_inside_the_page() -> None:
    source = picture(np.zeros((2, 3, 3), np.uint8))
    assert source.startswith("data:image/webp;base64,")
