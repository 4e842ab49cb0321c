"""The jumping engine against the loop over single steps."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.batch import Track
from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.prefix_cache import CacheTier, PrefixSettings
from sim.serving.reference import run_step_by_step
from sim.serving.replica import LiveRequest, Replica
from sim.serving.steps import ReplicaLimits, Rhythm, Speculation, StepCost
from sim.serving.traffic import Requests


def run_by_jumps(requests, cost, limits, prefilled=False, **more):
    environment = simpy.Environment()
    live: list[LiveRequest] = []
    first: dict[int, float] = {}
    finish: dict[int, float] = {}
    refused: list[int] = []
    batches: list[tuple[float, tuple[int, ...]]] = []
    replica = Replica(
        environment,
        cost,
        limits,
        lambda sequence, now: first.__setitem__(sequence.index, now),
        lambda sequence, now: finish.__setitem__(sequence.index, now),
        lambda sequence, now: refused.append(sequence.index),
        batches,
    )

    def source():
        for i in range(len(requests)):
            delay = requests.arrival_s[i] - environment.now
            if delay > 0:
                yield environment.timeout(delay)
            prompt, output, cached = (
                int(column[i]) for column in (requests.prompt, requests.output, requests.cached)
            )
            further = {name: column[i] for name, column in more.items()}
            live.append(LiveRequest(i, prompt, output, cached, int(prefilled), **further))
            replica.submit(live[-1])
        yield environment.timeout(0)

    environment.process(source())
    environment.run()
    assert len(first) + len(refused) == len(requests) or prefilled
    assert replica.empty  # no block, token or request is left behind
    hits = {request.index: request.hit for request in live if request.hit >= 0}
    return first, finish, refused, batches, hits, replica.counters


@st.composite
def worlds(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    count = draw(st.integers(1, 40))
    longest = draw(st.sampled_from([3, 40, 300]))
    gap = draw(st.sampled_from([0.0, 0.003, 0.1, 5.0]))
    prompt = rng.integers(1, longest, count, endpoint=True).astype(np.int32)
    output = rng.integers(1, longest, count, endpoint=True).astype(np.int32)
    prefilled = draw(st.booleans())
    output += prefilled  # who comes with a first token still has one to make
    cached = np.minimum((prompt * draw(st.sampled_from([0.0, 0.6]))).astype(np.int32), prompt - 1)
    arrival = np.cumsum(rng.exponential(1.0, count)) * gap
    requests = Requests(arrival, prompt, output, cached)
    batch = draw(st.integers(1, 12))
    base = np.cumsum(rng.uniform(0.001, 0.01, batch + 1)).tolist()
    cost = StepCost(
        base,
        context_s=draw(st.sampled_from([0.0, 1e-6, 3.7e-4])),
        prefill_base_s=draw(st.sampled_from([0.0, 0.013])),
        prefill_token_s=1.3e-4,
        prefill_pair_s=draw(st.sampled_from([0.0, 2.1e-7])),
    )
    block = draw(st.sampled_from([1, 4, 16]))
    lookahead = draw(st.sampled_from([0, 3]))
    limits = ReplicaLimits(
        batch=batch,
        kv_blocks=draw(st.integers(1, 4))
        * (2 * longest + 1 + lookahead)
        // block
        // draw(st.sampled_from([1, 2]))
        + 1,
        block_tokens=block,
        chunk_tokens=draw(st.sampled_from([5, 32, 8192])),
        mixed=draw(st.booleans()),
        accepted=draw(st.sampled_from([Fraction(1), Fraction(17, 10), Fraction(3), Fraction(64, 27)])),
        lookahead=lookahead,
        spare_blocks=draw(st.sampled_from([0, 2])),
    )
    return requests, cost, limits, prefilled, {}


@st.composite
def rich_worlds(draw):
    """The same with priority classes, kinds of speculation, swapping, image encoding and a prefix cache, each on or off."""
    requests, cost, limits, prefilled, _ = draw(worlds())
    count = len(requests)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    more = {}
    if draw(st.booleans()):
        limits = replace(limits, classes=3)
        more["priority"] = rng.integers(0, 3, count).tolist()
    if draw(st.booleans()):
        kinds = (Speculation(Fraction(5, 2), 2, 1.5), Speculation(Fraction(1), 0, 0.5))
        limits = replace(limits, further=kinds, kv_blocks=limits.kv_blocks + 2)
        more["rhythm"] = rng.integers(0, 3, count).tolist()
        cost = replace(cost, base_s=np.cumsum(rng.uniform(0.001, 0.01, 2 * limits.batch + 1)).tolist())
    if draw(st.booleans()):
        limits = replace(limits, swap_blocks=draw(st.sampled_from([3, 10**6])), swap_token_s=1.7e-5)
    if draw(st.booleans()):
        more["extra_s"] = np.where(rng.random(count) < 0.5, 0.031, 0.0).tolist()
    if not prefilled and draw(st.booleans()):
        unit = limits.block_tokens * draw(st.sampled_from([1, 2]))
        tiers = draw(st.sampled_from([(), (CacheTier(3, 1e-5),), (CacheTier(2, 1e-5), CacheTier(40, 4e-5))]))
        limits = replace(limits, prefix=PrefixSettings(unit, tiers))
        more["hashes"] = [path(rng, int(tokens) // unit) for tokens in requests.prompt]
        requests = replace(requests, cached=np.zeros(count, np.int32))
    return requests, cost, limits, prefilled, more


def path(rng, blocks):
    """Ids of a prompt out of a tree with two branches at each node: an id tells the whole way to its block."""
    ids, node = [], 1
    for _ in range(blocks):
        node = (2 * node + int(rng.random() < 0.2)) % (2**61 - 1)
        ids.append(node)
    return ids


def compare(world):
    requests, cost, limits, prefilled, more = world
    slow = run_step_by_step(requests, cost, limits, prefilled=prefilled, **more)
    first, finish, refused, batches, hits, counters = run_by_jumps(requests, cost, limits, prefilled, **more)
    assert hits == slow.hits
    assert refused == slow.refused
    assert counters.preemptions == slow.preemptions
    assert counters.steps == slow.steps
    assert first == pytest.approx(slow.first_token_s, rel=1e-9)
    assert finish == pytest.approx(slow.finish_s, rel=1e-9)
    assert [ids for _, ids in batches] == [ids for _, ids in slow.batches]
    assert [t for t, _ in batches] == pytest.approx([t for t, _ in slow.batches], rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_jumps_equal_single_steps(world):
    """Same event times and the same batches, for every combination of features."""
    compare(world)


@settings(max_examples=400, deadline=None)
@given(rich_worlds())
def test_jumps_equal_single_steps_with_every_feature(world):
    """Priority, kinds of speculation, swapping, encoding, prefix cache with tiers: in any combination."""
    compare(world)


@settings(max_examples=100, deadline=None)
@given(rich_worlds())
def test_a_cluster_of_one_instance_equals_single_steps(world):
    """The way through router, books and feed changes nothing."""
    requests, cost, limits, prefilled, more = world
    if prefilled:
        return
    slow = run_step_by_step(requests, cost, limits, **more)
    run = simulate(ClusterPlan(PoolPlan(cost, limits, 1)), requests, details=Details(**more))
    finished = {row: time for row, time in enumerate(run.finish_s.tolist()) if time == time}
    assert finished == pytest.approx(slow.finish_s, rel=1e-9)
    if "hashes" in more:
        assert all(run.requests.cached[row] == hit for row, hit in slow.hits.items() if row in finished)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=20), st.integers(0, 300), st.sampled_from([1, 7, 16])
)
def test_blocks_counted_by_remainder(offsets, emitted, size):
    track = Track(Speculation(), size)
    for number, offset in enumerate(offsets):
        joiner = LiveRequest(number, offset, 1000)
        joiner.admission = number
        track.join(joiner, 0)
    assert track.blocks_at(emitted) == sum(-(-(offset + emitted) // size) for offset in offsets)
    for number, offset in enumerate(offsets):
        leaver = LiveRequest(number, offset, 1000)
        leaver.offset = offset
        track.leave(leaver, 0)
    assert track.blocks_at(emitted) == track.count == 0


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 300), st.integers(0, 200))
def test_rhythm_sums(tokens, per, step, steps):
    rhythm = Rhythm(Fraction(tokens, per))
    before = rhythm.emitted(step)
    assert rhythm.growth(step, steps) == sum(rhythm.emitted(step + j) - before for j in range(steps))
    if tokens >= per:
        assert rhythm.emitted(rhythm.first_step(step)) >= step
        assert step == 0 or rhythm.emitted(rhythm.first_step(step) - 1) < step


def test_one_request_by_hand():
    """10 prompt tokens and 4 output tokens: one prompt step, then three decode steps on contexts 11, 12,
    13."""
    requests = Requests(
        np.array([0.5]), np.array([10], np.int32), np.array([4], np.int32), np.array([0], np.int32)
    )
    cost = StepCost([0.1, 0.2], context_s=0.01, prefill_base_s=0.3, prefill_token_s=0.02)
    first, finish, *_ = run_by_jumps(requests, cost, ReplicaLimits(1, 100))
    assert first[0] == pytest.approx(0.5 + 0.1 + 0.3 + 10 * 0.02)
    assert finish[0] == pytest.approx(first[0] + 3 * 0.2 + 0.01 * (11 + 12 + 13))
