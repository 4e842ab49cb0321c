"""Chips in places where the rules or the price files have something to say."""

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.scenario import ClusterChoice
from sim.study.placed import place_notes
from sim.study.question import load_side


def notes(system: str, region: str, as_of: str | None = None) -> str:
    catalogue = Catalogue()
    side = load_side(catalogue, ClusterChoice(system=system, chips=8, region=region), as_of)
    return " ".join(place_notes(catalogue, side, as_of))


def test_a_foreign_chip_under_rules_is_told_with_the_rules_and_the_regions_that_fit() -> None:
    """The rule of October 2023 asks a licence for the H100, whose TPP of 15,832 is above 4,800."""
    said = notes("hgx-h100-8", "china")
    assert "allowed only under licence by us-2023-3a090" in said
    assert "china-grey, china-imported" in said
    assert "without duty or premium" not in notes("hgx-h100-8", "china-imported")


@pytest.mark.parametrize(("system", "region"), [("cloudmatrix-384", "china"), ("hgx-h100-8", "us")])
def test_a_chip_at_home_needs_no_word(system: str, region: str) -> None:
    assert "comes from outside" not in notes(system, region)


def test_rules_are_those_of_the_date() -> None:
    """In August 2022 no rule on TPP was in force yet: the first is of October 2022."""
    assert "licence" not in notes("hgx-h800-8", "china-imported", "2022-08")


def test_a_rent_of_another_place_is_told() -> None:
    """Rents of the B200 are of the United States; in China-grey nobody states one."""
    catalogue = Catalogue()
    side = load_side(catalogue, ClusterChoice(system="hgx-b200-8", chips=8, region="asia-pacific"))
    places = {each.region for each in catalogue.rentals(side.chip.id)}
    said = notes("hgx-b200-8", "asia-pacific")
    assert ("stands for it" in said) == ("world" in places and side.rent is not None)
