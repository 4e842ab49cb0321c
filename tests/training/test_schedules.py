"""Orders of all schedules: bubbles, micro-batches held, chunks counted in published code, jitter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.layout.layouts import SCHEDULES
from sim.layout.schedule import apart, bubble_time, held_by_last, in_flight
from sim.training.orders import Task, rank_orders
from sim.training.pipeline import PipelineRun, StageTimes, run_pipeline


def chunks_of(schedule: str) -> int:
    return {"interleaved": 3, "dualpipev": 2}.get(schedule, 1)


def stages(ranks: int, schedule: str, f: float, b: float, w: float, both: float | None = None) -> StageTimes:
    """Equal stages; times are of a whole rank and one micro-batch."""
    one = np.ones(ranks * chunks_of(schedule)) / chunks_of(schedule)
    return StageTimes(f * one, b * one, w * one, None if both is None else both * one)


def play(schedule: str, ranks: int, micro_batches: int, times: StageTimes) -> PipelineRun:
    return run_pipeline(schedule, times, ranks=ranks, micro_batches=micro_batches, chunks=chunks_of(schedule))


# --- bubbles -----------------------------------------------------------------------------------------------


@given(
    schedule=st.sampled_from(SCHEDULES), half=st.integers(1, 4), more=st.integers(0, 2), f=st.floats(0.1, 9)
)
@settings(max_examples=60, deadline=None)
def test_idle_time_equals_the_published_bubble(schedule: str, half: int, more: int, f: float) -> None:
    # Forward, input gradient and weight gradient of equal length (B = 2F, W = F), the case in which all published
    # bubbles are exact: (p-1)(F+B), /v, (p-1)(F+B-2W), (p/2-1)(F&B+B-3W).
    ranks = 2 * half
    micro_batches = ranks * (2 + more)
    run = play(schedule, ranks, micro_batches, stages(ranks, schedule, f, 2 * f, f))
    closed = bubble_time(SCHEDULES.index(schedule), ranks, chunks_of(schedule), f, 2 * f, f, 3 * f)
    assert run.idle_s.mean() == pytest.approx(float(closed), rel=1e-9, abs=1e-9)
    assert run.step_time_s == pytest.approx(micro_batches * 3 * f + float(closed), rel=1e-9)


def test_bubbles_by_hand() -> None:
    # 8 ranks, 16 micro-batches, F = 1, B = 2, W = 1. 1F1B 7 x 3; three chunks 7 x 3 / 3; ZB-H1 7 x (3 - 2); DualPipe
    # (4 - 1)(3 + 2 - 3); DualPipeV with 8 ranks is DualPipe with 16 stages of half the length: 7 x 2 / 2.
    idle = {
        name: play(name, 8, 16, stages(8, name, 1.0, 2.0, 1.0)).idle_s.mean()
        for name in ("gpipe", *SCHEDULES)
    }
    assert idle == pytest.approx(
        {
            "gpipe": 21.0,
            "1f1b": 21.0,
            "interleaved": 7.0,
            "zero-bubble": 7.0,
            "dualpipe": 6.0,
            "dualpipev": 7.0,
        }
    )


@given(f=st.floats(1.0, 3.0), inputs=st.floats(1.0, 3.0), w=st.floats(0.1, 1.0), ranks=st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_zero_bubble_holds_for_any_short_weight_gradient(
    f: float, inputs: float, w: float, ranks: int
) -> None:
    # H1 delays weight gradients into the gaps; exact as long as W is no longer than F and the input gradient.
    run = play("zero-bubble", ranks, 3 * ranks, stages(ranks, "zero-bubble", f, inputs + w, w))
    assert run.idle_s == pytest.approx(np.full(ranks, (ranks - 1) * (f + inputs - w)), rel=1e-9)


def test_folded_pipeline_is_half_of_dualpipe() -> None:
    # deepseek-ai/DualPipe, README: DualPipeV has the bubble of DualPipe on half of the devices. The same chunks (F 58,
    # B 127, W 42, F&B 139 ms): 16 ranks with 120 micro-batches from both ends, or 8 with 60 from one.
    one = np.ones(16)
    times = StageTimes(0.058 * one, 0.127 * one, 0.042 * one, 0.139 * one)
    whole = run_pipeline("dualpipe", times, ranks=16, micro_batches=120)
    half = run_pipeline("dualpipev", times, ranks=8, micro_batches=60, chunks=2)
    assert half.step_time_s == pytest.approx(whole.step_time_s)
    assert half.idle_s == pytest.approx(whole.idle_s[:8])


# --- chunks ------------------------------------------------------------------------------------------------


def counted(orders: list[list[Task]]) -> dict[str, float]:
    kinds = Counter("&".join(chunk.kind[0] for chunk in task) for order in orders for task in order)
    return {kind: number / len(orders) for kind, number in kinds.items()}


@pytest.mark.parametrize(("schedule", "ranks", "count"), [("dualpipe", 16, 120), ("dualpipev", 8, 60)])
def test_chunks_counted_in_the_published_code(schedule: str, ranks: int, count: int) -> None:
    # dualpipe.py for DeepSeek-V3, 16 ranks and 120 micro-batches, mean per rank: 19.5 forwards and backwards alone,
    # 100.5 of both, 11.5 weight gradients. The middle ranks run one of their pairs one after the other: an eighth.
    kinds = counted(rank_orders(schedule, ranks, count, chunks_of(schedule)))
    assert kinds == pytest.approx({"F": 19.5 + 1 / 8, "B": 19.5 + 1 / 8, "F&B": 100.5 - 1 / 8, "W": 11.5})


@given(schedule=st.sampled_from(["dualpipe", "dualpipev"]), half=st.integers(1, 8), more=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_lone_chunks_equal_the_closed_form(schedule: str, half: int, more: int) -> None:
    ranks = 2 * half
    micro_batches = ranks * (2 + more)
    kinds = counted(rank_orders(schedule, ranks, micro_batches, chunks_of(schedule)))
    lone = kinds["F"] / chunks_of(schedule)
    assert lone == pytest.approx(float(apart(SCHEDULES.index(schedule), ranks, micro_batches)))


def held(order: list[Task], until: str) -> int:
    """Most forwards done whose backward, or weight gradient, is not."""
    most = now = 0
    for task in order:
        now += sum(chunk.kind == "F" for chunk in task)
        most = max(most, now)
        now -= sum(chunk.kind in ("B", until) for chunk in task)
    return most


@given(
    schedule=st.sampled_from(SCHEDULES),
    half=st.integers(1, 5),
    more=st.integers(0, 2),
    lead=st.integers(0, 1),
)
@settings(max_examples=80, deadline=None)
def test_micro_batches_held_at_once(schedule: str, half: int, more: int, lead: int) -> None:
    # Forwards done whose backward is not: p for 1F1B and ZB-H1, p (1 + (p-1)/(p v)) interleaved, p + 1 for DualPipe and
    # 2p + 1 half stages for DualPipeV (arXiv 2205.05198, 4.2.3; README of DualPipe). A lead adds one chunk.
    ranks = 2 * half
    micro_batches = ranks * (2 + more)
    chunks = chunks_of(schedule)
    orders = rank_orders(schedule, ranks, micro_batches, chunks, lead)
    numbers = (SCHEDULES.index(schedule), ranks, chunks, micro_batches, float(lead))
    assert held(orders[0], "Bi") / chunks == pytest.approx(float(in_flight(*numbers)))
    if schedule == "zero-bubble":  # the input of a weight gradient is kept until it runs
        assert held(orders[-1], "W") <= float(held_by_last(*numbers)) + 1e-9
    else:
        assert held(orders[-1], "Bi") / chunks == pytest.approx(float(held_by_last(*numbers)))


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_folded_pipeline_does_all_work_once_and_in_order(ranks: int) -> None:
    run = play("dualpipev", ranks, 3 * ranks, stages(ranks, "dualpipev", 1.0, 2.0, 1.0))
    done = Counter(
        (c.kind[0], c.stage, c.micro_batch)
        for order in rank_orders("dualpipev", ranks, 3 * ranks, 2)
        for task in order
        for c in task
        if c.kind != "W"
    )
    assert set(done.values()) == {1}
    assert len(done) == 2 * 2 * ranks * 3 * ranks  # forward and backward, two stages, ranks, micro-batches
    assert (run.idle_s >= -1e-9).all()


def test_impossible_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="dualpipev"):
        rank_orders("dualpipev", 4, 7, 2)
    with pytest.raises(ValueError, match="dualpipev"):
        rank_orders("dualpipev", 4, 8)


# --- overlap -----------------------------------------------------------------------------------------------


@given(
    schedule=st.sampled_from(["1f1b", "zero-bubble"]), count=st.integers(1, 12), hidden=st.floats(0.1, 0.9)
)
@settings(max_examples=30, deadline=None)
def test_one_rank_hides_all_but_the_first_forward_and_the_last_backward(
    schedule: str, count: int, hidden: float
) -> None:
    # F = 1, B = 2, overlapped 3 - h: the first forward has no backward beside it, the last backward no forward.
    run = play(schedule, 1, count, stages(1, schedule, 1.0, 2.0, 0.5, 3.0 - hidden))
    assert run.step_time_s == pytest.approx(3.0 + (count - 1) * (3.0 - hidden))


def test_only_forwards_beside_another_backward_are_shortened() -> None:
    # 4 ranks, 8 micro-batches: a rank leads by its distance from the end and one more; what comes after the lead is
    # paired. Rank 0: 4 lone forwards and 4 of 0.5 s; the last rank: 1 and 7.
    run = play("1f1b", 4, 8, stages(4, "1f1b", 1.0, 2.0, 1.0, 2.5))
    forwards = [
        [span.end_s - span.start_s for span in run.timeline if span.rank == rank and span.kind == "F"]
        for rank in (0, 3)
    ]
    assert forwards[0] == pytest.approx([1.0] * 4 + [0.5] * 4)
    assert forwards[1] == pytest.approx([1.0] + [0.5] * 7)


# --- jitter ------------------------------------------------------------------------------------------------


def slowdown(schedule: str, sigma: float, seed: int) -> float:
    """Step time with lognormal jitter of mean 1 over the step time without."""
    ranks, count = 4, 8
    times = stages(ranks, schedule, 1.0, 2.0, 1.0)
    normal = np.random.default_rng(seed).standard_normal((ranks, 100))
    jitter = np.exp(sigma * normal - sigma**2 / 2)
    chunks = chunks_of(schedule)
    run = run_pipeline(schedule, times, ranks=ranks, micro_batches=count, chunks=chunks, jitter=jitter)
    return run.step_time_s / play(schedule, ranks, count, times).step_time_s


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_jitter_is_exact_and_more_costs_more(schedule: str) -> None:
    assert slowdown(schedule, 0.0, 1) == 1.0
    means = [
        np.mean([slowdown(schedule, sigma, seed) for seed in range(20)]) for sigma in (0.05, 0.1, 0.2, 0.4)
    ]
    # Mean work is the same: whatever is lost, is lost to waiting for the slower neighbour.
    assert means[0] > 1.0
    assert (np.diff(means) > 0).all()
