"""The inverse question: hand arithmetic, no level within the range, mistakes of the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.policy.solve import Wanted, bisected, solve_policy

SUPPLY = """
id: border
kind_of_file: supply
name: Border
start: 2024-01
quarters: 8
chips:
  - {id: h20, system: hgx-h20-8, region: china-imported}
imports:
  - id: h20
    chip: h20
    offered: {2024: {value: 100000 chip/year, low: 60000 chip/year, high: 150000 chip/year, source: ours}}
    export_gate: {2024: 1.0}
    import_gate: {2024: 1.0}
    price: {2024: 10000 USD}
    lead: {2024: 1 quarter}
sites: {power: {2024: 100 GW}, life: 20 year, failures: 0 / year}
use: {training_share: {2024: 0.1}, serving_share: {2024: 0.5}}
sources: {ours: {title: A test, date: 2024}}
"""
POLICY = """
id: case
kind_of_file: policy
name: case
question: What changes?
baseline: border
show: {metrics: [chips], product: h20}
"""
WANTED = Wanted("chips", 70_000.0, False, "imports.h20.quota", "0 chip/year", "200000 chip/year")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    for folder, name, text in (("supply", "border", SUPPLY), ("scenarios", "case", POLICY)):
        path = tmp_path / "policy" / folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Catalogue(extra=[tmp_path])


def test_a_quota_that_keeps_the_stock_below_a_bound(catalogue: Catalogue) -> None:
    found = solve_policy(catalogue, "case", WANTED, draws=64)
    # Seven quarters are installed at the end: 70,000 chips are 10,000 a quarter, 40,000 a year, below what is offered
    # in every draw but the lowest; a draw that is offered less than that has no border.
    offered_less = found.all_hold
    assert found.level[~offered_less] == pytest.approx(40_000, rel=1e-4)
    assert np.mean(offered_less) < 0.05
    assert found.up_to
    assert found.kept_in(0.9) == pytest.approx(40_000, rel=1e-4)
    assert found.at_border is not None
    assert found.at_border.values.max() == pytest.approx(70_000, rel=1e-3)


def test_no_level_is_said_to_be_none(catalogue: Catalogue) -> None:
    found = solve_policy(catalogue, "case", replace(WANTED, bound=1e7, above=True), draws=16)
    assert found.none_hold.all()
    assert np.isnan(found.level).all()
    assert found.kept_in(0.5) is None
    assert found.at_border is None


def test_the_other_side_is_met_from_the_level_on(catalogue: Catalogue) -> None:
    found = solve_policy(catalogue, "case", replace(WANTED, above=True), draws=64)
    assert not found.up_to
    level = found.level[np.isfinite(found.level)]
    assert level == pytest.approx(40_000, rel=1e-4)


def test_an_outcome_that_turns_back_is_reported() -> None:
    _, _, _, _, turns = bisected(lambda x: np.abs(np.asarray(x) - 4.0) + np.zeros(2) < 1.0, 0.0, 8.0, 2)
    assert turns == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": "imports.h20.quot"}, 'did you mean "imports.h20.quota"'),
        ({"outcome": "chip"}, 'did you mean "chips"'),
        ({"series": "sites.power"}, "sites.power is in W"),
        ({"low": "3e5 chip/year"}, "the first is not below the second"),
    ],
)
def test_mistakes_say_what_to_do(catalogue: Catalogue, change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        solve_policy(catalogue, "case", replace(WANTED, **change), draws=2)  # type: ignore[arg-type]
    assert message in str(error.value)
