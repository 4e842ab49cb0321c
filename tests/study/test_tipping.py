"""Tipping points of answers whose median is known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from sim.profiles.catalogue import Catalogue
from sim.resolve import World
from sim.study.answer import prepare
from sim.study.inputs import named_inputs
from sim.study.question import load_question
from sim.study.summary.flips import count_flips
from sim.study.tipping import GRID, medians_at, tipping_points
from sim.study.worlds import sobol_probabilities

DRAWS = 1024


def product(slopes):
    """exp(sum of b z): its median with z_1 fixed is exp(b_1 z_1), whatever the others do."""
    return lambda p: 100.0 * np.exp(ndtri(p) @ np.asarray(slopes))


def tips(respond, dimensions, threshold):
    probabilities = sobol_probabilities(DRAWS, dimensions, 1)
    middle = np.full((dimensions, len(GRID), dimensions), 0.5)
    for column in range(dimensions):
        middle[column, :, column] = GRID
    alone = respond(middle.reshape(-1, dimensions)).reshape(dimensions, len(GRID))
    answers = respond(probabilities)
    return tipping_points(respond, probabilities, answers, range(dimensions), alone, threshold)


def test_product_of_lognormals():
    first, second, third = tips(product([0.3, -0.2, 0.01]), 3, 120.0)
    assert first == pytest.approx(ndtr(np.log(1.2) / 0.3), abs=0.02)
    assert second == pytest.approx(ndtr(np.log(1.2) / -0.2), abs=0.02)
    assert third is None  # it moves the answer by 2 % at most


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 0.6), st.floats(0.0, 0.5), st.floats(0.85, 1.2))
def test_a_median_that_no_world_at_medians_shows(slope, shift, level):
    """A quarter of the worlds, at random, halve the answer: the median of all lies below the answer at medians, and a
    crossing taken at medians would be off. Setting the input where it says must bring the median of all worlds there."""

    def respond(p):
        lost = np.where(p[:, 1] > 0.6, 0.5, 1.0)
        return 100.0 * np.exp(slope * ndtri(p[:, 0]) + shift * ndtri(p[:, 2])) * lost

    probabilities = sobol_probabilities(DRAWS, 3, 1)
    threshold = level * float(np.median(respond(probabilities)))
    found = tips(respond, 3, threshold)[0]
    if found is None:
        ends = medians_at(respond, probabilities, 0, (GRID[0], GRID[-1]))
        assert min(ends) > threshold * 0.9 or max(ends) < threshold * 1.1
    else:
        everywhere = probabilities.copy()
        everywhere[:, 0] = found
        assert np.median(respond(everywhere)) == pytest.approx(threshold, rel=0.06)


def test_worlds_without_an_answer_are_left_out():
    respond = product([0.3, 0.0])
    holes = lambda p: np.where(p[:, 1] > 0.9, np.nan, respond(p))  # noqa: E731
    assert tips(holes, 2, 120.0)[0] == pytest.approx(ndtr(np.log(1.2) / 0.3), abs=0.03)


def test_setting_an_input_to_its_tipping_value_turns_the_answer():
    """What the report says of an input must hold when a reader writes the value into the file: on one side of it the median
    over all draws lies below the threshold, on the other above."""
    question, draws = load_question(Catalogue(), "ascend_20k_vs_h100_12k"), 512
    study, threshold = prepare(question, question.tasks[0]), float(question.b.choice.chips)
    inputs, probabilities = named_inputs(question), question.points(draws, 1)
    path = "kernels/ascend-910#speed.training.bf16"
    column = [named.quantity.path for named in inputs].index(path)
    counts = np.broadcast_to(study.equal(question.world(probabilities)), draws)
    tip = count_flips(question, study, inputs, [column], (probabilities, counts), threshold)[0]
    assert tip.value is not None
    medians = []
    for value in (0.96 * tip.value, 1.04 * tip.value):
        put = World({**question.world(probabilities).values, path: np.full(draws, value)})
        medians.append(float(np.median(study.equal(put))))
    assert medians[0] < threshold < medians[1]
