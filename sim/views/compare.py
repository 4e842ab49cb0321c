"""Two scenarios side by side in the terminal, and the whole comparison as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import pandas as pd

from sim.notebook import Asked
from sim.report.numbers import number, percent
from sim.study.compare import changes, table_of
from sim.study.convergence import ends_error
from sim.study.metrics import Metric
from sim.views.listing import Listing
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, json_text, show

Values = dict[tuple[str, str], float]  # by quantity and statistic
SHOWN = {
    "equal_count": "{b} that do the same work",
    "wall_time": "{side}: days of the run",
    "throughput": "{side}: tokens/s",
    "cost_amortised": "{side}: cost, amortised",
    "cost_rental": "{side}: cost, rented",
}


NOTE = (
    "one, other: medians. Both are drawn from the same worlds; the interval is that of the changes draw by draw, whose "
    "middle need not be the change of the median."
)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two scenarios side by side.

    Attributes
    ----------
    table : DataFrame
        Every result, long.
    ends_error : float
        How well the ends of the change in the count that does the same work are known [1].
    """

    one: Asked
    table: pd.DataFrame
    draws: int
    seed: int
    ends_error: float


def show_comparison(
    one: Asked, other: Asked, draws: int | None, seed: int | None, to: TextIO, wanted: Wanted
) -> None:
    """Print a table for each job; errors as of :func:`sim.views.output.show`."""
    chosen = one.question.scenario.uncertainty
    count = chosen.draws if draws is None else draws
    chosen_seed = chosen.seed if seed is None else seed

    def find() -> Compared:
        found = changes(one.question, other.question, count, chosen_seed)
        counts = (
            each.values for each in found if each.metric.metric == "equal_count" and each.quantity == "ratio"
        )
        return Compared(one, table_of(found), count, chosen_seed, ends_error(counts))

    show(to, wanted, find, View(_json, _listings, _files, _headline))


def _json(found: Compared) -> str:
    rows = found.table.to_dict("records")
    return json_text(
        {"draws": found.draws, "seed": found.seed, "ends_error": found.ends_error, "changes": rows}
    )


def _files(found: Compared) -> dict[str, bytes]:
    return {"comparison.csv": found.table.to_csv(index=False, lineterminator="\n").encode()}


def _headline(found: Compared) -> Iterator[str]:
    yield obtained(found.draws, found.seed, found.ends_error, found.one.question.as_of or "")


def _listings(found: Compared) -> list[Listing]:
    names = {task.job.id: task.label for task in found.one.question.tasks}
    values = _values(found.table)
    return [_listing(label, values[job], found.one) for job, label in names.items() if job in values]


def _values(table: pd.DataFrame) -> dict[str, dict[Metric, Values]]:
    """Value of every result by job, metric, quantity and statistic."""
    found: dict[str, dict[Metric, Values]] = {}
    for row in table.itertuples(index=False):
        job, cluster, metric, unit, quantity, statistic, value = row
        values = found.setdefault(str(job), {}).setdefault(Metric(str(cluster), str(metric), str(unit)), {})
        values[str(quantity), str(statistic)] = float(value)
    return found


def _listing(label: str, job: dict[Metric, Values], one: Asked) -> Listing:
    sides = {"a": one.question.a.label, "b": one.question.b.label, "a/b": ""}
    rows = []
    for key, values in job.items():
        if key.metric in SHOWN:
            name = SHOWN[key.metric].format(side=sides[key.cluster], b=sides["b"])
            low, high = (percent(values["ratio", level] - 1, sign=True) for level in ("p05", "p95"))
            before, after = (values[quantity, "p50"] for quantity in ("one", "other"))
            change = percent(after / before - 1, sign=True) if before else ""
            rows.append((name, key.unit, number(before), number(after), change, f"{low} to {high}"))
    head = ("result", "unit", "one", "other", "change of the median", "change in a draw: 90 % interval")
    return Listing(label, head, rows, [NOTE])
