"""Schemas of what a provider publishes of its service: price lists, and what a fleet did in a day."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.profiles.fields import Date, Document, Id, Money, Record, RentalPrice, Seconds, Tokens
from sim.profiles.numbers import Dimension
from sim.quantity import Quantity

TokenPrice = Annotated[Quantity, Dimension("USD/token")]


TokenRate = Annotated[Quantity, Dimension("token/s")]


class PriceList(Document):
    """What a provider asks for the tokens of a model from a date on."""

    kind_of_file: Literal["price-list"]
    model: Id
    """Model file (scenarios/models)."""
    provider: str = ""
    valid_from: Date | None = None
    """First day of the prices."""
    input_miss: TokenPrice
    """Prompt tokens that are not in the provider's cache."""
    input_hit: TokenPrice
    """Prompt tokens that are."""
    output: TokenPrice
    """Tokens of the answer."""


class PublishedMoney(Record):
    """Money as the provider printed it."""

    cost: Money
    """Rent of the fleet over the period."""
    income: Money
    """Income if every token were billed by the price list."""


class ServedDay(Record):
    """What a fleet, that of side a, did over a period."""

    period: Seconds
    input: Tokens
    """Prompt tokens, cached ones included; low and high: what rounds to the number published."""
    cached: Tokens
    """Prompt tokens found in the cache."""
    output: Tokens
    """Tokens of the answers."""
    servers: float = Field(gt=0)
    """Servers in service, averaged over the period."""
    chips_per_server: int = Field(gt=0)
    read_per_server: TokenRate | None = None
    """Mean rate of prompt tokens, cached ones included, of a server that reads prompts."""
    written_per_server: TokenRate | None = None
    """Mean rate of output tokens of a server that decodes."""
    rent: RentalPrice
    """Rent that the provider reckons with."""
    prices: Id
    """Price list (scenarios/economics/price-lists)."""
    published: PublishedMoney
