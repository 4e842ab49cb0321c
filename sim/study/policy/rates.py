"""What one chip is worth in a chosen metric: datasheet figures, and the speed that the simulators give it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.policy.metrics import total_processing_performance
from sim.profiles.scenario import ClusterChoice
from sim.profiles.workload import ServingTraffic
from sim.quantity import UnknownQuantityError
from sim.resolve import World
from sim.study.policy.question import PolicyQuestion
from sim.study.question import Side
from sim.study.serving import ServingPlan, ServingRuns, plan_serving, run_serving
from sim.study.training import TrainingPlan, plan_training, run_training
from sim.training.search import NoLayoutError

Vector = NDArray[np.float64]
# Formats in which a chip does work that is counted in the first of them: in that one, or else in the next wider one.
FORMATS = {
    "fp16": (("bf16", "fp16"),),
    "fp8": (("fp8", "int8"), ("bf16", "fp16")),
    "fp4": (("fp4",), ("fp8", "int8"), ("bf16", "fp16")),
}
PAPER = ("tpp", "fp16", "fp8", "fp4", "bandwidth")  # from datasheets
SIMULATED = ("training", "serving")
NAMES = {
    "tpp": "TPP", "fp16": "dense FP16", "fp8": "dense FP8", "fp4": "dense FP4", "bandwidth": "memory bandwidth",
    "training": "simulated training", "serving": "simulated serving", "chips": "chips",
}  # fmt: skip


@dataclass
class Rates:
    """Rates of the chips of a question in one world, each computed when first asked for.

    Attributes
    ----------
    warnings : list of str
        Chips that cannot do a job, and why.
    plans, services : dict
        Training layouts and shapes of serving units by system and chip, found at the median of all inputs; may be shared
        between worlds.
    """

    question: PolicyQuestion
    world: World
    draws: int
    warnings: list[str] = field(default_factory=list)
    plans: dict[str, TrainingPlan] = field(default_factory=dict)
    services: dict[str, ServingPlan] = field(default_factory=dict)
    _known: dict[tuple[str, str], Vector] = field(default_factory=dict)
    _served: dict[str, ServingRuns | None] = field(default_factory=dict)

    def there(self, world: World, draws: int) -> Rates:
        """Rates of the same question in another world."""
        return Rates(self.question, world, draws, plans=self.plans, services=self.services)

    def __call__(self, side: Side, metric: str) -> Vector:
        """Rate of one chip, (draws,): FLOP/s, byte/s, TPP, tokens/s, or 1 for a count of chips."""
        key = (f"{side.system.id}/{side.chip.id}", metric)
        if key not in self._known:
            self._known[key] = np.broadcast_to(np.asarray(self._rate(side, metric), dtype=float), self.draws)
        return self._known[key]

    def _rate(self, side: Side, metric: str) -> Vector | float:
        if metric == "chips":
            return 1.0
        if metric == "bandwidth":
            return np.asarray(self.world(side.chip.memory.bandwidth))
        if metric == "training":
            return self._training(side)
        if metric == "serving":
            return self._serving(side)
        peaks: dict[str, Vector | float] = {
            str(name): self.world(rate) for name, rate in side.chip.compute.matrix.items()
        }
        if metric == "tpp":
            return np.asarray(total_processing_performance(peaks))
        return _widest(peaks, metric)

    def _training(self, side: Side) -> Vector | float:
        """Training tokens per second per chip, stops included, on a cluster of the asked size."""
        task, run = self.question.training, self.question.scenario.training
        assert task is not None
        assert run is not None
        unit = side.system.chips_per_server
        chips = max(run.chips // unit, 1) * unit
        sized = replace(side, choice=ClusterChoice(system=side.system.id, chips=chips, region=side.region.id))
        try:
            key = f"{side.system.id}/{side.chip.id}"
            if key not in self.plans:
                self.plans[key] = plan_training(sized, task, (chips,))
            return np.asarray(run_training(self.plans[key], self.world).tokens_per_s[0] / chips)
        except (NoLayoutError, UnknownQuantityError) as error:
            self.warnings.append(
                f"{side.chip.name} does not count for {task.model.name}: {str(error).split(';')[0]}"
            )
            return 0.0

    def _serving(self, side: Side) -> Vector | float:
        """Tokens per second per chip on an average day, prompts included."""
        runs = self.served(side)
        if runs is None:
            return 0.0
        traffic = runs.job.traffic
        each = np.asarray(traffic.prompt.mean) + np.asarray(traffic.output.mean)
        return np.asarray(runs.capacity.requests_per_s * each * runs.job.utilisation)

    def served(self, side: Side) -> ServingRuns | None:
        """The serving job on one kind of chip; None where it cannot be done."""
        task, job = self.question.serving, self.question.scenario.serving
        assert task is not None
        assert job is not None
        assert isinstance(task.workload, ServingTraffic)
        key = f"{side.system.id}/{side.chip.id}"
        if key not in self._served:
            sized = replace(
                side, choice=ClusterChoice(system=side.system.id, chips=job.chips, region=side.region.id)
            )
            try:
                if key not in self.services:
                    self.services[key] = plan_serving(sized, task)
                self._served[key] = run_serving(self.services[key], self.world)
            except (ValueError, UnknownQuantityError) as error:
                self.warnings.append(f"{side.chip.name} does not serve {task.model.name}: {error}")
                self._served[key] = None
        return self._served[key]


def _widest(peaks: dict[str, Vector | float], metric: str) -> Vector | float:
    """Rate in a format, or in the next wider one that the chip has."""
    for group in FORMATS[metric]:
        found = [np.asarray(peaks[name]) for name in group if name in peaks]
        if found:
            return np.asarray(np.max(np.stack(np.broadcast_arrays(*found)), axis=0))
    raise UnknownQuantityError(f"the chip has no peak from which {NAMES[metric]} could be read")
