"""Layouts: what is legal, how layers are split, closed forms of the schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.layout.enumerate import Options, Shape, enumerate_layouts
from sim.layout.layouts import SCHEDULES, concatenate, single_layout
from sim.layout.schedule import apart, bubble_time, in_flight, weight_copies
from sim.layout.stages import KINDS, Depth, rank_contents, stage_contents

DEEPSEEK = Shape(heads=128, layers=61, experts=256, sequences=15360, sequence=4096)
LLAMA = Shape(heads=128, layers=126, experts=0, sequences=2048, sequence=8192)


def code(name: str) -> int:
    return SCHEDULES.index(name)


def test_bubbles_of_the_published_formulas() -> None:
    # p = 8, m = 16, F = 1, B = 2: 7 x 3 / (16 x 3 + 7 x 3) = 30.4 %; v = 6: 3.5 / 51.5 = 6.8 %.
    plain = float(bubble_time(code("1f1b"), 8, 1, 1.0, 2.0, 1.0, 3.0))
    deep = float(bubble_time(code("interleaved"), 8, 6, 1.0, 2.0, 1.0, 3.0))
    assert plain / (48 + plain) == pytest.approx(0.304, abs=5e-4)
    assert deep / (48 + deep) == pytest.approx(0.068, abs=5e-4)
    # Zero bubble H1 with F = B_input = W: a third of 1F1B. DualPipe of DeepSeek-V3: 7 x (139 + 127 - 126) ms.
    assert float(bubble_time(code("zero-bubble"), 8, 1, 1.0, 2.0, 1.0, 3.0)) == pytest.approx(plain / 3)
    assert float(bubble_time(code("dualpipe"), 16, 1, 58.0, 127.0, 42.0, 139.0)) == pytest.approx(980.0)


def test_one_stage_has_no_bubble() -> None:
    schedules = np.arange(float(len(SCHEDULES)))
    assert bubble_time(schedules, 1, 1, 1.0, 2.0, 1.0, 3.0) == pytest.approx(np.zeros(5))


def test_micro_batches_in_flight() -> None:
    # 1F1B 16; interleaved 16 (1 + 15/(16 x 4)) = 19.75 (arXiv 2205.05198); DualPipe 17 (its README); at most
    # what there is.
    assert in_flight(code("1f1b"), 16, 1, 64) == 16
    assert in_flight(code("interleaved"), 16, 4, 64) == 19.75
    assert in_flight(code("dualpipe"), 16, 1, 120) == 17
    assert in_flight(code("1f1b"), 16, 1, 4) == 4
    assert in_flight(code("1f1b"), 1, 1, 64) == 1
    assert weight_copies(np.array([0.0, code("dualpipe")])) == pytest.approx([1.0, 2.0])


def test_chunks_that_overlap_nothing() -> None:
    # dualpipe.py, 16 ranks and 120 micro-batches: 19.5, and a pair that the two middle ranks run apart.
    assert apart(code("dualpipe"), 16, 120) == 19.5 + 2 / 16
    assert apart(code("dualpipev"), 8, 60) == (19.5 + 2 / 16) / 2
    assert apart(code("1f1b"), 8, 16) == 7
    assert apart(code("1f1b"), 1, 16) == 1


def test_even_split_counts_the_head_as_a_layer() -> None:
    # 126 layers over 16 stages: Meta removed one layer from the first and the last (arXiv 2407.21783,
    # section 3.3.2); without a rule for the embedding the last one has a layer less and the rest is as even
    # as can be.
    contents = stage_contents(Depth(126, 0), 16)
    layers = contents[:, 0]
    assert layers.sum() == 126
    assert layers[-1] == 7
    assert layers.max() == 8
    assert contents[0, KINDS.index("embedding")] == contents[-1, KINDS.index("logits")] == 1


def test_layers_that_divide_stay_equal():
    """GPT-3 175B, 96 layers on 8 stages: Megatron-LM asks that they divide and deals 12 to each. With an MTP module on the
    last stage, as in DeepSeek-V3, that one holds fewer."""
    decoders = [KINDS.index("dense"), KINDS.index("moe")]
    assert stage_contents(Depth(96, 0), 8)[:, decoders].sum(axis=1).tolist() == [12.0] * 8
    assert stage_contents(Depth(0, 64, 1), 8)[-1, decoders].sum() < 8


def test_given_split_puts_dense_layers_first() -> None:
    contents = stage_contents(Depth(3, 58, 1, (4,) * 13 + (3, 3, 3)), 16)
    assert contents[0].tolist() == [3, 1, 1, 0, 0]
    assert contents[-1].tolist() == [0, 3, 0, 1, 1]


def test_folded_ranks_hold_both_ends() -> None:
    contents = rank_contents(Depth(3, 58, 1, (4,) * 13 + (3, 3, 3)), 16, "dualpipe")
    assert contents[0].tolist() == [1.5, 2.0, 0.5, 0.5, 0.5]
    assert contents == pytest.approx(contents[::-1])


def test_wrong_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split of 9 layers"):
        stage_contents(Depth(10, 0, 0, (5, 4)), 2)


@given(dense=st.integers(0, 10), moe=st.integers(1, 90), mtp=st.integers(0, 2), stages=st.integers(1, 32))
def test_split_loses_no_layer_and_is_even(dense: int, moe: int, mtp: int, stages: int) -> None:
    depth = Depth(dense, moe, mtp)
    stages = min(stages, depth.layers)
    contents = stage_contents(depth, stages)
    assert contents.sum(axis=0).tolist() == [dense, moe, 1, 1, mtp]
    assert contents.min() >= 0
    inner = contents[:-1, :2].sum(axis=1)
    if stages > 1:
        assert inner.max() - inner.min() <= 1


def test_legal_layouts_obey_every_rule() -> None:
    found = enumerate_layouts(DEEPSEEK, 2048, 8).layouts
    assert len(found) > 1000
    assert np.all(found.chips <= 2048)
    assert np.all(128 % found.tp == 0)
    assert np.all(found.tp <= 8)
    assert np.all(found.pp <= 61)
    assert np.all(256 % found.ep == 0)
    assert np.all(found.tp * found.cp * found.dp % (found.ep * found.etp) == 0)
    assert np.all(found.micro_batches * found.micro_batch * found.dp >= 15360)
    interleaved = found.schedule == code("interleaved")
    assert np.all(found.micro_batches[interleaved] % found.pp[interleaved] == 0)
    dualpipe = found.schedule == code("dualpipe")
    assert np.all(found.pp[dualpipe] % 2 == 0)
    assert np.all(found.micro_batches[dualpipe] >= 2 * found.pp[dualpipe])


def test_published_layouts_are_among_the_legal_ones() -> None:
    # DeepSeek-V3: PP16, EP64, ZeRO-1 DP128, DualPipe, 120 micro-batches. Llama 405B: TP8 PP16 DP128.
    v3 = enumerate_layouts(DEEPSEEK, 2048, 8).layouts
    mask = (v3.tp == 1) & (v3.pp == 16) & (v3.ep == 64) & (v3.dp == 128) & (v3.schedule == code("dualpipe"))
    assert np.any(mask & (v3.micro_batches == 120))
    meta = enumerate_layouts(LLAMA, 16384, 8).layouts
    assert np.any((meta.tp == 8) & (meta.pp == 16) & (meta.dp == 128) & (meta.cp == 1))


def test_left_over_chips_are_not_used() -> None:
    found = enumerate_layouts(LLAMA, 1000, 8).layouts
    whole = found.tp * found.pp * found.cp
    assert np.all(found.chips == whole * (1000 // whole))


def test_options_narrow_the_choice_and_reasons_are_counted() -> None:
    found = enumerate_layouts(
        LLAMA, 64, 8, Options(recompute=("full",), schedules=("1f1b",), micro_batches=(1,))
    )
    assert set(found.layouts.recompute.tolist()) == {2}
    assert set(found.layouts.schedule.tolist()) == {0}
    assert found.rejected["one replica is larger than the cluster"] > 0


def test_describe_and_select() -> None:
    both = concatenate(
        [
            single_layout(tp=8, pp=16, dp=128, vpp=8, micro_batches=16, schedule="interleaved"),
            single_layout(dp=8),
        ]
    )
    assert both.describe(0) == "TP8 PP16 DP128 mb1 x 16, interleaved x 8, recompute none, ZeRO-1"
    assert both.select(np.array([1])).chips.tolist() == [8]
    assert single_layout(tp=8).etp.tolist() == [8]
    assert single_layout(tp=8, ep=4).etp.tolist() == [1]
