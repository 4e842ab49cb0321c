"""The one end-to-end factor per chip family and precision, fitted on calibrate rows and pulled to the common one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.stacks import StackRules
from sim.study.validation.cases import CannotPredict, Case
from sim.study.validation.scores import SIGMA_PER_MAD, Prediction, huber_centre, shrunk
from sim.study.validation.timed_rows import HEADLINE, in_metric, log_error, time_of
from sim.study.validation.training_cases import Setting, look_up

STRENGTH = 2.0  # a group counts as if two more rows had said the common factor
SCALE = 0.1  # rows farther than this from their group pull with constant force
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class SpeedFactor:
    """A fitted factor on speed.

    Attributes
    ----------
    value : float
        Above one: faster than kernels, network and software say.
    raw : float
        Before it is pulled to the common one.
    spread : float
        Robust standard deviation of the log residuals left.
    rows, weight : int, float
        Calibrate rows behind it.
    """

    value: float
    raw: float
    spread: float
    rows: int
    weight: float


def fit_speed_factors(
    cases: Iterable[Case], catalogue: Catalogue, rules: StackRules
) -> dict[tuple[str, str], SpeedFactor]:
    """Factors by (family, precision) from the calibrate rows alone.

    Notes
    -----
    Fixed point: a group's log factor moves by the Huber centre of its log errors until they centre on zero;
    the time of a step is not proportional to the factor, since traffic and host time stay. Groups are then
    pulled towards the Huber centre of all rows.
    """
    settings = _usable(cases, catalogue, rules)
    groups: dict[tuple[str, str], list[Setting]] = {}
    for setting in settings:
        groups.setdefault((setting.family, setting.precision), []).append(setting)
    centred = {key: _centre(members) for key, members in groups.items()}
    logs = np.array([np.log(centred[(s.family, s.precision)][0]) for s in settings])
    common = huber_centre(logs, np.array([s.case.weight for s in settings]), SCALE)
    found = {}
    for key, members in groups.items():
        raw, errors = centred[key]
        weights = np.array([member.case.weight for member in members])
        value = np.exp(shrunk(float(np.log(raw)), float(weights.sum()), common, STRENGTH))
        spread = SIGMA_PER_MAD * float(np.median(np.abs(errors)))
        found[key] = SpeedFactor(float(value), raw, spread, len(members), float(weights.sum()))
    found[("common", "")] = SpeedFactor(float(np.exp(common)), float(np.exp(common)), 0.0, len(settings), 0.0)
    return found


def _usable(cases: Iterable[Case], catalogue: Catalogue, rules: StackRules) -> list[Setting]:
    found = []
    for case in cases:
        if case.use == "calibrate" and case.text("metric") in HEADLINE:
            try:
                setting = look_up(case, catalogue, rules)
                _error(replace(setting, speed=1.0))
            except (CannotPredict, KeyError):
                continue
            found.append(setting)
    return found


def _centre(members: list[Setting]) -> tuple[float, np.ndarray]:
    """Factor at which the log errors of a group centre on zero, and those errors."""
    weights = np.array([member.case.weight for member in members])
    log_factor, errors = 0.0, np.zeros(len(members))
    for _ in range(ROUNDS):
        errors = np.array([_error(replace(member, speed=float(np.exp(log_factor)))) for member in members])
        log_factor -= huber_centre(errors, weights, SCALE)
    return float(np.exp(log_factor)), errors


def _error(setting: Setting) -> float:
    """log of predicted over measured speed."""
    timed = time_of(setting, draws=1)
    return log_error(Prediction(setting.case, in_metric(timed, timed.seconds)))
