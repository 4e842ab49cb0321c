"""The designer's view: designs stay under the lines, never beat the free one, and a line on paper may cost nothing."""

import datetime

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.rules.bench import DesignRequest, Designs, load_bench
from sim.study.rules.book import load_rules
from sim.study.rules.design import _unbeaten, study_designs
from sim.study.rules.regimes import FREE, Regime, allowed, regimes_of

CATALOGUE = Catalogue()
BOOK = load_rules(CATALOGUE)
DAY = datetime.date(2026, 3, 1)
H100 = CATALOGUE.chip("h100-sxm")


@pytest.fixture(scope="module")
def study():
    return study_designs(CATALOGUE, BOOK, DesignRequest(chips=256))


def test_best_designs_stay_under_their_lines(study) -> None:
    best = {(b.regime.name, b.job): b for b in study.best}
    assert best["free of us-2022-3a090", "training"].io_gbs < 600
    free = best["free of us-2023-3a090", "training"]
    assert free.tpp < 2400
    assert free.pd < 3.2
    letter = best["free of us-2025-h20-letter", "serving"]
    assert letter.dram_gbs < 1400
    assert letter.dram_gbs + letter.io_gbs < 1700


def test_no_rule_makes_a_chip_better(study) -> None:
    free = {b.job: b.per_chip for b in study.best if not b.regime.rules}
    for best in study.best:
        assert best.per_chip <= free[best.job] * (1 + 1e-9)
        assert best.low <= best.to_frontier * 1.05
        assert best.high >= best.to_frontier * 0.95


def test_the_map_rises_with_both_axes(study) -> None:
    for speed in (study.map.outcome.training, study.map.outcome.serving):
        # Layouts and unit shapes are chosen from a list that is short on purpose: half a per cent of slack.
        assert np.all(np.diff(speed, axis=0) >= -0.005 * speed[:-1])
        assert np.all(np.diff(speed, axis=1) >= -0.005 * speed[:, :-1])


def test_the_parent_itself_is_the_design_without_rules(study) -> None:
    free = next(b for b in study.best if not b.regime.rules and b.job == "training")
    assert (free.tpp, free.dram_gbs, free.io_gbs) == pytest.approx((15832, 3350, 1028))


def test_allowed_follows_the_engine() -> None:
    designs = Designs(
        np.array([2399.0, 2400.0, 1599.0]), np.array([3000.0] * 3), np.array([64.0] * 3), area_mm2=814.0
    )
    clear = Regime("x", ("us-2023-3a090",), FREE)
    # 2,400 / 814 = 2.95: at least 1.6, so paragraph b.1 reaches it; 1,599 is below every paragraph.
    assert allowed(clear, designs, H100, BOOK, DAY).tolist() == [True, False, True]


def test_only_what_is_in_force_counts_together() -> None:
    last = regimes_of(BOOK, datetime.date(2023, 1, 1), "cn")[-1]
    assert last.rules == ("us-2022-3a090",)


def test_unbeaten_keeps_the_corner() -> None:
    grid = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [2.0, 2.0, 1.0]])
    assert _unbeaten(grid, np.array([True] * 4)).tolist() == [3]
    assert _unbeaten(grid, np.array([True, True, True, False])).tolist() == [1, 2]


def test_limits_follow_node_memory_and_die() -> None:
    request = DesignRequest(memory_of="h200-sxm", die_area=407, stacks=5)
    limits = load_bench(CATALOGUE, request).limits
    assert limits.tpp == pytest.approx(15832 / 2)  # half the die of an H100
    assert limits.dram_gbs == pytest.approx(4800 * 5 / 6)  # H200 has six stacks
    assert limits.capacity_bytes == pytest.approx(141e9 * 5 / 6)


def test_a_parent_without_die_area_says_so() -> None:
    with pytest.raises(InputError, match="die_area"):
        load_bench(CATALOGUE, DesignRequest(like="tpu-v6e-pod"))
