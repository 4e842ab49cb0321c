"""The count of B that uses the energy of A: arithmetic by hand, then laws of the whole."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sim.notebook import load
from sim.resolve import MEDIAN
from sim.study.answer import ServingAnswer, TrainingAnswer, prepare
from sim.study.equal import job_counts
from sim.study.equal_energy import equal_energy

HOUR = 3600.0


def cluster(idle: float) -> Any:
    """Chips that idle at so many watts, in a building that adds nothing."""
    return SimpleNamespace(power=lambda activity: idle + activity, ownership=SimpleNamespace(pue=1.0))


def serving(power_a: float, work: float, busy: float, idle: float) -> ServingAnswer:
    """A on some power; B of 100 chips at ``busy`` W each, of which ``work`` do what A does."""
    a = SimpleNamespace(power_w=np.array([power_a]), tokens_per_s=np.array([work]))
    b = SimpleNamespace(
        power_w=np.array([100 * busy]), tokens_per_s=np.array([100.0]), chips=100, cluster=cluster(idle)
    )
    return ServingAnswer(a, b)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("power_a", "work", "count"),
    [
        # 50 chips at 1000 W do the work on 50 kW; 30 kW are left, on which 75 idle at 400 W: 125 in all.
        (80e3, 50.0, 125.0),
        # Just enough for the 50 that do the work.
        (50e3, 50.0, 50.0),
        # Not enough: 20 kW feed 20 chips that are busy all the time.
        (20e3, 50.0, 20.0),
        # A does nothing on 80 kW: 200 chips of B idle on that.
        (80e3, 0.0, 200.0),
        # No count of B does the work: all are busy.
        (80e3, np.inf, 80.0),
    ],
)
def test_serving_by_hand(power_a: float, work: float, count: float) -> None:
    assert equal_energy(serving(power_a, work, busy=1000.0, idle=400.0)) == pytest.approx([count])


def test_neither_serves() -> None:
    assert np.isnan(equal_energy(serving(80e3, np.nan, 1000.0, 400.0))).all()


def training(energy_a: float, hours_a: float) -> TrainingAnswer:
    """A run of 1,000 chip-hours on B, at 1000 W busy and 400 W idle, looked at from 50 to 400 chips."""
    counts = np.array([50.0, 100.0, 200.0, 400.0])
    wall = 1000.0 * HOUR / counts[:, None]
    b = SimpleNamespace(
        power_w=1000.0 * counts[:, None],
        goodput=SimpleNamespace(wall_s=wall),
        cluster=cluster(400.0),
    )
    a = SimpleNamespace(
        goodput=SimpleNamespace(wall_s=np.array([[hours_a * HOUR]]), energy_j=np.array([[energy_a]]))
    )
    return TrainingAnswer(a, a, np.array([np.nan]), counts, b)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kwh", "count"),
    [
        # In 10 hours 100 chips do the run on 1,000 kWh. 200 do it in 5 hours and idle for 5: 1,000 + 200 x 5 x 0.4 kWh.
        (1400.0, 200.0),
        # 400 do it in 2.5 hours and idle for 7.5: 1,000 + 400 x 7.5 x 0.4.
        (2200.0, 400.0),
        (1000.0, 100.0),
        # 50 chips work all of the 10 hours and are half done.
        (500.0, 50.0),
    ],
)
def test_training_by_hand(kwh: float, count: float) -> None:
    assert equal_energy(training(kwh * 3.6e6, hours_a=10.0)) == pytest.approx([count])


@pytest.mark.parametrize("kind", ["chat", "train"])
def test_energy_against_work_and_power(kind: str) -> None:
    # Idle chips draw less than busy ones: where the work is done on less than the power of A, more of them fit on its
    # energy than on its power; where it is not, as many.
    chips = {"clusters.a.chips": 2048, "clusters.b.chips": 2048}
    question = load("h20_vs_h800", chips).question
    task = next(each for each in question.tasks if each.job.id == kind)
    answer = prepare(question, task).answer(MEDIAN)
    found = {each.basis: each.count for each in job_counts(question, kind, answer)}
    work, power, energy = (np.asarray(found[basis]) for basis in ("work", "power", "energy"))
    assert power > work  # a hopper chip with seven times the arithmetic at less than twice the power
    assert energy > power
