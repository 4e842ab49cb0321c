"""A published day of a fleet: its money from its token rows, and beside it what the model says of the same day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.economics.ownership import total
from sim.profiles.served import PriceList, ServedDay
from sim.quantity import Quantity
from sim.report.content import Interval
from sim.study.serving import ServingRuns
from sim.study.summary.statistics import interval


@dataclass(frozen=True, slots=True)
class PublishedDay:
    """What follows from the published rows alone.

    Attributes
    ----------
    cost_usd, cost_published_usd : float
        Rent of the fleet: chips x rent x period, and as printed.
    income_usd, income_low_usd, income_high_usd : float
        Every token at the price list, from the rows as printed and from the ends of what rounds to them.
    income_published_usd : float
        As printed.
    cached_implied : float
        Cached prompt tokens at which the rows give the printed income [token].
    income_implied_usd : float
        Income with these.
    rows_agree : bool
        Whether the implied cached tokens round to the printed ones.
    """

    prices: str
    chips: float
    cost_usd: float
    cost_published_usd: float
    income_usd: float
    income_low_usd: float
    income_high_usd: float
    income_published_usd: float
    cached_implied: float
    income_implied_usd: float
    rows_agree: bool

    @property
    def margin(self) -> float:
        """Theoretical profit over cost, as the provider counts it [1]."""
        return self.income_implied_usd / self.cost_usd - 1.0


@dataclass(frozen=True, slots=True)
class ServedDayStudy:
    """The published day and the simulated one.

    Attributes
    ----------
    prefill_servers, decode_servers, servers : Interval
        Servers that the token rows need at the traffic's utilisation.
    servers_published, prefill_published, decode_published : float
        Servers in service; of them those that read prompts and those that decode, as the published rates per server
        imply them (NaN where none are).
    ratio : Interval
        Servers that read prompts per server that decodes.
    cost_usd : dict of view to Interval
        Bottom-up cost of the period on the simulated servers [USD].
    cost_published_servers_usd : dict of view to Interval
        The same on as many servers as were in service [USD].
    """

    published: PublishedDay
    servers_published: float
    prefill_published: float
    decode_published: float
    ratio: Interval
    prefill_servers: Interval
    decode_servers: Interval
    servers: Interval
    cost_usd: dict[str, Interval]
    cost_published_servers_usd: dict[str, Interval]


def published_day(day: ServedDay, prices: PriceList) -> PublishedDay:
    """Money from the token rows.

    Notes
    -----
    cost = servers x chips x rent x period; income = hit p_hit + (input - hit) p_miss + output p_out.
    """
    hit, miss, out = (each.median for each in (prices.input_hit, prices.input_miss, prices.output))
    rows = tuple(each.median for each in (day.input, day.cached, day.output))

    def income(asked: float, cached: float, answered: float) -> float:
        return cached * hit + (asked - cached) * miss + answered * out

    printed = day.published.income.median
    implied = (rows[0] * miss + rows[2] * out - printed) / (miss - hit)
    chips = day.servers * day.chips_per_server
    (_, less), (fewest, most), _ = ends = tuple(_ends(each) for each in (day.input, day.cached, day.output))
    return PublishedDay(
        prices=prices.id,
        chips=chips,
        cost_usd=round(chips * day.rent.median * day.period.median, 2),  # to the cent
        cost_published_usd=day.published.cost.median,
        income_usd=income(*rows),
        income_low_usd=income(ends[0][0], most, ends[2][0]),
        income_high_usd=income(less, fewest, ends[2][1]),
        income_published_usd=printed,
        cached_implied=implied,
        income_implied_usd=income(rows[0], implied, rows[2]),
        rows_agree=fewest <= implied <= most,
    )


def _servers(tokens: Quantity, rate: Quantity | None, seconds: float) -> float:
    """Servers that tokens of the period keep at a published mean rate."""
    return float("nan") if rate is None else tokens.median / seconds / rate.median


def _ends(row: Quantity) -> tuple[float, float]:
    """What rounds to a printed number."""
    middle = row.median
    return (middle if row.low is None else row.low), (middle if row.high is None else row.high)


def study_served_day(day: ServedDay, prices: PriceList, runs: ServingRuns) -> ServedDayStudy:
    """The published day, and the servers and money that the closed form gives for its tokens in every draw.

    Parameters
    ----------
    runs : ServingRuns
        The day's traffic on the fleet that served it.
    """
    seconds = day.period.median
    capacity, busy = runs.capacity, np.asarray(runs.job.utilisation)
    share = capacity.prefill_share
    with np.errstate(divide="ignore", invalid="ignore"):
        reading = (
            (day.input.median - day.cached.median) / seconds * share / capacity.input_tokens_per_s / busy
        )
        writing = day.output.median / seconds * (1.0 - share) / capacity.output_tokens_per_s / busy
    chips = reading + writing
    blocks = runs.cluster.cost_blocks(runs.it_power_w)
    per_chip = {view: np.asarray(total(parts)) * seconds + 0.0 * chips for view, parts in blocks.items()}
    published = published_day(day, prices)
    return ServedDayStudy(
        published=published,
        servers_published=day.servers,
        prefill_published=_servers(day.input, day.read_per_server, seconds),
        decode_published=_servers(day.output, day.written_per_server, seconds),
        ratio=interval(reading / writing),
        prefill_servers=interval(reading / day.chips_per_server),
        decode_servers=interval(writing / day.chips_per_server),
        servers=interval(chips / day.chips_per_server),
        cost_usd={view: interval(chips * usd) for view, usd in per_chip.items()},
        cost_published_servers_usd={view: interval(published.chips * usd) for view, usd in per_chip.items()},
    )
