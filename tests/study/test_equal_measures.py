"""Counts of B that equal A, basis by basis: by hand where a ratio is all there is, and lawful where a job is simulated."""

from dataclasses import replace

import numpy as np
import pytest

from sim.notebook import load
from sim.profiles.messages import InputError
from sim.resolve import MEDIAN
from sim.study.answer import TrainingAnswer, prepare
from sim.study.equal import BASES, EqualCount, job_counts, plain_counts
from sim.study.equal_study import equal_answer
from sim.study.question import Question, Task

CHIPS = {"clusters.a.chips": 2048, "clusters.b.chips": 2048}


def loaded(**changes: str) -> Question:
    return load("h20_vs_h800", {**CHIPS, **{k.replace("__", "."): v for k, v in changes.items()}}).question


def task(question: Question, kind: str) -> Task:
    return next(each for each in question.tasks if each.job.id == kind)


def by_basis(counts: object) -> dict[str, EqualCount]:
    return {each.basis: each for each in counts}  # type: ignore[attr-defined]


def test_paper_counts_by_hand() -> None:
    # NVIDIA's datasheets: H20 148 TFLOP/s dense BF16, 296 FP8, 4.0 TB/s, 96 GB; H800 989.4, 1978.9, 3.35 TB/s, 80 GB.
    found = by_basis(plain_counts(loaded(), MEDIAN, 1))
    expected = {"bf16": 148 / 989.4, "fp8": 296 / 1978.9, "tpp": 296 / 1978.9, "bandwidth": 4.0 / 3.35}
    for basis, ratio in expected.items():
        assert found[basis].count == pytest.approx([2048 * ratio], rel=2e-3)
    assert found["capacity"].count == pytest.approx([2048 * 96 / 80], rel=0.03)  # GB or GiB
    assert found["fp4"].count is None
    assert found["fp4"].why == "neither chip has matrix arithmetic in FP4"


def test_same_last_day_is_same_work_when_both_start_together() -> None:
    question = loaded()
    answer = prepare(question, task(question, "train")).answer(MEDIAN)
    found = by_basis(job_counts(question, "train", answer))
    assert found["date"].count == pytest.approx(found["work"].count, rel=1e-9)


def test_who_starts_later_needs_more_chips_for_the_same_last_day() -> None:
    question = loaded()
    plan = prepare(question, task(question, "train"))
    answer = plan.answer(MEDIAN)
    assert isinstance(answer, TrainingAnswer)
    days = float(np.ravel(answer.a.goodput.wall_s)[0]) / 86_400
    late = loaded(clusters__a__start="2026-01-01", clusters__b__start="2026-01-11")
    count = by_basis(job_counts(late, "train", answer))["date"].count
    work = by_basis(job_counts(late, "train", answer))["work"].count
    # B has ten days less. Its speed grows a little slower than its chips do, so at least in proportion to the days.
    assert count is not None
    assert work is not None
    assert count[0] >= work[0] * days / (days - 10) * (1 - 1e-6)
    hopeless = loaded(clusters__a__start="2026-01-01", clusters__b__start="2036-01-01")
    assert by_basis(job_counts(hopeless, "train", answer))["date"].count == pytest.approx([np.inf])


@pytest.mark.parametrize("kind", ["chat", "train"])
def test_a_cluster_equals_itself_by_every_measure(kind: str) -> None:
    question = loaded()
    same = replace(question, b=replace(question.a, key="b"))
    answer = prepare(same, task(same, kind)).answer(MEDIAN)
    counts = [*plain_counts(same, MEDIAN, 1), *job_counts(same, kind, answer)]
    for each in counts:
        if each.count is not None:
            assert each.count == pytest.approx([2048.0], rel=5e-3), each.basis


def test_twice_the_price_is_half_the_count_for_the_same_money() -> None:
    one = by_basis(plain_counts(loaded(), MEDIAN, 1))["rent"]
    answer = equal_answer(loaded(), metrics=["rent"], draws=1)
    assert one.count is not None
    assert [each.basis for each in answer.counts] == ["rent"]


def test_share_of_draws_by_hand() -> None:
    each = EqualCount("work", "job", "x", np.array([1.0, 2.0, 3.0, np.nan, np.inf]))
    assert each.at_least(2.5) == 0.5  # 3 and infinity, of four that are known
    assert np.isnan(EqualCount("work", "job", "x", None).at_least(1.0))


def test_unknown_measures_and_jobs_are_plain_lines() -> None:
    with pytest.raises(InputError, match='did you mean "fp8"'):
        equal_answer(loaded(), metrics=["fp88"])
    with pytest.raises(InputError, match="there is chat, train"):
        equal_answer(loaded(), jobs=["none"])
    assert set(BASES) >= {"tpp", "bf16", "fp8", "fp4", "bandwidth", "work", "cost", "power", "date"}
