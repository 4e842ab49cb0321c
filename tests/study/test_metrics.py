"""One vocabulary of results for the tables of every command."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest

from sim.notebook import load
from sim.profiles.catalogue import Catalogue
from sim.resolve import MEDIAN
from sim.study.answer import prepare
from sim.study.capacity_question import load_capacity_question
from sim.study.capacity_study import CapacityStudy, study_capacity
from sim.study.equal_study import equal_answer
from sim.study.metrics import OF_A_RUN, UNITS, Metrics, metric, metrics
from sim.study.money.question import Options, scenario_money
from sim.study.money.study import answer_money
from sim.study.summary.tables import summary_table
from sim.views.capacity import capacity_csv
from sim.views.equal import _table
from sim.views.money import cost_csv

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
KEYS = ["cluster", "metric", "unit", "statistic"]
VIEWS = ("_rental", "_acquisition", "_amortised")


@pytest.fixture(scope="module")
def jobs() -> dict[str, Metrics]:
    question = load("h20_vs_h800").question
    found = {}
    for task in question.tasks:
        study = prepare(question, task)
        found[task.job.id] = metrics(question, study, study.answer(MEDIAN), 1)
    return found


def stem(name: str) -> str:
    return name.removesuffix(next((view for view in VIEWS if name.endswith(view)), ""))


def test_names_are_a_key_and_a_unit_everywhere(jobs: dict[str, Metrics]) -> None:
    for found in jobs.values():
        for key in found:
            name = "equal_count" if key.metric.startswith("equal_") else stem(key.metric)
            assert key.unit in {UNITS[name], OF_A_RUN.get(name)}, key
            assert key.cluster in {"a", "b", "a/b"}


def test_both_kinds_of_job_have_the_counts_and_the_costs(jobs: dict[str, Metrics]) -> None:
    for kind, days in (("train", {"equal_date"}), ("chat", set())):
        names = {key.metric for key in jobs[kind]}
        counts = {"equal_count", "equal_cost", "equal_power", "equal_energy", "speed_ratio", *days}
        assert counts <= names
        assert {"throughput", "power", "energy", "cost_amortised", "cost_rental", "cost_acquisition"} <= names


def test_a_metric_that_is_unknown_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        metric("a", "nonsense")


def test_the_page_names_every_metric_with_its_unit() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = {stem(name.replace("_VIEW", "_rental")) for name in re.findall(r"`([a-z_A-Z]+)`", text)}
    assert set(UNITS) <= named
    assert {unit for unit in (*UNITS.values(), *OF_A_RUN.values()) if unit not in text} <= {
        "USD/Mtoken input hit"  # said as "input miss, input hit, output" behind one USD/Mtoken
    }


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """The serving job of a scenario as two commands say it, in the same worlds."""
    files = Catalogue()
    money = answer_money(files, scenario_money(files, "h20_vs_h800", "chat", Options(draws=32)))
    question = load_capacity_question(files, "h20_vs_h800", "chat", "a", None, 32, None)
    study: CapacityStudy = study_capacity(files, question)
    return {
        "cost": pd.read_csv(io.BytesIO(cost_csv(money))).query("block == 'all'"),
        "capacity": pd.read_csv(io.BytesIO(capacity_csv(study))),
    }


def test_cost_and_capacity_join(tables: dict[str, pd.DataFrame]) -> None:
    both = tables["cost"].merge(tables["capacity"], on=["job", *KEYS])
    assert set(both["metric"].map(stem)) == {"cost", "input_cost", "hit_cost", "decode_cost"}
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], check_names=False)


def test_counts_join_with_the_results_of_a_run() -> None:
    question = load("h20_vs_h800").question
    found = equal_answer(question, metrics=("work", "cost", "energy"), jobs=("chat",), draws=32, seed=1)
    table = _table(found)
    task = next(each for each in question.tasks if each.job.id == "chat")
    study = prepare(question, task)
    results = metrics(question, study, study.answer(question.drawn(32, 1)), 32)
    long = summary_table(question, [("chat", results)]).query("statistic == 'p50'")
    both = table.merge(long, on=["scenario", "job", "cluster", "label", "metric", "unit"])
    assert list(both["metric"]) == ["equal_count", "equal_cost", "equal_energy"]
    pd.testing.assert_series_equal(both["p50"], both["value"], check_names=False)
