"""What a second of a chip costs its owner or its tenant, in three named views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float
View = Literal["rental", "acquisition", "amortised"]
Blocks = dict[str, Array]

BLOCKS: tuple[str, ...] = (
    "chip", "server", "network", "duty", "premium", "facility", "power", "staff", "maintenance", "capital",
)  # fmt: skip
"""Blocks of the amortised view, in the order in which charts stack them."""
HOURS_PER_YEAR = 8760.0  # the accounting year of the published cost formulas


@dataclass(frozen=True, slots=True)
class Ownership:
    """Prices and habits behind one chip and its share of everything around it.

    Attributes
    ----------
    chip_usd, server_usd, network_usd : Array
        Official purchase price per chip: the chip, the rest of its server, the network outside it [USD/chip].
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
    maintenance_per_s, staff_per_s : Array
        Repair and spares; operations staff and software, as shares of the hardware price per time [1/s].
    duty : Array
        Import duty and tax over the official chip price [1].
    grey_premium : Array
        Price paid over official price, for chip and server [1]; 1 = bought officially.
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


def annuity_rate(rate_per_s: Array, life_s: Array) -> Array:
    """Constant payment per second that repays one dollar with interest over a life [1/s].

    Notes
    -----
    a = r / (1 - exp(-r L)), the limit of the loan formula P i / (1 - (1 + i)^-n) for ever shorter periods at
    the same nominal rate; 1 / L when r = 0. Monthly payments (the bank's formula) differ by less than 0.6 %
    below 13 % a year.

    Examples
    --------
    >>> round(annuity_rate(0.0, 5.0), 3), round(annuity_rate(0.09, 5.0), 4)
    (0.2, 0.2484)
    """
    owed = np.asarray(rate_per_s * np.asarray(life_s, dtype=float))
    factor = np.where(owed == 0, 1.0, owed / -np.expm1(-np.where(owed == 0, 1.0, owed)))
    return _plain(factor / life_s)


def purchase(ownership: Ownership) -> Blocks:
    """Cash that leaves the buyer's account for one chip with its share of everything [USD/chip], by block."""
    paid_extra = ownership.grey_premium - 1.0
    return {
        "chip": ownership.chip_usd,
        "server": ownership.server_usd,
        "network": ownership.network_usd,
        "duty": ownership.chip_usd * ownership.duty,
        "premium": (ownership.chip_usd + ownership.server_usd) * paid_extra,
        "facility": ownership.facility_usd_per_w * ownership.peak_power_w,
    }


def acquisition(ownership: Ownership) -> Blocks:
    """Cash view: the purchase, in proportion to the share of its life that is used [USD/chip/s], by block.

    No interest, no electricity, no people: a run that takes a tenth of the economic life of the hardware
    bears a tenth of its purchase price, and the building likewise over its own, longer life.
    """
    lives = _lives(ownership)
    return {block: usd / lives[block] for block, usd in purchase(ownership).items()}


def amortised(ownership: Ownership, mean_power_w: Array) -> Blocks:
    """Owner's full cost: annuity of the purchase, electricity, staff, maintenance [USD/chip/s], by block.

    Parameters
    ----------
    mean_power_w : Array
        IT power that the work draws on average: chip, server and network [W/chip].

    Notes
    -----
    Blocks of purchased things are straight-line; ``capital`` holds what the annuities add for interest, so
    that the same blocks can be compared with the cash view.
    """
    paid = purchase(ownership)
    lives = _lives(ownership)
    hardware = ownership.chip_usd + ownership.server_usd + ownership.network_usd
    blocks = {block: usd / lives[block] for block, usd in paid.items()}
    blocks["power"] = mean_power_w * ownership.pue * ownership.electricity_usd_per_j
    blocks["staff"] = hardware * ownership.staff_per_s
    blocks["maintenance"] = hardware * ownership.maintenance_per_s
    blocks["capital"] = sum(
        usd * (annuity_rate(ownership.cost_of_capital_per_s, lives[block]) - 1.0 / lives[block])
        for block, usd in paid.items()
    )
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
    return _plain(sum(np.asarray(value, dtype=float) for value in blocks.values()))


def scaled(blocks: Mapping[str, Array], factor: Array) -> Blocks:
    """Every block times a factor (chip-seconds, chip-seconds per token ...)."""
    return {block: value * factor for block, value in blocks.items()}


def amortised_epoch(value_usd: Array, chip_s: Array, decline_oom_per_year: Array) -> Array:
    """Amortised hardware cost of a run after Epoch AI [USD]: value lost during the run.

    Parameters
    ----------
    value_usd : Array
        Value of one chip with server and network at the start of the run [USD/chip].
    chip_s : Array
        Chip-seconds of the run [chip s].
    decline_oom_per_year : Array
        Orders of magnitude the value falls per year (r) [1/year].

    Notes
    -----
    cost = value x chip-hours / 8760 x r ln 10: a value that falls as 10^(-r t) loses r ln 10 of itself per
    year.

    References
    ----------
    B. Cottier et al., "The rising costs of training frontier AI models", arXiv:2405.21015, appendix on
    amortisation.
    """
    return value_usd * chip_s / 3600.0 / HOURS_PER_YEAR * decline_oom_per_year * np.log(10.0)


def _lives(ownership: Ownership) -> dict[str, Array]:
    hardware = dict.fromkeys(("chip", "server", "network", "duty", "premium"), ownership.hardware_life_s)
    return {**hardware, "facility": ownership.facility_life_s}


def _plain(value: Array) -> Array:
    """A zero-dimensional array as a float, so that a scalar question gets a scalar answer."""
    return float(value) if np.ndim(value) == 0 else value
