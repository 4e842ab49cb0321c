"""From a supply file and one world to the plain arrays that the flow takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.economics.landed import Border, landed_chip
from sim.policy.supply.flow import Inflow, Inputs, Lane, Shock
from sim.policy.supply.gates import Admitted, Trade, admitted, wanted_at
from sim.policy.supply.makers import Maker, Product
from sim.policy.supply.series import QUARTER_S, Horizon, Matrix, decimal_year
from sim.policy.supply.wafers import good_dies, gross_dies
from sim.profiles.supply import Import, MakerFile
from sim.study.cluster import resolve_cluster
from sim.study.policy.question import Country
from sim.study.policy.series import Book
from sim.units import YEAR

SMUGGLED, REMOTE = "smuggled", "remote"


@dataclass(frozen=True, slots=True)
class Crossing:
    """What one product meets at the border.

    Attributes
    ----------
    trade : Trade
    passed : Admitted
    price, landed : (quarters, draws) array
        Official price, and what the buyer pays [USD/chip].
    blocks : dict of str to (quarters, draws) array
        Parts of the landed cost.
    """

    trade: Trade
    passed: Admitted
    price: Matrix
    landed: Matrix
    blocks: dict[str, Matrix]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A country in one world.

    Attributes
    ----------
    inputs : Inputs
        For the flow.
    borders : dict of import id to Crossing
    remote : dict of Lane to (quarters, draws) array
        Chips abroad within reach.
    grey_premium : dict of chip id to (quarters, draws) array
        Price paid over the official price.
    """

    inputs: Inputs
    borders: dict[str, Crossing]
    remote: dict[Lane, Matrix]
    grey_premium: dict[str, Matrix]


def resolve_country(country: Country, book: Book) -> Resolved:
    """Plain arrays of a country.

    Raises
    ------
    InputError
        When a series begins after the start of the horizon, or a change names no series.
    UnknownQuantityError
        When a number that is needed has not been published.
    """
    borders = {each.id: _border(country, each, book) for each in country.supply.imports}
    inflows = [
        Inflow(
            Lane(each.pathway, each.chip),
            borders[each.id].passed.flow,
            _quarters(book, f"imports.{each.id}.lead"),
        )
        for each in country.supply.imports
    ]
    inputs = Inputs(
        horizon=book.horizon,
        makers=tuple(_maker(maker, book) for maker in country.supply.makers),
        inflows=(*inflows, *_grey(country, book)),
        stacks=_memory(country, book),
        banked_stacks=book.number("memory.banked"),
        initial=_initial(country, book),
        watts=_watts(country, book),
        power_w=book("sites.power"),
        network=_per_quarter(book, "sites.network", np.inf),
        life=book.number("sites.life") / QUARTER_S,
        failing=-np.expm1(-book.number("sites.failures") * QUARTER_S),
        shocks=tuple(_shocks(country, book)),
    )
    return Resolved(inputs, borders, _remote(country, book), _premiums(country, book))


def _per_quarter(book: Book, name: str, default: float | None = None) -> Matrix:
    return book(name, None if default is None else default / QUARTER_S) * QUARTER_S


def _quarters(book: Book, name: str) -> Matrix:
    return book(name) / QUARTER_S


def _maker(maker: MakerFile, book: Book) -> Maker:
    at = f"makers.{maker.id}"
    gross = (
        book.number(f"{at}.gross_dies")
        if maker.gross_dies
        else gross_dies(book.number(f"{at}.die_area") * 1.0)
    )
    return Maker(
        name=maker.name,
        products=tuple(
            Product(each.id, book(f"{at}.products.{each.id}.weight"), each.dies, each.stacks, each.banked)
            for each in maker.products
        ),
        dies=np.asarray(good_dies(_per_quarter(book, f"{at}.wafers"), gross, book(f"{at}.yield"))),
        fab_lead=_quarters(book, f"{at}.fab_lead"),
        bought_dies=_per_quarter(book, f"{at}.bought_dies", 0.0),
        banked_dies=book.number(f"{at}.banked_dies"),
        packaging=_per_quarter(book, f"{at}.packaging"),
        build_lead=_quarters(book, f"{at}.build_lead"),
        die_store=book.number(f"{at}.die_store", YEAR) / QUARTER_S,
        first_dies=book.number(f"{at}.first_dies", QUARTER_S) / QUARTER_S,
    )


def _memory(country: Country, book: Book) -> Matrix:
    if country.supply.memory is None:
        return np.zeros(book.horizon.shape)
    return np.asarray(sum(_per_quarter(book, f"memory.{way}") for way in ("foreign", "domestic", "evaded")))


def _border(country: Country, each: Import, book: Book) -> Crossing:
    at = f"imports.{each.id}"
    listed = country.sides[each.chip].chip.price
    own = float("nan") if listed is None or listed.is_unknown else book.world.values(listed)
    price = book(f"{at}.price") if each.price else np.broadcast_to(np.asarray(own), book.horizon.shape)
    border = Border(
        duty=book(f"{at}.duty", 0.0),
        revenue_share=book(f"{at}.revenue_share", 0.0),
        pass_through=book(f"{at}.passed_on", 1.0),
    )
    blocks = {
        name: np.broadcast_to(np.asarray(usd), price.shape)
        for name, usd in landed_chip(price, border).items()
    }
    landed = np.asarray(sum(blocks.values()))
    offered = _per_quarter(book, f"{at}.offered")
    wanted = _per_quarter(book, f"{at}.wanted", np.inf)
    if each.elasticity is not None:
        ratio = np.where(np.isnan(price), 1.0, landed / price)
        wanted = np.asarray(wanted_at(wanted, ratio, 1.0, book(f"{at}.elasticity")))
    trade = Trade(
        offered=offered,
        wanted=wanted,
        export_gate=book(f"{at}.export_gate"),
        import_gate=book(f"{at}.import_gate"),
        quota=_per_quarter(book, f"{at}.quota", np.inf),
        cap_share=book(f"{at}.volume_cap", np.inf),
        home_volume=_per_quarter(book, f"{at}.home_volume", 0.0),
    )
    return Crossing(trade, admitted(trade), price, landed, blocks)


def _grey(country: Country, book: Book) -> Iterator[Inflow]:
    for each in country.supply.grey:
        at = f"grey.{each.id}"
        flow = _per_quarter(book, f"{at}.flow") * book(f"{at}.enforcement")
        weights = {chip: book(f"{at}.chips.{chip}") for chip in each.chips}
        whole = np.asarray(sum(weights.values()))
        for chip, weight in weights.items():
            share = np.divide(weight, whole, out=np.zeros_like(whole), where=whole > 0)
            yield Inflow(Lane(SMUGGLED, chip), flow * share, _quarters(book, f"{at}.lead"))


def _premiums(country: Country, book: Book) -> dict[str, Matrix]:
    return {chip: book(f"grey.{each.id}.premium") for each in country.supply.grey for chip in each.chips}


def _remote(country: Country, book: Book) -> dict[Lane, Matrix]:
    found: dict[Lane, Matrix] = {}
    for each in country.supply.remote:
        lane = Lane(REMOTE, each.chip)
        chips: Matrix = np.asarray(book(f"remote.{each.id}.chips") * book(f"remote.{each.id}.open"))
        found[lane] = found[lane] + chips if lane in found else chips
    return found


def _initial(country: Country, book: Book) -> dict[Lane, NDArray[np.float64]]:
    found: dict[Lane, NDArray[np.float64]] = {}
    for use in country.supply.chips:
        if use.installed is not None:
            value = np.asarray(book.world.values(use.installed), dtype=float)
            found[Lane(use.pathway, use.id)] = np.broadcast_to(value, book.world.draws)
    return found


def _watts(country: Country, book: Book) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    for chip, side in country.sides.items():
        cluster = resolve_cluster(side, book.world.values)
        watts = np.asarray(cluster.power(1.0)) * np.asarray(cluster.ownership.pue)
        found[chip] = np.broadcast_to(watts, book.world.draws)
    return found


def _shocks(country: Country, book: Book) -> Iterator[Shock]:
    for loss in country.losses:
        at = 4.0 * (decimal_year(loss.date) - book.horizon.start)
        if 0.0 <= at < book.horizon.quarters:
            share = np.broadcast_to(np.asarray(book.world.values(loss.share)), book.world.draws)
            yield Shock(at, share, loss.of)


def horizon_of(start: str, quarters: int, draws: int) -> Horizon:
    """The quarters of a question."""
    return Horizon(decimal_year(start), quarters, draws)
