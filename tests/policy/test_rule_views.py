"""What is printed and written."""

import io
import json
from pathlib import Path

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.views.rule_matrix import show_matrix
from sim.views.rules import show_classification, show_rows, show_rules

CATALOGUE = Catalogue()
TABLE = Path(__file__).parents[2] / "validation" / "export_classification.csv"


def test_a_chip_in_words() -> None:
    out = io.StringIO()
    show_classification(CATALOGUE, "h20", "2026-03-01", "cn", out)
    text = out.getvalue()
    assert "us-2025-h20-letter" in text
    assert "licence required" in text
    assert "Not legal advice" in text
    assert "alleged by" in text


def test_a_chip_for_programs() -> None:
    out = io.StringIO()
    show_classification(CATALOGUE, "mi300x", "2026-03-01", "cn", out, as_json=True)
    record = json.loads(out.getvalue())
    rule = next(each for each in record["rules"] if each["rule"] == "us-2023-3a090")
    assert rule["branch"] == "3A090.a.1"
    assert {"field", "op", "threshold", "low", "high", "truth"} <= set(rule["margins"][0])


def test_rows_for_programs() -> None:
    out = io.StringIO()
    show_rows(CATALOGUE, TABLE, out, as_json=True)
    rows = json.loads(out.getvalue())["rows"]
    assert len(rows) == 78
    assert set(rows[0]) == {"chip_id", "rule", "expected", "got", "branch", "agrees"}
    assert all(row["agrees"] for row in rows)


def test_mistakes_of_the_user() -> None:
    for chip, date, place, message in (
        ("h21", None, "cn", "no chip"),
        ("h20", "2026", "cn", "full date"),
        ("h20", None, "mars", "no destination"),
        (None, None, "cn", "name a chip"),
    ):
        with pytest.raises(InputError, match=message):
            show_classification(CATALOGUE, chip, date, place, io.StringIO())


def test_the_matrix_writes_its_files(tmp_path: Path) -> None:
    out = io.StringIO()
    show_matrix(CATALOGUE, "2026-03-01", "cn", out, out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "matrix.png",
        "matrix.svg",
        "matrix.csv",
        "matrix.json",
    }
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    show_rules(CATALOGUE, out)
    assert "us-bills" in out.getvalue()
