"""Published training runs, predicted: step time, throughput, utilisation, totals and stops, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.stacks import StackRules
from sim.study.validation.cases import CannotPredict, Case, Table, family_of, kind_of, validation_catalogue
from sim.study.validation.scores import Z80, Prediction, ValidationResult, predicted_or_refused
from sim.study.validation.timed_rows import (
    DRAWS,
    HEADLINE,
    flop_per_token,
    in_metric,
    log_error,
    model_error,
    time_of,
)
from sim.study.validation.training_baselines import baselines
from sim.study.validation.training_cases import FAMILIES, look_up, precision_of, read_rules
from sim.study.validation.training_rows import check_plausible
from sim.study.validation.training_totals import CAMPAIGN, predict_campaign

__all__ = ["HEADLINE", "flop_per_token", "in_metric", "log_error", "predict", "time_of", "validate_training"]

COLUMNS = ("case_id", "model_id", "chip", "n_chips", "seq_len", "metric", "value")
TABLE = Table("training.csv", "software.yaml", COLUMNS, "about-training.md")


def predict(case: Case, catalogue: Catalogue, rules: StackRules, draws: int = DRAWS) -> Prediction:
    """Prediction of one row with its 80 % interval, or the reason why there is none."""
    return predicted_or_refused(case, lambda: _predict(case, catalogue, rules, draws))


def _predict(case: Case, catalogue: Catalogue, rules: StackRules, draws: int) -> Prediction:
    check_plausible(case)
    if case.text("metric") in CAMPAIGN:
        return predict_campaign(case, catalogue, rules, draws)
    case.id("model_id"), case.id("chip")  # before either is looked for as a file
    setting = look_up(case, catalogue, rules)
    timed = time_of(setting, draws)
    middle = in_metric(timed, timed.seconds)
    wide = float(np.exp(Z80 * np.hypot(timed.spread, model_error(setting))))
    ends = [in_metric(timed, timed.seconds * factor) for factor in (1 / wide, wide)]
    return Prediction(case, middle, min(ends), max(ends), note=timed.note, breakdown=timed.breakdown())


def groups_of(case: Case, catalogue: Catalogue) -> Mapping[str, str]:
    """Chip family, precision, dense or mixture of experts, scale."""
    try:
        chips = case.number("n_chips", 0.0)
    except CannotPredict:
        chips = 0.0
    scale = "up to 64" if chips <= 64 else "up to 2048" if chips <= 2048 else "above 2048"
    precision = {"bf16": "16 bit", "fp8": "FP8", "fp4": "FP4"}[precision_of(case)]
    return {
        "family": family_of(case, catalogue, FAMILIES),
        "precision": precision,
        "kind": kind_of(case, catalogue),
        "scale": scale,
    }


def validate_training(
    cases_path: Path | None = None,
    catalogue: Catalogue | None = None,
    rules_path: Path | None = None,
    draws: int = DRAWS,
) -> ValidationResult:
    """Predict every row of a table of training runs.

    Parameters
    ----------
    cases_path : Path, optional
        CSV with the columns of ``validation/training.csv``, which is the default; missing columns count as
        empty.
    catalogue : Catalogue, optional
        Chips, systems and models; by default the shipped ones and those of ``validation/``.
    rules_path : Path, optional
        Software table; left out: ``software.yaml`` beside the table, else the shipped one.
    draws : int
        Worlds in which each row is computed, for the width of its interval.

    Raises
    ------
    InputError
        When the table or the software table cannot be read.
    """
    table, software = TABLE.files(cases_path, rules_path)
    known, rules = catalogue or validation_catalogue(), read_rules(software)
    cases = TABLE.read(table, lambda case: groups_of(case, known))
    predictions = tuple(predict(case, known, rules, draws) for case in cases)
    done = [p for p in predictions if p.case.use == "calibrate" and np.isfinite(p.error)]
    fitted = done or _shipped_calibrate_rows(known)
    return ValidationResult("training", predictions, HEADLINE, baselines(predictions, fitted, known))


def _shipped_calibrate_rows(catalogue: Catalogue) -> list[Prediction]:
    """What simple rules are fitted on for a table that has no calibrate rows."""
    table, software = TABLE.files(None, None)
    rules = read_rules(software)
    cases = TABLE.read(table, lambda case: groups_of(case, catalogue))
    return [predict(case, catalogue, rules, draws=1) for case in cases if case.use == "calibrate"]
