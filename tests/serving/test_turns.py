"""Sessions in the event engine: a round is sent a tool's wait after the answer before it, whenever that comes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replica import rich_worlds

from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.plan import Failures
from sim.serving.reference import run_step_by_step
from sim.serving.sessions import AgentHabits, draw_sessions
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import LengthDistribution, Requests, poisson_arrivals
from sim.serving.turns import Turns

ROOMY = ReplicaLimits(10_000, 10**9, chunk_tokens=10**9)


def sessions(seed, count=30, tool_s=3.0, rate=2.0):
    rng = np.random.default_rng(seed)
    rounds, prompt = LengthDistribution(6, 0.5, 30), LengthDistribution(400, 0.5, 3000)
    result, answer = LengthDistribution(60, 0.8, 900), LengthDistribution(30, 0.8, 400)
    habits = AgentHabits(rounds, prompt, result, answer, tool_s, 8000)
    return draw_sessions(habits, poisson_arrivals(rate, count, rng), rng)


def turns(found):
    return Details(follows=found.follows, wait_s=found.wait_s)


@settings(max_examples=100, deadline=None)
@given(rich_worlds(), st.integers(0, 10**6))
def test_an_instance_with_sessions_equals_single_steps(world, seed):
    """Any features, any tree of requests that wait for each other: the same times as the loop over single steps."""
    requests, cost, limits, prefilled, more = world
    if prefilled:
        return
    rng = np.random.default_rng(seed)
    count = len(requests)
    follows = np.array([rng.integers(-1, row) if row else -1 for row in range(count)], np.int32)
    wait = rng.uniform(1e-4, 2.0, count)
    slow = run_step_by_step(requests, cost, limits, follows=follows.tolist(), wait_s=wait.tolist(), **more)
    details = Details(follows=follows, wait_s=wait, **more)
    run = simulate(ClusterPlan(PoolPlan(cost, limits, 1)), requests, details=details)
    finished = {row: time for row, time in enumerate(run.finish_s.tolist()) if time == time}
    assert finished == pytest.approx(slow.finish_s, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_answers_without_a_wait_give_the_earliest_times(seed):
    """Steps of a picosecond and room for all: every round comes at the earliest time that its trace allows."""
    found = sessions(seed)
    plan = ClusterPlan(PoolPlan(StepCost([1e-12] * 10_001), ROOMY, 1))
    run = simulate(plan, found.requests, details=turns(found))
    np.testing.assert_allclose(run.requests.arrival_s, found.requests.arrival_s, atol=1e-6)


def test_rounds_are_late_by_the_answers_before_them():
    """Room for all and 10 ms per token, the first included: round k is late by 10 ms x the tokens answered before."""
    found = sessions(4)
    cost = StepCost([0.01] * 10_001)
    run = simulate(ClusterPlan(PoolPlan(cost, ROOMY, 1)), found.requests, details=turns(found))
    later = found.follows >= 0
    before = found.follows[later]
    np.testing.assert_allclose(
        run.requests.arrival_s[later], run.finish_s[before] + found.wait_s[later], rtol=1e-12
    )
    late = np.zeros(len(found))
    for row in np.flatnonzero(later):
        late[row] = late[found.follows[row]] + 0.01 * found.requests.output[found.follows[row]]
    # A request waits for the step that is running, 10 ms at most each time.
    gap = run.requests.arrival_s - found.requests.arrival_s - late
    rounds = np.zeros(len(found))
    for row in np.flatnonzero(later):
        rounds[row] = rounds[found.follows[row]] + 1
    assert np.all(gap >= -1e-9)
    assert np.all(gap <= 0.01 * rounds + 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.sampled_from([None, 1, 2]), st.sampled_from([80, 600]),
       st.sampled_from([None, 4.0]), st.booleans())  # fmt: skip
def test_books_balance_with_sessions(seed, replicas, readers, blocks, horizon, fails):
    """Little's law and the tokens are checked inside, whatever is refused, pushed out or fails on the way."""
    found = sessions(seed, 15, 0.5, 8.0)
    limits = ReplicaLimits(16, blocks)
    failures = Failures(4.0, 0.5) if fails else None
    cost = StepCost([0.005 + 1e-4 * b for b in range(17)], 1e-8, 1e-3, 2e-5)
    pool = PoolPlan(cost, limits, replicas, failures=failures)
    reader = None if readers is None else PoolPlan(cost, replace(limits, kv_blocks=5000), readers)
    plan = ClusterPlan(pool, reader, 0.01)
    run = simulate(
        plan, found.requests, details=turns(found), horizon_s=horizon, rng=np.random.default_rng(seed)
    )
    sent = np.isfinite(run.requests.arrival_s)
    waited = sent & (found.follows >= 0)
    answered = np.isfinite(run.finish_s[found.follows[waited]])
    gone = run.requests.arrival_s[waited][answered] - run.finish_s[found.follows[waited]][answered]
    np.testing.assert_allclose(gone, found.wait_s[waited][answered], rtol=1e-9, atol=1e-9)
    if horizon is None:
        assert sent.all()


def test_what_a_decode_pool_cannot_hold_is_refused_after_its_prompt_was_read():
    """100 tokens and 28 of answer fit in 8 blocks of 16; 100 and 40 do not: its prompt and first token were made in vain."""
    asked = Requests(
        np.array([0.0, 0.0]),
        np.array([100, 100], np.int32),
        np.array([28, 40], np.int32),
        np.array([0, 30], np.int32),
    )
    cost = StepCost([0.01] * 5, prefill_token_s=1e-5)
    reader = PoolPlan(cost, ReplicaLimits(4, 1000), 1)
    run = simulate(ClusterPlan(PoolPlan(cost, ReplicaLimits(4, 8), 1), reader), asked)
    assert run.done.tolist() == [True, False]
    assert np.isnan(run.first_token_s[1])
    assert run.serve.refused == 1
    assert run.prefill.prefill_tokens == 100 + 70
    assert run.serve.tokens + run.prefill.tokens == 28 + 1


def test_sessions_of_a_long_run_come_at_their_rate_from_the_first_second():
    """Sessions last longer than the run: without those under way, its first half would see a fraction of the rate."""
    found = sessions(7, 400, 20.0, 5.0)
    answer = 0.02 * found.requests.output
    rate = 20.0
    steady = found.steady(rate, answer)
    span = len(found) / rate
    times = steady.requests.arrival_s
    assert len(steady) == len(found)
    assert times.min() >= 0
    assert times.max() <= span
    halves = np.histogram(times, 4, (0, span))[0] / (len(found) / 4)
    assert halves == pytest.approx(np.ones(4), abs=0.15)
    # Within the run, a round is expected an answer and a wait after the one before.
    later = steady.follows >= 0
    order = np.argsort(found.requests.prompt, kind="stable")
    assert steady.requests.prompt.sum() == found.requests.prompt[order].sum()
    assert np.all(steady.follows[later] < np.flatnonzero(later))
    run = simulate(
        ClusterPlan(PoolPlan(StepCost([0.02] * 10_001), ROOMY, 1)), steady.requests, details=turns(steady)
    )
    assert np.isfinite(run.finish_s).all()
    # Steps of 20 ms and room for all: arrivals are as expected, but for the running step that each round waits for.
    assert np.max(np.abs(run.requests.arrival_s - times)) < 0.02 * 32


def test_nobody_waits_for_a_later_row():
    with pytest.raises(ValueError, match="earlier row"):
        Turns(np.array([1, -1], np.int32), np.zeros(2))


def test_sessions_and_clients_do_not_mix():
    found = sessions(1, 3)
    with pytest.raises(ValueError, match="clock of their own"):
        simulate(
            ClusterPlan(PoolPlan(StepCost([0.1] * 9), ROOMY, 1)),
            found.requests,
            clients=2,
            details=turns(found),
        )
