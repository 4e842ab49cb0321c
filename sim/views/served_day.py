"""A published day of a fleet in the terminal: the printed money from its rows, and the simulated day beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sim.report.content import Interval
from sim.report.numbers import bounds, number, percent
from sim.report.wording import view_name
from sim.study.served_day import ServedDayStudy
from sim.views.listing import Listing


def served_day_tables(study: ServedDayStudy) -> Iterator[Listing]:
    """Money of the rows, then servers and money of the model."""
    yield _money(study)
    yield _simulated(study)


def _money(study: ServedDayStudy) -> Listing:
    found = study.published
    rows = [
        ("rent of the fleet", _dollars(found.cost_published_usd), _dollars(found.cost_usd)),
        ("income at the price list", _dollars(found.income_published_usd), _dollars(found.income_usd)),
        (
            "income with the cached tokens that it implies",
            _dollars(found.income_published_usd),
            _dollars(found.income_implied_usd),
        ),
        ("theoretical profit over cost", "", percent(found.margin)),
    ]
    agree = (
        "which rounds to the printed number"
        if found.rows_agree
        else "which does not round to the printed number"
    )
    notes = [
        f"Prices: {found.prices}. The printed token rows are rounded: all that rounds to them gives "
        f"{_dollars(found.income_low_usd)} to {_dollars(found.income_high_usd)}. The printed income implies "
        f"{found.cached_implied / 1e9:.3f} billion cached tokens, {agree}."
    ]
    return Listing(
        "the published day: money from its token rows", ("quantity", "printed", "from the rows"), rows, notes
    )


def _simulated(study: ServedDayStudy) -> Listing:
    read, written = study.prefill_published, study.decode_published
    rows = [
        _row("servers that read prompts", study.prefill_servers, read),
        _row("servers that decode", study.decode_servers, written),
        _row("servers that read per server that decodes", study.ratio, read / written),
        _row("servers", study.servers, study.servers_published),
        *(
            _row(f"cost of the day, {view_name(view).lower()}, USD", usd, _published(study, view))
            for view, usd in study.cost_usd.items()
        ),
        *(
            _row(f"the same on the published servers, {view_name(view).lower()}, USD", usd, math.nan)
            for view, usd in study.cost_published_servers_usd.items()
        ),
    ]
    notes = [
        "Simulated: servers whose highest load within the promise, times the mean utilisation of the traffic file, is the "
        "day's mean rate; cost bottom up from prices and rents of the region. One utilisation stands for both pools, and no "
        "published number says how busy either was: their sum and the cost can be told, their ratio cannot."
    ]
    columns = ("quantity", "printed or implied", "simulated, median", "90 % interval", "gap")
    return Listing("the published day: bottom up", columns, rows, notes)


def _published(study: ServedDayStudy, view: str) -> float:
    return study.published.cost_published_usd if view == "rental" else math.nan


def _row(name: str, found: Interval, printed: float) -> tuple[str, str, str, str, str]:
    known = math.isfinite(printed)
    interval = bounds(found) if found.p95 > found.p05 else ""
    gap = percent(found.p50 / printed - 1.0, sign=True) if known else ""
    return name, number(printed) if known else "", number(found.p50), interval, gap


def _dollars(usd: float) -> str:
    return f"${usd:,.0f}"
