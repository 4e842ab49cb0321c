"""Published serving results, predicted: throughput and latency, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from sim.physics.counts import parameter_counts
from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.validation.cases import (
    CannotPredict,
    Case,
    Table,
    family_of,
    kind_of,
    validation_catalogue,
    validation_folder,
)
from sim.study.validation.scores import (
    Z80,
    Prediction,
    ValidationResult,
    median_by_group,
    predicted_or_refused,
    score,
)
from sim.study.validation.serving_cases import look_up, read_engine_rules
from sim.study.validation.serving_points import measure
from sim.study.validation.serving_setting import ServingSetting, years_between
from sim.study.validation.serving_words import tidied
from sim.study.worlds import sobol_probabilities, world_at

THROUGHPUT = frozenset({"tokens_per_s_per_chip", "total_tokens_per_s_per_chip"})
HEADLINE = THROUGHPUT | {"tpot_ms", "tokens_per_s_per_user"}
COLUMNS = ("case_id", "model_id", "chip", "n_chips", "phase", "metric", "value")
TABLE = Table("inference.csv", "engines.yaml", COLUMNS, "about-inference.md")
DRAWS = 32
CACHE_OPEN = ("trtllm",)  # engines whose quantised checkpoints come with either cache
_CACHE = "kv_dtype not published: bf16 taken, fp8 gives {:.4g}"
FAMILIES = {
    "hopper": "Hopper",
    "h20": "H20",
    "blackwell": "Blackwell",
    "blackwell-ultra": "Blackwell",
    "cdna3": "AMD",
    "cdna4": "AMD",
    "ascend-910": "Ascend 910",
    "ascend-950": "Ascend 950",
}


def predict(case: Case, catalogue: Catalogue, rules: EngineRules, draws: int = DRAWS) -> Prediction:
    """Prediction of one row with its 80 % interval, or the reason why there is none."""
    return predicted_or_refused(case, lambda: _predict(case, catalogue, rules, draws))


def _predict(case: Case, catalogue: Catalogue, rules: EngineRules, draws: int) -> Prediction:
    setting = look_up(case, catalogue, rules)
    point = measure(setting)
    middle = float(np.ravel(point.value)[0])
    other = _other_cache(setting)
    parts = [log_spread(setting, draws), model_error(setting), level_error(setting)]
    if other and setting.case.text("engine") in CACHE_OPEN:
        parts.append(abs(float(np.log(other / middle))) / 2.0)
    wide = float(np.exp(Z80 * np.linalg.norm(parts)))
    terms = {name: float(np.ravel(np.asarray(value))[0]) for name, value in point.terms.items()}
    said = "" if not other or abs(other / middle - 1.0) < 0.01 else _CACHE.format(other)
    note = "; ".join(part for part in (point.note, said) if part)
    return Prediction(case, middle, middle / wide, middle * wide, note=note, breakdown=terms)


def _other_cache(setting: ServingSetting) -> float:
    """What a narrower cache would give, where the row does not say how wide it is; 0 where it does."""
    case = setting.case
    if case.text("kv_dtype") or case.text("phase") == "prefill":
        return 0.0
    narrow = replace(setting, case=replace(case, row={**case.row, "kv_dtype": "fp8"}))
    return float(np.ravel(measure(narrow).value)[0])


def log_spread(setting: ServingSetting, draws: int = DRAWS) -> float:
    """Standard deviation of the logarithm of the prediction over what the row leaves open."""
    inputs = setting.inputs()
    many = measure(setting, world_at(inputs, sobol_probabilities(draws, len(inputs), seed=1)))
    return float(np.std(np.log(np.ravel(many.value))))


def model_error(setting: ServingSetting) -> float:
    """Standard deviation of log(predicted / measured) that the inputs of a row do not explain."""
    table = setting.rules.model_error
    family = FAMILIES.get(setting.chip.family, "other")
    return table[measured_kind(setting.case)] * table.get(family.lower().replace(" ", "-"), 1.0)


def level_error(setting: ServingSetting) -> float:
    """Standard deviation of the level of an engine, chip family and model, as far as calibrate runs leave it open.

    Notes
    -----
    tau sqrt(k / (n + k)) after n runs of the same three, and, for software of an unknown month, that of a month anywhere in
    the span of the data.
    """
    case, found, pace = setting.case, setting.rules.engine_levels, setting.rules.software_pace
    level = 0.0
    if found is not None:
        family = FAMILIES.get(setting.chip.family, "other")
        runs = found.runs.get(f"{case.text('engine')}/{family}/{case.text('model_id')}", 0.0)
        level = found.spread * float(np.sqrt(found.runs_alike / (runs + found.runs_alike)))
    undated = pace is not None and setting.paced and setting.years_later() is None
    span = pace.yearly.median * years_between(pace.first, pace.last) if pace and undated else 0.0
    return float(np.hypot(level, span / np.sqrt(12.0)))


def measured_kind(case: Case) -> str:
    """What is measured, as far as the width of an interval goes: prefill, decode, both, or a first token."""
    if case.text("metric") in ("ttft_ms", "e2e_ms"):
        return "ttft_single" if case.text("load_mode") == "single_request" else "ttft_loaded"
    if case.text("phase") == "prefill" or case.text("metric") == "kv_transfer_ms":
        return "prefill"
    return "decode" if case.text("load_mode") in ("fixed_batch", "single_request") else "both"


def groups_of(case: Case, catalogue: Catalogue) -> Mapping[str, str]:
    """Chip family, phase, dense or mixture of experts, metric, engine."""
    case = tidied(case)
    metric = case.text("metric")
    name = "throughput" if metric in THROUGHPUT else metric.removesuffix("_ms")
    if name == "ttft":
        name = "ttft single" if case.text("load_mode") == "single_request" else "ttft loaded"
    return {
        "family": family_of(case, catalogue, FAMILIES),
        "phase": case.text("phase") if case.text("load_mode") in ("fixed_batch", "saturated") else "both",
        "kind": kind_of(case, catalogue),
        "measure": name,
        "engine": case.text("engine"),
    }


def validate_serving(
    cases_path: Path | None = None,
    catalogue: Catalogue | None = None,
    rules_path: Path | None = None,
    draws: int = DRAWS,
) -> ValidationResult:
    """Predict every row of a table of serving results.

    Parameters
    ----------
    cases_path : Path, optional
        CSV with the columns of ``validation/inference.csv``, which is the default; missing columns count as empty.
    catalogue : Catalogue, optional
        Chips, systems and models; by default the shipped ones and those of ``validation/``.
    rules_path : Path, optional
        Engine table; left out: ``engines.yaml`` beside the table, else the shipped one.
    draws : int
        Worlds in which each row is computed, for the width of its interval.

    Raises
    ------
    InputError
        When the table or the engine table cannot be read.
    """
    table, engines = TABLE.files(cases_path, rules_path)
    known, rules = catalogue or validation_catalogue(), read_engine_rules(engines)
    cases = [tidied(case) for case in TABLE.read(table, lambda case: groups_of(case, known))]
    predictions = tuple(predict(case, known, rules, draws) for case in cases)
    return ServingValidation(
        "serving", predictions, HEADLINE, _baselines(predictions, _fitted(cases, known), known)
    )


def _fitted(cases: Sequence[Case], catalogue: Catalogue) -> list[Case]:
    """Rows that simple rules may be fitted on: those of the table, or of the shipped one where it has none."""
    found = [case for case in cases if case.use == "calibrate"]
    if found:
        return found
    shipped = TABLE.read(validation_folder() / TABLE.cases, lambda case: groups_of(case, catalogue))
    return [case for case in shipped if case.use == "calibrate"]


@dataclass(frozen=True, slots=True)
class ServingValidation(ValidationResult):
    """Predictions of a serving table; rows of one run and measure share the weight of one row."""

    def summary(self) -> dict[str, Any]:
        """Scores as of any validation, the measures beside the headline, and whether chips are ranked as measured."""
        weighted = ValidationResult(
            self.kind, tuple(_once_per_run(self.predictions)), self.headline, self.baselines
        )
        found = weighted.summary()
        ttft = [
            p for p in weighted.predictions if p.case.use == "validate" and p.case.text("metric") == "ttft_ms"
        ]
        for name in ("ttft single", "ttft loaded"):
            found[name] = score([p for p in ttft if p.case.groups["measure"] == name]).as_dict()
        found["rank_correlation"] = rank_correlation(self.predictions)
        return found


def _once_per_run(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The same predictions, with the weight of a row divided by the rows of its run that state the same measure."""

    def key(p: Prediction) -> tuple[str, str, str]:
        return p.case.text("run_group") or p.case.case_id, p.case.groups.get("measure", ""), p.case.use

    rows = Counter(key(p) for p in predictions)
    return [
        replace(p, case=replace(p.case, row={**p.case.row, "weight": str(p.case.weight / rows[key(p)])}))
        for p in predictions
    ]


def rank_correlation(predictions: Sequence[Prediction]) -> float | None:
    """Spearman's rho of predicted and measured throughput per chip between chips that did the same job.

    Mean over jobs (model, phase and lengths) that at least three different rows state; None where there is none.
    """
    jobs: dict[tuple[str, ...], list[Prediction]] = {}
    for p in predictions:
        if p.case.text("metric") in THROUGHPUT and np.isfinite(p.predicted) and np.isfinite(p.case.measured):
            key = tuple(p.case.text(name) for name in ("model_id", "phase", "isl", "osl"))
            jobs.setdefault(key, []).append(p)
    found = [
        float(spearmanr([p.predicted for p in rows], [p.case.measured for p in rows]).statistic)
        for rows in jobs.values()
        if len({p.case.text("chip") for p in rows}) >= 3 and len({p.case.measured for p in rows}) > 1
    ]
    found = [rho for rho in found if np.isfinite(rho)]
    return round(float(np.mean(found)), 3) if found else None


def _baselines(
    predictions: Sequence[Prediction], fitted: Sequence[Case], catalogue: Catalogue
) -> dict[str, dict[str, float]]:
    """Two models a step model must beat: tokens per second at a constant share of the matrix peak, one per phase, and one
    for each chip family, kind of model and phase; medians of the calibrate rows."""

    def shares_of(cases: Sequence[Case]) -> dict[str, float]:
        counted = (
            (case.key, _flop_share(case, catalogue)) for case in cases if case.text("metric") in HEADLINE
        )
        return {key: share for key, share in counted if share is not None}

    shares, known = shares_of([p.case for p in predictions]), shares_of(fitted)
    fitted = [case for case in fitted if case.key in known]
    names = {
        "constant per phase": lambda case: case.text("phase"),
        "constant per family, kind and phase": lambda case: "|".join(
            (case.groups["family"], case.groups["kind"], case.text("phase"))
        ),
    }
    common = float(np.median([known[case.key] for case in fitted])) if fitted else float("nan")
    found: dict[str, dict[str, float]] = {}
    for name, key in names.items():
        constants = median_by_group(known, fitted, key)
        found[name] = {}
        for p in predictions:
            if p.case.key in shares:
                factor = constants.get(key(p.case), common) / shares[p.case.key]
                slower = p.case.text("metric") == "tpot_ms"
                found[name][p.case.key] = p.case.measured / factor if slower else p.case.measured * factor
    return found


def _flop_share(case: Case, catalogue: Catalogue) -> float | None:
    """Matrix work per second of a row over the dense peak of its precision; None where the row does not tell."""
    try:
        model, chip = catalogue.model(case.id("model_id")), catalogue.chip(case.id("chip"))
        peaks = chip.compute.matrix
        precision = case.text("compute_dtype")
        peak = peaks.get(precision, peaks["bf16"]).median  # type: ignore[call-overload]
        rate = case.measured
        if case.text("metric") == "tpot_ms":
            rate = 1e3 * case.number("batch_per_chip") / case.measured
        elif case.text("metric") == "tokens_per_s_per_user":
            rate = case.measured * case.number("batch_per_chip")
        if case.text("phase") == "both":
            rate *= 1 + case.number("isl") / case.number("osl")
        return rate * 2 * parameter_counts(model.shape).active / peak
    except (CannotPredict, InputError, UnknownQuantityError, KeyError):
        return None
