"""Published policy tables against ours: in the terminal, as JSON, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TextIO

from sim.profiles.catalogue import Catalogue, shipped_root
from sim.report.outputs import write_all
from sim.study.policy.validation.check import DRAWS, SEED, CheckedRow, check_tables, read_tables
from sim.study.policy.validation.page import cells, page, results_csv
from sim.views.listing import Listing, print_listing
from sim.views.output import check_folder, json_text

COLUMNS = ("item", "published", "agrees within", "ours", "residual", "verdict", "note")


def validate_policy(
    catalogue: Catalogue,
    tables: Sequence[Path],
    draws: int | None,
    seed: int | None,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
) -> None:
    """Check some tables, or the published ones, and print what came out.

    Raises
    ------
    InputError, UnknownQuantityError
        When a table is wrong, or a formula cannot be given a value.
    OSError
        When a file cannot be written.
    """
    if out is not None:
        check_folder(out)
    paths = list(tables) or sorted((shipped_root() / "validation").glob("policy-*.csv"))
    draws = draws or DRAWS
    rows = check_tables(catalogue, read_tables(paths), draws, SEED if seed is None else seed)
    if out is not None:
        write_all(
            out, {"policy.md": page(rows, draws).encode(), "policy_results.csv": results_csv(rows).encode()}
        )
    if as_json:
        to.write(json_text({"rows": [_record(row) for row in rows]}))
        return
    for table, members in groupby(rows, key=lambda each: each.row.table):
        print_listing(Listing(table, COLUMNS, [cells(each) for each in members]), to)


def _record(row: CheckedRow) -> dict[str, object]:
    record: dict[str, object] = asdict(row.row)
    return record | {
        "p05": row.p05,
        "p50": row.p50,
        "p95": row.p95,
        "residual": row.residual,
        "verdict": row.verdict,
    }
