"""From checked files and one world to the plain numbers that the physics and the economics take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Ownership
from sim.physics.chip import Chip, KernelCurve
from sim.physics.memory import StateBytes
from sim.physics.network import Network, Tier
from sim.physics.operators import Precisions
from sim.physics.operators import Traffic as KernelTraffic
from sim.profiles.catalogue import Catalogue
from sim.profiles.economy import Region
from sim.profiles.hardware import ChipProfile, KernelFit, KernelProfile, SystemProfile
from sim.profiles.model import ModelProfile
from sim.profiles.stacks import SmallKernels
from sim.profiles.workload import Lengths, ServingSoftware, ServingTraffic, TrainingRecipe, TrainingSoftware
from sim.quantity import Array, Quantity
from sim.serving.job import Engine, ServingJob, Targets, Traffic, serving_precisions
from sim.serving.pattern import STEADY, Pattern
from sim.serving.traffic import LengthDistribution
from sim.training.job import Software, TrainingJob

FAMILIES = ("gemm", "grouped_gemm", "attention_prefill", "attention_decode", "elementwise", "lookup")


@dataclass(frozen=True, slots=True)
class World:
    """Values of the uncertain inputs: scalars in one world, or arrays with one entry per draw.

    Both clusters are resolved in the same world, so what they share is drawn once.

    Attributes
    ----------
    values : mapping of Quantity.path to (draws,) array
        Inputs that are not here stand at their median.

    Examples
    --------
    >>> World()(Quantity(3.2e12, path="chips/x#memory.bandwidth"))
    3200000000000.0
    """

    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __call__(self, quantity: Quantity) -> Array:
        """The number a quantity has in this world, in base units.

        Raises
        ------
        UnknownQuantityError
            When the quantity is unknown.
        """
        drawn = self.values.get(quantity.path)
        return quantity.median if drawn is None else drawn


MEDIAN = World()


def resolve_chip(profile: ChipProfile, kernels: KernelProfile, world: World = MEDIAN) -> Chip:
    """Plain numbers of a chip; its kernel efficiencies come from the file of its family."""
    return Chip(
        name=profile.name,
        matrix_peak={precision: world(rate) for precision, rate in profile.compute.matrix.items()},
        vector_peak={precision: world(rate) for precision, rate in profile.compute.vector.items()},
        memory_bytes=world(profile.memory.capacity),
        memory_bandwidth=world(profile.memory.bandwidth),
        kernels={
            (family, precision): _curve(fit, world)
            for family in FAMILIES
            for precision, fit in getattr(kernels, family).items()
        },
        speed_factor={
            (precision, phase): world(factor)
            for phase, factors in kernels.speed.items()
            for precision, factor in factors.items()
        },
        idle_power_w=world(profile.power.idle),
        busy_power_w=world(profile.power.tdp) * world(profile.power.training),
        layer_overhead_s={key: world(value) for key, value in kernels.layer_overhead.items()},
        attention_backward=world(kernels.attention_backward),
        linear_backward=world(kernels.linear_backward),
        dies=profile.silicon.dies,
        ranks=profile.silicon.ranks,
        latent_layers=world(kernels.latent_layers),
        grouped_prefill=world(kernels.grouped_prefill),
        memory_activity=world(kernels.activity.memory),
        waiting_activity=world(kernels.activity.waiting),
    )


def _curve(fit: KernelFit, world: World) -> KernelCurve:
    return KernelCurve(
        compute=world(fit.compute),
        bandwidth=world(fit.bandwidth),
        overhead_s=world(fit.overhead),
        half_rows=0.0 if fit.half_rows is None else world(fit.half_rows),
        half_width=0.0 if fit.half_width is None else world(fit.half_width),
        half_depth=0.0 if fit.half_depth is None else world(fit.half_depth),
        half_length=0.0 if fit.half_length is None else world(fit.half_length),
        wide=None if fit.wide is None else world(fit.wide),
    )


def resolve_network(system: SystemProfile, world: World = MEDIAN) -> Network:
    """Plain numbers of the tiers, innermost first."""
    return Network(
        tuple(
            Tier(
                name=tier.name,
                size=np.inf if tier.size == "unlimited" else float(tier.size),
                bandwidth=world(tier.bandwidth),
                latency_s=world(tier.latency),
                efficiency=world(tier.efficiency),
                exchange_efficiency=world(tier.exchange_efficiency),
                exchange_floor_s=world(tier.exchange_floor),
                reduces=tier.reduces,
            )
            for tier in system.tiers
        )
    )


def training_precisions(chip: Chip, choice: str = "best") -> Precisions:
    """Number formats of a training job on a chip: weights, activations and states in 16 and 32 bit, GEMMs as chosen.

    Parameters
    ----------
    choice : str
        "best": fp8 where the chip runs it, else bf16; or a precision.

    Raises
    ------
    KeyError
        When the chip does not run the precision.
    """
    arithmetic = chip.fastest("fp8", "bf16", "fp16") if choice == "best" else chip.fastest(choice)
    narrow = 1.0 if arithmetic in ("fp8", "fp4") else 2.0
    return Precisions(
        linear=arithmetic, expert=arithmetic, attention=chip.fastest("bf16", "fp16"), dispatch_bytes=narrow
    )


def stated_software(recipe: TrainingRecipe) -> TrainingSoftware:
    """Software of a recipe; what a recipe from before these keys leaves out comes from the shipped `pretrain-v3`."""
    software = recipe.software
    missing = [key for key in ("traffic", "state", "stated_at") if getattr(software, key) is None]
    if not missing:
        return software
    shipped = Catalogue().workload("pretrain-v3")
    assert isinstance(shipped, TrainingRecipe)
    return software.model_copy(update={key: getattr(shipped.software, key) for key in missing})


def resolve_small_kernels(traffic: SmallKernels, world: World = MEDIAN) -> KernelTraffic:
    """Plain numbers of the memory traffic between matrix products."""
    return KernelTraffic(
        hidden=world(traffic.hidden),
        inner=world(traffic.inner),
        routed=world(traffic.routed),
        quantise_bytes=world(traffic.quantise),
        score_bytes=world(traffic.scores),
        loss_bytes=world(traffic.loss),
        backward=world(traffic.backward),
        quantise_backward=world(traffic.quantise_backward),
        scores_backward=world(traffic.scores_backward),
        norms_and_activation=traffic.norms_and_activation.median,
        repeated_by_ranks=world(traffic.repeated_by_ranks),
    )


def resolve_training(
    model: ModelProfile, recipe: TrainingRecipe, chip: Chip, kernels: KernelProfile, world: World = MEDIAN
) -> TrainingJob:
    """Plain numbers of a training run on a chip of a family."""
    software, shared = recipe.software, stated_software(recipe)
    state, stated_at = shared.state, shared.stated_at
    assert shared.traffic is not None
    assert state is not None
    assert stated_at is not None
    muon = recipe.optimizer == "muon"
    tensor_exposed = kernels.tensor_exposed or software.tensor_exposed
    return TrainingJob(
        architecture=model.shape,
        tokens=world(recipe.tokens),
        sequence=recipe.sequence,
        global_batch=recipe.global_batch.value,
        precisions=training_precisions(chip, recipe.precision),
        software=Software(
            expert_exposed=world(software.expert_exposed),
            tensor_exposed=world(tensor_exposed),
            data_exposed=world(software.data_exposed),
            jitter=world(software.jitter),
            attention_speed=world(software.attention_speed),
            exchange_slowdown=world(software.exchange_slowdown),
            host_floor=world(software.host_floor),
            host_backward=world(software.host_backward),
            optimizer_traffic=world(software.optimizer_traffic),
            memory_reserve=world(software.memory_reserve),
            expert_overlap=software.expert_overlap,
            fused_attention=software.fused_attention,
            gradient_bytes=world(state.reduced),
            gather_bytes=world(state.gathered),
            jitter_chips=world(stated_at.jitter),
        ),
        state=StateBytes(
            state.weight.median, state.gradient.median, (state.muon if muon else state.adamw).median
        ),
        traffic=resolve_small_kernels(shared.traffic, world),
        routing_experts=world(stated_at.routing),
        newton_schulz=world(state.newton_schulz) if muon else 0.0,
        mtp=recipe.mtp,
        routing_imbalance=world(recipe.routing_imbalance),
        recompute=recipe.recompute,
        schedule=recipe.schedule,
    )


def stated_engine(traffic: ServingTraffic) -> ServingSoftware:
    """Software of a traffic file; what a file from before these keys leaves out comes from the shipped `chat`."""
    keys = ServingSoftware.model_fields
    missing = [key for key in keys if getattr(traffic.software, key) is None]
    if not missing:
        return traffic.software
    shipped = Catalogue().workload("chat")
    assert isinstance(shipped, ServingTraffic)
    return traffic.software.model_copy(update={key: getattr(shipped.software, key) for key in missing})


def resolve_serving(
    model: ModelProfile, traffic: ServingTraffic, chip: Chip, world: World = MEDIAN
) -> ServingJob:
    """Plain numbers of a serving job on a chip."""
    software = stated_engine(traffic)
    assert software.expert_popularity is not None
    assert software.expert_copies is not None
    assert software.draft_cost is not None
    assert software.engine_speed is not None
    assert software.grouped_speed is not None
    assert software.first_token is not None
    assert software.prompt_delay is not None
    assert software.routed is not None
    return ServingJob(
        architecture=model.shape,
        precisions=serving_precisions(chip, traffic.precision, released_experts=_experts(model)),
        traffic=Traffic(
            prompt=_lengths(traffic.input, world),
            output=_lengths(traffic.output, world),
            prefix_hit=world(traffic.prefix_hit),
            burstiness=world(traffic.burstiness),
            pattern=(pattern := _pattern(traffic, world)),
        ),
        targets=Targets(world(traffic.targets.ttft), world(traffic.targets.tpot), traffic.targets.percentile),
        engine=Engine(
            overlap_hidden=world(software.overlap_hidden),
            expert_imbalance=world(software.expert_imbalance),
            step_overhead_s=world(software.step_overhead),
            replica_overhead_s=world(software.replica_overhead),
            memory_use=world(software.memory_use),
            buffers_bytes=world(software.buffers),
            drafts=traffic.speculation.drafts,
            accepted=world(traffic.speculation.accepted),
            draft_rereads=world(software.draft_rereads),
            eager_prefill=world(software.eager_prefill),
            prefill_spread=world(software.prefill_spread),
            interleave=software.interleave,
            max_batch=world(software.max_batch),
            chunk_tokens=world(software.chunk),
            expert_popularity=world(software.expert_popularity),
            expert_copies=world(software.expert_copies),
            draft_cost=world(software.draft_cost),
            speed=world(software.engine_speed),
            grouped_speed=world(software.grouped_speed),
            outside_s=world(software.first_token) + world(software.prompt_delay),
            routed=world(software.routed),
            sequence_parallel=software.sequence_parallel,
        ),
        pools=software.pools,
        utilisation=world(software.utilisation) * pattern.mean_over_peak,
    )


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


def resolve_ownership(
    chip: ChipProfile, system: SystemProfile, region: Region, world: World = MEDIAN
) -> Ownership:
    """Prices and habits behind one chip of a system in a region.

    What nobody has published is NaN, and so is every cost that rests on it; see :func:`unknown_prices`.
    """
    known = {
        name: float("nan") if quantity is None or quantity.is_unknown else world(quantity)
        for name, (_, _, quantity) in _prices(chip, system, region).items()
    }
    stated = {
        name: world(quantity) for name, quantity in _habits(system, region).items() if quantity is not None
    }
    return Ownership(
        peak_power_w=world(chip.power.tdp) + world(system.power.server) + world(system.power.network),
        pue=world(region.pue),
        depreciation=region.depreciation,
        **known,
        **stated,
    )


def _habits(system: SystemProfile, region: Region) -> dict[str, Quantity | None]:
    """Fields of :class:`Ownership` that a file may leave out, where the default of the class holds."""
    return {
        "storage_usd": system.price.storage,
        "spares_per_s": region.spares,
        "software_per_s": region.software,
        "cooling_share": region.cooling,
        "residual": region.residual,
        "value_loss_per_s": region.value_loss,
        "revenue_share": region.revenue_share,
        "pass_through": region.pass_through,
    }


def unknown_prices(chip: ChipProfile, system: SystemProfile, region: Region) -> dict[str, list[str]]:
    """Keys that no cost of owning can be given without and that have no value, by file."""
    missing: dict[str, list[str]] = {}
    for file, key, quantity in _prices(chip, system, region).values():
        if quantity is None or quantity.is_unknown:
            missing.setdefault(file, []).append(key)
    return missing


def _prices(
    chip: ChipProfile, system: SystemProfile, region: Region
) -> dict[str, tuple[str, str, Quantity | None]]:
    """Fields of :class:`Ownership` that are money or how it is counted: where each stands, and its value."""
    chips, systems = f"chips/{chip.id}.yaml", f"systems/{system.id}.yaml"
    places = f"economics/{region.id}.yaml"
    return {
        "chip_usd": (chips, "price", chip.price),
        "server_usd": (systems, "price.server", system.price.server),
        "network_usd": (systems, "price.network", system.price.network),
        "facility_usd_per_w": (places, "facility", region.facility),
        "electricity_usd_per_j": (places, "electricity", region.electricity),
        "cost_of_capital_per_s": (places, "cost_of_capital", region.cost_of_capital),
        "hardware_life_s": (places, "hardware_life", region.hardware_life),
        "facility_life_s": (places, "facility_life", region.facility_life),
        "maintenance_per_s": (places, "maintenance", region.maintenance),
        "staff_per_s": (places, "staff", region.staff),
        "duty": (places, "duty", region.duty),
        "grey_premium": (places, "grey_premium", region.grey_premium),
    }
