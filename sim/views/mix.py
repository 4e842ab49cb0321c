"""A mixed fleet in the terminal, as JSON and as a table."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.report.content import Interval
from sim.report.numbers import bounds, number, percent
from sim.study.convergence import ends_error
from sim.study.mix import MixAnswer, mix_answer
from sim.study.question import load_question
from sim.study.summary.statistics import interval
from sim.views.listing import Listing
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, json_text, show


@dataclass(frozen=True, slots=True)
class MixRequest:
    """What was typed."""

    scenario: str
    shares: Mapping[str, float]
    draws: int | None = None
    seed: int | None = None
    as_of: str | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        asked = (("draws", self.draws), ("seed", self.seed), ("as-of", self.as_of))
        options = [f"--share {job}={share:g}" for job, share in self.shares.items()]
        options += [f"--{name} {value}" for name, value in asked if value is not None]
        return " ".join(["parity mix", shlex.quote(self.scenario), *options])


def shares_of(texts: list[str]) -> dict[str, float]:
    """Shares as they are typed, ``chat-v3=2``.

    Raises
    ------
    InputError
        When there is no job, or no number above zero.
    """
    found = {}
    for text in texts:
        job, _, share = text.partition("=")
        try:
            found[job.strip()] = float(share)
        except ValueError:
            found[job.strip()] = float("nan")
        if not job.strip() or not 0 <= found[job.strip()] < math.inf:
            raise InputError(
                [Problem(f'--share {text}: read no "job=number"; for example --share chat-v3=2')]
            )
    return found


def show_mix(
    catalogue: Catalogue,
    request: MixRequest,
    out: TextIO,
    *,
    as_json: bool = False,
    folder: Path | None = None,
) -> None:
    """Print who does what in a mixed fleet, and what that adds."""
    question = load_question(catalogue, request.scenario, request.as_of)
    asked = dict(request.shares), request.draws, request.seed

    def record(found: MixAnswer) -> str:
        return json_text(_record(found, request))

    def files(found: MixAnswer) -> dict[str, bytes]:
        table = _table(found).to_csv(index=False, lineterminator="\n")
        return {"mix.csv": table.encode(), "mix.json": record(found).encode()}

    view = View(record, lambda found: [_listing(found)], files, _headline)
    show(out, Wanted(as_json, folder), lambda: mix_answer(question, *asked), view)


def _headline(found: MixAnswer) -> Iterator[str]:
    """What the two do together, and how well that is known."""
    yield from _lines(found)
    yield obtained(found.draws, found.seed, ends_error([found.together, found.a]), found.question.as_of or "")


def _rows(found: MixAnswer) -> list[tuple[str, str, str, Interval, float]]:
    """Job, its id, cluster, chips, share of the draws in which they are used."""
    return [
        (task.label, task.job.id, side.label, interval(found.chips[:, kind, index]), found.uses(kind, index))
        for index, task in enumerate(found.tasks)
        for kind, side in enumerate(found.question.sides)
    ]


def _table(found: MixAnswer) -> pd.DataFrame:
    rows = [
        (job, cluster, "chips", "chip", *asdict(chips).values(), uses)
        for _, job, cluster, chips, uses in _rows(found)
    ]
    for name, values in _measures(found).items():
        rows.append(("", "", name, "1", *asdict(interval(values)).values(), math.nan))
    columns = ["job", "cluster", "metric", "unit", "p05", "p25", "p50", "p75", "p95", "share_of_draws"]
    return pd.DataFrame(rows, columns=columns)


def _measures(found: MixAnswer) -> dict[str, np.ndarray]:
    return {"work_a_alone": found.a, "work_b_alone": found.b, "work_together": found.together, "gain": found.gain,
            "saved": found.saved}  # fmt: skip


def _record(found: MixAnswer, request: MixRequest) -> dict[str, Any]:
    return {
        "scenario": found.question.scenario.id,
        "command": request.command,
        "draws": found.draws,
        "seed": found.seed,
        "jobs": [
            {"job": job, "cluster": cluster, "chips": asdict(chips), "share_of_draws": uses}
            for _, job, cluster, chips, uses in _rows(found)
        ],
        **{name: asdict(interval(values)) for name, values in _measures(found).items()},
        "refused": [{"job": label, "reason": reason} for label, reason in found.refused],
    }


def _listing(found: MixAnswer) -> Listing:
    a, b = found.question.sides
    rows = []
    for index, task in enumerate(found.tasks):
        cells: list[str] = []
        for kind in (0, 1):
            chips = interval(found.chips[:, kind, index])
            cells += [f"{number(chips.p50)} ({bounds(chips)})", percent(found.uses(kind, index))]
        rows.append((task.label, *cells))
    title = f"{a.choice.chips:,} {a.label} and {b.choice.chips:,} {b.label} as one fleet: chips on each job"
    columns = ("job", a.label, "in draws", b.label, "in draws")
    return Listing(title, columns, rows, [
        "Median (90 % interval) of the chips where the fleet does most work; in draws: share of the draws in which any "
        "chip of that kind works on the job.",
        *(f"{label}: {reason}" for label, reason in found.refused),
    ])  # fmt: skip


def _lines(found: MixAnswer) -> list[str]:
    a, b = found.question.sides

    def said(values: np.ndarray, sign: bool = False) -> str:
        each = interval(values)
        if sign:
            return f"{percent(each.p50)} (90 % interval {percent(each.p05)} to {percent(each.p95)})"
        return f"{number(each.p50)} (90 % interval {bounds(each)})"

    return [
        f"Work, as a multiple of what {b.choice.chips:,} {b.label} do of all these jobs: {a.choice.chips:,} {a.label} alone "
        f"{said(found.a)}; both, each on its best jobs, {said(found.together)}.",
        f"Specialising adds {said(found.gain, True)} to what they do side by side with the jobs divided alike; for the same "
        f"work it saves {said(found.saved, True)} of the money.",
    ]
