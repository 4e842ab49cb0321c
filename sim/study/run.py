"""A scenario from its file to the report's content: load, resolve, simulate, summarise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.profiles.catalogue import Catalogue
from sim.report.content import Curve, JobContent, ReportContent, RunIdentity, Sensitivity, ValidationRecord
from sim.resolve import World
from sim.study.answer import (
    CannotRunError,
    ServingAnswer,
    ServingStudy,
    TrainingAnswer,
    TrainingStudy,
    prepare,
)
from sim.study.convergence import Stopping, draws_needed
from sim.study.inputs import named_inputs
from sim.study.metrics import metrics
from sim.study.question import Question, Task, load_question
from sim.study.summary.curves import headline_curves
from sim.study.summary.report import Findings, inputs_hash, report_content
from sim.study.summary.sensitivity import Swings, cheaper_where, sensitivity, swings
from sim.study.summary.serving import serving_content
from sim.study.summary.tables import draws_table, summary_table
from sim.study.summary.training import training_content
from sim.study.summary.trust import committed_record
from sim.study.sweep.memory import keep_freed_memory
from sim.study.sweep.workers import workers as crew
from sim.study.worlds import sobol_rows

JOBS_EACH = 2  # jobs from which on a further process earns the seconds it takes to start
Progress = Callable[[str, float], None]  # what is being done, and the share of the whole that is behind


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """Result of a scenario.

    Attributes
    ----------
    content : ReportContent
        What the report says.
    summary : DataFrame
        Quantiles in long form: scenario, job, cluster, label, metric, unit, statistic, value.
    draws : DataFrame
        Every draw in long form: the same with draw in the place of statistic.
    """

    content: ReportContent
    summary: pd.DataFrame
    draws: pd.DataFrame


def run_scenario(
    catalogue: Catalogue,
    scenario: str | Path,
    draws: int | None = None,
    seed: int | None = None,
    command: str = "",
    progress: Progress = lambda _what, _share: None,
    as_of: str | None = None,
    precision: float | None = None,
    workers: int = 1,
) -> ScenarioRun:
    """Answer the question of a scenario file.

    Parameters
    ----------
    draws, seed : int, optional
        Instead of the scenario's own.
    command : str
        What the reader types to run it again.
    progress : callable
        Told what is being done, and the share of the whole that is behind.
    as_of : str, optional
        No price later than this date is used, instead of the scenario's own date.
    precision : float, optional
        Error of the ends of every headline, as a share of its median [1]: draws double until it is reached, or the most
        that the scenario allows; instead of the scenario's own.
    workers : int
        Processes that share the jobs; the answer is the same with any number.

    Raises
    ------
    InputError
        When a file is missing or wrong, or a model cannot be trained on one of the clusters.
    UnknownQuantityError
        When an answer rests on a number that nobody has published.
    """
    progress("reading files", 0.0)
    question = load_question(catalogue, scenario, as_of)
    chosen = question.scenario.uncertainty
    seed = chosen.seed if seed is None else seed
    first = chosen.draws if draws is None else draws
    precision = chosen.precision if precision is None else precision
    studies = [_prepared(catalogue, question, task) for task in question.tasks]
    stopping = Stopping(None, first, first)
    if precision is not None:
        progress("draws for the precision asked for", 0.02)
        most = max(first, chosen.max_draws)
        first, stopping = draws_needed(_drawn(question, studies, seed), precision, first, most)
    drawn = _Drawn(first, seed, question.points(first, seed), stopping)
    world = question.world(drawn.probabilities)
    played = _played(first, chosen.event_draws)
    inputs = named_inputs(question)
    findings = Findings([], [], [], [], [], stopping)
    works = [
        _Work(question, study, _is_headline(studies, index), drawn.probabilities, played, seed)
        for index, study in enumerate(studies)
    ]
    for answer, content, moved, moves, curves in _all_found(works, workers, progress):
        findings.add(answer, content, moved, moves)
        findings.curves.extend(curves)
    identity = _identity(catalogue, question, command, drawn, len(played))
    report = report_content(question, world, findings, inputs, identity, _validation(question))
    progress("done", 1.0)
    results = [
        (study.task.job.id, metrics(question, study, answer, drawn.draws))
        for study, answer in zip(studies, findings.answers, strict=True)
    ]
    return ScenarioRun(report, summary_table(question, results), draws_table(question, results))


@dataclass(frozen=True, eq=False)
class _Work:
    """One job with everything it takes to find out what the report says of it, in this process or another.

    Attributes
    ----------
    headline : bool
        Whether the job is the first of its kind: those that the first pages speak of.
    played : list of int
        Draws on which the event engines run.
    """

    question: Question
    study: TrainingStudy | ServingStudy
    headline: bool
    probabilities: NDArray[np.float64]
    played: list[int]
    seed: int


_Found = tuple[TrainingAnswer | ServingAnswer, JobContent, Swings, Sensitivity, list[Curve]]


def _all_found(works: Sequence[_Work], count: int, progress: Progress) -> Iterator[_Found]:
    """What there is to say of each job, in their order."""
    with crew(max(1, min(count, len(works) // JOBS_EACH)), None) as hired:
        futures = [] if hired.size == 1 else [hired.executor.submit(_found, work) for work in works]
        for index, work in enumerate(works):
            progress(work.study.task.label, (index + 0.1) / len(works))
            yield futures[index].result() if futures else _found(work)


def _found(work: _Work) -> _Found:
    keep_freed_memory()
    question, study, seed = work.question, work.study, work.seed
    world = question.world(work.probabilities)
    answer, content = _answered(question, study, world, work.played, seed)
    moved = swings(question, study)
    draws_of = (work.probabilities, np.broadcast_to(answer.equal, len(work.probabilities)))
    inputs = named_inputs(question)
    moves = sensitivity(question, study, inputs, moved, draws_of, question.b.choice.chips, seed)
    if not work.headline:
        return answer, content, moved, moves, []
    moves = replace(moves, cheaper=cheaper_where(question, study, inputs, moved, answer, work.probabilities))
    return (
        answer,
        content,
        moved,
        moves,
        headline_curves(question, study, moves, len(work.probabilities), seed),
    )


def _is_headline(studies: Sequence[TrainingStudy | ServingStudy], index: int) -> bool:
    """Whether a job is the first of its kind: those that the first pages speak of."""
    kinds = [type(study) for study in studies]
    return kinds.index(kinds[index]) == index


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The draws of a run, and why there are so many."""

    draws: int
    seed: int
    probabilities: NDArray[np.float64]
    stopping: Stopping


def _drawn(
    question: Question, studies: Sequence[TrainingStudy | ServingStudy], seed: int
) -> list[tuple[str, Callable[[int, int], NDArray[np.float64]]]]:
    """The headline of each job over any stretch of the draws."""

    def answers(study: TrainingStudy | ServingStudy, first: int, last: int) -> NDArray[np.float64]:
        rows = sobol_rows(first, last - first, question.dimensions, seed)
        found = study.equal(question.world(question.probabilities(rows)))
        return np.broadcast_to(found, last - first)

    return [(study.task.label, partial(answers, study)) for study in studies]


def _played(draws: int, wanted: int) -> list[int]:
    """Draws on which the event engines run, spread over all of them."""
    return [int(d) for d in np.linspace(0, draws - 1, wanted + 2)[1:-1]] if draws > 1 else []


def _identity(
    catalogue: Catalogue, question: Question, command: str, drawn: _Drawn, event_draws: int
) -> RunIdentity:
    files = catalogue.files_read
    return RunIdentity(
        version=version("chip-parity"),
        command=command,
        seed=drawn.seed,
        draws=drawn.draws,
        event_draws=event_draws,
        inputs_hash=inputs_hash(files),
        files=files,
        scenario=question.scenario.id,
        as_of=question.as_of or "",
    )


def _validation(question: Question) -> list[ValidationRecord]:
    """How the physics of this question compares with published measurements, for the kinds of job in it."""
    kinds = {task.workload.kind_of_job for task in question.tasks}
    records = [committed_record(kind) for kind in sorted(kinds, reverse=True)]
    return [record for record in records if record is not None]


def _prepared(catalogue: Catalogue, question: Question, task: Task) -> TrainingStudy | ServingStudy:
    try:
        return prepare(question, task)
    except CannotRunError as error:
        raise catalogue.error(question.scenario, ("clusters", error.side, error.key), str(error)) from None


def _answered(
    question: Question, study: TrainingStudy | ServingStudy, world: World, event_draws: list[int], seed: int
) -> tuple[TrainingAnswer | ServingAnswer, JobContent]:
    if isinstance(study, TrainingStudy):
        trained = study.answer(world)
        return trained, training_content(question, study, trained, event_draws, seed)
    served = study.answer(world)
    return served, serving_content(question, study, served, seed)
