"""Models that need no model: what a step-time model of training must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.validation.cases import CannotPredict, Case
from sim.study.validation.scores import Prediction, median_by_group
from sim.study.validation.timed_rows import HEADLINE
from sim.study.validation.training_rows import global_batch
from sim.training.flops import model_flop_per_token


def baselines(
    predictions: Sequence[Prediction], fitted_on: Sequence[Prediction], catalogue: Catalogue
) -> dict[str, dict[str, float]]:
    """Two models a step-time model must beat: a constant utilisation of the 16-bit peak, one for all rows and
    one for each chip family, precision and kind of model; medians of the rows they are fitted on."""
    shares, known = _peak_shares(predictions, catalogue), _peak_shares(fitted_on, catalogue)
    fitted = [p.case for p in fitted_on if p.case.key in known]
    names = {"one constant": lambda case: "", "constant per family, precision and kind": _group_key}
    found: dict[str, dict[str, float]] = {}
    common = float(np.median([known[case.key] for case in fitted])) if fitted else float("nan")
    for name, key in names.items():
        constants = median_by_group(known, fitted, key)
        found[name] = {
            p.case.key: _at_share(p, constants.get(key(p.case), common) / shares[p.case.key])
            for p in predictions
            if p.case.key in shares
        }
    return found


def _peak_shares(predictions: Sequence[Prediction], catalogue: Catalogue) -> dict[str, float]:
    """Measured model arithmetic of each row over the 16-bit peak of its chips, where the row tells."""
    shares: dict[str, float] = {}
    for prediction in predictions:
        case = prediction.case
        if not np.isfinite(prediction.error) or case.text("metric") not in HEADLINE:
            continue
        try:
            rate = _tokens_per_chip_second(prediction)
            model = catalogue.model(case.id("model_id")).shape
            peak = catalogue.chip(case.id("chip")).compute.matrix["bf16"].value
            flop = model_flop_per_token(model, case.number("seq_len"), causal=True)
        except (CannotPredict, KeyError, UnknownQuantityError, InputError):
            continue
        shares[case.key] = rate * flop / peak
    return shares


def _group_key(case: Case) -> str:
    return "|".join(case.groups[name] for name in ("family", "precision", "kind"))


def _tokens_per_chip_second(prediction: Prediction) -> float:
    """Measured tokens per second and chip, from whatever the row states."""
    case = prediction.case
    over = case.measured / prediction.predicted
    seconds = sum(prediction.breakdown.values())
    batch = global_batch(case)
    rate = batch / (seconds * case.number("n_chips"))
    return rate / over if case.text("metric") == "step_time_s" else rate * over


def _at_share(prediction: Prediction, factor: float) -> float:
    """The measured value if the speed were ``factor`` times the measured one."""
    measured = prediction.case.measured
    return measured / factor if prediction.case.text("metric") == "step_time_s" else measured * factor
