"""A scenario from its file to the report's content: load, resolve, simulate, summarise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from sim.profiles.catalogue import Catalogue
from sim.report.content import JobContent, ReportContent, RunIdentity, Sensitivity, ValidationRecord
from sim.resolve import World
from sim.study.answer import (
    CannotRunError,
    ServingAnswer,
    ServingStudy,
    TrainingAnswer,
    TrainingStudy,
    prepare,
)
from sim.study.inputs import named_inputs
from sim.study.question import Question, Task, load_question
from sim.study.summary.report import Findings, inputs_hash, report_content
from sim.study.summary.sensitivity import Swings, sensitivity, swings
from sim.study.summary.serving import serving_content
from sim.study.summary.tables import draws_table, summary_table
from sim.study.summary.training import training_content
from sim.study.summary.trust import committed_record
from sim.study.worlds import sobol_probabilities

Progress = Callable[[str, float], None]  # what is being done, and the share of the whole that is behind


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """Result of a scenario.

    Attributes
    ----------
    content : ReportContent
        What the report says.
    summary : DataFrame
        Quantiles in long form: scenario, cluster, job, metric, unit, statistic, value.
    draws : DataFrame
        Every draw in long form: scenario, job, metric, unit, draw, value.
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
    draws = chosen.draws if draws is None else draws
    seed = chosen.seed if seed is None else seed
    probabilities = question.probabilities(sobol_probabilities(draws, question.dimensions, seed))
    world = question.world(probabilities)
    event_draws = (
        [int(d) for d in np.linspace(0, draws - 1, chosen.event_draws + 2)[1:-1]] if draws > 1 else []
    )
    inputs = named_inputs(question)
    jobs: list[JobContent] = []
    answers: list[TrainingAnswer | ServingAnswer] = []
    moved: list[Swings] = []
    found: list[Sensitivity] = []
    for index, task in enumerate(question.tasks):
        progress(task.label, (index + 0.1) / len(question.tasks))
        study = _prepared(catalogue, question, task)
        answer, content = _answered(question, study, world, event_draws, seed)
        jobs.append(content)
        progress(f"{task.label}: what moves the answer", (index + 0.5) / len(question.tasks))
        moved.append(swings(question, study))
        found.append(
            sensitivity(
                question,
                study,
                inputs,
                moved[-1],
                (probabilities, answer.equal),
                question.b.choice.chips,
                seed,
            )
        )
        answers.append(answer)
    findings = Findings(jobs, moved, found, answers[0].equal)
    files = catalogue.files_read
    identity = RunIdentity(
        version=version("chip-parity"),
        command=command,
        seed=seed,
        draws=draws,
        event_draws=len(event_draws),
        inputs_hash=inputs_hash(files),
        files=files,
        scenario=question.scenario.id,
        as_of=question.as_of or "",
    )
    report = report_content(question, world, findings, inputs, identity, _validation(question))
    progress("done", 1.0)
    return ScenarioRun(report, summary_table(report), draws_table(question, answers))


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
