"""Files: all of them, whole, the same for the same content, and in formats that open elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from example_content import JOBS, example
from openpyxl import load_workbook

from sim.report import outputs
from sim.report.content import ReportContent
from sim.report.outputs import write_all, write_report
from sim.report.workbook import workbook

RESULTS = pd.DataFrame(
    {
        "scenario": ["example"] * 2,
        "cluster": ["a", "b"],
        "job": ["chat-v3"] * 2,
        "metric": ["throughput"] * 2,
        "unit": ["token/s"] * 2,
        "statistic": ["p50"] * 2,
        "value": [1.5e6, 0.1 + 0.2],
    }
)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    places = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for place in places:
        write_report(example(jobs=JOBS[:1]), place, RESULTS, run={"scenario": {"id": "example"}})
    return places


def hashes(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def test_same_content_same_bytes(twice: tuple[Path, Path]) -> None:
    assert hashes(twice[0]) == hashes(twice[1])


def test_everything_is_there(twice: tuple[Path, Path]) -> None:
    names = set(hashes(twice[0]))
    assert {"report.pdf", "page-1.png", "results.csv", "results.parquet", "results.xlsx", "run.json"} <= names
    for chart in (
        "parity",
        "cost-ladder-train-v3",
        "waterfall-train-v3",
        "timeline-train-v3",
        "sobol",
        "validation-serving",
    ):
        assert {f"figures/{chart}.png", f"figures/{chart}.svg"} <= names
    assert not [name for name in names if name.endswith(".part")]


def test_tables_read_back(twice: tuple[Path, Path]) -> None:
    pd.testing.assert_frame_equal(pd.read_csv(twice[0] / "results.csv"), RESULTS, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(twice[0] / "results.parquet"), RESULTS)


def test_run_file_vouches_for_the_others(twice: tuple[Path, Path]) -> None:
    record = json.loads((twice[0] / "run.json").read_text(encoding="utf-8"))
    assert record["identity"]["seed"] == 1
    assert record["scenario"] == {"id": "example"}
    found = hashes(twice[0])
    found.pop("run.json")
    assert record["outputs"] == {name.replace("\\", "/"): digest for name, digest in found.items()}


def test_workbook_holds_numbers_and_no_formulas() -> None:
    content = example("=cmd()", "+H100", jobs=(JOBS[2],))
    book = load_workbook(io.BytesIO(workbook(content)))
    assert book.sheetnames == ["answers", "jobs", "costs", "inputs", "exact numbers", "validation"]
    row = [cell.value for cell in book["answers"][2]]
    assert row[0] == "Chat on V3"
    assert row[5] == pytest.approx(13_900)
    costs = [[cell.value for cell in line] for line in book["costs"].iter_rows(min_row=2)]
    block = [line for line in costs if line[1] == "=cmd()" and line[2] == "amortised"]
    total = next(line[7] for line in block if line[3] == "all")
    assert sum(line[7] for line in block if line[3] not in ("all", "input tokens")) == pytest.approx(total)
    for sheet in book:
        assert all(cell.data_type != "f" for line in sheet.iter_rows() for cell in line)


def test_a_failed_write_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path, {"a.txt": b"old", "b.txt": b"old"})
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if ".b.txt" in self.name:
            write(self, data[:1])
            raise OSError("no space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        write_all(tmp_path, {"a.txt": b"new", "b.txt": b"new"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.txt": b"old", "b.txt": b"old"}


def test_files_of_an_earlier_report_go_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: ReportContent
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("mine")
    monkeypatch.setattr(outputs, "report_files", lambda *_: {"report.pdf": b"1", "page-9.png": b"1"})
    write_report(small, tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    record["outputs"]["../outside.txt"] = ""
    (tmp_path / "run.json").write_text(json.dumps(record))
    monkeypatch.setattr(outputs, "report_files", lambda *_: {"report.pdf": b"2"})
    write_report(small, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"mine.txt", "report.pdf", "run.json"}
    assert outside.exists()
