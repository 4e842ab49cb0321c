"""The report as PDF and as PNG pages: one typst template, JSON data, SVG charts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import typst

from sim.report.charts.style import FONT_DIR
from sim.report.content import ReportContent
from sim.report.figures import Drawing
from sim.report.pages import page_data

TEMPLATE = Path(__file__).with_name("template.typ")
SHEET = Path(__file__).with_name("sheet.typ")
PAGE_PPI = 144  # twice the 72 points of an inch


def _files(template: Path, data: object, drawings: Mapping[str, Drawing]) -> dict[str, bytes]:
    files = {"main.typ": template.read_bytes(), "data.json": json.dumps(data, ensure_ascii=False).encode()}
    return files | {f"charts/{name}.svg": drawing.svg for name, drawing in drawings.items()}


def _compiled(files: Mapping[str, bytes], form: str, **options: object) -> list[bytes]:
    """Compile from memory: typst sees no folder of the machine and none of its fonts."""
    output = typst.compile(
        dict(files), format=form, font_paths=[str(FONT_DIR)], ignore_system_fonts=True, **options
    )
    return [output] if isinstance(output, bytes) else list(output)


def render(
    content: ReportContent, drawings: Mapping[str, Drawing], timestamp: int | None = None
) -> tuple[bytes, list[bytes]]:
    """The report as PDF (tagged, PDF/UA-1) and as one PNG per page.

    Parameters
    ----------
    content : ReportContent
    drawings : mapping
        Charts by name, from :func:`sim.report.figures.draw_all`.
    timestamp : int, optional
        Seconds since 1970 to write as the date of the PDF; 0 when left out, so that bytes repeat.
    """
    files = _files(TEMPLATE, page_data(content, drawings), drawings)
    (pdf,) = _compiled(files, "pdf", timestamp=timestamp or 0, pdf_standards=["ua-1"])
    return pdf, _compiled(files, "png", ppi=PAGE_PPI)


def standalone(drawings: Mapping[str, Drawing], ppi: float = 288) -> dict[str, tuple[bytes, bytes]]:
    """Each chart as (SVG, PNG) that look the same everywhere: letters become outlines, so no font is needed."""
    sheets = [
        {"name": name, "width": d.width, "height": d.height, "alt": d.alt} for name, d in drawings.items()
    ]
    files = _files(SHEET, sheets, drawings)
    vectors, pictures = _compiled(files, "svg"), _compiled(files, "png", ppi=ppi)
    return {name: (svg, png) for name, svg, png in zip(drawings, vectors, pictures, strict=True)}
