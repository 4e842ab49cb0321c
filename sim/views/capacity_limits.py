"""What limits each phase of a serving fleet, how busy its resources are, and how long requests take."""

from __future__ import annotations

from collections.abc import Iterator

from sim.report.numbers import duration, percent
from sim.study.capacity_study import CapacityStudy
from sim.study.events import LOAD
from sim.views.listing import Listing

LATENCIES = {"ttft_s": "time to first token", "tpot_s": "time per output token", "e2e_s": "whole answer"}


def limit_tables(study: CapacityStudy) -> Iterator[Listing]:
    """Limits and use of resources by phase, then latency by events."""
    yield _phases(
        "what takes the time of a step",
        study.bounds,
        "Median over the draws; a step is as long as its parts.",
    )
    yield _phases(
        "use of resources over their peak",
        study.utilisation,
        "Decode: in the mean step. Prefill: in the time of a chip that reads prompts, waiting included.",
    )
    if study.latency:
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
        for name, points in study.latency.items()
    ]
    note = f"Played request by request at {LOAD:.0%} of the highest load, all inputs at their medians."
    return Listing("latency of requests", ("", "50 %", "90 %", "99 % within"), rows, [note])
