"""Lines of equal work and of equal money in the terminal, as JSON, table and chart."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from sim.economics import ownership
from sim.profiles.catalogue import Catalogue
from sim.profiles.changes import Change
from sim.profiles.messages import InputError, Problem
from sim.quantity import Quantity
from sim.report.charts.curve import isocurve as picture
from sim.report.content import Curve, Interval, RunIdentity
from sim.report.document import standalone
from sim.report.figures import Chart, drawing
from sim.report.numbers import bounds, number
from sim.study.answer import CannotRunError, prepare
from sim.study.inputs import name_of
from sim.study.isocurves import grid_of, isocurve, leaf
from sim.study.question import Question, Task, load_question
from sim.study.summary.curves import curve_content
from sim.study.summary.report import inputs_hash
from sim.study.sweep.block import code_version
from sim.units import UnitError, did_you_mean, format_quantity, to_base
from sim.views.listing import Listing
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, json_text, show

DRAWS = 256  # of a point, when none are given


@dataclass(frozen=True, slots=True)
class CurveRequest:
    """What was typed."""

    scenario: str
    along: str
    job: str | None = None
    low: str | None = None
    high: str | None = None
    points: int = 9
    view: ownership.View = "amortised"
    draws: int = DRAWS
    seed: int | None = None
    as_of: str | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        asked = (("along", self.along), ("job", self.job), ("from", self.low), ("to", self.high), ("points", self.points),
                 ("view", self.view), ("draws", self.draws), ("seed", self.seed), ("as-of", self.as_of))  # fmt: skip
        options = [f"--{name} {shlex.quote(str(value))}" for name, value in asked if value is not None]
        return " ".join(["parity curve", shlex.quote(self.scenario), *options])


def show_curve(
    catalogue: Catalogue,
    request: CurveRequest,
    out: TextIO,
    *,
    as_json: bool = False,
    folder: Path | None = None,
) -> None:
    """Print the counts along an input and where the conclusion turns; write table, JSON and chart to a folder."""
    question = load_question(catalogue, request.scenario, request.as_of)
    seed = question.scenario.uncertainty.seed if request.seed is None else request.seed

    def record(found: _Found) -> str:
        return json_text({**_record(question, request, found.curve, seed), "ends_error": found.ends_error})

    def files(found: _Found) -> dict[str, bytes]:
        table = _table(found.curve).to_csv(index=False, lineterminator="\n").encode()
        svg, png = _picture(catalogue, question, request, found.curve, seed)
        return {"curve.csv": table, "curve.json": record(found).encode(), "curve.svg": svg, "curve.png": png}

    def headline(found: _Found) -> Iterator[str]:
        yield from _turns(question, found.curve)
        yield obtained(found.curve.draws, seed, found.ends_error, question.as_of or "")

    view = View(record, lambda found: [_listing(question, found.curve)], files, headline)
    show(out, Wanted(as_json, folder), lambda: _curve(catalogue, question, request, seed), view)


@dataclass(frozen=True, slots=True)
class _Found:
    """A line, and how well the ends of its intervals are known [1]."""

    curve: Curve
    ends_error: float


def _curve(catalogue: Catalogue, question: Question, request: CurveRequest, seed: int) -> _Found:
    task = _task(question, request.job)
    quantity = leaf(question, request.along)
    typed = (("--from", request.low), ("--to", request.high))
    ends = [None if text is None else _number(option, text, quantity.unit) for option, text in typed]
    values = grid_of(quantity, request.points, ends[0], ends[1])
    _check_ends(catalogue, request, quantity, (values[0], values[-1]))
    try:
        study = prepare(question, task)
    except CannotRunError as error:
        raise InputError([Problem(str(error))]) from None
    found = isocurve(question, study, quantity, values, request.draws, seed, request.view)
    if not found.moves:
        message = f"--along {request.along}: {task.label} does not depend on it, by work or by money"
        raise InputError([Problem(message)])
    return _Found(curve_content(question, study, found, request.draws), found.ends_error)


def _check_ends(
    catalogue: Catalogue, request: CurveRequest, quantity: Quantity, ends: tuple[float, float]
) -> None:
    """Refuse a value that a file could not have.

    Raises
    ------
    InputError
        When the file of the input does not take one of the ends.
    """
    typed = {"--from": request.low, "--to": request.high}
    for (option, text), value in zip(typed.items(), ends, strict=True):
        said = format_quantity(value, quantity.unit, digits=12).replace(",", "")
        try:
            load_question(
                catalogue.with_changes([Change(quantity.path, said)]), request.scenario, request.as_of
            )
        except InputError as error:
            named = f"{option} {text}" if text is not None else f"{option} (left out, so {said})"
            raise InputError([Problem(f"{named}: {each.message}") for each in error.problems]) from None


def _task(question: Question, job: str | None) -> Task:
    known = {task.job.id: task for task in question.tasks}
    if job is None:
        return question.tasks[0]
    if job not in known:
        raise InputError([Problem(f"--job {job}: there is {', '.join(known)}{did_you_mean(job, known)}")])
    return known[job]


def _number(option: str, text: str, unit: str) -> float:
    """A value as it is typed, in base units; a bare number is in the unit of the file."""
    try:
        return to_base(f"{text} {unit}" if unit and _bare(text) else text, unit)
    except UnitError as error:
        raise InputError([Problem(f"{option}: {error}")]) from None


def _bare(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- what comes out --------------------------------------------------------------------------------------------


def _lines(
    curve: Curve,
) -> Iterator[tuple[str, list[Interval], tuple[float | None, float | None, float | None]]]:
    yield "same work", list(curve.work), curve.work_at
    if curve.money:
        yield "same money", list(curve.money), curve.money_at


def _table(curve: Curve) -> pd.DataFrame:
    rows = [
        (curve.job_id, curve.path, value, curve.unit, line, *asdict(count).values())
        for line, counts, _ in _lines(curve)
        for value, count in zip(curve.values, counts, strict=True)
    ]
    columns = ["job", "along", "value", "unit", "line", "p05", "p25", "p50", "p75", "p95"]
    return pd.DataFrame(rows, columns=columns)


def _record(question: Question, request: CurveRequest, curve: Curve, seed: int) -> dict[str, Any]:
    lines = {
        line: {
            "counts": [asdict(count) for count in counts],
            "turns_at": dict(zip(("p05", "p50", "p95"), at, strict=True)),
        }
        for line, counts, at in _lines(curve)
    }
    b = question.b
    return {"scenario": question.scenario.id, "command": request.command, "seed": seed, "draws": curve.draws,
            "job": curve.job_id, "along": curve.path, "name": name_of(question, curve.path), "unit": curve.unit,
            "values": list(curve.values), "own_count": {"label": b.label, "chips": b.choice.chips}, **lines}  # fmt: skip


def _listing(question: Question, curve: Curve) -> Listing:
    a, b = question.sides
    columns = [f"{name_of(question, curve.path)}{f' [{curve.unit}]' if curve.unit else ''}"]
    columns += [line for line, _, _ in _lines(curve)]
    rows = [
        (number(value), *(f"{number(counts[i].p50)} ({bounds(counts[i])})" for _, counts, _ in _lines(curve)))
        for i, value in enumerate(curve.values)
    ]
    title = f"{b.label} that equal {a.choice.chips:,} {a.label}: {curve.job_label}"
    return Listing(title, columns, rows, ["Median (90 % interval) at each value."])


def _turns(question: Question, curve: Curve) -> list[str]:
    """Where each line passes the count that the question has of B."""
    a, b = question.sides
    said = []
    for line, _, (low, middle, high) in _lines(curve):
        equal = f"{line.capitalize()}: {a.choice.chips:,} {a.label} equal {b.choice.chips:,} {b.label}"
        if middle is None:
            said.append(f"{equal} at none of these values.")
            continue
        known = sorted(x for x in (low, high) if x is not None)
        range_ = f" (90 % interval {number(known[0])} to {number(known[1])})" if len(known) == 2 else ""
        unit = f" {curve.unit}" if curve.unit else ""
        said.append(f"{equal} at {number(middle)}{unit}{range_}.")
    return said


@dataclass(frozen=True, slots=True)
class _Named:
    """What the chart asks of a cluster."""

    label: str
    chips: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the chart asks of a report."""

    clusters: tuple[_Named, _Named]
    identity: RunIdentity


def _picture(
    catalogue: Catalogue, question: Question, request: CurveRequest, curve: Curve, seed: int
) -> tuple[bytes, bytes]:
    files = catalogue.files_read
    identity = RunIdentity(
        version=code_version().split("+")[0],
        command=request.command,
        seed=seed,
        draws=curve.draws,
        event_draws=0,
        inputs_hash=inputs_hash(files),
        files=files,
        scenario=question.scenario.id,
    )
    named = (_Named(side.label, side.choice.chips) for side in question.sides)
    shown = _Shown((next(named), next(named)), identity)
    return standalone({"curve": drawing(Chart("curve", partial(picture, shown, curve)))})["curve"]
