"""The answer of a job in words, where a slogan stands, and which inputs decide it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.content import Driver, JobContent, ReportContent, Sensitivity
from sim.report.numbers import bounds, number, span, with_interval


def slogan_verdict(content: ReportContent) -> str:
    """Where the slogan's count lies in the intervals of the jobs; empty without a slogan."""
    count = content.slogan_count
    if not count:
        return ""
    b = content.clusters[1]
    inside = [job for job in content.jobs if job.equal_count.p05 <= count <= job.equal_count.p95]
    fewer = sum(job.equal_count.p95 < count for job in content.jobs)
    more = sum(job.equal_count.p05 > count for job in content.jobs)
    parts = [
        f"The slogan's {count:,.0f} {b.label} lie inside the 90 % interval of {_of(len(inside), len(content.jobs))}"
    ]
    if fewer:
        parts.append(f"above it for {fewer}")
    if more:
        parts.append(f"below it for {more}")
    return ", ".join(parts) + "."


def _of(part: int, whole: int) -> str:
    if part == whole:
        return "every job" if whole > 1 else "the job"
    return f"{'none' if part == 0 else part} of the {whole} jobs"


def job_sentence(content: ReportContent, job: JobContent) -> str:
    """The answer of one job, in words."""
    a, b = content.clusters
    if math.isnan(job.equal_count.p50):
        return f"Neither {a.label} nor {b.label} can do this job as promised."
    if math.isinf(job.equal_count.p50):
        return f"No number of {b.label} does the work of {a.chips:,} {a.label} in most draws."
    return (
        f"{a.chips:,} {a.label} do the work of {with_interval(job.equal_count, b.label)}. "
        f"As sized here, {a.chips:,} {a.label} work {number(job.speed_ratio.p50)} times as fast as "
        f"{b.chips:,} {b.label} (90 % interval {bounds(job.speed_ratio)})."
    )


def deciders(content: ReportContent, most: int = 3) -> list[tuple[str, Sensitivity, Driver]]:
    """The inputs that move an answer most, each once, with the job that it moves most; every kind of job has one.

    Returns
    -------
    list of (kind, Sensitivity, Driver)
        Kind by kind in the order of the jobs, the strongest first.
    """
    kinds = {job.id: job.kind for job in content.jobs}
    order: list[str] = list(dict.fromkeys(kinds.values()))
    told = [each for each in content.sensitivities if each.job_id in kinds]
    ranked = [(str(kinds[s.job_id]), s, d) for s, d in _ranked(told)]
    first = [next((each for each in ranked if each[0] == kind), None) for kind in order]
    chosen = [each for each in first if each is not None]
    chosen += [each for each in ranked if each not in chosen][: max(0, most - len(chosen))]
    return sorted(chosen, key=lambda each: (order.index(each[0]), ranked.index(each)))


def _ranked(sensitivities: Sequence[Sensitivity]) -> list[tuple[Sensitivity, Driver]]:
    """Inputs by their largest relative swing, each with the job in which it has it."""
    best: dict[str, tuple[float, Sensitivity, Driver]] = {}
    for sensitivity in sensitivities:
        for driver in sensitivity.drivers:
            swing = abs(driver.at_high - driver.at_low) / max(abs(sensitivity.median), 1e-30)
            if driver.path not in best or swing > best[driver.path][0]:
                best[driver.path] = (swing, sensitivity, driver)
    return [(s, d) for _, s, d in sorted(best.values(), key=lambda item: -item[0])]


def decider_words(content: ReportContent, sensitivity: Sensitivity, driver: Driver) -> str:
    """What an input does to the answer of a job, and around what: "takes Chat from 9 to 12 H100 (median world 10)"."""
    return (
        f"from {span(driver.input_low, driver.input_high)} takes {sensitivity.job_label} from "
        f"{number(driver.at_low)} to {number(driver.at_high)} {content.clusters[1].label} (median world "
        f"{number(sensitivity.median)})"
    )


def base_words(content: ReportContent) -> str:
    """What the ends of the deciding inputs are measured from, and what flips."""
    base = (
        "Each input alone, from its 10th to its 90th percentile, all others at their medians: the ends lie around the "
        "answer of that median world, not around the headline, which is the median over all draws."
    )
    if not content.slogan_count:
        return base
    return (
        f"{base} An answer flips where the headline, with that input fixed, crosses the slogan\u2019s "
        f"{content.slogan_count:,.0f}."
    )


def flip_words(content: ReportContent, driver: Driver) -> str:
    """Where an input takes the answer across the slogan's count, beyond its printed range if so; empty without one.

    The range in print is the 10th to the 90th percentile, the search for the crossing goes further.
    """
    if not content.slogan_count:
        return ""
    _, flips, where = driver.flips_at.partition("flips at ")
    ends = [end.partition(" ") for end in (where, driver.input_low, driver.input_high)]
    if not flips or len({unit for _, _, unit in ends}) > 1:
        return driver.flips_at
    try:
        at, low, high = (float(size.replace(",", "")) for size, _, _ in ends)
    except ValueError:
        return driver.flips_at
    beyond = ", below its 10th percentile" if at < low else ", above its 90th percentile" if at > high else ""
    return driver.flips_at + beyond
