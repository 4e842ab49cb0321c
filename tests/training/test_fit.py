"""Layouts that ran must fit, and layouts that cannot run must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reference_jobs import DEEPSEEK_V3, FP8, GPT_146B, LLAMA_405B, software, training_job

from sim.layout.layouts import concatenate, single_layout
from sim.physics.memory import STANDARD, StateBytes
from sim.physics.operators import Precisions
from sim.training.fit import fill, memory_limit, training_memory

DEEPSEEK = training_job(DEEPSEEK_V3, 14.8e12, 4096, 62_914_560, FP8, software())
LLAMA = training_job(LLAMA_405B, 15.6e12, 8192, 16_777_216, Precisions(), software(), mtp=False)


def test_published_runs_fit_into_80_gb() -> None:
    # DeepSeek-V3 on H800: PP16 EP64, selective recompute, no tensor parallelism, FP8 weights, BF16 moments.
    dual = single_layout(pp=16, dp=128, ep=64, micro_batches=120, schedule="dualpipe", recompute="selective")
    job = replace(DEEPSEEK, state=StateBytes(weight=1.0, gradient=4.0, optimizer=8.0))
    assert training_memory(job, dual).total.item() < memory_limit(job, 80e9)
    # Llama 405B on H100: TP8 PP16, no recompute, 16 micro-batches of one sequence; the paper shards weights
    # as well.
    meta = single_layout(tp=8, pp=16, dp=128, micro_batches=16, zero=2)
    assert training_memory(LLAMA, meta).total.item() < memory_limit(LLAMA, 80e9)


def test_weights_alone_by_hand() -> None:
    # 405.85B on 8 ranks of one server without pipeline: 50.7B parameters, 101 GB of weights.
    layout = single_layout(tp=8, dp=16, micro_batches=1)
    memory = training_memory(LLAMA, layout)
    assert memory.weights.item() == pytest.approx(2 * 405.85e9 / 8, rel=0.001)
    assert memory.gradients.item() == pytest.approx(4 * 405.85e9 / 8, rel=0.001)
    assert memory.optimizer.item() == pytest.approx(12 * 405.85e9 / 128, rel=0.001)
    assert fill(memory).tolist() == ["gradients"]


def test_experts_of_deepseek_by_hand() -> None:
    # 653.9B expert parameters over 58 layers, PP16 EP64: 4 layers hold 45.1B / 64 = 0.70B on a chip, twice
    # that under DualPipe; shared part 4 layers of about 0.24B.
    plain = training_memory(DEEPSEEK, single_layout(pp=16, dp=128, ep=64, micro_batches=120))
    assert plain.weights.item() == pytest.approx(2 * (0.7046e9 + 4 * 0.2335e9 + 0.9267e9), rel=0.02)


def test_interleaving_and_no_recompute_cost_memory() -> None:
    layouts = concatenate(
        [
            single_layout(tp=8, pp=16, dp=16, micro_batches=128, recompute="full"),
            single_layout(tp=8, pp=16, dp=16, micro_batches=128),
            single_layout(tp=8, pp=16, dp=16, micro_batches=128, vpp=8, schedule="interleaved"),
        ]
    )
    used = np.ravel(training_memory(LLAMA, layouts).activations)
    assert used[0] < used[1] < used[2]
    assert used[2] / used[1] == pytest.approx((16 + 15 / 8) / 16, rel=0.02)


def test_activations_of_megatron_by_hand() -> None:
    # GPT 146B, h = 12,288, TP8 PP8, one sequence of 2,048 in 8 micro-batches in flight, 10 layers, sequence
    # parallel, fused attention: 8 x 10 x 2,048 x 32 h / 8.
    job = training_job(GPT_146B, 3e11, 2048, 1024 * 2048.0, Precisions(), software(), mtp=False)
    job = replace(job, stage_layers=(10,) * 8)
    memory = training_memory(job, single_layout(tp=8, pp=8, dp=1, micro_batches=1024))
    working = 2048 * 32 * 12288 / 8
    assert memory.activations.item() == pytest.approx(
        8 * 10 * 2048 * 32 * 12288 / 8, rel=0.01 + working / 6.4e9
    )


def test_without_sequence_parallelism_wide_tensors_are_whole() -> None:
    split = training_memory(LLAMA, single_layout(tp=8, pp=16, dp=16, micro_batches=16)).activations.item()
    job = replace(LLAMA, software=software(sequence_parallel=False))
    whole = training_memory(job, single_layout(tp=8, pp=16, dp=16, micro_batches=16)).activations.item()
    assert whole > 1.5 * split


def test_recompute_codes_follow_the_policies() -> None:
    assert [policy.name for policy in STANDARD] == ["none", "selective", "full"]
