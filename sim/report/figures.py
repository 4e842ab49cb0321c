"""All charts of a report, by name, drawn once as SVG; the document and the files are made from these."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from sim.report.certainty import known_errors
from sim.report.charts import campaign, curve, frontier, job, money, parity, sensitivity, spread, trust
from sim.report.charts.style import styled
from sim.report.content import Curve, JobContent, ReportContent, Sensitivity
from sim.report.numbers import finite
from sim.report.wording import drawn_views, headline_jobs

LONG, SHORT = 10, 5  # inputs in the tornado of a headline job, and of the others


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart yet to be drawn."""

    name: str
    draw: Callable[[], Figure]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as SVG with its text as text, its alternative text, and its size on paper [point]."""

    svg: bytes
    alt: str
    width: int
    height: int


def slug(text: str) -> str:
    """A name that is safe in a file system.

    Examples
    --------
    >>> slug("Chat on V3 / $5")
    'chat-on-v3-5'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def curve_name(one: Curve) -> str:
    """Name of the chart of a line of equal work."""
    return f"curve-{slug(one.job_id)}-{slug(one.path.rpartition('/')[2])}"


def charts(content: ReportContent) -> list[Chart]:
    """Every chart for which the content has data, in the order of the report."""
    found = [Chart("parity", partial(parity.parity, content))] if content.jobs else []
    for one in content.jobs:
        found += _job_charts(content, one)
    long = {one.id for one in headline_jobs(content)}
    for moved in content.sensitivities:
        if moved.drivers and math.isfinite(moved.median):
            found.append(_tornado(content, moved, LONG if moved.job_id in long else SHORT))
    if any(driver.total_index is not None for moved in content.sensitivities for driver in moved.drivers):
        found.append(Chart("sobol", partial(spread.sobol, content)))
    if any(len(known_errors(course)) > 1 for course in content.convergence.courses):
        found.append(Chart("convergence", partial(spread.convergence, content)))
    found += [Chart(curve_name(line), partial(curve.isocurve, content, line)) for line in content.curves]
    for record in content.validation:
        kind = slug(record.kind)
        if record.points:
            found.append(Chart(f"validation-{kind}", partial(trust.validation_scatter, content, record)))
        if record.groups:
            found.append(Chart(f"validation-error-{kind}", partial(trust.validation_error, content, record)))
    return found


def _tornado(content: ReportContent, moved: Sensitivity, count: int) -> Chart:
    return Chart(f"tornado-{slug(moved.job_id)}", partial(sensitivity.tornado, content, moved, count))


def _job_charts(content: ReportContent, one: JobContent) -> list[Chart]:
    sides = (one.a, one.b)
    has: list[tuple[str, bool, Callable[[ReportContent, JobContent], Figure]]] = [
        ("cost-ladder", bool(drawn_views(one)), money.cost_ladder),
        ("waterfall", len(one.gap) > 2, money.waterfall),
        ("breakdown", any(side.breakdown for side in sides), job.breakdown),
        ("timeline", any(side.timeline for side in sides), job.timeline),
        (
            "wall-time",
            all(side.wall_days is not None and finite(side.wall_days) for side in sides),
            job.wall_time,
        ),
        ("calendar", any(any(side.losses.values()) for side in sides), campaign.calendar),
        ("stops", any(any(side.stop_causes.values()) for side in sides), campaign.stops),
        ("frontier", any(len(side.frontier) > 1 for side in sides), frontier.frontier),
        ("utilisation", any(side.utilisation for side in sides), job.utilisation),
    ]
    return [
        Chart(f"{name}-{slug(one.id)}", partial(draw, content, one)) for name, there, draw in has if there
    ]


@styled
def drawing(chart: Chart) -> Drawing:
    """Draw one chart; the bytes depend on the content alone."""
    figure = chart.draw()
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    width, height = figure.get_size_inches()
    return Drawing(stream.getvalue(), str(figure.get_label()), round(72 * width), round(72 * height))


def draw_all(content: ReportContent) -> dict[str, Drawing]:
    """Every chart of the report by name."""
    return {chart.name: drawing(chart) for chart in charts(content)}
