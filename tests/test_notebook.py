"""The functions for Python, and the notebook that shows them."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest

import sim
from sim.profiles.messages import InputError

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def test_every_cell_of_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    # Twice the chips serve at least twice as much: larger fleets wait less.
    counts = names["counts"]["p50"].to_list()
    assert counts[1] >= 1.99 * counts[0]
    assert counts[2] >= 1.99 * counts[1]


def test_a_question_compared_with_itself_does_not_differ() -> None:
    found = sim.compare("h20_vs_h800", "h20_vs_h800", draws=16)
    assert (found[found["quantity"] == "difference"]["value"] == 0).all()
    assert (found[found["quantity"] == "ratio"]["value"] == 1).all()


def test_costs_move_with_a_price_and_throughput_does_not() -> None:
    dear = sim.load("h20_vs_h800", {"chips/h20#price": "30000 USD"})
    found = sim.compare("h20_vs_h800", dear, draws=16)
    middle = found[(found["quantity"] == "difference") & (found["cluster"] == "a")]
    moved = middle.groupby("metric")["value"].apply(lambda each: bool((each != 0).any()))
    assert moved["cost_amortised"]
    assert not moved["throughput"]


def test_nothing_in_common() -> None:
    with pytest.raises(InputError, match="no job in common"):
        sim.compare("h20_vs_h800", "ascend_20k_vs_h100_12k", draws=2)


def test_no_other_name() -> None:
    with pytest.raises(AttributeError):
        sim.nothing  # noqa: B018


def test_results_are_tidy(tmp_path: Path) -> None:
    axes = {"jobs.chat.workload": ["chat", "reasoning"]}
    found = sim.sweep("h20_vs_h800", axes, draws=8, cache=tmp_path)
    assert isinstance(found, pd.DataFrame)
    assert not found.duplicated(["point", "job", "cluster", "metric", "statistic"]).any()
    assert found["unit"].notna().all()
