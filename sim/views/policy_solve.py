"""The inverse question in the terminal and as JSON: a level, its interval, and in how many draws there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.report.numbers import number, percent
from sim.study.policy.headlines import Headline
from sim.study.policy.solve import Solution, Wanted, solve_policy
from sim.study.policy.summary.inputs import counted
from sim.study.policy.summary.words import label, short_interval
from sim.study.summary.statistics import interval
from sim.views.listing import Listing, print_listing
from sim.views.output import json_text, plain
from sim.views.policy import PolicyRequest

SHARES = (0.5, 0.8, 0.9, 0.95)


def show_solution(
    catalogue: Catalogue, request: PolicyRequest, wanted: Wanted, to: TextIO, *, as_json: bool = False
) -> None:
    """Print the levels that keep an outcome on the wanted side.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    """
    found = solve_policy(catalogue, request.a, wanted, request.draws, request.seed, request.pinned)
    if as_json:
        to.write(json_text(plain(solution_record(found))))
        return
    print_listing(Listing(sentence(found), ("",), [(each,) for each in _says(found)]), to)
    rows = [(percent(share), _level(found, found.kept_in(share))) for share in SHARES]
    print_listing(Listing("Level that keeps it, by the share of the draws", ("draws", "level"), rows), to)
    print_listing(Listing(label(found.at_low), ("level", "median and 90 % interval"), list(_ends(found))), to)


def sentence(found: Solution) -> str:
    """What was asked, as one sentence."""
    side = "above" if found.wanted.above else "below"
    since = found.wanted.since or found.question.start
    return f"{label(found.at_low)}: {side} {number(found.wanted.bound, 3)} by {found.wanted.series} from {since} on"


def _level(found: Solution, level: float | None) -> str:
    if level is None:
        return "no level within the range"
    unit = _unit(found)
    if found.low < level < found.high:
        return f"{'up to' if found.up_to else 'from'} {number(level, 3)}{unit}"
    return f"all of {_range(found)}"


def _unit(found: Solution) -> str:
    return f" {counted(found.unit)}" if found.unit else ""


def _range(found: Solution) -> str:
    return f"{number(found.low, 3)} to {number(found.high, 3)}{_unit(found)}"


def _says(found: Solution) -> Iterator[str]:
    crossing = found.level[np.isfinite(found.level)]
    share = percent(len(crossing) / len(found.level))
    if len(crossing):
        at = interval(crossing)
        way = "Levels up to" if found.up_to else "Levels from"
        spread = f"90 % interval {number(at.p05, 3)} to {number(at.p95, 3)}"
        yield (
            f"{way} {number(at.p50, 3)}{_unit(found)} ({spread}) keep it: median over the {share} of the draws in which "
            f"the border lies within {_range(found)}."
        )
    else:
        yield f"No draw has a border within {_range(found)}."
    every, none = percent(float(found.all_hold.mean())), percent(float(found.none_hold.mean()))
    yield f"Every level of the range keeps it in {every} of the draws, none in {none}."
    if found.turns_back > 0:
        yield (
            f"In {percent(found.turns_back)} of the draws the outcome crosses the bound more than once: the level is one "
            "border of several."
        )


def _ends(found: Solution) -> Iterator[tuple[str, str]]:
    unit = _unit(found)
    yield f"{number(found.low, 3)}{unit}", _spread(found.at_low)
    if found.at_border is not None:
        yield f"{number(float(np.nanmedian(found.level)), 3)}{unit}", _spread(found.at_border)
    yield f"{number(found.high, 3)}{unit}", _spread(found.at_high)


def _spread(headline: Headline) -> str:
    median, spread = short_interval(headline)
    return f"{median} ({spread})"


def solution_record(found: Solution) -> dict[str, object]:
    """Everything that is printed, as numbers."""
    crossing = found.level[np.isfinite(found.level)]
    return {
        "question": sentence(found),
        "scenario": found.question.scenario.id,
        "outcome": found.at_low.id,
        "series": found.wanted.series,
        "unit": found.unit,
        "range": [found.low, found.high],
        "holds": "up to the level" if found.up_to else "from the level on",
        "level": interval(crossing) if len(crossing) else None,
        "share_with_level": len(crossing) / len(found.level),
        "share_all": float(found.all_hold.mean()),
        "share_none": float(found.none_hold.mean()),
        "share_turning_back": found.turns_back,
        "kept_in": {str(share): found.kept_in(share) for share in SHARES},
        "outcome_at": {"low": interval(found.at_low.values), "high": interval(found.at_high.values)},
    }
