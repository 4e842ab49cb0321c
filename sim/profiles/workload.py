"""Schemas of workload files: training recipes and serving traffic."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sim.profiles.fields import Bytes, Document, Ratio, Record, Seconds, Share, Tokens
from sim.profiles.fleet import DaySpec, FleetSpec
from sim.profiles.reliability import BatchStage, Reliability
from sim.profiles.stacks import ServingKernels, SmallKernels, StatedAt, TrainingState

Choice = Literal["none", "partial", "full"]
TrainingPrecision = Literal["best", "bf16", "fp8", "fp4"]
ServingPrecision = Literal["best", "bf16", "fp8", "int8", "fp4"]


class TrainingSoftware(Record):
    """What the training stack does, as inputs with ranges instead of an efficiency nobody can check."""

    stack: Literal["tuned", "plain"] = "tuned"
    fused_attention: bool = True
    graphs: Choice = "partial"
    """Launches captured in device graphs."""
    expert_overlap: Choice = "full"
    """Expert all-to-all hidden behind compute of another micro-batch."""
    expert_exposed: Share
    """Share of the expert all-to-all that stays visible when it is overlapped."""
    tensor_exposed: Share
    """Share of tensor-parallel traffic that stays visible."""
    data_exposed: Share
    """Share of gradient and parameter traffic that stays visible."""
    jitter: Share
    """Time lost to stage imbalance and stragglers, as a share of the step."""
    attention_speed: Ratio
    """Speed of the attention core over that of the chip's best kernels."""
    exchange_slowdown: Ratio
    """Factor on compute time while an expert exchange across servers runs beside it."""
    host_floor: Share
    """Share of the chip's per-layer host time that device graphs leave."""
    host_backward: Ratio
    """Host time of the backward pass of a layer over that of its forward pass."""
    optimizer_traffic: Bytes
    """Bytes the optimizer moves per parameter of its shard."""
    memory_reserve: Share
    """Share of the device memory that runtime, collectives and fragmentation take."""
    traffic: SmallKernels | None = None
    """Memory traffic of the small kernels; left out: that of the shipped recipe `pretrain-v3`."""
    state: TrainingState | None = None
    """Bytes per parameter; left out: as in `pretrain-v3`."""
    stated_at: StatedAt | None = None
    """Sizes for which jitter and routing imbalance are stated; left out: as in `pretrain-v3`."""


class TrainingRecipe(Document):
    """One pre-training run, whatever the cluster."""

    kind_of_job: Literal["training"]
    extends: str = ""
    """Another recipe of which this one changes a few lines."""
    tokens: Tokens
    sequence: int
    """Tokens per sequence."""
    global_batch: Tokens
    """Tokens per optimizer step."""
    batch_ramp: list[BatchStage] = Field(default_factory=list)
    """Stages at a smaller batch before it, in order; their tokens are part of `tokens`."""
    precision: TrainingPrecision = "best"
    """`best`: fp8 where the chip runs it, else bf16."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    mtp: bool = True
    """Train the multi-token-prediction layers of the model."""
    routing_imbalance: Ratio
    """Work and traffic of the busiest expert rank over the mean, where a rank holds four experts of a layer; fewer per rank
    spread more, more spread less."""
    recompute: Literal["search", "none", "selective", "full"] = "search"
    schedule: Literal["search", "1f1b", "interleaved", "zero-bubble", "dualpipe", "dualpipev"] = "search"
    software: TrainingSoftware
    reliability: Reliability


class Lengths(Record):
    """Length distribution in tokens."""

    median: Tokens
    sigma: Ratio
    """Standard deviation of the logarithm; 0 = constant."""
    maximum: Tokens


class Targets(Record):
    """Latency that users are promised."""

    ttft: Seconds
    """Time to first token."""
    tpot: Seconds
    """Time per output token after the first."""
    percentile: float = Field(default=0.9, gt=0, lt=1)
    """Share of requests that must meet both."""


class Speculation(Record):
    """Multi-token prediction or another drafter."""

    drafts: int
    """Tokens drafted per step; 0 = off."""
    accepted: Ratio
    """Tokens emitted per step and sequence, the certain one included."""


class ServingSoftware(Record):
    """What the engine does."""

    pools: Literal["disaggregated", "aggregated"] = "disaggregated"
    overlap_hidden: Share
    """Share of the shorter of compute and communication that two-batch overlap really hides."""
    expert_imbalance: Ratio
    """Busiest expert rank over the mean, after balancing."""
    step_overhead: Seconds
    """Scheduling, sampling and host time per engine step."""
    replica_overhead: Seconds
    """Further time per step where attention runs data-parallel and the replicas keep in step."""
    buffers: Bytes
    """Workspace, activations and communication buffers per chip."""
    draft_rereads: Share
    """Share of the cache read again for each draft."""
    eager_prefill: Ratio
    """Share of the chip's launch floor per layer that a prefill pass without graphs pays."""
    prefill_spread: Share
    """0: the scheduler starts the prompts of all attention replicas together; 1: whenever they come."""
    interleave: Literal["mixed", "separate"] = "mixed"
    """Aggregated pools: prompt chunks ride in decode steps, or get passes of their own."""
    max_batch: Ratio
    """Most sequences per chip that the engine admits."""
    chunk: Tokens
    """Most prompt tokens per chip and pass."""
    memory_use: Share
    """Share of the device memory left after weights and buffers that the cache may fill."""
    utilisation: Share
    """Mean over peak of a day's load on a fleet sized for its peak, times time in service. With `arrivals: on-off` or
    `diurnal` their swing comes on top: this is then the rest of it."""
    expert_popularity: Ratio | None = None
    """Standard deviation of the logarithm of how often experts are chosen: few tokens then touch fewer experts. This and
    the numbers below, left out: as in the shipped `chat`."""
    expert_copies: Ratio | None = None
    """Further copies of experts that balance their load, over the experts: memory they take."""
    draft_cost: Ratio | None = None
    """Time of drafting a token over that of one layer and the output head."""
    engine_speed: Ratio | None = None
    """Speed of everything over that of the engine the chip's kernels were measured in."""
    grouped_speed: Ratio | None = None
    """Speed of the expert products over that of the chip's best kernels."""
    first_token: Seconds | None = None
    """Time of a request outside the model: client, tokeniser, queue hand-over."""
    prompt_delay: Seconds | None = None
    """Time for which the scheduler of a loaded engine holds a prompt back before it is read."""
    routed: Ratio | None = None
    """Teams of chips behind one router: their prompts wait in one queue, those of other routers in others."""
    small_kernels: ServingKernels | None = None
    """Memory traffic between the matrix products."""
    sequence_parallel: bool = False
    """Prefill splits norms and other small kernels over the tensor ranks instead of repeating them on each."""


class OnOff(Record):
    """Bursts: exponential times with and without requests."""

    on: Seconds
    """Mean length of a burst."""
    off: Seconds
    """Mean length of the silence after it."""


class ServingTraffic(Document):
    """One kind of users and what they are promised."""

    kind_of_job: Literal["serving"]
    extends: str = ""
    """Another traffic file of which this one changes a few lines."""
    input: Lengths
    """Prompts. With `arrivals: trace` the trace has the say here, and for `output` and `burstiness`."""
    output: Lengths
    prefix_hit: Share
    """Share of input tokens found in the prefix cache; measured in the trace where it names the blocks of its prompts."""
    arrivals: Literal["poisson", "gamma", "on-off", "diurnal", "trace"] = "poisson"
    """What a rate swings by: nothing but chance, bursts (`on_off`), a day (`day`), or as recorded (`trace`). Capacity is
    that at the peak of the swing."""
    burstiness: Ratio
    """Coefficient of variation of the time between arrivals."""
    on_off: OnOff | None = None
    """Bursts, with `arrivals: on-off`."""
    day: DaySpec | None = None
    """The day, with `arrivals: diurnal`."""
    trace: str = ""
    """Request trace, when `arrivals: trace`: CSV with the columns of the Azure traces or JSONL with the keys of the
    Mooncake traces. Looked for beside this file, beside the scenario, and where you stand."""
    targets: Targets
    speculation: Speculation
    precision: ServingPrecision = "best"
    """`best`: fp8, else int8, else bf16."""
    software: ServingSoftware
    fleet: FleetSpec | None = None
    """Policies of the fleet, for `parity fleet`."""

    @model_validator(mode="after")
    def _arrivals_have_what_they_need(self) -> Self:
        for kind, part, what in _NEEDED:
            given = bool(getattr(self, part))
            if self.arrivals == kind and not given:
                raise PydanticCustomError(
                    part, f"arrivals: {kind} needs `{part}`: {what}", {"part": "arrivals"}
                )
            if given and self.arrivals != kind:
                raise PydanticCustomError(
                    part,
                    "{part}: {read} would not be read, as arrivals is {arrivals}; write `arrivals: {kind}` or drop it",
                    {
                        "read": f'"{self.trace}"' if part == "trace" else "the block",
                        "arrivals": self.arrivals,
                        "kind": kind,
                        "part": part,
                    },
                )
        return self


_NEEDED = (
    ("trace", "trace", "the CSV or JSONL file to replay"),
    ("on-off", "on_off", "the mean lengths {on: ..., off: ...} of bursts and of the silence between them"),
    ("diurnal", "day", "{peak_over_mean: ..., period: 24 hour}"),
)
