"""The money of every job of a question on every side, in closed form over all draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Blocks, View, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.profiles.served import PriceList
from sim.profiles.workload import TrainingRecipe
from sim.quantity import UnknownQuantityError
from sim.report.content import RunIdentity
from sim.resolve import World
from sim.study.answer import CannotRunError, check_precision, plan_side
from sim.study.bills import training_bills
from sim.study.convergence import ends_error
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
    trained_tokens,
    training_break_even_answers,
    with_training,
)
from sim.study.money.question import MoneyQuestion
from sim.study.money.tokens import TokenCosts, request_revenue, token_costs
from sim.study.placed import place_notes
from sim.study.prices import current_list, price_lists_of
from sim.study.question import Side, Task
from sim.study.serving import plan_serving, run_serving
from sim.study.summary.report import inputs_hash
from sim.study.summary.words import unpriced_side
from sim.study.training import TrainingRuns, run_training
from sim.units import DAY

Vector = NDArray[np.float64]
Totals = dict[View, Vector]
HEADLINE: tuple[View, ...] = ("amortised", "rental", "acquisition")


@dataclass(frozen=True, slots=True)
class JobMoney:
    """One job on every side.

    Attributes
    ----------
    view : str
        View of the headline: amortised where it is known on every side, else the next that is; "" where none is.
    cheaper : dict of view to (first, second)
        Shares of the draws in which the first side does the job for less than the second, and the other way round [1];
        they add up to less than one where some draws leave it open.
    ends_error : float
        How well the ends of the intervals of the headline are known, as a share of the median [1].
    """

    id: str
    label: str
    kind: str
    sides: tuple[SideAnswer, ...]
    view: str
    cheaper: dict[str, tuple[float, float]]
    ends_error: float


@dataclass(frozen=True, slots=True)
class MoneyAnswer:
    """Every job on every side.

    Attributes
    ----------
    notes : tuple of str
        Warnings on where the chips stand.
    """

    name: str
    jobs: tuple[JobMoney, ...]
    notes: tuple[str, ...]
    identity: RunIdentity


def answer_money(catalogue: Catalogue, question: MoneyQuestion, command: str = "") -> MoneyAnswer:
    """Every job on every side, in closed form over all draws.

    Raises
    ------
    InputError
        When a model cannot be trained on one of the clusters, or a cost is unknown in every view.
    UnknownQuantityError
        When the answer rests on a number that nobody has published.
    """
    world = question.drawn()
    runs: dict[tuple[str, str], TrainingRuns] = {}
    jobs = tuple(_job(catalogue, question, task, world, runs) for task in question.tasks)
    notes = tuple(note for side in question.sides for note in place_notes(catalogue, side, question.as_of))
    files = catalogue.files_read
    identity = RunIdentity(
        version=version("chip-parity"), command=command, seed=question.seed, draws=question.draws, event_draws=0,
        inputs_hash=inputs_hash(files), files=files, as_of=question.as_of or "",
    )  # fmt: skip
    return MoneyAnswer(question.name, jobs, notes, identity)


def _job(
    catalogue: Catalogue,
    question: MoneyQuestion,
    task: Task,
    world: World,
    trained: dict[tuple[str, str], TrainingRuns],
) -> JobMoney:
    training = isinstance(task.workload, TrainingRecipe)
    if training:
        sides, costs = _training(question, task, world, trained)
    else:
        sides, costs = _serving(catalogue, question, task, world, trained)
    view = next((each for each in HEADLINE if all(_known(cost.get(each)) for cost in costs)), None)
    error = ends_error([] if view is None else [cost[view] for cost in costs])
    kind = "training" if training else "serving"
    return JobMoney(task.job.id, task.label, kind, sides, view or "", _cheaper(costs), error)


def _known(usd: Vector | None) -> bool:
    return usd is not None and not np.isnan(usd).all()


def _cheaper(costs: Sequence[Totals]) -> dict[str, tuple[float, float]]:
    """Shares of the draws in which the first and the second side is cheaper, by view; of one side alone there are none."""
    if len(costs) < 2:
        return {}
    one, other = costs
    views = [view for view in one if _known(one[view]) and _known(other.get(view))]
    return {
        view: (float(np.mean(one[view] < other[view])), float(np.mean(other[view] < one[view])))
        for view in views
    }


def _totals(by_view: Mapping[View, Blocks], draws: int) -> Totals:
    return {view: np.broadcast_to(np.ravel(total(blocks)), draws) for view, blocks in by_view.items()}


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
) -> tuple[tuple[SideAnswer, ...], list[Totals]]:
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
        ladders = (
            ladder("a training run", "USD", "cost", bills[index], split=True),
            trained_tokens(runs[index], bills[index]),
        )
        answers.append(side_answer(side, ladders, break_evens=met, notes=unpriced_side(side)))
    return tuple(answers), [_totals(bill, question.draws) for bill in bills]


def _serving(
    catalogue: Catalogue,
    question: MoneyQuestion,
    task: Task,
    world: World,
    trained: dict[tuple[str, str], TrainingRuns],
) -> tuple[tuple[SideAnswer, ...], list[Totals]]:
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
    return tuple(answers), [_totals(cost.all_in, question.draws) for cost in costs]


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
