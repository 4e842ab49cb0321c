"""Chip Parity from Python: the same studies as the command, results as tables.

>>> from sim import load, sweep
>>> asked = load("ascend_20k_vs_h100_12k", {"clusters.a.chips": 16384})
>>> asked.question.a.choice.chips
16384
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sim.profiles.catalogue import Catalogue
from sim.profiles.changes import Change
from sim.study.compare import compare_questions
from sim.study.question import Question, load_question
from sim.study.run import ScenarioRun, run_scenario
from sim.study.sweep.grid import axes_of
from sim.views.sweep import CACHE, SweepRequest
from sim.views.sweep import sweep as swept


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario with every file it names.

    Attributes
    ----------
    question : Question
        Both clusters, the jobs, and all uncertain inputs.
    """

    scenario: str
    catalogue: Catalogue
    question: Question


def load(
    scenario: str | Path, changes: Mapping[str, Any] | None = None, profiles: Sequence[str | Path] = ()
) -> Asked:
    """A scenario by id or file, with some values changed.

    Parameters
    ----------
    changes : mapping of path to value, optional
        ``{"clusters.a.chips": 16384, "chips/h100-sxm#memory.bandwidth": "3.0 TB/s"}``.
    profiles : sequence of path, optional
        Further folders to look for files in.

    Raises
    ------
    InputError
        When a file is missing or wrong; the message says where and how to mend it.
    """
    put = [Change(path, str(value)) for path, value in (changes or {}).items()]
    catalogue = Catalogue([Path(folder) for folder in profiles]).with_changes(put)
    return Asked(str(scenario), catalogue, load_question(catalogue, scenario))


def run(asked: Asked | str | Path, draws: int | None = None, seed: int | None = None) -> ScenarioRun:
    """The whole answer: content of the report, table of quantiles, table of draws.

    Examples
    --------
    ``run("ascend_20k_vs_h100_12k", draws=256).summary`` is a long table of quantiles.
    """
    found = _asked(asked)
    return run_scenario(found.catalogue, found.scenario, draws, seed)


def compare(
    one: Asked | str | Path, other: Asked | str | Path, draws: int | None = None, seed: int | None = None
) -> pd.DataFrame:
    """What changes from one scenario to another, both in the same worlds.

    Returns
    -------
    DataFrame
        Long: job, cluster, metric, unit, quantity ("one", "other", "difference", "ratio"), statistic, value.
    """
    first, second = _asked(one), _asked(other)
    chosen = first.question.scenario.uncertainty
    return compare_questions(
        first.question,
        second.question,
        chosen.draws if draws is None else draws,
        chosen.seed if seed is None else seed,
    )


def sweep(
    asked: Asked | str | Path,
    vary: Mapping[str, Sequence[Any]],
    draws: int | None = None,
    seed: int | None = None,
    *,
    workers: int = 1,
    cluster: str | None = None,
    cache: str | Path = CACHE,
) -> pd.DataFrame:
    """The answer at every combination of some values.

    Parameters
    ----------
    vary : mapping of path to values
        ``{"clusters.a.chips": [10_000, 20_000]}``.
    workers : int
        Processes on this machine.
    cluster : str, optional
        Address of a Dask scheduler, instead.
    cache : path
        Where finished blocks are kept; the same call goes on where it was stopped.

    Returns
    -------
    DataFrame
        Long: point, the varied values, job, cluster, metric, unit, statistic, value.
    """
    found = _asked(asked)
    request = SweepRequest(found.scenario, axes_of(vary), draws, seed, workers, cluster, Path(cache))
    return swept(found.catalogue, request).results


def _asked(asked: Asked | str | Path) -> Asked:
    return asked if isinstance(asked, Asked) else load(asked)
