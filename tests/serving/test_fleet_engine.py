"""What a fleet does beside serving: units, failures, maintenance, autoscaling, modes; against theory and by hand."""

from dataclasses import replace
from fractions import Fraction
from heapq import heappop, heappush
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.autoscale import Autoscale, target_occupancy
from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.modes import Mode, by_mode, draw_modes
from sim.serving.plan import Failures, Maintenance
from sim.serving.prefix_cache import CacheTier, PrefixSettings
from sim.serving.routing import ROUTES, cache_aware, least_loaded, named, round_robin
from sim.serving.steps import ReplicaLimits, Speculation, StepCost
from sim.serving.traffic import LengthDistribution, Requests, diurnal_arrivals, poisson_arrivals

COST = StepCost([0.005 + 0.0001 * b for b in range(129)], 1e-8, 1e-3, 2e-5, 1e-10)
INSTANT = PoolPlan(StepCost([0.0], prefill_base_s=1e-9), ReplicaLimits(10**6, 10**9, chunk_tokens=10**9), 1)


def asked(arrival, prompt, output, cached=0):
    count = len(arrival)
    columns = (np.broadcast_to(each, count).astype(np.int32) for each in (prompt, output, cached))
    return Requests(np.asarray(arrival, float), *columns)


def chat(rng, count, rate):
    arrivals = poisson_arrivals(rate, count, rng)
    return asked(arrivals, rng.integers(1, 2000, count), rng.integers(1, 400, count))


def first_free(arrival, service, servers):
    """Mean wait before several servers with one line, by the recursion of Kiefer and Wolfowitz (1955)."""
    free, wait = [0.0] * servers, 0.0
    for now, length in zip(arrival.tolist(), service.tolist(), strict=True):
        start = max(now, heappop(free))
        wait += start - now
        heappush(free, start + length)
    return wait / len(arrival)


@pytest.mark.parametrize("kind", ["exponential", "lognormal"])
def test_places_with_one_line_are_m_g_k(kind):
    """k places that decode at a speed of their own, against the recursion on the same numbers (a step of 1 ms apart), and
    for exponential lengths against Erlang C: wait = C(k, a) / (k mu - lambda)."""
    rng, k, load, count = np.random.default_rng(1), 5, 0.7, 40_000
    drawn = rng.exponential(1000.0, count) if kind == "exponential" else rng.lognormal(6.5, 1.0, count)
    output = 1 + np.maximum(np.rint(drawn), 1)
    service = (output - 1) * 1e-3  # steps of 1 ms
    rate = k * load / service.mean()
    arrival = poisson_arrivals(rate, count, rng)
    plan = ClusterPlan(PoolPlan(StepCost([1e-3] * (k + 1)), ReplicaLimits(k, 10**9), 1), INSTANT)
    run = simulate(plan, asked(arrival, 1, output))
    wait = (run.e2e_s - service).mean()
    assert wait == pytest.approx(first_free(arrival, service, k), abs=1e-3)
    if kind == "exponential":
        a = k * load
        last = a**k / factorial(k) / (1 - load)
        waits = last / (sum(a**n / factorial(n) for n in range(k)) + last)
        # Four seeds of this length spread by 20 %.
        assert wait == pytest.approx(waits * service.mean() / (k - a), rel=0.25)


def test_service_of_any_kind_is_m_g_1():
    """Pollaczek-Khinchine: wait = lambda E[S^2] / (2 (1 - rho)), prompts of lognormal length, 1 us per token."""
    rng = np.random.default_rng(2)
    prompt = LengthDistribution(5e5, 1.0, 1e7).draw(40_000, rng)
    service = prompt * 1e-6
    rate = 0.6 / service.mean()
    server = PoolPlan(
        StepCost([0.0, 0.0], prefill_token_s=1e-6), ReplicaLimits(1, 10**9, chunk_tokens=10**9), 1
    )
    run = simulate(ClusterPlan(server), asked(poisson_arrivals(rate, 40_000, rng), prompt, 1))
    wait = (run.ttft_s - service).mean()
    assert wait == pytest.approx(rate * np.mean(service**2) / (2 * 0.4), rel=0.1)


def test_two_classes_wait_as_cobham_says():
    """Head of the line, not preempted: W1 = W0 / (1 - rho1), W2 = W0 / ((1 - rho1)(1 - rho)), W0 = lambda E[S^2] / 2."""
    rng, count = np.random.default_rng(3), 40_000
    prompt = np.maximum(np.rint(rng.exponential(1e6, count)), 1)
    urgent = rng.random(count) < 0.4
    limits = ReplicaLimits(1, 10**9, chunk_tokens=10**9, classes=2)
    server = PoolPlan(StepCost([0.0, 0.0], prefill_token_s=1e-6), limits, 1)
    details = Details(priority=np.where(urgent, 0, 1))
    run = simulate(ClusterPlan(server), asked(poisson_arrivals(0.8, count, rng), prompt, 1), details=details)
    wait = run.ttft_s - prompt * 1e-6
    assert wait[urgent].mean() == pytest.approx(0.8 / (1 - 0.32), rel=0.06)
    assert wait[~urgent].mean() == pytest.approx(0.8 / (1 - 0.32) / 0.2, rel=0.12)


def test_units_have_queues_of_their_own():
    """Two units in turn are two clusters with every other request."""
    requests = chat(np.random.default_rng(4), 300, 30.0)
    plan = ClusterPlan(
        PoolPlan(COST, ReplicaLimits(64, 400), 1), PoolPlan(COST, ReplicaLimits(64, 4000), 2), 0.01, 1e-6
    )
    both = simulate(replace(plan, units=2, assign=round_robin), requests)
    for turn in (0, 1):
        columns = (requests.arrival_s, requests.prompt, requests.output, requests.cached)
        alone = simulate(plan, Requests(*(column[turn::2] for column in columns)))
        assert both.finish_s[turn::2] == pytest.approx(alone.finish_s, rel=1e-12)


class Given:
    """Random numbers in a given order."""

    def __init__(self, *values):
        self.values = list(values)

    def exponential(self, mean):
        return self.values.pop(0) if self.values else 1e9


def test_a_failure_by_hand():
    """Prompt of 10 tokens at 0.1 s, then steps of 1 s: tokens at 1, 2, 3; the replica fails at 3.5 and is back at 5.5.

    13 tokens are read again (1.3 s, which makes token 4 at 6.8); the fifth is out at 7.8.
    """
    cost = StepCost([0.0, 1.0], prefill_token_s=0.1)
    pool = PoolPlan(cost, ReplicaLimits(1, 100), 1, chips=4, failures=Failures(10.0, 2.0))
    run = simulate(ClusterPlan(pool), asked([0.0], 10, 5), rng=Given(3.5))
    assert run.first_token_s[0] == pytest.approx(1.0)
    assert run.finish_s[0] == pytest.approx(7.8)
    assert (run.serve.failures, run.serve.retried, run.serve.reread_tokens) == (1, 1, 13)
    assert run.timeline["serve"] == [(0.0, 1), (3.5, 0), (5.5, 1)]
    assert run.chip_hours == pytest.approx(4 * 7.8 / 3600)


def test_decode_that_fails_has_its_prompt_read_again_by_the_prefill_pool():
    """As above with the cache sent in 0.5 s: token 1 at 1, tokens 2 and 3 at 2.5 and 3.5; failure at 4.

    The prefill pool reads 13 tokens: token 4 at 5.3, sent by 5.8; the decode replica is back at 6: token 5 at 7.
    """
    decode = PoolPlan(StepCost([0.0, 1.0]), ReplicaLimits(1, 100), 1, failures=Failures(10.0, 2.0))
    reader = PoolPlan(StepCost([0.0], prefill_token_s=0.1), ReplicaLimits(1, 100), 1)
    run = simulate(ClusterPlan(decode, reader, transfer_s=0.5), asked([0.0], 10, 5), rng=Given(4.0))
    assert run.finish_s[0] == pytest.approx(7.0)
    assert run.prefill.prefill_tokens == 23


def test_failures_leave_the_availability_of_renewal_theory():
    """Up for mean / (mean + repair) of the time."""
    pool = PoolPlan(COST, ReplicaLimits(64, 4000), 40, failures=Failures(50.0, 10.0))
    requests = chat(np.random.default_rng(5), 4000, 8.0)
    run = simulate(ClusterPlan(pool), requests, rng=np.random.default_rng(6))
    times, up = np.array(run.timeline["serve"]).T
    end = times[-1]
    late = times >= 50.0  # from the steady state on
    held = np.diff(np.append(times[late], end))
    assert np.sum(up[late] * held) / (40 * held.sum()) == pytest.approx(50 / 60, abs=0.03)
    assert run.serve.retried > 0
    assert run.done.all()


def test_maintenance_loses_nothing():
    pool = PoolPlan(COST, ReplicaLimits(64, 4000), 3, maintenance=Maintenance(20.0, 5.0))
    run = simulate(ClusterPlan(pool), chat(np.random.default_rng(7), 1500, 10.0))
    up = [count for _, count in run.timeline["serve"]]
    assert min(up[2:]) == 2  # one at a time
    assert len(up) > 10
    assert run.serve.retried == run.serve.reread_tokens == 0


def test_autoscaling_follows_the_day():
    """Rule of three: 4 replicas' worth of places at the mean load of a target of a half; the day swings by 80 %."""
    rng, day = np.random.default_rng(8), 2000.0
    arrivals = diurnal_arrivals(8.0, 1.8, 20_000, rng, day)
    requests = asked(arrivals, 100, 201)
    # Steps of 50 ms: a stay of 10 s, so 80 requests are there on average; 40 places at one half: 4 replicas.
    cost, limits = StepCost([0.05] * 41), ReplicaLimits(40, 10**6)
    rule = Autoscale(target_occupancy(0.5), 20.0, 60.0, 1, 12)
    scaled = simulate(ClusterPlan(PoolPlan(cost, limits, 4, chips=8, autoscale=rule)), requests)
    fixed = simulate(ClusterPlan(PoolPlan(cost, limits, 8, chips=8)), requests)
    times, up = np.array(scaled.timeline["serve"]).T
    held = np.diff(np.append(times, scaled.finish_s.max()))
    night, noon = (np.abs(times % day - at) < 150 for at in (60.0, day / 2 + 60.0))
    assert np.average(up[noon], weights=held[noon]) == pytest.approx(8 * 0.9, rel=0.15)
    assert np.average(up[night], weights=held[night]) < 2.5
    assert scaled.chip_hours < 0.7 * fixed.chip_hours
    assert fixed.chip_hours == pytest.approx(64 * fixed.finish_s.max() / 3600)
    assert scaled.done.all()


def test_a_start_takes_its_time_and_is_paid():
    """One replica too few at the first decision (10 s): the second serves at 25 s, and is paid from 10 s on."""
    rule = Autoscale(lambda state: 2.0, 10.0, 15.0, 1, 2)
    run = simulate(
        ClusterPlan(PoolPlan(StepCost([1.0] * 3), ReplicaLimits(2, 100), 1, autoscale=rule)),
        asked([0.0], 1, 40),
    )
    assert run.timeline["serve"] == [(0.0, 1), (25.0, 2)]
    assert run.chip_s["serve"] == pytest.approx(40.0 + 30.0)


def test_the_cache_aware_router_finds_the_prefix():
    """Two conversations of 1,024 tokens each, in turn on two replicas: everyone goes where its prefix is."""
    limits = ReplicaLimits(8, 10**4, prefix=PrefixSettings(512))
    requests = asked(np.arange(40) * 10.0, 1100, 20)
    hashes = [[2 * (number % 2) + 10, 2 * (number % 2) + 11] for number in range(40)]
    details = Details(hashes=hashes)
    pool = PoolPlan(COST, limits, 2, cache_aware)
    run = simulate(ClusterPlan(pool), requests, details=details)
    # Only the first of each conversation finds nothing: 38 x 1,024 of 40 x 1,100 tokens.
    assert run.hit_rate() == pytest.approx(38 * 1024 / (40 * 1100))
    assert run.serve.hit_tokens == 38 * 1024
    shuffled = np.random.default_rng(9).permutation(40)
    mixed = Details(hashes=[hashes[number] for number in shuffled])
    least = simulate(ClusterPlan(replace(pool, route=round_robin)), requests, details=mixed)
    assert least.hit_rate() <= run.hit_rate()


FAST = Mode(
    "fast", 0.6, LengthDistribution(300, 0.8, 4000), LengthDistribution(60, 0.5, 500), ttft_s=1.0, tpot_s=0.05
)
EXPERT = Mode(
    "expert",
    0.3,
    LengthDistribution(600, 0.8, 4000),
    LengthDistribution(400, 0.5, 2000),
    priority=1,
    rhythm=1,
)
VISION = Mode(
    "vision",
    0.1,
    LengthDistribution(300, 0.8, 4000),
    LengthDistribution(60, 0.5, 500),
    image_tokens=1024,
    encode_s=0.02,
)


def test_modes_share_a_fleet():
    rng = np.random.default_rng(10)
    modes = [FAST, EXPERT, VISION]
    traffic = draw_modes(modes, poisson_arrivals(12.0, 4000, rng), rng)
    further = (Speculation(Fraction(5, 2), 3, 2.0),)
    limits = ReplicaLimits(64, 3000, accepted=Fraction(1), classes=2, further=further)
    run = simulate(ClusterPlan(PoolPlan(COST, limits, 1)), traffic.requests, details=traffic.details)
    fast, expert, vision = by_mode(run, modes, traffic.mode)
    assert fast.requests + expert.requests + vision.requests == 4000
    assert fast.requests / 4000 == pytest.approx(0.6, abs=0.03)
    assert traffic.requests.prompt[traffic.mode == 2].min() > 1024
    assert fast.ttft_s[90] < expert.ttft_s[90]  # class 0 goes first
    assert expert.tpot_s[50] < 0.6 * fast.tpot_s[50]  # 2.5 tokens per step
    assert vision.ttft_s[50] > fast.ttft_s[50] + 0.02 + 1024 * 2e-5  # encoder and image tokens
    assert fast.kept > 0.9


def test_details_that_do_not_fit_are_refused():
    requests = asked([0.0, 1.0], 5, 5)
    with pytest.raises(ValueError, match="priority goes up to 3"):
        simulate(
            ClusterPlan(PoolPlan(COST, ReplicaLimits(4, 100), 1)), requests, details=Details(priority=[0, 3])
        )
    pool = PoolPlan(COST, ReplicaLimits(4, 100), 1, failures=Failures(1.0, 1.0))
    with pytest.raises(ValueError, match="random numbers"):
        simulate(ClusterPlan(pool), requests)


@st.composite
def fleets(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    modes = [FAST, replace(EXPERT, rhythm=draw(st.sampled_from([0, 1]))), VISION]
    traffic = draw_modes(modes, poisson_arrivals(draw(st.sampled_from([3.0, 40.0])), 120, rng), rng)
    unit = draw(st.sampled_from([0, 64]))
    tiers = (CacheTier(20, 1e-6),) if draw(st.booleans()) else ()
    limits = ReplicaLimits(
        32, draw(st.sampled_from([420, 5000])), classes=2, further=(Speculation(Fraction(5, 2), 3, 2.0),),
        prefix=PrefixSettings(unit, tiers) if unit else None, swap_blocks=draw(st.sampled_from([0, 100])),
        swap_token_s=1e-6,
    )  # fmt: skip
    details = traffic.details
    if unit:
        trees = rng.integers(0, 4, 120)
        hashes = [[1000 * int(t) + n for n in range(70)] for t in trees]
        details = replace(details, hashes=hashes)
    route = named(draw(st.sampled_from(ROUTES)), rng)
    restless = {
        "failures": draw(st.sampled_from([None, Failures(8.0, 1.0)])),
        "maintenance": draw(st.sampled_from([None, Maintenance(3.0, 1.0)])),
        "autoscale": draw(st.sampled_from([None, Autoscale(target_occupancy(0.3), 1.0, 2.0, 1, 4)])),
    }
    pool = PoolPlan(COST, limits, draw(st.integers(1, 3)), route, **restless)
    reader = replace(pool, replicas=2) if draw(st.booleans()) else None
    plan = ClusterPlan(pool, reader, 0.01, 1e-6, draw(st.integers(1, 2)), least_loaded)
    return plan, traffic.requests, details, draw(st.sampled_from([None, 5, 2.0])), rng


@settings(max_examples=150, deadline=None)
@given(fleets())
def test_the_books_balance_whatever_happens(fleet):
    """Little's law, tokens and cache blocks are checked inside, for every combination of features."""
    plan, requests, details, limit, rng = fleet
    how = {"clients": limit} if isinstance(limit, int) else {"horizon_s": limit}
    run = simulate(plan, requests, details=details, rng=rng, **how)
    if "horizon_s" not in how or limit is None:
        assert run.done.all()
        assert np.all(run.finish_s >= run.first_token_s)
    assert run.chip_hours > 0
