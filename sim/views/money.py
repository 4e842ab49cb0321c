"""Money for people and programs: cost ladders, margins, break-evens and chip-hours in the terminal, as JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.profiles.scenario import ClusterChoice
from sim.report.content import Interval
from sim.report.numbers import bounds, number, percent, scaled, whole_percent
from sim.report.wording import listed, view_name
from sim.study.metrics import OF_A_RUN, metric
from sim.study.money.answers import BreakEvenAnswer, Ladder, SideAnswer
from sim.study.money.question import MoneyQuestion, Options, direct_money, scenario_money
from sim.study.money.study import JobMoney, MoneyAnswer, answer_money
from sim.study.prices import exchange_rate
from sim.units import DAY, YEAR
from sim.views.listing import Listing
from sim.views.money_blocks import VIEWS, block_table
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, command_line, csv_bytes, json_text, show

INTERVAL = "90 % interval"
LARGER = {"a request": ("a thousand requests", 1000.0)}  # so many of them that their cost is a plain number
MOSTLY = 0.995  # share of the draws that rounds to all of them
FLEET = 1024  # chips of a question that names no number, up to whole purchases


@dataclass(frozen=True, slots=True)
class CostRequest:
    """What was typed."""

    scenario: str | None = None
    job: str | None = None
    model: str | None = None
    workload: str | None = None
    system: str | None = None
    region: str | None = None
    chips: int | None = None
    price_list: str | None = None
    as_of: str | None = None
    currency: str = "USD"
    session_requests: float | None = None
    served_days: float = YEAR / DAY
    draws: int | None = None
    seed: int | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        return command_line("cost", self, "scenario")


def show_cost(
    catalogue: Catalogue, request: CostRequest, to: TextIO, *, as_json: bool = False, out: Path | None = None
) -> None:
    """Answer, write the files that are wanted, and print; errors as of :func:`sim.views.output.show`."""
    question = money_question(catalogue, request)
    money = request.currency, 1.0
    if request.currency != "USD":
        money = request.currency, exchange_rate(catalogue, request.currency, question.as_of).median
    view = View(
        cost_json,
        lambda answer: cost_tables(answer, *money),
        cost_files,
        lambda answer: headline(answer, *money),
    )
    show(to, Wanted(as_json, out), lambda: answer_money(catalogue, question, request.command), view)


def cost_files(answer: MoneyAnswer) -> dict[str, bytes]:
    """Record and long table."""
    return {"cost.json": cost_json(answer).encode(), "cost.csv": cost_csv(answer)}


def money_question(catalogue: Catalogue, request: CostRequest) -> MoneyQuestion:
    """The question that was typed: a scenario, or model, workload, system and region.

    Raises
    ------
    InputError
        When it is neither, or both.
    """
    options = Options(
        request.price_list, request.as_of, request.draws, request.seed, request.session_requests, request.served_days
    )  # fmt: skip
    parts = {name: getattr(request, name) for name in ("model", "workload", "system", "region")}
    given = [name for name, value in parts.items() if value is not None]
    if request.scenario is not None:
        if given:
            raise InputError([Problem(f"--{given[0]}: the scenario says it already; give one or the other")])
        return scenario_money(catalogue, request.scenario, request.job, options)
    missing = [f"--{name}" for name, value in parts.items() if value is None]
    if missing:
        raise InputError([Problem(f"parity cost needs a scenario, or {', '.join(missing)}")])
    unit = catalogue.system(str(request.system)).unit
    chips = request.chips or unit * math.ceil(FLEET / unit)
    choice = ClusterChoice(system=str(request.system), chips=chips, region=str(request.region))
    return direct_money(catalogue, str(request.model), str(request.workload), choice, options)


# --- headline ---------------------------------------------------------------------------------------------


def headline(answer: MoneyAnswer, currency: str = "USD", rate: float = 1.0) -> Iterator[str]:
    """What each job costs and who does it for less, a line each, and how that was obtained."""
    for job in answer.jobs:
        yield _costs(job, currency, rate)
    run = answer.identity
    errors = [job.ends_error for job in answer.jobs if job.view]
    worst = max(errors, key=lambda error: math.inf if math.isnan(error) else error, default=math.nan)
    yield obtained(run.draws, run.seed, worst, run.as_of)
    yield from (f"Note: {note}" for note in answer.notes)


def _costs(job: JobMoney, currency: str, rate: float) -> str:
    thing = "a run" if job.kind == "training" else "a million output tokens, prompts included,"
    if not job.view:
        return f"{job.label}: what {thing.rstrip(',')} costs is known on neither side in the same view; see the notes."
    verb = "costs" if job.kind == "training" else "cost"
    found = [
        _said(side.ladders[0].views[job.view], currency, rate) + f" on {side.label}" for side in job.sides
    ]
    line = f"{job.label}: {thing} {verb} {listed(found)} ({job.view})"
    if job.kind == "training":
        each = [number(rate * side.ladders[1].views[job.view].p50) for side in job.sides]
        line += f", {listed(each)} {currency} per million trained tokens"
    return line + _cheaper(job)


def _said(found: Interval, currency: str, rate: float) -> str:
    middle, ends = _cells(found, rate)
    return f"{middle} {currency} ({ends})" if ends else f"{middle} {currency}"


def _cheaper(job: JobMoney) -> str:
    if job.view not in job.cheaper:
        return "."
    shares = job.cheaper[job.view]
    if shares == (0.0, 0.0):
        return ": as much as each other."
    side = job.sides[int(shares[1] > shares[0])]
    return f": {side.label} is cheaper in {percent(max(shares))} of the draws."


# --- tables ------------------------------------------------------------------------------------------------


def cost_tables(answer: MoneyAnswer, currency: str = "USD", rate: float = 1.0) -> Iterator[Listing]:
    """Ladders, blocks, margins and break-evens of every job."""
    for job in answer.jobs:
        yield _ladders(job, currency, rate)
        blocks = block_table(job, currency, rate)
        if blocks.rows:
            yield blocks
        if any(side.margins for side in job.sides):
            yield _margins(job)
        if any(side.break_evens for side in job.sides):
            yield _break_evens(job)


def _ladders(job: JobMoney, currency: str, rate: float) -> Listing:
    """Every cost of the job, the clusters side by side."""
    kinds = {(each.what, each.unit): None for side in job.sides for each in side.ladders}
    rows = []
    for what, unit in kinds:
        found = [next((each for each in side.ladders if each.what == what), None) for side in job.sides]
        views = [view for view in VIEWS if any(each is not None and view in each.views for each in found)]
        name, factor = LARGER.get(what, (what, 1.0))
        for view in views:
            cells = ["" if each is None else _cell(each.views.get(view), factor * rate) for each in found]
            rows.append((name, _short(unit, currency), view_name(view), *cells))
    notes = [f"Median ({INTERVAL})."]
    notes += [f"{side.chips:,} {side.label}, {side.region}.{_request(side)}" for side in job.sides]
    notes += dict.fromkeys(note for side in job.sides for note in side.notes)
    columns = ("what", "unit", "view", *(side.label for side in job.sides))
    return Listing(f"{job.label}: what it costs", columns, rows, notes)


def _short(unit: str, currency: str) -> str:
    """The unit of a row whose name says what there is a million of."""
    money, per, _ = unit.partition(" per million")
    return f"{money}/million".replace("USD", currency) if per else unit.replace("USD", currency)


def _request(side: SideAnswer) -> str:
    if side.tokens is None:
        return ""
    missed, hit, output = (number(tokens) for tokens in side.tokens)
    return f" A mean request: {missed} prompt tokens computed, {hit} from the cache, {output} of output."


def _cell(found: Interval | None, factor: float = 1.0) -> str:
    """Median and 90 % interval; the median alone of what is certain."""
    if found is None:
        return ""
    middle, ends = _cells(found, factor)
    return f"{middle} ({ends})" if ends and not math.isnan(found.p50) else middle


def _cells(found: Interval, factor: float = 1.0) -> tuple[str, str]:
    each = scaled(found, factor)
    return number(each.p50), bounds(each) if each.p95 > each.p05 else ""


def _margins(job: JobMoney) -> Listing:
    rows = [
        (side.label, each.prices, each.valid_from, view_name(view), number(each.revenue_usd.p50),
         _share(each.margin[view]), _share(each.markup[view]))
        for side in job.sides for each in side.margins for view in VIEWS if view in each.margin
    ]  # fmt: skip
    columns = (
        "cluster", "price list", "from", "view", "USD per request", "margin on revenue", "profit over cost",
    )  # fmt: skip
    note = "Every token billed at the list, none free or discounted: an upper bound of what comes in."
    return Listing(f"{job.label}: margin at a price list", columns, rows, [note])


def _share(found: Interval) -> str:
    if math.isnan(found.p50):
        return "unknown"
    return f"{percent(found.p50)} ({percent(found.p05)} to {percent(found.p95)})"


def _break_evens(job: JobMoney) -> Listing:
    rows = []
    for side in job.sides:
        for each in side.break_evens:
            name = each.input if each.unit == "1" else f"{each.input}, {each.unit}"
            there = whole_percent(each.share)
            rows.append((side.label, each.against, name, number(each.now.p50), break_even_words(each), there))
    every = [each for side in job.sides for each in side.break_evens if each.share < MOSTLY]
    beyond = dict.fromkeys(f"{each.out_of_range} ({each.input})" for each in every)
    notes = [
        "Amortised view; one input moves, all else stays. Each draw has a break-even of its own: shown are their median "
        f"and {INTERVAL}, not the value at which the medians above meet."
    ]
    if beyond:
        notes.append(
            f"In draws: the share of them that have one within range; in the others {', '.join(beyond)}."
        )
    columns = ("cluster", "costs as much as", "at a", "now", f"break-even ({INTERVAL})", "in draws")
    return Listing(f"{job.label}: break-evens", columns, rows, notes)


def break_even_words(found: BreakEvenAnswer) -> str:
    """The value with its interval, or that there is none."""
    ends = found.found.p05, found.found.p50, found.found.p95
    if any(math.isnan(end) for end in ends):
        return "unknown"
    if found.share == 0.0:
        return "none within range"
    low, middle, high = (_within(end, found) for end in ends)
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def _within(value: float, found: BreakEvenAnswer) -> str:
    return (
        f"below {found.low:g}"
        if value < found.low
        else f"above {found.high:g}"
        if value > found.high
        else number(value)
    )


# --- files -------------------------------------------------------------------------------------------------


def cost_record(answer: MoneyAnswer) -> dict[str, Any]:
    """Everything the tables show, in base units and dollars."""
    return asdict(answer)


def cost_json(answer: MoneyAnswer) -> str:
    """The record as text; what has no finite value is null."""
    return json_text(cost_record(answer))


def cost_csv(answer: MoneyAnswer) -> bytes:
    """Long table of every cost and its blocks; docs/tables.md says what stands in its columns."""
    columns = ("job", "cluster", "label", "what", "metric", "unit", "block", "statistic", "value")
    ladders = ((job, side, each) for job in answer.jobs for side in job.sides for each in side.ladders)
    return csv_bytes(columns, (line for ladder in ladders for line in _lines(*ladder)))


def _lines(job: JobMoney, side: SideAnswer, ladder: Ladder) -> Iterator[tuple[object, ...]]:
    whole_run = job.kind == "training" and ladder.metric in OF_A_RUN
    for view, found in ladder.views.items():
        key = metric(side.key, ladder.metric, view, run=whole_run)
        parts = {"all": found, **ladder.ranges.get(view, {})}
        head = job.id, key.cluster, side.label, ladder.what, key.metric, key.unit
        for block, part in parts.items():
            yield from ((*head, block, *statistic) for statistic in asdict(part).items())
