"""The end-to-end factors of serving, one per chip family, precision and phase, fitted on calibrate rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.calibrate_training import ROUNDS, SCALE, SpeedFactor
from sim.study.serving_cases import ServingSetting, look_up
from sim.study.serving_points import measure
from sim.study.validate_serving import FAMILIES, HEADLINE
from sim.study.validation import CannotPredict, Case, huber_centre, shrunk

STRENGTH = 1.0  # a group counts as if one more row had said that the kernels are right
SLOWER_IS_MORE = ("tpot_ms", "ttft_ms", "e2e_ms")  # metrics that fall when the chip is faster


def phase_of(case: Case) -> str:
    """Which factor a row can tell: that of prefill where nothing is decoded, else that of decode."""
    return "prefill" if case.text("phase") == "prefill" else "decode"


def fit_serving_factors(
    cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules
) -> dict[tuple[str, str, str], SpeedFactor]:
    """Factors by (family, precision, phase) from the calibrate rows alone.

    Notes
    -----
    As for training: a group's log factor moves by the Huber centre of its log errors until they centre on zero, then is
    pulled to one as if one more row had said that the kernels are right.
    """
    groups: dict[tuple[str, str, str], list[ServingSetting]] = {}
    for setting in _usable(cases, catalogue, rules):
        key = (FAMILIES[setting.chip.family], setting.precision, phase_of(setting.case))
        groups.setdefault(key, []).append(setting)
    found = {}
    for key, members in groups.items():
        weights = np.array([member.case.weight for member in members])
        log_factor, errors = 0.0, np.zeros(len(members))
        for _ in range(ROUNDS):
            errors = np.array([_error(member, key[2], float(np.exp(log_factor))) for member in members])
            log_factor -= huber_centre(errors, weights, SCALE)
        value = float(np.exp(shrunk(log_factor, float(weights.sum()), 0.0, STRENGTH)))
        spread = 1.4826 * float(np.median(np.abs(errors)))
        found[key] = SpeedFactor(value, float(np.exp(log_factor)), spread, len(members), float(weights.sum()))
    return found


def _usable(cases: Iterable[Case], catalogue: Catalogue, rules: EngineRules) -> list[ServingSetting]:
    found = []
    for case in cases:
        single = case.text("metric") == "ttft_ms" and case.text("load_mode") == "single_request"
        if case.use != "calibrate" or not (case.text("metric") in HEADLINE or single):
            continue
        try:
            setting = look_up(case, catalogue, rules)
            measure(setting)
        except (CannotPredict, UnknownQuantityError, InputError, KeyError, ValueError):
            continue
        found.append(setting)
    return found


def _error(setting: ServingSetting, phase: str, factor: float) -> float:
    """log of predicted over measured speed."""
    point = measure(replace(setting, speed={phase: factor}))
    ratio = float(np.ravel(point.value)[0]) / setting.case.measured
    return float(-np.log(ratio) if setting.case.text("metric") in SLOWER_IS_MORE else np.log(ratio))
