"""A unit played request by request: its table, the trace of a window, its precision, plain mistakes."""

import io
import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.serving.results import in_window, lanes
from sim.study import played as played_module
from sim.study.capacity_question import load_capacity_question
from sim.views.capacity import CapacityRequest, PlayedFiles, show_capacity
from sim.views.played import read_window, write_played

SCENARIO = """\
id: asked
name: Asked
question: Which?
clusters:
  a: {system: hgx-h20-8, chips: 512, region: us, start: 2026-12-01}
  b: {system: hgx-h100-8, chips: 512, region: us, start: 2026-12-01}
jobs:
  - {id: talk, model: llama-3.1-70b, workload: chat}
"""


def show(folder, **files):
    (folder / "asked.yaml").write_text(SCENARIO)
    to = io.StringIO()
    question = load_capacity_question(Catalogue(here=folder), str(folder / "asked.yaml"), cluster="b")
    wanted = {"table": None, "trace": None, "window": None, "precision": None, **files}
    write_played(question, to, **wanted, command="parity capacity asked.yaml")
    return to.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(played_module, "USUAL", 6000)
        said = show(folder, table=folder / "requests.parquet", trace=folder / "window.json", window="10:20")
    return folder, said


def test_the_table_has_a_row_per_request(files):
    folder, said = files
    rows = pyarrow.parquet.read_table(folder / "requests.parquet").to_pandas()
    assert f"played {len(rows):,} requests" in said
    done = rows[rows.finish_s.notna()]
    assert len(done) > 0.5 * len(rows)
    assert np.all(rows.cached_tokens < rows.prompt_tokens)
    # By definition.
    np.testing.assert_allclose(done.ttft_s, done.first_token_s - done.arrival_s)
    np.testing.assert_allclose(done.e2e_s, done.finish_s - done.arrival_s)
    many = done[done.output_tokens > 1]
    np.testing.assert_allclose(many.e2e_s, many.ttft_s + many.tpot_s * (many.output_tokens - 1))


def test_the_trace_shows_who_was_there(files):
    folder, _ = files
    rows = pyarrow.parquet.read_table(folder / "requests.parquet").to_pandas()
    events = json.loads((folder / "window.json").read_text())["traceEvents"]
    slices = [each for each in events if each["ph"] == "X"]
    leaves = rows.finish_s.fillna(np.inf)
    there = rows[(rows.arrival_s < 20) & (leaves > 10)]
    assert {each["args"]["request"] for each in slices} == set(there.request)
    assert all(10e6 <= each["ts"] <= each["ts"] + each["dur"] <= 20e6 + 1 for each in slices)
    ends: dict[int, float] = {}
    for each in sorted(slices, key=lambda each: each["ts"]):
        assert each["ts"] >= ends.get(each["tid"], 0.0) - 1e-3  # nothing overlaps on a lane
        ends[each["tid"]] = each["ts"] + each["dur"]
    count = [each for each in events if each["ph"] == "C" and each["name"] == "requests"]
    middle = [each["args"]["value"] for each in count if each["ts"] <= 15e6][-1]
    assert middle == np.sum((rows.arrival_s <= 15) & (leaves > 15))


def test_files_come_with_the_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(played_module, "USUAL", 2000)
    (tmp_path / "asked.yaml").write_text(SCENARIO)
    to = io.StringIO()
    request = CapacityRequest(str(tmp_path / "asked.yaml"), cluster="b", draws=4)
    show_capacity(Catalogue(here=tmp_path), request, to, played=PlayedFiles(table=tmp_path / "r.csv"))
    assert "# throughput against latency" in to.getvalue()
    assert to.getvalue().endswith(f"wrote {tmp_path / 'r.csv'}\n")


def test_csv_and_a_precision_that_is_not_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(played_module, "LONGEST", 3000)
    said = show(tmp_path, table=tmp_path / "r.csv", precision=0.001)
    assert "the precision of 0.1% that was asked for was not reached" in said
    assert pyarrow.csv.read_csv(tmp_path / "r.csv").num_rows >= 3000


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"table": "r.xlsx"}, "--requests-table: read r.xlsx, where .parquet or .csv is expected"),
        ({"window": "1:2"}, "--window needs --trace"),
        ({"trace": "t.json", "window": "late"}, '--window: read "late", where two times'),
        ({"precision": 2.0}, "--precision: read 2, where a share"),
        ({"trace": "t.json", "window": "9000000:9000001"}, "0 requests between 9e+06"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, files, words):
    monkeypatch.setattr(played_module, "USUAL", 2000)
    paths = {k: tmp_path / v if k in ("table", "trace") else v for k, v in files.items()}
    if "table" in files:
        words = words.replace("r.xlsx", str(tmp_path / "r.xlsx"))
    with pytest.raises(InputError) as caught:
        show(tmp_path, **paths)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_windows():
    assert read_window("100:160") == (100.0, 160.0)
    assert read_window(" 1.5s : 2s ") == (1.5, 2.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), min_size=1, max_size=60))
def test_no_lane_holds_two_at_once_and_none_is_wasted(stays):
    starts = np.sort(np.array([start for start, _ in stays]))
    ends = starts + np.array([length for _, length in stays])
    chosen = lanes(starts, ends)
    for lane in set(chosen.tolist()):
        mine = np.flatnonzero(chosen == lane)
        assert np.all(starts[mine][1:] >= ends[mine][:-1])
    busiest = max(int(np.sum((starts <= moment) & (ends > moment))) for moment in starts)
    assert chosen.max() + 1 == busiest


def test_a_window_holds_who_was_there_at_any_time():
    columns = {"arrival_s": np.array([0.0, 5.0, 1.0]), "finish_s": np.array([2.0, 9.0, np.nan])}
    found = in_window(columns, 2.5, 6.0)
    assert found["arrival_s"].tolist() == [1.0, 5.0]
