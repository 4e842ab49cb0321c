"""Schemas of hardware files: chips, kernel efficiencies, systems."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sim.profiles.fields import (
    Area,
    ByteRate,
    Bytes,
    Date,
    Document,
    FailureRate,
    Id,
    Money,
    Power,
    Rate,
    Ratio,
    Record,
    Seconds,
    Share,
)

Precision = Literal["fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp6", "fp4", "int4"]
Confidence = Literal["datasheet", "tech_report", "analyst", "press"]


class Compute(Record):
    """Dense peaks of one package (all dies), never the sparse figures."""

    matrix: dict[Precision, Rate]
    """Matrix units, by the precision they run natively. A precision the chip lacks is left out."""
    vector: dict[Precision, Rate] = Field(default_factory=dict)
    """Vector units."""


class Memory(Record):
    """Device memory of one package."""

    type: str
    capacity: Bytes
    """Decimal GB as sold."""
    bandwidth: ByteRate
    """Peak, both dies together."""
    stacks: int | None = None


class ChipPower(Record):
    """Power of one package."""

    tdp: Power
    """Limit under sustained matrix load."""
    idle: Power
    """Powered, no work."""
    training: Share
    """Mean draw in training over tdp."""


class Silicon(Record):
    """What the chip is made of, for export rules and supply."""

    dies: int = 1
    ranks: int = 1
    """Devices that software sees in the package: 2 where each die is addressed on its own."""
    die_area: Area | None = None
    """Logic area of all dies on a non-planar node; a range where it is disputed which of them count."""
    io_bandwidth: ByteRate | None = None
    """Both directions added, all links of the package to other circuits but volatile memory."""
    transistors: Ratio | None = None
    """Of all logic dies."""
    datacenter: bool = True
    """Designed or marketed for data centres."""
    node: str = ""
    foundry: str = ""


class Bin(Record):
    """Another speed grade sold under the same name."""

    name: str
    compute: Compute
    note: str = ""


class ChipProfile(Document):
    """One chip as sold: one package."""

    vendor: str
    origin: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    """Country of the vendor's headquarters by two letters (ISO 3166), for export rules; left out: as the shipped list of
    makers says of the vendor, else not known."""
    family: Id
    """Family whose software factors and kernel fits it shares: ampere, hopper, h20, blackwell,
    blackwell-ultra, cdna3, cdna4, tpu, gaudi, trainium, ascend-910, ascend-950, china-other."""
    kernels: Id
    """Kernel-efficiency file (hardware_profiles/kernels)."""
    released: Date | None = None
    status: Literal["sold", "discontinued", "announced", "never-sold"] = "sold"
    confidence: Confidence
    """Kind of the source behind the compute peaks."""
    compute: Compute
    bins: list[Bin] = Field(default_factory=list)
    """Other grades under the same name; `compute` above is the one simulated, its range spans the bins
    where the grade is not known."""
    memory: Memory
    power: ChipPower
    silicon: Silicon = Silicon()
    price: Money | None = None
    """One chip or module, without server, before tax."""
    failure_rate: FailureRate | None = None
    """Interruptions of a training job per chip and time, all causes."""
    measured: dict[str, Ratio] = Field(default_factory=dict)
    """Published measurements kept for checks, not used by the simulator; the unit stands in the name."""


class KernelFit(Record):
    """t = max(F / (compute x peak), Q / (bandwidth x peak bandwidth)) + overhead."""

    compute: Share
    """Share of the dense matrix peak of that precision."""
    bandwidth: Share
    """Share of the memory bandwidth."""
    overhead: Seconds
    """Fixed time of one launch."""
    half_rows: Ratio | None = None
    """Rows at which half of `compute` is reached."""
    half_width: Ratio | None = None
    """The same for the columns of the result: narrow matrices leave tiles unfilled. Used in training."""
    half_depth: Ratio | None = None
    """The same for the length over which products are summed. Used in training."""
    half_length: Ratio | None = None
    """The same for the tokens of a sequence, in the attention core. Used in training."""
    wide: Share | None = None
    """`compute` far above the three lines before, for use with them; left out: `compute`."""


class Activity(Record):
    """Power above idle over that under sustained matrix load, by what keeps the matrix units from working."""

    memory: Share
    """While the memory bandwidth binds."""
    waiting: Share
    """While the network or launches bind."""


class KernelProfile(Document):
    """Kernel efficiencies shared by the chips of a family."""

    extends: str = ""
    """Kernel file that this one changes: what stands here replaces what stands there."""
    transferred_from: Id | None = None
    """The relative whose measurements stand in where this family has none."""
    gemm: dict[Precision, KernelFit]
    grouped_gemm: dict[Precision, KernelFit]
    """Expert GEMMs."""
    attention_prefill: dict[Precision, KernelFit]
    """Attention core over whole prompts and in training (forward); backward efficiency is
    `attention_backward` of it."""
    attention_decode: dict[Precision, KernelFit]
    """Attention core of one new token per sequence, GQA or MLA."""
    elementwise: dict[Precision, KernelFit]
    """Norms, activations, residuals, permutes, quantisation: bandwidth-bound."""
    lookup: dict[Precision, KernelFit]
    """Embedding and n-gram tables."""
    attention_backward: Ratio
    """Efficiency of the attention backward pass over that of the forward pass."""
    linear_backward: Ratio
    """Efficiency of GEMM backward passes over that of the forward pass."""
    layer_overhead: dict[
        Literal[
            "training_dense", "training_moe", "prefill_dense", "prefill_moe", "decode_dense", "decode_moe"
        ],
        Seconds,
    ]
    """Small kernels, launches and synchronisation per layer and pass that no operator carries. In decode it
    is added (graphs on); in prefill and training it is the floor of the forward pass of a layer without
    graphs."""
    latent_layers: Ratio
    """Small kernels of a layer with latent or compressed attention over those of `layer_overhead`, in decode and prefill."""
    grouped_prefill: Ratio
    """Small kernels of an expert layer with grouped-query attention over `layer_overhead.prefill_moe`."""
    expert_gather: dict[Precision, Bytes] = Field(default_factory=dict)
    """Bytes that the kernels around an expert GEMM (gather, quantise, scatter) move per routed token and unit of hidden
    width. Cutting an expert over ranks does not divide them. A precision that is left out: none."""
    activity: Activity
    """Power of a chip that serves, between idle and sustained matrix load."""
    tensor_exposed: Share | None = None
    """Share of tensor-parallel traffic in training that stays visible on this family whatever the stack; left out: as the
    recipe says."""
    speed: dict[Literal["training", "prefill", "decode"], dict[Precision, Ratio]]
    """End-to-end factor on speed per phase and precision: at most one each, fitted on calibrate rows,
    shrunk to the common one."""


class NetworkTier(Record):
    """One level of the network as one chip package sees it."""

    name: str
    size: int | Literal["unlimited"]
    """Chips that reach each other at this level."""
    bandwidth: ByteRate
    """One way, per chip package."""
    latency: Seconds
    efficiency: Share
    """Share of bandwidth in large collectives."""
    exchange_efficiency: Share
    """Share of bandwidth in expert dispatch and combine."""
    exchange_floor: Seconds
    """Fixed time of one dispatch or combine."""
    reduces: bool = False
    """Switches add up partial sums."""


class SystemPower(Record):
    """Power of the parts around the chip, per chip."""

    server: Power
    """CPU, fans, NIC, boards: server power beyond the chips, per chip."""
    network: Power
    """Switches and optics outside the server, per chip."""


class SystemPrice(Record):
    """Purchase price of the parts, per chip; the chip itself is in its own profile."""

    server: Money
    """CPU, memory, boards, NIC, chassis, margin."""
    network: Money
    """Switches, optics, cables."""
    storage: Money | None = None
    """Shared file and object storage; left out: none."""


class SystemProfile(Document):
    """Chips, servers and network as they are bought together."""

    chip: Id
    chips_per_server: int
    unit: int
    """Smallest number of chips that is bought: a server, a rack or a supernode."""
    tiers: list[NetworkTier]
    """From the innermost to the outermost."""
    host_memory: Bytes | None = None
    """DRAM of the host, per chip."""
    host_bandwidth: ByteRate | None = None
    """Chip to host memory, one way, per chip."""
    power: SystemPower
    price: SystemPrice
    cooling: Literal["air", "liquid"] = "air"
    released: Date | None = None
