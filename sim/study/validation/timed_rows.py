"""Step time of a row of the training table, and what the row states of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.layout.layouts import Layouts
from sim.resolve import World
from sim.study.validation.cases import CannotPredict
from sim.study.validation.scores import Prediction
from sim.study.validation.training_cases import Setting, resolve_hardware, resolve_job
from sim.study.validation.training_layouts import candidate_layouts
from sim.study.validation.training_rows import stage_layers
from sim.study.validation.training_words import convention, taken_for_granted
from sim.study.worlds import sobol_probabilities, world_at
from sim.training.fit import memory_limit, training_memory
from sim.training.flops import head_flop_per_token, model_flop_per_token
from sim.training.step import StepTime, step_time

HEADLINE = frozenset({"step_time_s", "tokens_per_s_per_chip", "tflops_per_chip", "mfu"})
DRAWS = 32


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
    note: str

    def breakdown(self) -> dict[str, float]:
        """Terms of the median step [s]."""
        return {name: float(np.ravel(value)[0]) for name, value in self.step.breakdown.items()}


def time_of(setting: Setting, draws: int = DRAWS) -> Timed:
    """Step time of a row: the fastest of the layouts it may have used, and its spread over the inputs."""
    job = resolve_job(setting)
    chip, network = resolve_hardware(setting)
    layouts, blank = candidate_layouts(setting, job)
    used = np.ravel(training_memory(job, layouts).total)
    fits = used <= float(memory_limit(job, chip.memory_bytes))
    notes = [f"searched: {', '.join(blank)}"] if blank else []
    notes += taken_for_granted(setting.case)
    notes += filter(None, [stage_layers(setting.case, setting.model.shape.layers)[1]])
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
    least, middle = seconds[best], np.median(seconds)
    widest = setting.rules.open_layout.median
    searched = min(widest, 0.5 * float(np.log(middle / least))) if blank else 0.0
    spread = float(np.hypot(np.std(np.log(many)), searched))
    return Timed(
        setting,
        float(seconds[best]),
        spread,
        step,
        "; ".join([chosen.describe(0, tuple(p.name for p in job.policies)), *notes]),
    )


def _in_worlds(setting: Setting, world: World, layouts: Layouts) -> StepTime:
    chip, network = resolve_hardware(setting, world)
    return step_time(resolve_job(setting, world), chip, network, layouts)


def flop_per_token(setting: Setting) -> float:
    """Model FLOPs per token by the convention of the row."""
    case, model = setting.case, setting.model.shape
    counted = convention(case)
    sequence = case.number("seq_len")
    mtp = case.number("mtp_layers", 0.0) > 0 and "exclude the MTP layer" not in case.text("sim_note")
    if counted != "hardware_full_recompute":
        return model_flop_per_token(model, sequence, causal=counted == "model_causal", mtp=mtp)
    whole = model_flop_per_token(model, sequence, causal=False, mtp=mtp)
    return 4.0 / 3.0 * whole - head_flop_per_token(model) / 3.0


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
        datasheet = setting.chip.compute.matrix["bf16"].median / setting.dies
        peak = case.number("mfu_peak_tflops", datasheet / 1e12) * 1e12
        return flop_per_token(setting) * rate / peak
    if metric == "pp_bubble_s":
        parts = timed.step.breakdown
        idle = sum(float(np.ravel(parts[name])[0]) for name in ("bubble", "stage imbalance", "jitter"))
        return idle * seconds / timed.seconds
    raise CannotPredict(f'metric: "{metric[:60]}" is not one of those that are predicted')


def model_error(setting: Setting) -> float:
    """Standard deviation of log(predicted / measured) that the inputs of a row do not explain."""
    table = setting.rules.model_error
    names = {"A100": "ampere", "Hopper": "hopper", "Blackwell": "blackwell", "AMD": "amd", "Ascend": "ascend"}
    base = table[names.get(setting.family, "tpu" if setting.family == "TPU" else "other")]
    factor = table["moe"] if setting.model.shape.moe is not None else 1.0
    return base * factor * (table["light"] if setting.case.weight < 1.0 else 1.0)


def log_error(prediction: Prediction) -> float:
    """log of predicted over measured speed: above zero when reality is slower than the model."""
    sign = -1.0 if prediction.case.text("metric") == "step_time_s" else 1.0
    return sign * float(np.log(prediction.predicted / prediction.case.measured))
