"""Lines of equal work and of equal money: straight where money is, lawful where work is."""

import io
import json

import numpy as np
import pytest

from sim.notebook import load
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.answer import ServingStudy, TrainingStudy, prepare
from sim.study.isocurves import IsoCurve, grid_of, isocurve, leaf
from sim.study.question import Question
from sim.views.curve import CurveRequest, show_curve

PRICE, SPEED = "chips/h20#price", "kernels/hopper#speed.training.fp8"


@pytest.fixture(scope="module")
def question() -> Question:
    return load("h20_vs_h800", {"clusters.a.chips": 2048, "clusters.b.chips": 2048}).question


@pytest.fixture(scope="module")
def study(question: Question) -> TrainingStudy | ServingStudy:
    return prepare(question, next(task for task in question.tasks if task.job.id == "chat"))


def test_price_moves_money_in_a_straight_line_and_leaves_work(
    question: Question, study: TrainingStudy | ServingStudy
) -> None:
    # The bill of A is linear in the price of its chip, that of B does not know it: equal steps of price, equal steps of
    # the count, in every draw.
    curve = isocurve(question, study, leaf(question, PRICE), np.array([5e3, 1e4, 1.5e4]), 8, 1)
    steps = np.diff(curve.money, axis=0)
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-9)
    assert (steps > 0).all()
    np.testing.assert_array_equal(curve.work[0], curve.work[2])
    assert curve.moves


def test_all_points_see_the_worlds_of_a_single_one(
    question: Question, study: TrainingStudy | ServingStudy
) -> None:
    price = leaf(question, PRICE)
    one = isocurve(question, study, price, np.array([1e4]), 8, 1)
    many = isocurve(question, study, price, np.array([5e3, 1e4]), 8, 1)
    # Unit shapes are tried on a few of the worlds asked for, so a world may end in the next best one.
    np.testing.assert_allclose(many.money[1], one.money[0], rtol=5e-3)


def test_where_a_line_turns() -> None:
    # Two draws, counts 10 x and 20 x: the median is 15 x, which passes 30 at 2; 5 and 95 % are 10.5 x and 19.5 x.
    values = np.array([1.0, 2.0, 3.0])
    counts = np.outer(values, [10.0, 20.0])
    curve = IsoCurve(None, values, counts, counts)  # type: ignore[arg-type]
    low, middle, high = curve.crossing(counts, 30.0)
    assert low == pytest.approx(30 / 10.5)
    assert middle == pytest.approx(2.0)
    assert high == pytest.approx(30 / 19.5)
    assert curve.crossing(counts, 1e6) == (None, None, None)


def test_values_along_a_range() -> None:
    question = load("h20_vs_h800").question
    price = leaf(question, PRICE)
    assert grid_of(price, 3)[[0, 2]] == pytest.approx([float(price.quantile(p)) for p in (0.05, 0.95)])
    assert grid_of(price, 3, 1.0, 3.0).tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(InputError, match="the first be the smaller"):
        grid_of(price, 3, 3.0, 1.0)


def test_unknown_paths_are_plain_lines(question: Question) -> None:
    with pytest.raises(InputError, match=r'did you mean "chips/h20#price"'):
        leaf(question, "chips/h20#prise")


def test_the_view_as_json_and_files(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    request = CurveRequest("h20_vs_h800", PRICE, "chat", "8 kUSD", "16000", 3, draws=4)
    out = io.StringIO()
    show_curve(Catalogue(), request, out, as_json=True, folder=folder)
    found = json.loads(out.getvalue())
    assert found["values"] == [8000.0, 12000.0, 16000.0]
    assert found["unit"] == "USD"
    assert {"same work", "same money"} <= set(found)
    assert {path.name for path in folder.iterdir()} == {"curve.csv", "curve.json", "curve.svg", "curve.png"}
    nothing = CurveRequest("h20_vs_h800", SPEED, "chat", draws=4, points=2)
    with pytest.raises(InputError, match="does not depend on it"):
        show_curve(Catalogue(), nothing, io.StringIO())


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ("-5 USD", "3 USD", "--from -5 USD: price: value -5 USD is below zero"),
        ("-5", "3", "--from -5: price: value -5 USD is below zero"),
        ("nan", "3", "--from: read"),
        ("1 kUSD", "inf USD", "--to: read"),
    ],
)
def test_what_no_file_may_say_is_refused(low: str, high: str, message: str) -> None:
    # A price below zero is refused in a file and with --set, so it is here.
    request = CurveRequest("h20_vs_h800", PRICE, "chat", low, high, 2, draws=20)
    with pytest.raises(InputError) as refused:
        show_curve(Catalogue(), request, io.StringIO())
    assert str(refused.value).startswith(message)
