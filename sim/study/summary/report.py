"""The whole report as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.report.content import (
    ClusterContent,
    Convergence,
    Course,
    Curve,
    EqualCell,
    EqualRow,
    JobContent,
    PaperMetric,
    ReportContent,
    RunIdentity,
    Sensitivity,
    ValidationRecord,
)
from sim.report.wording import listed
from sim.resolve import World
from sim.study.answer import ServingAnswer, TrainingAnswer
from sim.study.cluster import resolve_cluster
from sim.study.convergence import Stopping, course
from sim.study.equal import EqualCount, job_counts, plain_counts
from sim.study.inputs import NamedInput
from sim.study.question import Question, Side
from sim.study.summary.origin import origin
from sim.study.summary.provenance import exact_rows, input_rows
from sim.study.summary.sensitivity import Swings
from sim.study.summary.statistics import interval
from sim.study.summary.words import NOT_MODELLED, VIEW_NOTES, answers
from sim.study.validation.training_cases import FAMILIES


@dataclass(frozen=True, slots=True)
class Findings:
    """What the study layer worked out, job by job in the order of the question."""

    jobs: list[JobContent]
    swings: list[Swings]
    sensitivities: list[Sensitivity]
    answers: list[TrainingAnswer | ServingAnswer]
    curves: list[Curve]
    stopping: Stopping

    def add(
        self, answer: TrainingAnswer | ServingAnswer, job: JobContent, moved: Swings, moves: Sensitivity
    ) -> None:
        """One more job."""
        self.answers.append(answer)
        self.jobs.append(job)
        self.swings.append(moved)
        self.sensitivities.append(moves)


def report_content(
    question: Question,
    world: World,
    findings: Findings,
    inputs: Sequence[NamedInput],
    identity: RunIdentity,
    validation: Sequence[ValidationRecord] = (),
) -> ReportContent:
    """Everything the report says."""
    a, b = (_cluster(side, world, findings.jobs) for side in question.sides)
    plain = list(plain_counts(question, world, identity.draws))
    labels = question.a.label, question.b.label
    jobs = [replace(job, origin=origin(job, labels, identity.draws)) for job in findings.jobs]
    return ReportContent(
        title=question.scenario.question,
        slogan=question.scenario.slogan,
        answers=answers(question, findings.jobs),
        clusters=(a, b),
        jobs=jobs,
        paper_metrics=_paper(plain),
        sensitivities=findings.sensitivities,
        convergence=_convergence(findings),
        validation=validation,
        not_modelled=NOT_MODELLED,
        inputs=input_rows(inputs, findings.swings, findings.jobs),
        exact=exact_rows(question, findings.swings, findings.jobs),
        identity=identity,
        equals=equal_rows(question, plain, findings),
        curves=findings.curves,
        correlated=bool(question.ties),
        slogan_count=float(question.b.choice.chips) if question.scenario.slogan else None,
        warnings=_warnings(findings.jobs),
        view_notes=VIEW_NOTES,
    )


def _warnings(jobs: Sequence[JobContent]) -> tuple[str, ...]:
    concerned = [job.label for job in jobs if job.warnings]
    return (f"Read the notes on the pages of {listed(concerned)}.",) if concerned else ()


def _cluster(side: Side, world: World, jobs: Sequence[JobContent]) -> ClusterContent:
    cluster = resolve_cluster(side, world)
    of_kind = [job for job in jobs if job.kind == "training"] or list(jobs)
    powers = [(job.a if side.key == "a" else job.b).power_mw for job in of_kind]
    return ClusterContent(
        key=side.key,
        label=side.label,
        chips=side.choice.chips,
        system=side.system.name,
        region=side.region.name,
        power_mw=interval(
            [np.mean([getattr(p, q) for p in powers]) for q in ("p05", "p25", "p50", "p75", "p95")]
        ),
        purchase_usd=interval(np.asarray(cluster.purchase_usd) * side.choice.chips),
        family=FAMILIES.get(side.chip.family, "other"),
    )


def _paper(counts: Sequence[EqualCount]) -> list[PaperMetric]:
    """Counts of B that equal A by datasheet figures."""
    return [
        PaperMetric(each.name, interval(each.count).p50)
        for each in counts
        if each.group == "paper" and each.count is not None
    ]


def equal_rows(question: Question, plain: Sequence[EqualCount], findings: Findings) -> list[EqualRow]:
    """Counts of B that equal A by every basis: first those without a job, each on its own, then job by job."""
    rows = [
        EqualRow(each.group, each.name, [_equal_cell(question, each)])
        for each in plain
        if each.group != "job"
    ]
    for task, job, answer in zip(question.tasks, findings.jobs, findings.answers, strict=True):
        counts = job_counts(question, task.job.id, answer)
        rows.append(EqualRow(job.kind, job.label, [_equal_cell(question, each) for each in counts], job.id))
    return rows


def _equal_cell(question: Question, count: EqualCount) -> EqualCell:
    quantiles = None if count.count is None else interval(count.count)
    return EqualCell(count.name, quantiles, count.at_least(question.b.choice.chips), count.why)


def _convergence(findings: Findings) -> Convergence:
    """The answer of each job after 1/16, 1/8 ... of the draws, with the errors of its percentiles."""
    courses = [
        Course(job.id, job.label, [(each.draws, *each.values, *each.errors) for each in course(answer.equal)])
        for job, answer in zip(findings.jobs, findings.answers, strict=True)
    ]
    said = findings.stopping
    return Convergence(courses, said.asked, said.first, said.most, said.open)


def inputs_hash(files: Sequence[tuple[str, str]]) -> str:
    """Short hash of all input files together."""
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in files).encode()).hexdigest()[:12]
