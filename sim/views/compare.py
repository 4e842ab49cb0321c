"""Two scenarios side by side in the terminal, and the whole comparison as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sim.notebook import Asked, compare
from sim.report.numbers import number, percent
from sim.report.outputs import write_all
from sim.views.catalogue import Listing

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
    wide = table.pivot_table(
        index=["job", "cluster", "metric", "unit", "quantity"],
        columns="statistic",
        values="value",
        sort=False,
    )
    names = {task.job.id: task.label for task in one.question.tasks}
    return [_listing(label, wide.loc[job], one) for job, label in names.items() if job in wide.index]


def _listing(label: str, job: pd.DataFrame, one: Asked) -> Listing:
    sides = {"a": one.question.a.label, "b": one.question.b.label, "a/b": ""}
    rows = []
    for cluster, metric, unit in dict.fromkeys(index[:3] for index in job.index):
        if metric in SHOWN:
            found = job.loc[(cluster, metric, unit)]
            name = SHOWN[metric].format(side=sides[cluster], b=sides["b"])
            ratio = found.loc["ratio"]
            span = f"{percent(ratio['p05'] - 1, sign=True)} to {percent(ratio['p95'] - 1, sign=True)}"
            before, after = (number(found.loc[key, "p50"]) for key in ("one", "other"))
            rows.append((name, unit, before, after, percent(ratio["p50"] - 1, sign=True), span))
    head = ("result", "unit", "one", "other", "change", "90 % interval of the change")
    return Listing(label, head, rows, ["Medians; the change is taken draw by draw, both in the same worlds."])
