"""From a line of the training table to a job, a chip and a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sim.physics.chip import Chip
from sim.physics.memory import StateBytes
from sim.physics.network import Network
from sim.physics.operators import Precisions
from sim.profiles.catalogue import Catalogue
from sim.profiles.files import check
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.leaves import with_paths
from sim.profiles.messages import InputError
from sim.profiles.model import ModelProfile
from sim.profiles.stacks import StackRules
from sim.profiles.tree import read_tree
from sim.quantity import Array, Quantity
from sim.resolve import MEDIAN, World, resolve_chip, resolve_network, resolve_small_kernels
from sim.serving.job import STORED_BYTES
from sim.study.validation.cases import CannotPredict, Case, validation_folder
from sim.study.validation.training_rows import global_batch, recompute_policies, stage_layers
from sim.study.validation.training_words import month, said
from sim.training.job import Software, TrainingJob

FAMILIES = {
    "ampere": "A100",
    "hopper": "Hopper",
    "h20": "Hopper",
    "blackwell": "Blackwell",
    "blackwell-ultra": "Blackwell",
    "cdna3": "AMD",
    "cdna4": "AMD",
    "ascend-910": "Ascend",
    "ascend-950": "Ascend",
    "tpu": "TPU",
}
VARIANTS = {"hbm2e-96g-500w": "h100-96g-500w"}


def read_rules(path: Path) -> StackRules:
    """The software table beside the cases."""
    tree = read_tree(path)
    rules = with_paths(check(tree, StackRules), "validation", tree)
    if rules.eras is not None:
        return rules
    return rules.model_copy(update={"eras": read_rules(validation_folder() / "software.yaml").eras})


def is_old(case: Case, rules: StackRules) -> bool:
    """Whether the code of a row is from before fused attention and overlap were usual."""
    assert rules.eras is not None
    return "" < month(case) < rules.eras.old_before


@dataclass(frozen=True, slots=True)
class Setting:
    """What a row says, with everything looked up.

    Attributes
    ----------
    dies : int
        Ranks per chip package: 2 where the row counts dies.
    speed : float or None
        End-to-end factor in place of the one in the kernel file; used to fit it.
    """

    case: Case
    model: ModelProfile
    chip: ChipProfile
    system: SystemProfile
    rules: StackRules
    catalogue: Catalogue
    dies: int = 1
    speed: float | None = None

    @property
    def family(self) -> str:
        """Chip family as rows are counted."""
        return FAMILIES.get(self.chip.family, "other")

    @property
    def precision(self) -> str:
        """Arithmetic of the large matrix products."""
        return precision_of(self.case)

    def rule(self, name: str, value: str) -> Quantity:
        """The number a rule has for a value of its column, on this chip family."""
        table: Mapping[str, Quantity] = getattr(self.rules, name)
        value = value or "unstated"
        for key in (f"{value}/{self.chip.family}", f"any/{self.chip.family}", value, "any", "unstated"):
            if key in table:
                return table[key]
        raise CannotPredict(f'{name}: "{value}" is not one of {", ".join(table)}')

    @property
    def is_old(self) -> bool:
        """Whether the code is from before fused attention and overlap were usual."""
        return is_old(self.case, self.rules)

    @property
    def fused_attention(self) -> bool:
        """Whether scores stay on chip. While such kernels were new, who used one said so; later nobody had to."""
        stated = said(self.case, "fused_attention")
        assert self.rules.eras is not None
        recent = not "" < month(self.case) < self.rules.eras.fused_since
        return recent if stated is None else stated

    @property
    def stack_class(self) -> str:
        """Class of the stack; "own" for the own code of a laboratory, about which nobody else has reported."""
        stated = self.case.text("stack_class").lower()
        return "own" if stated == "tuned" and self.case.text("stack").lower() == "other" else stated

    @property
    def years(self) -> float:
        """Age of the software: years since `pace_from`, below zero for earlier code; 0 without a date and for old code,
        where classes of their own say what it does."""
        written = month(self.case)
        if not re.fullmatch(r"\d{4}-\d{2}", written) or self.is_old:
            return 0.0
        assert self.rules.eras is not None
        return _year(written) - _year(self.rules.eras.pace_from)

    def chosen(self) -> dict[str, Quantity]:
        """Every rule of the software table that applies to the row."""
        case = self.case
        era = "old" if self.is_old else ""
        overlap = case.text("tp_overlap")
        sinks = any(getattr(group, "sinks", False) for group in self.model.shape.attention)
        unsaid = sinks and said(case, "fused_attention") is None
        kernel = "sinks" if unsaid else self.stack_class if self.fused_attention else "unfused"
        return {
            "tensor_exposed": self.rule(
                "tensor_exposed", era if era and overlap in ("", "none") else overlap
            ),
            "expert_exposed": self.rule("expert_exposed", "any"),
            "data_exposed": self.rule("data_exposed", era or self.stack_class),
            "jitter": self.rule("jitter", "any"),
            "attention_speed": self.rule("attention_speed", kernel),
            "stack_speed": self.rule("stack_speed", self.stack_class),
            "pace": self.rule("pace", self.case.text("stack_class").lower()),
            "small_kernels": self.rule("small_kernels", era or "any"),
            "exchange_slowdown": self.rule("exchange_slowdown", "any"),
            "host_floor": self.rule("host_floor", case.text("cuda_graphs")),
            "host_backward": self.rule("host_backward", "any"),
            "optimizer_traffic": self.rule("optimizer_traffic", "any"),
            "memory_reserve": self.rule("memory_reserve", "any"),
            "routing_imbalance": self.rule("routing_imbalance", case.text("routing")),
            "goodput": self.rule("goodput", "any"),
        }

    def inputs(self) -> list[Quantity]:
        """What may differ between runs of this description: software and network, not the chip itself."""
        found = [*self.chosen().values()]
        for tier in self.system.tiers:
            found += [tier.efficiency, tier.exchange_efficiency, tier.latency]
        return [quantity for quantity in found if quantity.is_uncertain]


def look_up(case: Case, catalogue: Catalogue, rules: StackRules) -> Setting:
    """Model, chip and system of a row.

    Raises
    ------
    CannotPredict
        When one of them is not in the catalogue; the message names the nearest ids.
    """
    model_id, chip_id = case.id("model_id"), VARIANTS.get(case.text("chip_variant"), case.id("chip"))
    try:
        model, chip = catalogue.model(model_id), catalogue.chip(chip_id)
    except InputError as error:
        raise CannotPredict(error.problems[0].message) from None
    if model.architecture is None:
        raise CannotPredict(f"the architecture of {model.name} is not public")
    dies = chip.silicon.dies if "ranks are dies" in case.text("sim_note") else 1
    return Setting(case, model, chip, system_of(chip_id, catalogue, case), rules, catalogue, dies)


def system_of(chip: str, catalogue: Catalogue, case: Case) -> SystemProfile:
    """A system with this chip; of several, the one whose scale-up domain is nearest to the row's."""
    found = [system for system in map(catalogue.system, catalogue.ids("systems")) if system.chip == chip]
    if not found:
        raise CannotPredict(f"no system with chip {chip} is in the catalogue")
    wanted = case.number("scale_up_domain", 0.0)

    def distance(system: SystemProfile) -> float:
        sizes = [tier.size for tier in system.tiers if tier.size != "unlimited"]
        return abs(np.log2(max(float(size) for size in sizes)) - np.log2(wanted)) if wanted and sizes else 0.0

    return min(found, key=distance)


def precision_of(case: Case) -> str:
    """bf16, fp8 or fp4, whatever the row calls it."""
    written = case.text("precision").upper()
    if "FP4" in written:
        return "fp4"
    if ("FP8" in written or "HIF8" in written) and "BF16" not in written:
        return "fp8"
    return "bf16"


def resolve_hardware(setting: Setting, world: World = MEDIAN) -> tuple[Chip, Network]:
    """Chip (or die) and network of a row, with the stack's speed in the chip's end-to-end factor."""
    chip = resolve_chip(setting.chip, setting.catalogue.kernels(setting.chip.kernels), world)
    chosen = setting.chosen()
    stack = np.asarray(world(chosen["stack_speed"])) * np.exp(world(chosen["pace"]) * setting.years)
    factors = {
        key: factor if setting.speed is None else setting.speed for key, factor in chip.speed_factor.items()
    }
    speed = {key: factor * stack for key, factor in factors.items()}
    share = 1.0 / setting.dies
    chip = replace(
        chip,
        matrix_peak={name: rate * share for name, rate in chip.matrix_peak.items()},
        memory_bytes=chip.memory_bytes * share,
        memory_bandwidth=chip.memory_bandwidth * share,
        speed_factor=speed,
    )
    return chip, _network(setting, resolve_network(setting.system, world))


def _network(setting: Setting, network: Network) -> Network:
    """Network of the system with the scale-up domain and the NIC rate of the row, seen from one rank."""
    case, dies = setting.case, setting.dies
    tiers = list(network.tiers)
    nic = case.number("nic_gbps_per_chip", 0.0) * 1e9 / 8
    if nic:
        tiers[-1] = replace(tiers[-1], bandwidth=nic)
    domain = case.number("scale_up_domain", 0.0)
    if domain and len(tiers) > 1:
        tiers[-2] = replace(tiers[-2], size=domain)
    return Network(
        tuple(replace(tier, size=tier.size * dies, bandwidth=tier.bandwidth / dies) for tier in tiers)
    )


def resolve_job(setting: Setting, world: World = MEDIAN) -> TrainingJob:
    """The job of a row in one world (or many)."""
    case = setting.case
    chosen = {name: world(quantity) for name, quantity in setting.chosen().items()}
    small, state = setting.chosen()["small_kernels"].value, setting.rules.state
    traffic = resolve_small_kernels(setting.rules.traffic)
    sequence = int(case.number("seq_len"))
    return TrainingJob(
        architecture=setting.model.shape,
        tokens=case.number("tokens_total_T", 0.0) * 1e12,
        sequence=sequence,
        global_batch=global_batch(case),
        precisions=_precisions(setting),
        software=_software(setting, chosen),
        state=StateBytes(state.weight.median, state.gradient.median, state.adamw.median),
        mtp=case.number("mtp_layers", 0.0) > 0,
        routing_imbalance=chosen["routing_imbalance"],
        policies=recompute_policies(case, setting.model.shape.layers),
        stage_layers=stage_layers(case, setting.model.shape.layers)[0],
        routing_experts=setting.rules.stated_at.routing.median,
        traffic=replace(traffic, hidden=traffic.hidden * small, inner=traffic.inner * small),
        frozen="LoRA" in case.text("model") or "linear FLOPs about 4N" in case.text("sim_note"),
    )


def _software(setting: Setting, chosen: Mapping[str, Array]) -> Software:
    """What the stack of a row does: its classes, and what the row says itself."""
    case, state = setting.case, setting.rules.state
    parallel = said(case, "sequence_parallel")
    overlap = case.text("ep_overlap") or setting.rules.expert_overlap["unstated"]
    return Software(
        expert_exposed=chosen["expert_exposed"],
        tensor_exposed=chosen["tensor_exposed"],
        data_exposed=chosen["data_exposed"],
        jitter=chosen["jitter"],
        attention_speed=chosen["attention_speed"],
        exchange_slowdown=chosen["exchange_slowdown"],
        host_floor=chosen["host_floor"],
        host_backward=chosen["host_backward"],
        optimizer_traffic=chosen["optimizer_traffic"],
        memory_reserve=chosen["memory_reserve"],
        gradient_bytes=state.reduced.median,
        gather_bytes=state.gathered.median,
        jitter_chips=setting.rules.stated_at.jitter.median,
        expert_overlap=overlap if overlap in ("none", "partial", "full") else "none",  # type: ignore[arg-type]
        fused_attention=setting.fused_attention,
        sequence_parallel=case.number("tp", 1.0) > 1 if parallel is None else parallel,
    )


def _year(month: str) -> float:
    return int(month[:4]) + (int(month[5:7]) - 1) / 12.0


def _precisions(setting: Setting) -> Precisions:
    arithmetic = setting.precision
    if arithmetic not in setting.chip.compute.matrix:
        raise CannotPredict(f"{setting.chip.name} does not run {arithmetic}")
    stored = STORED_BYTES[arithmetic]
    narrow = setting.case.text("stack") == "deepseek" and arithmetic == "fp8"
    core = "fp8" if "FP8 attention" in setting.case.text("sim_note") else "bf16"
    return Precisions(
        linear=arithmetic,
        expert=arithmetic,
        attention=core,
        weight_bytes=stored,
        expert_weight_bytes=stored,
        dispatch_bytes=1.0 if narrow else 2.0,
    )
