"""Models, chips and networks of the reference runs, typed from their sources."""

from __future__ import annotations

import numpy as np

from sim.physics.architecture import Architecture, Drafter
from sim.physics.attention_shapes import GroupedAttention, LatentAttention
from sim.physics.chip import Chip, KernelCurve
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.memory import StateBytes
from sim.physics.network import Network, Tier
from sim.physics.operators import Precisions, Traffic
from sim.training.job import Software, TrainingJob

# arXiv 2412.19437 and the published config.json.
DEEPSEEK_V3 = Architecture(
    vocab=129280,
    hidden=7168,
    layers=61,
    attention=(
        LatentAttention(
            kind="mla",
            layers=61,
            heads=128,
            query_rank=1536,
            kv_rank=512,
            nope_dim=128,
            rope_dim=64,
            value_dim=128,
        ),
    ),
    ffn=(
        DenseFeedForward(kind="dense", layers=3, intermediate=18432),
        MixtureOfExperts(
            kind="moe",
            layers=58,
            experts=256,
            top_k=8,
            intermediate=2048,
            shared_experts=1,
            routing_groups=8,
            routing_limit=4,
        ),
    ),
    mtp=Drafter(modules=1),
)
# arXiv 2407.21783, table 3.
LLAMA_405B = Architecture(
    vocab=128256,
    hidden=16384,
    layers=126,
    attention=(GroupedAttention(kind="gqa", layers=126, heads=128, kv_heads=8, head_dim=128),),
    ffn=(DenseFeedForward(kind="dense", layers=126, intermediate=53248),),
)
# arXiv 2104.04473, table 1: 145.6B.
GPT_146B = Architecture(
    vocab=51200,
    hidden=12288,
    layers=80,
    attention=(GroupedAttention(kind="gqa", layers=80, heads=96, kv_heads=96, head_dim=128),),
    ffn=(DenseFeedForward(kind="dense", layers=80, intermediate=4 * 12288, gated=False),),
    tie_embeddings=True,
    positions=2048,
)
FP8 = Precisions(linear="fp8", expert="fp8", weight_bytes=1.0, expert_weight_bytes=1.0, dispatch_bytes=1.0)


def hopper(bandwidth: float = 3.35e12, speed: dict[tuple[str, str], float] | None = None) -> Chip:
    """H100-class chip: datasheet peaks, kernel shares fitted to aiconfigurator-core 0.12.0 at sustained
    clocks."""
    fp8, bf16 = KernelCurve(0.62, 0.87, 4e-6), KernelCurve(0.68, 0.85, 4e-6)
    kernels = {(family, "fp8"): fp8 for family in ("gemm", "grouped_gemm")}
    kernels |= {(family, "bf16"): bf16 for family in ("gemm", "grouped_gemm")}
    kernels[("attention_prefill", "bf16")] = KernelCurve(0.55, 0.85, 4e-6)
    kernels[("elementwise", "bf16")] = KernelCurve(1.0, 0.85, 4e-6)
    kernels[("lookup", "bf16")] = KernelCurve(1.0, 0.5, 4e-6)
    return Chip(
        name="Hopper",
        matrix_peak={"bf16": 989e12, "fp8": 1979e12},
        vector_peak={},
        memory_bytes=80e9,
        memory_bandwidth=bandwidth,
        kernels=kernels,
        speed_factor=speed or {},
        idle_power_w=100.0,
        busy_power_w=700.0,
        layer_overhead_s={"training_moe": 4e-3, "training_dense": 0.0},
        attention_backward=0.45 / 0.55,
    )


def servers_of_8(scale_up: float, nic: float) -> Network:
    """Eight chips on a switch, one NIC each; shares of the rate as measured with NCCL and DeepEP."""
    return Network(
        (
            Tier("NVLink", 8, scale_up, 3e-6, 0.78, 0.78, 0.0),
            Tier("InfiniBand", np.inf, nic, 5e-6, 0.85, 0.84, 0.0),
        )
    )


def software(**changes: object) -> Software:
    """A tuned stack of 2024 and later."""
    usual: dict[str, object] = {
        "expert_exposed": 0.25,
        "tensor_exposed": 0.5,
        "data_exposed": 0.05,
        "jitter": 0.0,
        "attention_speed": 1.0,
        "exchange_slowdown": 1.18,
        "host_floor": 0.0,
        "host_backward": 1.3,
        "optimizer_traffic": 28.0,
        "memory_reserve": 0.04,
        "gradient_bytes": 4.0,
        "gather_bytes": 2.0,
        "jitter_chips": 1024.0,
    }
    return Software(**(usual | changes))  # type: ignore[arg-type]


ADAMW = StateBytes(weight=2.0, gradient=4.0, optimizer=12.0)  # arXiv 1910.02054, section 3.1
# Small kernels as in scenarios/workloads/pretrain-v3.yaml; the scores as in arXiv 2205.05198, section 4.1.
SMALL_KERNELS = Traffic(
    hidden=12.0,
    inner=2.5,
    routed=5.0,
    quantise_bytes=3.0,
    score_bytes=13.0,
    loss_bytes=10.0,
    backward=1.8,
    quantise_backward=1.5,
    scores_backward=20 / 13,
    norms_and_activation=0.5,
    repeated_by_ranks=0.5,
)


def training_job(*args: object, **changes: object) -> TrainingJob:
    """A job with AdamW and the small kernels of a tuned stack."""
    usual: dict[str, object] = {"state": ADAMW, "traffic": SMALL_KERNELS}
    return TrainingJob(*args, **(usual | changes))  # type: ignore[arg-type]
