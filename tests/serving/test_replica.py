"""The jumping engine against the loop over single steps."""

from fractions import Fraction

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.batch import BlockCount
from sim.serving.reference import run_step_by_step
from sim.serving.replica import LiveRequest, Replica
from sim.serving.steps import ReplicaLimits, Rhythm, StepCost
from sim.serving.traffic import Requests


def run_by_jumps(requests, cost, limits, prefilled=False):
    environment = simpy.Environment()
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
            replica.submit(
                LiveRequest(
                    i,
                    int(requests.prompt[i]),
                    int(requests.output[i]),
                    int(requests.cached[i]),
                    int(prefilled),
                )
            )
        yield environment.timeout(0)

    environment.process(source())
    environment.run()
    return first, finish, refused, batches, replica.counters


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
    return requests, cost, limits, prefilled


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_jumps_equal_single_steps(world):
    """Same event times and the same batches, for every combination of features."""
    requests, cost, limits, prefilled = world
    slow = run_step_by_step(requests, cost, limits, prefilled=prefilled)
    first, finish, refused, batches, counters = run_by_jumps(requests, cost, limits, prefilled)
    assert refused == slow.refused
    assert counters.preemptions == slow.preemptions
    assert counters.steps == slow.steps
    assert first == pytest.approx(slow.first_token_s, rel=1e-9)
    assert finish == pytest.approx(slow.finish_s, rel=1e-9)
    assert [ids for _, ids in batches] == [ids for _, ids in slow.batches]
    assert [t for t, _ in batches] == pytest.approx([t for t, _ in slow.batches], rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=20), st.integers(0, 300), st.sampled_from([1, 7, 16])
)
def test_blocks_counted_by_remainder(offsets, emitted, size):
    count = BlockCount(size)
    for offset in offsets:
        count.add(offset)
    assert count.at(emitted) == sum(-(-(offset + emitted) // size) for offset in offsets)


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
    first, finish, _, _, _ = run_by_jumps(requests, cost, ReplicaLimits(1, 100))
    assert first[0] == pytest.approx(0.5 + 0.1 + 0.3 + 10 * 0.02)
    assert finish[0] == pytest.approx(first[0] + 3 * 0.2 + 0.01 * (11 + 12 + 13))
