"""Percentiles with intervals: they cover the truth as often as they say, and a run stops when it knows enough."""

import numpy as np
import pytest

from sim.serving.cluster import ClusterPlan, PoolPlan, simulate
from sim.serving.precision import percentile_estimate, precise_enough
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests, poisson_arrivals


def test_interval_of_a_known_distribution_covers_as_stated():
    """99th percentile of an exponential of mean 1: ln 100 = 4.605. Two hundred runs; 95 % intervals that held the truth
    90 to 99 % of the time pass, three standard errors of 0.015 around, and a little for the bias of short batches."""
    rng = np.random.default_rng(0)
    found = [percentile_estimate(rng.exponential(1.0, 20_000)) for _ in range(200)]
    held = np.mean([abs(each.value - np.log(100)) <= each.half_width for each in found])
    assert 0.88 <= held <= 0.99
    assert np.mean([each.value for each in found]) == pytest.approx(np.log(100), rel=0.005)


def test_dependent_values_have_wider_intervals():
    """A first-order autoregression with coefficient 0.9 and the same values in another order."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=100_000)
    series = np.zeros_like(noise)
    for i in range(1, len(noise)):
        series[i] = 0.9 * series[i - 1] + noise[i]
    mixed = rng.permutation(series)
    assert percentile_estimate(series).half_width > 1.8 * percentile_estimate(mixed).half_width


def test_more_values_know_more():
    """The half-width falls with the root of the number."""
    rng = np.random.default_rng(2)
    few, many = (percentile_estimate(rng.exponential(1.0, n)).half_width for n in (20_000, 320_000))
    assert few / many == pytest.approx(4.0, rel=0.5)


def test_too_few_values_know_nothing():
    assert percentile_estimate(np.ones(100)).half_width == np.inf
    assert not precise_enough(0.5)(np.ones(100))
    with pytest.raises(ValueError, match="more than 0"):
        precise_enough(0.0)


def light(count):
    """M/D/1 at a load of one half: prompts of 100 tokens at 1 ms each, answers of one token."""
    arrival = poisson_arrivals(5.0, count, np.random.default_rng(5))
    plan = ClusterPlan(PoolPlan(StepCost([0.0, 0.0], 0.0, 0.0, 1e-3), ReplicaLimits(1, 10**6), 1))
    ones = np.ones(count, np.int32)
    return plan, Requests(arrival, 100 * ones, ones, 0 * ones)


def test_a_run_stops_when_it_knows_enough():
    plan, asked = light(200_000)
    whole = simulate(plan, asked)
    rule = precise_enough(0.05)
    seen = []

    def watch(gone, first):
        seen.append(gone)
        return rule(first)

    part = simulate(plan, asked, watch=watch)
    done = int(part.done.sum())
    assert 10_000 <= done < 150_000
    assert seen == sorted(seen)
    # What was served is served as in the whole run, and the percentile lies where it said.
    assert np.array_equal(part.finish_s[part.done], whole.finish_s[part.done])
    found = percentile_estimate(part.ttft_s)
    assert found.relative <= 0.05
    assert found.value == pytest.approx(np.percentile(whole.ttft_s, 99), rel=0.1)


def test_watching_changes_nothing():
    plan, asked = light(5_000)
    looked = []

    def look(gone, first):
        looked.append(gone)
        return False

    run = simulate(plan, asked, watch=look)
    assert np.array_equal(run.finish_s, simulate(plan, asked).finish_s)
    assert looked[-1] == 5_000
    closed = simulate(plan, asked, clients=4, watch=lambda gone, first: False)
    assert np.array_equal(closed.finish_s, simulate(plan, asked, clients=4).finish_s)
