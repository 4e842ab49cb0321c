"""Which serving job on which cluster is asked for, and what it has to serve."""

from __future__ import annotations

from dataclasses import dataclass

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.served import PriceList, ServedDay
from sim.profiles.workload import ServingTraffic
from sim.study.question import Question, Side, Task, load_question
from sim.units import UnitError, to_base


@dataclass(frozen=True, slots=True)
class CapacityQuestion:
    """One serving job on one cluster of a scenario.

    Attributes
    ----------
    asked : Question
        The whole scenario, whose draws are used.
    demand_tokens_per_s : float or None
        Prompt and output tokens to be served, averaged over the day [token/s]; None: what the cluster's own chips serve.
    served_day : tuple of ServedDay and PriceList, or None
        What the cluster did on a published day, and what its tokens were sold for.
    """

    asked: Question
    side: Side
    task: Task
    draws: int
    seed: int
    demand_tokens_per_s: float | None = None
    served_day: tuple[ServedDay, PriceList] | None = None

    @property
    def as_of(self) -> str | None:
        """Date after which no price is used."""
        return self.asked.as_of


def load_capacity_question(
    catalogue: Catalogue,
    scenario: str,
    job: str | None = None,
    cluster: str | None = None,
    demand: str | None = None,
    draws: int | None = None,
    seed: int | None = None,
    as_of: str | None = None,
) -> CapacityQuestion:
    """Find the job and the cluster of a scenario.

    Parameters
    ----------
    job : str, optional
        Id of a serving job; the first one when left out.
    cluster : str, optional
        "a" or "b"; a when left out.
    demand : str, optional
        Such as ``"140e12 token/day"``.
    as_of : str, optional
        No price later than this date is used.

    Raises
    ------
    InputError
        When a file is wrong, there is no such serving job or cluster, or the demand is no token rate.
    """
    asked = load_question(catalogue, scenario, as_of)
    serving = {task.job.id: task for task in asked.tasks if isinstance(task.workload, ServingTraffic)}
    if not serving:
        raise InputError(
            [Problem(f"{asked.scenario.id} has no serving job, so there is no capacity to give")]
        )
    if job is not None and job not in serving:
        raise InputError([Problem(f"--job: {unknown_id('serving job', job, serving)}")])
    sides: dict[str, Side] = {side.key: side for side in asked.sides}
    if cluster is not None and cluster not in sides:
        raise InputError([Problem(f'--cluster: read "{cluster}", where a or b is expected')])
    chosen, day = asked.scenario.uncertainty, asked.scenario.served_day
    published = None if day is None or cluster == "b" else (day, catalogue.price_list(day.prices))
    return CapacityQuestion(
        asked,
        sides[cluster or "a"],
        serving[job or next(iter(serving))],
        chosen.draws if draws is None else draws,
        chosen.seed if seed is None else seed,
        None if demand is None else _demand(demand),
        published,
    )


def _demand(text: str) -> float:
    try:
        rate = to_base(text, "token/s")
    except UnitError as error:
        raise InputError([Problem(f"--demand: {error}")]) from None
    if rate <= 0:
        raise InputError([Problem(f'--demand: read "{text}", where more than nothing is expected')])
    return rate
