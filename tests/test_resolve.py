"""From files to plain numbers: units by hand, one draw for what is shared, and what happens to unknown prices."""

import math
from pathlib import Path

import numpy as np
import pytest

from sim.economics.ownership import amortised, purchase, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.economy import Region
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.workload import TrainingRecipe
from sim.quantity import Quantity
from sim.resolve import (
    MEDIAN,
    World,
    resolve_chip,
    resolve_network,
    resolve_ownership,
    resolve_training,
    training_precisions,
    unknown_prices,
)

DATA = Path(__file__).parent / "data" / "catalogue"


@pytest.fixture(scope="module")
def files() -> Catalogue:
    return Catalogue(here=DATA)


@pytest.fixture(scope="module")
def chip(files: Catalogue) -> ChipProfile:
    return files.chip("test-chip")


@pytest.fixture(scope="module")
def system(files: Catalogue) -> SystemProfile:
    return files.system("test-system")


@pytest.fixture(scope="module")
def region(files: Catalogue) -> Region:
    return files.region("test-region")


def priced(chip: ChipProfile, usd: float) -> ChipProfile:
    return chip.model_copy(update={"price": Quantity(usd, path="chips/test-chip#price")})


def test_chip_in_base_units(files: Catalogue, chip: ChipProfile) -> None:
    found = resolve_chip(chip, files.kernels("test-kernels"))
    assert found.matrix_peak == {"bf16": 100e12, "fp8": 200e12}  # 100 and 200 TFLOP/s
    assert found.memory_bytes == 80e9  # decimal gigabytes
    assert found.memory_bandwidth == 3.35e12
    assert found.idle_power_w == 70.0
    assert found.busy_power_w == pytest.approx(560.0)  # 80 % of 700 W
    assert found.kernels["gemm", "bf16"].overhead_s == pytest.approx(5e-6)
    assert found.kernels["gemm", "bf16"].half_rows == 0.0
    assert (found.attention_backward, found.linear_backward) == (0.8, 0.9)
    assert (found.latent_layers, found.grouped_prefill) == (1.5, 0.7)
    assert (found.memory_activity, found.waiting_activity) == (0.6, 0.3)


def test_network_in_base_units(system: SystemProfile) -> None:
    inside, outside = resolve_network(system).tiers
    assert (inside.size, outside.size) == (8.0, math.inf)
    assert (inside.bandwidth, outside.bandwidth) == (400e9, 50e9)  # 400 GB/s; 400 Gbit/s are 50 GB/s
    assert inside.latency_s == pytest.approx(2e-6)
    assert outside.exchange_floor_s == pytest.approx(20e-6)


def test_money_in_base_units(chip: ChipProfile, system: SystemProfile, region: Region) -> None:
    found = resolve_ownership(priced(chip, 20_000.0), system, region)
    year = 365.25 * 86_400
    assert (found.chip_usd, found.server_usd, found.network_usd) == (20_000.0, 5_000.0, 3_000.0)
    assert found.peak_power_w == 1_050.0  # 700 + 300 + 50 W
    assert found.electricity_usd_per_j == pytest.approx(0.09 / 3.6e6)  # a kilowatt-hour is 3.6 MJ
    assert found.cost_of_capital_per_s == pytest.approx(0.10 / year, rel=1e-3)
    assert found.facility_life_s == pytest.approx(15 * year, rel=1e-3)
    assert found.facility_usd_per_w == 12.0
    # Cash for one chip: 20,000 + 5,000 + 3,000 + 12 USD/W x 1,050 W = 40,600.
    assert total(purchase(found)) == pytest.approx(40_600.0)


def test_rent_in_base_units(files: Catalogue) -> None:
    (series,) = files.rentals("test-chip")
    # The last quote is 2.2 USD per chip and hour.
    assert series.quotes[-1].price.value == pytest.approx(2.2 / 3_600)


def test_training_in_base_units(files: Catalogue, chip: ChipProfile) -> None:
    recipe = files.workload("test-training")
    assert isinstance(recipe, TrainingRecipe)
    kernels = files.kernels("test-kernels")
    kernels = files.kernels("test-kernels")
    job = resolve_training(files.model("test-model"), recipe, resolve_chip(chip, kernels), kernels)
    assert job.tokens == 1e12
    assert job.global_batch == 16e6
    assert job.steps == pytest.approx(1e12 / 16e6)


def test_formats_of_a_training_run(files: Catalogue, chip: ChipProfile) -> None:
    plain = resolve_chip(chip, files.kernels("test-kernels"))
    best = training_precisions(plain)
    assert (best.linear, best.attention, best.dispatch_bytes) == ("fp8", "bf16", 1.0)
    assert training_precisions(plain, "bf16").dispatch_bytes == 2.0
    with pytest.raises(KeyError):
        training_precisions(plain, "fp4")


def test_a_draw_moves_what_it_names_alone(files: Catalogue, chip: ChipProfile) -> None:
    drawn = np.array([180e12, 190e12, 200e12])
    path = chip.compute.matrix["fp8"].path
    found = resolve_chip(chip, files.kernels("test-kernels"), World({path: drawn}))
    np.testing.assert_array_equal(found.matrix_peak["fp8"], drawn)
    assert found.matrix_peak["bf16"] == 100e12


def test_what_two_files_share_is_drawn_once(
    files: Catalogue, chip: ChipProfile, system: SystemProfile
) -> None:
    # The grey-market region inherits the cost of capital of the other: one name, so one value in a world.
    here, there = files.region("test-region"), files.region("test-region-grey")
    assert here.pue.path == there.pue.path
    world = World({here.pue.path: np.array([1.1, 1.5]), there.electricity.path: np.array([1e-8, 2e-8])})
    one, two = (resolve_ownership(chip, system, region, world) for region in (here, there))
    np.testing.assert_array_equal(np.asarray(one.pue), np.asarray(two.pue))
    assert np.ndim(one.electricity_usd_per_j) == 0  # its own number, which nobody has drawn
    np.testing.assert_array_equal(np.asarray(two.electricity_usd_per_j), [1e-8, 2e-8])


@pytest.mark.parametrize("price", ["unknown", "left out"])
def test_an_unknown_price_leaves_the_money_unknown(
    price: str, chip: ChipProfile, system: SystemProfile, region: Region
) -> None:
    assert chip.price is not None
    assert chip.price.is_unknown
    chip = chip if price == "unknown" else chip.model_copy(update={"price": None})
    found = resolve_ownership(chip, system, region, MEDIAN)
    assert math.isnan(total(purchase(found)))
    blocks = amortised(found, 500.0)
    assert math.isnan(blocks["chip"])
    # What does not rest on the price is known: 500 W x 1.2 x 0.09 USD/kWh.
    assert blocks["power"] == pytest.approx(500 * 1.2 * 0.09 / 3.6e6)
    assert unknown_prices(chip, system, region) == {"chips/test-chip.yaml": ["price"]}


def test_every_unknown_price_is_named(files: Catalogue, region: Region) -> None:
    shipped = Catalogue()
    chip, system = shipped.chip("tpu-v5p"), shipped.system("tpu-v5p-pod")  # rented, never sold
    assert unknown_prices(chip, system, region) == {
        "chips/tpu-v5p.yaml": ["price"],
        "systems/tpu-v5p-pod.yaml": ["price.server", "price.network"],
    }
    known = Catalogue().chip("h100-sxm"), Catalogue().system("hgx-h100-8")
    assert unknown_prices(*known, region) == {}
