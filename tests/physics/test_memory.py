"""Training memory against the ZeRO and the activation-recomputation papers, and against layouts that ran."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.layout.layouts import single_layout
from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import GroupedAttention, LatentAttention
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.memory import (
    CORE_ONLY,
    FULL,
    NO_RECOMPUTE,
    SELECTIVE,
    StateBytes,
    block_parameters,
    logits_memory,
    saved_bytes,
    state_memory,
)


def gpt(hidden: int, heads: int, layers: int, vocab: int = 51200) -> Architecture:
    return Architecture(
        vocab=vocab,
        hidden=hidden,
        layers=layers,
        attention=(
            GroupedAttention(
                kind="gqa", layers=layers, heads=heads, kv_heads=heads, head_dim=hidden // heads
            ),
        ),
        ffn=(DenseFeedForward(kind="dense", layers=layers, intermediate=4 * hidden, gated=False),),
    )


GPT3 = gpt(12288, 96, 96)


def test_zero_stages_of_the_paper() -> None:
    # arXiv 1910.02054, figure 1: 7.5B parameters on 64 ranks, 2 + 2 + 12 bytes: 120, 31.4, 16.6, 1.9 GB.
    parts = state_memory(7.5e9, 0.0, np.array([0, 1, 2, 3]), 64, 64, StateBytes(2.0, 2.0, 12.0))
    assert sum(parts) / 1e9 == pytest.approx([120.0, 31.4, 16.6, 1.9], abs=0.05)


def test_experts_shard_over_their_own_replicas() -> None:
    # 1 + 10 parameters, optimizer over 8 and over 2 ranks: 12 (1/8 + 10/2).
    _, _, optimizer = state_memory(1.0, 10.0, 1, 8, 2, StateBytes(2.0, 4.0, 12.0))
    assert optimizer == pytest.approx(12 * (1 / 8 + 5))


def test_activations_of_a_gpt_layer() -> None:
    # Korthikanti et al. (arXiv 2205.05198, eq. 1) count 34 h + 5 a s bytes per token with two dropout masks
    # (2 h) and GELU input and output of 4h each (16 h). Without dropout: 32 h + 5 a s. Ours: block input 2h,
    # second residual 2h, two norm outputs 4h, q k v 6h, attention output 2h, GELU 16h = 32 h.
    h, a, s = 12288, 96, 2048
    dense, _ = saved_bytes(GPT3, s, NO_RECOMPUTE, fused_attention=False)
    assert dense.wide + dense.split == pytest.approx(32 * h + 5 * a * s)
    fused, _ = saved_bytes(GPT3, s, NO_RECOMPUTE)
    core, _ = saved_bytes(GPT3, s, CORE_ONLY, fused_attention=False)
    assert core.wide + core.split == pytest.approx(fused.wide + fused.split) == pytest.approx(32 * h)


def test_full_recompute_keeps_only_the_input_of_a_layer() -> None:
    dense, _ = saved_bytes(GPT3, 2048, FULL, fused_attention=False)
    assert dense.wide + dense.split == pytest.approx(2 * 12288)
    assert dense.working == pytest.approx(32 * 12288 + 5 * 96 * 2048)


def test_fp8_keeps_inputs_of_products_in_one_byte() -> None:
    wide, _ = saved_bytes(GPT3, 2048, NO_RECOMPUTE)
    narrow, _ = saved_bytes(GPT3, 2048, NO_RECOMPUTE, gemm_input=1.0)
    # Two norm outputs, attention output, GELU output: 7 h elements at one byte less.
    assert (wide.wide + wide.split) - (narrow.wide + narrow.split) == pytest.approx(7 * 12288)


def test_selective_drops_what_mla_can_rebuild() -> None:
    model = Architecture(
        vocab=100,
        hidden=7168,
        layers=1,
        attention=(
            LatentAttention(
                kind="mla",
                layers=1,
                heads=128,
                query_rank=1536,
                kv_rank=512,
                nope_dim=128,
                rope_dim=64,
                value_dim=128,
            ),
        ),
        ffn=(
            MixtureOfExperts(kind="moe", layers=1, experts=256, top_k=8, intermediate=2048, shared_experts=1),
        ),
    )
    _, kept = saved_bytes(model, 4096, NO_RECOMPUTE)
    _, dropped = saved_bytes(model, 4096, SELECTIVE)
    # Queries and keys of 192, values of 128 for 128 heads; the products of 9 experts; two norm outputs, at 2
    # bytes.
    assert kept.split - dropped.split == pytest.approx(2 * (128 * (192 + 192 + 128) + 9 * 2048))
    assert kept.wide - dropped.wide == pytest.approx(2 * 2 * 7168)
    _, experts_anew = saved_bytes(model, 4096, replace(SELECTIVE, experts=1.0))
    assert dropped.split - experts_anew.split == pytest.approx(2 * 8 * (7168 + 2 * 2048))


def test_parameters_of_blocks() -> None:
    # GPT-3: 12 h^2 per layer; 51,200 x 12,288 in the embedding.
    held = block_parameters(GPT3)
    assert held["dense"].shared == pytest.approx(12 * 12288**2, rel=1e-3)
    assert held["embedding"].shared == 51200 * 12288
    assert held["moe"].expert == 0.0


def test_logits_need_six_bytes() -> None:
    assert logits_memory(4096, 128256, 8) == pytest.approx(4096 * 128256 * 6 / 8)


def test_layout_shape_is_kept() -> None:
    assert single_layout(dp=8).columns()["dp"].shape == (1, 1)
