"""Capacity under a promise: laws, balances, plain refusals, and a published fleet."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from test_iteration import H100, H100_NET, H800, H800_NET, KERNELS, LLAMA_70B, V3, serving

from sim.serving.capacity import serving_capacity
from sim.serving.job import Engine, ServingJob, Targets, Traffic
from sim.serving.pools import KIND_WEIGHTS, largest_within, mean_below_peak, prompt_kinds
from sim.serving.traffic import LengthDistribution

CHAT = Traffic(LengthDistribution(1500, 1.0, 60000), LengthDistribution(350, 0.9, 4096), prefix_hit=0.5)
ENGINE = Engine(
    overlap_hidden=0.6, expert_imbalance=1.1, step_overhead_s=1e-3, memory_use=0.9, buffers_bytes=4e9,
    prefill_spread=0.5, chunk_tokens=8192.0, routed=8.0, small_kernels=KERNELS,
)  # fmt: skip


PROMISE = Targets(2.0, 0.05)


def job(architecture=V3, targets=PROMISE, pools="disaggregated", **engine):
    base = serving(architecture, H800)
    return replace(base, traffic=CHAT, targets=targets, engine=replace(ENGINE, **engine), pools=pools)


@pytest.mark.parametrize("pools", ["disaggregated", "aggregated"])
def test_draws_equal_single_runs(pools):
    """One call on three draws gives what three calls give."""
    hidden = np.array([0.2, 0.5, 0.8])
    together = serving_capacity(job(pools=pools, overlap_hidden=hidden), H800, H800_NET, 4096)
    for i, value in enumerate(hidden):
        alone = serving_capacity(job(pools=pools, overlap_hidden=float(value)), H800, H800_NET, 4096)
        assert alone.output_tokens_per_s[0] == pytest.approx(together.output_tokens_per_s[i], rel=2e-3)
    assert np.all(np.diff(together.output_tokens_per_s) >= -1e-9)


@settings(max_examples=5, deadline=None)
@given(
    st.floats(0.02, 0.1),
    st.floats(1.0, 2.0),
    st.floats(1.0, 1.6),
    st.sampled_from(["disaggregated", "aggregated"]),
)
def test_a_looser_promise_or_a_faster_memory_never_lowers_capacity(tpot, looser, faster, pools):
    tight = serving_capacity(job(targets=Targets(2.0, tpot), pools=pools), H800, H800_NET, 4096)
    loose = serving_capacity(job(targets=Targets(2.0, tpot * looser), pools=pools), H800, H800_NET, 4096)
    assert loose.output_tokens_per_s[0] >= tight.output_tokens_per_s[0] * (1 - 2e-3)
    quick = replace(H800, memory_bandwidth=H800.memory_bandwidth * faster)
    better = serving_capacity(job(targets=Targets(2.0, tpot), pools=pools), quick, H800_NET, 4096)
    assert better.output_tokens_per_s[0] >= tight.output_tokens_per_s[0] * (1 - 2e-3)


def test_flows_balance():
    """Little's law on the decode pool: residents = rate x time they stay."""
    found = serving_capacity(job(), H800, H800_NET, 4096)
    step = sum(found.decode_terms.values())
    residents = found.batch_per_chip * (1 - found.prefill_share)
    assert residents == pytest.approx(found.requests_per_s * CHAT.output.mean * step, rel=1e-6)
    assert found.output_tokens_per_s == pytest.approx(found.requests_per_s * CHAT.output.mean)
    assert found.input_tokens_per_s == pytest.approx(found.requests_per_s * CHAT.prompt.mean * 0.5)
    assert found.ttft_s <= 2.0 * 1.001
    assert found.tpot_s <= 0.05 * 1.001
    assert 0 < found.activity < 1
    assert found.reason == ""
    users, chips = np.array(found.frontier).T
    assert np.all(np.diff(users) < 0)
    assert chips.max() >= found.output_tokens_per_s[0] * 0.95


def test_a_dense_model_is_served_too():
    found = serving_capacity(job(LLAMA_70B), H100, H100_NET, 64)
    assert found.output_tokens_per_s[0] > 0
    assert "TP" in found.shape


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": Targets(2.0, 0.002)}, "2.0 ms are promised"),
        ({"targets": Targets(0.02, 0.05)}, "0.02 s are promised"),
    ],
)
def test_an_impossible_promise_is_refused_in_words(change, words):
    found = serving_capacity(job(**change), H800, H800_NET, 4096)
    assert found.output_tokens_per_s[0] == 0
    assert words in found.reason


def test_a_model_that_does_not_fit_is_refused_in_words():
    found = serving_capacity(job(), H800, H800_NET, 4)
    assert found.output_tokens_per_s[0] == 0
    assert "leave no room" in found.reason


def test_only_some_draws_fail():
    found = serving_capacity(job(step_overhead_s=np.array([1e-3, 0.2])), H800, H800_NET, 4096)
    assert found.output_tokens_per_s[0] > 0
    assert found.output_tokens_per_s[1] == 0
    assert found.reason.startswith("50% of the draws serve nothing: a token takes")


def test_deepseek_fleet():
    """open-infra-index day 6: 14,800 output tokens/s per 8 H800 in decode, 4,026 computed input tokens/s per H800 in
    prefill (24-hour means), at 20-22 tokens per second and user and 4,989 tokens of context, 56.3 % of the prompt cached.
    An engine at its peak must be above the mean and below twice it."""
    # 608 G input and 168 G output tokens in a day: 3.6 in per out; contexts of 4,989 fix the level.
    traffic = Traffic(
        LengthDistribution(4450, 0.0, 1e5), LengthDistribution(1080, 0.0, 1e5), prefix_hit=0.563
    )
    asked = ServingJob(V3, serving(V3, H800).precisions, traffic, Targets(5.0, 0.0476), ENGINE)
    found = serving_capacity(asked, H800, H800_NET, 1814)
    decode = found.output_tokens_per_s / (1 - found.prefill_share)
    prefill = found.input_tokens_per_s / found.prefill_share
    assert 1850 * 0.9 < decode[0] < 1850 * 2
    assert 4026 < prefill[0] < 4026 * 2.2


def test_largest_within_and_poisson_peak():
    found = largest_within(lambda b: b * 0.01, np.array([5.0, 50.0, 0.5]), 0.2)
    assert found == pytest.approx([5.0, 20.0, 0.0], rel=2e-3)
    # 100 residents in 4 replicas: the 90th percentile of a Poisson count of 100 is about 100 + 1.2816 x 10.
    assert mean_below_peak(112.816 / 4, 4.0, 0.9) == pytest.approx(25.0, rel=1e-4)


def test_prompt_kinds_keep_the_mean():
    lengths = LengthDistribution(1500, 1.2, 126000)
    drawn = lengths.draw(400_000, np.random.default_rng(0)).astype(float)
    kinds = prompt_kinds(lengths)[:, 0]
    assert KIND_WEIGHTS @ kinds == pytest.approx(lengths.mean, rel=1e-6)
    assert drawn.mean() == pytest.approx(lengths.mean, rel=0.01)
    assert np.mean(drawn**2) == pytest.approx(lengths.mean_square, rel=0.05)
    assert KIND_WEIGHTS @ kinds**2 == pytest.approx(lengths.mean_square, rel=0.06)
    assert kinds[0] == pytest.approx(np.sort(drawn)[: len(drawn) // 5].mean(), rel=0.01)
