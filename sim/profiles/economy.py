"""Schema of a region: what things cost in one place."""

from __future__ import annotations

from typing import Literal

from sim.profiles.fields import (
    Document,
    FacilityPrice,
    Id,
    PerTime,
    PowerPrice,
    Ratio,
    Seconds,
    Share,
)


class Region(Document):
    """Prices and habits of one place."""

    kind_of_file: Literal["region"]
    extends: str = ""
    """Another region file of which this one changes a few lines."""
    electricity: PowerPrice
    pue: Ratio
    """Facility power over IT power."""
    facility: FacilityPrice
    """Building, power and cooling plant, per watt of critical IT power."""
    facility_life: Seconds
    cost_of_capital: PerTime
    """Weighted, nominal, per year."""
    hardware_life: Seconds
    """Economic life of chips, servers and network."""
    maintenance: PerTime
    """Repair, per year, of the hardware price; with the parts that it takes where `spares` is left out."""
    spares: PerTime | None = None
    """Replacement parts, per year, of the hardware price."""
    staff: PerTime
    """Operations staff on site, per year, of the hardware price; with software where `software` is left out."""
    software: PerTime | None = None
    """Licences and support, per year, of the hardware price."""
    cooling: Share | None = None
    """Share of `facility` that is cooling plant; the electricity of cooling is in the PUE."""
    residual: Share | None = None
    """Share of the hardware price that its sale brings back at the end of its life; left out: nothing."""
    value_loss: PerTime | None = None
    """Orders of magnitude that the value of hardware falls per year, for `depreciation: value loss`."""
    depreciation: Literal["straight line", "value loss"] = "straight line"
    """`straight line` over `hardware_life`, or `value loss` at the rate of better hardware (Epoch AI)."""
    duty: Ratio
    """Import or transit duty and tax on chips, as a share of the chip price; 0 = none."""
    revenue_share: Ratio | None = None
    """Share of the seller's revenue that he hands to his government; left out: none."""
    pass_through: Ratio | None = None
    """Part of the revenue share that he puts on the price, 0 to 1; left out: all of it."""
    grey_premium: Ratio
    """Factor on chip and server price when bought outside official channels; 1 = none."""
    rents_of: Id | None = None
    """Region whose rents hold here; left out: its own."""
    country: Literal["cn"] | None = None
    """Country by two letters, where export rules ask for it: chips from abroad are then checked against them."""
