"""What rules and price files say of a chip in its region, where that is not what the region's numbers suppose."""

from __future__ import annotations

from sim.economics.series import last_day
from sim.policy.rules.records import Weight
from sim.profiles.catalogue import Catalogue
from sim.profiles.economy import Region
from sim.study.question import Side
from sim.study.rules.book import load_rules
from sim.study.rules.classify import classify_chip

SAID: dict[Weight, str] = {"barred": "barred or discouraged by", "licence": "allowed only under licence by"}


def place_notes(catalogue: Catalogue, side: Side, as_of: str | None) -> tuple[str, ...]:
    """Plain warnings: a chip that may not simply be brought to the region, and a rent that is that of another place.

    Parameters
    ----------
    as_of : str or None
        Date of the rules; the last one on which they were looked up when None.

    Raises
    ------
    InputError
        When a file of the rules is wrong.
    """
    return tuple(note for note in (_barred(catalogue, side, as_of), _elsewhere(side)) if note)


def _barred(catalogue: Catalogue, side: Side, as_of: str | None) -> str:
    """Rules that stand between a foreign chip and the region; empty where the region's country has none to fear."""
    country, chip = side.region.country, side.chip
    if not country:
        return ""
    book = load_rules(catalogue)
    if book.labels(f"{chip.id} / {chip.name}", chip.vendor)["origin"] == country.upper():
        return ""
    found = classify_chip(catalogue, book, chip.id, None if as_of is None else last_day(as_of), country)
    supposed = (
        ("licence",) if _imports(side.region) else ()
    )  # what a region of imported chips takes for granted
    by_weight = {
        words: [each.rule for each in found.results if each.weight == weight and each.in_force]
        for weight, words in SAID.items()
        if weight not in supposed
    }
    hard = [f"{words} {', '.join(rules)}" for words, rules in by_weight.items() if rules]
    if not hard:
        return ""
    return (
        f"{side.label} comes from outside {side.region.name}: on {found.date} it is {' and '.join(hard)}. The cost is given "
        f"as if it stood there{_other_regions(catalogue, side)}."
    )


def _other_regions(catalogue: Catalogue, side: Side) -> str:
    """Regions of the country whose prices are those of imported chips, where those of this one are not."""
    if _imports(side.region):
        return ""
    regions = (catalogue.region(id) for id in catalogue.ids("regions"))
    others = [each.id for each in regions if each.country == side.region.country and _imports(each)]
    return f", without duty or premium; {', '.join(others)} have one" if others else ""


def _imports(region: Region) -> bool:
    """Whether a region's prices are those of chips from abroad: taxed, at a premium, or with a share for a government."""
    return region.duty.value > 0 or region.grey_premium.value > 1 or region.revenue_share is not None


def _elsewhere(side: Side) -> str:
    """That the rent is one of another place."""
    wanted = side.region.rents_of or side.region.id
    if side.rent is None or side.rents is None or side.rents.region == wanted:
        return ""
    return f"{side.label}: no rent is stated for {side.region.name}; that of the {side.rents.region} market stands for it."
