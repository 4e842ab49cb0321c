"""The gap in throughput by physical cause: parts add up, change sign with the sides, and blame only what differs."""

from dataclasses import replace

import numpy as np
import pytest

from sim.notebook import load
from sim.resolve import MEDIAN
from sim.study.answer import ServingStudy, TrainingStudy, prepare
from sim.study.cluster import resolve_cluster
from sim.study.gap import NUMBERS, mixed_chip, split_throughput, throughput_gap
from sim.study.question import Question
from sim.study.summary.statistics import finer

SMALL = {"clusters.a.chips": 2048, "clusters.b.chips": 2048}


@pytest.fixture(scope="module")
def question() -> Question:
    return load("h20_vs_h800", SMALL).question


@pytest.fixture(scope="module", params=["chat", "train"])
def study(question: Question, request: pytest.FixtureRequest) -> TrainingStudy | ServingStudy:
    return prepare(question, next(task for task in question.tasks if task.job.id == request.param))


def rate(study: TrainingStudy | ServingStudy, key: str) -> float:
    """Tokens per second and chip while at work, from the answer itself."""
    run = getattr(study.answer(MEDIAN), key)
    if isinstance(study, ServingStudy):
        return float(run.capacity.output_tokens_per_s[0])
    return float(np.ravel(run.job.global_batch / run.step_s[0])[0]) / 2048


def test_parts_add_up_between_the_very_rates_of_the_answer(
    question: Question, study: TrainingStudy | ServingStudy
) -> None:
    gap = throughput_gap(question, study)
    assert gap is not None
    assert (gap.a, gap.b) == pytest.approx((1 / rate(study, "a"), 1 / rate(study, "b")), rel=1e-9)
    assert sum(gap.causes.values()) == pytest.approx(gap.a - gap.b, rel=1e-9)


def test_twins_of_one_generation_differ_in_peak_and_memory_alone(
    question: Question, study: TrainingStudy | ServingStudy
) -> None:
    # H20 and H800: one die, one set of formats and kernels; a seventh of the arithmetic, more and faster memory.
    gap = throughput_gap(question, study)
    assert gap is not None
    assert gap.causes["peak"] > 0  # A, the H20, takes longer for its lower peak
    assert gap.causes["memory"] <= 0
    assert gap.causes["precision"] == pytest.approx(0.0, abs=1e-3 * gap.b)


def turned(question: Question) -> Question:
    return replace(
        question,
        a=replace(question.b, key="a"),
        b=replace(question.a, key="b"),
    )


def test_the_other_way_round_every_part_changes_its_sign(question: Question) -> None:
    task = next(task for task in question.tasks if task.job.id == "train")
    one = throughput_gap(question, prepare(question, task))
    back = throughput_gap(turned(question), prepare(turned(question), task))
    assert one is not None
    assert back is not None
    assert back.causes == pytest.approx({name: -part for name, part in one.causes.items()}, rel=1e-9)


def test_a_cluster_against_itself_has_no_gap(question: Question) -> None:
    same = replace(question, b=replace(question.a, key="b"))
    gap = throughput_gap(same, prepare(same, next(task for task in same.tasks if task.job.id == "train")))
    assert gap is not None
    assert all(part == 0 for part in gap.causes.values())


def test_a_mixture_has_the_numbers_of_one_side_or_the_other() -> None:
    question = load("ascend_20k_vs_h100_12k").question
    a, b = (resolve_cluster(side, MEDIAN).chip for side in question.sides)
    masks = {name: np.array([False, True]) for name in NUMBERS}
    for formats, giver in ((False, b), (True, a)):
        mixed = mixed_chip(b, a, formats, masks)
        assert set(mixed.matrix_peak) == set(giver.matrix_peak)
        assert mixed.matrix_peak["bf16"] == pytest.approx([b.matrix_peak["bf16"], a.matrix_peak["bf16"]])
        assert mixed.memory_bytes == pytest.approx([b.memory_bytes, a.memory_bytes])
        curve = mixed.curve("gemm", "bf16")
        assert curve.compute == pytest.approx(
            [b.curve("gemm", "bf16").compute, a.curve("gemm", "bf16").compute]
        )
    # H100 runs FP8 at twice its BF16 rate: with the peak of the 910C and the formats of the H100 that is twice the
    # BF16 rate of the 910C.
    mixed = mixed_chip(b, a, False, masks)
    assert np.asarray(mixed.matrix_peak["fp8"])[1] == pytest.approx(
        2 * np.asarray(a.matrix_peak["bf16"]), rel=1e-3
    )


def test_price_of_time_by_hand() -> None:
    # B takes 1 s and A 2 s of a chip per token, and a chip-second costs 3: the gap of 3 is all throughput. Of the
    # second more, the peak adds 1.5 and the network saves 0.5: 4.5 and -1.5.
    from sim.study.gap import ThroughputGap

    gap = ThroughputGap(1.0, 2.0, {"peak": 1.5, "network": -0.5})
    parts = {"throughput": np.array([3.0]), "price": np.array([1.0])}
    found = split_throughput(parts, 3.0, (np.array([1.0]), np.array([0.5])), gap)
    assert found == pytest.approx({"peak": 4.5, "network": -1.5})
    # A typical part of 5 takes a chip-second to cost 5; one of 60 is beyond a factor of two of the 3 of the draw.
    assert split_throughput(parts, 5.0, (np.array([1.0]), np.array([0.5])), gap) == pytest.approx(
        {"peak": 7.5, "network": -2.5}
    )
    assert split_throughput(parts, 60.0, (np.array([1.0]), np.array([0.5])), gap) == found
    assert finer({"throughput": 3.0, "price": 1.0}, "throughput", found) == pytest.approx(
        {"peak": 4.5, "network": -1.5, "price": 1.0}
    )
    assert split_throughput(parts, 3.0, (np.array([1.0]), np.array([1.0])), gap) == {}
    assert split_throughput(parts, 3.0, (np.array([1.0]), np.array([0.5])), None) == {}
