"""Where the numbers behind the first page come from: every one that moves a headline, with its source and reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.report.content import ExactRow, InputRow, JobContent
from sim.study.inputs import NamedInput
from sim.study.question import Question
from sim.study.summary.moves import named_exact
from sim.study.summary.sensitivity import Swings

Vector = NDArray[np.float64]
MATTERS = 0.01  # share of a headline that a number must move to be listed


def input_rows(
    inputs: Sequence[NamedInput], swings: Sequence[Swings], jobs: Sequence[JobContent]
) -> list[InputRow]:
    """Uncertain inputs that move a headline by ``MATTERS`` or more between their 10th and 90th percentile, largest first."""
    if not swings:
        return []
    # Where there is no answer with all inputs at their medians, there is none to move.
    counts = np.stack(
        [swing.size if np.isfinite(swing.median) else np.zeros(len(inputs)) for swing in swings]
    )
    others = {
        f"{name}, {job.label}": values
        for swing, job in zip(swings, jobs, strict=True)
        for name, values in swing.others.items()
    }
    names, moved = _largest(others, len(inputs))
    most = np.maximum(counts.max(axis=0), moved)
    order = [int(i) for i in np.argsort(-most, kind="stable") if most[i] >= MATTERS]
    best = counts.argmax(axis=0)
    return [
        _row(inputs[i], (jobs[best[i]].label, float(counts[best[i], i])), (names[i], float(moved[i])))
        for i in order
    ]


def _largest(moves: Mapping[str, Vector], count: int) -> tuple[list[str], Vector]:
    """Of each input: the headline that it moves most, and by how much."""
    if not moves:
        return [""] * count, np.zeros(count)
    names, table = list(moves), np.abs(np.stack(list(moves.values())))
    best = table.argmax(axis=0)
    return [names[i] for i in best], table[best, np.arange(count)]


def _row(named: NamedInput, count: tuple[str, float], other: tuple[str, float]) -> InputRow:
    quantity, source = named.quantity, named.source
    return InputRow(
        name=named.name,
        path=quantity.path,
        value=named.at(0.5),
        low=named.at(0.05),
        high=named.at(0.95),
        kind=quantity.kind,
        source=source_of(named),
        url=source.url if source else "",
        as_of=quantity.as_of,
        weak=named.weak,
        moves=count[1],
        of=count[0],
        moves_other=other[1],
        other=other[0],
        note=quantity.note,
    )


def source_of(named: NamedInput) -> str:
    """Title of the source; where the file names none, its note is all there is."""
    if named.source is not None:
        return named.source.title
    return "No single source: see the note" if named.quantity.note else "Own assumption"


def exact_rows(question: Question, swings: Sequence[Swings], jobs: Sequence[JobContent]) -> list[ExactRow]:
    """Numbers without a range of which a tenth less moves a headline by ``MATTERS`` or more, largest first."""
    numbers = named_exact(question)
    moves = {
        f"{name}, {job.label}": values
        for swing, job in zip(swings, jobs, strict=True)
        for name, values in swing.exact.items()
    }
    names, size = _largest(moves, len(numbers))
    order = [int(i) for i in np.argsort(-size, kind="stable") if size[i] >= MATTERS]
    return [
        ExactRow(
            name=numbers[i].name,
            path=numbers[i].quantity.path,
            value=numbers[i].at(0.5),
            kind=numbers[i].quantity.kind,
            source=source_of(numbers[i]),
            url=source.url if (source := numbers[i].source) else "",
            as_of=numbers[i].quantity.as_of,
            weak=numbers[i].weak,
            moves=float(moves[names[i]][i]),
            of=names[i],
            note=numbers[i].quantity.note,
        )
        for i in order
    ]
