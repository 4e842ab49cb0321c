"""No price later than the date is used, whatever the date; what was not known yet is said."""

import pytest

from sim.economics.series import last_day
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.profiles.scenario import ClusterChoice
from sim.study.money.question import Options, scenario_money
from sim.study.prices import OWN, current_list, exchange_rate, price_lists_of
from sim.study.question import Side, load_question, load_side

CATALOGUE = Catalogue()
PRICES_OF_PLACES = ("electricity", "facility", "duty", "revenue_share", "grey_premium")
PLACES = ("us", "us-neocloud", "china", "china-imported", "china-grey", "china-revenue-share")


def side(system: str, region: str, as_of: str | None) -> Side:
    return load_side(CATALOGUE, ClusterChoice(system=system, chips=8, region=region), as_of)


def prices(found: Side):
    parts = (found.system.price.server, found.system.price.network, found.system.price.storage)
    places = [getattr(found.region, key) for key in PRICES_OF_PLACES]
    return [found.chip.price, *parts, *places, found.rent]


@pytest.mark.parametrize("as_of", ["2022", "2023-06-30", "2024-12-31", "2025-11", "2026-05-01", "2026-11-22"])
def test_no_price_is_later_than_the_date(as_of):
    for system in ("hgx-h100-8", "cloudmatrix-384", "hgx-b200-8", "hgx-h20-8", "gb200-nvl72"):
        for region in PLACES:
            for price in prices(side(system, region, as_of)):
                if price is not None and not price.is_unknown and price.kind != OWN:
                    assert last_day(price.as_of) <= last_day(as_of), (system, region, price)


@pytest.mark.parametrize(
    ("as_of", "usd"),
    [("2022-12-31", 36_742), ("2024-01", 34_641), ("2025-06", 26_268), ("2026-01", 24_000), (None, 24_000)],
)
def test_price_of_an_h100_by_year(as_of, usd):
    # Epoch AI, ai-chip-counts: 36,742 (2022), 34,641 (2023), 26,268 (2024); a price of a year counts from its end.
    assert side("hgx-h100-8", "us", as_of).chip.price.value == usd


def test_power_of_a_region_that_extends_another():
    # EIA, 8.06 US cents in 2023, for the large operator and for the cloud that extends it.
    for region in ("us", "us-neocloud"):
        assert side("hgx-h100-8", region, "2024-06").region.electricity.value * 3.6e6 == pytest.approx(0.0806)


def test_what_was_not_known_is_unknown_and_said_plainly():
    early = side("cloudmatrix-384", "china", "2024-12")
    assert early.chip.price.value == 28_600
    assert early.system.price.server.is_unknown
    assert early.region.electricity.is_unknown
    assert "was known by 2024-12: the first is of 2026-04." in " ".join(early.late)
    assert side("cloudmatrix-384", "china", None).late == ()


def test_series_that_gave_a_price_are_among_the_files_and_others_are_not():
    catalogue = Catalogue()
    load_side(catalogue, ClusterChoice(system="hgx-h100-8", chips=8, region="us"), "2024-06")
    files = [name for name, _ in catalogue.files_read]
    assert "scenarios/economics/chip-price-h100-sxm.yaml" in files
    assert not [name for name in files if "ascend" in name or "fx-cny" in name]


def test_the_option_goes_before_the_date_of_the_scenario():
    question = load_question(CATALOGUE, "ascend_20k_vs_h100_12k", "2026-06-30")
    assert question.as_of == "2026-06-30"
    assert question.a.chip.price.value == 26_000  # the quote of 2025-12; the profile's 22,000 is of 2026
    with pytest.raises(InputError, match=r"--as-of: 'soon' is not a date"):
        load_question(CATALOGUE, "ascend_20k_vs_h100_12k", "soon")


def test_price_lists_and_currencies_by_date():
    # DeepSeek-V4-Pro: 0.87 USD from April 2026, 1.98 (off-peak) from August 2026.
    def output(as_of):
        return current_list(price_lists_of(CATALOGUE, "deepseek-v4-pro", as_of))[0].output.value * 1e6

    assert output("2026-05") == pytest.approx(0.87)
    assert output(None) == output("2026-08-17") == pytest.approx(1.98)
    assert current_list(price_lists_of(CATALOGUE, "deepseek-v4-pro", "2026-01")) == ()
    assert exchange_rate(CATALOGUE, "CNY", "2025-11-30").value == 7.14
    with pytest.raises(InputError, match="no value of the rate of CNY was known by 2023"):
        exchange_rate(CATALOGUE, "CNY", "2023")


def test_a_later_price_list_is_refused():
    options = Options(price_list="deepseek-v4-pro-2026-08", as_of="2026-06")
    with pytest.raises(InputError, match="it is of 2026-08-17, later than 2026-06"):
        scenario_money(CATALOGUE, "ascend_20k_vs_h100_12k", "chat-v4-pro", options)


def test_premium_and_duty_have_dates_too():
    # FT, July 2025: 1.4 to 1.6; the duty of 25 % is of January 2026, as NVIDIA's report of April states it.
    assert side("hgx-b200-8", "china-grey", "2025-12").region.grey_premium.high == 1.6
    assert side("hgx-b200-8", "china-grey", None).region.grey_premium.high == 2.0
    assert side("hgx-h200-8", "china-imported", "2025-12").region.duty.is_unknown
    assert side("hgx-h200-8", "china-imported", "2026-05").region.duty.value == 0.25
