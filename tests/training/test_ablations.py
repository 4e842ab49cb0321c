"""What happens to a step when one thing is taken away: the direction, and where it is published the size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_jobs import DEEPSEEK_V3, FP8, LLAMA_405B, hopper, servers_of_8, software, training_job

from sim.layout.layouts import Layouts, single_layout
from sim.physics.architecture import Architecture
from sim.physics.chip import Chip
from sim.physics.ffn_shapes import MixtureOfExperts
from sim.physics.network import Network, ring_latency
from sim.physics.operators import Precisions
from sim.physics.optimizer import newton_schulz_flop
from sim.training.job import TrainingJob
from sim.training.step import step_time

H800, H100 = servers_of_8(200e9, 50e9), servers_of_8(450e9, 50e9)
V3 = training_job(
    DEEPSEEK_V3, 14.8e12, 4096, 62_914_560, FP8, software(), routing_imbalance=1.25, routing_experts=4.0
)
V3_LAYOUT = single_layout(pp=16, dp=128, ep=64, micro_batches=120, schedule="dualpipe", recompute="selective")
META = training_job(LLAMA_405B, 15.6e12, 8192, 16_777_216, Precisions(), software(), mtp=False)
META_LAYOUT = single_layout(tp=8, pp=16, dp=128, micro_batches=16, vpp=8, schedule="interleaved")


def seconds(job: TrainingJob, layout: Layouts, network: Network, chip: Chip | None = None) -> float:
    return step_time(job, chip or hopper(), network, layout).total.item()


def without_node_limit(model: Architecture) -> Architecture:
    free = [
        replace(block, routing_groups=None, routing_limit=None)
        if isinstance(block, MixtureOfExperts)
        else block
        for block in model.ffn
    ]
    return replace(model, ffn=tuple(free))


def test_overlap_is_worth_a_quarter_of_a_deepseek_step() -> None:
    # Chunk times in deepseek-ai/profile-data and arXiv 2505.09343: F + B = 185 ms apart, 139 ms together, so a step
    # without overlap takes up to a third more.
    bare = replace(V3, software=software(expert_overlap="none"))
    ratio = seconds(bare, V3_LAYOUT, H800) / seconds(V3, V3_LAYOUT, H800)
    assert 1.10 < ratio < 1.45


def test_without_node_limit_the_exchange_grows() -> None:
    # 8 experts among 8 nodes meet 8 (1 - (7/8)^8) = 5.25 of them instead of 4 (arXiv 2412.19437, section 2.1.2).
    free = replace(V3, architecture=without_node_limit(DEEPSEEK_V3))
    limited, unlimited = (
        step_time(job, hopper(), H800, V3_LAYOUT).breakdown["expert parallel"].item() for job in (V3, free)
    )
    assert unlimited / limited == pytest.approx(5.25 / 4, rel=0.02)
    assert seconds(free, V3_LAYOUT, H800) > seconds(V3, V3_LAYOUT, H800)


def test_fp8_gains_less_than_the_ratio_of_the_peaks() -> None:
    # TorchTitan, H100: 1.28x for 8B, 1.36x for 70B (arXiv 2410.06511); at most 1.9x in vendor tables for 400B.
    narrow = replace(META, precisions=replace(FP8, dispatch_bytes=2.0))
    ratio = seconds(META, META_LAYOUT, H100) / seconds(narrow, META_LAYOUT, H100)
    assert 1.28 < ratio < 1.9


@pytest.mark.parametrize("part", ["half_width", "half_depth"])
def test_narrow_products_cost_more_under_wide_tensor_parallelism(part: str) -> None:
    chip = hopper()
    tiles = {
        key: replace(curve, **{part: 200.0}) if key[0] == "gemm" else curve
        for key, curve in chip.kernels.items()
    }
    loss = [
        seconds(META, layout, H100, replace(chip, kernels=tiles)) / seconds(META, layout, H100)
        for layout in (
            single_layout(tp=tp, pp=16, dp=1024 // tp, micro_batches=16 * tp // 8) for tp in (2, 8)
        )
    ]
    assert 1.0 < loss[0] < loss[1]


def test_narrow_work_by_hand() -> None:
    # 10 rows through a 30 x 50 matrix with half a rate at 5 columns and at 3 deep: 2 x 10 x (5 x 30 + 3 x 50) = 6,000
    # FLOP on top of 30,000, as 1 + 5/50 + 3/30 says.
    curve = replace(hopper().curve("gemm", "bf16"), half_width=5.0, half_depth=3.0)
    assert curve.narrow_flop(10 * 30, 10 * 50) == pytest.approx(30_000 * (5 / 50 + 3 / 30))


def test_attention_core_is_slow_on_short_sequences() -> None:
    # 0.65 s/(s + 800) of the peak: 0.467 at 2,048 tokens, 0.592 at 8,192. FlashAttention 3 on H100 reaches 499 and 628
    # of 989 TFLOP/s there (aiconfigurator-core 0.12.0), 0.50 and 0.635.
    chip = hopper()
    curve = replace(chip.curve("attention_prefill", "bf16"), wide=0.65, half_length=800.0)
    chip = replace(chip, kernels={**chip.kernels, ("attention_prefill", "bf16"): curve})
    core = []
    for sequence in (2048, 8192):
        job = replace(META, sequence=sequence)
        layout = single_layout(
            tp=8, pp=16, dp=128, micro_batch=8192 // sequence, micro_batches=16, schedule="1f1b"
        )
        core.append(step_time(job, chip, H100, layout).breakdown["attention core"].item())
    # four times the attended positions, each 0.592/0.467 times as fast; FLOP are s (s + 1)/2; launches add 1 %
    assert core[1] / core[0] == pytest.approx(4 * (8193 / 8192) / (2049 / 2048) * 0.4675 / 0.5922, rel=0.015)


def test_ring_latency_by_hand() -> None:
    # 1,024 ranks of 8 a server: 896 hops of 3 us inside, 127 of 5 us between.
    assert float(ring_latency(1024, 1, H100)) == pytest.approx(896 * 3e-6 + 127 * 5e-6)
    assert float(ring_latency(1, 1, H100)) == 0.0


def test_jitter_grows_with_the_size_of_the_job() -> None:
    stack = software(jitter=0.03, jitter_chips=1024.0)
    lost = np.asarray(stack.lost_to_jitter(np.array([1.0, 32.0, 1024.0, 1024.0**2])))
    assert lost == pytest.approx([0.0, 0.03 / np.sqrt(2), 0.03, 0.03 * np.sqrt(2)])


def test_newton_schulz_of_square_matrices() -> None:
    # n x n: 2 n^3 three times per iteration, 6 n per element. Attention of 405B: 2 h^2 + 2 h k, k = h/16.
    shared, expert = newton_schulz_flop(LLAMA_405B)
    h, inner = 16384.0, 53248.0
    attention, short = 2 * h * h + 2 * h * h / 16, (2 * h * h + 2 * h * h / 16) / (2 * h)
    short, long = min(h, short), max(h, short)
    block = attention * (4 * short + 2 * short**2 / long) + 3 * h * inner * (4 * h + 2 * h**2 / inner)
    assert shared == pytest.approx(block / (attention + 3 * h * inner))
    assert expert == 0.0


def test_muon_costs_little_but_something() -> None:
    # arXiv 2502.16982, section 2.3: latency of the optimizer "about 1 % to 3 %" of forward and backward.
    muon = replace(V3, newton_schulz=5.0)
    extra = seconds(muon, V3_LAYOUT, H800) / seconds(V3, V3_LAYOUT, H800) - 1
    assert 0.0 < extra < 0.05


def test_sharding_in_groups_saves_traffic_across_servers() -> None:
    # HSDP: the gathers of every micro-batch stay in the server, one all-reduce of an eighth crosses.
    exposed = software(data_exposed=1.0)
    job = replace(META, software=exposed, global_batch=4 * 1024 * 8192.0)
    whole, grouped = (
        single_layout(tp=1, dp=1024, micro_batches=4, zero=3, zero_shard=shard) for shard in (1024, 8)
    )
    assert seconds(job, grouped, H100) < seconds(job, whole, H100)


@settings(max_examples=15, deadline=None)
@given(
    chips=st.sampled_from([64, 512, 4096]),
    tensor=st.sampled_from([1, 2, 8]),
    factor=st.floats(1.05, 4.0),
)
def test_faster_parts_never_slow_a_sharded_step(chips: int, tensor: int, factor: float) -> None:
    layout = single_layout(tp=tensor, dp=chips // tensor, micro_batches=2, zero=3)
    job = replace(META, global_batch=2 * 8192.0 * chips / tensor)
    chip = hopper()
    before = seconds(job, layout, H100)
    peaks = {name: rate * factor for name, rate in chip.matrix_peak.items()}
    assert seconds(job, layout, H100, replace(chip, matrix_peak=peaks)) <= before * (1 + 1e-12)
    assert seconds(job, layout, H100, replace(chip, memory_bandwidth=3.35e12 * factor)) <= before * (
        1 + 1e-12
    )
    assert seconds(job, layout, servers_of_8(450e9 * factor, 50e9)) <= before * (1 + 1e-12)
    assert seconds(job, layout, servers_of_8(450e9, 50e9 * factor)) <= before * (1 + 1e-12)
