"""Schemas of dated series: what renting, chips, parts, places and currencies cost when."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import Field

from sim.profiles.fields import (
    Date,
    Document,
    FacilityPrice,
    Id,
    Money,
    PowerPrice,
    Ratio,
    Record,
    RentalPrice,
)


class Quote(Record):
    """What is known from one day."""

    date: Date


Q = TypeVar("Q", bound=Quote)


class Series(Document, Generic[Q]):
    """Quotes whose dates ascend."""

    quotes: list[Q] = Field(min_length=1)


class RentalQuote(Quote):
    """One dated rent."""

    price: RentalPrice
    basis: str = ""
    """On demand, one-year contract, ..."""
    market: bool = True
    """False: a list price or a teaser that few pay, kept for reference and never used."""


class RentalSeries(Series[RentalQuote]):
    """What an hour of a chip cost when; dates ascend."""

    kind_of_file: Literal["rental"]
    chip: Id
    region: str
    """Id of the region, or `world`."""


class ChipQuote(Quote):
    """One dated price of a chip."""

    price: Money
    basis: str = ""
    """List price, contract, dealer quote ..."""


class ChipPrices(Series[ChipQuote]):
    """What a chip cost before the price that its own file gives; dates ascend."""

    kind_of_file: Literal["chip-price"]
    chip: Id


class PartsQuote(Quote):
    """Dated prices of the parts around a chip; those that are not stated are left out."""

    server: Money | None = None
    network: Money | None = None
    storage: Money | None = None


class SystemPrices(Series[PartsQuote]):
    """What the parts around a chip cost before the prices that the system's own file gives; dates ascend."""

    kind_of_file: Literal["system-price"]
    system: Id


class PlaceQuote(Quote):
    """Dated prices of a place; those that are not stated are left out."""

    electricity: PowerPrice | None = None
    facility: FacilityPrice | None = None
    duty: Ratio | None = None
    revenue_share: Ratio | None = None
    grey_premium: Ratio | None = None


class PlacePrices(Series[PlaceQuote]):
    """What power, building and border cost before the prices that the region's own file gives; dates ascend."""

    kind_of_file: Literal["place-price"]
    region: Id


class CurrencyQuote(Quote):
    """One dated rate of exchange."""

    per_usd: Ratio
    """Units of the currency for one US dollar."""


class CurrencySeries(Series[CurrencyQuote]):
    """What a dollar was worth when; dates ascend."""

    kind_of_file: Literal["currency"]
    currency: str = Field(pattern="^[A-Z]{3}$")
    """Three letters, as in CNY."""
