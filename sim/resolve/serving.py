"""Serving traffic on a chip as plain numbers."""

from __future__ import annotations

from sim.physics.chip import Chip
from sim.physics.operators import Traffic as KernelTraffic
from sim.profiles.catalogue import Catalogue
from sim.profiles.model import ModelProfile
from sim.profiles.stacks import ServingKernels
from sim.profiles.workload import Lengths, ServingSoftware, ServingTraffic, Speculation
from sim.resolve.filled import filled, given
from sim.resolve.world import MEDIAN, World
from sim.serving.job import Engine, ServingJob, Targets, Traffic, serving_precisions
from sim.serving.pattern import STEADY, Pattern
from sim.serving.traffic import LengthDistribution


def stated_engine(traffic: ServingTraffic) -> ServingSoftware:
    """Software of a traffic file; what a file from before these keys leaves out comes from the shipped `chat`."""

    def shipped() -> ServingSoftware:
        found = Catalogue().workload("chat")
        assert isinstance(found, ServingTraffic)
        return found.software

    return filled(traffic.software, ServingSoftware.model_fields, shipped)


def resolve_serving(
    model: ModelProfile, traffic: ServingTraffic, chip: Chip, world: World = MEDIAN
) -> ServingJob:
    """Plain numbers of a serving job on a chip."""
    software, pattern = stated_engine(traffic), _pattern(traffic, world)
    return ServingJob(
        architecture=model.shape,
        precisions=serving_precisions(chip, traffic.precision, released_experts=_experts(model)),
        traffic=Traffic(
            prompt=_lengths(traffic.input, world),
            output=_lengths(traffic.output, world),
            prefix_hit=world(traffic.prefix_hit),
            burstiness=world(traffic.burstiness),
            pattern=pattern,
        ),
        targets=Targets(world(traffic.targets.ttft), world(traffic.targets.tpot), traffic.targets.percentile),
        engine=resolve_engine(software, traffic.speculation, world),
        pools=software.pools,
        utilisation=world(software.utilisation) * pattern.mean_over_peak,
    )


def resolve_engine(software: ServingSoftware, speculation: Speculation, world: World = MEDIAN) -> Engine:
    """Plain numbers of an engine; ``software`` is complete, as from :func:`stated_engine`."""
    return Engine(
        overlap_hidden=world(software.overlap_hidden),
        expert_imbalance=world(software.expert_imbalance),
        expert_copies=world(given(software.expert_copies)),
        expert_popularity=world(given(software.expert_popularity)),
        step_overhead_s=world(software.step_overhead),
        replica_overhead_s=world(software.replica_overhead),
        memory_use=world(software.memory_use),
        buffers_bytes=world(software.buffers),
        drafts=speculation.drafts,
        accepted=world(speculation.accepted),
        draft_rereads=world(software.draft_rereads),
        draft_cost=world(given(software.draft_cost)),
        eager_prefill=world(software.eager_prefill),
        prefill_spread=world(software.prefill_spread),
        sequence_parallel=software.sequence_parallel,
        interleave=software.interleave,
        max_batch=world(software.max_batch),
        chunk_tokens=world(software.chunk),
        speed=world(given(software.engine_speed)),
        grouped_speed=world(given(software.grouped_speed)),
        outside_s=world(given(software.first_token)) + world(given(software.prompt_delay)),
        routed=world(given(software.routed)),
        small_kernels=resolve_serving_kernels(given(software.small_kernels), world),
    )


def resolve_serving_kernels(kernels: ServingKernels, world: World = MEDIAN) -> KernelTraffic:
    """Plain numbers of the memory traffic of an engine between matrix products."""
    return KernelTraffic(hidden=world(kernels.hidden), moe_factor=world(kernels.experts))


def _pattern(traffic: ServingTraffic, world: World) -> Pattern:
    """Swing of the arrivals."""
    if traffic.on_off is not None:
        return Pattern("on-off", on_s=world(traffic.on_off.on), off_s=world(traffic.on_off.off))
    if traffic.day is not None:
        peak, period = world(traffic.day.peak_over_mean), world(traffic.day.period)
        return Pattern("diurnal", peak_over_mean=peak, period_s=period)
    return STEADY


def _experts(model: ModelProfile) -> str:
    """Format of the released routed experts."""
    return "" if model.weights is None else (model.weights.experts or model.weights.linear)


def _lengths(lengths: Lengths, world: World) -> LengthDistribution:
    return LengthDistribution(world(lengths.median), world(lengths.sigma), world(lengths.maximum))
