"""Operators of forward and backward passes against published FLOP counts, closed forms and laws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.physics.architecture import Architecture
from sim.physics.attention import Scan, core_work, entries_read, expansion_flop, mean_attended
from sim.physics.attention_shapes import GroupedAttention
from sim.physics.backward import Part
from sim.physics.chip import Phase
from sim.physics.counts import linear_flop_per_token
from sim.physics.ffn_shapes import DenseFeedForward
from sim.physics.operators import (
    Operator,
    Precisions,
    Traffic,
    backward_operators,
    draft_operators,
    experts_touched,
    forward_operators,
)
from sim.physics.work import Array
from sim.profiles.catalogue import Catalogue

FP8 = Precisions(linear="fp8", expert="fp8", weight_bytes=1, expert_weight_bytes=1, kv_bytes=1)
BF16 = Precisions()
CONTEXTS = np.array([8192.0, 131_072.0, 1_048_576.0])
CORE = ("attention core", "indexer", "linear attention")
FAMILIES = (
    "deepseek-v3", "deepseek-v3.2-exp", "deepseek-v4-pro", "deepseek-v4.1-flash", "glm-5.2", "gpt-3-175b", "gpt-oss-120b",
    "kimi-k3", "llama-4-maverick", "longcat-flash", "minimax-m1", "minimax-m3", "qwen3.5-397b-a17b", "step-3",
)  # fmt: skip


@cache
def shape(id: str) -> Architecture:
    return Catalogue().model(id).shape


def flop(operators: Iterable[Operator], *components: str) -> np.ndarray:
    return sum(
        (np.asarray(each.flop) for each in operators if not components or each.component in components),
        start=np.zeros(()),
    )


SMALL = Traffic(hidden=12, inner=2.5, routed=5, quantise_bytes=3, score_bytes=13, backward=1.8)


def training(
    id: str, sequence: float, *, mtp: bool = True, fused_attention: bool = True
) -> tuple[Operator, ...]:
    return forward_operators(
        shape(id),
        phase="training",
        sequences=1.0,
        new=sequence,
        past=0.0,
        precisions=BF16,
        mtp=mtp,
        fused_attention=fused_attention,
        traffic=SMALL,
    )


def decode(
    id: str, context: object, precisions: Precisions = FP8, sequences: float = 1.0
) -> tuple[Operator, ...]:
    past = np.asarray(context, dtype=float) - 1.0
    return forward_operators(
        shape(id), phase="decode", sequences=sequences, new=1.0, past=past, precisions=precisions
    )


# --- published counts -------------------------------------------------------------------------------------------


def test_deepseek_v3_training() -> None:
    """DeepSeek-V3 in production, ISCA 2025: 250 GFLOP per token causal, 280 with the full mask, sequence 4,096."""
    causal, masked = (
        flop(training("deepseek-v3", 4096.0, mtp=False, fused_attention=fused)) for fused in (True, False)
    )
    assert 3 * causal / 4096 == pytest.approx(250e9, rel=0.005)
    assert 3 * masked / 4096 == pytest.approx(280e9, rel=0.005)
    # The draft layer adds what Megatron-Bridge counts: 260.
    assert 3 * flop(training("deepseek-v3", 4096.0)) / 4096 == pytest.approx(260e9, rel=0.005)


def test_llama_405b_training() -> None:
    """Megatron-Bridge: 822 TFLOP/s at 326 token/s = 2,523 GFLOP per token at 8,192, causal."""
    assert 3 * flop(training("llama-3.1-405b", 8192.0)) / 8192 == pytest.approx(2523e9, rel=0.005)


def test_megatron_formula() -> None:
    """arXiv 2104.04473 equation 3, forward and backward, full mask: 72 L h^2 (1 + s/6h + V/12Lh) per token."""
    layers, hidden, vocab, sequence = 96, 12288, 50257, 2048.0
    expected = 72 * layers * hidden**2 * (1 + sequence / (6 * hidden) + vocab / (12 * layers * hidden))
    assert 3 * flop(training("gpt-3-175b", sequence, fused_attention=False)) / sequence == pytest.approx(
        expected
    )


# Raw GFLOP of one decoded token at 8K, 128K and a million tokens of context, no weighting by precision; an independent
# calculation from the formulas of the reports.
DECODE = {
    "deepseek-v3": (212, 2300, 17889),
    "deepseek-v3.2-exp": (118, 241, 1158),
    "deepseek-v4-pro": (109, 132, 303),
    "deepseek-v4-flash": (29.5, 42.6, 140),
    "deepseek-v4.1-flash": (35.3, 38.1, 56.9),
    "kimi-k2": (133, 1177, 8971),
    "kimi-k3": (250, 866, 5466),
    "qwen3-235b-a22b": (68.4, 447, 3273),
    "qwen3.5-397b-a17b": (37.0, 97.4, 548),
    "glm-5": (109, 188, 774),
    "minimax-m2": (33.3, 221, 1619),
    "minimax-m3": (54.8, 74.1, 218),
    "llama-3.1-405b": (875, 1890, 9466),
    "gpt-oss-120b": (12.7, 49.0, 320),
}


@pytest.mark.parametrize("id", DECODE)
def test_decode_by_context(id: str) -> None:
    assert flop(decode(id, CONTEXTS)) / 1e9 == pytest.approx(np.array(DECODE[id]), rel=0.005)


def test_step3_table() -> None:
    """arXiv 2507.19427 Table 2: attention core per decoded token at 8K."""
    assert flop(decode("qwen3-235b-a22b", 8192.0), "attention core") == pytest.approx(2.52e10, rel=0.005)
    # For MLA the report counts 576 + 576 dimensions; values have 512: 1.47e11 x 1088/1152.
    assert flop(decode("deepseek-v3", 8192.0), "attention core") == pytest.approx(
        1.47e11 * 1088 / 1152, rel=0.005
    )


def weighted(id: str, context: float, indexer: float) -> float:
    """FLOPs of a decoded token, 16 bit counted 1, 8 bit 1/2, 4 bit 1/4 (arXiv 2609.19969, figure 2).

    Matrix products run in 8 bit (also those with 4-bit weights), the attention core in 16.
    """
    operators = decode(id, context)
    index = [each for each in operators if each.component == "indexer" and each.family == "attention_decode"]
    products = [each for each in operators if each.family in ("gemm", "grouped_gemm")]
    return float(0.5 * flop(products) + flop(operators, "attention core") + indexer * flop(index))


def test_v4_costs_a_quarter_of_v32() -> None:
    """arXiv 2606.19348: 27 % and 10 % of the FLOPs of V3.2 at a million tokens; fp8 indexer against fp4."""
    sparse = weighted("deepseek-v3.2-exp", 1_048_576.0, 0.5)
    assert weighted("deepseek-v4-pro", 1_048_576.0, 0.25) / sparse == pytest.approx(0.27, abs=0.006)
    assert weighted("deepseek-v4-flash", 1_048_576.0, 0.25) / sparse == pytest.approx(0.10, abs=0.002)


def test_v41_grows_by_a_quarter() -> None:
    """arXiv 2609.19969 figure 2: FLOPs of a decoded token rise by about a quarter from 4K to a million."""
    short, long = (weighted("deepseek-v4.1-flash", n, 0.25) for n in (4096.0, 1_048_576.0))
    assert long / short == pytest.approx(1.25, abs=0.04)


# --- operators and counts agree ---------------------------------------------------------------------------------


@pytest.mark.parametrize("id", FAMILIES)
def test_linear_work_equals_the_counts(id: str) -> None:
    operators = [each for each in training(id, 512.0, mtp=False) if each.component not in CORE[:1] + CORE[2:]]
    matrices = [each for each in operators if each.family in ("gemm", "grouped_gemm")]
    expected = linear_flop_per_token(shape(id))
    for component, per_token in expected.items():
        assert flop(matrices, component) == pytest.approx(512 * per_token)
    assert flop(matrices) == pytest.approx(512 * sum(expected.values()))


def test_prefill_needs_one_row_of_logits_per_prompt() -> None:
    operators = forward_operators(
        shape("deepseek-v3"), phase="prefill", sequences=3.0, new=1000.0, past=0.0, precisions=FP8
    )
    (logits,) = (each for each in operators if each.component == "logits")
    assert logits.flop == 3 * 2 * 129280 * 7168
    assert logits.on_edge


def test_prompts_of_v41_cost_half() -> None:
    def linear(phase: Phase) -> float:
        operators = forward_operators(
            shape("deepseek-v4.1-flash"),
            phase=phase,
            sequences=1.0,
            new=65536.0,
            past=0.0,
            precisions=FP8,
        )
        return float(flop(each for each in operators if each.component not in (*CORE[::2], "logits")))

    assert linear("prefill") / linear("training") == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("phase", ["training", "prefill", "decode"])
def test_every_model_runs_in_every_phase(phase: Phase) -> None:
    catalogue = Catalogue()
    for id in catalogue.ids("models"):
        architecture = catalogue.model(id).architecture
        if architecture is None:
            continue
        new = 3.0 if phase == "decode" else 5000.0
        operators = forward_operators(
            architecture, phase=phase, sequences=2.0, new=new, past=9000.0, precisions=FP8, traffic=SMALL
        )
        for each in (*operators, *backward_operators(operators, traffic=SMALL)):
            numbers = [
                float(np.asarray(n)) for n in (each.flop, each.weight_bytes, each.token_bytes, each.rows)
            ]
            assert np.all(np.isfinite(numbers)), (id, each)
            assert min(numbers) >= 0
            assert each.flop or each.token_bytes


@pytest.mark.parametrize("id", FAMILIES)
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_no_tokens_no_work(id: str, phase: Phase) -> None:
    for sequences, new in ((0.0, 7.0), (2.0, 0.0)):
        operators = forward_operators(
            shape(id), phase=phase, sequences=sequences, new=new, past=100.0, precisions=FP8
        )
        done = [each for each in operators if each.component != "logits"]
        assert flop(done) == 0
        assert all(float(each.rows) >= 0 for each in done if each.component == "routed experts")


# --- experts ----------------------------------------------------------------------------------------------------


def test_experts_touched() -> None:
    assert experts_touched(1.0, 8.0, 256.0) == pytest.approx(8 / 256)
    assert experts_touched(2.0, 8.0, 256.0) == pytest.approx(1 - (1 - 1 / 32) ** 2)
    assert experts_touched(10.0, 4.0, 4.0) == 1.0
    assert experts_touched(1e9, 8.0, 256.0) == pytest.approx(1.0)


def test_experts_carry_their_group() -> None:
    operators = forward_operators(
        shape("deepseek-v3"),
        phase="decode",
        sequences=100.0,
        new=1.0,
        past=4096.0,
        precisions=FP8,
        group_tokens=12_800.0,
    )
    (experts,) = (each for each in operators if each.component == "routed experts")
    weights = 58 * 3 * 7168 * 2048
    assert experts.sharding == "expert"
    assert experts.flop == pytest.approx(12_800 * 8 * 2 * weights)
    assert experts.rows == pytest.approx(12_800 * 8 / 256)  # all are touched
    assert experts.weight_bytes == pytest.approx(256 * weights)
    shared = next(each for each in operators if each.component == "shared experts")
    assert shared.rows == 100


def test_few_tokens_read_few_experts() -> None:
    operators = decode("deepseek-v3", 4096.0)
    (experts,) = (each for each in operators if each.component == "routed experts")
    assert experts.weight_bytes == pytest.approx(8 * 58 * 3 * 7168 * 2048)
    assert experts.rows == pytest.approx(1.0)


def test_zero_experts_cost_nothing() -> None:
    operators = decode("longcat-flash", 4096.0)
    (experts,) = (each for each in operators if each.component == "routed experts")
    assert experts.flop == pytest.approx(2 * 28 * 8 * 3 * 6144 * 2048)  # 8 of the 12 chosen have weights


# --- attention --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scan", "past", "new", "expected"),
    [
        (Scan("attention core", 1, 1), 3, 2, (4 + 5) / 2),
        (Scan("attention core", 1, 1, limit=4), 2, 4, (3 + 4 + 4 + 4) / 4),
        (Scan("attention core", 1, 1, limit=2, stride=4), 0, 16, (sum(range(1, 9)) / 4 + 8 * 2) / 16),
        (Scan("attention core", 1, 1, chunk=3), 0, 7, (1 + 2 + 3 + 1 + 2 + 3 + 1) / 7),
        (Scan("attention core", 1, 1, chunk=3), 4, 3, (2 + 3 + 1) / 3),
    ],
)
def test_attended_positions_by_counting(scan: Scan, past: int, new: int, expected: float) -> None:
    assert mean_attended(scan, float(past), float(new)) == pytest.approx(expected)


@given(
    past=st.integers(0, 5000),
    new=st.integers(1, 3000),
    cut=st.integers(1, 2999),
    limit=st.sampled_from([float("inf"), 1.0, 128.0, 2048.0]),
    stride=st.sampled_from([1.0, 4.0, 128.0]),
    chunk=st.sampled_from([0.0, 512.0]),
)
def test_pieces_add_up(past: int, new: int, cut: int, limit: float, stride: float, chunk: float) -> None:
    scan = Scan("attention core", 1, 1, limit, stride, chunk)
    first = min(cut, new)
    whole = mean_attended(scan, past, new) * new
    parts = mean_attended(scan, past, first) * first
    if first < new:
        parts += mean_attended(scan, past + first, new - first) * (new - first)
    assert parts == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(
    "id", ["llama-3.1-405b", "gpt-oss-120b", "minimax-m3", "deepseek-v4-pro", "kimi-k3", "step-3"]
)
def test_chunked_prefill_adds_up(id: str) -> None:
    """What attention selects or sees does not depend on how a prompt is cut; only logits and MLA depend on the pass."""

    def work(past: float, new: float) -> float:
        operators = forward_operators(
            shape(id), phase="prefill", sequences=2.0, new=new, past=past, precisions=BF16
        )
        return float(flop(each for each in operators if each.component != "logits"))

    again = sum(
        2.0 * group.layers * expansion_flop(group) * 9000.0
        for group in shape(id).attention
        if group.kind == "mla"
    )
    assert work(0.0, 9000.0) + work(9000.0, 4000.0) == pytest.approx(work(0.0, 13_000.0) + again, rel=1e-9)


def test_latent_attention_takes_the_cheaper_form() -> None:
    (group,) = shape("deepseek-v3").attention
    expanded = 2 * 128 * (128 + 64 + 128)
    # a fresh prompt: expanded, mean of 2,048.5 positions; a short question after a long text: on the latent
    fresh = core_work(group, 0.0, 4096.0, cache_bytes=2.0, decode=False)
    assert fresh.flop == pytest.approx(expanded * 4096 * 2048.5)
    short = core_work(group, 100_000.0, 10.0, cache_bytes=2.0, decode=False)
    assert short.flop == core_work(group, 100_000.0, 10.0, cache_bytes=2.0, decode=True).flop


def test_sparse_prefill_is_masked_first_and_selected_later() -> None:
    (group,) = shape("deepseek-v3.2-exp").attention
    dense, latent = 2 * 128 * 320, 2 * 128 * 1088
    short = core_work(group, 0.0, 4096.0, cache_bytes=1.0, decode=False)
    assert short.flop == pytest.approx(dense * 4096 * 2048.5)
    long = core_work(group, 0.0, 131_072.0, cache_bytes=1.0, decode=False)
    assert long.flop == pytest.approx(latent * (2048 * 2049 / 2 + (131_072 - 2048) * 2048))
    assert long.indexer_flop == pytest.approx(2 * 64 * 128 * 131_072 * 131_073 / 2)


@pytest.mark.parametrize("id", [id for id in FAMILIES if not id.startswith("llama-4")])
@given(past=st.floats(0, 1e6), more=st.floats(0, 1e6), new=st.floats(1, 5000))
@settings(max_examples=25)
def test_more_context_never_costs_less(id: str, past: float, more: float, new: float) -> None:
    for phase in ("prefill", "decode"):
        before, after = (
            forward_operators(shape(id), phase=phase, sequences=1.0, new=new, past=n, precisions=FP8)
            for n in (past, past + more)
        )
        assert flop(after) >= flop(before) * (1 - 1e-9)


def test_drafts_read_the_window_once_and_selections_each() -> None:
    window, chosen = (
        Scan("attention core", 1, 1, limit=128),
        Scan("attention core", 1, 1, limit=2048, shared=False),
    )
    assert entries_read(window, 9999.0, 4.0) == 131
    assert entries_read(chosen, 9999.0, 4.0) == 4 * 2048
    assert entries_read(Scan("attention core", 1, 1), 9999.0, 4.0) == 10_003
    assert entries_read(Scan("attention core", 1, 1, chunk=4096), 9999.0, 4.0) == 9999 - 8192 + 4


def test_latent_is_read_whole_by_every_rank() -> None:
    found = {each.component: each for each in decode("deepseek-v3", 4096.0)}
    assert found["attention core"].token_shards == 1
    assert {each.component: each for each in decode("llama-3.1-405b", 4096.0)}[
        "attention core"
    ].token_shards == 8
    # 656 B per position and layer, and query and output of one token: 128 x 1088 elements of 2 B
    assert found["attention core"].token_bytes == pytest.approx(61 * (4096 * 656 + 128 * 1088 * 2))


# --- backward ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["deepseek-v3", "kimi-k3", "gpt-3-175b"])
def test_backward_parts_add_up(id: str) -> None:
    forward = training(id, 1024.0, fused_attention=id != "gpt-3-175b")
    whole, inputs, weights = (backward_operators(forward, part=part) for part in ("all", "input", "weight"))
    assert flop(whole) == pytest.approx(flop(inputs) + flop(weights))
    for measure in ("token_bytes", "weight_bytes"):
        total, first, second = (
            sum(float(getattr(each, measure)) for each in ops) for ops in (whole, inputs, weights)
        )
        assert total == pytest.approx(first + second)


def test_backward_ratios() -> None:
    forward = training("llama-3.1-405b", 8192.0)
    expected: tuple[tuple[Part, float, float], ...] = (
        ("all", 2.0, 2.5),
        ("input", 1.0, 2.5),
        ("weight", 1.0, 0.0),
    )
    for part, linear, core in expected:
        backward = backward_operators(forward, part=part, traffic=SMALL)
        assert flop(backward, "dense ffn") == pytest.approx(linear * flop(forward, "dense ffn"))
        assert flop(backward, "attention core") == pytest.approx(core * flop(forward, "attention core"))
    (small,) = (
        each for each in backward_operators(forward, traffic=SMALL) if each.component == "elementwise"
    )
    (before,) = (each for each in forward if each.component == "elementwise")
    assert small.token_bytes == pytest.approx(1.8 * before.token_bytes)


# --- traffic of small kernels -----------------------------------------------------------------------------------


def test_elementwise_traffic() -> None:
    tiny = Architecture(
        vocab=10,
        hidden=4,
        layers=2,
        attention=(GroupedAttention(layers=2, heads=2, kv_heads=1, head_dim=2),),
        ffn=(DenseFeedForward(layers=2, intermediate=8),),
    )
    operators = forward_operators(
        tiny,
        phase="training",
        sequences=3.0,
        new=5.0,
        past=0.0,
        precisions=BF16,
        traffic=Traffic(hidden=12, inner=2.5),
    )
    (small,) = (each for each in operators if each.component == "elementwise")
    assert small.token_bytes == 15 * 2 * 2 * (12 * 4 + 2.5 * 8)  # tokens x layers x bytes x elements
    assert small.sharding == "none"


def test_quantising_is_paid_in_low_precision_only() -> None:
    eight = forward_operators(
        shape("llama-3.1-8b"),
        phase="training",
        sequences=1.0,
        new=100.0,
        past=0.0,
        precisions=FP8,
        traffic=SMALL,
    )
    moved = sum(float(each.token_bytes) for each in eight if each.component == "quantise")
    # inputs per layer: qkv 4096, o 4096, gate and up 4096, down 14336; 3 bytes each
    assert moved == 100 * 32 * 3 * (3 * 4096 + 14336)
    assert not any(each.component == "quantise" for each in training("llama-3.1-8b", 100.0))


def test_streams_of_v4() -> None:
    """arXiv 2606.19348 section 3.5.2: 20 elements per unit of hidden width and block, V4.1 half of it."""
    for id, elements in (("deepseek-v4-pro", 20), ("deepseek-v4.1-flash", 10)):
        architecture = shape(id)
        with_streams, without = (
            sum(
                float(each.token_bytes)
                for each in forward_operators(
                    each_shape, phase="decode", sequences=1.0, new=1.0, past=100.0, precisions=BF16
                )
                if each.component == "elementwise"
            )
            for each_shape in (architecture, replace(architecture, hyper_connections=None))
        )
        expected = 2 * architecture.layers * elements * architecture.hidden * 2
        assert with_streams - without == pytest.approx(expected)


def test_engram_reads_12_kilobytes_per_token() -> None:
    (table,) = (each for each in decode("deepseek-v4.1-flash", 100.0) if each.component == "engram")
    assert table.token_bytes == 48 * 264  # report: 12.7 KB
    assert table.flop == 0


# --- drafting ---------------------------------------------------------------------------------------------------


def test_drafting() -> None:
    operators = draft_operators(shape("deepseek-v3"), sequences=2.0, past=1000.0, precisions=FP8)
    assert {each.component for each in operators} == {"mtp"}
    assert all(each.on_edge for each in operators)
    # one layer (attention 187.1M, shared 44.0M, 8 of 256 experts 352.3M, router 1.8M), projection 102.8M, head 926.7M
    weights = 187_105_280 + 9 * 44_040_192 + 1_835_008 + 102_760_448 + 926_679_040
    core = 2 * 128 * 1088 * 1001
    assert flop(operators) == pytest.approx(2 * (2 * weights + core))
    with pytest.raises(ValueError, match="no draft layers"):
        draft_operators(shape("llama-3.1-8b"), sequences=1.0, past=0.0, precisions=FP8)


def test_frozen_draft_blocks_are_not_trained() -> None:
    assert not any(each.component == "mtp" for each in training("deepseek-v4.1-flash", 4096.0))
    assert any(each.component == "mtp" for each in training("deepseek-v4-pro", 4096.0))


# --- broadcasting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["deepseek-v3.2-exp", "deepseek-v4.1-flash", "kimi-k3", "llama-4-maverick"])
@pytest.mark.parametrize("phase", ["training", "prefill", "decode"])
def test_arrays_give_what_scalars_give(id: str, phase: Phase) -> None:
    sequences, new, past = np.array([[1.0], [16.0]]), np.array([[2.0, 700.0, 9000.0]]), 5000.0

    def run(count: Array, fresh: Array) -> tuple[Operator, ...]:
        return forward_operators(
            shape(id),
            phase=phase,
            sequences=count,
            new=fresh,
            past=past,
            precisions=FP8,
        )

    both = run(sequences, new)
    for row, count in enumerate(sequences[:, 0]):
        for column, fresh in enumerate(new[0]):
            for array, scalar in zip(both, run(float(count), float(fresh)), strict=True):
                for measure in ("flop", "weight_bytes", "token_bytes", "rows"):
                    found = np.broadcast_to(getattr(array, measure), (2, 3))[row, column]
                    assert found == pytest.approx(float(getattr(scalar, measure))), (array.component, measure)
