"""Serving capacity for people and programs: tables in the terminal, JSON, a drawn frontier."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from sim.profiles.catalogue import Catalogue
from sim.profiles.workload import ServingTraffic
from sim.report.charts.capacity import throughput_latency
from sim.report.content import Interval
from sim.report.numbers import bounds, duration, number, percent
from sim.study.capacity_question import load_capacity_question
from sim.study.capacity_study import CapacityStudy, study_capacity, whole_units
from sim.study.events import LOAD
from sim.study.metrics import Metric, metric
from sim.views.capacity_cost import cost_table
from sim.views.capacity_headline import headline
from sim.views.capacity_limits import limit_tables, two_chips_table
from sim.views.listing import Listing
from sim.views.output import View, Wanted, command_line, csv_bytes, json_text, picture_files, show
from sim.views.played import check_wanted, write_played
from sim.views.served_day import served_day_tables


@dataclass(frozen=True, slots=True)
class CapacityRequest:
    """What was typed."""

    scenario: str
    job: str | None = None
    cluster: str | None = None
    demand: str | None = None
    draws: int | None = None
    seed: int | None = None
    as_of: str | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        return command_line("capacity", self, "scenario")


@dataclass(frozen=True, slots=True)
class PlayedFiles:
    """What is wanted of the requests that the event engine plays."""

    table: Path | None = None
    trace: Path | None = None
    window: str | None = None
    precision: float | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return any(each is not None for each in (self.table, self.trace, self.window, self.precision))


def show_capacity(
    catalogue: Catalogue,
    request: CapacityRequest,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
    played: PlayedFiles | None = None,
) -> None:
    """Answer, and play what is wanted of the requests; errors as of :func:`sim.views.output.show`."""
    if played is not None:
        check_wanted(played.table, played.trace, played.window)
    asked = (request.scenario, request.job, request.cluster, request.demand, request.draws, request.seed)
    question = load_capacity_question(catalogue, *asked, request.as_of)
    view = View(capacity_json, capacity_tables, capacity_files, headline)
    show(to, Wanted(as_json, out), lambda: study_capacity(catalogue, question, request.command), view)
    if played is not None and played.wanted:
        words = sys.stderr if as_json else to
        options = played.table, played.trace, played.window, played.precision
        write_played(question, words, *options, request.command)


# --- files -------------------------------------------------------------------------------------------------


def capacity_files(study: CapacityStudy) -> dict[str, bytes]:
    """Record, long table, frontier as table and, where anything is served, as picture."""
    files = {
        "capacity.json": capacity_json(study).encode(),
        "capacity.csv": capacity_csv(study),
        "frontier.csv": _frontier_csv(study),
    }
    if len(study.at_median.frontier) < 2:
        return files
    question = study.question
    traffic = question.task.workload
    assert isinstance(traffic, ServingTraffic)
    users, chip = study.at_median.operating_point
    claim = (
        f"{question.task.label} on {question.side.label}: {number(chip)} output tokens/s per chip "
        f"at {number(users)} per user"
    )
    draw = partial(
        throughput_latency,
        study.identity,
        claim,
        study.at_median.frontier,
        study.at_median.operating_point,
        traffic.targets.tpot.median,
    )
    return files | picture_files("frontier", draw)


def capacity_csv(study: CapacityStudy) -> bytes:
    """Long table of what is served and what it costs; docs/tables.md says what stands in its columns."""
    question = study.question
    columns = ("job", "cluster", "label", "metric", "unit", "statistic", "value")
    head = question.task.job.id, question.side.key, question.side.label
    rows = (
        (head[0], key.cluster, head[2], key.metric, key.unit, *statistic)
        for key, found in _metrics(study)
        for statistic in asdict(found).items()
    )
    return csv_bytes(columns, rows)


def _metrics(study: CapacityStudy) -> Iterator[tuple[Metric, Interval]]:
    key, served, needed, money = study.question.side.key, study.served, study.needed, study.money
    yield metric(key, "requests_per_chip"), served.requests_per_s
    yield metric(key, "throughput_per_chip"), served.output_tokens_per_s
    yield metric(key, "ttft"), served.ttft_s
    yield metric(key, "tpot"), served.tpot_s
    yield metric(key, "prefill_share"), served.prefill_share
    yield metric(key, "chips"), needed.chips
    yield metric(key, "unit_chips"), needed.unit_chips
    yield metric(key, "tokens_per_day"), needed.tokens_per_day
    yield metric(key, "energy"), money.energy_kwh
    yield metric(key, "input_energy"), money.prompt_energy_kwh
    costs = {
        "cost": money.cost,
        "input_cost": money.input_cost,
        "hit_cost": money.hit_cost,
        "decode_cost": money.decode_cost,
    }
    yield from (
        (metric(key, name, view), found) for name, views in costs.items() for view, found in views.items()
    )


def _frontier_csv(study: CapacityStudy) -> bytes:
    columns = ("tokens_per_s_per_user", "output_tokens_per_s_per_chip")
    return csv_bytes(columns, ((f"{x:.6g}", f"{y:.6g}") for x, y in study.at_median.frontier))


def capacity_record(study: CapacityStudy) -> dict[str, Any]:
    """Everything the tables show, in base units."""
    question = study.question
    record: dict[str, Any] = {}
    record["question"] = {
        "job": question.task.job.id,
        "model": question.task.model.id,
        "workload": question.task.workload.id,
        "cluster": question.side.key,
        "system": question.side.system.id,
        "chip": question.side.chip.id,
        "chips": question.side.choice.chips,
        "demand_tokens_per_s": question.demand_tokens_per_s,
    }
    for group in (study.served, study.needed, study.money, study.at_median, study.played):
        record |= asdict(group)
    record["ends_error"] = study.ends_error
    record["identity"] = asdict(study.identity)
    record["served_day"] = None if study.served_day is None else asdict(study.served_day)
    record["two_chips"] = None if study.two_chips is None else asdict(study.two_chips)
    record["not_played"] = study.not_played
    record["purchase_units"] = whole_units(study)
    record["chips_per_purchase_unit"] = question.side.system.unit
    return record


def capacity_json(study: CapacityStudy) -> str:
    """The record as text."""
    return json_text(capacity_record(study))


# --- tables ------------------------------------------------------------------------------------------------


def capacity_tables(study: CapacityStudy) -> Iterator[Listing]:
    """What is served, for a demand, by which units, at what cost, and how far the events agree."""
    yield _served(study)
    yield _needed(study)
    yield _units(study)
    yield from limit_tables(study)
    yield cost_table(study)
    if study.two_chips is not None:
        yield two_chips_table(study.two_chips)
    if study.served_day is not None:
        yield from served_day_tables(study.served_day)
    yield _frontier(study)
    yield _events(study)


def _served(study: CapacityStudy) -> Listing:
    question = study.question
    traffic = question.task.workload
    assert isinstance(traffic, ServingTraffic)
    rows = [
        _row("requests/s per chip", study.served.requests_per_s),
        _row("output tokens/s per chip", study.served.output_tokens_per_s),
        _row("time to first token, s", study.served.ttft_s),
        _row("time per output token, ms", study.served.tpot_s, 1e3),
        _row("share of chips that read prompts, %", study.served.prefill_share, 100),
        *((f"{phase} is limited by", limit, "") for phase, limit in study.served.limits.items()),
    ]
    targets = traffic.targets
    notes = [
        f"Promised to {targets.percentile:.0%} of requests: first token within {targets.ttft.median:g} s, the others "
        f"within {1000 * targets.tpot.median:g} ms each."
    ]
    if study.served.reason:
        notes.append(study.served.reason[0].upper() + study.served.reason[1:] + ".")
    if study.not_played:
        notes.append(study.not_played)
    if traffic.arrivals in ("on-off", "diurnal"):
        notes.append(
            f"At the peak of its {traffic.arrivals} arrivals; the mean over the swing is in chips and cost."
        )
    title = f"{question.task.label} on {question.side.label}: highest load that keeps the promise"
    return Listing(title, ("quantity", "median", "90 % interval"), rows, notes)


def _row(name: str, found: Interval, factor: float = 1.0) -> tuple[str, str, str]:
    each = Interval(*(factor * getattr(found, field) for field in Interval.__slots__))
    return name, number(each.p50), bounds(each) if each.p95 > each.p05 else ""


def _needed(study: CapacityStudy) -> Listing:
    question = study.question
    unit, count = question.side.system.unit, whole_units(study)
    rows = [
        _row("tokens per day, prompts included", study.needed.tokens_per_day),
        _row("chips", study.needed.chips),
        _row("chips of the smallest set that serves alone", study.needed.unit_chips),
        (
            f"purchases of {unit} chips ({question.side.system.name})",
            "no number" if count is None else f"{count:,}",
            "",
        ),
    ]
    asked = question.demand_tokens_per_s
    title = "what the cluster's own chips serve" if asked is None else "what the demand needs"
    notes = [
        f"A request has {number(study.needed.tokens_per_request)} tokens on average, cached ones included. A fleet sized "
        "for its peak serves less on average: `utilisation` of the traffic file."
    ]
    return Listing(title, ("quantity", "median", "90 % interval"), rows, notes)


def _units(study: CapacityStudy) -> Listing:
    best: dict[str, float] = {}
    rows = []
    for each in study.at_median.units:
        top = best.setdefault(each.phase, each.requests_per_s)
        kept = each.requests_per_s > 0
        rate = number(each.requests_per_s) if kept else "promise not kept"
        rows.append((each.phase, each.name, rate, percent(each.requests_per_s / top) if kept else ""))
    notes = [
        "Requests/s per chip of the pool of that phase, at the median of all inputs; the first of each is chosen."
    ]
    return Listing("unit shapes", ("phase", "instance", "requests/s per chip", "of the best"), rows, notes)


def _frontier(study: CapacityStudy) -> Listing:
    points = sorted(study.at_median.frontier)
    shown = points[:: max(len(points) // 8, 1)]
    rows = [(number(x), duration(1 / x), number(y)) for x, y in shown]
    columns = ("tokens/s per user", "time per token", "output tokens/s per chip")
    note = "Chosen units over their batch, at the median of all inputs; prefill chips are counted."
    return Listing("throughput against latency", columns, rows, [note])


def _events(study: CapacityStudy) -> Listing:
    found = study.played.events
    if found is None:
        return Listing(
            "the same as events", ("quantity", "closed form", "events", "gap"), [], [study.played.verdict]
        )
    closed = study.at_median.median_requests_per_s
    rows = [
        (
            "highest requests/s per chip",
            number(closed),
            number(closed * found.load),
            percent(found.load - 1, sign=True),
        )
    ]
    rows += [
        (f"{name} *", number(one), number(other), percent(other / one - 1, sign=True))
        for name, one, other in study.played.checks
    ]
    notes = [
        f"Median of all inputs; the same requests at every load. * at {LOAD:.0%} of the closed form's highest load.",
    ]
    if found.at_limit:
        notes.append("The highest load that was tried was kept, so the true one is higher.")
    return Listing("the same as events", ("quantity", "closed form", "events", "gap"), rows, notes)
