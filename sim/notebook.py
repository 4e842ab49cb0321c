"""Chip Parity from Python: the same studies as the command, results as tables.

>>> from sim import load, sweep
>>> asked = load("ascend_20k_vs_h100_12k", {"clusters.a.chips": 16384})
>>> asked.question.a.choice.chips
16384
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    as_of : str or None
        Date after which no price is used, where it is not that of the scenario.
    """

    scenario: str
    catalogue: Catalogue
    question: Question
    as_of: str | None = None


def load(
    scenario: str | Path,
    changes: Mapping[str, Any] | None = None,
    profiles: Sequence[str | Path] = (),
    as_of: str | None = None,
) -> Asked:
    """A scenario by id or file, with some values changed.

    Parameters
    ----------
    changes : mapping of path to value, optional
        ``{"clusters.a.chips": 16384, "chips/h100-sxm#memory.bandwidth": "3.0 TB/s"}``.
    profiles : sequence of path, optional
        Further folders to look for files in.
    as_of : str, optional
        No price later than this date is used, instead of the scenario's own: YYYY, YYYY-MM or YYYY-MM-DD.

    Raises
    ------
    InputError
        When a file is missing or wrong; the message says where and how to mend it.
    """
    put = [Change(path, str(value)) for path, value in (changes or {}).items()]
    catalogue = Catalogue([Path(folder) for folder in profiles]).with_changes(put)
    return Asked(str(scenario), catalogue, load_question(catalogue, scenario, as_of), as_of)


def run(
    asked: Asked | str | Path, draws: int | None = None, seed: int | None = None, as_of: str | None = None
) -> ScenarioRun:
    """The whole answer: content of the report, table of quantiles, table of draws.

    Parameters
    ----------
    as_of : str, optional
        As in :func:`load`.

    Examples
    --------
    ``run("ascend_20k_vs_h100_12k", draws=256).summary`` is a long table of quantiles.
    """
    found = _asked(asked, as_of)
    return run_scenario(found.catalogue, found.scenario, draws, seed, as_of=found.as_of)


def compare(
    one: Asked | str | Path,
    other: Asked | str | Path,
    draws: int | None = None,
    seed: int | None = None,
    as_of: str | None = None,
) -> pd.DataFrame:
    """What changes from one scenario to another, both in the same worlds.

    Parameters
    ----------
    as_of : str, optional
        As in :func:`load`, for both.

    Returns
    -------
    DataFrame
        Long: job, cluster, metric, unit, quantity ("one", "other", "difference", "ratio"), statistic, value.
    """
    first, second = _asked(one, as_of), _asked(other, as_of)
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
    as_of: str | None = None,
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
    as_of : str, optional
        As in :func:`load`.

    Returns
    -------
    DataFrame
        Long: point, the varied values, job, cluster, metric, unit, statistic, value.
    """
    found = _asked(asked, as_of)
    request = SweepRequest(
        found.scenario, axes_of(vary), draws, seed, workers, cluster, Path(cache), as_of=found.as_of
    )
    result = swept(found.catalogue, request)
    for trace in result.traces:
        warnings.warn(f"a point was skipped by an internal error; please report it:\n{trace}", stacklevel=2)
    return result.results


def _asked(asked: Asked | str | Path, as_of: str | None) -> Asked:
    """The question, on another date where one is given."""
    if not isinstance(asked, Asked):
        return load(asked, as_of=as_of)
    if as_of is None:
        return asked
    return replace(asked, question=load_question(asked.catalogue, asked.scenario, as_of), as_of=as_of)
