"""Lines of equal work and of equal money as the report shows them."""

from __future__ import annotations

import numpy as np

from sim.profiles.messages import InputError
from sim.quantity import Quantity
from sim.report.content import Curve, Sensitivity
from sim.study.answer import ServingStudy, TrainingStudy
from sim.study.inputs import name_of
from sim.study.isocurves import IsoCurve, grid_of, isocurve, leaf
from sim.study.question import Question
from sim.study.summary.statistics import interval
from sim.units import format_quantity

POINTS = 5  # of a line in the report


def headline_curves(
    question: Question, study: TrainingStudy | ServingStudy, moved: Sensitivity, draws: int, seed: int
) -> list[Curve]:
    """The count of B along the input that moves a job most, and along the price of A's chip where it is uncertain.

    All draws of the run stand at each point, so that the lines pass through its headlines.
    """
    tips = {driver.path: driver.flips_value for driver in moved.drivers}
    paths = [driver.path for driver in moved.drivers if "#branches." not in driver.path][:1]
    price = question.a.chip.price
    if price is not None and price.is_uncertain:
        paths.append(price.path)
    found = []
    for path in dict.fromkeys(paths):
        try:
            quantity = leaf(question, path)
        except InputError:  # a number of a price series, which no file holds by this path
            continue
        curve = isocurve(question, study, quantity, grid_of(quantity, POINTS), draws, seed)
        if curve.moves:
            found.append(curve_content(question, study, curve, draws, tips.get(path)))
    return found


def curve_content(
    question: Question,
    study: TrainingStudy | ServingStudy,
    curve: IsoCurve,
    draws: int,
    tip: float | None = None,
) -> Curve:
    """A line with its values in the unit of the file.

    Parameters
    ----------
    tip : float, optional
        Where the median count passes the threshold, where that has been looked for more finely than between the points.
    """
    threshold = float(question.b.choice.chips)
    known = not np.isnan(curve.money).all()
    unit = shown(curve.quantity, float(curve.values[0]))[1]

    def at(counts: np.ndarray) -> tuple[float | None, float | None, float | None]:
        low, middle, high = curve.crossing(counts, threshold)
        return tuple(None if x is None else shown(curve.quantity, x)[0] for x in (low, middle, high))  # type: ignore[return-value]

    return Curve(
        job_id=study.task.job.id,
        job_label=study.task.label,
        input=name_of(question, curve.quantity.path),
        path=curve.quantity.path,
        unit=unit,
        values=[shown(curve.quantity, float(value))[0] for value in curve.values],
        work=[interval(row) for row in curve.work],
        money=[interval(row) for row in curve.money] if known else [],
        work_at=at(curve.work)
        if tip is None
        else (at(curve.work)[0], shown(curve.quantity, tip)[0], at(curve.work)[2]),
        money_at=at(curve.money) if known else (None, None, None),
        draws=draws,
    )


def shown(quantity: Quantity, value: float) -> tuple[float, str]:
    """A value in the unit of its file, and that unit as the report writes it."""
    text, _, unit = format_quantity(value, quantity.unit, digits=6).partition(" ")
    return float(text.replace(",", "")), unit.replace("us", "µs")
