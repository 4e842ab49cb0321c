"""A training recipe on a chip as plain numbers."""

from __future__ import annotations

from sim.physics.chip import Chip
from sim.physics.memory import StateBytes
from sim.physics.operators import Precisions
from sim.physics.operators import Traffic as KernelTraffic
from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import KernelProfile
from sim.profiles.model import ModelProfile
from sim.profiles.reliability import Reliability
from sim.profiles.stacks import SmallKernels
from sim.profiles.workload import TrainingRecipe, TrainingSoftware
from sim.resolve.filled import filled, given
from sim.resolve.world import MEDIAN, World
from sim.training.job import Software, TrainingJob


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
    return filled(recipe.software, ("traffic", "state", "stated_at"), lambda: _shipped().software)


def stated_reliability(rules: Reliability) -> Reliability:
    """Stops of a run, with the length of the planned ones."""
    return filled(rules, ("planned_stop",), lambda: _shipped().reliability)


def _shipped() -> TrainingRecipe:
    recipe = Catalogue().workload("pretrain-v3")
    assert isinstance(recipe, TrainingRecipe)
    return recipe


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
    software = stated_software(recipe)
    state, muon = given(software.state), recipe.optimizer == "muon"
    return TrainingJob(
        architecture=model.shape,
        tokens=world(recipe.tokens),
        sequence=recipe.sequence,
        global_batch=recipe.global_batch.value,
        precisions=training_precisions(chip, recipe.precision),
        software=resolve_software(software, kernels, world),
        state=StateBytes(
            state.weight.median, state.gradient.median, (state.muon if muon else state.adamw).median
        ),
        traffic=resolve_small_kernels(given(software.traffic), world),
        routing_experts=world(given(software.stated_at).routing),
        newton_schulz=world(state.newton_schulz) if muon else 0.0,
        mtp=recipe.mtp,
        routing_imbalance=world(recipe.routing_imbalance),
        recompute=recipe.recompute,
        schedule=recipe.schedule,
    )


def resolve_software(software: TrainingSoftware, kernels: KernelProfile, world: World = MEDIAN) -> Software:
    """Plain numbers of a training stack on chips of a family, which may have an exposure of tensor traffic of its own.

    ``software`` is complete, as from :func:`stated_software`.
    """
    state = given(software.state)
    return Software(
        expert_exposed=world(software.expert_exposed),
        tensor_exposed=world(kernels.tensor_exposed or software.tensor_exposed),
        data_exposed=world(software.data_exposed),
        jitter=world(software.jitter),
        jitter_chips=world(given(software.stated_at).jitter),
        attention_speed=world(software.attention_speed),
        exchange_slowdown=world(software.exchange_slowdown),
        host_floor=world(software.host_floor),
        host_backward=world(software.host_backward),
        optimizer_traffic=world(software.optimizer_traffic),
        memory_reserve=world(software.memory_reserve),
        gradient_bytes=world(state.reduced),
        gather_bytes=world(state.gathered),
        expert_overlap=software.expert_overlap,
        fused_attention=software.fused_attention,
    )
