"""The regions, rents and workloads that come with the package: they load, and say what their sources say."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from sim.economics.ownership import amortised, total
from sim.economics.series import value_as_of
from sim.profiles.catalogue import Catalogue
from sim.profiles.leaves import quantities
from sim.profiles.price_series import RentalSeries
from sim.resolve import resolve_ownership
from sim.study.money.hour import answer_hour, load_hour
from sim.study.prices import current_list, exchange_rate, price_lists_of

HOUR, KWH, YEAR = 3600.0, 3.6e6, 365.25 * 86_400.0
CATALOGUE = Catalogue()


@pytest.mark.parametrize("kind", ["regions", "rentals", "prices", "price-lists", "workloads"])
def test_every_file_loads_and_every_number_is_known(kind):
    assert CATALOGUE.ids(kind)
    for id in CATALOGUE.ids(kind):
        leaves = quantities(CATALOGUE.document(kind, id)).values()
        assert leaves
        assert not [leaf.path for leaf in leaves if leaf.is_unknown]


def test_quotes_ascend_and_the_chip_is_that_of_the_file_name():
    for id in CATALOGUE.ids("rentals"):
        series = CATALOGUE.document("rentals", id)
        assert isinstance(series, RentalSeries)
        dates = [quote.date for quote in series.quotes]
        assert dates == sorted(dates), id
        assert id == f"rental-{series.chip}-{series.region}"
        assert any(quote.market for quote in series.quotes), id


def market(chip: str, region: str) -> list[tuple[str, float]]:
    (series,) = [s for s in CATALOGUE.rentals(chip) if s.region == region]
    return [(q.date, q.price.value * HOUR) for q in series.quotes if q.market]


@pytest.mark.parametrize(
    ("chip", "region", "as_of", "usd_per_hour"),
    [
        ("h100-sxm", "us", "2023-12", 8.0),
        ("h100-sxm", "us", "2025-12", 1.7),
        ("h100-sxm", "us", "2026-11", 2.6),  # the list prices of September are no market
        ("h100-sxm", "china", "2025-11", 55_000 / 5_840 / 7.14),  # TrendForce: 50-60,000 CNY per node-month
        ("h800", "china", None, 2.0),
        ("a100-sxm-80g", "china", None, 6 / 8),
        ("gb200-nvl72", "us", None, 3.3),
    ],
)
def test_rents_as_published(chip, region, as_of, usd_per_hour):
    assert value_as_of(market(chip, region), as_of) == pytest.approx(usd_per_hour, rel=0.001)


def test_regions_as_published():
    us, hub, coast = (CATALOGUE.region(id) for id in ("us", "china", "china-coastal"))
    assert us.electricity.value * KWH == pytest.approx(0.091)
    assert hub.electricity.value * KWH == pytest.approx(0.4 / 7.14, rel=0.005)  # 0.4 CNY
    highest, lowest = hub.electricity.high, coast.electricity.low
    assert highest is not None
    assert lowest is not None
    assert highest < lowest
    assert coast.hardware_life.value == hub.hardware_life.value == 5 * YEAR
    assert CATALOGUE.region("china-grey").grey_premium.value == 1.5
    assert CATALOGUE.region("china-imported").duty.value == 0.25


def test_a_changed_value_keeps_nothing_of_the_old_one():
    # The duty of the extending file is exact, whatever the range of the file below.
    prefix_hit = CATALOGUE.workload("deepseek-day-6").prefix_hit
    assert (prefix_hit.value, prefix_hit.low, prefix_hit.high) == (0.563, None, None)


def test_day_six_lengths_give_the_published_ratios():
    traffic = CATALOGUE.workload("deepseek-day-6")
    prompt, answer = traffic.input.median.value, traffic.output.median.value
    assert answer / prompt == pytest.approx(168 / 608, rel=0.002)
    assert prompt + answer / 2 == pytest.approx(4_989, rel=0.001)  # mean context of an output token


@pytest.mark.parametrize("id", ["pretrain-v3", "pretrain-v4-pro", "pretrain-k2", "pretrain-llama-3.1-405b"])
def test_batches_are_whole_sequences(id):
    recipe = CATALOGUE.workload(id)
    assert recipe.global_batch.value % recipe.sequence == 0
    published = {"pretrain-v3": 15_360 * 4_096, "pretrain-llama-3.1-405b": 16 * 2**20}
    assert recipe.global_batch.value == published.get(id, recipe.global_batch.value)


def test_coding_agent_lengths_have_the_published_mean():
    # TraceLab: 153,700 tokens in, 523 out per step; mean of a lognormal = median x exp(sigma^2 / 2).
    traffic = CATALOGUE.workload("coding-agent")
    for lengths, mean in ((traffic.input, 153_700), (traffic.output, 523)):
        assert lengths.median.value * 2.718281828 ** (lengths.sigma.value**2 / 2) == pytest.approx(
            mean, rel=0.01
        )


# Owner cost per hour [USD] that an analyst published in 2026-04 (InferenceX, constants.ts): large operator, cloud.
# Its own price inputs are not public; entries that it marks as 1.2 times the predecessor are left out.
PUBLISHED = {
    "hgx-h100-8": (1.30, 1.69), "hgx-h200-8": (1.41, 1.74), "hgx-b200-8": (1.95, 2.34), "gb200-nvl72": (2.21, 2.75),
    "mi300x-8": (1.12, 1.40), "mi325x-8": (1.28, 1.59), "mi355x-8": (1.48, 1.90),
}  # fmt: skip


def owner_error(system: str, column: int, at: Literal["value", "low", "high"] = "value") -> float:
    """Relative error of the bottom-up hour, with the prices of hardware at a point of their ranges."""
    bought = CATALOGUE.system(system)
    chip, region = CATALOGUE.chip(bought.chip), CATALOGUE.region(("us", "us-neocloud")[column])
    around = bought.power.server.value + bought.power.network.value
    owned = replace(
        resolve_ownership(chip, bought, region),
        chip_usd=getattr(chip.price, at),
        server_usd=getattr(bought.price.server, at),
        network_usd=getattr(bought.price.network, at),
    )
    per_hour = total(amortised(owned, 0.8 * chip.power.tdp.value + around)) * HOUR
    return float(per_hour) / PUBLISHED[system][column] - 1.0


# Rows that miss the 10 % that we aim at, as docs/money.md tells them: relative error in per cent.
MISSED = {
    ("mi355x-8", 0): 25,
    ("hgx-h100-8", 0): 22,
    ("hgx-h200-8", 0): 16,
    ("gb200-nvl72", 1): -15,
}


def test_owner_cost_misses_inferencex_where_the_page_says():
    errors = {(s, column): owner_error(s, column) for s in PUBLISHED for column in (0, 1)}
    assert {key for key, error in errors.items() if abs(error) >= 0.10} == set(MISSED)
    page = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8")
    assert f"missed in {len(MISSED)} of {len(errors)} rows" in page
    for (system, column), percent in MISSED.items():
        assert 100 * errors[system, column] == pytest.approx(percent, abs=1.0)
        published = PUBLISHED[system][column]
        said = f"| {published:.2f} | {published * (1 + errors[system, column]):.2f} |"
        assert said in page, (system, column)


def test_both_owners_pay_the_same_for_hardware_and_that_is_why():
    # Published, the cloud's hour is 23 to 30 % above the large operator's for H100, H200 and GB200; ours is 10 to 11 %.
    for system in ("hgx-h100-8", "hgx-h200-8", "gb200-nvl72"):
        large, cloud = PUBLISHED[system]
        ours = cloud * (1 + owner_error(system, 1)) / (large * (1 + owner_error(system, 0)))
        assert cloud / large > 1.23
        assert 1.08 < ours < 1.13


def test_owner_cost_from_the_shipped_files_is_near_that_of_inferencex():
    errors = {(s, column): owner_error(s, column) for s in PUBLISHED for column in (0, 1)}
    sizes = np.abs(list(errors.values()))
    # The medians: 5.8 % off in the median, 10 of 14 within 10 %, the worst MI355X of the large operator (25 %).
    assert np.median(sizes) < 0.10
    assert np.sum(sizes < 0.10) >= 10
    assert max(sizes) < 0.30
    # All 14 within 10 % at prices of chip, server and network inside their stated ranges.
    for s, column in errors:
        reach = owner_error(s, column, "low"), owner_error(s, column, "high")
        assert reach[0] < 0.10, (s, column)
        assert reach[1] > -0.10, (s, column)


def test_yuan_of_the_rents_are_at_the_rate_of_their_day():
    rate = exchange_rate(CATALOGUE, "CNY", "2025-11").median
    assert value_as_of(market("h100-sxm", "china"), "2025-11") == pytest.approx(
        55_000 / 5_840 / rate, rel=0.001
    )
    # DeepSeek's own list of August 2026 in both currencies.
    (listed,) = current_list(price_lists_of(CATALOGUE, "deepseek-v4-pro", "2026-09"))
    assert listed.output.value * 1e6 * exchange_rate(CATALOGUE, "CNY", "2026-09").median == pytest.approx(
        13.5, rel=0.01
    )


def test_h800_hour_in_china_lies_mostly_under_two_dollars():
    # DeepSeek's assumption of 2 USD is a rent; bottom up an owner with cheap money and power pays less. Arithmetic at
    # the medians: 42,900 USD of hardware over five years at 95 % is 0.93 USD, interest about 0.16, running 6 % of it a
    # year 0.29, power 1.04 kW x 1.25 x 0.065 = 0.08, building 0.03: 1.5 USD.
    answer = answer_hour(CATALOGUE, load_hour(CATALOGUE, "hgx-h800-8", "china-2023", 1024, under_usd=2.0))
    assert answer.views["amortised"].p50 == pytest.approx(1.5, rel=0.08)
    assert answer.under["rental"] == pytest.approx(0.5, abs=0.01)  # a rent whose median is 2
    assert 0.5 < answer.under["amortised"] < 0.99
    assert answer.under["acquisition"] > answer.under["amortised"]
