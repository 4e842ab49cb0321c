"""Counts by every measure in the terminal, as JSON and as a table."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from sim.economics import ownership
from sim.profiles.catalogue import Catalogue
from sim.report.numbers import bounds, number, whole_percent
from sim.report.wording import listed
from sim.study.equal import BASES, EqualCount
from sim.study.equal_study import EqualAnswer, equal_answer
from sim.study.metrics import BOTH, UNITS
from sim.study.question import load_question
from sim.study.summary.statistics import interval
from sim.study.summary.tables import labels
from sim.views.listing import Listing
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, json_text, show

COLUMNS = (
    "scenario",
    "group",
    "job",
    "cluster",
    "label",
    "metric",
    "basis",
    "unit",
    "p05",
    "p25",
    "p50",
    "p75",
    "p95",
    "share_at_least",
    "note",
)


@dataclass(frozen=True, slots=True)
class EqualRequest:
    """What was typed."""

    scenario: str
    metrics: Sequence[str] = ()
    jobs: Sequence[str] = ()
    view: ownership.View = "amortised"
    draws: int | None = None
    seed: int | None = None
    as_of: str | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        many = [f"--metric {each}" for each in self.metrics] + [f"--job {each}" for each in self.jobs]
        asked = (("draws", self.draws), ("seed", self.seed), ("as-of", self.as_of))
        many += [f"--{name} {value}" for name, value in asked if value is not None]
        many += [] if self.view == "amortised" else [f"--view {self.view}"]
        return " ".join(["parity equal", shlex.quote(self.scenario), *many])


def show_equal(
    catalogue: Catalogue,
    request: EqualRequest,
    out: TextIO,
    *,
    as_json: bool = False,
    folder: Path | None = None,
) -> None:
    """Print the counts side by side; write them as CSV and JSON where a folder is given."""
    question = load_question(catalogue, request.scenario, request.as_of)
    asked = request.metrics, request.jobs, request.draws, request.seed, request.view

    def record(found: EqualAnswer) -> str:
        return json_text(_record(found, request))

    def files(found: EqualAnswer) -> dict[str, bytes]:
        table = _table(found).to_csv(index=False, lineterminator="\n")
        return {"equal.csv": table.encode(), "equal.json": record(found).encode()}

    view = View(record, _listings, files, _headline)
    show(out, Wanted(as_json, folder), lambda: equal_answer(question, *asked), view)


def _headline(found: EqualAnswer) -> Iterator[str]:
    """Whether the conclusion survives another measure, and how well the counts are known."""
    yield from filter(None, [_work(found)])
    yield from verdict(found).splitlines()
    yield obtained(found.draws, found.seed, found.ends_error, found.question.as_of or "")


def _work(found: EqualAnswer) -> str:
    """How many of B do the work of A; from the least to the most where there are several jobs."""
    a, b = found.question.sides
    works = [interval(each.count) for each in found.counts if each.basis == "work" and each.count is not None]
    medians = sorted((each for each in works if not math.isnan(each.p50)), key=lambda each: each.p50)
    if not medians:
        return ""
    head = f"{a.choice.chips:,} {a.label} do the work of"
    if len(medians) == 1:
        return f"{head} {number(medians[0].p50)} {b.label} ({bounds(medians[0])})."
    ends = dict.fromkeys(number(each.p50) for each in (medians[0], medians[-1]))
    return f"{head} {' to '.join(ends)} {b.label} (medians of {len(medians)} jobs; the intervals are below)."


def _table(found: EqualAnswer) -> pd.DataFrame:
    rows = []
    label = labels(found.question)[BOTH]
    for each in found.counts:
        levels = [math.nan] * 5 if each.count is None else list(asdict(interval(each.count)).values())
        metric = "equal_count" if each.basis == "work" else f"equal_{each.basis}"
        share = each.at_least(found.question.b.choice.chips)
        rows.append(
            (
                *(found.question.scenario.id, each.group, each.job, BOTH, label, metric, each.basis),
                *(UNITS["equal_count"], *levels, share, each.why),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _record(found: EqualAnswer, request: EqualRequest) -> dict[str, Any]:
    a, b = found.question.sides
    return {
        "scenario": found.question.scenario.id,
        "command": request.command,
        "draws": found.draws,
        "seed": found.seed,
        "a": {"label": a.label, "chips": a.choice.chips},
        "b": {"label": b.label, "chips": b.choice.chips},
        "counts": [_entry(found, each) for each in found.counts],
        "refused": [{"job": label, "reason": reason} for label, reason in found.refused],
        "ends_error": found.ends_error,
        "verdict": verdict(found),
    }


def _entry(found: EqualAnswer, each: EqualCount) -> dict[str, Any]:
    entry: dict[str, Any] = {"group": each.group, "job": each.job, "basis": each.name, "key": each.basis}
    if each.count is None:
        return {**entry, "count": None, "why": each.why}
    share = each.at_least(found.question.b.choice.chips)
    return {**entry, "count": asdict(interval(each.count)), "share_at_least": share}


# --- terminal ------------------------------------------------------------------------------------------------


def _listings(found: EqualAnswer) -> Iterator[Listing]:
    a, b = found.question.sides
    head = f"{b.label} that equal {a.choice.chips:,} {a.label}"
    own = f"{b.choice.chips:,} or more"
    plain = [each for each in found.counts if not each.job]
    if plain:
        rows: list[tuple[str, ...]] = [(each.name, *_cells(each), _share(found, each)) for each in plain]
        yield Listing(f"{head}: on paper and by price", ("measure", "count", "90 % interval", own), rows)
    simulated = [each for each in found.counts if each.job and each.count is not None]
    if not simulated:
        return
    names = {task.job.id: task.label for task in found.question.tasks}
    rows = [(names[each.job], each.name, *_cells(each), _share(found, each)) for each in simulated]
    yield Listing(f"{head}: simulated", ("job", "measure", "count", "90 % interval", own), rows, [
        f"{own}: share of the draws in which the count is.",
        *_unknown(found),
        "Money and power: of the chips while they do the job. Energy: with the work and the time of "
        f"{a.label}, idle where the work is done. Where a count for the same money, power or energy is above that for "
        f"the same work, {b.label} does the job for less of it.",
        *(f"{label}: {reason}" for label, reason in found.refused),
    ])  # fmt: skip


def _unknown(found: EqualAnswer) -> list[str]:
    """Why a count by money is missing from the table."""
    missing = {each.why for each in found.counts if each.basis == "cost" and each.count is None}
    return [f"{BASES['cost'].capitalize()}: {why}." for why in sorted(missing)]


def _cells(each: EqualCount) -> tuple[str, str]:
    if each.count is None:
        return "–", each.why
    found = interval(each.count)
    return number(found.p50), bounds(found) if found.p95 > found.p05 else ""


def _share(found: EqualAnswer, each: EqualCount) -> str:
    share = each.at_least(found.question.b.choice.chips)
    return "" if math.isnan(share) else ">99 %" if 0.995 <= share < 1.0 else whole_percent(share)


def verdict(found: EqualAnswer) -> str:
    """Whether the conclusion survives another measure, in a line or two."""
    a, b = found.question.sides
    labels = {task.job.id: task.label for task in found.question.tasks}
    places: dict[str, list[str]] = {"held": [], "failed": [], "open": []}
    for each in found.counts:
        if each.count is None or (each.job and each.basis != "work"):
            continue
        ends = interval(each.count)
        place = "held" if ends.p05 >= b.choice.chips else "failed" if ends.p95 < b.choice.chips else "open"
        places[place].append(labels[each.job] if each.job else each.name)
    said = f"{a.choice.chips:,} {a.label} equal"
    words = {
        "held": f"{said} {b.choice.chips:,} {b.label} or more by",
        "failed": f"{said} fewer by",
        "open": f"Undecided (the 90 % interval holds {b.choice.chips:,}) by",
    }
    return "\n".join(f"{words[place]} {listed(names)}." for place, names in places.items() if names)
