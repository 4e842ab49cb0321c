"""From a line of the serving table to a job, ranks, a network and the shapes of its instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim.physics.chip import Chip
from sim.physics.network import Network, point_to_point_time
from sim.physics.operators import Precisions
from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.files import check
from sim.profiles.leaves import with_paths
from sim.profiles.messages import InputError
from sim.profiles.model import ModelProfile
from sim.profiles.tree import read_tree
from sim.quantity import Array
from sim.resolve import MEDIAN, World, resolve_chip, resolve_network, resolve_serving_kernels
from sim.serving.job import STORED_BYTES, Engine, ServingJob, Targets, Traffic, UnitShape, as_ranks
from sim.serving.traffic import LengthDistribution
from sim.study.serving import with_host_memory
from sim.study.validation.scores import CannotPredict, Case
from sim.study.validation.serving_setting import ServingSetting
from sim.study.validation.serving_words import Filled, chip_of, filled, tidied
from sim.study.validation.training_cases import system_of

LIMITS = {  # columns that count something: least and most that can be meant
    "n_chips": (1, 1e6), "ranks_per_chip": (1, 16), "nic_gbps_per_chip": (0.1, 1e5), "scale_up_domain": (1, 1e6),
    "concurrency_total": (1e-3, 1e8), "concurrency_effective": (1e-3, 1e8), "batch_per_chip": (1e-4, 1e6),
    "max_batch_per_instance": (1, 1e7), "prefill_tokens_per_batch": (1, 1e9), "request_rate_total": (1e-6, 1e8),
    "n_requests": (1, 1e7), "isl": (0, 1e8), "osl": (0, 1e8), "kv_len_mean": (0, 1e9), "cached_fraction": (0, 1),
    "accepted_tokens_per_step": (0.1, 64), "draft_tokens": (0, 64), "p_instances": (1, 1e6), "d_instances": (1, 1e6),
    "p_tp": (1, 1e4), "p_dp": (1, 1e5), "p_ep": (0, 1e5), "d_tp": (1, 1e4), "d_dp": (1, 1e5), "d_ep": (0, 1e5),
    "d_pp": (1, 1e4),
}  # fmt: skip
DTYPES = ("weights_dtype", "nonexpert_dtype", "compute_dtype", "kv_dtype")
_EIGHT_BIT = ("fp8", "int8", "fp4", "w4a8")


def read_engine_rules(path: Path) -> EngineRules:
    """The engine table beside the cases."""
    tree = read_tree(path)
    return with_paths(check(tree, EngineRules), "validation", tree)


def check_row(case: Case) -> None:
    """Refuse what no run can have: counts out of range, number formats that do not exist.

    Raises
    ------
    CannotPredict
        Naming the column, what was read and what is expected.
    """
    for column, (least, most) in LIMITS.items():
        if case.text(column) and not least <= case.number(column) <= most:
            read = case.text(column)
            raise CannotPredict(f'{column}: read "{read}", where {least:g} to {most:g} is expected')
    for column in DTYPES:
        read = case.text(column)
        if read and read not in STORED_BYTES:
            raise CannotPredict(
                f'{column}: read "{read}", where one of {", ".join(STORED_BYTES)} is expected'
            )


def look_up(case: Case, catalogue: Catalogue, rules: EngineRules) -> ServingSetting:
    """Model, chip and system of a row.

    Raises
    ------
    CannotPredict
        When one of them is not in the catalogue; the message names the nearest ids.
    """
    case = tidied(case)
    check_row(case)
    try:
        model, chip = catalogue.model(case.id("model_id")), catalogue.chip(chip_of(case, catalogue))
    except InputError as error:
        raise CannotPredict(error.problems[0].message) from None
    if model.architecture is None:
        raise CannotPredict(f"the architecture of {model.name} is not public")
    row = filled(case, case.number("ranks_per_chip", float(chip.silicon.ranks)), model.weights)
    row = row if row.case.text("kv_dtype") else _cache(row, model, rules)
    system = system_of(chip.id, catalogue, case)
    return ServingSetting(row.case, model, chip, system, rules, catalogue, notes=row.notes)


def _cache(row: Filled, model: ModelProfile, rules: EngineRules) -> Filled:
    """Format of the cache of weights that somebody other than their maker made narrow."""
    found = rules.cache_format.get(f"{row.case.text('engine')}/{row.case.text('source_kind')}", "")
    released = model.weights and (model.weights.experts or model.weights.linear)
    if not found or released not in ("bf16", "fp16") or row.case.text("weights_dtype") not in ("fp8", "fp4"):
        return row
    return row.put(f"kv_dtype not published: {found}, as these checkpoints have", kv_dtype=found)


def resolve_ranks(setting: ServingSetting, world: World = MEDIAN) -> tuple[Chip, Network]:
    """Chip and network as one rank of the row sees them."""
    chip = resolve_chip(setting.chip, setting.catalogue.kernels(setting.chip.kernels), world)
    factors = {key: setting.speed.get(key[1], value) for key, value in chip.speed_factor.items()}
    chip = replace(chip, speed_factor=factors)
    return as_ranks(chip, _network(setting, world), setting.ranks_per_chip)


def _network(setting: ServingSetting, world: World) -> Network:
    """Network of the system with the NIC rate of the row."""
    network = resolve_network(setting.system, world)
    nic = setting.case.number("nic_gbps_per_chip", 0.0) * 1e9 / 8
    if not nic:
        return network
    return Network((*network.tiers[:-1], replace(network.tiers[-1], bandwidth=nic)))


def resolve_case(setting: ServingSetting, world: World = MEDIAN) -> ServingJob:
    """Job of a row: constant lengths, its engine, its number formats."""
    case, chosen = setting.case, {name: world(value) for name, value in setting.chosen().items()}
    prompt = case.number("isl", case.number("kv_len_mean", float("nan")))
    if not np.isfinite(prompt):
        raise CannotPredict("isl is not published")
    output = max(case.number("osl", 1.0), 1.0)
    lengths = LengthDistribution(max(prompt, 1.0), 0.0, 1e9), _spread(output, chosen["length_spread"])
    traffic = Traffic(*lengths, prefix_hit=case.number("cached_fraction", 0.0))
    engine = _engine(setting, chosen, world)
    job = ServingJob(setting.model.shape, _precisions(setting), traffic, Targets(1e9, 1e9), engine)
    return with_host_memory(job, setting.system, setting.ranks_per_chip, world)


def _engine(setting: ServingSetting, chosen: Mapping[str, Array], world: World) -> Engine:
    """The engine of a row: its rules, and what the row says itself."""
    case = setting.case
    return Engine(
        overlap_hidden=0.0 if case.text("overlap").startswith("off") else chosen["overlap_hidden"],
        expert_imbalance=chosen["expert_imbalance"],
        expert_copies=chosen["expert_copies"],
        expert_popularity=chosen["expert_popularity"],
        step_overhead_s=_host_time(setting, chosen["step_overhead"], world),
        replica_overhead_s=chosen["replica_overhead"],
        memory_use=chosen["memory_use"],
        buffers_bytes=chosen["buffers"],
        drafts=int(case.number("draft_tokens", 0.0)),
        accepted=case.number("accepted_tokens_per_step", 1.0),
        draft_rereads=chosen["draft_rereads"],
        draft_cost=chosen["draft_cost"],
        eager_prefill=chosen["eager_prefill"],
        prefill_spread=chosen["prefill_spread"],
        speed=chosen["engine_speed"]
        * np.exp(chosen.get("software_pace", 0.0) * (setting.years_later() or 0.0)),
        grouped_speed=chosen["grouped_speed"],
        interleave=setting.rule("interleave", case.text("engine")),  # type: ignore[arg-type]
        max_batch=_per_replica(setting, "max_batch_per_instance", chosen["max_batch"]),
        chunk_tokens=_per_replica(setting, "prefill_tokens_per_batch", chosen["chunk"])
        if case.text("phase") == "both"
        else chosen["chunk"],
        small_kernels=resolve_serving_kernels(setting.rules.small_kernels, world),
    )


def _host_time(setting: ServingSetting, overhead: Array, world: World) -> Array:
    """Time of a step on the host, with the hops between pipeline stages [s]."""
    case = setting.case
    late = setting.rules.serial_scheduler
    host = overhead + (world(late) if case.text("overlap") == "off_no_overlap_scheduler" else 0.0)
    stages = case.number("d_pp", 1.0)
    if stages > 1:  # activations of a decode batch are small: latency decides what the hops take
        everyone = np.array(case.number("d_tp", 1.0) * stages)
        host = host + stages * point_to_point_time(0.0, everyone, _network(setting, world))
    return host


def _spread(mean: float, variation: Array) -> LengthDistribution:
    """Lognormal lengths with a mean and a coefficient of variation."""
    square = 1.0 + np.square(variation)
    return LengthDistribution(mean / np.sqrt(square), np.sqrt(np.log(square)), 1e9)


def _per_replica(setting: ServingSetting, column: str, usual: Array) -> Array:
    """Cap of an attention replica that a row states, else the usual one."""
    cap = setting.case.number(column, 0.0)
    shared = setting.rule("cap_of", setting.case.text("engine")) == "instance"
    return cap / (setting.case.number("d_dp", 1.0) if shared else 1.0) if cap else usual


def _precisions(setting: ServingSetting) -> Precisions:
    case, arithmetic = setting.case, setting.precision
    stored = case.text("weights_dtype") or arithmetic
    other = case.text("nonexpert_dtype") or ("int8" if stored == "w4a8" else stored)
    cache = case.text("kv_dtype") or "bf16"
    narrow = 1.0 if arithmetic in _EIGHT_BIT else 2.0
    return Precisions(
        linear=arithmetic,
        expert=arithmetic,
        attention="bf16",
        weight_bytes=STORED_BYTES[other],
        expert_weight_bytes=STORED_BYTES[stored],
        kv_bytes=STORED_BYTES[cache],
        dispatch_bytes=narrow,
    )


def prefill_shape(case: Case) -> UnitShape:
    """Prefill instance of a row; the serving instance where there is one pool."""
    if case.text("p_instances") or case.text("p_tp"):
        return UnitShape(case.number("p_tp", 1.0), case.number("p_dp", 1.0), case.number("p_ep", 0.0))
    return serving_shape(case)


def serving_shape(case: Case) -> UnitShape:
    """Decode or aggregated instance of a row, or one pipeline stage of it."""
    if not case.text("d_tp"):
        raise CannotPredict("the layout is not published")
    return UnitShape(case.number("d_tp"), case.number("d_dp", 1.0), case.number("d_ep", 0.0))
