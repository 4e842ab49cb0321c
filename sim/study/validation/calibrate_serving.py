"""The end-to-end factors of serving, one per chip family, precision and phase, fitted on calibrate rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.validation.calibrate_training import SCALE, SpeedFactor
from sim.study.validation.calibrate_widths import (
    Levels,
    Residual,
    engine_levels,
    left_out_errors,
    runs_by_level,
    widths,
)
from sim.study.validation.scores import SIGMA_PER_MAD, CannotPredict, Case, huber_centre, shrunk
from sim.study.validation.serving_cases import look_up
from sim.study.validation.serving_points import measure
from sim.study.validation.serving_setting import ServingSetting
from sim.study.validation.validate_serving import FAMILIES, HEADLINE, log_spread, measured_kind

# Chosen by leaving out one calibrate run at a time; between 2 and 8 the mean error moves by a hundredth of itself.
STRENGTH = 5.0  # a group counts as if five more runs had said what its family says
FAMILY_STRENGTH = 2.0  # a family, as if two more had said that the kernels are right
ROUNDS = 3  # a step is nearly proportional to the factor: the third round moves it by less than a thousandth
SLOWER_IS_MORE = ("tpot_ms", "ttft_ms", "e2e_ms")  # metrics that fall when the chip is faster


def phase_of(case: Case) -> str:
    """Which factor a row can tell: that of prefill where nothing is decoded, else that of decode."""
    return "prefill" if case.text("phase") == "prefill" else "decode"


def fit_serving_factors(
    cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules
) -> dict[tuple[str, str, str], SpeedFactor]:
    """Factors by (family, precision, phase) from the calibrate rows alone, and by (family, "", "") for groups without
    rows.

    Notes
    -----
    A group's log factor moves by the Huber centre of its log errors until they centre on zero, then is pulled to that of
    its family, which is pulled to one. Rows of one run share the weight of one: throughput and time per token of a run
    tell the same thing.
    """
    settings = _usable(cases, catalogue, rules)
    families: dict[str, list[ServingSetting]] = {}
    groups: dict[tuple[str, str, str], list[ServingSetting]] = {}
    for setting in settings:
        family = FAMILIES.get(setting.chip.family, "other")
        families.setdefault(family, []).append(setting)
        groups.setdefault((family, setting.precision, phase_of(setting.case)), []).append(setting)
    found: dict[tuple[str, str, str], SpeedFactor] = {}
    for family, members in families.items():
        found[(family, "", "")] = _factor(members, 0.0, FAMILY_STRENGTH)
    for key, members in groups.items():
        found[key] = _factor(members, float(np.log(found[(key[0], "", "")].value)), STRENGTH)
    return found


def _factor(members: list[ServingSetting], common: float, strength: float) -> SpeedFactor:
    """Factor of a set of rows, pulled to a common one (its logarithm)."""
    weights = _run_weights(members)
    log_factor, errors = 0.0, np.zeros(len(members))
    for _ in range(ROUNDS):
        factor = float(np.exp(log_factor))
        errors = np.array([_error(member, phase_of(member.case), factor) for member in members])
        log_factor -= huber_centre(errors, weights, SCALE)
    value = float(np.exp(shrunk(log_factor, float(weights.sum()), common, strength)))
    spread = SIGMA_PER_MAD * float(np.median(np.abs(errors)))
    return SpeedFactor(value, float(np.exp(log_factor)), spread, len(members), float(weights.sum()))


def fit_interval_widths(
    cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules
) -> tuple[dict[str, float], dict[str, float]]:
    """Widths by what is measured and factors by family for ``model_error``, from calibrate runs left out one by one."""
    rows = _residuals(cases, catalogue, rules)
    return widths(rows, left_out_errors(rows, STRENGTH, FAMILY_STRENGTH, SCALE))


def fit_engine_levels(
    cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules
) -> tuple[Levels, dict[str, float]]:
    """How far engines differ on a chip family, from calibrate rows with their whole group left out, and the runs by engine,
    family and model for ``engine_levels``."""
    rows = _residuals(cases, catalogue, rules)
    errors = left_out_errors(rows, STRENGTH, FAMILY_STRENGTH, SCALE, engines=True)
    return engine_levels(rows, errors), runs_by_level(rows)


def _residuals(cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules) -> list[Residual]:
    settings = _usable(cases, catalogue, rules, loaded=True)
    rows = []
    for setting, weight in zip(settings, _run_weights(settings), strict=True):
        phase, family = phase_of(setting.case), FAMILIES.get(setting.chip.family, "other")
        fitted = setting.case.text("metric") in HEADLINE or setting.case.text("load_mode") == "single_request"
        rows.append(
            Residual(
                error=_error(setting, phase, 1.0) if fitted else _error(setting),
                spread=log_spread(setting, draws=16),
                weight=float(weight),
                run=setting.case.text("run_group") or setting.case.case_id,
                family=family,
                group="|".join((family, setting.precision, phase)) if fitted else "",
                measure=measured_kind(setting.case),
                engine=setting.case.text("engine"),
                model=setting.case.text("model_id"),
            )
        )
    return rows


def _run_weights(members: list[ServingSetting]) -> NDArray[np.float64]:
    """Weights of rows, those of one run together weighing as much as their mean."""
    runs = [member.case.text("run_group") or member.case.case_id for member in members]
    rows = Counter(runs)
    return np.array([member.case.weight / rows[run] for member, run in zip(members, runs, strict=True)])


def _usable(
    cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules, *, loaded: bool = False
) -> list[ServingSetting]:
    """Calibrate rows that can be predicted and tell a speed; with ``loaded``, those of loaded latency as well."""
    found = []
    for case in cases:
        latency = case.text("metric") in ("ttft_ms", "e2e_ms")
        single = case.text("metric") == "ttft_ms" and case.text("load_mode") == "single_request"
        if case.use != "calibrate" or not (case.text("metric") in HEADLINE or single or (loaded and latency)):
            continue
        try:
            setting = look_up(case, catalogue, rules)
            measure(setting)
        except (CannotPredict, UnknownQuantityError, InputError, KeyError, ValueError):
            continue
        found.append(setting)
    return found


def _error(setting: ServingSetting, phase: str = "", factor: float = 1.0) -> float:
    """log of predicted over measured speed, with another end-to-end factor of a phase where one is named."""
    point = measure(replace(setting, speed={phase: factor}) if phase else setting)
    ratio = float(np.ravel(point.value)[0]) / setting.case.measured
    return float(-np.log(ratio) if setting.case.text("metric") in SLOWER_IS_MORE else np.log(ratio))
