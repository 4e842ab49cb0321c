"""The independent sample of training results is read and scored whole. No accuracy is asserted: its first score stands."""

import csv

import pytest

from sim.study.validation.cases import validation_catalogue, validation_folder
from sim.study.validation.validate_training import validate_training

CASES = validation_folder() / "independent-training.csv"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def scored():
    return validate_training(CASES, validation_catalogue(), draws=2)


def test_no_row_is_skipped(scored):
    rows = rows_of(CASES)
    assert [p.case.case_id for p in scored.predictions] == [row["case_id"] for row in rows]
    assert [p.case.case_id for p in scored.predictions if p.reason] == []
    assert scored.summary()["headline"]["rows"] == len(rows)


def test_a_table_without_calibrate_rows_is_compared_with_rules_of_the_shipped_ones(scored):
    """Not with nothing: an empty rule would count as an error of 100 % on every row."""
    for name, score in scored.summary()["baselines"].items():
        assert score["rows"] == len(scored.predictions), name
        assert score["bias"] != 0.0, name


def test_no_row_is_in_the_other_table():
    """Neither by name nor by what was run: model, chip, number of chips, layout, batch, precision, stack and date."""
    columns = (
        "model_id",
        "chip",
        "n_chips",
        "seq_len",
        "global_batch_tokens",
        "precision",
        "micro_batch",
        *("tp", "pp", "cp", "ep", "vpp"),
        "tp_overlap",
        "stack",
        "software_date",
    )
    known = rows_of(validation_folder() / "training.csv")
    names, runs = {row["case_id"] for row in known}, {tuple(row[name] for name in columns) for row in known}
    found = rows_of(CASES)
    assert len({row["case_id"] for row in found}) == len(found)
    assert not [row["case_id"] for row in found if row["case_id"] in names]
    assert not [row["case_id"] for row in found if tuple(row[name] for name in columns) in runs]


def test_every_row_says_where_it_is_from():
    for row in rows_of(CASES):
        assert row["source"], row["case_id"]
        assert row["use"] == "validate", row["case_id"]


def test_the_page_lists_every_row():
    page = CASES.with_suffix(".md").read_text(encoding="utf-8")
    assert not [row["case_id"] for row in rows_of(CASES) if f"| {row['case_id']} |" not in page]
