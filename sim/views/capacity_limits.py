"""What limits each phase of a serving fleet, how busy its resources are, and how long requests take."""

from __future__ import annotations

from collections.abc import Iterator

from sim.report.content import Interval
from sim.report.numbers import bounds, duration, number, percent
from sim.report.wording import view_name
from sim.study.capacity_study import CapacityStudy
from sim.study.events import LOAD
from sim.study.two_chips import TwoChips
from sim.views.listing import Listing

LATENCIES = {"ttft_s": "time to first token", "tpot_s": "time per output token", "e2e_s": "whole answer"}


def limit_tables(study: CapacityStudy) -> Iterator[Listing]:
    """Limits and use of resources by phase, then latency by events."""
    yield _phases(
        "what takes the time of a step",
        study.served.bounds,
        "Median over the draws; a step is as long as its parts.",
    )
    yield _phases(
        "use of resources over their peak",
        study.served.utilisation,
        "Decode: in the mean step. Prefill: in the time of a chip that reads prompts, waiting included.",
    )
    if study.played.latency:
        yield _latency(study)


def _phases(title: str, table: dict[str, dict[str, float]], note: str) -> Listing:
    names = list(dict.fromkeys(name for shares in table.values() for name in shares))
    rows = [
        (name, *(percent(shares[name]) if name in shares else "" for shares in table.values()))
        for name in names
    ]
    return Listing(title, ("", *table), rows, [note])


def _latency(study: CapacityStudy) -> Listing:
    rows = [
        (LATENCIES[name], *(duration(seconds) for seconds in points.values()))
        for name, points in study.played.latency.items()
    ]
    note = f"Played request by request at {LOAD:.0%} of the highest load, all inputs at their medians."
    return Listing("latency of requests", ("", "50 %", "90 %", "99 % within"), rows, [note])


def two_chips_table(found: TwoChips) -> Listing:
    """Prompts on one chip, answers on the other."""
    rows = [
        (f"requests/s per {found.writer} that writes", *_range(found.requests_per_s)),
        (f"{found.reader} that read, per {found.writer} that writes", *_range(found.readers_per_writer)),
    ]
    for view, usd in found.cost.items():
        words = f"USD per million output tokens, {view_name(view).lower()}"
        rows.append((words, *_range(usd)))
        rows.append((f"the same, {found.writer} alone", *_range(found.alone[view])))
    note = "Each pool at its own highest load, in the region of the cluster; fleet block, `prefill_system`."
    title = f"prompts read on {found.reader}, answers written on {found.writer}"
    return Listing(title, ("quantity", "median", "90 % interval"), rows, [note])


def _range(found: Interval) -> tuple[str, str]:
    return number(found.p50), bounds(found) if found.p95 > found.p05 else ""
