"""Schemas of economic files: what things cost in a region, and what renting cost when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sim.profiles.fields import (
    Date,
    Document,
    FacilityPrice,
    Id,
    Money,
    PerTime,
    PowerPrice,
    Ratio,
    Record,
    RentalPrice,
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


class ChipQuote(Record):
    """One dated price of a chip."""

    date: Date
    price: Money
    basis: str = ""
    """List price, contract, dealer quote ..."""


class ChipPrices(Document):
    """What a chip cost before the price that its own file gives; dates ascend."""

    kind_of_file: Literal["chip-price"]
    chip: Id
    quotes: list[ChipQuote] = Field(min_length=1)


class PartsQuote(Record):
    """Dated prices of the parts around a chip; those that are not stated are left out."""

    date: Date
    server: Money | None = None
    network: Money | None = None
    storage: Money | None = None


class SystemPrices(Document):
    """What the parts around a chip cost before the prices that the system's own file gives; dates ascend."""

    kind_of_file: Literal["system-price"]
    system: Id
    quotes: list[PartsQuote] = Field(min_length=1)


class PlaceQuote(Record):
    """Dated prices of a place; those that are not stated are left out."""

    date: Date
    electricity: PowerPrice | None = None
    facility: FacilityPrice | None = None
    duty: Ratio | None = None
    revenue_share: Ratio | None = None
    grey_premium: Ratio | None = None


class PlacePrices(Document):
    """What power, building and border cost before the prices that the region's own file gives; dates ascend."""

    kind_of_file: Literal["place-price"]
    region: Id
    quotes: list[PlaceQuote] = Field(min_length=1)


class CurrencyQuote(Record):
    """One dated rate of exchange."""

    date: Date
    per_usd: Ratio
    """Units of the currency for one US dollar."""


class CurrencySeries(Document):
    """What a dollar was worth when; dates ascend."""

    kind_of_file: Literal["currency"]
    currency: str = Field(pattern="^[A-Z]{3}$")
    """Three letters, as in CNY."""
    quotes: list[CurrencyQuote] = Field(min_length=1)
