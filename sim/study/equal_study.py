"""The question of a scenario by every measure at once, without a report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sim.economics.ownership import View
from sim.profiles.messages import InputError, Problem
from sim.study.answer import CannotRunError, prepare
from sim.study.convergence import ends_error
from sim.study.equal import BASES, EqualCount, job_counts, plain_counts
from sim.study.question import Question, Task
from sim.units import did_you_mean

SIMULATED = ("work", "date", "cost", "power", "energy")


@dataclass(frozen=True, slots=True)
class EqualAnswer:
    """Counts of B that equal A.

    Attributes
    ----------
    counts : tuple of EqualCount
        Those without a job first, then job by job.
    refused : tuple of (label, reason)
        Jobs that one of the clusters cannot do.
    """

    question: Question
    draws: int
    seed: int
    counts: tuple[EqualCount, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def ends_error(self) -> float:
        """How well the ends of the counts are known: by the same work, else by every measure there is [1]."""
        counts = [each for each in self.counts if each.basis == "work"] or self.counts
        return ends_error(each.count for each in counts if each.count is not None)


def equal_answer(
    question: Question,
    metrics: Collection[str] = (),
    jobs: Collection[str] = (),
    draws: int | None = None,
    seed: int | None = None,
    view: View = "amortised",
) -> EqualAnswer:
    """How many of B equal A by each measure, in the same worlds.

    Parameters
    ----------
    metrics : collection of str
        Keys of ``sim.study.equal.BASES``; all when empty.
    jobs : collection of str
        Ids of jobs; all when empty.
    view : str
        Of the cost that "same money" compares.

    Raises
    ------
    InputError
        When a measure or a job does not exist.
    """
    for metric in metrics:
        if metric not in BASES:
            raise InputError(
                [Problem(f"--metric {metric}: there is {', '.join(BASES)}{did_you_mean(metric, BASES)}")]
            )
    tasks = _tasks(question, jobs)
    chosen = question.scenario.uncertainty
    draws = chosen.draws if draws is None else draws
    seed = chosen.seed if seed is None else seed
    world = question.drawn(draws, seed)
    wanted = set(metrics or BASES)
    counts = [each for each in plain_counts(question, world, draws) if each.basis in wanted]
    refused = []
    for task in tasks if wanted & set(SIMULATED) else ():
        try:
            answer = prepare(question, task).answer(world)
        except CannotRunError as error:
            refused.append((task.label, str(error)))
            continue
        counts += [each for each in job_counts(question, task.job.id, answer, view) if each.basis in wanted]
    return EqualAnswer(question, draws, seed, tuple(counts), tuple(refused))


def _tasks(question: Question, jobs: Collection[str]) -> tuple[Task, ...]:
    known = {task.job.id: task for task in question.tasks}
    for job in jobs:
        if job not in known:
            raise InputError([Problem(f"--job {job}: there is {', '.join(known)}{did_you_mean(job, known)}")])
    return tuple(known[job] for job in jobs) or question.tasks
