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
from sim.report.numbers import bounds, number, percent
from sim.report.wording import view_name
from sim.study.money.answers import BreakEvenAnswer, Ladder, SideAnswer
from sim.study.money.question import (
    JobMoney,
    MoneyAnswer,
    MoneyQuestion,
    Options,
    answer_money,
    direct_money,
    scenario_money,
)
from sim.study.prices import exchange_rate
from sim.views.listing import Listing
from sim.views.output import Wanted, command_line, csv_bytes, deliver, json_text

VIEWS = ("rental", "acquisition", "amortised")
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
    served_days: float = 365.25
    draws: int | None = None
    seed: int | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        return command_line("cost", self, "scenario")


def show_cost(
    catalogue: Catalogue, request: CostRequest, to: TextIO, *, as_json: bool = False, out: Path | None = None
) -> None:
    """Answer, write the files that are wanted, and print tables, or one JSON object.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    OSError
        When a file cannot be written.
    """
    wanted = Wanted(as_json, out)
    wanted.check()
    question = money_question(catalogue, request)
    rate = 1.0
    if request.currency != "USD":
        rate = exchange_rate(catalogue, request.currency, question.as_of).median
    answer = answer_money(catalogue, question, request.command)
    deliver(
        to,
        wanted,
        lambda: cost_json(answer),
        cost_tables(answer, request.currency, rate),
        lambda: {"cost.json": cost_json(answer).encode(), "cost.csv": cost_csv(answer)},
    )


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


# --- tables ------------------------------------------------------------------------------------------------


def cost_tables(answer: MoneyAnswer, currency: str = "USD", rate: float = 1.0) -> Iterator[Listing]:
    """Ladders, blocks, margins and break-evens of every job."""
    for job in answer.jobs:
        yield _ladders(answer, job, currency, rate)
        blocks = _blocks(job, currency, rate)
        if blocks.rows:
            yield blocks
        if any(side.margins for side in job.sides):
            yield _margins(job)
        if any(side.break_evens for side in job.sides):
            yield _break_evens(job)


def _ladders(answer: MoneyAnswer, job: JobMoney, currency: str, rate: float) -> Listing:
    rows = []
    for side in job.sides:
        for each in side.ladders:
            unit = each.unit.replace("USD", currency)
            rows += [
                (side.label, each.what, unit, view_name(view), *_cells(each.views[view], rate))
                for view in VIEWS
                if view in each.views
            ]
    run = answer.identity
    dated = f", prices as of {run.as_of}" if run.as_of else ""
    notes = [f"Closed form, {run.draws} draws, seed {run.seed}{dated}."]
    notes += dict.fromkeys(note for side in job.sides for note in side.notes)
    for side in job.sides:
        if side.tokens is not None:
            missed, hit, output = (number(tokens) for tokens in side.tokens)
            notes.append(
                f"{side.chips:,} {side.label}, {side.region}. A mean request: {missed} prompt tokens computed, {hit} from "
                f"the cache, {output} of output."
            )
        else:
            notes.append(f"{side.chips:,} {side.label}, {side.region}.")
    columns = ("cluster", "what", "unit", "view", "median", "90 % interval")
    return Listing(f"{job.label}: what it costs", columns, rows, notes)


def _cells(found: Interval, factor: float = 1.0) -> tuple[str, str]:
    each = Interval(*(factor * getattr(found, name) for name in Interval.__slots__))
    return number(each.p50), bounds(each) if each.p95 > each.p05 else ""


def _blocks(job: JobMoney, currency: str, rate: float) -> Listing:
    """The first ladder of each side, block by block, in the views that have more than one."""
    rows = []
    for side in job.sides:
        first = side.ladders[0]
        for view in VIEWS:
            parts = first.blocks.get(view, {})
            whole = sum(parts.values())
            shown = {name: value for name, value in parts.items() if value != 0.0}
            if len(shown) < 2 or math.isnan(whole):
                continue
            rows += [
                (side.label, view_name(view), name, number(rate * value), percent(value / whole),
                 _cells(first.ranges[view][name], rate)[1])
                for name, value in shown.items()
            ]  # fmt: skip
            rows.append((side.label, view_name(view), "all", number(rate * whole), "100 %", ""))
    first = job.sides[0].ladders[0]
    columns = ("cluster", "view", "block", "median", "share", "90 % interval")
    title = f"{job.label}: {first.what} by block, {first.unit.replace('USD', currency)}"
    note = "Blocks add up to the median of the sum; the interval is that of the block by itself."
    return Listing(title, columns, rows, [note])


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
    rows = [
        (side.label, each.against, each.input, each.unit, number(each.now.p50), break_even_words(each))
        for side in job.sides
        for each in side.break_evens
    ]
    columns = ("cluster", "costs as much as", "at a", "unit", "now", "break-even, 90 % interval")
    note = "Amortised view; one input moves, all else stays."
    return Listing(f"{job.label}: break-evens", columns, rows, [note])


def break_even_words(found: BreakEvenAnswer) -> str:
    """The value with its interval, or that there is none and why."""
    ends = found.found.p05, found.found.p50, found.found.p95
    if any(math.isnan(end) for end in ends):
        return "unknown"
    if found.share == 0.0:
        return f"no break-even within range: {found.out_of_range}"
    low, middle, high = (_within(end, found) for end in ends)
    words = middle if low == middle == high else f"{middle} ({low} to {high})"
    if found.share >= 0.995:
        return words
    return f"{words}; within range in {percent(found.share)} of the draws, else {found.out_of_range}"


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
    """Long table: job, cluster, what, unit, view, block, and quantiles."""
    columns = ("job", "cluster", "what", "unit", "view", "block", *Interval.__slots__)
    ladders = ((job, side, each) for job in answer.jobs for side in job.sides for each in side.ladders)
    return csv_bytes(columns, (line for ladder in ladders for line in _lines(*ladder)))


def _lines(job: JobMoney, side: SideAnswer, ladder: Ladder) -> Iterator[list[str]]:
    head = [job.id, side.label, ladder.what, ladder.unit]
    for view, found in ladder.views.items():
        yield [*head, view, "all", *_numbers(found)]
        for block, part in ladder.ranges.get(view, {}).items():
            yield [*head, view, block, *_numbers(part)]


def _numbers(found: Interval) -> list[str]:
    return [f"{getattr(found, name):.6g}" for name in Interval.__slots__]
