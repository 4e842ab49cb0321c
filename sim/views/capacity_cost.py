"""What a million tokens of a serving fleet cost, and the energy they take."""

from __future__ import annotations

import math

from sim.report.content import Interval
from sim.report.numbers import bounds, number
from sim.study.capacity_study import CapacityStudy
from sim.views.listing import Listing

VIEWS = {"rental": "rented", "acquisition": "bought, cash", "amortised": "amortised, power and operations"}


def view_words(view: str) -> str:
    """A view of cost, with what it holds."""
    return VIEWS.get(view, view)


def cost_table(study: CapacityStudy) -> Listing:
    """Cost of a million tokens in three views, what computed and cached prompt tokens take of it, and the energy."""
    money = {view: [each[view] for each in (study.cost, study.decode_cost, study.input_cost, study.hit_cost)]
             for view in study.cost}  # fmt: skip
    rows = [(view_words(view), *map(_range, found)) for view, found in money.items()]
    rows.append(("energy, kWh", _range(study.energy_kwh), "", _range(study.prompt_energy_kwh), ""))
    columns = ("view", "output, prompts included", "output alone", "input, not cached", "input, cached")
    notes = [
        "Per million tokens; median and 90 % interval. A cached token costs at most the time in which one chip's path to "
        "host memory is busy with its cache; unknown where no such path is stated."
    ]
    return Listing("cost per million tokens, USD, and energy", columns, rows, notes)


def _range(found: Interval) -> str:
    return f"{number(found.p50)} ({bounds(found)})" if math.isfinite(found.p50) else number(found.p50)
