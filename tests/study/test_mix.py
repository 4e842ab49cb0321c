"""Mixed fleets: two by two by hand, and the law of comparative advantage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.notebook import load
from sim.profiles.messages import InputError
from sim.study.mix import alone, least_cost, mix_answer, most_work

RATES = st.floats(0.1, 10.0)


def test_two_by_two_by_hand() -> None:
    # One chip of each kind. A does 10 of job 1 or 4 of job 2, B 6 of either; as much of each is wanted. B does 6 of
    # job 2; A gives it s of its time: 10 (1 - s) = 6 + 4 s at s = 2/7, so 50/7 of each.
    throughput, stock, wanted = np.array([[10.0, 4.0], [6.0, 6.0]]), np.ones(2), np.ones(2)
    plan = most_work(throughput, stock, wanted)
    assert plan.work == pytest.approx(50 / 7)
    np.testing.assert_allclose(plan.chips, [[5 / 7, 2 / 7], [0.0, 1.0]], atol=1e-9)
    # Alone, A divides its time 4 to 10: 1 / (1/10 + 1/4) = 20/7; B 3.
    assert alone(throughput, stock, wanted) == pytest.approx([20 / 7, 3.0])


def test_sizes_and_units_do_not_matter() -> None:
    throughput, wanted = np.array([[10.0, 4.0], [6.0, 6.0]]), np.ones(2)
    one = most_work(throughput, np.array([20_000.0, 12_000.0]), 1e9 * wanted)
    other = most_work(1e-7 * throughput, np.array([20_000.0, 12_000.0]), 1e2 * wanted)
    np.testing.assert_allclose(one.chips, other.chips, rtol=1e-6)
    assert one.work == pytest.approx(other.work)


@settings(max_examples=60, deadline=None)
@given(data=st.lists(st.tuples(RATES, RATES), min_size=2, max_size=6), stock=st.tuples(RATES, RATES))
def test_comparative_advantage(data: list[tuple[float, float]], stock: tuple[float, float]) -> None:
    throughput = np.array(data).T
    plan = most_work(throughput, np.array(stock), np.ones(len(data)))
    apart = alone(throughput, np.array(stock), np.ones(len(data))).sum()
    assert plan.work >= apart * (1 - 1e-7)  # together never less than side by side
    ratio = throughput[0] / throughput[1]
    on_a = [r for r, chips in zip(ratio, plan.chips[0], strict=True) if chips > 1e-6 * stock[0]]
    on_b = [r for r, chips in zip(ratio, plan.chips[1], strict=True) if chips > 1e-6 * stock[1]]
    # Whatever A does, it does relatively no worse than anything B does.
    assert min(on_a) >= max(on_b) * (1 - 1e-6)


@given(factor=RATES, rates=st.lists(RATES, min_size=2, max_size=5))
def test_nothing_to_gain_where_one_chip_is_the_same_multiple_of_the_other(
    factor: float, rates: list[float]
) -> None:
    throughput = np.array([rates, [factor * rate for rate in rates]])
    plan = most_work(throughput, np.ones(2), np.ones(len(rates)))
    assert plan.work == pytest.approx(alone(throughput, np.ones(2), np.ones(len(rates))).sum(), rel=1e-6)


def test_three_kinds() -> None:
    # Each kind does one job alone: 3, 5 and 4 at one chip each, so 3 of each is what they do of all three.
    plan = most_work(np.diag([3.0, 5.0, 4.0]), np.ones(3), np.ones(3))
    assert plan.work == pytest.approx(3.0)


def test_least_cost_with_chips_enough_takes_the_cheaper_chip_for_each_job() -> None:
    # Cost per unit of work: A 1/10 and 1/4, B 2/6 and 1/6: job 1 on A, job 2 on B. 20/10 + 12/6 chips, 2 + 2 dollars.
    throughput, price = np.array([[10.0, 4.0], [6.0, 6.0]]), np.array([[1.0, 1.0], [2.0, 1.0]])
    plan = least_cost(throughput, np.full(2, 100.0), np.array([20.0, 12.0]), price)
    np.testing.assert_allclose(plan.chips, [[2.0, 0.0], [0.0, 2.0]], atol=1e-7)
    assert plan.cost == pytest.approx(4.0)


def test_a_stock_that_is_not_enough() -> None:
    assert least_cost(np.array([[1.0]]), np.array([1.0]), np.array([2.0]), np.ones((1, 1))).work == 0.0


def test_a_question_as_one_fleet() -> None:
    changes = {"clusters.a.chips": 2048, "clusters.b.chips": 2048}
    question = load("h20_vs_h800", changes).question
    found = mix_answer(question, {"chat": 1.0, "train": 3.0}, draws=8)
    np.testing.assert_allclose(found.b, 1.0, rtol=1e-9)  # the unit of work is what B does alone
    assert (found.gain >= -1e-7).all()
    np.testing.assert_allclose(found.chips.sum(axis=2), 2048.0, rtol=1e-6)
    with pytest.raises(InputError, match="two jobs"):
        mix_answer(question, {"train": 0.0}, draws=2)
    with pytest.raises(InputError, match="there is chat, train"):
        mix_answer(question, {"none": 1.0}, draws=2)
