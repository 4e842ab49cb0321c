"""The hour of a chip for people and programs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from sim.profiles.catalogue import Catalogue
from sim.report.numbers import aligned, bounds, finite, number, percent
from sim.report.wording import view_name
from sim.study.money.hour import VIEWS as HEADLINE
from sim.study.money.hour import HourAnswer, HourQuestion, answer_hour
from sim.views.listing import Listing
from sim.views.money_blocks import VIEWS
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, csv_bytes, json_text, show


def show_hour(
    catalogue: Catalogue,
    question: HourQuestion,
    command: str,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
) -> None:
    """Answer, write the files that are wanted, and print; errors as of :func:`sim.views.output.show`."""
    view = View(hour_json, hour_tables, hour_files, headline)
    show(to, Wanted(as_json, out), lambda: answer_hour(catalogue, question, command), view)


def hour_files(answer: HourAnswer) -> dict[str, bytes]:
    """Record and draws."""
    return {"hour.json": hour_json(answer).encode(), "hour.csv": hour_csv(answer)}


def headline(answer: HourAnswer) -> Iterator[str]:
    """The hour in a line, and how it was obtained."""
    side, run = answer.question.side, answer.identity
    view = next(each for each in HEADLINE if each in answer.views and not math.isnan(answer.views[each].p50))
    found = answer.views[view]
    line = (
        f"An hour of {side.chip.name}, {side.region.name}: {number(found.p50)} USD ({bounds(found)}), {view}"
    )
    if view in answer.under:
        line += f"; below {answer.question.under_usd:g} USD in {percent(answer.under[view])} of the draws"
    yield f"{line}."
    yield obtained(run.draws, run.seed, answer.ends_error, run.as_of)
    yield from (f"Note: {note}" for note in answer.notes)


def hour_tables(answer: HourAnswer) -> Iterator[Listing]:
    """The hour in three views, by block, and what moves it."""
    yield _views(answer)
    blocks = _blocks(answer)
    if blocks.rows:
        yield blocks
    if answer.drivers:
        rows = [(name, f"{strength:+.2f}".replace("-", "−")) for name, strength in answer.drivers]
        yield Listing("what moves the amortised hour", ("input", "rank correlation"), rows)


def _views(answer: HourAnswer) -> Listing:
    question = answer.question
    price = question.under_usd
    rows = []
    for view in VIEWS:
        if view in answer.views:
            found = answer.views[view]
            under = percent(answer.under[view]) if view in answer.under else ""
            rows.append((view_name(view), number(found.p50), bounds(found), under))
    columns = (
        "view", "median", "90 % interval", f"share under {price:g} USD" if price is not None else "",
    )  # fmt: skip
    return Listing(_title(answer), columns, rows, _notes(answer))


def _title(answer: HourAnswer) -> str:
    side = answer.question.side
    return f"{side.chip.name} in {side.system.name}, {side.region.name}: USD per chip and hour"


def _notes(answer: HourAnswer) -> list[str]:
    question = answer.question
    notes = [
        f"The chip works in {percent(question.occupancy)} of the hours that its owner pays for, at "
        f"{percent(question.activity)} of the way from idle to the draw of a training run.",
    ]
    if finite(answer.purchase_usd):
        bought = f"{number(answer.purchase_usd.p50)} USD ({bounds(answer.purchase_usd)})"
        notes.append(f"Bought with everything around it: {bought} per chip.")
    if answer.rent_occupancy is not None:
        notes.append(
            f"Owning costs as much as renting when the chip works in {percent(answer.rent_occupancy.p50)} of the hours, in "
            f"{percent(answer.rent_occupancy_share)} of the draws; in the others owning costs more than the rent even then."
        )
    return notes


def _blocks(answer: HourAnswer) -> Listing:
    views = ("acquisition", "amortised")
    parts = {
        view: {name: usd for name, usd in answer.blocks.get(view, {}).items() if usd != 0.0} for view in views
    }
    sums = {view: sum(found.values()) for view, found in parts.items() if found}
    known = {view: whole for view, whole in sums.items() if not math.isnan(whole)}
    least = min(known.values(), default=math.nan)  # all numbers have the decimals that this one needs
    rows = []
    for view, whole in known.items():
        for name, usd in parts[view].items():
            spread = answer.ranges[view][name]
            ends = f"{aligned(spread.p05, least, 4)} to {aligned(spread.p95, least, 4)}"
            rows.append((view_name(view), name, aligned(usd, least, 4), percent(usd / whole), ends))
        rows.append((view_name(view), "all", aligned(whole, least, 4), "100 %", ""))
    note = "Blocks add up to the median of the sum; the interval is that of the block by itself."
    return Listing("the same by block", ("view", "block", "median", "share", "90 % interval"), rows, [note])


def hour_json(answer: HourAnswer) -> str:
    """Everything but the draws, as text."""
    record = asdict(answer)
    del record["draws_usd"], record["question"]
    question = answer.question
    record["question"] = {
        "system": question.side.system.id, "chip": question.side.chip.id, "region": question.side.region.id,
        "activity": question.activity, "occupancy": question.occupancy, "under_usd": question.under_usd,
    }  # fmt: skip
    return json_text(record)


def hour_csv(answer: HourAnswer) -> bytes:
    """Every draw: one row each, one column per view [USD/hour]."""
    views = [view for view in VIEWS if view in answer.draws_usd]
    draws = zip(*(answer.draws_usd[view] for view in views), strict=True)
    rows = ([index, *(f"{usd:.6g}" for usd in row)] for index, row in enumerate(draws))
    return csv_bytes(("draw", *(f"{view}_usd_per_hour" for view in views)), rows)
