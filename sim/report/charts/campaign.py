"""The weeks of a training run: where the calendar goes, and what stops the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from sim.report.charts.job import PAIR, paired_bars
from sim.report.charts.style import HALF, described, frame, styled
from sim.report.claims import calendar_claim, stops_claim
from sim.report.content import JobContent, ReportContent
from sim.report.numbers import number, percent

LEAST = 0.0005  # share of the calendar below which a cause gets no row
WORDS = {
    "restarts": "detection and restart",
    "repeated": "work done again",
    "checkpoints": "checkpoints",
    "waiting": "waiting for a spare",
    "planned": "planned stops",
    "stragglers": "slow servers",
    "undelivered": "chips not yet there",
}


@styled
def calendar(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Shares of the calendar that are not training at full speed, by cause."""
    rows = {
        WORDS.get(cause, cause): pair
        for cause, pair in _pairs(job.a.losses, job.b.losses).items()
        if max(pair) >= LEAST
    }
    return _bars(content, width, calendar_claim(job, *content.clusters),
                 "Share of the calendar lost, by cause, mean over all draws.", rows, percent)  # fmt: skip


@styled
def stops(content: ReportContent, job: JobContent, width: float = HALF) -> Figure:
    """Unplanned stops of the run by the component that fails."""
    rows = _pairs(job.a.stop_causes, job.b.stop_causes)
    return _bars(content, width, stops_claim(job, *content.clusters),
                 "Unplanned stops per run by what failed, mean over all draws.", rows, lambda x: number(x, 2))  # fmt: skip


def _pairs(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    pairs = {name: (a.get(name, 0.0), b.get(name, 0.0)) for name in {**a, **b}}
    return dict(sorted(pairs.items(), key=lambda item: -max(item[1])))


def _bars(
    content: ReportContent,
    width: float,
    claim: str,
    subtitle: str,
    rows: Mapping[str, tuple[float, float]],
    text: Callable[[float], str],
) -> Figure:
    labels = {name: (text(x), text(y)) for name, (x, y) in rows.items()}
    picture = frame(content.identity, width, PAIR * len(rows) + 0.2, claim, subtitle)
    paired_bars(picture, content.clusters, rows, labels)
    words = "; ".join(f"{name}: {x} and {y}" for name, (x, y) in labels.items())
    return described(
        picture.figure, f"{claim}. {content.clusters[0].label} and {content.clusters[1].label}: {words}."
    )
