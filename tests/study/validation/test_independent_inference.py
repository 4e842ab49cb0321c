"""The independent sample of serving results is read and scored whole. No accuracy is asserted: its first score stands."""

import csv

import pytest

from sim.study.validation.cases import validation_catalogue, validation_folder
from sim.study.validation.validate_serving import validate_serving

CASES = validation_folder() / "independent-inference.csv"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def scored():
    return validate_serving(CASES, validation_catalogue(), draws=2)


def test_no_row_is_skipped(scored):
    rows = rows_of(CASES)
    assert [p.case.case_id for p in scored.predictions] == [row["case_id"] for row in rows]
    assert [p.case.case_id for p in scored.predictions if p.reason] == []
    assert scored.summary()["headline"]["rows"] == len(rows)


def test_no_row_is_in_the_other_table(scored):
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
    known = {tuple(row[name] for name in columns) for row in rows_of(validation_folder() / "inference.csv")}
    assert not [row["case_id"] for row in rows_of(CASES) if tuple(row[name] for name in columns) in known]


def test_every_row_says_where_it_is_from():
    for row in rows_of(CASES):
        assert row["source"].startswith("https://")
        assert row["note"]
        assert row["use"] == "validate"


def test_the_page_lists_every_row():
    page = CASES.with_suffix(".md").read_text(encoding="utf-8")
    assert not [row["case_id"] for row in rows_of(CASES) if f"| {row['case_id']} |" not in page]
