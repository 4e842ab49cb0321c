"""Schemas of economic files: what things cost in a region, and what renting cost when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sim.profiles.fields import (
    Date,
    Document,
    FacilityPrice,
    Id,
    PerTime,
    PowerPrice,
    Ratio,
    Record,
    RentalPrice,
    Seconds,
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
    """Repair and spares, per year, of the hardware price."""
    staff: PerTime
    """Operations staff and software, per year, of the hardware price."""
    duty: Ratio
    """Import duty, revenue share and tax on chips, as a share of the chip price; 0 = none."""
    grey_premium: Ratio
    """Factor on chip and server price when bought outside official channels; 1 = none."""
    rents_of: Id | None = None
    """Region whose rents hold here; left out: its own."""


class RentalQuote(Record):
    """One dated rent."""

    date: Date
    price: RentalPrice
    basis: str = ""
    """On demand, one-year contract, ..."""
    market: bool = True
    """False: a list price or a teaser that few pay, kept for reference and never used."""


class RentalSeries(Document):
    """What an hour of a chip cost when; dates ascend."""

    kind_of_file: Literal["rental"]
    chip: Id
    region: str
    """Id of the region, or `world`."""
    quotes: list[RentalQuote] = Field(min_length=1)
