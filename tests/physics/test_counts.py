"""Parameters, linear FLOPs and weight bytes against arithmetic by hand and published figures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from sim.physics.architecture import Architecture, VisionEncoder
from sim.physics.attention_shapes import CompressedAttention, GroupedAttention, LatentAttention
from sim.physics.counts import image_cost, linear_flop_per_token, parameter_counts, weight_bytes
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.operators import Precisions
from sim.profiles.catalogue import Catalogue

MXFP4 = 4.25 / 8  # 4 bit and one 8-bit scale per 32


@cache
def shape(id: str) -> Architecture:
    return Catalogue().model(id).shape


def small(**changes: object) -> Architecture:
    """Hidden 4, 2 heads of 2, inner width 8, 3 layers, vocabulary 10."""
    fields: dict[str, object] = {
        "vocab": 10,
        "hidden": 4,
        "layers": 3,
        "attention": (GroupedAttention(layers=3, heads=2, kv_heads=1, head_dim=2),),
        "ffn": (DenseFeedForward(layers=3, intermediate=8),),
    }
    return Architecture(**{**fields, **changes})  # type: ignore[arg-type]


def test_by_hand() -> None:
    # attention: q 4x4, k and v 4x2 each, o 4x4 = 48; ffn 3 x 4x8 = 96; embedding 40, head 40; norms (2x3 + 1) x 4.
    found = parameter_counts(small())
    assert found.total == 3 * (48 + 96) + 80 + 28
    assert found.active == 3 * (48 + 96) + 40
    assert linear_flop_per_token(small()) == {
        "attention projections": 2 * 3 * 48,
        "dense ffn": 2 * 3 * 96,
        "logits": 2 * 40,
    }


def test_embedding_conventions() -> None:
    apart, tied = parameter_counts(small()), parameter_counts(small(tie_embeddings=True))
    assert apart.active_with_embeddings - apart.active == 40
    assert apart.active - apart.active_without_embeddings == 40
    assert tied.active_with_embeddings == tied.active
    assert tied.total == apart.total - 40


def test_biases_and_layer_norm() -> None:
    biased = small(
        attention=(GroupedAttention(layers=3, heads=2, kv_heads=2, head_dim=2, bias="all"),),
        ffn=(DenseFeedForward(layers=3, intermediate=8, gated=False, bias=True),),
        norm_bias=True,
        positions=5,
    )
    # per layer: 4 x 16 + 16 biases, 2 x 32 + 12 biases, two norms of 8; final norm 8; positions 20; embeddings 80
    assert parameter_counts(biased).total == 3 * (64 + 16 + 64 + 12 + 16) + 8 + 20 + 80


def test_experts() -> None:
    moe = MixtureOfExperts(layers=2, experts=6, top_k=2, intermediate=3, shared_experts=1)
    found = parameter_counts(small(ffn=(DenseFeedForward(layers=1, intermediate=8), moe)))
    # an expert 3 x 4x3 = 36; router 4x6 and its bias 6
    assert found.by_component["routed experts"] == 2 * 6 * 36
    assert found.active_by_component["routed experts"] == 2 * 2 * 36
    assert found.by_component["shared experts"] == 2 * 36
    assert found.by_component["router"] == 2 * 30


def test_latent_and_zero_experts() -> None:
    moe = MixtureOfExperts(
        layers=3, experts=4, top_k=3, intermediate=3, latent=2, zero_experts=2, mean_real_experts=2
    )
    found = parameter_counts(small(ffn=(moe,)))
    assert found.by_component["routed experts"] == 3 * 4 * (3 * 2 * 3)
    assert found.active_by_component["routed experts"] == 3 * 2 * (3 * 2 * 3)
    assert found.by_component["latent projections"] == 3 * 2 * 4 * 2
    assert found.by_component["router"] == 3 * (4 * 6 + 6)


def test_latent_attention_of_deepseek_v3() -> None:
    # q 7168x1536 + 1536x24576, kv 7168x576 + 512x32768, o 16384x7168 = 187,105,280; norms 1536 + 512; 61 layers.
    found = parameter_counts(shape("deepseek-v3")).by_component["attention projections"]
    assert found == 61 * (187_105_280 + 2_048)


def test_compressed_attention_of_deepseek_v4_pro() -> None:
    # q 7168x1536 + 1536x65536, kv 7168x512, o 16 groups 4096x1024 + 16384x7168 = 299,892,736 in each of 61 layers;
    # CSA compressor 4 x 7168x512 in 30 layers, HCA 2 x 7168x512 in 31 (norms and sinks 2,176 per layer).
    found = parameter_counts(shape("deepseek-v4-pro")).by_component
    matrices = 61 * 299_892_736 + 30 * 14_680_064 + 31 * 7_340_032
    assert found["attention projections"] == matrices + 61 * 2_176
    # indexer: queries 1536x8192, head weights 7168x64, keys 4 x 7168x128
    assert found["indexer"] == 30 * (12_582_912 + 458_752 + 3_670_016)


def test_flop_per_token_of_the_reports() -> None:
    # Step-3 report (arXiv 2507.19427) Table 2: linear part of attention and FFN per decoded token.
    step = linear_flop_per_token(shape("step-3"))
    assert step["attention projections"] == pytest.approx(2.07e10, rel=0.005)
    feed_forward = sum(step[name] for name in ("dense ffn", "shared experts", "routed experts"))
    assert feed_forward == pytest.approx(5.33e10, rel=0.005)
    pangu = linear_flop_per_token(shape("pangu-pro-moe"))
    assert pangu["attention projections"] == pytest.approx(6.04e9, rel=0.005)
    assert pangu["routed experts"] + pangu["shared experts"] == pytest.approx(2.38e10, rel=0.005)


def test_llama_training_compute_is_six_n_d() -> None:
    # arXiv 2407.21783: 3.8e25 FLOP for 15.6T tokens, attention core left out
    per_token = 3 * sum(linear_flop_per_token(shape("llama-3.1-405b")).values())
    assert per_token * 15.6e12 == pytest.approx(3.8e25, rel=0.01)


def test_prompts_skip_the_decoder_of_v41() -> None:
    whole, prompt = (
        sum(linear_flop_per_token(shape("deepseek-v4.1-flash"), prompt=p).values()) for p in (False, True)
    )
    # report: 16B active in decode, 8B in prefill; the head (0.66B) is not needed for a prompt
    assert prompt / 2e9 == pytest.approx(8, rel=0.06)
    assert whole / 2e9 == pytest.approx(16, rel=0.015)


def test_weight_bytes_of_published_checkpoints() -> None:
    # Audit of the V4.1-Flash tensor files: experts 288.778 GB, Engram 202.758 GB (decimal).
    found = weight_bytes(shape("deepseek-v4.1-flash"), Precisions(weight_bytes=1, expert_weight_bytes=MXFP4))
    assert found.experts / 1e9 == pytest.approx(288.778, rel=1e-4)
    assert found.engram / 1e9 == pytest.approx(202.758, rel=1e-4)
    # gpt-oss model card, Table 1: checkpoints of 60.8 and 12.8 GiB.
    for id, gib in (("gpt-oss-120b", 60.8), ("gpt-oss-20b", 12.8)):
        found = weight_bytes(shape(id), Precisions(weight_bytes=2, expert_weight_bytes=MXFP4))
        assert found.model / 2**30 == pytest.approx(gib, rel=0.005)


def test_sixteen_bit_stays_sixteen_bit() -> None:
    moe = MixtureOfExperts(layers=3, experts=4, top_k=1, intermediate=3)
    narrow = weight_bytes(small(ffn=(moe,)), Precisions(weight_bytes=1, expert_weight_bytes=0.5))
    # experts 3 x 4 x 36 at half a byte; attention 144 at one; router 3 x (16 + 4) and norms 28 at two; tables 80 at two
    assert narrow.experts == 216
    assert narrow.other == 144 + 2 * 60 + 2 * 28
    assert narrow.embeddings == 160


def test_image_tokens() -> None:
    # Qwen2.5-VL (arXiv 2502.13923): patches of 14 pixels, four to a token: 1,369 tokens of 5,476 patches
    encoder = VisionEncoder(
        layers=32, hidden=1280, heads=16, intermediate=3420, gated=True, patch=14, merge=2
    )
    found = image_cost(encoder, 8192, 1024, 1024)
    assert (found.tokens, found.patches) == (1369, 5476)
    # all layers attend to all patches: 2 x 5476 x 32 x (4 x 1280^2 + 3 x 1280 x 3420) = 6.90e12 for the layers,
    # 4 x 1280 x 5476^2 x 32 = 4.91e12 for attention, patches and projector below 10 % of the sum
    assert 11.81e12 < found.flop < 1.1 * 11.81e12
    windowed = replace(encoder, window_patches=64, full_layers=4)
    assert image_cost(windowed, 8192, 1024, 1024).flop < found.flop - 4.2e12
    capped = replace(encoder, max_image_tokens=100)
    assert image_cost(capped, 8192, 1024, 1024).tokens == 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 4}, "the attention groups have 3 layers together, but `layers` asks for 4"),
        ({"hidden": 0}, "the model: hidden is 0; it must be at least 1"),
        (
            {"attention": (GroupedAttention(layers=3, heads=3, kv_heads=2, head_dim=2),)},
            r"attention\[0\]: 3 heads cannot share 2 kv_heads evenly",
        ),
        ({"ffn": (DenseFeedForward(layers=3, intermediate=-1),)}, r"ffn\[0\]: intermediate is -1"),
        (
            {"ffn": (MixtureOfExperts(layers=3, experts=2, top_k=3, intermediate=3),)},
            r"ffn\[0\]: top_k 3 is more than the 2 experts",
        ),
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_output_groups_divide_the_heads() -> None:
    group = CompressedAttention(
        layers=3,
        heads=3,
        head_dim=2,
        query_rank=2,
        output_groups=2,
        output_rank=2,
        window=4,
        window_entry_bytes=4,
    )
    with pytest.raises(ValueError, match="do not divide into 2 output_groups"):
        small(attention=(group,))


def test_properties_of_the_shape() -> None:
    assert shape("kimi-k3").exchange_width == 3584
    assert shape("deepseek-v3").exchange_width == 7168
    assert shape("llama-3.1-8b").exchange_width == 0
    assert shape("deepseek-v4-pro").residual_width == 4 * 7168
    assert shape("longcat-flash").moe_layers == 28
    assert isinstance(shape("glm-5").attention[0], LatentAttention)
