"""The shipped hardware files against published facts, typed in here from outside sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.quantity import Quantity
from sim.resolve import FAMILIES, resolve_chip, resolve_network

ROOT = Path(__file__).parents[2]
CATALOGUE = Catalogue(here=ROOT)
CHIPS = [
    "h100-sxm", "h800", "h200-sxm", "h20", "a100-sxm-80g", "a800", "b200", "gb200-nvl72", "b300",
    "gb300-nvl72", "rtx-pro-6000d", "b30a", "mi300x", "mi325x", "mi355x", "tpu-v5p", "tpu-v6e",
    "tpu-v7", "gaudi-3", "trainium2", "ascend-910b", "ascend-910c", "ascend-910c-560t", "ascend-950pr",
    "ascend-950dt", "ascend-960", "cambricon-mlu370", "cambricon-mlu590", "cambricon-mlu690",
    "biren-br100", "biren-br104", "biren-br106", "kunlun-p800", "hygon-bw1000", "mtt-s5000", "metax-c550",
]  # fmt: skip
BITS = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 32,  # stored width; it never exceeds the 16-bit figure here
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "int8": 8,
    "fp6": 6,
    "fp4": 4,
    "int4": 4,
}
ALL_CHIPS = CATALOGUE.ids("chips")
ALL_KERNELS = CATALOGUE.ids("kernels")
ALL_SYSTEMS = CATALOGUE.ids("systems")


def tpp(chip: ChipProfile, leave_out: str = "") -> float:
    """Dense TOPS times bit length, at the best precision (15 CFR part 774, supplement 1, 3A090, note 2)."""
    peaks = {key: rate for key, rate in chip.compute.matrix.items() if key != leave_out}
    return max(rate.value / 1e12 * BITS[key] for key, rate in peaks.items())


def quantities(record: BaseModel) -> Iterator[Quantity]:
    """Every quantity of a document."""
    for _, value in record:
        yield from _within(value)


def _within(value: Any) -> Iterator[Quantity]:
    if isinstance(value, Quantity):
        yield value
    elif isinstance(value, BaseModel):
        yield from quantities(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _within(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _within(item)


# --- what exists -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", sorted({*CHIPS, *ALL_CHIPS}))
def test_every_chip_loads_with_its_kernels(id: str) -> None:
    profile = CATALOGUE.chip(id)
    chip = resolve_chip(profile, CATALOGUE.kernels(profile.kernels))
    for family in FAMILIES:
        for precision in chip.matrix_peak:
            assert chip.curve(family, precision).compute > 0


@pytest.mark.parametrize("id", ALL_SYSTEMS)
def test_every_system_names_a_chip_and_ends_in_the_open(id: str) -> None:
    system = CATALOGUE.system(id)
    assert system.chip in ALL_CHIPS
    network = resolve_network(system)
    sizes = [tier.size for tier in network.tiers]
    assert sizes == sorted(sizes)
    assert sizes[-1] == float("inf")
    assert system.unit % system.chips_per_server == 0


def test_every_chip_has_a_system() -> None:
    assert {CATALOGUE.system(id).chip for id in ALL_SYSTEMS} == set(ALL_CHIPS)


@pytest.mark.parametrize("id", ALL_KERNELS)
def test_kernel_files_cover_every_family_and_phase(id: str) -> None:
    kernels = CATALOGUE.kernels(id)
    for family in FAMILIES:
        assert "bf16" in getattr(kernels, family)  # the curve that other precisions fall back to
    assert set(kernels.layer_overhead) == {
        f"{phase}_{kind}" for phase in ("training", "prefill", "decode") for kind in ("dense", "moe")
    }
    assert set(kernels.speed) == {"training", "prefill", "decode"}
    assert kernels.transferred_from is None or kernels.transferred_from in ALL_KERNELS


# --- how solid -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "id"), [(kind, id) for kind in ("chips", "kernels", "systems") for id in CATALOGUE.ids(kind)]
)
def test_numbers_are_sourced_and_assumptions_have_ranges(kind: str, id: str) -> None:
    document = CATALOGUE.document(kind, id)
    assert isinstance(document, ChipProfile | KernelProfile | SystemProfile)
    for quantity in quantities(document):
        assert quantity.source in document.sources
        if quantity.kind == "assumed" and not quantity.is_unknown:
            assert quantity.is_uncertain, quantity.path


@pytest.mark.parametrize("id", ALL_CHIPS)
def test_a_chip_without_a_datasheet_claims_no_official_peak(id: str) -> None:
    chip = CATALOGUE.chip(id)
    if chip.confidence in ("analyst", "press"):
        assert all(rate.kind != "official" for rate in chip.compute.matrix.values())


# --- peaks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "published"),
    [  # total processing performance as listed by public export-control trackers (chip-export-controls d813a66)
        ("a100-sxm-80g", 4992),
        ("a800", 4992),
        ("h100-sxm", 15824),
        ("h800", 15824),
        ("h200-sxm", 15824),
        ("h20", 2368),
        ("b200", 36000),
        ("gb200-nvl72", 40000),
        ("gb300-nvl72", 60000),
        ("mi300x", 20919),
        ("mi325x", 20919),
        ("tpu-v5p", 7344),
        ("tpu-v7", 36912),
        ("gaudi-3", 26848),
        ("trainium2", 10672),
        ("ascend-910b", 6016),
        ("ascend-910c", 12032),
        ("ascend-910c-560t", 8960),
        ("ascend-950pr", 6048),
        ("cambricon-mlu370", 2048),
        ("biren-br100", 16384),
        ("biren-br104", 8192),
        ("mtt-s4000", 1600),
    ],
)
def test_tpp_is_the_published_one(id: str, published: float) -> None:
    assert tpp(CATALOGUE.chip(id)) == pytest.approx(published, rel=1e-3)


def test_tpp_of_mi355x_depends_on_fp6() -> None:
    # Trackers print 40,266 and leave FP6 out; AMD's brochure gives FP6 at the FP4 rate, 10,066 x 6 = 60,396.
    chip = CATALOGUE.chip("mi355x")
    assert tpp(chip, leave_out="fp6") == pytest.approx(40266, rel=1e-3)
    assert tpp(chip) == pytest.approx(60396, rel=1e-3)


def test_a_910b_below_910c_and_950_below_both_of_its_announcements() -> None:
    c, b, d = (CATALOGUE.chip(id) for id in ("ascend-910c", "ascend-910b", "ascend-950dt"))
    for precision in ("bf16", "fp16", "int8"):  # two dies of the B2 grade
        assert c.compute.matrix[precision].value == pytest.approx(2 * b.compute.matrix[precision].value)
    assert d.compute.matrix["fp8"].value < 1000e12  # keynote of 2025-09: 1 PFLOP/s FP8
    assert d.compute.matrix["fp4"].value < 2000e12  # and 2 PFLOP/s FP4
    assert tpp(d) < tpp(c)


def test_int8_of_blackwell_ultra_is_the_cut_one() -> None:
    # NVIDIA lists 165 TOPS INT8 per GB300 GPU against 5,000 per GB200 GPU.
    assert CATALOGUE.chip("gb300-nvl72").compute.matrix["int8"].value == 165e12
    assert CATALOGUE.chip("gb200-nvl72").compute.matrix["int8"].value == 5000e12


@pytest.mark.parametrize(
    ("id", "sparse"),
    [("h100-sxm", 1979e12), ("b200", 4500e12), ("mi300x", 2614.9e12), ("a100-sxm-80g", 624e12)],
)
def test_peaks_are_dense(id: str, sparse: float) -> None:
    assert CATALOGUE.chip(id).compute.matrix["bf16"].value == pytest.approx(sparse / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("id", "gigabytes", "terabytes_per_s"),
    [
        ("a100-sxm-80g", 80, 2.039),
        ("h100-sxm", 80, 3.35),
        ("h200-sxm", 141, 4.8),
        ("h20", 96, 4.0),
        ("mi300x", 192, 5.3),
        ("mi355x", 288, 8.0),
        ("tpu-v7", 192, 7.37),
        ("ascend-910c", 128, 3.2),
        ("ascend-950pr", 112, 1.4),
        ("ascend-950dt", 96, 4.0),
    ],
)
def test_memory_is_decimal_and_as_sold(id: str, gigabytes: float, terabytes_per_s: float) -> None:
    memory = CATALOGUE.chip(id).memory
    assert memory.capacity.value == gigabytes * 1e9
    assert memory.bandwidth.value == pytest.approx(terabytes_per_s * 1e12)


# --- links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "both_directions"),
    [  # GB/s as vendors print them, both directions together
        ("hgx-a100-8", 600),
        ("hgx-a800-8", 400),
        ("hgx-h100-8", 900),
        ("hgx-h800-8", 400),
        ("hgx-h20-8", 900),
        ("hgx-b200-8", 1800),
        ("gb200-nvl72", 1800),
        ("mi300x-8", 896),
        ("mi355x-8", 1075.2),
        ("tpu-v7-pod", 1200),
        ("atlas-800-a2", 392),
        ("cloudmatrix-384", 784),
        ("atlas-950-8", 1680),
        ("biren-br100-8", 412),
    ],
)
def test_links_count_one_direction(id: str, both_directions: float) -> None:
    assert CATALOGUE.system(id).tiers[0].bandwidth.value == pytest.approx(both_directions / 2 * 1e9)


@pytest.mark.parametrize(
    ("id", "gigabits"),
    [
        ("hgx-h100-8", 400),
        ("hgx-a100-8", 200),
        ("gb300-nvl72", 800),
        ("atlas-800-a2", 200),
        ("cloudmatrix-384", 400),
    ],
)
def test_network_cards_per_chip(id: str, gigabits: float) -> None:
    assert CATALOGUE.system(id).tiers[-1].bandwidth.value == pytest.approx(gigabits / 8 * 1e9)


@pytest.mark.parametrize(
    ("id", "size"), [("gb200-nvl72", 72), ("cloudmatrix-384", 384), ("atlas-950-superpod", 8192)]
)
def test_size_of_the_scale_up_domain(id: str, size: int) -> None:
    assert CATALOGUE.system(id).tiers[-2].size == size


# --- power -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "chips", "kilowatts"),
    [  # nameplate of the server or rack, without the network outside
        ("hgx-a100-8", 8, 6.5),  # DGX A100 datasheet
        ("hgx-h100-8", 8, 10.2),  # DGX H100 user guide
        ("hgx-h200-8", 8, 10.2),
        ("hgx-b200-8", 8, 14.3),  # DGX B200
        ("hgx-b300-8", 8, 14.5),  # DGX B300
        ("gb200-nvl72", 72, 132.0),  # rack, 120-145
        ("atlas-950-8", 8, 14.5),  # Atlas 650E
    ],
)
def test_nameplate_power_lies_within_the_range(id: str, chips: int, kilowatts: float) -> None:
    system = CATALOGUE.system(id)
    tdp, server = CATALOGUE.chip(system.chip).power.tdp, system.power.server
    assert server.high is not None
    low = chips * (tdp.value + server.value)
    high = chips * ((tdp.high or tdp.value) + server.high)
    assert low <= kilowatts * 1e3 <= 1.005 * high


def test_h100_node_in_training() -> None:
    # MLPerf v4.0 GPT-3 power logs: 6.9 kW mean AC per 8-GPU node; arXiv 2506.14551: 76 % of 10.2 kW = 7.75 kW;
    # arXiv 2412.08602: at most 8.4 kW.
    system, chip = CATALOGUE.system("hgx-h100-8"), CATALOGUE.chip("h100-sxm")
    mean = 8 * (chip.power.tdp.value * chip.power.training.value + system.power.server.value)
    assert 6900 <= mean <= 7750
    assert 8 * (chip.power.tdp.value + system.power.server.value) == pytest.approx(8400, rel=0.04)


def test_cloudmatrix_power_per_chip() -> None:
    # SemiAnalysis 2025-04: 559 kW for 384 chips with optics and switches; other estimates 1,250 to 1,560 W.
    system, chip = CATALOGUE.system("cloudmatrix-384"), CATALOGUE.chip("ascend-910c")
    parts = system.power
    assert parts.server.high is not None
    running = chip.power.tdp.value + parts.server.value + parts.network.value
    nameplate = chip.power.tdp.value + parts.server.high + parts.network.value
    assert 1250 <= running <= 1560
    assert nameplate == pytest.approx(559e3 / 384, rel=0.01)


@pytest.mark.parametrize("id", ALL_CHIPS)
def test_chip_power_is_in_order(id: str) -> None:
    power = CATALOGUE.chip(id).power
    assert power.idle.value < power.tdp.value * power.training.value < power.tdp.value


# --- money -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "chips", "network", "low", "high"),
    [  # USD; published price of a server or rack, with or without the network outside
        ("hgx-h100-8", 8, False, 195e3, 400e3),  # SemiAnalysis 2023-05 through Epoch: 269,000
        ("hgx-h20-8", 8, False, 153e3, 208e3),  # dealers 2024: 1.1-1.5 M yuan at 7.2
        ("hgx-h200-8", 8, False, 195e3, 345e3),  # China 2026-01: 1.4 M yuan official to 345,000 USD grey
        ("hgx-b200-8", 8, False, 326e3, 500e3),  # Financial Times 2025-07: 489,000 at 1.5 times the US price
        ("hgx-b300-8", 8, False, 500e3, 600e3),  # list 2026-06
        ("gb200-nvl72", 72, True, 2.7e6, 5.0e6),  # press 2025
        ("cloudmatrix-384", 384, True, 8.2e6, 384 * 46500),  # Financial Times 2025; China Mobile tender 2026
    ],
)
def test_prices_add_up_to_published_ones(id: str, chips: int, network: bool, low: float, high: float) -> None:
    system = CATALOGUE.system(id)
    price = CATALOGUE.chip(system.chip).price
    assert price is not None
    total = price.value + system.price.server.value + (system.price.network.value if network else 0.0)
    assert low <= chips * total <= high


# --- failures --------------------------------------------------------------------------------------------------


def test_h100_failures_are_those_of_llama_3() -> None:
    # arXiv 2407.21783, table 5: 419 unplanned interruptions, 16,384 GPUs, 54 days.
    published = 419 / (16384 * 54 * 86400)
    rate = CATALOGUE.chip("h100-sxm").failure_rate
    assert rate is not None
    assert rate.value == pytest.approx(published, rel=0.05)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 268 / 419 * published < rate.high  # those blamed on the GPU
    assert rate.low < 6.5 / 1000 / 8 / 86400 < 1.01 * rate.high  # Meta RSC-1, arXiv 2410.21680


@pytest.mark.parametrize("id", ["ascend-910b", "ascend-910c", "ascend-910c-560t", "ascend-950dt"])
def test_ascend_fails_one_to_five_times_as_often(id: str) -> None:
    rate, reference = CATALOGUE.chip(id).failure_rate, CATALOGUE.chip("h100-sxm").failure_rate
    assert rate is not None
    assert reference is not None
    assert rate.low == pytest.approx(reference.value)
    assert rate.high == pytest.approx(5 * reference.value)
