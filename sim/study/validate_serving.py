"""Published serving results, predicted: throughput and latency, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.serving_cases import ServingSetting, look_up, read_engine_rules
from sim.study.serving_points import measure
from sim.study.validation import (
    Z80,
    CannotPredict,
    Case,
    Prediction,
    ValidationResult,
    read_cases,
)
from sim.study.worlds import sobol_probabilities, world_at

THROUGHPUT = frozenset({"tokens_per_s_per_chip", "total_tokens_per_s_per_chip"})
HEADLINE = THROUGHPUT | {"tpot_ms", "tokens_per_s_per_user"}
COLUMNS = ("case_id", "model_id", "chip", "n_chips", "phase", "metric", "value")
DRAWS = 32
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
    try:
        setting = look_up(case, catalogue, rules)
        point = measure(setting)
        inputs = setting.inputs()
        many = measure(setting, world_at(inputs, sobol_probabilities(draws, len(inputs), seed=1)))
    except (CannotPredict, UnknownQuantityError, InputError) as refusal:
        return Prediction(case, reason=str(refusal))
    except (KeyError, ValueError) as refusal:
        return Prediction(case, reason=f"the row does not fit together: {refusal}")
    middle = float(np.ravel(point.value)[0])
    spread = float(np.std(np.log(np.ravel(many.value))))
    wide = float(np.exp(Z80 * np.hypot(spread, model_error(setting))))
    terms = {name: float(np.ravel(np.asarray(value))[0]) for name, value in point.terms.items()}
    return Prediction(case, middle, middle / wide, middle * wide, breakdown=terms)


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
        family = FAMILIES.get(catalogue.chip(case.text("chip")).family, "other")
    except InputError:
        family = "other"
    try:
        model = catalogue.model(case.text("model_id")).architecture
        kind = "unknown" if model is None else "moe" if model.moe else "dense"
    except InputError:
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
    cases_path: Path, catalogue: Catalogue, rules_path: Path | None = None
) -> ValidationResult:
    """Predict every row of a table of serving results.

    Parameters
    ----------
    cases_path : Path
        CSV with the columns of ``validation/inference.csv``; missing columns count as empty.
    catalogue : Catalogue
        Chips, systems and models; those of ``validation/`` should be among them.
    rules_path : Path, optional
        Engine table; left out: ``engines.yaml`` beside the table, else the shipped one.

    Raises
    ------
    InputError
        When the table or the engine table cannot be read.
    """
    shipped = Path(__file__).parents[2] / "validation" / "engines.yaml"
    beside = cases_path.parent / "engines.yaml"
    rules = read_engine_rules(rules_path or (beside if beside.is_file() else shipped))
    cases = read_cases(cases_path, COLUMNS, lambda case: groups_of(case, catalogue))
    predictions = tuple(predict(case, catalogue, rules) for case in cases)
    return ValidationResult("serving", predictions, HEADLINE)
