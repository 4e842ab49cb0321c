"""Everything the report says, as plain data: the report formats this and computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Interval:
    """Quantiles over draws at 5, 25, 50, 75 and 95 %."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


@dataclass(frozen=True, slots=True)
class ClusterContent:
    """One side. `key` is "a" or "b"; colours follow the key everywhere."""

    key: Literal["a", "b"]
    label: str  # "Ascend 910C"
    chips: int
    system: str  # "CloudMatrix 384"
    region: str  # "China"
    power_mw: Interval  # facility power while training, averaged over the training jobs
    purchase_usd: Interval  # chips, servers, network, facility
    family: str = ""  # chip family as in the validation points ("ascend-910"): picks out its dots there


@dataclass(frozen=True, slots=True)
class JobSide:
    """One job on one cluster. Intervals are over draws; fields that do not apply are None."""

    # Training: tokens/s of the whole cluster, stops included; serving: output tokens/s within the targets.
    throughput: Interval
    throughput_per_chip: Interval
    layout: str  # "TP 1, PP 16, EP 64, DP 78, interleaved x2, selective recompute"
    layout_reason: str  # "best of 1,204 that fit; 3,410 refused: 2,911 memory, 499 divisibility"
    # Median time by term [s]: of a training step, or of a decode step.
    breakdown: Mapping[str, float]
    power_mw: Interval  # facility power during the job
    energy: Interval  # training: GWh for the run; serving: kWh per million output tokens
    # View ("rental", "acquisition", "amortised") -> USD per run (training) or per million output tokens (serving).
    cost: Mapping[str, Interval]
    # View -> block -> median USD on the same basis; the blocks add up to the median run.
    cost_blocks: Mapping[str, Mapping[str, float]]
    mfu: Interval | None = None  # training, model FLOP (causal) over dense bf16 peak
    wall_days: Interval | None = None  # training
    end_date: tuple[str, str, str] | None = None  # 5, 50, 95 % as ISO dates
    goodput: Interval | None = None  # training: productive share of the calendar
    stops: float | None = None  # training: interruptions expected over the run (median)
    step_time_s: Interval | None = None
    # Training: view -> USD per million tokens that the run trains on.
    token_cost: Mapping[str, Interval] = field(default_factory=dict)
    # Serving: view -> USD per million input tokens that miss the cache.
    input_cost: Mapping[str, Interval] | None = None
    ttft_s: Interval | None = None
    tpot_s: Interval | None = None
    batch_per_chip: Interval | None = None
    limits: Mapping[str, str] | None = None  # serving: phase -> what limits it
    # Serving: resource -> share of its peak in the decode step.
    utilisation: Mapping[str, float] | None = None
    # Serving: view -> USD per million prompt tokens found in the cache; NaN where no path to host memory is stated.
    hit_cost: Mapping[str, Interval] | None = None
    # Serving: phase -> kind of limit -> share of a step (or pass) that it takes.
    bounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # Serving: resource -> share of its peak in the time of a chip that reads prompts.
    prefill_utilisation: Mapping[str, float] = field(default_factory=dict)
    # Serving: "ttft_s", "tpot_s", "e2e_s" -> percentile -> seconds, by events at the median of all inputs.
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    verdict: str = ""  # serving: saturation verdict from the event engine
    frontier: Sequence[tuple[float, float]] = ()  # serving: (tokens/s per user, output tokens/s per chip)
    operating_point: tuple[float, float] | None = None  # serving: where on the frontier the answer was taken
    # Training: (rank, start s, end s, "F" | "B" | "W" | "F&B") of one step.
    timeline: Sequence[tuple[int, float, float, str]] = ()
    # Training: (time s, kind, detail) of what happens in one course that the run may take, in order.
    campaign: Sequence[tuple[float, str, str]] = ()
    wall_days_samples: Sequence[float] = ()  # training: wall days over draws, for a histogram
    wall_days_chance: Interval | None = (
        None  # training: over seeds of the events alone, all inputs at their medians
    )
    losses: Mapping[str, float] = field(
        default_factory=dict
    )  # training: cause -> mean share of the calendar lost
    stop_causes: Mapping[str, float] = field(
        default_factory=dict
    )  # training: component -> mean stops per run


@dataclass(frozen=True, slots=True)
class Origin:
    """How the count of B was obtained."""

    closed: int  # draws of the closed form
    events: int  # worlds that the event engine played on both clusters
    gap: float  # largest of: count by events over count by closed form - 1; NaN where none was played


@dataclass(frozen=True, slots=True)
class JobContent:
    """One job, both sides, and how many of B do the work of A."""

    id: str
    label: str  # "Pre-train DeepSeek-V3 (14.8T tokens)"
    kind: Literal["training", "serving"]
    description: str  # one or two sentences: model, recipe or traffic, targets
    a: JobSide
    b: JobSide
    equal_count: Interval  # count of B that does the work of A's chips, unrounded
    equal_count_rounded: int | None  # median, up to whole units of B; None where no number of B is enough
    speed_ratio: Interval  # throughput of A over B at the stated counts
    # Waterfall of cost per unit, amortised: ("B", value), (cause, delta) ..., ("A", value).
    gap: Sequence[tuple[str, float]]
    gap_unit: str  # "USD per million output tokens" or "million USD per run"
    targets: Mapping[str, float] | None = None  # serving: "ttft_s" and "tpot_s" that users are promised
    from_events: Sequence[
        tuple[str, float, float]
    ] = ()  # (quantity, closed form, event engine) at the median draw
    warnings: Sequence[str] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class EqualCell:
    """The count of B that equals A by one basis."""

    basis: str  # "dense BF16", "same work per time", "same power" ...
    count: Interval | None  # unrounded; None where there is no such number
    at_least: float  # share of the draws in which A equals B's own count or more; NaN where there is no count
    why: str = ""  # why there is none


@dataclass(frozen=True, slots=True)
class EqualRow:
    """Counts of B that equal A by bases of one kind: those of a job, or a single one without a job."""

    group: Literal["paper", "money", "training", "serving"]
    label: str  # of the job, or of the basis
    cells: Sequence[EqualCell]
    job: str = ""  # id of the job


@dataclass(frozen=True, slots=True)
class Course:
    """The answer of one job after more and more draws."""

    job_id: str
    label: str
    # (draws, p05, p50, p95, error of p05, error of p50, error of p95): errors are half-widths of 90 % intervals.
    rows: Sequence[tuple[int, float, float, float, float, float, float]]


@dataclass(frozen=True, slots=True)
class Convergence:
    """Whether the draws are enough."""

    courses: Sequence[Course]
    asked: float | None = None  # error of the ends to reach, as a share of the median; None: draws were given
    first: int = 0  # draws to begin with
    most: int = 0  # draws to end with at the latest
    open: Sequence[str] = ()  # labels of the jobs whose ends were not yet known so well


@dataclass(frozen=True, slots=True)
class Curve:
    """Counts of B along one input: lines of equal work and of equal money."""

    job_id: str
    job_label: str
    input: str  # "Ascend 910C: speed factor in training BF16"
    path: str
    unit: str
    values: Sequence[float]  # in that unit, ascending
    work: Sequence[Interval]  # count of B that does the work of A, at each value
    money: Sequence[Interval]  # count that costs the same over the same time; empty where a price is unknown
    work_at: tuple[
        float | None, float | None, float | None
    ]  # values at which 5, 50, 95 % of work pass B's own count
    money_at: tuple[float | None, float | None, float | None]
    draws: int  # of each point


@dataclass(frozen=True, slots=True)
class PaperMetric:
    """The count of B that equals A by a datasheet number."""

    name: str  # "TPP", "dense BF16", "memory bandwidth"
    equal_count: float


@dataclass(frozen=True, slots=True)
class Driver:
    """One uncertain input and what it does to one answer."""

    name: str  # "Ascend 910C: dense BF16 peak"
    path: str
    at_low: float  # headline (count of B) with the input at its 10th percentile
    at_high: float  # ... at its 90th
    total_index: float | None  # total Sobol index, 0..1
    first_index: float | None
    rank_correlation: float
    input_low: str  # formatted input at its 10th percentile, with unit
    input_high: str
    flips_at: str  # "flips at 620 TFLOP/s" or "does not flip within its range"
    source: str
    kind: str
    total_range: tuple[float, float] | None = None  # 90 % bootstrap intervals of the two indices
    first_range: tuple[float, float] | None = None
    flips_value: float | None = None  # where it flips, in base units


@dataclass(frozen=True, slots=True)
class Flip:
    """One uncertain input, and where it makes the other cluster the cheaper one."""

    name: str
    path: str
    input_low: str  # formatted input at its 10th percentile, with unit
    input_high: str
    flips_at: str  # as in Driver
    kind: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What moves the answer of one job."""

    job_id: str
    job_label: str
    median: float  # equal count of B at the median
    drivers: Sequence[Driver]  # largest first
    cheaper: Sequence[Flip] = ()


@dataclass(frozen=True, slots=True)
class ValidationGroup:
    """Errors of one group of published measurements."""

    name: str  # "all", "hopper", "ascend-910", "MoE", ...
    rows: int
    median_error: float  # |predicted/measured - 1|
    p90_error: float
    bias: float  # median of predicted/measured - 1
    coverage: float  # share of rows inside the 80 % interval


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """One published measurement and what the physics says of it."""

    case: str  # id in the table of the release
    what: str  # "H100-SXM, FP8, dense model"
    metric: str  # "tokens/s/chip"
    measured: float
    predicted: float
    low: float  # ends of the 80 % interval
    high: float

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.measured - 1.0

    @property
    def held(self) -> bool:
        """Whether the interval holds the measured value."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True)
class ValidationRecord:
    """How the physics of one job kind compares with published measurements."""

    kind: str  # "training", "serving"
    points: Sequence[tuple[str, str, float, float]]  # (case id, chip family, measured, predicted)
    groups: Sequence[ValidationGroup]
    baselines: Sequence[ValidationGroup]
    worst: Sequence[tuple[str, float, str]]  # (case, predicted/measured - 1, cause)
    note: str = ""
    rows: Sequence[ValidationRow] = ()  # all that are scored, hits and misses
    independent: ValidationGroup | None = None  # rows gathered later and scored once, if there are any


@dataclass(frozen=True, slots=True)
class InputRow:
    """One input that moves a headline, for the sources pages."""

    name: str
    path: str
    value: str  # formatted with unit
    low: str
    high: str
    kind: str
    source: str  # title of the source
    url: str
    as_of: str
    weak: bool
    moves: float  # largest relative move of a count of B between its 10th and 90th percentile
    note: str = ""  # reasoning in the file of the input
    of: str = ""  # label of the job whose count moves so far
    moves_other: float = 0.0  # the same of a cost, a power or the length of a run
    other: str = ""  # "cost on H100, Chat on V3"


@dataclass(frozen=True, slots=True)
class ExactRow:
    """One number that is taken as exact, and what a tenth more of it does to the headlines."""

    name: str
    path: str
    value: str
    kind: str
    source: str
    url: str
    as_of: str
    weak: bool
    moves: float  # largest relative move of a headline, with its sign
    of: str  # "count, Chat on V3"
    note: str = ""  # reasoning in the file of the number


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a reader needs to run it again."""

    version: str
    command: str
    seed: int
    draws: int
    event_draws: int
    inputs_hash: str  # short hash of all input files
    files: Sequence[tuple[str, str]]  # (file, hash)
    scenario: str = ""  # id of the scenario
    as_of: str = ""  # no price later than this date was used; empty: all there are


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The whole report."""

    title: str  # the question
    slogan: str
    answers: Sequence[str]  # one sentence per job class, with interval
    clusters: tuple[ClusterContent, ClusterContent]
    jobs: Sequence[JobContent]
    paper_metrics: Sequence[PaperMetric]
    sensitivities: Sequence[Sensitivity]
    convergence: Convergence
    validation: Sequence[ValidationRecord]
    not_modelled: Sequence[str]
    inputs: Sequence[InputRow]
    identity: RunIdentity
    equals: Sequence[EqualRow] = ()  # counts of B that equal A, basis by basis
    curves: Sequence[Curve] = ()  # along what moves the headlines most, and along prices
    exact: Sequence[ExactRow] = ()  # numbers without a range that move a headline
    correlated: bool = False  # whether some inputs share a cause
    slogan_count: float | None = None  # count of B the slogan claims (the scenario's own chips of B)
    warnings: Sequence[str] = field(default=())
    view_notes: Mapping[str, str] = field(default_factory=dict)  # cost view -> one sentence that defines it
