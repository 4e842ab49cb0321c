"""Nothing that became known after a date is used: points of series, changes, rules."""

from __future__ import annotations

import pytest

from sim.economics.series import last_day
from sim.profiles.catalogue import Catalogue
from sim.study.policy.as_of import rules_as_of, scenario_as_of, supply_as_of
from sim.study.policy.changes import named_series
from sim.study.policy.outcomes import crossing
from sim.study.policy.question import load_policy
from sim.study.policy.simulate import simulate_policy
from sim.study.policy.worlds import median_world
from sim.study.rules.book import load_rules


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.mark.parametrize("day", ["2025-01", "2025-09-30", "2026-02"])
def test_no_later_fact_is_left_but_what_is_named(catalogue: Catalogue, day: str) -> None:
    question = load_policy(catalogue, "china-baseline", as_of=day)
    for name, dated in named_series(question.own.supply).items():
        for date, value in dated.items():
            if date and value.kind != "assumed" and value.as_of and last_day(value.as_of) > last_day(day):
                assert name in question.late, name
                assert date == next(iter(dated)), name


def test_later_dates_know_more_and_the_last_knows_all(catalogue: Catalogue) -> None:
    supply = catalogue.supply("china")
    known, late = supply_as_of(supply, "2026-12")
    assert known == supply
    assert late == ()
    assert len(supply_as_of(supply, "2024-12")[1]) > len(supply_as_of(supply, "2025-12")[1])


def test_rules_announced_later_do_not_exist(catalogue: Catalogue) -> None:
    question = load_policy(catalogue, "china-baseline", as_of="2025-03")
    world = median_world(question)
    # The letter on H20 is of April 2025: by what was known in March the gate stays open.
    assert (crossing(simulate_policy(question, world), "h20").trade.export_gate == 1.0).all()
    known = rules_as_of(load_rules(catalogue), "2025-03")
    assert {rule.id for rule in known.rules} == set(known.files)


def test_changes_that_rest_on_later_sources_are_left_out(catalogue: Catalogue) -> None:
    scenario = catalogue.policy("h200-quota")
    assert "quota" in {change.id for change in scenario.changes}
    kept = {change.id for change in scenario_as_of(scenario, "2026-02").changes}
    assert kept == {"approvals"}  # a supposition; the quota was reported in March 2026
