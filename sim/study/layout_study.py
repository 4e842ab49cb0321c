"""The best parallel layouts of one training job on one cluster: what fits, how long a step takes, how sure."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import get_args

import numpy as np

from sim.layout.layouts import Layouts
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.leaves import quantities
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.model import ModelProfile
from sim.profiles.workload import TrainingPrecision, TrainingRecipe
from sim.quantity import Quantity
from sim.report.content import Interval, RunIdentity
from sim.resolve import MEDIAN, World, resolve_chip, resolve_network, resolve_training
from sim.study.convergence import ends_error
from sim.study.question import DOCUMENTATION
from sim.study.summary.report import inputs_hash
from sim.study.summary.statistics import interval
from sim.study.worlds import independent_world
from sim.training.fit import training_memory
from sim.training.flops import model_flop_per_token, utilisation
from sim.training.job import TrainingJob
from sim.training.pipeline import PipelineRun
from sim.training.search import NoLayoutError, search
from sim.training.stage_times import pipeline_time, play_step
from sim.training.step import StepTime, step_time

DENSE_RECIPE, EXPERT_RECIPE = "pretrain-15t", "pretrain-v3"
PRECISIONS: tuple[str, ...] = get_args(TrainingPrecision)


@dataclass(frozen=True, slots=True)
class LayoutQuestion:
    """One job, one cluster, with every file that they name."""

    model: ModelProfile
    system: SystemProfile
    chip: ChipProfile
    kernels: KernelProfile
    recipe: TrainingRecipe
    chips: int

    @property
    def inputs(self) -> tuple[Quantity, ...]:
        """Uncertain inputs of all files, each once, in a fixed order."""
        documents: tuple[Document, ...] = (self.chip, self.kernels, self.system, self.recipe)
        found = {
            path: leaf
            for document in documents
            for path, leaf in quantities(document).items()
            if leaf.is_uncertain and path.split("#", 1)[1].split(".", 1)[0] not in DOCUMENTATION
        }
        return tuple(found[path] for path in sorted(found))


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """One of the best layouts.

    Attributes
    ----------
    layout : Layouts
        The single row.
    step_s : float
        Duration of a step with all inputs at their median [s].
    spread_s : Interval
        The same over draws [s].
    fastest : float
        Share of the draws in which no other layout of the list is faster [1].
    mfu, mfu_arithmetic : float
        Model FLOP (causal attention) over the dense 16-bit peak of all chips, idle ones included, and over their peak in
        the precision of the matrix products [1].
    tokens_per_s : float
        Of the whole cluster, without stops.
    memory : dict
        Bytes on the fullest chip by part; "reserve" and "free" make it the whole device memory [byte].
    breakdown : dict
        Seconds of the step by cause.
    pipeline : PipelineRun
        The pipeline played as events, without gradient traffic, optimizer and jitter.
    pipeline_closed_s : float
        The same part of the step in closed form [s].
    """

    layout: Layouts
    step_s: float
    spread_s: Interval
    fastest: float
    mfu: float
    mfu_arithmetic: float
    tokens_per_s: float
    memory: dict[str, float]
    breakdown: dict[str, float]
    pipeline: PipelineRun
    pipeline_closed_s: float

    @property
    def words(self) -> str:
        """The layout in one line."""
        return self.layout.describe(0)

    @property
    def degrees(self) -> dict[str, int]:
        """The columns of the layout by name; schedule and recompute policy are in the words."""
        names = (
            "tp",
            "pp",
            "cp",
            "dp",
            "ep",
            "etp",
            "vpp",
            "micro_batch",
            "micro_batches",
            "zero",
            "zero_shard",
        )
        return {name: int(getattr(self.layout, name)[0]) for name in names}

    @property
    def event_gap(self) -> float:
        """Events over closed form, less one [1]."""
        return self.pipeline.step_time_s / self.pipeline_closed_s - 1.0


@dataclass(frozen=True, slots=True)
class LayoutStudy:
    """Answer of a layout question.

    Attributes
    ----------
    job : TrainingJob
        At the median of all inputs.
    rows : tuple of LayoutRow
        Fastest first.
    considered : int
        Layouts that are legal and fit, all of which were timed.
    refused : dict
        Layouts or families of layouts turned away, by reason, most frequent first.
    ends_error : float
        How well the ends of the interval of the best layout's step are known, as a share of the median [1].
    """

    question: LayoutQuestion
    job: TrainingJob
    rows: tuple[LayoutRow, ...]
    considered: int
    refused: dict[str, int]
    ends_error: float
    identity: RunIdentity

    @property
    def idle_chips(self) -> int:
        """Chips that the best layout leaves without work."""
        return self.question.chips - int(self.rows[0].layout.chips[0])


def load_layout_question(
    catalogue: Catalogue,
    model: str,
    system: str,
    chips: int,
    recipe: str | None = None,
    precision: str | None = None,
) -> LayoutQuestion:
    """Find and check the files of a layout question.

    Parameters
    ----------
    recipe : str, optional
        Id of a training recipe; left out: a plain one for dense models or for models with experts.
    precision : str, optional
        Instead of the recipe's own.

    Raises
    ------
    InputError
        When an id does not exist, a file is wrong, or the chip does not run the precision.
    UnknownQuantityError
        When nobody has published the shape of the model.
    """
    profile, cluster = catalogue.model(model), catalogue.system(system)
    chip = catalogue.chip(cluster.chip)
    chosen = recipe or (EXPERT_RECIPE if profile.shape.moe else DENSE_RECIPE)
    workload = catalogue.workload(chosen)
    if not isinstance(workload, TrainingRecipe):
        recipes = [
            each
            for each in catalogue.ids("workloads")
            if isinstance(catalogue.workload(each), TrainingRecipe)
        ]
        raise InputError([Problem(f"{chosen} is serving traffic; training recipes are {', '.join(recipes)}")])
    if precision is not None:
        _check_precision(chip, precision)
        workload = workload.model_copy(update={"precision": precision})
    return LayoutQuestion(profile, cluster, chip, catalogue.kernels(chip.kernels), workload, chips)


def _check_precision(chip: ChipProfile, precision: str) -> None:
    if precision not in PRECISIONS:
        raise InputError([Problem(unknown_id("precision", precision, PRECISIONS))])
    if precision != "best" and precision not in chip.compute.matrix:
        runs = ", ".join(each for each in PRECISIONS if each in chip.compute.matrix)
        raise InputError([Problem(f"{chip.name} does not run {precision}; it runs {runs}")])


def study_layouts(
    catalogue: Catalogue,
    question: LayoutQuestion,
    *,
    top: int = 8,
    draws: int = 256,
    seed: int = 1,
    command: str = "",
) -> LayoutStudy:
    """Search at the median of all inputs, then time, play and weigh the best.

    Parameters
    ----------
    catalogue : Catalogue
        Where the files of the question came from.
    top : int
        Layouts kept.
    draws, seed : int
        Worlds in which the best are timed again.
    command : str
        What the reader types to run it again.

    Raises
    ------
    InputError
        When the job fits in no layout; the message says what did not fit.
    """
    setting = resolve_setting(question, MEDIAN)
    job, chip, network = setting.job, setting.chip, setting.network
    per_server = question.system.chips_per_server
    try:
        found = search(job, chip, network, question.chips, chips_per_server=per_server, top=top)
    except NoLayoutError as error:
        raise InputError([Problem(f"{question.model.name}: {error}")]) from None
    drawn = resolve_setting(question, independent_world(question.inputs, draws, seed))
    drawn_times = step_time(drawn.job, drawn.chip, drawn.network, found.layouts).total
    spread = np.broadcast_to(drawn_times, (len(found.layouts), draws))
    times = step_time(job, chip, network, found.layouts)
    fastest = np.bincount(spread.argmin(axis=0), minlength=len(spread)) / draws
    rows = tuple(
        _row(
            setting,
            found.layouts.select(slice(row, row + 1)),
            times.pick(row),
            interval(spread[row]),
            float(fastest[row]),
        )
        for row in range(len(found.layouts))
    )
    refused = dict(sorted(found.rejected.items(), key=lambda item: -item[1]))
    files = catalogue.files_read
    identity = RunIdentity(version("chip-parity"), command, seed, draws, 0, inputs_hash(files), files)
    return LayoutStudy(question, job, rows, found.considered, refused, ends_error(spread[:1]), identity)


@dataclass(frozen=True, slots=True)
class Setting:
    """Plain numbers of a question in one world, or in many."""

    job: TrainingJob
    chip: Chip
    network: Network
    chips: int


def resolve_setting(question: LayoutQuestion, world: World = MEDIAN) -> Setting:
    """Plain numbers of a question."""
    chip = resolve_chip(question.chip, question.kernels, world)
    job = resolve_training(question.model, question.recipe, chip, question.kernels, world)
    return Setting(job, chip, resolve_network(question.system, world), question.chips)


def _row(setting: Setting, layout: Layouts, times: StepTime, spread: Interval, fastest: float) -> LayoutRow:
    job, chip = setting.job, setting.chip
    step_s = times.total.item()
    flop = model_flop_per_token(job.architecture, job.sequence, causal=True, mtp=job.mtp)
    used = {
        precision: float(
            utilisation(flop, job.global_batch, step_s, setting.chips, chip.matrix_peak[precision])
        )
        for precision in (chip.fastest("bf16", "fp16"), job.precisions.linear)
    }
    return LayoutRow(
        layout=layout,
        step_s=step_s,
        spread_s=spread,
        fastest=fastest,
        mfu=used[chip.fastest("bf16", "fp16")],
        mfu_arithmetic=used[job.precisions.linear],
        tokens_per_s=job.global_batch / step_s,
        memory=_memory(setting, layout),
        breakdown={name: float(np.ravel(part)[0]) for name, part in times.breakdown.items()},
        pipeline=play_step(job, chip, setting.network, layout),
        pipeline_closed_s=pipeline_time(times).item(),
    )


def _memory(setting: Setting, layout: Layouts) -> dict[str, float]:
    """What fills the fullest chip, what the runtime keeps, and what is left [byte]."""
    capacity = float(setting.chip.memory_bytes)
    held = {
        name: float(np.ravel(part)[0]) for name, part in training_memory(setting.job, layout).parts().items()
    }
    held["reserve"] = capacity * float(setting.job.software.memory_reserve)
    return held | {"free": capacity - sum(held.values())}
