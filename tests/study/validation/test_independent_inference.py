"""The independent samples of serving results are read and scored whole. No accuracy is asserted: first scores stand."""

import csv
import itertools
from pathlib import Path

import pytest

from sim.study.validation.cases import validation_catalogue, validation_folder
from sim.study.validation.validate_serving import validate_serving

FIRST, LATER, SECOND = (
    validation_folder() / f"independent-inference{name}.csv" for name in ("", "-later", "-2")
)
TABLES = [FIRST, LATER, SECOND]
PAGES = {FIRST: FIRST, LATER: FIRST, SECOND: SECOND}
"""The page of a table has the name of one."""


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("path", TABLES)
def test_no_row_is_skipped(path: Path) -> None:
    scored, rows = validate_serving(path, validation_catalogue(), draws=2), rows_of(path)
    assert [p.case.case_id for p in scored.predictions] == [row["case_id"] for row in rows]
    assert [p.case.case_id for p in scored.predictions if p.reason] == []
    found = scored.summary()
    assert found["headline"]["rows"] + found["other_metrics"]["rows"] == len(rows)


def test_no_row_is_in_another_table() -> None:
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
    tables = [validation_folder() / "inference.csv", *TABLES]
    runs = [{tuple(row[name] for name in columns) for row in rows_of(path)} for path in tables]
    shared = [one & other for one, other in itertools.combinations(runs, 2)]
    assert shared == [set()] * len(shared)


@pytest.mark.parametrize("path", TABLES)
def test_every_row_says_where_it_is_from(path: Path) -> None:
    for row in rows_of(path):
        assert row["source"].startswith("https://")
        assert row["note"]
        assert row["use"] == "validate"


@pytest.mark.parametrize("path", TABLES)
def test_the_page_lists_every_row(path: Path) -> None:
    page = PAGES[path].with_suffix(".md").read_text(encoding="utf-8")
    assert not [row["case_id"] for row in rows_of(path) if f"| {row['case_id']} |" not in page]
