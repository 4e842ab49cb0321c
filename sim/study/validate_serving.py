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
from sim.study.cases import CannotPredict, Case, Table, validation_catalogue
from sim.study.serving_cases import ServingSetting, look_up, read_engine_rules
from sim.study.serving_points import measure
from sim.study.validation import (
    Z80,
    Prediction,
    ValidationResult,
    median_by_group,
    predicted_or_refused,
    score,
)
from sim.study.worlds import sobol_probabilities, world_at

THROUGHPUT = frozenset({"tokens_per_s_per_chip", "total_tokens_per_s_per_chip"})
HEADLINE = THROUGHPUT | {"tpot_ms", "tokens_per_s_per_user"}
COLUMNS = ("case_id", "model_id", "chip", "n_chips", "phase", "metric", "value")
TABLE = Table("inference.csv", "engines.yaml", COLUMNS)
DRAWS = 32
PREFACE = """
Every line of `inference.csv` is one published number, with its source there. `parity validate serving` makes this page
again; `parity validate serving --cases FILE` predicts any table with the same columns.

What was fitted, and on what: one end-to-end speed factor per chip family, precision and phase (`speed.prefill` and
`speed.decode` in `hardware_profiles/kernels`), on the rows marked `calibrate` alone, by a robust mean pulled towards one;
never a factor per row. The terms of `engines.yaml` hold for all rows of an engine alike. Rows marked `validate` were used
for no fit, but they were looked at while the terms were chosen, so expect new rows to be worse by a third or so.

Inputs on speed beside these factors, all chosen with results in view, rows marked `validate` among them. In
`engines.yaml`, one per engine and family, never per row: `engine_speed` of SGLang on Ascend 910C, 0.93 (0.85 to 1.0;
derived from its runs against those of Huawei's own engines), of Huawei's CANN samples on Ascend 950, 1.20 (1.05 to 1.40;
assumed: demonstrations without scheduler and with forced balance), of all others, 1.0 (0.96 to 1.04; derived);
`grouped_speed` of the expert products, 1.0 (0.92 to 1.08; derived). In `hardware_profiles/kernels/blackwell.yaml` and
`blackwell-ultra.yaml`: the bandwidth of expert products in FP4 and FP8 was raised from the fit of the kernel tables
after comparing with published end-to-end results, not with the `calibrate` rows alone.

The headline counts throughput and time per output token; several rows of one run share the weight of one. Time to first
token under load is mostly queue and scheduler: it is played request by request, with the burst at the start of a run, and
stays two to three times worse than everything else.

An interval is the spread of what the row leaves open (engine, network) together with the error that such models have on
chips of the family. Bold: the interval missed. A row that cannot be simulated counts as an error of 100 %.

What the largest misses have in common: the caps that engines put on the running batch are not published (TensorRT-LLM,
MLPerf); schedulers hold prompts back (SGLang on 910C; its separate prefill pools run at half the speed of anything we
can explain); the accepted length of drafts is stated loosely (DeepSeek-V4.1-Flash).
"""
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
_ERROR_FACTOR = {
    "H20": "h20", "Blackwell": "blackwell", "AMD": "cdna", "Ascend 910": "ascend-910", "Ascend 950": "ascend-950",
    "other": "other",
}  # fmt: skip


def predict(case: Case, catalogue: Catalogue, rules: EngineRules, draws: int = DRAWS) -> Prediction:
    """Prediction of one row with its 80 % interval, or the reason why there is none."""
    return predicted_or_refused(case, lambda: _predict(case, catalogue, rules, draws))


def _predict(case: Case, catalogue: Catalogue, rules: EngineRules, draws: int) -> Prediction:
    setting = look_up(case, catalogue, rules)
    point = measure(setting)
    inputs = setting.inputs()
    many = measure(setting, world_at(inputs, sobol_probabilities(draws, len(inputs), seed=1)))
    middle = float(np.ravel(point.value)[0])
    spread = float(np.std(np.log(np.ravel(many.value))))
    wide = float(np.exp(Z80 * np.hypot(spread, model_error(setting))))
    terms = {name: float(np.ravel(np.asarray(value))[0]) for name, value in point.terms.items()}
    return Prediction(case, middle, middle / wide, middle * wide, note=point.note, breakdown=terms)


def model_error(setting: ServingSetting) -> float:
    """Standard deviation of log(predicted / measured) that the inputs of a row do not explain."""
    case, table = setting.case, setting.rules.model_error
    base = table[_what(case)]
    family = _ERROR_FACTOR.get(case.groups.get("family", "other"), "")
    factor = table.get(family, 1.0) * (table["moe"] if setting.model.shape.moe is not None else 1.0)
    return base * factor * (table["light"] if case.weight < 1.0 else 1.0)


def _what(case: Case) -> str:
    if case.text("metric") in ("ttft_ms", "e2e_ms"):
        return "ttft_single" if case.text("load_mode") == "single_request" else "ttft_loaded"
    if case.text("phase") == "prefill" or case.text("metric") == "kv_transfer_ms":
        return "prefill"
    return "decode" if case.text("load_mode") in ("fixed_batch", "single_request") else "both"


def groups_of(case: Case, catalogue: Catalogue) -> Mapping[str, str]:
    """Chip family, phase, dense or mixture of experts, metric, engine."""
    try:
        family = FAMILIES.get(catalogue.chip(case.id("chip")).family, "other")
    except (CannotPredict, InputError):
        family = "other"
    try:
        model = catalogue.model(case.id("model_id")).architecture
        kind = "unknown" if model is None else "moe" if model.moe else "dense"
    except (CannotPredict, InputError):
        kind = "unknown"
    metric = case.text("metric")
    name = "throughput" if metric in THROUGHPUT else metric.removesuffix("_ms")
    if name == "ttft":
        name = "ttft single" if case.text("load_mode") == "single_request" else "ttft loaded"
    return {
        "family": family,
        "phase": case.text("phase") if case.text("load_mode") in ("fixed_batch", "saturated") else "both",
        "kind": kind,
        "measure": name,
        "engine": case.text("engine"),
    }


def validate_serving(
    cases_path: Path | None = None, catalogue: Catalogue | None = None, rules_path: Path | None = None
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

    Raises
    ------
    InputError
        When the table or the engine table cannot be read.
    """
    table, engines = TABLE.files(cases_path, rules_path)
    known, rules = catalogue or validation_catalogue(), read_engine_rules(engines)
    cases = TABLE.read(table, lambda case: groups_of(case, known))
    predictions = tuple(predict(case, known, rules) for case in cases)
    return ServingValidation("serving", predictions, HEADLINE, _baselines(predictions, known))


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
        if len({p.case.text("chip") for p in rows}) >= 3
    ]
    return round(float(np.mean(found)), 3) if found else None


def _baselines(predictions: Sequence[Prediction], catalogue: Catalogue) -> dict[str, dict[str, float]]:
    """Two models a step model must beat: tokens per second at a constant share of the matrix peak, one per phase, and one
    for each chip family, kind of model and phase; medians of the calibrate rows."""
    shares: dict[str, float] = {}
    for p in predictions:
        share = _flop_share(p.case, catalogue)
        if share is not None and p.case.text("metric") in HEADLINE:
            shares[p.case.key] = share
    fitted = [p.case for p in predictions if p.case.use == "calibrate" and p.case.key in shares]
    names = {
        "constant per phase": lambda case: case.text("phase"),
        "constant per family, kind and phase": lambda case: "|".join(
            (case.groups["family"], case.groups["kind"], case.text("phase"))
        ),
    }
    common = float(np.median([shares[case.key] for case in fitted])) if fitted else float("nan")
    found: dict[str, dict[str, float]] = {}
    for name, key in names.items():
        constants = median_by_group(shares, fitted, key)
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
