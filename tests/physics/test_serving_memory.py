"""Cache room by hand."""

import pytest

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import GroupedAttention
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.operators import Precisions
from sim.physics.serving_memory import largest_batch, serving_memory

LLAMA_70B = Architecture(
    vocab=128256,
    hidden=8192,
    layers=80,
    attention=(GroupedAttention(layers=80, heads=64, kv_heads=8, head_dim=128),),
    ffn=(DenseFeedForward(layers=80, intermediate=28672),),
)


def test_llama_70b_fp8_on_one_h200():
    """141 GB - 72.7 GB (70.6 B weights in 8 bit, both embeddings of 1.05 B in 16) - 4 GB, of which 0.9 are
    58 GB; an 8-bit cache takes 2 x 80 x 8 x 128 = 164 kB per token. The queue of a measured run implies 44
    to 47 sequences of 1K/8K at their full length (921.6 + 7,372.8)."""
    precisions = Precisions(
        linear="fp8", expert="fp8", weight_bytes=1.0, expert_weight_bytes=1.0, kv_bytes=1.0
    )
    memory = serving_memory(LLAMA_70B, precisions, 141e9, 1, 1, 0.9, 4e9)
    assert memory.weights == pytest.approx(72.7e9, rel=0.005)
    assert memory.room == pytest.approx(0.9 * (141e9 - 72.7e9 - 4e9), rel=0.01)
    full = largest_batch(memory, LLAMA_70B, precisions, 921.6 + 7372.8, 1)
    assert float(full) == pytest.approx(58e9 / (163840 * 8294.4), rel=0.01)
    assert 40 < full < 48
    assert memory.complaint() == ""


def test_says_what_does_not_fit():
    precisions = Precisions()
    memory = serving_memory(LLAMA_70B, precisions, 80e9, 1, 1, 0.9, 4e9)
    assert not memory.fits
    assert "141 GB" in memory.complaint()
    assert "80 GB" in memory.complaint()
    assert largest_batch(memory, LLAMA_70B, precisions, 1000.0, 1) == 0


def test_tensor_ranks_beyond_the_heads_repeat_the_cache():
    precisions = Precisions()
    memory = serving_memory(LLAMA_70B, precisions, 1e12, 1, 1, 1.0, 0.0)
    eight, sixteen = (largest_batch(memory, LLAMA_70B, precisions, 1e4, tp) for tp in (8, 16))
    assert eight == pytest.approx(sixteen)


EXPERTS = Architecture(
    vocab=1000,
    hidden=1024,
    layers=2,
    attention=(GroupedAttention(layers=2, heads=8, kv_heads=8, head_dim=128),),
    ffn=(MixtureOfExperts(layers=2, experts=64, top_k=4, intermediate=512),),
)


def test_copies_of_experts_take_their_share():
    """An eighth of the experts held twice: 2 layers x 64 x 3 x 1,024 x 512 weights of a byte on 32 ranks."""
    precisions = Precisions(linear="fp8", expert="fp8", weight_bytes=1.0, expert_weight_bytes=1.0)
    plain, more = (
        serving_memory(EXPERTS, precisions, 80e9, 1, 32, 0.9, 4e9, copies=copies) for copies in (0.0, 0.125)
    )
    experts = 2 * 64 * 3 * 1024 * 512 / 32
    assert more.weights - plain.weights == pytest.approx(experts / 8)
    assert plain.room - more.room == pytest.approx(0.9 * experts / 8)
