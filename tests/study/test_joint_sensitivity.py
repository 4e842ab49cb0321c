"""Sensitivity where inputs share a cause or a matter is contested; where headlines come from."""

import math

import numpy as np
import pytest

from sim.quantity import Quantity
from sim.report.certainty import convergence_claim, draws_note, known_errors
from sim.report.content import Convergence, Course
from sim.study.inputs import NamedInput
from sim.study.joint import Tie, number_of_case, taken_along
from sim.study.sensitivity import saltelli_probabilities, sobol_indices
from sim.study.summary.flips import _by_case, case_tip, number_tip
from sim.study.summary.origin import _speeds
from sim.study.worlds import sobol_probabilities


def contested(weights: list[float]) -> NamedInput:
    return NamedInput(number_of_case(weights, "x#branches.y"), "y", None, tuple("abc"[: len(weights)]))


def test_an_input_takes_those_of_its_group_along() -> None:
    # z of 0.9 is 1.2816; half of it is 0.6408, whose probability is 0.7392 (standard normal table); the third falls.
    found = taken_along(np.array([[0.9, 0.5, 0.5, 0.5]]), [Tie((0, 1, 2), (1, 1, -1), 0.5)])
    np.testing.assert_allclose(found, [[0.9, 0.7392, 1 - 0.7392, 0.5]], atol=1e-4)


def test_without_groups_nothing_is_taken_along() -> None:
    rows = np.array([[0.1, 0.5], [0.5, 0.9]])
    np.testing.assert_array_equal(taken_along(rows, ()), rows)


def test_two_columns_together_have_the_index_of_their_sum() -> None:
    # y = 3 x1 + 4 x2 + 5 x3 with equal variances: x1 and x2 together 25/50, x3 25/50.
    both = sobol_probabilities(4096, 6, 2)
    rows = saltelli_probabilities(both[:, :3], both[:, 3:], [(0, 1), (2,)])
    found = sobol_indices(rows @ np.array([3.0, 4.0, 5.0]), 4096)
    np.testing.assert_allclose(found.first, [0.5, 0.5], atol=0.01)
    np.testing.assert_allclose(found.total, [0.5, 0.5], atol=0.01)


def test_cases_are_looked_at_one_by_one_however_rare() -> None:
    named = contested([0.6, 0.38, 0.02])
    probabilities = sobol_probabilities(256, 2, 1)

    def respond(p: np.ndarray) -> np.ndarray:
        return 10.0 + 20.0 * (np.asarray(named.quantity.quantile(p[:, 0])) == 2) + p[:, 1]

    medians = _by_case(respond, named, 0, probabilities)
    assert medians == pytest.approx(
        {"a": 10.5, "b": 10.5, "c": 30.5}, abs=0.02
    )  # the other input is uniform on 0 to 1
    assert case_tip(named, medians, 20.0, usual=False).words == "flips at c"
    assert case_tip(named, dict.fromkeys("abc", 10.0), 20.0, usual=False).words == "does not flip in any case"


def test_where_a_number_flips() -> None:
    quantity = Quantity(2.0, low=1.0, high=3.0, distribution="uniform", path="x#y")
    named = NamedInput(quantity, "y", None)
    # From 1 at 5 % to 3 at 95 %: 2.5 lies at 5 % + 0.75 x 90 % = 72.5 %.
    assert number_tip(named, 0.725).words == "flips at 2.50"
    assert number_tip(named, 0.725).value == pytest.approx(2.5)
    assert number_tip(named, None).words == "does not flip within its range"


def test_work_by_events_over_closed_form() -> None:
    checks = [
        ("A: wall time, days (median inputs)", 10.0, 8.0),
        ("A: output tokens per second of the unit", 100.0, 90.0),
        ("A: time to first token, s", 1.0, 2.0),
        ("B: wall time, days (median inputs)", 10.0, 10.0),
    ]
    assert _speeds(checks, "A") == pytest.approx(
        {"wall time, days (median inputs)": 1.25, "output tokens per second of the unit": 0.9}
    )


def test_what_is_said_of_the_draws() -> None:
    nan = math.nan
    rows = [(62, 50.0, 100.0, 150.0, nan, nan, nan), (1000, 50.0, 100.0, 150.0, 2.0, 1.0, 3.0)]
    course = Course("x", "Job", rows)
    assert known_errors(course) == [(1000, 0.03)]
    given = Convergence([course])
    assert convergence_claim(given) == (
        "With 1,000 draws the ends of every interval are known to within 3.0 % of the median"
    )
    assert draws_note(given, 1000) == ""
    asked = Convergence([course], 0.05, 250, 4000)
    assert "doubled from 250" in draws_note(asked, 1000)
    missed = Convergence([course], 0.01, 250, 1000, ("Job",))
    assert "without reaching" in draws_note(missed, 1000)
    assert "not reached" in convergence_claim(missed)
