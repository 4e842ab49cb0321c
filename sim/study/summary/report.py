"""The whole report as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.report.content import (
    ClusterContent,
    InputRow,
    JobContent,
    PaperMetric,
    ReportContent,
    RunIdentity,
    Sensitivity,
    ValidationRecord,
)
from sim.report.wording import listed
from sim.resolve import MEDIAN, World
from sim.study.cluster import resolve_cluster
from sim.study.inputs import NamedInput
from sim.study.question import Question, Side
from sim.study.summary.sensitivity import Swings
from sim.study.summary.statistics import interval
from sim.study.summary.words import NOT_MODELLED, VIEW_NOTES, answers
from sim.study.training_cases import FAMILIES

MATTERS = 0.01  # share of a headline that an input must move to be listed
BITS = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 19,
    "bf16": 16,
    "fp16": 16,
    "fp8": 8,
    "int8": 8,
    "fp6": 6,
    "fp4": 4,
    "int4": 4,
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the study layer worked out, job by job in the order of the question."""

    jobs: Sequence[JobContent]
    swings: Sequence[Swings]
    sensitivities: Sequence[Sensitivity]
    first_equal: NDArray[np.float64]


def total_processing_performance(chip: Chip) -> float:
    """TPP of a chip: dense operations per second times bit length, the largest over its precisions [TOPS x bit].

    References
    ----------
    15 CFR 774, ECCN 3A090, technical note 2: multiply-accumulate counted as two operations.
    """
    return max(float(rate) * BITS[precision] for precision, rate in chip.matrix_peak.items()) / 1e12


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
    return ReportContent(
        title=question.scenario.question,
        slogan=question.scenario.slogan,
        answers=answers(question, findings.jobs),
        clusters=(a, b),
        jobs=findings.jobs,
        paper_metrics=_paper(question),
        sensitivities=findings.sensitivities,
        convergence=_convergence(findings.first_equal),
        validation=validation,
        not_modelled=NOT_MODELLED,
        inputs=_rows(inputs, findings.swings),
        identity=identity,
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


def _paper(question: Question) -> list[PaperMetric]:
    """Counts of B that equal A by datasheet figures, all at their medians."""
    a, b = (resolve_cluster(side, MEDIAN).chip for side in question.sides)
    chips = question.a.choice.chips
    pairs = [
        ("TPP", total_processing_performance(a), total_processing_performance(b)),
        ("memory bandwidth", float(a.memory_bandwidth), float(b.memory_bandwidth)),
        ("memory capacity", float(a.memory_bytes), float(b.memory_bytes)),
    ]
    if "bf16" in a.matrix_peak and "bf16" in b.matrix_peak:
        pairs.insert(1, ("dense BF16", float(a.matrix_peak["bf16"]), float(b.matrix_peak["bf16"])))
    return [PaperMetric(name, chips * one / other) for name, one, other in pairs]


def _convergence(equal: NDArray[np.float64]) -> list[tuple[int, float, float, float]]:
    """Ends and median of the answer after 1/16, 1/8 ... of the draws."""
    counts = sorted({max(1, len(equal) >> shift) for shift in range(5)})
    found = [(count, interval(equal[:count])) for count in counts]
    return [(count, i.p05, i.p50, i.p95) for count, i in found]


def _rows(inputs: Sequence[NamedInput], swings: Sequence[Swings]) -> list[InputRow]:
    moves = np.max([swing.size for swing in swings], axis=0) if swings else np.zeros(len(inputs))
    order = [int(i) for i in np.argsort(-moves) if moves[i] >= MATTERS]
    return [_row(inputs[i], float(moves[i])) for i in order]


def _row(named: NamedInput, moves: float) -> InputRow:
    quantity, source = named.quantity, named.source
    return InputRow(
        name=named.name,
        path=quantity.path,
        value=named.at(0.5),
        low=named.at(0.05),
        high=named.at(0.95),
        kind=quantity.kind,
        source=named.source_title,
        url=source.url if source else "",
        as_of=quantity.as_of,
        weak=named.weak,
        moves=moves,
    )


def inputs_hash(files: Sequence[tuple[str, str]]) -> str:
    """Short hash of all input files together."""
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in files).encode()).hexdigest()[:12]
