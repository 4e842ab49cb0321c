"""The money of a scenario, or of one model on one system in one region: who is asked, and the answer for each job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from sim.economics.ownership import total
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.scenario import ClusterChoice, Job, Uncertainty
from sim.profiles.served import PriceList
from sim.profiles.workload import TrainingRecipe
from sim.quantity import UnknownQuantityError
from sim.report.content import RunIdentity
from sim.resolve import World
from sim.study.answer import CannotRunError, check_precision, plan_side
from sim.study.bills import training_bills
from sim.study.money.answers import (
    BreakEvenAnswer,
    Ladder,
    SideAnswer,
    ladder,
    margin_answer,
    serving_break_even_answers,
    serving_ladders,
    side_answer,
    tokens_of,
    training_break_even_answers,
    with_training,
)
from sim.study.money.tokens import TokenCosts, request_revenue, token_costs
from sim.study.prices import checked_date, current_list, price_lists_of, published_by
from sim.study.question import Question, Side, Task, load_question, load_side, uncertain_inputs
from sim.study.serving import plan_serving, run_serving
from sim.study.summary.report import inputs_hash
from sim.study.summary.words import unpriced_side
from sim.study.traced import with_trace
from sim.study.training import TrainingRuns, run_training
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


@dataclass(frozen=True, slots=True)
class JobMoney:
    """One job on every side."""

    id: str
    label: str
    kind: str
    sides: tuple[SideAnswer, ...]


@dataclass(frozen=True, slots=True)
class MoneyAnswer:
    """Every job on every side."""

    name: str
    jobs: tuple[JobMoney, ...]
    identity: RunIdentity


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


def answer_money(catalogue: Catalogue, question: MoneyQuestion, command: str = "") -> MoneyAnswer:
    """Every job on every side, in closed form over all draws.

    Raises
    ------
    InputError
        When a model cannot be trained on one of the clusters, or a cost is unknown in every view.
    UnknownQuantityError
        When the answer rests on a number that nobody has published.
    """
    world = _world(question)
    runs: dict[tuple[str, str], TrainingRuns] = {}
    jobs = tuple(_job(catalogue, question, task, world, runs) for task in question.tasks)
    files = catalogue.files_read
    identity = RunIdentity(
        version=version("chip-parity"), command=command, seed=question.seed, draws=question.draws, event_draws=0,
        inputs_hash=inputs_hash(files), files=files, as_of=question.as_of or "",
    )  # fmt: skip
    return MoneyAnswer(question.name, jobs, identity)


def _world(question: MoneyQuestion) -> World:
    """The draws: those of the scenario, whatever part of it is asked for; else of the inputs of the question."""
    if question.asked is not None:
        return question.asked.drawn(question.draws, question.seed)
    inputs = uncertain_inputs(question.sides, question.tasks)
    return independent_world(inputs, question.draws, question.seed)


def _job(
    catalogue: Catalogue,
    question: MoneyQuestion,
    task: Task,
    world: World,
    trained: dict[tuple[str, str], TrainingRuns],
) -> JobMoney:
    if isinstance(task.workload, TrainingRecipe):
        return JobMoney(task.job.id, task.label, "training", _training(question, task, world, trained))
    return JobMoney(task.job.id, task.label, "serving", _serving(catalogue, question, task, world, trained))


def _run(side: Side, task: Task, world: World, trained: dict[tuple[str, str], TrainingRuns]) -> TrainingRuns:
    key = (side.key, task.job.id)
    if key not in trained:
        try:
            check_precision(side, task)
            trained[key] = run_training(plan_side(side, task), world)
        except CannotRunError as error:
            raise InputError([Problem(str(error))]) from None
    return trained[key]


def _served(side: Side, task: Task, world: World) -> TokenCosts:
    try:
        check_precision(side, task)
    except CannotRunError as error:
        raise InputError([Problem(str(error))]) from None
    return token_costs(side, run_serving(plan_serving(side, task), world), world)


def _training(
    question: MoneyQuestion, task: Task, world: World, trained: dict[tuple[str, str], TrainingRuns]
) -> tuple[SideAnswer, ...]:
    runs = [_run(side, task, world, trained) for side in question.sides]
    bills = [training_bills(run, side.choice.chips) for run, side in zip(runs, question.sides, strict=True)]
    answers = []
    for index, side in enumerate(question.sides):
        met: tuple[BreakEvenAnswer, ...] = ()
        if len(question.sides) > 1:
            target, other = total(bills[1 - index]["amortised"]), question.sides[1 - index]
            met = training_break_even_answers(
                runs[index], side.choice.chips, target, f"the run on {other.label}"
            )
        bill = ladder("a training run", "USD", bills[index], split=True)
        answers.append(side_answer(side, (bill,), break_evens=met, notes=unpriced_side(side)))
    return tuple(answers)


def _serving(
    catalogue: Catalogue,
    question: MoneyQuestion,
    task: Task,
    world: World,
    trained: dict[tuple[str, str], TrainingRuns],
) -> tuple[SideAnswer, ...]:
    costs = [_served(side, task, world) for side in question.sides]
    out = price_lists_of(catalogue, task.model.id, question.as_of)
    lists = (question.price_list,) if question.price_list else current_list(out)
    answers = []
    for index, side in enumerate(question.sides):
        found = costs[index]
        ladders = [*serving_ladders(found, question.session_requests)]
        ladders += _training_shares(question, task, side, found, world, trained)
        targets = [(request_revenue(found, each), f"the prices {each.id}") for each in lists]
        if len(costs) > 1:
            other = question.sides[1 - index].label
            targets.append((total(costs[1 - index].request["amortised"]), f"a request on {other}"))
        met = [each for usd, against in targets for each in serving_break_even_answers(found, usd, against)]
        answers.append(
            side_answer(
                side, tuple(ladders), margins=tuple(margin_answer(found, each) for each in lists),
                break_evens=tuple(met), tokens=tokens_of(found.mix), notes=_notes(side, found, lists),
            )
        )  # fmt: skip
    for each in lists:
        catalogue.price_list(each.id)  # the answer rests on this file, too
    return tuple(answers)


def _training_shares(
    question: MoneyQuestion,
    task: Task,
    side: Side,
    costs: TokenCosts,
    world: World,
    trained: dict[tuple[str, str], TrainingRuns],
) -> list[Ladder]:
    """What the training runs of the same model add to the tokens, where the scenario has one that can be done here."""
    found = []
    for training in question.trainings:
        if training.model.id == task.model.id:
            try:
                run = _run(side, training, world, trained)
            except (InputError, UnknownQuantityError):
                continue  # a chip on which the model does not train may still serve it
            usd = total(training_bills(run, side.choice.chips)["amortised"])
            days = question.served_s / DAY
            what = f"its training run, over {days:,.0f} days of this load"
            found.append(with_training(costs, usd, question.served_s, what))
    return found


def _notes(side: Side, costs: TokenCosts, lists: Sequence[PriceList]) -> tuple[str, ...]:
    notes = [*unpriced_side(side)]
    if not lists:
        notes.append("No price list of this model was out; name one with --price-list to see a margin.")
    if costs.runs.capacity.reason:
        notes.append(costs.runs.capacity.reason[0].upper() + costs.runs.capacity.reason[1:] + ".")
    return tuple(notes)
