"""What a row states of a whole run: chip-hours, days, energy, goodput, stops; from the step time and the campaign."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.physics.counts import parameter_counts
from sim.physics.power import chip_power
from sim.profiles.catalogue import Catalogue
from sim.profiles.files import check
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.leaves import quantities, with_paths
from sim.profiles.reliability import PastReliability, Reliability
from sim.profiles.stacks import StackRules
from sim.profiles.tree import read_tree
from sim.profiles.workload import TrainingRecipe
from sim.quantity import Quantity
from sim.resolve import MEDIAN, World
from sim.study.campaign import Crew, campaign_plan, scale_up_domain, state_bytes, stop_causes
from sim.study.validation.cases import CannotPredict, Case, validation_folder
from sim.study.validation.scores import Z80, Prediction
from sim.study.validation.timed_rows import model_error, time_of
from sim.study.validation.training_cases import is_old, look_up, resolve_job, system_of
from sim.study.worlds import sobol_probabilities, world_at
from sim.training.goodput import goodput
from sim.units import DAY, HOUR, KWH

TOTALS = ("gpu_hours_total", "wall_days")
CAMPAIGN = frozenset({*TOTALS, "goodput", "interruptions", "mttf_hours", "energy_kwh"})
RECIPE = "pretrain-v3"  # whose stops and restarts stand for those of every stack since 2023

Reader = Callable[[World], float | NDArray[np.float64]]


def predict_campaign(case: Case, catalogue: Catalogue, rules: StackRules, draws: int) -> Prediction:
    """Prediction of a row about a whole run.

    Raises
    ------
    CannotPredict
        When the row does not tell what the metric depends on.
    """
    metric = case.text("metric")
    if metric in TOTALS:
        return _predict_total(case, catalogue, rules, draws)
    chip = catalogue.chip(case.id("chip"))
    system = system_of(chip.id, catalogue, case)
    reliability, inputs = reliability_of(case, catalogue, rules)
    chips = case.number("n_chips")
    if metric == "energy_kwh":
        duration_s = _duration(case)
        inputs = [chip.power.idle, chip.power.tdp, chip.power.training, system.power.server]
        return _from_worlds(case, inputs, lambda w: server_power(chip, system, w) * chips * duration_s / KWH, draws,
                            rules.server_power.median, "chips and servers, without network and cooling")  # fmt: skip
    if metric == "goodput":
        state = parameter_counts(catalogue.model(case.id("model_id")).shape).total * (
            rules.state.weight.median + rules.state.adamw.median
        )

        def share(world: World) -> NDArray[np.float64]:
            crew = _crew(chip, system, chips, reliability, world)
            plan = campaign_plan(reliability, state, crew, rules.usual_run.median, world)
            return np.asarray(goodput(plan).share)

        return _from_worlds(case, inputs, share, draws, ends=True)

    def rate(world: World) -> NDArray[np.float64]:
        return np.asarray(_failure_rate(chip, world) * stop_causes(reliability, world)[1] * chips)

    if metric == "mttf_hours":
        return _from_worlds(
            case, inputs, lambda w: 1.0 / rate(w) / HOUR, draws, note="hardware and stack, not users"
        )
    duration_s = _duration(case)
    expected = float(rate(MEDIAN)) * duration_s
    chance = 1.0 / np.sqrt(expected)  # of a Poisson count
    note = f"over {duration_s / DAY:.3g} days"
    return _from_worlds(case, inputs, lambda w: rate(w) * duration_s, draws, own=chance, note=note)


def _predict_total(case: Case, catalogue: Catalogue, rules: StackRules, draws: int) -> Prediction:
    """Days or chip-hours of all steps, stops included."""
    setting = look_up(case, catalogue, rules)
    if not case.text("tokens_total_T"):
        raise CannotPredict("tokens_total_T is not given")
    job, timed = resolve_job(setting), time_of(setting, draws)
    work_s, chips = float(job.steps) * timed.seconds, case.number("n_chips") / setting.dies
    booked = 0.0 if _is_ideal(case) else rules.booked.median
    own = float(np.sqrt(timed.spread**2 + model_error(setting) ** 2 + booked**2))
    note = f"{timed.note}; {job.steps:,.0f} steps of {timed.seconds:.3g} s"
    unit = DAY if case.text("metric") == "wall_days" else HOUR / chips
    reliability, inputs = reliability_of(case, catalogue, rules)
    usual = setting.chosen()["goodput"]

    def total(world: World) -> float | NDArray[np.float64]:
        if _is_ideal(case):
            return work_s / unit
        if setting.chip.failure_rate is None:
            return work_s / np.asarray(world(usual)) / unit
        crew = _crew(setting.chip, setting.system, chips, reliability, world)
        return (
            np.asarray(goodput(campaign_plan(reliability, state_bytes(job), crew, work_s, world)).wall_s)
            / unit
        )

    share = work_s / unit / float(np.ravel(total(MEDIAN))[0])
    note += ", without stops" if _is_ideal(case) else f", goodput {share:.2f}"
    found = _from_worlds(case, [*inputs, usual], total, draws, own=own, note=note)
    return Prediction(case, found.predicted, found.low, found.high, note=note, breakdown=timed.breakdown())


def _from_worlds(
    case: Case, inputs: list[Quantity], value: Reader, draws: int, own: float = 0.0, note: str = "", ends: bool = False
) -> Prediction:  # fmt: skip
    """Median and 80 % interval of a number over the inputs; ``own`` is a further spread of its logarithm."""
    uncertain = [quantity for quantity in inputs if quantity.is_uncertain]
    middle = float(np.ravel(value(MEDIAN))[0])
    many = np.ravel(value(world_at(uncertain, sobol_probabilities(draws, len(uncertain), seed=1))))
    if ends:
        low, high = np.quantile(many, [0.1, 0.9])
        return Prediction(case, middle, min(float(low), middle), max(float(high), middle), note=note)
    wide = float(np.exp(Z80 * np.hypot(np.std(np.log(many)), own)))
    return Prediction(case, middle, middle / wide, middle * wide, note=note)


def server_power(
    chip: ChipProfile, system: SystemProfile, world: World = MEDIAN
) -> float | NDArray[np.float64]:
    """Power of a chip in training with its share of the server, at the plug [W/chip]."""
    busy = world(chip.power.tdp) * world(chip.power.training)
    return chip_power(1.0, world(chip.power.idle), busy) + world(system.power.server)


def reliability_of(case: Case, catalogue: Catalogue, rules: StackRules) -> tuple[Reliability, list[Quantity]]:
    """How runs of the row's time stop and come back, and what is uncertain about it."""
    if is_old(case, rules):
        past = past_reliability(validation_folder() / "reliability-2022.yaml")
        found, leaves = past.reliability, quantities(past)
    else:
        recipe = catalogue.workload(RECIPE)
        assert isinstance(recipe, TrainingRecipe)
        found, leaves = recipe.reliability, quantities(recipe)
    inputs = [leaf for path, leaf in leaves.items() if path.partition("#")[2].startswith("reliability")]
    rate = catalogue.chip(case.id("chip")).failure_rate
    return found, inputs if rate is None else [*inputs, rate]


@cache
def past_reliability(path: Path) -> PastReliability:
    """The file about runs of an earlier time."""
    tree = read_tree(path)
    return with_paths(check(tree, PastReliability), "validation", tree)


def _crew(chip: ChipProfile, system: SystemProfile, chips: float, rules: Reliability, world: World) -> Crew:
    """The chips of the row at work, with the spares that such runs hold beside them."""
    return Crew(
        owned=chips * (1.0 + np.asarray(world(rules.spares))),
        working=chips,
        server=float(system.chips_per_server),
        domain=scale_up_domain(system),
        failure_rate=_failure_rate(chip, world),
    )


def _failure_rate(chip: ChipProfile, world: World) -> float | NDArray[np.float64]:
    if chip.failure_rate is None:
        raise CannotPredict(f"{chip.name} has no failure rate")
    return world(chip.failure_rate)


def _is_ideal(case: Case) -> bool:
    """Whether the number is said to leave out stops."""
    said = f"{case.text('note')} {case.text('sim_note')}".lower()
    return "failure-free" in said or "no downtime" in said


def _duration(case: Case) -> float:
    """Time that the number is about [s]: a column, or what the note says."""
    if case.text("duration_days"):
        return DAY * case.number("duration_days")
    note = case.text("note")
    units = {"min": 60.0, "h": HOUR, "hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30.4 * DAY}
    if found := re.search(r"value is per (day|week|month)", note):
        return units[found[1]]
    if found := re.search(r"(?:in|over|run \()\s*(\d+(?:\.\d+)?)[ -](min|h|hour|day|week|month)s?\b", note):
        return float(found[1]) * units[found[2]]
    raise CannotPredict("the time that the number is about is not given: write it as duration_days")
