"""Key-value cache against published bytes per token."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import LatentAttention
from sim.physics.cache import kv_cache_bytes, kv_cache_parts, kv_read_bytes, kv_shards
from sim.physics.operators import Precisions
from sim.profiles.catalogue import Catalogue

FP8, BF16 = Precisions(kv_bytes=1), Precisions(kv_bytes=2)
MILLION = 1_048_576.0
SHAPES = (
    "deepseek-v3", "deepseek-v3.2-exp", "deepseek-v4-pro", "deepseek-v4.1-flash", "kimi-k3", "glm-5.2", "minimax-m1",
    "minimax-m3", "gpt-oss-120b", "llama-4-scout", "step-3", "longcat-flash", "qwen3.5-397b-a17b",
)  # fmt: skip


@cache
def shape(id: str) -> Architecture:
    return Catalogue().model(id).shape


@pytest.mark.parametrize(
    ("id", "precisions", "expected"),
    [
        (
            "deepseek-v3",
            FP8,
            61 * 656,
        ),  # open FP8 kernel: 512 fp8, 16 of scales, 64 rotary in 16 bit = 40,016
        ("deepseek-v3", BF16, 70_272),  # DeepSeek-V3 report: 576 elements in each of 61 layers
        ("deepseek-v3.2-exp", FP8, 61 * (656 + 132)),
        ("deepseek-v4.1-flash", FP8, 890),  # report, section 3.2.2
        ("llama-3.1-405b", BF16, 2 * 8 * 128 * 126 * 2),
        ("minimax-m3", BF16, 60 * 2 * 4 * 128 * 2 + 57 * 128 * 2),
    ],
)
def test_growing_bytes_per_token(id: str, precisions: Precisions, expected: float) -> None:
    assert kv_cache_parts(shape(id), 100_000.0, precisions).growing / 100_000 == pytest.approx(expected)


def test_v4_keeps_a_tenth_of_v32() -> None:
    # arXiv 2606.19348: 9.5 and 13.7 times smaller than V3.2 at a million tokens ("10 %", "7 %")
    pro, flash, sparse = (
        kv_cache_parts(shape(id), MILLION, FP8).growing
        for id in ("deepseek-v4-pro", "deepseek-v4-flash", "deepseek-v3.2-exp")
    )
    assert pro / sparse == pytest.approx(0.105, rel=0.005)
    assert flash / sparse == pytest.approx(0.073, rel=0.005)
    assert sparse / pro == pytest.approx(9.5, rel=0.01)
    assert sparse / flash == pytest.approx(13.7, rel=0.01)


def test_v4_window() -> None:
    # 128 entries of 584 B in each of 61 layers
    assert kv_cache_parts(shape("deepseek-v4-pro"), 5000.0, FP8).window == 128 * 584 * 61
    assert kv_cache_parts(shape("deepseek-v4-pro"), 100.0, FP8).window == 100 * 584 * 61


@pytest.mark.parametrize(
    ("id", "precisions", "expected"),
    [  # Step-3 report (arXiv 2507.19427), Table 2: bytes that one decoded token moves at 8K context
        ("deepseek-v3", Precisions(kv_bytes=1.0), 2.88e8),
        ("qwen3-235b-a22b", FP8, 7.89e8),
        ("pangu-pro-moe", FP8, 8.05e8),
        ("step-3", FP8, 2.56e8),
        ("minimax-m1", BF16, 9.23e8),  # 16-bit cache, fp32 state read and written back
    ],
)
def test_bytes_read_at_8k(id: str, precisions: Precisions, expected: float) -> None:
    architecture = shape(id)
    if id == "deepseek-v3":  # the table counts plain elements, not the kernel layout with its scales
        (group,) = architecture.attention
        assert isinstance(group, LatentAttention)
        architecture = replace(architecture, attention=(replace(group, packed_entry_bytes=None),))
    assert kv_read_bytes(architecture, 8192.0, precisions) == pytest.approx(expected, rel=0.003)


def test_sparse_reads() -> None:
    # V3.2: 61 (656 min(n, 2048) + 132 n)
    for context in (1000.0, 100_000.0):
        expected = 61 * (656 * min(context, 2048.0) + 132 * context)
        assert kv_read_bytes(shape("deepseek-v3.2-exp"), context, FP8) == pytest.approx(expected)


def test_recurrent_states() -> None:
    # 45 layers x 64 heads x 128 x 128 x 4 B; 69 x 96 x 128 x 128 x 4 B; 70 x 64 x 128 x 128 x 4 B
    for id, expected in (
        ("qwen3.5-397b-a17b", 188_743_680),
        ("kimi-k3", 434_110_464),
        ("minimax-m1", 293_601_280),
    ):
        parts = kv_cache_parts(shape(id), np.array([1.0, 1e6]), BF16)
        assert np.all(parts.state == expected)


def test_tails() -> None:
    """Buffers of the published V4 inference code: (values, gates) x fp32 x tokens x width."""
    # HCA 2 x 4 x 128 x 512 in 31 layers; CSA 2 x 4 x 8 x 1024 and its indexer 2 x 4 x 8 x 256 in 30
    expected = 31 * 524_288 + 30 * (65_536 + 16_384)
    assert kv_cache_parts(shape("deepseek-v4-pro"), 8192.0, FP8).tail == expected
    # K3: three earlier inputs of query, key and value (3 x 12,288) in 16 bit, 69 layers
    assert kv_cache_parts(shape("kimi-k3"), 8192.0, FP8).tail == 69 * 3 * 36_864 * 2
    assert kv_cache_parts(shape("deepseek-v3"), 8192.0, FP8).tail == 0


# GB of one sequence at 8K, 128K and a million tokens without those tails; an independent calculation from the formulas
# of the reports (V4 at 8K: 5,031.4 x 8,192 + 61 x 128 x 584 B and so on). Kimi-K3 with a 16-bit state.
CACHE_GB = {
    "deepseek-v3": (FP8, (0.328, 5.24, 42.0)),
    "deepseek-v3.2-exp": (FP8, (0.394, 6.30, 50.4)),
    "deepseek-v4-pro": (FP8, (0.0458, 0.664, 5.28)),
    "deepseek-v4-flash": (FP8, (0.0320, 0.464, 3.69)),
    "deepseek-v4.1-flash": (FP8, (0.00999, 0.119, 0.936)),
    "kimi-k2": (FP8, (0.288, 4.61, 36.8)),
    "kimi-k3": (BF16, (0.44, 3.84, 29.2)),
    "qwen3-235b-a22b": (BF16, (1.58, 25.2, 202)),
    "qwen3.5-397b-a17b": (BF16, (0.44, 4.22, 32.4)),
    "glm-5": (FP8, (0.504, 8.06, 64.4)),
    "minimax-m2": (BF16, (2.08, 33.3, 266)),
    "minimax-m3": (BF16, (1.13, 18.0, 144)),
    "llama-3.1-405b": (BF16, (4.23, 67.6, 541)),
    "gpt-oss-120b": (BF16, (0.307, 4.84, 38.7)),
}


@pytest.mark.parametrize("id", CACHE_GB)
def test_cache_by_context(id: str) -> None:
    precisions, expected = CACHE_GB[id]
    parts = kv_cache_parts(shape(id), np.array([8192.0, 131_072.0, MILLION]), precisions)
    state = parts.state / 2 if id == "kimi-k3" else parts.state
    assert (parts.growing + parts.window + state) / 1e9 == pytest.approx(np.array(expected), rel=0.009)


def test_sharing_over_tensor_ranks() -> None:
    assert kv_shards(shape("deepseek-v3")) == 1
    assert kv_shards(shape("llama-3.1-405b")) == 8
    assert kv_shards(shape("step-3")) == 1
    assert kv_shards(shape("qwen3.5-397b-a17b")) == 2


def test_draft_layer_has_a_cache_of_its_own() -> None:
    plain, more = (kv_cache_bytes(shape("deepseek-v3"), 1000.0, FP8, mtp=mtp) for mtp in (False, True))
    assert more - plain == 656_000


@pytest.mark.parametrize("id", SHAPES)
@given(short=st.floats(1, 1e6), longer=st.floats(0, 1e6))
def test_more_context_never_needs_less(id: str, short: float, longer: float) -> None:
    few, many = (kv_cache_bytes(shape(id), context, FP8) for context in (short, short + longer))
    assert many >= few


def test_arrays_give_what_scalars_give() -> None:
    contexts = np.array([[10.0], [5000.0], [70_000.0]])
    for id in SHAPES:
        rows = np.asarray(kv_cache_bytes(shape(id), contexts, FP8))
        each = [[float(kv_cache_bytes(shape(id), float(context), FP8))] for context in contexts[:, 0]]
        assert rows.tolist() == each
