"""The best layouts of a job on a cluster: enumerate, drop what does not fit, time the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.layout.enumerate import Options, Shape, enumerate_layouts
from sim.layout.layouts import RECOMPUTE, SCHEDULES, Layouts
from sim.physics.architecture import Architecture
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.training.fit import fill, memory_limit, training_memory
from sim.training.job import TrainingJob
from sim.training.step import step_time

BLOCK = 16_384  # layouts timed at once: arrays that stay in the cache, and few enough rounds


class NoLayoutError(ValueError):
    """The job fits on these chips in no layout."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The fastest layouts, best first.

    Attributes
    ----------
    layouts : Layouts
        At most ``top`` of them.
    step_time_s : (top,) array
        Duration of a step [s].
    chips : int
        Chips there are; ``layouts.chips`` of them work.
    considered : int
        Layouts that were timed.
    rejected : dict of str to int
        Combinations turned away, by reason.
    """

    layouts: Layouts
    step_time_s: NDArray[np.float64]
    chips: int
    considered: int
    rejected: dict[str, int]

    @property
    def idle_chips(self) -> int:
        """Chips that the best layout leaves without work."""
        return self.chips - int(self.layouts.chips[0])

    def why_not(self) -> str:
        """Reasons and counts in one line, most frequent first."""
        ordered = sorted(self.rejected.items(), key=lambda item: -item[1])
        return ", ".join(f"{count:,} {reason}" for reason, count in ordered)


def model_shape(architecture: Architecture, job: TrainingJob) -> Shape:
    """What the model and the batch allow."""
    heads = [getattr(group, "heads", getattr(group, "value_heads", 1)) for group in architecture.attention]
    moe = architecture.moe
    return Shape(
        heads=int(np.gcd.reduce(heads)),
        layers=architecture.layers,
        experts=moe.experts if moe else 0,
        sequences=job.sequences,
        sequence=job.sequence,
        tail=job.depth.tail,
    )


def search(
    job: TrainingJob,
    chip: Chip,
    network: Network,
    chips: int,
    *,
    chips_per_server: int | None = None,
    options: Options | None = None,
    top: int = 8,
) -> SearchResult:
    """The ``top`` fastest layouts of a job on a cluster.

    Parameters
    ----------
    job, chip, network
        Numbers of one world (no arrays of draws): the layout is chosen once and then judged in all of them.
    chips : int
        Chips of the cluster.
    chips_per_server : int, optional
        Most chips that tensor parallelism may span; left out: the scale-up domain.
    options : Options, optional
        What to choose from; a fixed recompute policy or schedule of the job narrows it.
    top : int
        Layouts returned.

    Raises
    ------
    NoLayoutError
        When no layout is legal and fits; the message says what is in the way.
    """
    domain = min(network.scale_up.size, float(chips_per_server or np.inf))
    found = enumerate_layouts(
        model_shape(job.architecture, job), chips, domain, _narrowed(job, options or Options())
    )
    layouts, rejected = _that_fit(job, chip, found.layouts, Counter(found.rejected))
    if len(layouts) == 0:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.most_common())
        raise NoLayoutError(
            f"no layout of the job fits on {chips:,} x {chip.name}: {reasons or 'no legal layout'}"
            + _leanest(job, chip, found.layouts)
        )
    seconds = np.concatenate([step_time(job, chip, network, block).total[:, 0] for block in _blocks(layouts)])
    best = np.argsort(seconds, kind="stable")[:top]
    return SearchResult(layouts.select(best), seconds[best], chips, len(layouts), dict(rejected))


def _leanest(job: TrainingJob, chip: Chip, layouts: Layouts) -> str:
    """What the layout with the smallest need holds on its fullest chip, against what there is."""
    if len(layouts) == 0:
        return ""
    memory = training_memory(job, layouts)
    need = np.ravel(np.broadcast_to(memory.total, (len(layouts), 1)))
    row = int(np.argmin(need))
    parts = {
        name: float(np.ravel(part)[row if np.size(part) > 1 else 0]) for name, part in memory.parts().items()
    }
    held = ", ".join(
        f"{name} {_gigabytes(size)}" for name, size in sorted(parts.items(), key=lambda p: -p[1])
    )
    limit = float(np.max(memory_limit(job, chip.memory_bytes)))
    return (
        f"; the leanest, {layouts.describe(row)}, needs {_gigabytes(need[row])} GB per chip ({held}) "
        f"where {_gigabytes(limit)} GB can be used"
    )


def _gigabytes(size: float) -> str:
    """Bytes in GB: one decimal below a hundred.

    Examples
    --------
    >>> _gigabytes(74.4e9), _gigabytes(1.8034e12)
    ('74.4', '1,803')
    """
    return f"{size / 1e9:,.0f}" if size >= 99.95e9 else f"{size / 1e9:.1f}"


def _narrowed(job: TrainingJob, options: Options) -> Options:
    """Options left when the job fixes a policy or a schedule."""
    if job.recompute in RECOMPUTE:
        options = replace(options, recompute=(job.recompute,))
    if job.schedule in SCHEDULES:
        options = replace(options, schedules=("1f1b", job.schedule) if job.schedule != "1f1b" else ("1f1b",))
    return options


def _that_fit(
    job: TrainingJob, chip: Chip, layouts: Layouts, rejected: Counter[str]
) -> tuple[Layouts, Counter[str]]:
    """Layouts within the device memory, and the others counted by what fills it."""
    limit = memory_limit(job, chip.memory_bytes)
    kept = [np.zeros(0, dtype=bool)]
    for block in _blocks(layouts):
        memory = training_memory(job, block)
        fits = np.ravel(np.broadcast_to(memory.total <= limit, (len(block), 1)))
        if not fits.all():
            for part, count in Counter(fill(memory)[~fits].tolist()).items():
                rejected[f"memory ({part})"] += count
        kept.append(fits)
    return layouts.select(np.concatenate(kept)), rejected


def _blocks(layouts: Layouts) -> list[Layouts]:
    """The same in parts that the cache holds."""
    return [layouts.select(slice(start, start + BLOCK)) for start in range(0, len(layouts), BLOCK)]
