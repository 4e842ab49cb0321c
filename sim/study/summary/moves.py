"""How far each number of the input files moves the numbers of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.profiles.leaves import quantities
from sim.quantity import Quantity
from sim.resolve import World
from sim.study.answer import ServingStudy, TrainingStudy
from sim.study.inputs import NamedInput, named_inputs
from sim.study.metrics import Metric, metrics
from sim.study.question import DOCUMENTATION, Question

Vector = NDArray[np.float64]
Study = TrainingStudy | ServingStudy
COUNT = "count"  # of B that does the work of A
VIEWS = ("amortised", "rental", "acquisition")  # of cost; the first that is known stands for the job
LESS = 0.9  # of its value: what is asked of a number that is taken as exact


def headlines(question: Question, study: Study, world: World, rows: int) -> dict[str, Vector]:
    """What the first page says of a job in every world: count, costs, powers, lengths of the runs (rows,) each."""
    answer = study.answer(world)
    with np.errstate(all="ignore"):  # a cluster that serves nothing has no cost per token
        found = metrics(question, study, answer, rows)
    named = {COUNT: answer.equal}
    for key, side in (("a", question.a), ("b", question.b)):
        for metric, words in (("power", "power"), ("wall_time", "length of the run")):
            named |= {f"{words} on {side.label}": v for m, v in found.items() if m[:2] == (key, metric)}
        cost = _known_cost(found, key)
        if cost is not None:
            named[f"cost on {side.label}"] = cost
    return {name: np.broadcast_to(np.asarray(values, dtype=float), rows) for name, values in named.items()}


def cost_ratio(question: Question, study: Study, world: World, rows: int) -> Vector:
    """Cost of the work on A over that on B in every world (rows,), in the first view known for both; NaN without one."""
    with np.errstate(all="ignore"):
        found = metrics(question, study, study.answer(world), rows)
    return ratio_of_costs(found, rows)


def ratio_of_costs(found: Mapping[Metric, Vector], rows: int) -> Vector:
    """The same, of numbers that are known already."""
    values = {metric[:2]: each for metric, each in found.items()}
    for view in VIEWS:
        a, b = (values.get((key, f"cost_{view}")) for key in ("a", "b"))
        if a is not None and b is not None and np.isfinite(a).any() and np.isfinite(b).any():
            with np.errstate(all="ignore"):
                return np.broadcast_to(np.asarray(a / b, dtype=float), rows)
    return np.full(rows, np.nan)


def _known_cost(found: Mapping[Metric, Vector], key: str) -> Vector | None:
    """The cost in the first view in which it is a number in the first world."""
    for view in VIEWS:
        for metric, values in found.items():
            if metric[:2] == (key, f"cost_{view}") and np.isfinite(values[0]):
                return values
    return None


def exact_numbers(question: Question) -> tuple[Quantity, ...]:
    """Numbers of the files that carry no range, each once, in a fixed order."""
    documents = [d for side in question.sides for d in (side.chip, side.kernels, side.system, side.region)]
    leaves = [
        (path, leaf)
        for document in (*documents, *(task.workload for task in question.tasks))
        for path, leaf in quantities(document).items()
    ]
    rents = [(side.rent.path, side.rent) for side in question.sides if side.rent is not None]
    found = {path: leaf for path, leaf in (*leaves, *rents) if _exact(path, leaf)}
    return tuple(found[path] for path in sorted(found))


def _exact(path: str, leaf: Quantity) -> bool:
    part = path.partition("#")[2].partition(".")[0].partition("[")[0]
    return part not in DOCUMENTATION and not leaf.is_uncertain and not leaf.is_unknown and leaf.value != 0


def named_exact(question: Question) -> tuple[NamedInput, ...]:
    """The same with their names and sources."""
    return named_inputs(replace(question, inputs=exact_numbers(question)))


def with_less(world: World, numbers: Sequence[Quantity], rows: int) -> World:
    """The world with a tenth taken off one exact number in each of its last rows."""
    first = rows - len(numbers)
    changed = {
        q.path: np.where(np.arange(rows) == first + index, LESS * q.value, q.value)
        for index, q in enumerate(numbers)
    }
    return World({**world.values, **changed})


def relative(values: Vector, base: float) -> Vector:
    """Change over the base; infinite where the value has no end, and 0 where neither has one."""
    with np.errstate(all="ignore"):
        moved = (values - base) / abs(base)
    both = ~np.isfinite(values) & ~np.isfinite(base)
    return np.where(both, 0.0, np.where(np.isnan(moved), np.inf, moved))
