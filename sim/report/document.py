"""The report as PDF and as PNG pages: one typst template, JSON data, SVG charts."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import typst
from PIL import Image

from sim.report.charts.style import FONT_DIR
from sim.report.content import ReportContent
from sim.report.figures import Drawing
from sim.report.pages import page_data

TEMPLATE = Path(__file__).with_name("template.typ")
SHEET = Path(__file__).with_name("sheet.typ")
ROW_SPACINGS = (
    "2.3",
    "1.8",
    "2.8",
    "3.3",
    "1.4",
    "3.8",
    "4.3",
    "4.9",
    "5.5",
)  # point, in order of preference
FILLED = 0.74  # of the height of the last page
OVERSAMPLING = 2
PAGE_PPI = 144  # twice the 72 points of an inch


def _files(template: Path, data: object, drawings: Mapping[str, Drawing]) -> dict[str, bytes]:
    files = {"main.typ": template.read_bytes(), "data.json": json.dumps(data, ensure_ascii=False).encode()}
    return files | {f"charts/{name}.svg": drawing.svg for name, drawing in drawings.items()}


def _compiled(files: Mapping[str, bytes], form: str, own_fonts: bool = True, **options: Any) -> list[bytes]:
    """Compile from memory: typst sees no folder of the machine and, unless allowed, none of its fonts."""
    output = typst.compile(
        cast(Any, dict(files)),
        format=cast(Any, form),
        font_paths=[str(FONT_DIR)],
        ignore_system_fonts=own_fonts,
        **options,
    )
    return [output] if isinstance(output, bytes) else list(output)


def _accessible(files: Mapping[str, bytes], **options: Any) -> tuple[bytes, bool]:
    """The PDF, tagged after PDF/UA-1, and whether our own fonts held every letter.

    A label in, say, Chinese needs a font of the machine; where it has none either, boxes stand for the letters and
    the PDF cannot claim the standard.
    """
    for own_fonts, standards in ((True, ["ua-1"]), (False, ["ua-1"]), (False, [])):
        try:
            (pdf,) = _compiled(files, "pdf", own_fonts, pdf_standards=standards, **options)
        except typst.TypstError as error:
            if "could not be displayed" not in str(error) or not standards:
                raise
        else:
            return pdf, own_fonts
    raise AssertionError("the last attempt returns or raises")


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
    inputs = {"airy": _filling(files)}
    pdf, own_fonts = _accessible(files, timestamp=timestamp or 0, sys_inputs=inputs)
    pages = _compiled(files, "png", own_fonts, ppi=OVERSAMPLING * PAGE_PPI, sys_inputs=inputs)
    return pdf, _all_reduced(pages)


def print_document(
    template: Path, data: object, drawings: Mapping[str, Drawing], timestamp: int | None = None
) -> tuple[bytes, list[bytes]]:
    """Another document of the same look: PDF (tagged, PDF/UA-1) and one PNG per page, from a template and its data."""
    files = _files(template, data, drawings)
    pdf, own_fonts = _accessible(files, timestamp=timestamp or 0)
    pages = _compiled(files, "png", own_fonts, ppi=OVERSAMPLING * PAGE_PPI)
    return pdf, _all_reduced(pages)


def _all_reduced(pages: Sequence[bytes]) -> list[bytes]:
    """The pages at their final size, on all cores: the work is done outside the interpreter's lock."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as crew:
        return list(crew.map(_reduced, pages))


def _reduced(png: bytes) -> bytes:
    """The picture at its final size. At that size itself typst may lose a row of an embedded chart's pixels."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").reduce(OVERSAMPLING).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _filling(files: Mapping[str, bytes]) -> str:
    """The row spacing of the sources table [point] that leaves little of the last page empty."""
    best = ("", -1.0)
    for airy in ROW_SPACINGS:
        found = typst.query(cast(Any, dict(files)), "<end>", field="value", one=True, font_paths=[str(FONT_DIR)],
                            ignore_system_fonts=True, sys_inputs={"airy": airy})  # fmt: skip
        filled = float(json.loads(found)["filled"])
        if filled > best[1]:
            best = (airy, filled)
        if filled >= FILLED:
            break
    return best[0]


def standalone(drawings: Mapping[str, Drawing], ppi: float = 288) -> dict[str, tuple[bytes, bytes]]:
    """Each chart as (SVG, PNG) that look the same everywhere: letters become outlines, so no font is needed."""
    sheets = [
        {"name": name, "width": d.width, "height": d.height, "alt": d.alt} for name, d in drawings.items()
    ]
    files = _files(SHEET, sheets, drawings)
    vectors, pictures = _compiled(files, "svg"), _compiled(files, "png", ppi=ppi)
    return {name: (svg, png) for name, svg, png in zip(drawings, vectors, pictures, strict=True)}
