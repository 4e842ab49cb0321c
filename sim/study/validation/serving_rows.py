"""A row of the serving table in one or many worlds, and its results in the unit that the row states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.quantity import Array
from sim.serving.job import ServingJob, UnitShape
from sim.serving.pools import rank_memory
from sim.serving.steady import resident_limit
from sim.study.validation.scores import CannotPredict, Case
from sim.study.validation.serving_cases import (
    prefill_shape,
    serving_shape,
)
from sim.study.validation.serving_setting import ServingSetting


@dataclass(frozen=True, slots=True)
class Point:
    """A row in one or many worlds.

    Attributes
    ----------
    value : Array
        In the unit of the row.
    terms : mapping of str to Array
        Time of the step (or pass) behind it by cause [s].
    note : str
        What the row left open and how it was filled.
    """

    value: Array
    terms: Mapping[str, Array]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row resolved in one or many worlds."""

    setting: ServingSetting
    case: Case
    job: ServingJob
    chip: Chip
    network: Network
    first_token_s: Array
    prompt_delay_s: Array

    @property
    def chips(self) -> float:
        """Packages whose output the row divides by; those of the layout where it needs more than the row counts."""
        return max(self.case.number("n_chips"), self._layout_chips)

    @property
    def _layout_chips(self) -> float:
        pools = self.instances * float(serving_shape(self.case).ranks) if self.case.text("d_tp") else 0.0
        if self.split or not pools:
            pools += self.case.number("p_instances", 1.0) * float(prefill_shape(self.case).ranks)
        return pools / self.setting.ranks_per_chip

    @property
    def stages(self) -> float:
        """Pipeline stages of the serving instance."""
        return self.case.number("d_pp", 1.0)

    @property
    def instances(self) -> float:
        """Instances that run side by side; p stages work on p batches in turn, each as if it had the ranks of a stage."""
        return self.case.number("d_instances", 1.0) * self.stages

    @property
    def split(self) -> bool:
        """Whether prompts are read in a pool of their own."""
        return bool(self.case.text("p_instances") and self.case.text("d_instances"))

    @property
    def output(self) -> float:
        """Tokens generated per request.

        Raises
        ------
        CannotPredict
            When the row does not say; a run that only reads prompts is taken to end with the first token.
        """
        return max(self.case.number("osl", 1.0 if self.case.text("phase") == "prefill" else None), 1.0)

    def held(self) -> float:
        """Tokens of cache that a request holds: all it will need, or its mean while it grows."""
        whole = self.setting.rule("reserve", self.case.text("engine")) == "full"
        return self.case.number("isl") + self.output * (1.0 if whole else 0.5)

    def residents(self, shape: UnitShape, tokens: Array) -> Array:
        """Sequences of an attention replica: those of all stages, divided by the batches that they take in turn; no more
        than a saturated run sends."""
        job, chip = self._all_stages()
        fit = resident_limit(job, chip, shape, tokens) / self.stages
        sent = self.setting.sent() if self.case.text("load_mode") == "saturated" else np.inf
        return np.fmin(fit, sent / (self.instances * float(shape.dp)))

    def _all_stages(self) -> tuple[ServingJob, Chip]:
        """Job and rank with the memory and buffers of the ranks of all stages."""
        stages = self.stages
        chip = replace(self.chip, memory_bytes=self.chip.memory_bytes * stages)
        engine = replace(self.job.engine, buffers_bytes=self.job.engine.buffers_bytes * stages)
        return replace(self.job, engine=engine), chip

    def full(self, shape: UnitShape) -> str:
        """Says that the weights leave no room by our count, where they leave none."""
        job, chip = self._all_stages()
        none = float(np.median(rank_memory(job, chip, shape).room)) <= 0.0
        return "no room beside the weights by our count: one sequence at a time taken" if none else ""

    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the prediction: cells that were filled, or that do not agree."""
        have, need = self.case.number("n_chips"), self._layout_chips
        if self.case.text("phase") != "both" or need <= 1.001 * have:
            return self.setting.remarks()
        more = f"the layout needs {need:g} chips, n_chips says {have:g}: per chip of the layout"
        return (*self.setting.remarks(), more)


def in_metric(row: Row, rate: Array, tpot: Array, first: Array | None) -> Array:
    """Results in the unit of the row.

    Parameters
    ----------
    rate : Array
        Output tokens per second and package [token/s].
    tpot : Array
        Time per output token [s].
    first : Array or None
        Time to first token [s]; None where the row has none.

    Raises
    ------
    CannotPredict
        When the row states something that the serving model does not give.
    """
    case, metric = row.case, row.case.text("metric")
    if metric == "tokens_per_s_per_chip":
        return rate * _counted(row)
    if metric == "total_tokens_per_s_per_chip":
        return rate * (1.0 + case.number("isl") / row.output)
    if metric == "tpot_ms":
        return tpot * 1e3
    if metric == "tokens_per_s_per_user":
        return 1.0 / tpot
    if metric == "ttft_ms" and first is not None:
        return first * 1e3
    if metric == "e2e_ms" and first is not None:
        return (first + (row.output - 1) * tpot) * 1e3
    raise CannotPredict(f"{metric or 'the metric'} is not a result of the serving model for this load")


def _counted(row: Row) -> float:
    """Tokens that a throughput row counts over output tokens."""
    counted = row.case.text("tokens_counted")
    if row.case.text("phase") == "decode" or counted not in ("input", "total"):
        return 1.0
    prompts = row.case.number("isl") / row.output
    return prompts if counted == "input" else 1.0 + prompts
