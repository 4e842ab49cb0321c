"""The shipped rules: the published table of results, thresholds to the digit, dates to the day, destinations."""

import csv
import datetime
from pathlib import Path

import pytest

from sim.policy.rules.engine import classify, classify_one
from sim.policy.rules.truth import Bounds
from sim.profiles.catalogue import Catalogue
from sim.study.rules.book import load_rules
from sim.study.rules.classify import check_table, chip_ids, classify_chip

TABLE = Path(__file__).parents[2] / "validation" / "export_classification.csv"
CATALOGUE = Catalogue()
BOOK = load_rules(CATALOGUE)
DAY = datetime.date(2026, 3, 1)


def item(chip: str = "x", vendor: str | None = None, origin: str | None = None, **figures: float):
    from sim.policy.rules.engine import Item

    bounds = {name: Bounds.of(value) for name, value in figures.items()}
    if "dram_bw_gbs" in bounds and "io_bw_gbs" in bounds:
        bounds["dram_plus_io_bw_gbs"] = bounds["dram_bw_gbs"] + bounds["io_bw_gbs"]
    bounds.setdefault("datacenter", Bounds.of(1.0))
    labels = {"chip": chip, "vendor": vendor, "origin": origin, "kind": "processor", "declared": "nothing"}
    return Item(chip, bounds, labels)


def result(rule: str, date: datetime.date = DAY, **figures: float) -> str:
    return classify_one(rule, item(**figures), BOOK.rules, date).result


ROWS = list(csv.DictReader(TABLE.open(encoding="utf-8")))


@pytest.mark.parametrize(
    ("row", "answer"),
    list(zip(ROWS, check_table(TABLE, BOOK), strict=True)),
    ids=[f"{row['chip_id']}-{row['rule']}" for row in ROWS],
)
def test_published_results(row, answer) -> None:
    assert answer.got == row["expected_status"]
    paragraph = row["eccn"]
    if paragraph not in ("", "3A090"):
        assert answer.branch == paragraph


# Thresholds as the regulations have them: "4800 or more", "less than 4800", "greater than 14,000".
@pytest.mark.parametrize(
    ("rule", "figures", "expected"),
    [
        ("us-2022-3a090", {"tpp": 4800, "io_bw_gbs": 600}, "licence_required"),
        ("us-2022-3a090", {"tpp": 4800, "io_bw_gbs": 599.9}, "not_controlled"),
        ("us-2022-3a090", {"tpp": 4799.9, "io_bw_gbs": 600}, "not_controlled"),
        ("us-2022-3a090", {"io_bw_gbs": 600}, "not_decidable"),
        ("us-2022-3a090", {"io_bw_gbs": 599}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 4800, "pd": 0.1}, "licence_required"),
        ("us-2023-3a090", {"tpp": 1600, "pd": 5.92}, "licence_required"),
        ("us-2023-3a090", {"tpp": 1599, "pd": 50}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 1600, "pd": 5.91}, "nac_eligible"),
        ("us-2023-3a090", {"tpp": 2400, "pd": 1.6}, "nac_eligible"),
        ("us-2023-3a090", {"tpp": 2399, "pd": 1.6}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 2400, "pd": 1.59}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 1600, "pd": 3.2}, "nac_eligible"),
        ("us-2023-3a090", {"tpp": 1600, "pd": 3.19}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 2000}, "not_decidable"),
        ("us-2023-3a090", {"tpp": 6000}, "licence_required"),
        ("us-2023-3a090", {"pd": 6.0}, "not_decidable"),
        ("us-2023-3a090", {"tpp": 4799, "pd": 9, "datacenter": 0}, "not_controlled"),
        ("us-2023-3a090", {"tpp": 4800, "pd": 9, "datacenter": 0}, "nac_eligible"),
        ("us-2025-h20-letter", {"dram_bw_gbs": 1400}, "licence_required"),
        ("us-2025-h20-letter", {"dram_bw_gbs": 1399, "io_bw_gbs": 300}, "not_caught_by_letter"),
        ("us-2025-h20-letter", {"dram_bw_gbs": 1399, "io_bw_gbs": 301}, "licence_required"),
        ("us-2025-h20-letter", {"dram_bw_gbs": 100, "io_bw_gbs": 1100}, "licence_required"),
        ("us-2025-h20-letter", {"dram_bw_gbs": 1399}, "not_decidable"),
        ("us-2026-01-casebycase", {"tpp": 20999, "dram_bw_gbs": 6499}, "case_by_case"),
        ("us-2026-01-casebycase", {"tpp": 21000, "dram_bw_gbs": 6499}, "presumption_of_denial"),
        ("us-2026-01-casebycase", {"tpp": 20999, "dram_bw_gbs": 6500}, "presumption_of_denial"),
        ("us-2026-01-casebycase", {"tpp": 25000}, "presumption_of_denial"),
        ("us-2026-01-casebycase", {"tpp": 20000}, "not_decidable"),
        ("us-2026-01-casebycase", {"tpp": 2368, "pd": 2.91, "dram_bw_gbs": 4000}, "not_applicable"),
        ("us-2026-01-tariff25", {"tpp": 14000, "dram_bw_gbs": 4800}, "no_duty_under_this_annex"),
        ("us-2026-01-tariff25", {"tpp": 14001, "dram_bw_gbs": 4501}, "duty_25_percent"),
        ("us-2026-01-tariff25", {"tpp": 17500, "dram_bw_gbs": 4800}, "no_duty_under_this_annex"),
        ("us-2026-01-tariff25", {"tpp": 16000, "dram_bw_gbs": 5000}, "no_duty_under_this_annex"),
        ("us-2026-01-tariff25", {"tpp": 21000, "dram_bw_gbs": 6000}, "duty_25_percent"),
        ("us-2026-01-tariff25", {"tpp": 21100, "dram_bw_gbs": 6000}, "no_duty_under_this_annex"),
        ("us-2026-01-tariff25", {"dram_bw_gbs": 5300}, "no_duty_under_this_annex"),
        ("us-2026-01-tariff25", {"dram_bw_gbs": 4800}, "not_decidable"),
    ],
)
def test_thresholds_to_the_digit(rule: str, figures: dict[str, float], expected: str) -> None:
    date = datetime.date(2023, 1, 1) if rule == "us-2022-3a090" else DAY
    assert result(rule, date, **figures) == expected


def test_a_memory_stack_is_measured_by_its_density() -> None:
    from dataclasses import replace

    for density, expected in ((2.0, "not_controlled"), (2.01, "licence_required"), (9.0, "licence_required")):
        one = item(memory_bandwidth_density=density)
        one = replace(one, labels={**one.labels, "kind": "memory-stack"})
        assert classify_one("us-2024-hbm", one, BOOK.rules, DAY).result == expected


@pytest.mark.parametrize(
    ("rule", "first", "last"),
    [
        ("us-2022-3a090", "2022-10-07", "2023-11-16"),
        ("us-2023-3a090", "2023-11-17", None),
        ("us-2025-h20-letter", "2025-04-09", None),
        ("us-2026-01-casebycase", "2026-01-15", None),
        ("us-2025-09-affiliates", "2025-09-29", "2025-11-09"),
    ],
)
def test_dates_to_the_day(rule: str, first: str, last: str | None) -> None:
    dates = {each.id: each for each in BOOK.rules}[rule]
    begin, one = datetime.date.fromisoformat(first), datetime.timedelta(days=1)
    assert dates.in_force(begin - one) is False
    assert dates.in_force(begin) is True
    if last:
        end = datetime.date.fromisoformat(last)
        assert dates.in_force(end) is True
        assert dates.in_force(end + one) is False


def test_what_nobody_could_verify_is_open() -> None:
    rule = {each.id: each for each in BOOK.rules}["us-2025-09-affiliates"]
    assert rule.in_force(datetime.date(2026, 11, 10)) is None


def by_rule(chip: str, date: str = "2026-03-01", destination: str = "cn") -> dict[str, str]:
    answer = classify_chip(CATALOGUE, BOOK, chip, datetime.date.fromisoformat(date), destination)
    return {each.rule: each.result for each in answer.results}


def test_traps() -> None:
    h20 = by_rule("h20")
    assert h20["us-2023-3a090"] == "not_controlled"
    assert h20["us-2025-h20-letter"] == "licence_required"
    assert by_rule("h200-nvl")["us-2026-01-tariff25"] == "no_duty_under_this_annex"
    assert by_rule("h200-sxm")["us-2026-01-tariff25"] == "duty_25_percent"
    assert by_rule("h200-sxm", "2026-01-14")["us-2026-01-casebycase"] == "not_in_force"
    assert by_rule("tpu-v6e")["us-2025-h20-letter"] == "not_applicable"  # not one of the three makers
    assert by_rule("mi308x")["us-2023-3a090"] == "not_decidable"
    assert by_rule("h200-sxm", "2026-01-20")["cn-2026-h200-import"] == "held_at_customs"
    assert by_rule("h200-sxm", "2026-08-01")["cn-2026-h200-import"] == "case_by_case_ndrc"


def test_destinations() -> None:
    assert by_rule("h100-sxm", destination="ae")["us-2023-3a090"] == "licence_required"
    assert by_rule("h100-sxm", destination="fr")["us-2023-3a090"] == "outside_scope"
    assert by_rule("h20", destination="ae")["us-2025-h20-letter"] == "outside_scope"
    assert by_rule("h200-sxm", destination="ru")["us-2026-01-casebycase"] == "outside_scope"
    assert BOOK.groups("mo") == {"cn_mo", "d5", "d1_d4_d5", "world"}


def test_a_disputed_die_area_is_a_range_with_a_probability() -> None:
    # MI300X: 20,919.2 over 920 to 2,400 mm2 is 8.7 to 22.7.
    answer = classify_chip(CATALOGUE, BOOK, "mi300x", DAY)
    density = answer.item.figures["pd"]
    assert float(density.low) == pytest.approx(20919.2 / 2400)
    assert float(density.high) == pytest.approx(20919.2 / 920)
    rtx = classify_chip(CATALOGUE, BOOK, "rtx-pro-6000d", DAY)
    verdict = next(each for each in rtx.results if each.rule == "us-2023-3a090")
    assert verdict.result == "not_decidable"
    assert sum(verdict.probability.values()) == pytest.approx(1)
    assert len(verdict.probability) > 1


def test_every_chip_is_classified_on_every_day() -> None:
    for chip in chip_ids(CATALOGUE, BOOK):
        answer = classify_chip(CATALOGUE, BOOK, chip)
        assert len(answer.results) == len(BOOK.rules)


def test_the_engine_is_plain() -> None:
    results = classify(item(tpp=16000, pd=20), BOOK.rules, DAY, BOOK.groups("cn"))
    assert {each.rule: each.result for each in results}["us-2023-3a090"] == "licence_required"


def test_a_maker_that_no_list_knows_may_say_where_it_sits() -> None:
    assert BOOK.labels("my-chip / My chip", "Me")["origin"] is None
    assert BOOK.labels("my-chip / My chip", "Me", "CN")["origin"] == "CN"
    assert BOOK.labels("ascend-910c / Ascend 910C", "Huawei")["origin"] == "CN"
