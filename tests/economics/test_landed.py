"""What a chip costs at the border, by hand."""

import numpy as np
import pytest

from sim.economics.landed import Border, landed_chip


def test_duty_of_the_h200_offer():
    # 25 % on 27,000 USD: 6,750.
    blocks = landed_chip(27_000.0, Border(duty=0.25))
    assert blocks["duty"] == pytest.approx(6_750)
    assert sum(blocks.values()) == pytest.approx(33_750)


@pytest.mark.parametrize(("pass_through", "price"), [(0.0, 12_000.0), (1.0, 12_000 / 0.85)])
def test_a_revenue_share_that_is_passed_on_leaves_the_seller_his_net_price(pass_through, price):
    blocks = landed_chip(12_000.0, Border(revenue_share=0.15, pass_through=pass_through))
    assert sum(blocks.values()) == pytest.approx(price)
    if pass_through == 1.0:
        assert sum(blocks.values()) * (1 - 0.15) == pytest.approx(12_000)


def test_grey_b200_rack():
    # 489,000 USD for eight at 1.5 times the US price (FT, 2025-07): 326,000 officially, 40,750 per chip with its
    # server; the premium is 20,375 per chip.
    official = 489_000 / 8 / 1.5
    blocks = landed_chip(32_000.0, Border(grey_premium=np.array([1.0, 1.5])), official - 32_000.0)
    assert blocks["premium"] == pytest.approx([0.0, 20_375])
