"""Two scenarios side by side in the terminal, and the whole comparison as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sim.notebook import Asked, compare
from sim.report.numbers import number, percent
from sim.report.outputs import write_all
from sim.study.metrics import Metric
from sim.views.listing import Listing

Values = dict[tuple[str, str], float]  # by quantity and statistic
SHOWN = {
    "equal_count": "{b} that do the same work",
    "wall_time": "{side}: days of the run",
    "throughput": "{side}: tokens/s",
    "cost_amortised": "{side}: cost, amortised",
    "cost_rental": "{side}: cost, rented",
}


def compared(
    one: Asked, other: Asked, draws: int | None, seed: int | None, out: Path | None
) -> list[Listing]:
    """A listing for each job; every result goes to ``comparison.csv`` where a folder is given.

    Raises
    ------
    InputError
        When the two have no job in common.
    OSError
        When the folder cannot be written.
    """
    table = compare(one, other, draws, seed)
    if out is not None:
        write_all(out, {"comparison.csv": table.to_csv(index=False, lineterminator="\n").encode()})
    names = {task.job.id: task.label for task in one.question.tasks}
    found = _values(table)
    return [_listing(label, found[job], one) for job, label in names.items() if job in found]


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
            low, middle, high = (
                percent(values["ratio", level] - 1, sign=True) for level in ("p05", "p50", "p95")
            )
            before, after = (number(values[quantity, "p50"]) for quantity in ("one", "other"))
            rows.append((name, key.unit, before, after, middle, f"{low} to {high}"))
    head = ("result", "unit", "one", "other", "change", "90 % interval of the change")
    return Listing(label, head, rows, ["Medians; the change is taken draw by draw, both in the same worlds."])
