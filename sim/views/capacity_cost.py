"""What a million tokens of a serving fleet cost, and the energy they take."""

from __future__ import annotations

import math

from sim.report.content import Interval
from sim.report.numbers import bounds, number
from sim.report.wording import view_name
from sim.study.capacity_study import CapacityStudy
from sim.views.listing import Listing


def cost_table(study: CapacityStudy) -> Listing:
    """Cost of a million tokens in three views, what computed and cached prompt tokens take of it, and the energy."""
    found = study.money
    columns_usd = (found.cost, found.decode_cost, found.input_cost, found.hit_cost)
    rows = [(view_name(view), *(_range(each[view]) for each in columns_usd)) for view in found.cost]
    rows.append(("energy, kWh", _range(found.energy_kwh), "", _range(found.prompt_energy_kwh), ""))
    columns = ("view", "output, prompts included", "output alone", "input, not cached", "input, cached")
    notes = [
        "Per million tokens; median and 90 % interval. A cached token costs at most the time in which one chip's path to "
        "host memory is busy with its cache; unknown where no such path is stated."
    ]
    return Listing("cost per million tokens, USD, and energy", columns, rows, notes)


def _range(found: Interval) -> str:
    return f"{number(found.p50)} ({bounds(found)})" if math.isfinite(found.p50) else number(found.p50)
