"""From a recipe and a cluster to the weeks of a run."""

import numpy as np
import pytest
from pydantic import ValidationError

from sim.profiles.catalogue import Catalogue
from sim.profiles.scenario import ClusterChoice
from sim.resolve import MEDIAN
from sim.study.campaign import Crew, campaign_plan, deliveries, first_day, stop_causes

RULES = Catalogue().workload("pretrain-v3").reliability
LATE = {"system": "hgx-h100-8", "chips": 12000, "region": "us", "start": "2026-12-01"}


def test_tranches_become_shares_of_the_cluster() -> None:
    # 4,000 chips at once, 5,000 after 31 days, 3,000 after 62: shares of 1/3, 3/4 and 1.
    choice = ClusterChoice(
        **LATE, tranches=[{"date": "2027-01", "chips": 5000}, {"date": "2027-02-01", "chips": 3000}]
    )
    assert deliveries(choice) == ((0.0, 1 / 3), (31 * 86400.0, 0.75), (62 * 86400.0, 1.0))
    assert deliveries(ClusterChoice(**LATE)) == ()
    assert first_day("2026").isoformat() == "2026-01-01"
    with pytest.raises(ValidationError, match="13,000 chips arrive"):
        ClusterChoice(**LATE, tranches=[{"date": "2027", "chips": 13000}])


def test_causes_are_the_table_of_llama_3() -> None:
    causes, total = stop_causes(RULES, MEDIAN)
    assert float(total) == pytest.approx(1.0, abs=1e-9)
    # 324 of 419 stops are hardware; not after each of them is a server exchanged.
    assert sum(float(c.share * c.exchanged) for c in causes) == pytest.approx(324 / 419, abs=0.05)


def test_hot_swap_needs_a_domain_larger_than_a_server() -> None:
    crew = {"owned": 1024.0, "working": 960.0, "server": 8.0, "failure_rate": 5e-9}
    alone, joined = (campaign_plan(RULES, 9.4e12, Crew(**crew, domain=d), 1e6) for d in (8.0, 384.0))
    assert alone.swap_share == 0.0
    assert float(np.asarray(joined.swap_share)) == pytest.approx(0.3)
    # 9.4 TB from 960 chips at 0.12 GB/s each: 82 s in the background, and again at a restart.
    assert float(alone.write_s) == pytest.approx(9.4e12 / (0.12e9 * 960), rel=0.05)
    assert float(alone.restart_s) == pytest.approx(600 + float(alone.write_s))
