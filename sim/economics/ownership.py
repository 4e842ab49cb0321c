"""What a second of a chip costs its owner or its tenant, in three named views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.economics.depreciation import annuity_rate, plain, straight_line_rate, value_loss_rate
from sim.economics.landed import Border, landed_chip

Array = NDArray[np.float64] | float
View = Literal["rental", "acquisition", "amortised"]
Depreciation = Literal["straight line", "value loss"]
Blocks = dict[str, Array]

BLOCKS: tuple[str, ...] = (
    "chip", "server", "network", "storage", "revenue share", "duty", "premium", "facility", "cooling", "power",
    "staff", "maintenance", "spares", "software", "capital",
)  # fmt: skip
"""Blocks of the amortised view, in the order in which charts stack them."""
BUILDING = (
    "facility",
    "cooling",
)  # live as long as the site; all else that is bought lives as long as the hardware


@dataclass(frozen=True, slots=True)
class Ownership:
    """Prices and habits behind one chip and its share of everything around it.

    Attributes
    ----------
    chip_usd, server_usd, network_usd, storage_usd : Array
        Official purchase price per chip: the chip, the rest of its server, the network outside it, shared storage
        [USD/chip].
    peak_power_w : Array
        IT power the facility is built for: chip, server and network at their highest load [W/chip].
    facility_usd_per_w : Array
        Building, power and cooling plant per watt of IT power [USD/W].
    pue : Array
        Facility power over IT power [1].
    electricity_usd_per_j : Array
        Price of electricity [USD/J].
    cost_of_capital_per_s : Array
        Nominal yearly rate, continuously compounded [1/s].
    hardware_life_s, facility_life_s : Array
        Economic lives [s].
    maintenance_per_s, staff_per_s, spares_per_s, software_per_s : Array
        Repair; people on site; replacement parts; licences and support: shares of the hardware price per time [1/s].
    duty, revenue_share, pass_through, grey_premium : Array
        As in :class:`sim.economics.landed.Border`.
    cooling_share : Array
        Share of the facility's price that is cooling plant [1]; the electricity of cooling is in the power block.
    residual : Array
        Share of the hardware price that its sale brings back at the end of its life [1].
    value_loss_per_s : Array
        Orders of magnitude that the value of hardware falls per time [1/s]; used by ``depreciation`` "value loss".
    depreciation : str
        "straight line" over the life, or "value loss" at the rate of better hardware.
    """

    chip_usd: Array
    server_usd: Array
    network_usd: Array
    peak_power_w: Array
    facility_usd_per_w: Array
    pue: Array
    electricity_usd_per_j: Array
    cost_of_capital_per_s: Array
    hardware_life_s: Array
    facility_life_s: Array
    maintenance_per_s: Array
    staff_per_s: Array
    duty: Array = 0.0
    grey_premium: Array = 1.0
    revenue_share: Array = 0.0
    pass_through: Array = 1.0
    storage_usd: Array = 0.0
    spares_per_s: Array = 0.0
    software_per_s: Array = 0.0
    cooling_share: Array = 0.0
    residual: Array = 0.0
    value_loss_per_s: Array = 0.0
    depreciation: Depreciation = "straight line"

    @property
    def border(self) -> Border:
        """What stands between the official price of the chip and the one that is paid."""
        return Border(self.duty, self.revenue_share, self.pass_through, self.grey_premium)

    @property
    def hardware_usd(self) -> Array:
        """Official price of everything that computes, stores or connects [USD/chip]."""
        return self.chip_usd + self.server_usd + self.network_usd + self.storage_usd


def purchase(ownership: Ownership) -> Blocks:
    """Cash that leaves the buyer's account for one chip with its share of everything [USD/chip], by block."""
    chip = landed_chip(ownership.chip_usd, ownership.border, ownership.server_usd)
    building = ownership.facility_usd_per_w * ownership.peak_power_w
    return {
        "chip": chip["chip"],
        "server": ownership.server_usd,
        "network": ownership.network_usd,
        "storage": ownership.storage_usd,
        "revenue share": chip["revenue share"],
        "duty": chip["duty"],
        "premium": chip["premium"],
        "facility": building * (1.0 - ownership.cooling_share),
        "cooling": building * ownership.cooling_share,
    }


def acquisition(ownership: Ownership) -> Blocks:
    """Cash view: the purchase, in proportion to the share of its life that is used [USD/chip/s], by block.

    No interest, no electricity, no people, no sale at the end: a run that takes a tenth of the economic life of the
    hardware bears a tenth of its purchase price, and the building likewise over its own, longer life.
    """
    return {block: usd / _life(ownership, block) for block, usd in purchase(ownership).items()}


def amortised(ownership: Ownership, mean_power_w: Array) -> Blocks:
    """Owner's full cost: depreciation, interest, electricity, staff, maintenance [USD/chip/s], by block.

    Parameters
    ----------
    mean_power_w : Array
        IT power that the work draws on average: chip, server and network [W/chip].

    Notes
    -----
    Blocks of purchased things hold their depreciation; ``capital`` holds the interest: what the annuities add to a
    straight line, or, where hardware loses value at a rate of its own, the interest on what was paid for it.
    """
    paid = purchase(ownership)
    written_off = {block: usd * _write_off(ownership, block) for block, usd in paid.items()}
    hardware = ownership.hardware_usd
    running = {
        "power": mean_power_w * ownership.pue * ownership.electricity_usd_per_j,
        "staff": hardware * ownership.staff_per_s,
        "maintenance": hardware * ownership.maintenance_per_s,
        "spares": hardware * ownership.spares_per_s,
        "software": hardware * ownership.software_per_s,
        "capital": sum(usd * _interest(ownership, block) for block, usd in paid.items()),
    }
    blocks = written_off | running
    return {block: blocks[block] for block in BLOCKS}


def rental(rent_usd_per_s: Array) -> Blocks:
    """Tenant's cost: the market rent of a chip with everything around it [USD/chip/s]."""
    return {"rent": rent_usd_per_s}


def views(
    ownership: Ownership, mean_power_w: Array, rent_usd_per_s: Array | None = None
) -> dict[View, Blocks]:
    """All views of the cost of a chip-second [USD/chip/s]; no rental view where no rent is known."""
    known: dict[View, Blocks] = {} if rent_usd_per_s is None else {"rental": rental(rent_usd_per_s)}
    known["acquisition"] = acquisition(ownership)
    known["amortised"] = amortised(ownership, mean_power_w)
    return known


def total(blocks: Mapping[str, Array]) -> Array:
    """Sum of the blocks."""
    return plain(sum(np.asarray(value, dtype=float) for value in blocks.values()))


def scaled(blocks: Mapping[str, Array], factor: Array) -> Blocks:
    """Every block times a factor (chip-seconds, chip-seconds per token ...)."""
    return {block: value * factor for block, value in blocks.items()}


def _life(ownership: Ownership, block: str) -> Array:
    return ownership.facility_life_s if block in BUILDING else ownership.hardware_life_s


def _by_value(ownership: Ownership, block: str) -> bool:
    return ownership.depreciation == "value loss" and block not in BUILDING


def _residual(ownership: Ownership, block: str) -> Array:
    return 0.0 if block in BUILDING else ownership.residual


def _write_off(ownership: Ownership, block: str) -> Array:
    """Share of a purchase that is written off per second [1/s]."""
    if _by_value(ownership, block):
        return value_loss_rate(ownership.value_loss_per_s)
    return straight_line_rate(_life(ownership, block), _residual(ownership, block))


def _interest(ownership: Ownership, block: str) -> Array:
    """Interest on a purchase per second, as a share of it [1/s]."""
    rate = ownership.cost_of_capital_per_s
    if _by_value(ownership, block):
        return rate
    life, residual = _life(ownership, block), _residual(ownership, block)
    return annuity_rate(rate, life, residual) - straight_line_rate(life, residual)
