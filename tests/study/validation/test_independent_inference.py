"""The independent samples of serving results are read and scored whole. No accuracy is asserted: first scores stand."""

import csv

import pytest

from sim.study.validation.cases import validation_catalogue, validation_folder
from sim.study.validation.validate_serving import validate_serving

FIRST, LATER = (
    validation_folder() / f"{name}.csv" for name in ("independent-inference", "independent-inference-later")
)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("path", [FIRST, LATER])
def test_no_row_is_skipped(path):
    scored, rows = validate_serving(path, validation_catalogue(), draws=2), rows_of(path)
    assert [p.case.case_id for p in scored.predictions] == [row["case_id"] for row in rows]
    assert [p.case.case_id for p in scored.predictions if p.reason] == []
    assert scored.summary()["headline"]["rows"] == len(rows)


def test_no_row_is_in_another_table():
    """Neither by name nor by what was run: model, chip, number of chips, lengths, load and engine."""
    columns = (
        "model_id",
        "chip",
        "n_chips",
        "isl",
        "osl",
        "concurrency_total",
        "batch_per_chip",
        "engine",
        "metric",
    )
    tables = [rows_of(path) for path in (validation_folder() / "inference.csv", FIRST, LATER)]
    shipped, first, later = ([tuple(row[name] for name in columns) for row in rows] for rows in tables)
    assert not set(shipped) & {*first, *later}
    assert not set(first) & set(later)


def test_every_row_says_where_it_is_from():
    for row in rows_of(FIRST) + rows_of(LATER):
        assert row["source"].startswith("https://")
        assert row["note"]
        assert row["use"] == "validate"


def test_the_page_lists_every_row():
    page = FIRST.with_suffix(".md").read_text(encoding="utf-8")
    rows = rows_of(FIRST) + rows_of(LATER)
    assert not [row["case_id"] for row in rows if f"| {row['case_id']} |" not in page]
