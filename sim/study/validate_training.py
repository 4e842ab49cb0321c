"""Published training runs, predicted: step time, throughput, utilisation and totals, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.layout.layouts import Layouts
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.profiles.stacks import StackRules
from sim.quantity import UnknownQuantityError
from sim.resolve import MEDIAN, World
from sim.study.training_cases import (
    FAMILIES,
    Setting,
    look_up,
    precision_of,
    read_rules,
    resolve_hardware,
    resolve_job,
)
from sim.study.training_layouts import candidate_layouts
from sim.study.validation import (
    Z80,
    CannotPredict,
    Case,
    Prediction,
    ValidationResult,
    median_by_group,
    read_cases,
    validation_catalogue,
    validation_folder,
)
from sim.study.worlds import sobol_probabilities, world_at
from sim.training.fit import memory_limit, training_memory
from sim.training.flops import head_flop_per_token, model_flop_per_token
from sim.training.step import StepTime, step_time

HEADLINE = frozenset({"step_time_s", "tokens_per_s_per_chip", "tflops_per_chip", "mfu"})
COLUMNS = ("case_id", "model_id", "chip", "n_chips", "seq_len", "metric", "value")
DRAWS = 32
PREFACE = """
Every line of `training.csv` is one published number, with its source there. `parity validate training` makes
this page again; `parity validate training --cases FILE` predicts any table with the same columns.

What was fitted, and on what: one end-to-end speed factor per chip family and precision (`speed.training` in
`hardware_profiles/kernels`), on the rows marked `calibrate` alone, by a robust mean pulled towards the common
factor; never a factor per row. The classes of `software.yaml` hold for all rows alike. Rows marked `validate`
were used for no fit, but they were looked at while the model was built, so expect one or two points more on
runs published later.

An interval is the spread of what the row leaves open (software class, network, unpublished settings) together
with the error that such models have on chips of the family. Bold: the interval missed. A row that cannot be
simulated counts as an error of 100 %.
"""
DAY_S, HOUR_S = 86_400.0, 3_600.0
WIDEST_SEARCH = 0.15  # standard deviation of log time that unpublished inputs may add


@dataclass(frozen=True, slots=True)
class Timed:
    """Step time of a row.

    Attributes
    ----------
    seconds : float
        Median [s].
    spread : float
        Standard deviation of its logarithm from the inputs of the row.
    note : str
        Layout, and what was searched or did not fit.
    """

    setting: Setting
    seconds: float
    spread: float
    step: StepTime
    goodput: float
    note: str


def time_of(setting: Setting, draws: int = DRAWS) -> Timed:
    """Step time of a row: the fastest of the layouts it may have used, and its spread over the inputs."""
    job = resolve_job(setting)
    chip, network = resolve_hardware(setting)
    layouts, blank = candidate_layouts(setting, job)
    used = np.ravel(training_memory(job, layouts).total)
    fits = used <= float(memory_limit(job, chip.memory_bytes))
    notes = [f"searched: {', '.join(blank)}"] if blank else []
    if not fits.any():
        fits = used <= used.min() * 1.0001
        notes.append(f"needs {used.min() / 1e9:.0f} GB of {float(chip.memory_bytes) / 1e9:.0f} by our count")
    layouts = layouts.select(fits)
    seconds = np.ravel(step_time(job, chip, network, layouts).total)
    best = int(np.argmin(seconds))
    chosen = layouts.select(np.array([best]))
    step = step_time(job, chip, network, chosen)
    inputs = setting.inputs()
    world = world_at(inputs, sobol_probabilities(draws, len(inputs), seed=1))
    many = np.ravel(_in_worlds(setting, world, chosen).total)
    searched = min(WIDEST_SEARCH, 0.5 * float(np.log(np.median(seconds) / seconds[best]))) if blank else 0.0
    spread = float(np.hypot(np.std(np.log(many)), searched))
    goodput = float(np.asarray(MEDIAN(setting.chosen()["goodput"])))
    return Timed(
        setting,
        float(seconds[best]),
        spread,
        step,
        goodput,
        "; ".join([chosen.describe(0, tuple(p.name for p in job.policies)), *notes]),
    )


def _in_worlds(setting: Setting, world: World, layouts: Layouts) -> StepTime:
    chip, network = resolve_hardware(setting, world)
    return step_time(resolve_job(setting, world), chip, network, layouts)


def flop_per_token(setting: Setting) -> float:
    """Model FLOPs per token by the convention of the row.

    Raises
    ------
    CannotPredict
        When the convention is not known.
    """
    case, model = setting.case, setting.model.shape
    convention = case.text("flop_convention")
    sequence = case.number("seq_len")
    mtp = case.number("mtp_layers", 0.0) > 0 and "exclude the MTP layer" not in case.text("sim_note")
    if convention in ("model_causal", "model_full"):
        return model_flop_per_token(model, sequence, causal=convention == "model_causal", mtp=mtp)
    if convention == "hardware_full_recompute":
        whole = model_flop_per_token(model, sequence, causal=False, mtp=mtp)
        return 4.0 / 3.0 * whole - head_flop_per_token(model) / 3.0
    raise CannotPredict(f'flop_convention: "{convention}" does not say which FLOPs were counted')


def in_metric(timed: Timed, seconds: float) -> float:
    """A step time in the unit of the row.

    Raises
    ------
    CannotPredict
        When the row states something that a step time does not give.
    """
    setting = timed.setting
    case, metric = setting.case, setting.case.text("metric")
    job = resolve_job(setting)
    ranks = case.number("n_chips")
    rate = job.global_batch / (seconds * ranks)
    if metric == "step_time_s":
        return seconds
    if metric == "tokens_per_s_per_chip":
        return rate * setting.dies
    if metric == "tflops_per_chip":
        return flop_per_token(setting) * rate * setting.dies / 1e12
    if metric == "mfu":
        return flop_per_token(setting) * rate / (case.number("mfu_peak_tflops") * 1e12)
    if metric == "pp_bubble_s":
        parts = timed.step.breakdown
        idle = sum(float(np.ravel(parts[name])[0]) for name in ("bubble", "stage imbalance", "jitter"))
        return idle * seconds / timed.seconds
    if metric in ("gpu_hours_total", "wall_days"):
        if not job.tokens:
            raise CannotPredict("tokens_total_T is not given")
        wall = float(job.steps) * seconds / timed.goodput
        return wall / DAY_S if metric == "wall_days" else ranks / setting.dies * wall / HOUR_S
    raise CannotPredict(f"{metric or 'the metric'} is not a result of the step-time model")


def model_error(setting: Setting) -> float:
    """Standard deviation of log(predicted / measured) that the inputs of a row do not explain."""
    table = setting.rules.model_error
    names = {"A100": "ampere", "Hopper": "hopper", "Blackwell": "blackwell", "AMD": "amd", "Ascend": "ascend"}
    base = table[names.get(setting.family, "tpu" if setting.family == "TPU" else "other")]
    factor = table["moe"] if setting.model.shape.moe is not None else 1.0
    return base * factor * (table["light"] if setting.case.weight < 1.0 else 1.0)


def predict(case: Case, catalogue: Catalogue, rules: StackRules, draws: int = DRAWS) -> Prediction:
    """Prediction of one row with its 80 % interval, or the reason why there is none."""
    try:
        setting = look_up(case, catalogue, rules)
        timed = time_of(setting, draws)
        middle = in_metric(timed, timed.seconds)
        wide = float(np.exp(Z80 * np.hypot(timed.spread, model_error(setting))))
        ends = [in_metric(timed, timed.seconds * factor) for factor in (1 / wide, wide)]
    except (CannotPredict, UnknownQuantityError, InputError) as refusal:
        return Prediction(case, reason=str(refusal))
    except (KeyError, ValueError) as refusal:
        return Prediction(case, reason=f"the row does not fit together: {refusal}")
    parts = {name: float(np.ravel(value)[0]) for name, value in timed.step.breakdown.items()}
    return Prediction(case, middle, min(ends), max(ends), note=timed.note, breakdown=parts)


def groups_of(case: Case, catalogue: Catalogue) -> Mapping[str, str]:
    """Chip family, precision, dense or mixture of experts, scale."""
    try:
        family = FAMILIES.get(catalogue.chip(case.text("chip")).family, "other")
    except InputError:
        family = "other"
    try:
        model = catalogue.model(case.text("model_id")).architecture
        kind = "unknown" if model is None else "moe" if model.moe else "dense"
    except InputError:
        kind = "unknown"
    chips = float(case.text("n_chips") or 0)
    scale = "up to 64" if chips <= 64 else "up to 2048" if chips <= 2048 else "above 2048"
    precision = {"bf16": "16 bit", "fp8": "FP8", "fp4": "FP4"}[precision_of(case)]
    return {"family": family, "precision": precision, "kind": kind, "scale": scale}


def validate_training(
    cases_path: Path | None = None, catalogue: Catalogue | None = None, rules_path: Path | None = None
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

    Raises
    ------
    InputError
        When the table or the software table cannot be read.
    """
    cases_path = cases_path or validation_folder() / "training.csv"
    catalogue = catalogue or validation_catalogue()
    beside = cases_path.parent / "software.yaml"
    rules = read_rules(rules_path or (beside if beside.is_file() else validation_folder() / "software.yaml"))
    cases = read_cases(cases_path, COLUMNS, lambda case: groups_of(case, catalogue))
    predictions = tuple(predict(case, catalogue, rules) for case in cases)
    return ValidationResult("training", predictions, HEADLINE, _baselines(predictions, catalogue))


def _baselines(predictions: tuple[Prediction, ...], catalogue: Catalogue) -> dict[str, dict[str, float]]:
    """Two models a step-time model must beat: a constant utilisation of the 16-bit peak, one for all rows and
    one for each chip family, precision and kind of model; medians of the calibrate rows."""
    shares: dict[str, float] = {}
    for prediction in predictions:
        case = prediction.case
        if not np.isfinite(prediction.predicted) or case.text("metric") not in HEADLINE:
            continue
        try:
            rate = _tokens_per_chip_second(prediction)
            model = catalogue.model(case.text("model_id")).shape
            peak = catalogue.chip(case.text("chip")).compute.matrix["bf16"].value
            flop = model_flop_per_token(model, case.number("seq_len"), causal=True)
        except (CannotPredict, KeyError, UnknownQuantityError, InputError):
            continue
        shares[case.case_id] = rate * flop / peak
    fitted = [p.case for p in predictions if p.case.use == "calibrate" and p.case.case_id in shares]
    names = {"one constant": lambda case: "", "constant per family, precision and kind": _group_key}
    found: dict[str, dict[str, float]] = {}
    common = float(np.median([shares[case.case_id] for case in fitted])) if fitted else float("nan")
    for name, key in names.items():
        constants = median_by_group(shares, fitted, key)
        found[name] = {
            p.case.case_id: _at_share(p, constants.get(key(p.case), common) / shares[p.case.case_id])
            for p in predictions
            if p.case.case_id in shares
        }
    return found


def _group_key(case: Case) -> str:
    return "|".join(case.groups[name] for name in ("family", "precision", "kind"))


def _tokens_per_chip_second(prediction: Prediction) -> float:
    """Measured tokens per second and chip, from whatever the row states."""
    case = prediction.case
    over = case.measured / prediction.predicted
    seconds = sum(prediction.breakdown.values())
    batch = case.number("global_batch_tokens", float("nan"))
    if not np.isfinite(batch):
        batch = (
            case.number("num_micro_batches")
            * case.number("micro_batch")
            * case.number("dp", 1.0)
            * case.number("seq_len")
        )
    rate = batch / (seconds * case.number("n_chips"))
    return rate / over if case.text("metric") == "step_time_s" else rate * over


def _at_share(prediction: Prediction, factor: float) -> float:
    """The measured value if the speed were ``factor`` times the measured one."""
    measured = prediction.case.measured
    return measured / factor if prediction.case.text("metric") == "step_time_s" else measured * factor


def log_error(prediction: Prediction) -> float:
    """log of predicted over measured speed: above zero when reality is slower than the model."""
    sign = -1.0 if prediction.case.text("metric") == "step_time_s" else 1.0
    return sign * float(np.log(prediction.predicted / prediction.case.measured))
