"""Whose money is asked for: that of a scenario, or of one model on one system in one region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.scenario import ClusterChoice, Job, Uncertainty
from sim.profiles.served import PriceList
from sim.profiles.workload import TrainingRecipe
from sim.resolve import World
from sim.study.prices import checked_date, published_by
from sim.study.question import Question, Side, Task, load_question, load_side, uncertain_inputs
from sim.study.traced import with_trace
from sim.study.worlds import independent_world
from sim.units import DAY, YEAR

DRAWS = 256


@dataclass(frozen=True, slots=True)
class MoneyQuestion:
    """What is asked.

    Attributes
    ----------
    sides : one or two clusters
    tasks : jobs to be answered
    trainings : training jobs of the scenario, for the models that are served
    price_list : PriceList or None
        The one asked for; the last one of each model when None.
    session_requests : float or None
        Requests of a session.
    served_s : float
        Time over which the tokens bear the training run [s].
    asked : Question or None
        The whole scenario, whose draws are used; None without a scenario.
    """

    name: str
    sides: tuple[Side, ...]
    tasks: tuple[Task, ...]
    trainings: tuple[Task, ...]
    draws: int
    seed: int
    as_of: str | None = None
    price_list: PriceList | None = None
    session_requests: float | None = None
    served_s: float = YEAR
    asked: Question | None = None

    def drawn(self) -> World:
        """The worlds of the scenario, whatever part of it is asked for; else those of the inputs of the question."""
        if self.asked is not None:
            return self.asked.drawn(self.draws, self.seed)
        return independent_world(uncertain_inputs(self.sides, self.tasks), self.draws, self.seed)


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked beside the clusters and the jobs."""

    price_list: str | None = None
    as_of: str | None = None
    draws: int | None = None
    seed: int | None = None
    session_requests: float | None = None
    served_days: float = YEAR / DAY


def scenario_money(
    catalogue: Catalogue, scenario: str | Path, job: str | None, options: Options
) -> MoneyQuestion:
    """The jobs of a scenario, or one of them, on both of its clusters.

    Raises
    ------
    InputError
        When a file is wrong, or there is no such job or price list.
    """
    asked = load_question(catalogue, scenario, options.as_of)
    tasks = {task.job.id: task for task in asked.tasks}
    if job is not None and job not in tasks:
        raise InputError([Problem(f"--job: {unknown_id('job', job, tasks)}")])
    chosen = asked.tasks if job is None else (tasks[job],)
    draws = options.draws or min(DRAWS, asked.scenario.uncertainty.draws)
    seed = asked.scenario.uncertainty.seed if options.seed is None else options.seed
    trainings = tuple(task for task in asked.tasks if isinstance(task.workload, TrainingRecipe))
    question = MoneyQuestion(
        asked.scenario.name, asked.sides, chosen, trainings, draws, seed, asked.as_of, asked=asked
    )
    return _with_options(catalogue, question, options)


def direct_money(
    catalogue: Catalogue, model: str, workload: str, choice: ClusterChoice, options: Options
) -> MoneyQuestion:
    """One model with one workload on one system in one region.

    Raises
    ------
    InputError
        When one of them does not exist.
    """
    as_of = checked_date(options.as_of)
    side = load_side(catalogue, choice, as_of)
    found = with_trace(catalogue, catalogue.workload(workload))
    task = Task(Job(id=workload, label="", model=model, workload=workload), catalogue.model(model), *found)
    seed = Uncertainty().seed if options.seed is None else options.seed
    name = f"{task.model.name} on {choice.chips:,} {side.label}, {side.region.name}"
    question = MoneyQuestion(name, (side,), (task,), (), options.draws or DRAWS, seed, as_of)
    return _with_options(catalogue, question, options)


def _with_options(catalogue: Catalogue, question: MoneyQuestion, options: Options) -> MoneyQuestion:
    chosen = None
    if options.price_list is not None:
        ids = catalogue.ids("price-lists")
        if options.price_list not in ids:
            raise InputError([Problem(f"--price-list: {unknown_id('price list', options.price_list, ids)}")])
        chosen = catalogue.price_list(options.price_list)
        if not published_by(chosen, question.as_of):
            message = f"--price-list {chosen.id}: it is of {chosen.valid_from}, later than {question.as_of}"
            raise InputError([Problem(message)])
    return replace(
        question,
        price_list=chosen,
        session_requests=options.session_requests,
        served_s=options.served_days * DAY,
    )
