"""Clusters against queueing theory, balance of the books, and routing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.cluster import ClusterPlan, PoolPlan, simulate
from sim.serving.routing import in_groups, least_loaded, least_unread, power_of_two, round_robin
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests, poisson_arrivals

N = 40_000


def requests(rate, prompt, output, rng, cached=0):
    arrivals = poisson_arrivals(rate, len(prompt), rng)
    zeros = np.full(len(prompt), cached, np.int32)
    return Requests(arrivals, prompt.astype(np.int32), output.astype(np.int32), zeros)


def one_by_one(**cost):
    """One request at a time: a single server, first come first served."""
    return ClusterPlan(PoolPlan(StepCost([0.0, 0.0], **cost), ReplicaLimits(1, 10**9, chunk_tokens=10**9), 1))


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_deterministic_service_is_m_d_1(load):
    """Pollaczek-Khinchine: mean wait rho S / (2 (1 - rho))."""
    rng = np.random.default_rng(1)
    asked = requests(load, np.ones(N), np.ones(N), rng)
    run = simulate(one_by_one(prefill_base_s=1.0), asked)
    assert run.ttft_s.mean() - 1.0 == pytest.approx(load / (2 * (1 - load)), rel=0.06)
    assert run.utilisation()["serve"] == pytest.approx(load, rel=0.02)


def test_exponential_service_is_m_m_1():
    """Mean time in the system S / (1 - rho); prompts of exponential length, 1 us per token."""
    rng = np.random.default_rng(2)
    prompt = np.maximum(np.rint(rng.exponential(1e6, N)), 1)
    run = simulate(one_by_one(prefill_token_s=1e-6), requests(0.7, prompt, np.ones(N), rng))
    assert run.e2e_s.mean() == pytest.approx(1 / 0.3, rel=0.08)
    assert run.mean_in_system == pytest.approx(0.7 / 0.3, rel=0.08)


def test_step_time_proportional_to_the_batch_is_processor_sharing():
    """M/G/1-PS: mean time in the system S / (1 - rho), whatever the distribution of S."""
    rng = np.random.default_rng(3)
    output = rng.integers(100, 1900, N) + 1  # 1,000 decode steps of 1 ms on average
    cost = StepCost([0.0, *(b * 1e-3 for b in range(1, 401))])
    plan = ClusterPlan(
        PoolPlan(cost, ReplicaLimits(400, 10**9), 1),
        prefill=PoolPlan(
            StepCost([0.0], prefill_base_s=1e-9), ReplicaLimits(10**6, 10**9, chunk_tokens=10**9), 1
        ),
    )
    run = simulate(plan, requests(0.6, np.ones(N), output, rng))
    assert run.e2e_s.mean() == pytest.approx(np.mean(output - 1) * 1e-3 / 0.4, rel=0.06)


def test_constant_step_time_is_an_infinite_server():
    """M/G/inf: residents are Poisson with mean lambda S."""
    rng = np.random.default_rng(4)
    cost = StepCost([1e-2] * 600)
    plan = ClusterPlan(
        PoolPlan(cost, ReplicaLimits(599, 10**9), 1),
        prefill=PoolPlan(
            StepCost([0.0], prefill_base_s=1e-9), ReplicaLimits(10**6, 10**9, chunk_tokens=10**9), 1
        ),
    )
    run = simulate(plan, requests(20.0, np.ones(N), np.full(N, 1001), rng))
    assert run.tpot_s.mean() == pytest.approx(1e-2, rel=0.01)
    assert run.mean_in_system == pytest.approx(20.0 * 10.0, rel=0.02)


def chat(rng, count, rate):
    prompt, output = rng.integers(1, 2000, count), rng.integers(1, 400, count)
    return requests(rate, prompt, output, rng)


COST = StepCost([0.005 + 0.0001 * b for b in range(65)], 1e-8, 1e-3, 2e-5, 1e-10)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([1, 3]), st.sampled_from([None, 1, 2]), st.sampled_from([None, 1, 40]),
    st.sampled_from([250, 5000]), st.sampled_from([None, 3.0]),
)  # fmt: skip
def test_books_balance(seed, replicas, prefill, clients, blocks, horizon):
    """Little's law and the conservation of tokens are checked inside; nothing is lost and order is causal."""
    rng = np.random.default_rng(seed)
    asked = chat(rng, 150, 20.0)
    pool = PoolPlan(COST, ReplicaLimits(64, blocks), replicas, round_robin if seed % 2 else least_loaded)
    reader = None if prefill is None else PoolPlan(COST, ReplicaLimits(64, 5000), prefill, power_of_two(rng))
    plan = ClusterPlan(pool, reader, transfer_s=0.01, transfer_token_s=1e-6)
    run = simulate(plan, asked, clients=clients, horizon_s=horizon)
    done = run.done
    if horizon is None:
        assert done.all()
    assert np.all(run.first_token_s[done] > run.requests.arrival_s[done])
    assert np.all(run.finish_s[done] >= run.first_token_s[done])
    assert run.mean_in_system >= 0


def test_a_run_repeats_itself():
    plan = ClusterPlan(PoolPlan(COST, ReplicaLimits(64, 3000), 3))
    runs = [simulate(plan, chat(np.random.default_rng(5), 500, 30.0)) for _ in range(2)]
    assert np.array_equal(runs[0].finish_s, runs[1].finish_s)


def test_better_informed_routing_waits_less():
    """Four exponential servers at 0.85: join the shortest queue < power of two < taking turns (Mitzenmacher 2001)."""
    rng = np.random.default_rng(6)
    prompt = np.maximum(np.rint(rng.exponential(1e6, 20_000)), 1)
    asked = requests(4 * 0.85, prompt, np.ones(20_000), rng)
    server = one_by_one(prefill_token_s=1e-6).serve
    waits = []
    for route in (least_loaded, power_of_two(rng), round_robin):
        plan = ClusterPlan(PoolPlan(server.cost, server.limits, 4, route))
        waits.append(simulate(plan, asked).ttft_s.mean())
    assert waits[0] < waits[1] < waits[2]


def test_closed_loop_obeys_its_law():
    """N = X (W + Z): clients = throughput x (time in system + think time)."""
    rng = np.random.default_rng(7)
    run = simulate(
        ClusterPlan(PoolPlan(COST, ReplicaLimits(64, 10**6), 1)),
        chat(rng, 6000, 1.0),
        clients=30,
        think_s=0.5,
    )
    throughput = len(run.requests) / run.span_s
    assert throughput * (run.e2e_s.mean() + 0.5) == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize(("rate", "verdict"), [(2.0, "stable"), (200.0, "overloaded")])
def test_verdict(rate, verdict):
    rng = np.random.default_rng(8)
    run = simulate(ClusterPlan(PoolPlan(COST, ReplicaLimits(64, 10**6), 1)), chat(rng, 3000, rate))
    assert run.verdict(ttft_s=1.0) == verdict


def test_requests_too_long_for_the_cache_are_refused():
    asked = Requests(
        np.zeros(2), np.array([10, 10**6], np.int32), np.array([5, 5], np.int32), np.zeros(2, np.int32)
    )
    run = simulate(ClusterPlan(PoolPlan(COST, ReplicaLimits(64, 100), 1)), asked)
    assert run.done.tolist() == [True, False]
    assert run.serve.refused == 1
    assert run.goodput(10.0, 1.0) == pytest.approx(1 / run.span_s)


def test_prompts_go_to_the_replica_with_least_to_read():
    """A prompt of 1,000 tokens on one of two replicas: the next three of 100 all go to the other, by tokens; by count
    they would alternate."""
    cost = StepCost([0.0], prefill_token_s=1.0)
    limits = ReplicaLimits(batch=10, kv_blocks=10**6, chunk_tokens=10**6)
    prompt = np.array([1000, 100, 100, 100], np.int32)
    asked = Requests(np.arange(4.0), prompt, np.ones(4, np.int32), np.zeros(4, np.int32))
    run = simulate(ClusterPlan(PoolPlan(cost, limits, 2, least_unread)), asked)
    # The second starts at 1 and ends at 101; the other two share a pass of 200 tokens after it.
    assert run.finish_s.tolist() == pytest.approx([1000.0, 101.0, 301.0, 301.0])


def test_groups_take_turns():
    """Eleven replicas in groups of four: of eleven requests, four, four and three, and no two in a row to one group."""
    route = in_groups(lambda group, serial, request: group[0], 4)
    firsts = [route(list(range(11)), serial, None) for serial in range(11)]
    assert [firsts.count(first) for first in (0, 4, 8)] == [4, 4, 3]
    assert all(now != then for now, then in pairwise(firsts))
