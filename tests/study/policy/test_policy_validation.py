"""Published policy tables: the arithmetic of their rows holds, and mistakes in a table are named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue, shipped_root
from sim.profiles.messages import InputError
from sim.study.policy.validation.check import check_tables, read_tables
from sim.study.policy.validation.formulas import Formulas
from sim.study.policy.validation.page import page

TABLES = sorted((shipped_root() / "validation").glob("policy-*.csv"))


def test_rows_of_plain_arithmetic_agree() -> None:
    rows = read_tables([path for path in TABLES if path.stem in ("policy-p5", "policy-p3")])
    plain = [row for row in rows if row.formula and '"' not in row.formula and "per prefill" not in row.reason
             and "per decode" not in row.reason]  # fmt: skip
    assert len(plain) >= 10
    missed = [each.row.item for each in check_tables(Catalogue(), plain, draws=2) if each.verdict == "missed"]
    assert not missed


def test_domestic_hbm_binds_and_gives_the_published_units() -> None:
    # 2.0M stacks over 8 a package are 250,000; the source prints 250,000 to 300,000.
    formulas = Formulas(Catalogue(), 64, 1)
    made = formulas.value('made("hbm-domestic-only@semianalysis", "huawei", 2026)')
    assert 230_000 < np.median(made) < 330_000
    assert formulas.value('binds("hbm-domestic-only@semianalysis", "huawei", "HBM", 2026)') > 0.95


def test_an_account_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="did you mean"):
        Formulas(Catalogue(), 2, 1).value('made("china-baseline@semianalysi", "huawei", 2025)')


def test_every_table_reads_and_the_page_has_all_rows() -> None:
    rows = read_tables(TABLES)
    plain = check_tables(Catalogue(), [row for row in rows if not row.formula], draws=2)
    text = page(plain, 2)
    assert len({row.table for row in rows}) == 8
    assert text.count("out of reach |") == len(plain)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ('tpq("h20")', 'did you mean "tpp"?'),
        ("1 +", "invalid syntax"),
        ("__import__('os')", "no function"),
        ("[1]", "only numbers"),
    ],
)
def test_mistakes_in_a_formula_are_named(formula: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        Formulas(Catalogue(), 2, 1).value(formula)
    assert message in str(error.value)


def test_mistakes_in_a_table_are_named(tmp_path: Path) -> None:
    table = tmp_path / "policy-x.csv"
    table.write_text("table,item,published,low,high,unit,formula,reason\n", encoding="utf-8")
    with pytest.raises(InputError, match='no column "source"'):
        read_tables([table])
    table.write_text(
        "table,item,published,low,high,unit,formula,reason,source\nP,x,many,,,,,,\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=':2: published: read "many"'):
        read_tables([table])


def test_every_miss_has_its_reason() -> None:
    results = list(
        csv.DictReader((shipped_root() / "validation" / "policy_results.csv").open(encoding="utf-8"))
    )
    reasons = {
        (row.table, row.item): row.reason
        for row in read_tables(sorted((shipped_root() / "validation").glob("policy-*.csv")))
    }
    missed = [row for row in results if row["verdict"] in ("missed", "out of reach")]
    assert missed
    assert not [row["item"] for row in missed if not reasons[row["table"], row["item"]]]
