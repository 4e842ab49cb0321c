"""Gates that follow the export rules: boundary dates, rules switched off, parameters read from the rule files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.policy.outcomes import crossing
from sim.study.policy.question import load_policy
from sim.study.policy.simulate import PolicyResult, simulate_policy
from sim.study.policy.summary.rules import rules_table
from sim.study.policy.worlds import median_world

SCENARIO = """
id: {id}
kind_of_file: policy
name: {id}
question: What changes?
baseline: china
rules: {{{rules}}}
changes: [{changes}]
show: {{metrics: [chips], product: h20}}
"""
LETTER, SHARE = "us-2025-h20-letter", "us-2025-08-revshare15"
REVIEW = "us-2026-01-casebycase"
Q2_2025, Q3_2025, Q1_2026 = 5, 6, 8  # quarters from 2024-01 on


def at_median(tmp_path: Path, rules: str, changes: str = "") -> PolicyResult:
    path = tmp_path / "policy" / "scenarios" / "case.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCENARIO.format(id="case", rules=rules, changes=changes), encoding="utf-8")
    question = load_policy(Catalogue(extra=[tmp_path]), "case")
    return simulate_policy(question, median_world(question))


def gates(result: PolicyResult, product: str = "h20") -> np.ndarray:
    return crossing(result, product).trade.export_gate[:, 0]


def test_h20_is_free_until_the_day_of_the_letter(tmp_path: Path) -> None:
    gate = gates(at_median(tmp_path, ""))
    assert (gate[:Q2_2025] == 1.0).all()
    assert gate[Q2_2025] == pytest.approx(
        8 / 90
    )  # 1 to 8 April of three months of 30 days; shut from the 9th
    # From 8 August licences are given, 37 days into a quarter of 90.
    assert gate[Q3_2025] == pytest.approx(53 / 90)
    assert (gate[Q3_2025 + 1 :] == 1.0).all()


def test_without_the_letter_the_gate_is_open(tmp_path: Path) -> None:
    result = at_median(tmp_path, f"{LETTER}: 'off'")
    assert (gates(result) == 1.0).all()
    # A share of the revenue was the price of a licence: none is needed, none is paid.
    found = crossing(result, "h20")
    assert found.landed[:, 0] == pytest.approx(found.price[:, 0])


def test_without_the_arrangement_no_licence_is_given(tmp_path: Path) -> None:
    assert (gates(at_median(tmp_path, f"{SHARE}: 'off'"))[Q3_2025:] == 0.0).all()


def test_a_stated_gate_overrides_the_rules(tmp_path: Path) -> None:
    change = "{id: x, series: imports.h20.export_gate, date: 2025-07, set: 0.25}"
    gate = gates(at_median(tmp_path, f"{LETTER}: 'off'", change))
    assert gate[Q2_2025] == 1.0
    assert (gate[Q3_2025:] == 0.25).all()


def test_h200_needs_the_review_and_takes_cap_and_duty_from_the_rules(tmp_path: Path) -> None:
    as_it_is = crossing(at_median(tmp_path, ""), "h200")
    assert (as_it_is.trade.export_gate[:Q1_2026] == 0.0).all()
    assert (as_it_is.trade.export_gate[Q1_2026 + 1 :] > 0.0).all()
    # Cap of one half, and a duty of 25 % on 76 of the 90 days of the first quarter of 2026.
    assert np.isinf(as_it_is.trade.cap_share[:Q1_2026]).all()
    assert (as_it_is.trade.cap_share[Q1_2026:] == 0.5).all()
    duty = as_it_is.landed[:, 0] / as_it_is.price[:, 0] - 1
    assert duty[Q1_2026 - 1 : Q1_2026 + 2] == pytest.approx([0.0, 0.25 * 76 / 90, 0.25])
    assert (gates(at_median(tmp_path, f"{REVIEW}: 'off'"), "h200") == 0.0).all()
    both = f"us-2023-3a090: 'off', {LETTER}: 'off'"
    # Neither rule: nothing asks for a licence once the diffusion rule of January to May 2025 is gone.
    assert (gates(at_median(tmp_path, both), "h200")[Q3_2025:] == 1.0).all()


def test_a_parameter_alone_is_switched_off(tmp_path: Path) -> None:
    found = crossing(at_median(tmp_path, f"{REVIEW}.volume_cap_share_of_us: 'off'"), "h200")
    assert np.isinf(found.trade.cap_share).all()
    assert (found.trade.export_gate[Q1_2026 + 1 :] > 0.0).all()


def test_a_change_takes_its_number_from_a_rule(tmp_path: Path) -> None:
    change = f"{{id: x, series: imports.h200.revenue_share, date: 2027, set_by_rule: {SHARE}.fee_rate}}"
    found = crossing(at_median(tmp_path, "us-2026-01-tariff25: 'off'", change), "h200")
    assert found.landed[-1, 0] == pytest.approx(found.price[-1, 0] / 0.85)  # passed on whole


def test_the_report_says_from_which_day_a_rule_bears(tmp_path: Path) -> None:
    question = at_median(tmp_path, f"{SHARE}: 'off'").question
    table = rules_table(Catalogue(extra=[tmp_path]), question)
    assert table is not None
    letter, share = (Catalogue().document("rules", id).name for id in (LETTER, SHARE))
    assert any(
        row[1] == "2025-04-09" and f"{letter} (alleged): licence required" in row[2] for row in table.rows
    )
    assert not any(share in row[2] for row in table.rows)
    # The diffusion framework of January 2025 was rescinded on 13 May.
    assert any(row[1] == "2025-05-13" and "Framework for AI Diffusion" in row[3] for row in table.rows)


@pytest.mark.parametrize(
    ("rules", "changes", "message"),
    [
        ("us-2025-h20-lettr: 'off'", "", 'did you mean "us-2025-h20-letter"'),
        (
            "",
            "{id: x, series: imports.h200.duty, date: 2027, set_by_rule: us-2026-01-tariff25.rate}",
            "case.yaml:8:",
        ),
    ],
)
def test_mistakes_in_the_rules_say_what_to_do(tmp_path: Path, rules: str, changes: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        at_median(tmp_path, rules, changes)
    assert message in str(error.value)
