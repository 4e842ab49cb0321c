"""Two clusters as one fleet: each chip on the jobs it is best at, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from sim.economics.ownership import total
from sim.profiles.messages import InputError, Problem
from sim.study.answer import CannotRunError, prepare
from sim.study.bills import power_per_chip
from sim.study.question import Question, Task
from sim.study.serving import ServingRuns
from sim.study.training import TrainingRuns

Vector = NDArray[np.float64]
IDLE = 1e-9  # share of a kind's chips below which a job is none of its own


@dataclass(frozen=True, slots=True)
class Plan:
    """Which chips do which jobs.

    Attributes
    ----------
    chips : (kinds, jobs) array
        Chips of each kind on each job [chip].
    work : float
        Multiple of the wanted work that is done.
    cost : float
        Of the chips that are used, per time [USD/s]; NaN where no price was given.
    """

    chips: Vector
    work: float
    cost: float = float("nan")


def most_work(throughput: Vector, stock: Vector, wanted: Vector) -> Plan:
    """Chips on jobs so that as many times the wanted work is done as the stock allows.

    Parameters
    ----------
    throughput : (kinds, jobs) array
        Work per time of a chip of each kind on each job.
    stock : (kinds,) array
        Chips there are of each kind.
    wanted : (jobs,) array
        Work per time wanted of each job, in the unit of ``throughput``.

    Notes
    -----
    A linear programme: maximise z with sum over kinds of throughput x chips >= z wanted for every job, and sum over jobs of
    chips <= stock for every kind. With two kinds the jobs split where the ratio of the two throughputs passes a limit
    (comparative advantage), and at most one job is shared.

    Examples
    --------
    One chip of each kind; of the first job they do 10 and 6, of the second 4 and 6. The first kind leaves its own job for
    two sevenths of its time: 10 (1 - 2/7) = 6 + 4 x 2/7 = 50/7.

    >>> plan = most_work(np.array([[10.0, 4.0], [6.0, 6.0]]), np.ones(2), np.ones(2))
    >>> round(7 * plan.work, 6), (7 * plan.chips).round(6).tolist()
    (50.0, [[5.0, 2.0], [0.0, 7.0]])
    """
    kinds, jobs = throughput.shape
    # In shares of a kind's stock and of the wanted work all numbers are near one, whatever the units.
    rates = throughput * stock[:, None] / wanted
    done = np.zeros((jobs, kinds * jobs + 1))
    for job in range(jobs):
        done[job, job : kinds * jobs : jobs] = -rates[:, job]
        done[job, -1] = 1.0
    used = np.kron(np.eye(kinds), np.ones(jobs))
    rows = np.vstack([done, np.hstack([used, np.zeros((kinds, 1))])])
    found = linprog(
        np.append(np.zeros(kinds * jobs), -1.0),
        rows,
        np.concatenate([np.zeros(jobs), np.ones(kinds)]),
        method="highs",
    )
    if not found.success or found.x is None:
        return Plan(np.zeros((kinds, jobs)), 0.0)
    return Plan(found.x[:-1].reshape(kinds, jobs) * stock[:, None], float(found.x[-1]))


def least_cost(throughput: Vector, stock: Vector, wanted: Vector, price: Vector) -> Plan:
    """Chips on jobs so that the wanted work is done for the least money.

    Parameters
    ----------
    price : (kinds, jobs) array
        Of a chip of each kind while it does each job, per time [USD/chip/s].

    Returns
    -------
    Plan
        With ``work`` 0 where the stock is not enough.

    Examples
    --------
    A chip of the first kind does 2 for 1 dollar, of the second 3 for 1 dollar, but there is only one of these: it does 3 of
    the 5 that are wanted.

    >>> one = least_cost(np.array([[2.0], [3.0]]), np.array([9.0, 1.0]), np.array([5.0]), np.ones((2, 1)))
    >>> one.chips.ravel().tolist(), one.cost
    ([1.0, 1.0], 2.0)
    """
    kinds, jobs = throughput.shape
    rates, bill = throughput * stock[:, None] / wanted, price * stock[:, None]
    scale = float(bill.max())
    done = np.zeros((jobs, kinds * jobs))
    for job in range(jobs):
        done[job, job::jobs] = -rates[:, job]
    used = np.kron(np.eye(kinds), np.ones(jobs))
    limits = np.concatenate([np.full(jobs, -1.0), np.ones(kinds)])
    found = linprog(bill.ravel() / scale, np.vstack([done, used]), limits, method="highs")
    if not found.success or found.x is None or found.fun is None:
        return Plan(np.zeros((kinds, jobs)), 0.0)
    return Plan(found.x.reshape(kinds, jobs) * stock[:, None], 1.0, float(found.fun * scale))


def alone(throughput: Vector, stock: Vector, wanted: Vector) -> Vector:
    """Multiple of the wanted work that each kind does by itself, its chips divided over all jobs (kinds,)."""
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.sum(wanted / (throughput * stock[:, None]), axis=1))


# --- of a question -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MixAnswer:
    """Both clusters of a question as one fleet, draw by draw.

    Attributes
    ----------
    tasks : tuple of Task
        Jobs that both clusters can do.
    chips : (draws, 2, jobs) array
        Chips of A and B on each job where most work is done [chip].
    together, a, b : (draws,) array
        Work as a multiple of what B does alone: specialised; A alone; B alone (1).
    saved : (draws,) array
        Share of the money that specialising saves where it does no more than both do apart [1].
    refused : tuple of (label, reason)
        Jobs that one of the clusters cannot do.
    """

    question: Question
    tasks: tuple[Task, ...]
    chips: Vector
    together: Vector
    a: Vector
    b: Vector
    saved: Vector
    draws: int
    seed: int
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def gain(self) -> Vector:
        """What specialising adds to the work that both do apart, (draws,) [1]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.together / (self.a + self.b) - 1.0

    def uses(self, kind: int, job: int) -> float:
        """Share of the draws in which a kind of chips works on a job [1]."""
        stock = self.chips.sum(axis=2).max()
        return float(np.mean(self.chips[:, kind, job] > IDLE * stock))


def mix_answer(
    question: Question, shares: dict[str, float], draws: int | None = None, seed: int | None = None
) -> MixAnswer:
    """Divide the chips of both clusters over the jobs of a question.

    Parameters
    ----------
    shares : dict of job id to float
        How much of each job there is, as the share of B's chips that it would keep busy; those of the scenario where a job
        is not named.

    Raises
    ------
    InputError
        When a job does not exist, or fewer than two remain.

    Notes
    -----
    The throughput of a chip is that of the whole cluster over its chips: a training job that is given only some of the
    chips would work a little better per chip than is said here.
    """
    known = [task.job.id for task in question.tasks]
    for job in shares:
        if job not in known:
            raise InputError([Problem(f"--share {job}: there is {', '.join(known)}")])
    wanted = {task.job.id: shares.get(task.job.id, task.job.share) for task in question.tasks}
    chosen = question.scenario.uncertainty
    draws = chosen.draws if draws is None else draws
    seed = chosen.seed if seed is None else seed
    world = question.drawn(draws, seed)
    tasks, rates, prices, refused = [], [], [], []
    for task in question.tasks:
        if not wanted[task.job.id] > 0:
            continue
        try:
            answer = prepare(question, task).answer(world)
        except CannotRunError as error:
            refused.append((task.label, str(error)))
            continue
        tasks.append(task)
        both = [(answer.a, question.a.choice.chips), (answer.b, question.b.choice.chips)]
        rates.append([np.broadcast_to(_per_chip(run, chips), draws) for run, chips in both])
        prices.append([np.broadcast_to(_price(run, chips), draws) for run, chips in both])
    if len(tasks) < 2:
        raise InputError(
            [Problem("a mixed fleet needs two jobs that both clusters can do; this question has fewer")]
        )
    weights = np.array([wanted[task.job.id] for task in tasks])
    found = _plans(question, np.array(rates).transpose(2, 1, 0), np.array(prices).transpose(2, 1, 0), weights)
    return MixAnswer(question, tuple(tasks), *found, draws, seed, tuple(refused))


def _plans(
    question: Question, rates: Vector, prices: Vector, weights: Vector
) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    """Chips, work of both together, of A and of B, and what is saved; ``rates`` and ``prices`` are (draws, 2, jobs)."""
    stock = np.array([side.choice.chips for side in question.sides], dtype=float)
    chips: list[Vector] = []
    ones: list[Vector] = []
    together, saved = [], []
    for rate, price in zip(rates, prices, strict=True):
        # Worlds in which one of them serves nothing within its promise: the other does that job.
        usual = np.where(rate[1] > 0, rate[1], rate[0])
        wanted = weights / weights.sum() * usual * stock[1]
        if not (wanted > 0).all():
            chips.append(np.full(rate.shape, np.nan))
            together.append(np.nan)
            ones.append(np.full(2, np.nan))
            saved.append(np.nan)
            continue
        plan, apart = most_work(rate, stock, wanted), alone(rate, stock, wanted)
        chips.append(plan.chips)
        together.append(plan.work)
        ones.append(apart)
        saved.append(_saved(rate, price, stock, wanted * apart.sum()))
    by_kind = np.array(ones).T
    return np.array(chips), np.array(together), by_kind[0], by_kind[1], np.array(saved)


def _saved(rate: Vector, price: Vector, stock: Vector, wanted: Vector) -> float:
    """Share of the bill that the cheapest plan saves on the one in which each kind does every job in proportion."""
    if not np.isfinite(price).all() or not (wanted > 0).all():
        return float("nan")
    with np.errstate(divide="ignore"):
        busy = wanted / rate  # chips that each job would take of each kind
    divided = stock[:, None] * busy / busy.sum(axis=1, keepdims=True)
    bill = float(np.sum(divided * price))
    plan = least_cost(rate, stock, wanted * (1.0 - 1e-9), price)
    return 1.0 - plan.cost / bill if plan.work else float("nan")


def _per_chip(runs: TrainingRuns | ServingRuns, chips: int) -> Vector:
    """Tokens per second of a chip."""
    if isinstance(runs, ServingRuns):
        return np.asarray(runs.capacity.output_tokens_per_s)
    return np.asarray(runs.tokens_per_s[0] / chips)


def _price(runs: TrainingRuns | ServingRuns, chips: int) -> Vector:
    """Amortised cost of a chip-second while the job is done [USD/chip/s]."""
    power = runs.it_power_w if isinstance(runs, ServingRuns) else power_per_chip(runs, chips)
    return np.asarray(total(runs.cluster.cost_blocks(power)["amortised"]))
