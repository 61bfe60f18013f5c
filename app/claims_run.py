"""One system's claims from measuring to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from archsim.base.errors import OutputError
from archsim.claims.bench import Bench
from archsim.claims.claim import load_claims
from archsim.claims.evaluate import chosen_claims, evaluate
from archsim.claims.map import order_map
from archsim.claims.nodes import node_section
from archsim.claims.sorter import sorter_section
from archsim.claims.verdict import Figure
from archsim.claims_report import ablation_figure, render_claims
from archsim.claims_table import claims_table, section_table, sections_of
from archsim.output import to_json
from archsim.progress import ConsoleReporter
from archsim.traces.cache import TraceCache
from archsim.validate import data_folder

__all__ = ["print_claims"]

_WIDTH = 160  # of tables in a file or pipe
#: the system whose ablation is drawn, and whose order is mapped
_ABLATED = "streaminggs"


def print_claims(
    system: str, *, rows: Sequence[str], scene: str | None, lod: int | None,
    finetuned: Path | None, order: str, data: Path | None, with_map: bool, out: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure a system's claims, print them, and write ``claims.html`` and ``claims.json``."""
    bench = Bench(
        load_claims(system), cache=TraceCache.default(),
        reporter=ConsoleReporter(Console(stderr=True)), scene=scene, lod=lod,
        data=data_folder(data), finetuned=finetuned, order=order,
    )  # fmt: skip
    chosen = chosen_claims(bench, rows)
    found = evaluate(bench, chosen)
    figures: list[Figure] = []
    sections = sections_of(found)
    if not rows:
        sections.append(node_section(bench))
    if system == _ABLATED:
        if not rows:
            figures.append(ablation_figure(bench))
            sections.append(sorter_section(bench))
        if with_map:
            mapped = order_map(bench)
            figures.append(mapped.figure())
            sections.append(mapped.section())
    facts = [_scenes(bench)]
    text = to_json({
        "schema": "archsim-claims-1", "system": system, "title": bench.claims.title,
        "scenes": facts[0], "rows": [row.to_dict() for row in found],
    })  # fmt: skip
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    if as_json:
        print(text, end="")
    else:
        console.print(claims_table(bench.claims, found, facts[0]))
        for section in sections:
            console.print()
            console.print(section_table(section))
    _write(out, text, render_claims(bench.claims, found, figures, facts, sections))
    if not as_json:
        console.print(f"\nreport: {out / 'claims.html'}", style="bold", soft_wrap=True)


def _scenes(bench: Bench) -> str:
    names = [scene.name for scene in bench.scenes("default")]
    left_out = bench.left_out("default")
    text = f"scenes: {', '.join(names)}"
    return f"{text}; not at hand: {', '.join(left_out)}" if left_out else text


def _write(folder: Path, text: str, page: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "claims.json").write_text(text, encoding="utf-8")
        (folder / "claims.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the claims cannot be written: {error.strerror or error}",
            place=str(folder), remedy="choose another folder with --out",
        ) from error  # fmt: skip
