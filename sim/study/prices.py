"""Prices as they were known on a date: nothing later is used, and what was not known yet is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from sim.economics.series import NotYetKnownError, last_day, value_as_of
from sim.profiles.catalogue import Catalogue
from sim.profiles.economy import Region
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.messages import InputError, Problem
from sim.profiles.price_series import ChipPrices, CurrencySeries, PlacePrices, SystemPrices
from sim.profiles.served import PriceList
from sim.quantity import Quantity

PLACES = {
    "electricity": "the price of electricity in",
    "facility": "the price of a building in",
    "duty": "the duty in",
    "revenue_share": "the revenue share in",
    "grey_premium": "the grey-market premium in",
}
OWN = "assumed"  # an assumption of ours is no fact that somebody learned on a date
Dated = tuple[str, Quantity]


@dataclass(frozen=True, slots=True)
class Priced:
    """A chip, its system and its region with the prices that were known on a date.

    Attributes
    ----------
    files : tuple of Document
        Series that a price came from.
    late : tuple of str
        What nobody had stated by then, in plain sentences; those prices are unknown.
    """

    chip: ChipProfile
    system: SystemProfile
    region: Region
    files: tuple[Document, ...] = ()
    late: tuple[str, ...] = ()


@dataclass(slots=True)
class _Desk:
    """Looks prices up and keeps a note of where they came from."""

    as_of: str
    files: list[Document] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def known(
        self, now: Quantity | None, earlier: Sequence[tuple[Document, Dated]], what: str
    ) -> Quantity | None:
        """The last value that was stated by the date; unknown where all are later."""
        if now is None or now.is_unknown or now.kind == OWN or not now.as_of:
            return now
        quotes = [(day, (document, value)) for document, (day, value) in earlier]
        try:
            source, value = value_as_of([*quotes, (now.as_of, (None, now))], self.as_of, what)
        except NotYetKnownError as error:
            self.late.append(_sentence(str(error)))
            return replace(now, value=float("nan"), low=None, high=None)
        if source is not None and source not in self.files:
            self.files.append(source)
        return value


def priced_as_of(
    catalogue: Catalogue, chip: ChipProfile, system: SystemProfile, region: Region, as_of: str | None
) -> Priced:
    """Prices of one side as they were known on a date; as the files give them when there is no date.

    Prices of chip, server, network and storage, electricity and building; duty, revenue share and premium. Assumptions of
    ours, and what is no price (lives, PUE, staff), stay as they are.
    """
    if as_of is None:
        return Priced(chip, system, region)
    desk = _Desk(as_of)
    series = [document for document in _series(catalogue) if _concerns(document, chip, system)]
    price = desk.known(chip.price, list(_quotes(series, ChipPrices, "price")), f"the price of {chip.name}")
    parts = {
        part: desk.known(
            getattr(system.price, part),
            list(_quotes(series, SystemPrices, part)),
            f"the {part} price of {system.name}",
        )
        for part in ("server", "network", "storage")
    }
    places = {
        key: desk.known(
            getattr(region, key), list(_quotes(_of_home(series, getattr(region, key)), PlacePrices, key)),
            f"{word} {region.name}",
        )
        for key, word in PLACES.items()
    }  # fmt: skip
    for document in desk.files:
        catalogue.document("prices", document.id)  # the answer rests on this file, too
    return Priced(
        chip.model_copy(update={"price": price}),
        system.model_copy(update={"price": system.price.model_copy(update=parts)}),
        region.model_copy(update=places),
        tuple(desk.files),
        tuple(desk.late),
    )


def price_lists_of(catalogue: Catalogue, model: str, as_of: str | None = None) -> list[PriceList]:
    """Price lists of a model that were out by a date, oldest first; those without a date first of all."""
    lists = [cast(PriceList, catalogue.glance("price-lists", id)) for id in catalogue.ids("price-lists")]
    found = [each for each in lists if each.model == model and published_by(each, as_of)]
    return sorted(found, key=lambda each: last_day(each.valid_from) if each.valid_from else last_day("1970"))


def current_list(lists: Sequence[PriceList]) -> tuple[PriceList, ...]:
    """The newest of some price lists, oldest first; of several of one day the first by id. Empty where there is none."""
    return tuple(each for each in lists if each.valid_from == lists[-1].valid_from)[:1]


def published_by(prices: PriceList, as_of: str | None) -> bool:
    """Whether a list was out on a date."""
    return as_of is None or prices.valid_from is None or last_day(prices.valid_from) <= last_day(as_of)


def exchange_rate(catalogue: Catalogue, currency: str, as_of: str | None = None) -> Quantity:
    """Units of a currency for one US dollar, as known on a date.

    Raises
    ------
    InputError
        When there is no series of the currency, or it starts later.
    """
    series = [d for d in _series(catalogue) if isinstance(d, CurrencySeries) and d.currency == currency]
    if not series:
        raise InputError(
            [Problem(f"--currency {currency}: no series of it; add one (kind_of_file: currency)")]
        )
    quotes = [(quote.date, quote.per_usd) for each in series for quote in each.quotes]
    try:
        return value_as_of(quotes, as_of, f"the rate of {currency}")
    except NotYetKnownError as error:
        raise InputError([Problem(f"--currency {currency}: {error}")]) from None


def checked_date(text: str | None) -> str | None:
    """The date, if it is one.

    Raises
    ------
    InputError
        When the text is no date.
    """
    if text is not None:
        try:
            last_day(text)
        except ValueError as error:
            raise InputError([Problem(f"--as-of: {error}")]) from None
    return text


def _series(catalogue: Catalogue) -> Iterator[Document]:
    for id in catalogue.ids("prices"):
        yield catalogue.glance("prices", id)


def _concerns(document: Document, chip: ChipProfile, system: SystemProfile) -> bool:
    match document:
        case ChipPrices():
            return document.chip == chip.id
        case SystemPrices():
            return document.system == system.id
    return isinstance(document, PlacePrices)


def _of_home(series: Sequence[Document], now: Quantity | None) -> list[Document]:
    """Series of the region whose file states the price: a region that extends another may have it from there."""
    home = "" if now is None else now.path.split("#")[0].split("/")[-1]
    return [document for document in series if isinstance(document, PlacePrices) and document.region == home]


def _quotes(series: Sequence[Document], kind: type[Document], key: str) -> Iterator[tuple[Document, Dated]]:
    for document in series:
        if isinstance(document, kind):
            for quote in getattr(document, "quotes", ()):
                value = getattr(quote, key)
                if value is not None:
                    yield document, (quote.date, value)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
