"""What moves the first page: laws that hold whatever the physics, and that no number that matters is left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.quantity import Quantity
from sim.report.content import Interval, JobContent, JobSide
from sim.resolve import World
from sim.study.answer import TrainingStudy, prepare
from sim.study.inputs import named_inputs
from sim.study.question import Question, load_question
from sim.study.summary.moves import exact_numbers, named_exact, relative, with_less
from sim.study.summary.provenance import exact_rows, input_rows, source_of
from sim.study.summary.sensitivity import Swings, swings


class Moved(NamedTuple):
    question: Question
    study: TrainingStudy
    swings: Swings
    job: JobContent


@pytest.fixture(scope="module")
def moved() -> Moved:
    """Pre-training on H20 and H800, every input moved alone."""
    question = load_question(Catalogue(), "h20_vs_h800")
    task = next(task for task in question.tasks if task.workload.kind_of_job == "training")
    study = prepare(question, task)
    assert isinstance(study, TrainingStudy)
    nothing = Interval(1.0, 1.0, 1.0, 1.0, 1.0)
    side = JobSide(nothing, nothing, "", "", {}, nothing, nothing, {}, {})
    job = JobContent(task.job.id, "Run", "training", "", side, side, nothing, None, nothing, (), "")
    return Moved(question, study, swings(question, study), job)


def test_relative_moves() -> None:
    assert relative(np.array([90.0, 100.0, 130.0]), 100.0).tolist() == pytest.approx([-0.1, 0.0, 0.3])
    # From a number to none at all is an endless move; from nothing to nothing is none.
    assert relative(np.array([np.inf]), 100.0).tolist() == [np.inf]
    assert relative(np.array([np.nan, np.inf]), np.nan).tolist() == [0.0, 0.0]


def test_a_tenth_is_taken_off_one_number_in_each_of_the_last_rows() -> None:
    numbers = [Quantity(10.0, path="chips/x#a"), Quantity(200.0, path="chips/x#b")]
    world = with_less(World(), numbers, 5)
    assert world(numbers[0]).tolist() == [10.0, 10.0, 10.0, 9.0, 10.0]  # type: ignore[union-attr]
    assert world(numbers[1]).tolist() == [200.0, 200.0, 200.0, 200.0, 180.0]  # type: ignore[union-attr]


def test_a_tenth_fewer_tokens_is_a_tenth_less_time_and_money_and_the_same_count(moved: Moved) -> None:
    """The steps are the same and a tenth fewer of them are made: everything of a run goes with its tokens."""
    paths = [number.path for number in exact_numbers(moved.question)]
    at = next(i for i, path in enumerate(paths) if path.endswith("#tokens"))
    exact = moved.swings.exact
    assert exact["count"][at] == pytest.approx(0.0, abs=2e-3)
    for name, moves in exact.items():
        if name.startswith(("cost", "length")):
            assert moves[at] == pytest.approx(-0.1, abs=2e-3), name


def test_prices_move_no_count_and_no_power(moved: Moved) -> None:
    prices = [i for i, quantity in enumerate(moved.question.inputs) if "#price" in quantity.path]
    assert prices
    others = moved.swings.others
    assert moved.swings.size[prices].max() == pytest.approx(0.0, abs=1e-9)
    assert all(moves[prices].max() < 1e-9 for name, moves in others.items() if name.startswith("power"))
    assert max(moves[prices].max() for name, moves in others.items() if name.startswith("cost")) > 0.05


def test_no_input_that_matters_is_left_out(moved: Moved) -> None:
    """An independent look: each input at its 10th and 90th percentile, answered one by one."""
    question, study = moved.question, moved.study
    rows = {row.path: row for row in input_rows(named_inputs(question), [moved.swings], [moved.job])}
    middle = np.full(len(question.inputs), 0.5)
    base = study.equal(question.world(middle[None]))[0]
    for column, quantity in list(enumerate(question.inputs))[::9]:
        ends = []
        for probability in (0.1, 0.9):
            one = middle.copy()
            one[column] = probability
            ends.append(study.equal(question.world(one[None]))[0])
        move = abs(ends[1] - ends[0]) / base
        if move >= 0.0101:
            assert rows[quantity.path].moves == pytest.approx(move, rel=1e-6)
    most = [max(row.moves, row.moves_other) for row in rows.values()]
    assert most == sorted(most, reverse=True)
    assert min(most) >= 0.01


def test_every_row_has_a_source_or_says_that_it_has_none(moved: Moved) -> None:
    named = {each.quantity.path: each for each in named_inputs(moved.question)}
    for row in input_rows(list(named.values()), [moved.swings], [moved.job]):
        assert row.source
        assert row.source == source_of(named[row.path])
        assert row.note == named[row.path].quantity.note
        assert row.kind
        assert row.as_of, row.path
    assert exact_rows(moved.question, [moved.swings], [moved.job])[0].source


def test_exact_numbers_are_those_without_a_range(moved: Moved) -> None:
    uncertain = {quantity.path for quantity in moved.question.inputs}
    numbers = named_exact(moved.question)
    assert not uncertain & {each.quantity.path for each in numbers}
    assert any("h800" in each.quantity.path and "compute.matrix" in each.quantity.path for each in numbers)
