"""Policy outcomes and inputs in words: one form of a number in a row, dates beyond the horizon, names of inputs."""

from __future__ import annotations

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.quantity import Quantity
from sim.study.policy.headlines import Headline
from sim.study.policy.question import groups, load_policy
from sim.study.policy.study import PolicyStudy, study_policy
from sim.study.policy.summary.inputs import input_name, period_of, value_at
from sim.study.policy.summary.quarters import moved_tables, quarter_table
from sim.study.policy.summary.results import result_tables
from sim.study.policy.summary.words import cell, difference, lead_sentence, shown_scale

SCENARIO = """
id: few
kind_of_file: policy
name: few
question: What does a quota change?
baseline: china
changes: [{id: quota, series: imports.h200.quota, date: 2026-02, set: 40000 chip/year}]
show: {metrics: [tpp], product: h200, outcome: landed, date: 2027-12}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> PolicyStudy:
    root = tmp_path_factory.mktemp("files")
    path = root / "policy" / "scenarios" / "few.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(SCENARIO, encoding="utf-8")
    return study_policy(Catalogue(extra=[root]), "few", draws=16)


def amount(*values: float) -> Headline:
    return Headline("x", "chips that pass", "chips", "amount", np.array(values))


def test_two_sides_of_a_row_have_one_scale() -> None:
    a, b = amount(300_000.0), amount(2_000_000.0)
    scale = shown_scale(a, b)
    assert scale == (1e6, "million")
    assert cell(a, scale) == "0.300"
    assert cell(b, scale) == "2.00"
    assert cell(amount(1e6, 3e6), scale) == "2.00 (1.10 to 2.90)"  # linear between two draws


def test_a_date_outside_the_horizon_is_told_by_its_shares() -> None:
    values = np.array([np.inf] * 9 + [2024.0])
    date = Headline("hbm", "HBM stops", "date", "date", values, 2024.0, "never scarce", "still scarce")
    assert cell(date, (1.0, "")) == "still scarce in 90 %, never scarce in 10 %"
    assert lead_sentence(date, None, "") == (
        "HBM stops: still scarce in 90 % of the draws, never scarce in 10 % of the draws."
    )


def test_a_shift_of_dates_says_its_side_once() -> None:
    a, b, c = (
        Headline("d", "run", "date", "date", np.array(years))
        for years in ([2026.0, 2026.0], [2026.5, 2026.5], [2026.25, 2026.75])
    )
    assert difference(a, b) == ("6.0 months earlier", "")
    # 3 and 9 months apart: 5 and 95 % lie a twentieth of the way in.
    assert difference(a, c) == ("6.0 months earlier", "8.7 to 3.3 months earlier")


def test_shares_are_per_cent_and_things_are_counted() -> None:
    assert value_at(Quantity(0.25, distribution="logitnormal"), 0.5) == "25 %"
    assert value_at(Quantity(8.0, unit="stack"), 0.5) == "8.00 stacks"


def test_inputs_of_a_supply_file_have_names() -> None:
    question = load_policy(Catalogue(), "hbm-bottleneck")
    found = {group.name: group for group in groups([question])}
    assert input_name("policy/supply/china#imports.h200.export_gate", question) == (
        "licensed share of NVIDIA H200", "China",
    )  # fmt: skip
    assert input_name("policy/scenarios/hbm-bottleneck#changes.hbm-2028.set", question) == (
        "domestic HBM stacks", "HBM stays scarce, from 2028-01",
    )  # fmt: skip
    # Foreign stacks came in heaps in December 2024 and not from 2025 on.
    assert period_of(found["policy/supply/china#memory.foreign"]) == "2024-12 to 2025"
    assert all(input_name(name, question) is not None for name in found)


def test_a_terminal_shows_pathways_quarters_and_what_moves_it(study: PolicyStudy) -> None:
    table = quarter_table(study)
    assert len(table.rows) == study.a.question.quarters
    assert table.columns[:3] == ("Quarter", "legal", "domestic")
    assert table.columns[-2:] == ("Scarce: NVIDIA H200", "Scarce: Huawei (Ascend)")
    # H200 needed a licence that nobody could get before 2026, whatever the vendor had to offer.
    assert table.rows[0][-2] == "exporter's licences (100 %)"
    # The quota of 40,000 holds in every draw: nothing moves the volume itself, only what it cuts off.
    assert [table.title for table in moved_tables(study)] == ["What moves the difference [chips]"]


def test_median_of_a_marginal_value_lies_in_its_interval(study: PolicyStudy) -> None:
    table = next(each for each in result_tables(study) if each.title.startswith("Value of one more"))
    assert table.rows
    for each in study.marginals:
        low, middle, high = np.quantile(each.value, (0.05, 0.5, 0.95))
        assert low <= middle <= high
    accounts = next(each for each in result_tables(study) if each.title.startswith("By account"))
    assert all("million" not in text for row in accounts.rows for text in row[2:])
