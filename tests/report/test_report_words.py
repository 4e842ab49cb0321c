"""Numbers and sentences read as a person would write them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_content import JOBS, example, spread
from hypothesis import given
from hypothesis import strategies as st

from sim.report.claims import cost_claim, gap_claim, parity_claim, tornado_claim
from sim.report.content import Interval
from sim.report.numbers import MINUS, aligned, bounds, number, percent, span, with_interval
from sim.report.verdicts import deciders, flip_words, slogan_verdict
from sim.report.wording import family_name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (9.996, "10.0"), (999.6, "1,000"), (12_843.0, "12,800"), (999_999.0, "1.00 million"),
        (0.0999949, "0.100"),
        (1.2345e9, "1.23 billion"), (-0.5, "−0.500"), (3e-7, "3.00e−7"),
        (float("nan"), "unknown"), (float("inf"), "no limit"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(1e-3, 9e5))
def test_a_number_keeps_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=5.01e-3)


@given(st.floats(1.0, 900.0), st.floats(-1.0, 1.0))
def test_aligned_parts_have_the_decimals_of_the_whole(whole: float, share: float) -> None:
    def decimals(text: str) -> int:
        return len(text.partition(".")[2])

    part = aligned(share * whole, whole)
    assert decimals(part) == decimals(number(whole))
    assert abs(float(part.replace(MINUS, "-").replace(",", "")) - share * whole) <= 0.51 * 10 ** -decimals(
        part
    )


def test_intervals_in_words() -> None:
    assert (
        with_interval(Interval(7_100, 9_000, 9_940, 11_000, 12_800), "H100")
        == "9,940 H100 (90 % interval 7,100 to 12,800)"
    )
    assert bounds(Interval(4.7e8, 5e8, 6e8, 7e8, 7.9e8)) == "470 to 790 million"
    assert bounds(Interval(6.18e8, 7e8, 8.13e8, 9e8, 1.01e9)) == "618 to 1,010 million"
    assert span("8 µs", "24 µs") == "8 to 24 µs"


def test_percent() -> None:
    assert percent(0.0) == "0 %"
    assert percent(-0.0004, sign=True) == "0.0 %"
    assert percent(1.344, sign=True) == "+134 %"


def test_claims_follow_the_content() -> None:
    content = example()
    a, b = content.clusters
    job = content.jobs[0]
    assert (
        parity_claim(content)
        == "20,000 Ascend 910C do the work of 8,350 to 15,600 H100, depending on the job"
    )
    assert parity_claim(example(jobs=JOBS[:1])) == "20,000 Ascend 910C do the work of 9,940 H100"
    # 0.03 on 1.50 is 2 %, and the largest cause is the largest in size, whatever its sign.
    cheaper = replace(job, a=replace(job.a, cost={"amortised": spread(1.47)}, cost_blocks={}),
                      b=replace(job.b, cost={"amortised": spread(1.50)}, cost_blocks={}),
                      gap=[("H100", 1.50), ("price", -0.50), ("throughput", 0.47), ("Ascend 910C", 1.47)],
                      gap_unit="USD per million output tokens")  # fmt: skip
    assert cost_claim(cheaper, a, b) == "Pre-train DeepSeek-V3: Ascend 910C costs 2.0 % less than H100"
    assert gap_claim(cheaper, a, b) == (
        "Ascend 910C costs 0.0300 USD less per million output tokens; the largest cause is price (−0.500)"
    )
    moved = content.sensitivities[0]
    low, high = sorted((moved.drivers[0].at_low, moved.drivers[0].at_high))
    assert tornado_claim(moved).endswith(f"alone moves the answer from {number(low)} to {number(high)}")


def test_the_slogan_is_counted_against_every_interval() -> None:
    content = example()
    jobs = [replace(job, equal_count=Interval(*(float(x) for x in low))) for job, low in zip(content.jobs, (
        (1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (9, 10, 11, 12, 13), (20, 21, 22, 23, 24)), strict=False)]  # fmt: skip
    verdict = slogan_verdict(replace(content, jobs=jobs, slogan_count=10.0))
    assert (
        verdict
        == "The slogan's 10 H100 lie inside the 90 % interval of 1 of the 4 jobs, above it for 2, below it for 1."
    )
    assert slogan_verdict(replace(content, slogan_count=None)) == ""


def test_a_flip_beyond_the_printed_range_says_so() -> None:
    content = replace(example(), slogan_count=12_000.0)
    driver = replace(
        content.sensitivities[0].drivers[0], input_low="0.452", input_high="0.601", flips_at="flips at 0.450"
    )
    assert flip_words(content, driver) == "flips at 0.450, below its 10th percentile"
    assert flip_words(content, replace(driver, flips_at="flips at 0.5")) == "flips at 0.5"
    assert flip_words(content, replace(driver, flips_at="flips at 0.7")).endswith("above its 90th percentile")
    assert flip_words(replace(content, slogan_count=None), driver) == ""


def test_each_input_decides_once() -> None:
    content = example(jobs=(JOBS[0],))
    chosen = deciders(content, 5)
    swings = [abs(d.at_high - d.at_low) / s.median for _, s, d in chosen]
    assert len({d.path for _, _, d in chosen}) == 5
    assert swings == sorted(swings, reverse=True)


def test_names_of_families() -> None:
    assert [family_name(n) for n in ("ascend-910", "h20", "all", "MoE", "one constant")] == [
        "Ascend 910", "H20", "All rows", "MoE", "one constant",
    ]  # fmt: skip
