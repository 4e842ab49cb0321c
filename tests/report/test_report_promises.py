"""What the report promises of itself: bases said, no stray marks, identity on every figure, small print that can be read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from example_content import JOBS, example, spread

from sim.report.certainty import blind_words, end_errors, endless, headline_origin, obtained
from sim.report.charts.rows import lines_of
from sim.report.charts.style import FILL, text_width
from sim.report.content import Convergence, Course, Interval, Origin, ReportContent
from sim.report.document import TEMPLATE
from sim.report.figures import Drawing
from sim.report.pages import page_data
from sim.report.pages.cells import dash
from sim.report.pages.trust import coverage_words, independent_words
from sim.report.verdicts import base_words, decider_words, deciders
from sim.study.summary.trust import committed_record, independent_score
from sim.study.summary.words import NOT_MODELLED, VIEW_NOTES
from sim.study.validation.cases import validation_folder

NAN, INF = math.nan, math.inf


def texts(value: Any, key: str = "") -> Iterator[str]:
    """Every text that the template prints; addresses and commands are none."""
    if isinstance(value, str):
        if key not in ("url", "command"):
            yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item, key)


@pytest.fixture(scope="module")
def printed(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> list[str]:
    data = page_data(flagship, flagship_drawings)
    return list(texts({key: value for key, value in data.items() if key != "charts"}))


def test_nothing_printed_has_a_double_space_or_a_backtick(printed: list[str]) -> None:
    assert not [text for text in printed if "  " in text or "`" in text]


def test_words_of_the_study_have_no_stray_marks() -> None:
    for text in (*NOT_MODELLED, *VIEW_NOTES.values()):
        assert "`" not in text
        assert "  " not in text


def test_what_decides_says_around_what(
    flagship: ReportContent, flagship_drawings: dict[str, Drawing]
) -> None:
    answer = page_data(flagship, flagship_drawings)["answer"]
    assert "all others at their medians" in answer["base"]
    assert "not around the headline" in answer["base"]
    assert "12,000" in answer["base"]  # what an answer crosses where it flips
    assert "crosses" not in base_words(replace(flagship, slogan_count=None))
    for _, sensitivity, driver in deciders(flagship):
        words = decider_words(flagship, sensitivity, driver)
        assert re.search(r"\(median world [\d,]+\)$", words), words


@pytest.mark.parametrize(
    ("jobs", "kinds"),
    [(JOBS, ["training", "serving"]), (JOBS[:2], ["training"]), (JOBS[2:], ["serving"])],
)
def test_every_kind_of_job_has_a_decider(jobs: Any, kinds: list[str]) -> None:
    found = [kind for kind, _, _ in deciders(example(jobs=jobs))]
    assert len(found) == 3
    assert list(dict.fromkeys(found)) == kinds


def test_each_headline_says_how_it_was_obtained(flagship: ReportContent) -> None:
    job = replace(flagship.jobs[0], origin=Origin(1000, 4, -0.0067))
    nan_row = (1000, 7_000.0, 9_000.0, 12_000.0, 110.0, 60.0, 240.0)
    content = replace(flagship, jobs=[job], convergence=Convergence([Course(job.id, job.label, [nan_row])]))
    # Errors of the ends as the course has them, 240 of 9,000 is 2.7 %.
    assert headline_origin(content, job) == (
        "Closed form on 1,000 draws; event engine on the median world and 3 draws: count −0.67 % at most; "
        "Monte Carlo error of the ends ±110 and ±240 H100."
    )
    assert end_errors(content.convergence, job.id) == (110.0, 240.0)
    assert "closed forms over all 1,000 draws" in obtained(content)
    assert "Monte Carlo error of the ends of the intervals: 2.7 % of the median at most." in obtained(content)
    alone = replace(job, origin=Origin(1000, 0, NAN))
    assert "not played by the event engine" in headline_origin(content, alone)


def test_too_few_draws_are_said_to_be_too_few(flagship: ReportContent) -> None:
    job = replace(flagship.jobs[0], origin=Origin(16, 1, 0.01))
    row = (16, 7_000.0, 9_000.0, 12_000.0, NAN, NAN, NAN)
    content = replace(flagship, jobs=[job], convergence=Convergence([Course(job.id, job.label, [row])]))
    assert "too few to tell" in headline_origin(content, job)
    assert "too few to tell" in obtained(content)


def test_no_limit_is_explained_where_it_is_printed() -> None:
    plain, open_ = spread(10.0), Interval(7.0, 8.0, 9.0, 12.0, INF)
    assert endless("H100", [plain], [plain]) == ""
    assert endless("H100", [plain, open_], [plain]) == (
        "No limit: in one draw of twenty or more no number of H100 does the work."
    )
    assert "no cost per token is finite" in endless("H100", [plain], [open_])
    assert dash(open_) == "7.00–no limit"
    assert dash(Interval(INF, INF, INF, INF, INF)) == ""  # the median says it


def test_no_limit_on_the_first_page_comes_with_its_meaning(
    flagship: ReportContent, flagship_drawings: dict[str, Drawing]
) -> None:
    assert "No limit:" not in page_data(flagship, flagship_drawings)["answer"]["foot"]
    jobs = [replace(flagship.jobs[0], equal_count=Interval(7e3, 8e3, 9e3, 1e4, INF)), *flagship.jobs[1:]]
    answer = page_data(replace(flagship, jobs=jobs), flagship_drawings)["answer"]
    assert "No limit: in one draw of twenty or more no number of H100 does the work." in answer["foot"]


def test_every_figure_carries_the_identity(flagship_drawings: dict[str, Drawing]) -> None:
    for name, drawing in flagship_drawings.items():
        svg = drawing.svg.decode()
        for mark in ("Chip Parity 0.1.0", "inputs 3fa9c1d2", "seed 1", "1,000 draws"):
            assert mark in svg, (name, mark)


def test_every_page_carries_the_identity(
    flagship: ReportContent, flagship_drawings: dict[str, Drawing]
) -> None:
    run = page_data(flagship, flagship_drawings)["identity"]["run"]
    assert run == "Chip Parity 0.1.0 · ascend_20k_vs_h100_12k · inputs 3fa9c1d2 · seed 1 · 1,000 draws"


def test_no_letter_is_smaller_than_seven_points(flagship_drawings: dict[str, Drawing]) -> None:
    template = TEMPLATE.read_text(encoding="utf-8")
    assert min(float(size) for size in re.findall(r"(?<!square\()size: ([\d.]+)pt", template)) >= 7.0
    factors = re.search(
        r"let factors = \(([\d., ]+)\)", template
    )  # by which a full page makes its charts smaller
    assert factors is not None
    least = min(float(factor) for factor in factors.group(1).split(","))
    for name, drawing in flagship_drawings.items():
        sizes = [float(size) for size in re.findall(r"font-size: ?([\d.]+)px", drawing.svg.decode())]
        assert sizes, name
        assert least * min(sizes) >= 7.0, name


def test_the_two_colours_differ_in_grey() -> None:
    def luminance(colour: str) -> float:  # relative luminance as WCAG 2 defines it
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = luminance(FILL["b"]), luminance(FILL["a"])
    assert (light + 0.05) / (dark + 0.05) > 3.0  # contrast that WCAG asks of graphics


def test_long_names_wrap_and_keep_every_word() -> None:
    name = "constant per family, precision and kind of the model"
    lines = lines_of(name, 1.5, most=3)
    assert " ".join(lines) == name
    assert all(text_width(line, 7.8) <= 1.5 for line in lines)
    assert lines_of("short", 1.5) == ["short"]


def test_names_in_charts_are_not_cut(flagship_drawings: dict[str, Drawing]) -> None:
    cut = [name for name, drawing in flagship_drawings.items() if "…" in drawing.svg.decode()]
    assert cut == []


def test_sources_are_one_list_in_order_of_what_they_move(
    flagship: ReportContent, flagship_drawings: dict[str, Drawing]
) -> None:
    sources = page_data(flagship, flagship_drawings)["sources"]
    numbers = [entry["number"] for entry in sources["list"]]
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert {row["source"] for row in (*sources["inputs"], *sources["exact"])} == set(numbers)
    assert any(row["note"].startswith("72 to 78") for row in sources["inputs"])
    # The first moves a count by 24 % and a cost by 40 %, more than any other.
    first = [sources["inputs"][0]["count"], sources["inputs"][0]["other"], sources["exact"][0]["moves"]]
    assert [text.replace("\u00a0", " ") for text in first] == [
        "24 %",
        "40 % cost",
        "+3.8 % count, Pre-train DeepSeek-V3",
    ]


def test_a_trained_token_has_a_price(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> None:
    rows = {group["unit"]: group["rows"] for group in page_data(flagship, flagship_drawings)["money"]["rows"]}
    first = rows["USD per million trained tokens"][0]
    # 27 million USD over 14.8 million million tokens, amortised on H100, is 1.82 USD.
    assert first["label"] == "Pre-train DeepSeek-V3"
    assert first["cells"][1][0] == "1.82"


def test_misses_stand_beside_hits(flagship: ReportContent, flagship_drawings: dict[str, Drawing]) -> None:
    record = flagship.validation[0]
    held = sum(0.8 * p <= m <= 1.25 * p for _, _, m, p in record.points)
    assert coverage_words(record).startswith(
        f"The 80 % intervals hold {held} of {len(record.points)} measured values and miss {len(record.points) - held} "
    )
    rows = page_data(flagship, flagship_drawings)["trust"][0]["rows"]
    assert len(rows) == len(record.points)
    assert sum(row[-1] == "hit" for row in rows) == held
    assert {row[-1] for row in rows} == {"hit", "MISS"}


def test_blind_rows_are_told_where_there_are_any(flagship: ReportContent) -> None:
    training, serving = flagship.validation
    assert independent_words(training) == ""
    assert "12 rows" in independent_words(serving)
    assert "median error 14 %" in independent_words(serving)
    assert blind_words(flagship) == (
        "Published results gathered after the model was finished: serving, half of 12 within 14 %, 75 % inside their 80 % "
        "intervals."
    )
    assert blind_words(replace(flagship, validation=[training])) == ""


@pytest.mark.parametrize(
    ("kind", "page"), [("training", "independent-training.md"), ("serving", "independent-inference-2.md")]
)
def test_the_blind_score_is_that_of_its_page(kind: str, page: str) -> None:
    score = independent_score(kind)
    assert score is not None
    shares = [100 * share for share in (score.median_error, score.p90_error, score.bias)]
    row = " | ".join(
        [f"{score.rows}", *(f"{share:.1f} %" for share in shares), f"{100 * score.coverage:.0f} %"]
    )
    assert row in (validation_folder() / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["training", "serving"])
def test_the_record_of_the_release_holds_every_scored_row(kind: str) -> None:
    record = committed_record(kind)
    assert record is not None
    assert len(record.rows) == len(record.points) == record.groups[0].rows
    assert not any("_" in row.metric for row in record.rows)
