"""What stands on each page, as plain data for the template: words and formatted numbers, nothing to compute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sim.report.charts.style import fitted, styled
from sim.report.content import ReportContent
from sim.report.figures import Drawing
from sim.report.pages.annex import identity_data, sensitivity_data
from sim.report.pages.answer import answer_data
from sim.report.pages.cells import Data
from sim.report.pages.equal import equal_data
from sim.report.pages.jobs import job_data
from sim.report.pages.money import money_data
from sim.report.pages.provenance import sources_data
from sim.report.pages.trust import events_data, origins_data, trust_data


@styled
def page_data(content: ReportContent, drawings: Mapping[str, Drawing]) -> Data:
    """The whole document as JSON-ready data; names in ``charts`` are those of the drawings."""
    a, b = content.clusters
    data: Data = {
        "title": content.title,
        "slogan": content.slogan,
        "clusters": [
            {
                "key": c.key,
                "label": c.label,
                "short": fitted(c.label, 0.76, 8.0),
                "card": fitted(c.label, 1.7, 8.0),
                "line": f"{c.chips:,} {c.label}",
                "where": f"{c.system}, {c.region}",
            }
            for c in (a, b)
        ],
        "charts": {
            name: {"alt": d.alt, "width": d.width, "height": d.height} for name, d in drawings.items()
        },
        "answer": answer_data(content),
        "money": money_data(content),
        "equal": equal_data(content),
        "jobs": [job_data(content, job) for job in content.jobs],
        "sensitivity": sensitivity_data(content),
        "trust": [trust_data(record) for record in content.validation],
        "events": events_data(content),
        "origins": origins_data(content),
        "sources": sources_data(content),
        "identity": identity_data(content),
    }
    return _tied({key: value for key, value in data.items() if key != "charts"}) | {"charts": data["charts"]}


def _tied(value: Any) -> Any:
    """Numbers hold on to the unit that follows: a no-break space between them."""
    if isinstance(value, dict):
        return {key: _tied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tied(item) for item in value]
    if isinstance(value, str):
        return re.sub(
            r"(?<=\d) (?=(?:million|billion|trillion|quadrillion|USD|m?s|µs|MW|GB|[TG]B/s|TFLOP/s)\b|%)",
            "\u00a0",
            value,
        )
    return value
