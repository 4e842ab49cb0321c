"""Arrivals that an instance takes up at its boundaries give what an event for each arrival gives."""

from dataclasses import replace
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving import cluster
from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.prefix_cache import PrefixSettings
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests

COST = StepCost([0.01 + 0.001 * b for b in range(33)], 1e-6, 0.002, 1e-5, 1e-9)
REQUEST = st.tuples(
    st.floats(0, 0.2), st.integers(1, 300), st.integers(1, 80), st.integers(0, 3), st.booleans()
)


def both(plan, requests, **options):
    fed = simulate(plan, requests, **options)
    with mock.patch.object(cluster._Run, "follows", None):
        told = simulate(plan, requests, **options)
    return fed, told


def same(fed, told):
    for name in ("first_token_s", "finish_s"):
        np.testing.assert_allclose(getattr(fed, name), getattr(told, name), rtol=1e-9)
    assert fed.serve.tokens == told.serve.tokens
    assert fed.serve.preemptions == told.serve.preemptions
    assert fed.serve.refused == told.serve.refused
    assert fed.mean_in_system == pytest.approx(told.mean_in_system, rel=1e-9)
    np.testing.assert_array_equal(fed.requests.cached, told.requests.cached)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(REQUEST, min_size=1, max_size=40),
    blocks=st.integers(10, 80),
    batch=st.integers(1, 32),
    chunk=st.sampled_from([16, 64, 512]),
    mixed=st.booleans(),
    accepted=st.sampled_from([Fraction(1), Fraction(17, 10)]),
    prefix=st.booleans(),
    split=st.booleans(),
    horizon=st.sampled_from([None, 0.5]),
)
def test_a_feed_is_as_good_as_events(rows, blocks, batch, chunk, mixed, accepted, prefix, split, horizon):
    _, prompts, outputs, paths, _ = zip(*rows, strict=True)
    gaps = [0.0 if together else gap for gap, *_, together in rows]
    prompt, output = np.array(prompts, np.int32), np.array(outputs, np.int32)
    requests = Requests(np.cumsum(gaps), prompt, output, np.minimum(prompt - 1, 8).astype(np.int32))
    limits = ReplicaLimits(
        batch, blocks, 16, chunk, mixed, accepted, prefix=PrefixSettings(32) if prefix else None
    )
    hashes = [[1000 * path + block for block in range(20)] for path in paths]
    # A decode pool that can never hold what was read for it is another story.
    roomy = replace(limits, kv_blocks=max(blocks, 30)) if split else limits
    one = PoolPlan(COST, roomy, 1)
    plan = ClusterPlan(one, PoolPlan(COST, roomy, 1), 1e-3) if split else ClusterPlan(one)
    same(*both(plan, requests, details=Details(hashes=hashes) if prefix else None, horizon_s=horizon))


def test_a_router_sees_every_arrival():
    """Two replicas: the less loaded one is chosen at the time of arrival, so each arrival is an event."""
    requests = Requests(*(np.array(x) for x in ([0.0, 0.1], [10, 10], [5, 5], [0, 0])))
    plan = ClusterPlan(PoolPlan(COST, ReplicaLimits(4, 100), 2))
    run = cluster._Run(plan, requests, cluster.simpy.Environment(), Details(), False, 0.0, None)
    assert run.follows is None
