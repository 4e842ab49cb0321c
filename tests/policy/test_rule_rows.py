"""Tables of strangers: cells in all forms, sparse rates refused, and no row that breaks anything."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.policy.rules.rows import check_row, parse_figure, row_density, row_tpp
from sim.policy.rules.truth import UNKNOWN, Bounds
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.rules.book import load_rules
from sim.study.rules.classify import check_table

BOOK = load_rules(Catalogue())
COLUMNS = (
    "chip", "chip_id", "rule", "tpp", "tpp_basis", "die_area_mm2", "die_note", "pd", "mem_bw_gbs", "io_bw_gbs",
    "io_basis", "datacenter", "expected_status", "eccn", "confidence", "note", "source", "date", "destination",
)  # fmt: skip


def got(**cells: str) -> str:
    row = {"chip_id": "x", "datacenter": "1", **cells}
    return check_row(
        row, BOOK.rules, BOOK.labels, BOOK.as_of, lambda _: frozenset({"cn_mo", "d5", "d1_d4_d5"})
    ).got


def test_blank_is_unknown_and_matters_only_where_it_does() -> None:
    assert got(rule="us-2023-3a090") == "not_decidable"
    assert got(rule="us-2022-3a090", io_bw_gbs="64") == "not_controlled"
    assert got(rule="us-2026-01-tariff25", mem_bw_gbs="1398") == "no_duty_under_this_annex"
    assert got(rule="us-2023-3a090", tpp="5000") == "licence_required"


def test_a_range_is_decided_where_all_of_it_agrees() -> None:
    row = {"rule": "us-2023-3a090", "tpp": "2000"}
    assert got(**row, die_note="chiplet, 100-300 mm2") == "licence_required"  # 6.7 to 20
    assert got(**row, die_note="chiplet, 300-400 mm2") == "not_decidable"  # 5.0 to 6.7
    assert got(**row, die_note="chiplet, 400-500 mm2") == "nac_eligible"  # 4.0 to 5.0
    assert got(rule="us-2023-3a090", tpp="1900", die_area_mm2="920-2400") == "not_controlled"


def test_sparse_rates_are_refused() -> None:
    # 1,979 dense FP8 is 3,958 with structured sparsity: 31,664 is no TPP.
    assert got(rule="us-2023-3a090", tpp="31664", tpp_basis="FP8 3958 sparse x8") == "not_decidable"
    assert row_tpp("31664", "FP8 3958 (with sparsity) x8", []) == UNKNOWN
    assert row_tpp("31664", "FP8 3958 sparse x8; dense 1979 x8", []) == Bounds.of(15832.0)
    assert row_tpp("15832", "FP8 1979 dense x8 (3958 sparse)", []) == Bounds.of(15832.0)
    assert row_tpp("15832", "FP8 3958 sparse halved = 1979 x8", []) == Bounds.of(15832.0)


def test_density_of_a_row() -> None:
    assert got(rule="us-2023-3a090", tpp="1600", pd="5.92") == "licence_required"
    # 1600 / 5.92 = 270.27; rounded to 270.3 the quotient is 5.9193: the rounding cannot tell, the table's figure stands.
    assert got(rule="us-2023-3a090", tpp="1600", pd="5.92", die_area_mm2="270.3") == "licence_required"
    # 1600 / 271 = 5.904 and no rounding of 271 reaches 5.92 (270.5 gives 5.915).
    assert got(rule="us-2023-3a090", tpp="1600", die_area_mm2="271") == "nac_eligible"
    tight = row_density("3.14", Bounds.of(1912.0), Bounds.of(608.5), "608.5", False, [])
    assert float(tight.low) == pytest.approx(1912 / 608.5)
    notes: list[str] = []
    wide = row_density("2.91", Bounds.of(2368.0), Bounds.of(200.0), "200", False, notes)
    assert [float(wide.low), float(wide.high)] == pytest.approx([2.91, 11.84])
    assert notes
    assert (
        got(rule="us-2023-3a090", tpp="4000", die_area_mm2="500", die_note="planar 28 nm") == "not_controlled"
    )


def test_cells_in_other_forms() -> None:
    assert parse_figure("1,398 GB/s") == Bounds.of(1398.0)
    assert parse_figure("3.35 TB/s").low == pytest.approx(3350)
    assert parse_figure("≥ 4800").high == float("inf")
    assert parse_figure("n/a") == UNKNOWN
    assert parse_figure("-5") == UNKNOWN
    assert parse_figure("1e999") == UNKNOWN


def test_dates_and_destinations_of_rows() -> None:
    h200 = {"chip_id": "h200-sxm", "tpp": "15832", "pd": "19.45", "mem_bw_gbs": "4800"}
    assert got(rule="us-2026-01-casebycase", date="2026-01-14", **h200) == "not_in_force"
    assert got(rule="us-2026-01-casebycase", date="2026-01-15", **h200) == "case_by_case"
    assert got(rule="us-2022-3a090", date="2023-11-17", io_bw_gbs="900", tpp="9000") == "not_in_force"
    assert got(rule="us-2022-3a090", date="2023-11-16", io_bw_gbs="900", tpp="9000") == "licence_required"


def test_a_memory_stack_by_its_name() -> None:
    # HBM3E: 1,229 GB/s over 121 mm2 is 10.2 GB/s/mm2.
    assert (
        got(chip_id="hbm3e-stack", rule="us-2024-hbm", mem_bw_gbs="1229", die_area_mm2="121")
        == "licence_required"
    )
    assert got(chip_id="hbm3e-stack", rule="us-2024-hbm") == "not_decidable"


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "1", "0", "4800", "1e308", "nan", "inf", "-1", "<2400", "920-2400", "FP8 3958 sparse x8", "1979 x8",
                     "2026-01-15", "2026-13-01", "cn", "hbm3", "h20", "not published", "x8", "0 x 8", "8-"]),
    st.floats(allow_nan=True).map(str),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(COLUMNS), CELL),
    st.sampled_from([*(r.id for r in BOOK.rules), "nonsense"]),
)
def test_no_row_breaks_anything(row: dict[str, str], rule: str) -> None:
    answer = check_row(
        {**row, "rule": rule}, BOOK.rules, BOOK.labels, BOOK.as_of, lambda _: frozenset({"cn_mo"})
    )
    assert answer.got
    assert answer.agrees == (answer.got == row.get("expected_status", "").strip())


def test_a_table_without_columns_says_so(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("chip,tpp\nx,1\n")
    with pytest.raises(InputError, match=r"rows.csv:1:1: no column chip_id, rule"):
        check_table(path, BOOK)
    with pytest.raises(InputError, match="no such file"):
        check_table(tmp_path / "none.csv", BOOK)


def test_as_of_is_a_day() -> None:
    assert isinstance(BOOK.as_of, datetime.date)
