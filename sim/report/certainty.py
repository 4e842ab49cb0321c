"""Sentences on measures, lines and draws: does the conclusion survive, where does it turn, how well is it known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.content import Convergence, Course, Curve, Interval, JobContent, ReportContent
from sim.report.numbers import number, percent
from sim.report.wording import listed, owner_and_field


def equals_claim(content: ReportContent) -> str:
    """Whether the conclusion survives another measure: by which A equals B's own count, by which not, and which are open."""
    b = content.clusters[1]
    held: list[str] = []
    failed: list[str] = []
    open_: list[str] = []
    for row in content.equals:
        first = row.cells[0]
        if first.count is not None:
            place = held if first.count.p05 >= b.chips else failed if first.count.p95 < b.chips else open_
            place.append(row.label)
    parts = [
        (f"{b.chips:,} {b.label} or more by", held),
        ("fewer by", failed),
        (f"{b.chips:,} lie inside the 90 % interval by", open_),
    ]
    return "; ".join(f"{words} {listed(names)}" for words, names in parts if names) + "."


def curve_claim(job_label: str, b: str, chips: int, curve: Curve) -> str:
    """Where along an input the conclusion turns: as many of B as there are, by work or by money; else how far it goes."""
    field = owner_and_field(curve.input)[1]
    unit = f" {curve.unit}" if curve.unit else ""
    for what, at in (("do the same work", curve.work_at[1]), ("cost the same", curve.money_at[1])):
        if at is not None:
            return f"{job_label}: {chips:,} {b} {what} where {field} is {number(at)}{unit}"
    lines = [("the same work takes", curve.work), ("the same money buys", curve.money)]
    known = [(what, [each for each in counts if math.isfinite(each.p50)]) for what, counts in lines]
    moves = [(abs(counts[-1].p50 - counts[0].p50), what, counts) for what, counts in known if counts]
    if not moves:
        return f"{job_label}: no count over this range of {field}"
    _, what, counts = max(moves, key=lambda move: move[0])
    return f"{job_label}: {what} {number(counts[0].p50)} to {number(counts[-1].p50)} {b} over this range of {field}"


def obtained(content: ReportContent) -> str:
    """How the headlines were obtained and how well their ends are known, in two sentences."""
    draws = f"all {content.identity.draws:,} draws"
    return " ".join(filter(None, [f"{_played(content, draws)}.", _ends_known(content.convergence)]))


def _played(content: ReportContent, draws: str) -> str:
    played = [job.origin for job in content.jobs if job.origin is not None and job.origin.events]
    gaps = [abs(each.gap) for each in played if math.isfinite(each.gap)]
    if not gaps:
        return f"The counts are closed forms over {draws}; no event engine could play a job"
    least, most = (pick(each.events for each in played) for pick in (min, max))
    worlds = f"{least} to {most} worlds" if most > least else f"{most} world{'s' if most > 1 else ''}"
    who = (
        "every job" if len(played) == len(content.jobs) else f"{len(played)} of the {len(content.jobs)} jobs"
    )
    return (
        f"The counts are closed forms over {draws}; the event engines played {who} on {worlds} and give counts that "
        f"differ by {percent(max(gaps))} at most"
    )


def _ends_known(convergence: Convergence) -> str:
    errors = [known_errors(course)[-1][1] for course in convergence.courses if known_errors(course)]
    answered = any(
        math.isfinite(value) for course in convergence.courses for row in course.rows for value in row[1:4]
    )
    if not errors:
        return (
            ""
            if not answered
            else "The draws are too few to tell how well the ends of the intervals are known."
        )
    return f"Monte Carlo error of the ends of the intervals: {percent(max(errors))} of the median at most."


def headline_origin(content: ReportContent, job: JobContent) -> str:
    """How one headline was obtained: closed form on N draws, events on M worlds, the gap, and the error of its ends."""
    if job.origin is None:
        return ""
    b = content.clusters[1].label
    played = f"Closed form on {job.origin.closed:,} draws; not played by the event engine"
    if job.origin.events:
        further = job.origin.events - 1
        worlds = "the median world" + (f" and {further} draws" if further else "")
        gap = (
            f"count {percent(job.origin.gap, sign=True)}" if math.isfinite(job.origin.gap) else "gap unknown"
        )
        most = " at most" if further else ""
        played = f"Closed form on {job.origin.closed:,} draws; event engine on {worlds}: {gap}{most}"
    if not math.isfinite(job.equal_count.p05):
        return f"{played}."
    ends = end_errors(content.convergence, job.id)
    known = (
        f"Monte Carlo error of the ends ±{number(ends[0], 2)} and ±{number(ends[1], 2)} {b}"
        if ends is not None
        else "the draws are too few to tell the Monte Carlo error of the ends"
    )
    return f"{played}; {known}."


def blind_words(content: ReportContent) -> str:
    """How the physics did on rows that nobody had seen, kind by kind; empty where there are none."""
    scores = [(record.kind, record.independent) for record in content.validation if record.independent]
    parts = [
        f"{kind}, half of {score.rows} within {percent(score.median_error)}, {percent(score.coverage)} inside their 80 % "
        "intervals"
        for kind, score in scores
    ]
    return f"Published results gathered after the model was finished: {'; '.join(parts)}." if parts else ""


def end_errors(convergence: Convergence, job_id: str) -> tuple[float, float] | None:
    """Half-widths of the 90 % intervals of the 5th and the 95th percentile [chip]; None where they are not known."""
    for course in convergence.courses:
        if course.job_id == job_id and course.rows:
            _, _, _, _, low, _, high = course.rows[-1]
            return (low, high) if math.isfinite(low + high) else None
    return None


def endless(b: str, counts: Sequence[Interval], costs: Sequence[Interval]) -> str:
    """What "no limit" means where one of these numbers is printed so; empty where none is.

    Parameters
    ----------
    b : str
        Label of the chip that is counted.
    """
    parts = []
    if any(math.isinf(end) for count in counts for end in (count.p05, count.p95)):
        parts.append(f"no number of {b} does the work")
    if any(math.isinf(cost.p95) for cost in costs):
        parts.append("nothing is served as promised, so that no cost per token is finite")
    if not parts:
        return ""
    return f"No limit: in one draw of twenty or more {' or '.join(parts)}."


def known_errors(course: Course) -> list[tuple[int, float]]:
    """Draws, and the larger error of the two ends of the interval as a share of the median, where both are known."""
    found = []
    for draws, _, middle, _, low, _, high in course.rows:
        if math.isfinite(low + high) and math.isfinite(middle) and middle:
            found.append((draws, max(low, high) / abs(middle)))
    return found


def convergence_claim(convergence: Convergence) -> str:
    """How well the ends of the intervals are known."""
    last = [known_errors(course)[-1] for course in convergence.courses if known_errors(course)]
    if not last:
        return "Draws behind the answers"
    worst = percent(max(error for _, error in last))
    claim = f"With {last[0][0]:,} draws the ends of every interval are known to within {worst} of the median"
    if convergence.asked is None:
        return claim
    if convergence.open:
        return f"{claim}; {percent(convergence.asked)} was asked for and not reached"
    return f"{claim}, as asked for: {percent(convergence.asked)}"


def draws_note(convergence: Convergence, draws: int) -> str:
    """Why there are as many draws as there are; empty where their number was given."""
    if convergence.asked is None:
        return ""
    grown = (
        f"Draws doubled from {convergence.first:,}"
        if draws > convergence.first
        else f"{draws:,} draws were enough"
    )
    wanted = f"the ends of every headline known to {percent(convergence.asked)} of its median"
    if convergence.open:
        return (
            f"{grown} to the most allowed, {convergence.most:,}, without reaching what was asked for ({wanted}) in "
            f"{listed(list(convergence.open))}."
        )
    return (
        f"{grown} until what was asked for was reached: {wanted}."
        if draws > convergence.first
        else f"{grown}: {wanted}."
    )
