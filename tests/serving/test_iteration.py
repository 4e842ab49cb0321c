"""One engine step: sums, laws, and published operating points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import GroupedAttention, LatentAttention
from sim.physics.chip import Chip, KernelCurve
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.network import Network, Tier
from sim.physics.operators import Precisions
from sim.physics.operators import Traffic as KernelTraffic
from sim.serving.iteration import decode_step_time, prefill_time
from sim.serving.job import Engine, ServingJob, Targets, Traffic, UnitShape, as_ranks, serving_precisions
from sim.serving.traffic import LengthDistribution
from sim.serving.wires import copies_time

# DeepSeek-V3, arXiv 2412.19437 section 4.2, and Llama-3-70B, arXiv 2407.21783 table 3.
V3 = Architecture(
    vocab=129280,
    hidden=7168,
    layers=61,
    attention=(
        LatentAttention(
            layers=61, heads=128, query_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, value_dim=128
        ),
    ),
    ffn=(
        DenseFeedForward(layers=3, intermediate=18432),
        MixtureOfExperts(
            layers=58,
            experts=256,
            top_k=8,
            intermediate=2048,
            shared_experts=1,
            routing_groups=8,
            routing_limit=4,
        ),
    ),
)
LLAMA_70B = Architecture(
    vocab=128256,
    hidden=8192,
    layers=80,
    attention=(GroupedAttention(layers=80, heads=64, kv_heads=8, head_dim=128),),
    ffn=(DenseFeedForward(layers=80, intermediate=28672),),
)


def make_chip(name, bf16, eight, memory, bandwidth, a, b, t0, moe, attention, kernels, eight_name="fp8"):
    """Roofline shares as recommended for serving: dense (a16, a8), b, t0, MoE (a, b, t0), attention
    (prefill, decode, b)."""
    curves = {
        ("gemm", "bf16"): KernelCurve(a[0], b, t0),
        ("gemm", eight_name): KernelCurve(a[1], b, t0),
        ("grouped_gemm", "bf16"): KernelCurve(*moe),
        ("attention_prefill", "bf16"): KernelCurve(attention[0], b, t0),
        ("attention_decode", "bf16"): KernelCurve(attention[1], attention[2], t0),
        ("elementwise", "bf16"): KernelCurve(0.1, 0.6, t0),
        ("lookup", "bf16"): KernelCurve(0.1, 0.4, t0),
    }
    overhead = {
        "decode_dense": kernels[0],
        "decode_moe": kernels[1],
        "prefill_dense": 0.0,
        "prefill_moe": 0.0,
    }
    return Chip(
        name, {"bf16": bf16, eight_name: eight}, {}, memory, bandwidth, curves, {}, 100.0, 700.0, overhead,
        latent_layers=1.6, memory_activity=0.6, waiting_activity=0.3,
    )  # fmt: skip


HOPPER = {
    "a": (0.80, 0.62),
    "b": 0.80,
    "t0": 3e-6,
    "moe": (0.62, 0.77, 28e-6),
    "attention": (0.55, 0.58, 0.75),
    "kernels": (12e-6, 22e-6),
}
H800 = make_chip("H800", 989e12, 1979e12, 80e9, 3.35e12, **HOPPER)
H100 = make_chip("H100", 989e12, 1979e12, 80e9, 3.35e12, **HOPPER)
H200 = make_chip("H200", 989e12, 1979e12, 141e9, 4.8e12, **HOPPER)
H800_NET = Network(
    (Tier("NVLink", 8, 200e9, 2.5e-6, 0.75, 0.47, 20e-6), Tier("IB", np.inf, 50e9, 5e-6, 0.8, 0.90, 20e-6))
)
H100_NET = Network(
    (Tier("NVLink", 8, 450e9, 1.25e-6, 0.75, 0.47, 20e-6), Tier("IB", np.inf, 50e9, 5e-6, 0.8, 0.90, 20e-6))
)
ASCEND = make_chip(
    "910C", 708e12, 1504e12, 128e9, 3.2e12, a=(0.75, 0.78), b=0.75, t0=5e-6, moe=(0.60, 0.65, 40e-6),
    attention=(0.55, 0.654, 0.84), kernels=(30e-6, 80e-6), eight_name="int8",
)  # fmt: skip
# Dispatch and combine together: 86 + 13 log2(EP) us plus the bytes at 196 GB/s per die.
ASCEND_NET = Network(
    (Tier("UB", 384, 392e9, 4e-6, 0.55, 0.9, 97e-6), Tier("RoCE", np.inf, 50e9, 1e-5, 0.7, 0.8, 9e-5))
)


KERNELS = KernelTraffic(hidden=24.0, moe_factor=1.3)  # what engines move between the matrix products
USUAL = {"small_kernels": KERNELS, "memory_use": 0.9, "buffers_bytes": 4e9, "prefill_spread": 0.5}


def serving(architecture, chip, **engine):
    traffic = Traffic(LengthDistribution(4096, 0.0, 1e6), LengthDistribution(1024, 0.0, 1e6))
    made = Engine(**USUAL | engine)
    return ServingJob(architecture, serving_precisions(chip), traffic, Targets(1.0, 0.05), made)


def test_terms_and_bounds_add_up():
    job = serving(V3, H800, overlap_hidden=0.7, step_overhead_s=1e-3, drafts=2, accepted=2.0)
    batch = np.array([1.0, 16.0, 128.0, 400.0])
    for step in (
        decode_step_time(job, H800, H800_NET, UnitShape(1, 64), batch, 3000.0),
        prefill_time(job, H800, H800_NET, UnitShape(4, 8), batch / 64, 4000.0, 1000.0),
    ):
        assert sum(step.terms.values()) == pytest.approx(step.total_s)
        assert sum(step.bounds.values()) == pytest.approx(step.total_s)
        assert all(np.all(np.asarray(term) >= 0) for term in (*step.terms.values(), *step.bounds.values()))


def test_shapes_batches_and_draws_broadcast():
    job = serving(V3, H800, overlap_hidden=np.full(7, 0.5), accepted=1.0)
    shape = UnitShape(np.array([1, 2, 8])[:, None], np.array([32, 16, 4])[:, None])
    batch = np.array([1.0, 64.0])[:, None, None]
    grid = np.asarray(decode_step_time(job, H800, H800_NET, shape, batch, np.full(7, 4096.0)).total_s)
    assert grid.shape == (2, 3, 7)
    alone = decode_step_time(job, H800, H800_NET, UnitShape(2, 16), 64.0, 4096.0).total_s
    assert grid[1, 1] == pytest.approx(np.broadcast_to(alone, 7))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1, 4), st.floats(1, 500), st.floats(100, 1e5), st.sampled_from([1, 2, 8]), st.sampled_from([1,
    8, 64]), st.sampled_from(["memory", "network", "matrix"]), st.floats(0, 1),
)  # fmt: skip
def test_a_better_chip_never_slows_a_step(factor, batch, context, tp, dp, what, hidden):
    job = serving(V3, H800, overlap_hidden=hidden)
    chip, network = H800, H800_NET
    from dataclasses import replace

    if what == "memory":
        chip = replace(chip, memory_bandwidth=chip.memory_bandwidth * factor)
    elif what == "matrix":
        chip = replace(chip, matrix_peak={key: value * factor for key, value in chip.matrix_peak.items()})
    else:
        network = Network(tuple(replace(tier, bandwidth=tier.bandwidth * factor) for tier in network.tiers))
    shape = UnitShape(tp, dp)
    for time in (
        lambda c, n: decode_step_time(job, c, n, shape, batch, context).total_s,
        lambda c, n: prefill_time(job, c, n, shape, 1.0, context).total_s,
    ):
        assert time(chip, network) <= time(H800, H800_NET) * (1 + 1e-12)


def test_low_latency_exchange_gives_the_published_bound():
    """arXiv 2505.09343 section 2.3.2: 32 tokens x 9 copies x (1 + 2) B x 7,000 over 50 GB/s = 120.96 us; two
    micro-batches and 61 layers give 14.76 ms. Every copy leaves the chip, so one member is spread over
    many."""
    ideal = Network((Tier("IB", np.inf, 50e9, 0.0, 1.0, 1.0, 0.0),))
    one = copies_time(32.0, 7000.0 * 3, 9, 1e9, np.inf, 1.0, ideal)
    assert one == pytest.approx(120.96e-6, rel=1e-6)
    assert 2 * 61 * one == pytest.approx(14.76e-3, rel=1e-3)


def test_dense_decode_by_hand():
    """Llama-70B in FP8 on one H200, one sequence: 69.5 GB of weights over 0.8 x 4.8 TB/s are 18 ms, plus 5
    launches of 3 us and 12 us of small kernels per layer, and 2 GB of 16-bit logits."""
    step = decode_step_time(serving(LLAMA_70B, H200), H200, H100_NET, UnitShape(1, 1), 1.0, 1000.0)
    assert step.terms["matrix products"] == pytest.approx(68.45e9 / (0.8 * 4.8e12), rel=0.02)
    assert step.terms["logits"] == pytest.approx(2.1e9 / (0.8 * 4.8e12), rel=0.02)
    assert step.bounds["bandwidth"] > 0.8 * step.total_s


# Published operating points; tolerances are what one expects before any end-to-end factor is fitted.
def test_deepseek_h800_profile():
    """2,325 tokens/s per chip in decode (EP128, 128 sequences of 4K), 7,839 in prefill (EP32, 16K tokens per
    chip)."""
    job = serving(V3, H800, overlap_hidden=0.7, step_overhead_s=0.4e-3)
    decode = decode_step_time(job, H800, H800_NET, UnitShape(1, 128), 128.0, 4096.0)
    assert 128 / decode.total_s == pytest.approx(2325, rel=0.20)
    prefill = prefill_time(job, H800, H800_NET, UnitShape(1, 32), 4.0, 4096.0)
    assert 4 * 4096 / prefill.total_s == pytest.approx(7839, rel=0.20)


def test_cloudmatrix384():
    """arXiv 2506.12708: 1,943 tokens/s per chip at 49.4 ms with 96 sequences; prefill 5,655 to 6,688
    tokens/s."""
    job = serving(V3, ASCEND, drafts=1, accepted=1.7, expert_imbalance=1.12)
    die, network = as_ranks(ASCEND, ASCEND_NET, 2)
    decode = decode_step_time(job, die, network, UnitShape(1, 320), 48.0, 4096.0)
    assert decode.total_s / 1.7 == pytest.approx(49.4e-3, rel=0.15)
    assert 96 * 1.7 / decode.total_s == pytest.approx(1943, rel=0.15)
    balanced = serving(V3, ASCEND)
    prefill = prefill_time(balanced, die, network, UnitShape(1, 32), 2.0, 4096.0)
    assert 2 * 2 * 4096 / prefill.total_s == pytest.approx(6688, rel=0.25)


def test_llama_70b_on_hopper():
    """InferenceX: H200 TP1, 32 clients at 1K/8K: 27.5 ms per token; H100 TP2, 4 clients at 1K/1K: 17.4 ms
    (vLLM)."""
    lean = Precisions(**{**_fields(serving_precisions(H200)), "kv_bytes": 1.0})
    job = ServingJob(
        LLAMA_70B,
        lean,
        serving(LLAMA_70B, H200).traffic,
        Targets(1, 0.05),
        Engine(step_overhead_s=0.6e-3, small_kernels=KERNELS),
    )
    one = decode_step_time(job, H200, H100_NET, UnitShape(1, 1), 32.0, 921.6 + 7372.8 / 2)
    assert one.total_s == pytest.approx(27.5e-3, rel=0.15)
    two = decode_step_time(
        serving(LLAMA_70B, H100, step_overhead_s=1.5e-3), H100, H100_NET, UnitShape(2, 1), 4.0, 1382.0
    )
    assert two.total_s == pytest.approx(17.4e-3, rel=0.20)


def _fields(precisions):
    return {name: getattr(precisions, name) for name in precisions.__dataclass_fields__}
