"""A published day: its money by hand, and what is simulated beside it."""

import io
import json

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.served_day import published_day
from sim.views.capacity import CapacityRequest, show_capacity

CATALOGUE = Catalogue()


def day():
    asked = CATALOGUE.scenario("deepseek_day_6").served_day
    assert asked is not None
    return asked, CATALOGUE.price_list(asked.prices)


def test_published_money_to_the_dollar():
    """226.75 nodes x 8 x 2 USD x 24 h = 87,072 USD. Rows as printed: 342,000 x 0.14 + 266,000 x 0.55 + 168,000 x 2.19
    = 47,880 + 146,300 + 367,920 = 562,100 USD, 73 above the print of 562,027; these are 0.41 USD/Mtoken x 178 Mtoken,
    so 342.178 billion cached tokens, 56.28 % of 608 billion: both round to what is printed (342 billion, 56.3 %)."""
    found = published_day(*day())
    assert found.chips == 1814
    assert round(found.cost_usd) == 87_072 == found.cost_published_usd
    assert round(found.income_usd) == 562_100
    assert round(found.income_implied_usd) == 562_027 == found.income_published_usd
    assert found.cached_implied == pytest.approx(342.178e9, abs=1e6)
    assert round(100 * found.cached_implied / 608e9, 1) == 56.3
    assert found.rows_agree
    assert found.income_low_usd < 562_027 < found.income_high_usd
    assert round(100 * found.margin) == 545  # as printed


def test_the_day_is_shown_beside_the_model():
    """24-hour means of the report: 608e9 / 86,400 / 73,700 = 95.5 nodes read and 168e9 / 86,400 / 14,800 = 131.4 decode.

    Servers in all and the cost of the day are within 15 %. The ratio of the two pools is not (0.41 against 0.73): one
    utilisation stands for both, where the report's prefill nodes must have idled for longer (docs/serving-misses.md).
    """
    to = io.StringIO()
    show_capacity(CATALOGUE, CapacityRequest("deepseek_day_6", draws=64), to, as_json=True)
    found = json.loads(to.getvalue())["served_day"]
    assert found["published"]["cost_usd"] == 87072.0
    assert found["prefill_published"] == pytest.approx(95.5, abs=0.05)
    assert found["decode_published"] == pytest.approx(131.4, abs=0.05)
    assert found["servers"]["p50"] == pytest.approx(226.75, rel=0.15)
    assert found["cost_usd"]["rental"]["p50"] == pytest.approx(87_072, rel=0.15)
    assert found["decode_servers"]["p50"] == pytest.approx(131.4, rel=0.4)
    assert found["prefill_servers"]["p50"] == pytest.approx(95.5, rel=0.4)
    assert found["servers"]["p05"] < 226.75 < found["servers"]["p95"]
    assert set(found["cost_usd"]) == {"rental", "acquisition", "amortised"}
    # Rent on the published servers: the series has a median near the 2 USD of the report.
    assert found["cost_published_servers_usd"]["rental"]["p50"] == pytest.approx(87_072, rel=0.1)


def test_the_other_cluster_served_no_such_day():
    from sim.study.capacity_question import load_capacity_question

    assert load_capacity_question(CATALOGUE, "deepseek_day_6", cluster="b").served_day is None
    assert load_capacity_question(CATALOGUE, "deepseek_day_6").served_day is not None


def test_an_unknown_price_list_is_named(tmp_path):
    path = CATALOGUE.path("scenarios", "deepseek_day_6")
    text = path.read_text().replace("prices: deepseek-r1-2025-01", "prices: deepseek-r1-2025-11")
    (tmp_path / "deepseek_day_6.yaml").write_text(text)
    with pytest.raises(InputError, match=r"served_day.prices: .*deepseek-r1-2025-11"):
        Catalogue(here=tmp_path).scenario(tmp_path / "deepseek_day_6.yaml")
