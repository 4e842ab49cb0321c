"""The PDF builds from any words, holds the answers, uses our fonts alone, and fills its pages."""

from __future__ import annotations

import io
import math
import re
import zlib
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from example_content import JOBS, example
from PIL import Image

from sim.report import document
from sim.report.content import Convergence, Interval, ReportContent, RunIdentity
from sim.report.document import render, standalone
from sim.report.figures import Drawing, charts, draw_all
from sim.report.pages import page_data
from sim.report.pages.cells import day

NASTY = '#x() $a_1$ *b* <l> @r \\ "q" `c` [d] // =1 昇腾'
KEEP = {"key", "kind", "url", "end_date", "family", "inputs_hash", "jobs_kind"}


Rendered = tuple[bytes, list[bytes]]


@pytest.fixture(scope="module")
def rendered(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> Rendered:
    return render(flagship, flagship_drawings)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages at their final size at once, where nobody looks at them."""
    monkeypatch.setattr(document, "OVERSAMPLING", 1)


def inside(pdf: bytes) -> bytes:
    """The PDF with its compressed streams opened."""
    opened = [pdf]
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            opened.append(zlib.decompress(match.group(1)))
        except zlib.error:
            continue
    return b"\n".join(opened)


def spoiled(value: Any, name: str = "") -> Any:
    """The same content with words in every text that would be markup, were they read as such."""
    if isinstance(value, str):
        return value if name in KEEP else f"{value} {NASTY}"
    if isinstance(value, Interval) or name in KEEP:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: spoiled(getattr(value, f.name), f.name) for f in fields(value)})
    if isinstance(value, dict):
        return {key: spoiled(item, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(spoiled(item, name) for item in value)
    return value


def test_pages(rendered: Rendered) -> None:
    pdf, pages = rendered
    assert pdf.startswith(b"%PDF-")
    # Answer, money, eight jobs, and an annex of sensitivity, trust and sources.
    assert 16 <= len(pages) <= 22  # with every scored row and every source
    assert len(re.findall(rb"/Type\s*/Page\b", inside(pdf))) == len(pages)
    sizes = {Image.open(io.BytesIO(page)).size for page in pages}
    assert sizes == {(1190, 1683)} or sizes == {(1191, 1684)}  # A4 at 144 dots per inch


def test_no_page_is_more_than_a_quarter_empty(rendered: Rendered) -> None:
    for number, page in enumerate(rendered[1], 1):
        picture = np.asarray(Image.open(io.BytesIO(page)).convert("L"))
        body = picture[: int(0.94 * len(picture))]  # without the footer
        written = np.flatnonzero((body < 200).any(axis=1))
        assert written.max() / len(body) > 0.75, f"page {number} is empty below"
        gaps = np.diff(written)
        assert gaps.max() / len(body) < 0.12, f"page {number} has a hole"


def test_fonts_are_ours(rendered: Rendered) -> None:
    names = set(
        re.findall(rb"/BaseFont\s*/(?:[A-Z]{6}\+)?([A-Za-z-]+?)(?:-Identity-H)?[\s/>]", inside(rendered[0]))
    )
    assert {b"SourceSansPro-Regular", b"SourceSansPro-Semibold"} <= names
    assert names <= {
        b"SourceSansPro-Regular",
        b"SourceSansPro-Semibold",
        b"SourceSansPro-It",
        b"DejaVuSansMono",
    }


def test_accessible_and_titled(rendered: Rendered) -> None:
    text = inside(rendered[0])
    assert b"<pdfuaid:part>1</pdfuaid:part>" in text
    assert b"20,000 Ascend 910C or 12,000 H100?" in text
    # The parity chart speaks its answers to those who do not see it.
    assert b"Pre-train DeepSeek-V3: 9,940 H100, 90 % interval 7,650 to 12,900" in text


def test_answers_reach_the_page(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> None:
    content, data = flagship, page_data(flagship, flagship_drawings)
    said = ["".join(run["text"] for run in sentence) for sentence in data["answer"]["sentences"]]
    assert [text.replace("\u00a0", " ") for text in said] == list(content.answers)
    strong = [run["text"] for sentence in data["answer"]["sentences"] for run in sentence if run["strong"]]
    assert strong == ["9,940 H100", "13,900 H100"]
    assert {item["kind"] for item in data["answer"]["decides"]} == {"Training", "Serving"}
    assert data["answer"]["not_modelled"] == list(content.not_modelled)


def test_every_chart_is_placed(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> None:
    drawings = flagship_drawings
    placed = str({key: value for key, value in page_data(flagship, drawings).items() if key != "charts"})
    always = {"parity", "sobol", "convergence"}  # named in the template itself
    only_alone = {name for name in drawings if name.startswith("cost-ladder-")} - {
        "cost-ladder-train-v3",
        "cost-ladder-chat-v3",
    }
    assert {name for name in drawings if f"'{name}'" not in placed} == always | only_alone


@pytest.mark.usefixtures("quick")
def test_words_are_never_markup(small: ReportContent) -> None:
    content = spoiled(small)
    pdf, pages = render(content, draw_all(content))
    assert pdf.startswith(b"%PDF-")
    assert len(pages) >= 7


@pytest.mark.usefixtures("quick")
def test_a_question_without_training_or_slogan() -> None:
    content = replace(example(jobs=JOBS[2:3]), slogan_count=None, warnings=["Outside the validated range."])
    pdf, pages = render(content, draw_all(content))
    assert pdf.startswith(b"%PDF-")
    assert len(pages) >= 5


@pytest.mark.usefixtures("quick")
def test_bare_content() -> None:
    """No sensitivity, no validation, no sources: still a report."""
    content: ReportContent = replace(
        example(jobs=JOBS[:1]), sensitivities=(), convergence=Convergence(()), validation=(), inputs=(), paper_metrics=(),
        identity=RunIdentity("0.1.0", "parity run x.yaml", 1, 1, 0, "0000", ()),
    )  # fmt: skip
    assert render(content, draw_all(content))[0].startswith(b"%PDF-")


@pytest.mark.usefixtures("quick")
def test_unknown_money_and_endless_answers(small: ReportContent) -> None:
    """A cost that nobody knows and a count without end are said, not drawn and not a crash."""
    unknown, endless = Interval(*[math.nan] * 5), Interval(9e3, 1.2e4, 2e4, math.inf, math.inf)
    jobs = [
        replace(
            job,
            equal_count=endless,
            a=replace(
                job.a,
                cost=dict.fromkeys(job.a.cost, unknown),
                cost_blocks={
                    view: dict.fromkeys(blocks, math.nan) for view, blocks in job.a.cost_blocks.items()
                },
            ),
            gap=[],
        )
        for job in small.jobs
    ]
    clusters = (replace(small.clusters[0], purchase_usd=unknown), small.clusters[1])
    content = replace(small, jobs=jobs, clusters=clusters)
    drawings = draw_all(content)
    assert not [name for name in drawings if name.startswith("waterfall")]
    # One side alone is drawn, and the other said to be unknown.
    ladders = [drawing.alt for name, drawing in drawings.items() if name.startswith("cost-ladder")]
    assert ladders
    assert all("Rental: Ascend 910C unknown, H100 " in alt for alt in ladders)
    assert render(content, drawings)[0].startswith(b"%PDF-")
    assert "no limit" in drawings["parity"].alt
    assert "unknown" in str(page_data(content, drawings)["money"])


def test_standalone_charts_need_no_font(flagship_drawings: dict[str, Drawing]) -> None:
    drawings = {
        chart: draw for chart, draw in flagship_drawings.items() if chart in {"parity", "convergence"}
    }
    for name, (svg, png) in standalone(drawings).items():
        assert svg.startswith(b"<svg")
        assert b"<text" not in svg, name
        assert Image.open(io.BytesIO(png)).size[0] == 4 * (
            drawings[name].width + 12
        )  # 288 over 72, with its margin


def test_names_of_charts_are_unique_and_safe(flagship: ReportContent) -> None:
    names = [chart.name for chart in charts(flagship)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


def test_dates_are_written_out() -> None:
    assert day("2026-12-01") == "1 Dec 2026"
