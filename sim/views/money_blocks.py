"""What a cost is made of: block by block, the clusters side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.numbers import aligned, percent, scale_of, scaled
from sim.report.wording import view_name
from sim.study.money.answers import Ladder
from sim.study.money.study import JobMoney
from sim.views.listing import Listing

VIEWS = ("rental", "acquisition", "amortised")


def block_table(job: JobMoney, currency: str = "USD", rate: float = 1.0) -> Listing:
    """The first cost of each side, block by block, in the views that have more than one block.

    Parameters
    ----------
    rate : float
        Units of the currency for one dollar.
    """
    firsts = [side.ladders[0] for side in job.sides]
    wholes = [rate * _whole(each, view) for each in firsts for view in VIEWS]
    known = [whole for whole in wholes if 0.0 < whole < math.inf]
    scale, word = scale_of(known)
    least = min(known, default=math.nan) / scale  # all numbers have the decimals that this one needs
    rows = [row for view in VIEWS for row in _rows(firsts, view, rate / scale, least)]
    unit = firsts[0].unit.replace("USD", f"{word} {currency}".strip())
    columns = ("view", "block", *(text for side in job.sides for text in (side.label, "share")))
    note = "Blocks add up to the median of the sum; the 90 % interval is that of the block by itself."
    return Listing(f"{job.label}: {firsts[0].what} by block, {unit}", columns, rows, [note])


def _whole(found: Ladder, view: str) -> float:
    return sum(found.blocks.get(view, {}).values())


def _rows(firsts: Sequence[Ladder], view: str, factor: float, least: float) -> list[tuple[str, ...]]:
    parts = [each.blocks.get(view, {}) for each in firsts]
    every = dict.fromkeys(name for each in parts for name in each)
    names = [name for name in every if any(each.get(name, 0.0) != 0.0 for each in parts)]
    if len(names) < 2 or all(math.isnan(_whole(each, view)) for each in firsts):
        return []
    rows = [
        (view_name(view), name, *(text for each in firsts for text in _part(each, view, name, factor, least)))
        for name in names
    ]
    sums = (text for each in firsts for text in _sum(_whole(each, view), factor, least))
    return [*rows, (view_name(view), "all", *sums)]


def _sum(whole: float, factor: float, least: float) -> tuple[str, str]:
    return ("unknown", "") if math.isnan(whole) else (aligned(factor * whole, least), "100 %")


def _part(found: Ladder, view: str, name: str, factor: float, least: float) -> tuple[str, str]:
    """A block with its interval, and its share of the sum."""
    part, whole = found.blocks.get(view, {}).get(name), _whole(found, view)
    if part is None or math.isnan(whole):
        return ("–" if part is None else "unknown"), ""
    spread = scaled(found.ranges[view][name], factor)
    low, high = (aligned(end, least) for end in (spread.p05, spread.p95))
    return f"{aligned(factor * part, least)} ({low} to {high})", percent(part / whole)
