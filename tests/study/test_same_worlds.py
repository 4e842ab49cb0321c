"""Every command draws the worlds of the scenario: the same numbers from run, capacity, cost, equal and sweep."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.profiles.catalogue import Catalogue
from sim.report.content import Interval, JobContent
from sim.study import capacity_study as capacity_module
from sim.study import run as run_module
from sim.study.capacity_question import load_capacity_question
from sim.study.capacity_study import study_capacity
from sim.study.equal_study import equal_answer
from sim.study.money.answers import SideAnswer
from sim.study.money.question import Options, scenario_money
from sim.study.money.study import JobMoney, answer_money
from sim.study.question import Question, load_question
from sim.study.run import ScenarioRun, run_scenario
from sim.study.summary import sensitivity as sensitivity_module
from sim.study.summary.sensitivity import Swings
from sim.study.summary.statistics import interval
from sim.study.sweep.block import piece
from sim.study.sweep.grid import axis
from sim.views.sweep import SweepRequest, sweep, wide

SCENARIO = """\
id: same
name: Inputs that move together, and two readings of a data sheet
question: How many H20 do the work of 64 H100?
clusters:
  a: {label: H100, system: hgx-h100-8, chips: 64, region: us}
  b: {label: H20, system: hgx-h20-8, chips: 64, region: china-imported}
jobs:
  - {id: train, label: Train, model: qwen3-30b-a3b, workload: pretrain-v3}
  - {id: chat, label: Chat, model: llama-3.1-8b, workload: chat}
uncertainty:
  draws: 24
  seed: 3
  event_draws: 0
  correlated:
    - {id: prices, inputs: ["chips/*#price", "systems/*#price.*", "-economics/us#electricity"], strength: 0.9}
  branches:
    - id: memory
      note: two readings of one data sheet
      cases:
        - {id: as-filed, weight: 0.7}
        - {id: slower, weight: 0.3, set: {"chips/h100-sxm#memory.bandwidth": 2.4 TB/s}}
"""
DRAWS, SEED = 24, 3
VIEWS = ("rental", "acquisition", "amortised")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same")
    (folder / "same.yaml").write_text(SCENARIO)
    return folder


def catalogue(home: Path) -> Catalogue:
    return Catalogue(here=home)


def unmoved(question: Question, _: object) -> Swings:
    count = len(question.inputs)
    return Swings(1.0, np.ones(count), np.ones(count))


@pytest.fixture(scope="module")
def ran(home: Path) -> Iterator[ScenarioRun]:
    """A run without what moves it and without its curves: the answers are those of a whole one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "_validation", lambda _: [])
        patch.setattr(run_module, "swings", unmoved)
        patch.setattr(run_module, "headline_curves", lambda *_: [])
        patch.setattr(sensitivity_module, "SAMPLES", 8)
        yield run_scenario(catalogue(home), home / "same.yaml", DRAWS, SEED)


def job(ran: ScenarioRun, id: str) -> JobContent:
    return next(each for each in ran.content.jobs if each.id == id)


@pytest.mark.parametrize("key", ["a", "b"])
def test_capacity_says_what_the_run_says(
    home: Path, ran: ScenarioRun, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = catalogue(home)
    question = load_capacity_question(files, str(home / "same.yaml"), "chat", key, draws=DRAWS, seed=SEED)
    monkeypatch.setattr(capacity_module, "_played", lambda *_: None)  # the closed form is what is compared
    found = study_capacity(files, question)
    side = getattr(job(ran, "chat"), key)
    chips = question.side.choice.chips
    assert Interval(*(chips * x for x in points(found.served.output_tokens_per_s))) == side.throughput
    assert {view: found.money.cost[view] for view in VIEWS} == {view: side.cost[view] for view in VIEWS}


def test_cost_says_what_the_run_says(home: Path, ran: ScenarioRun) -> None:
    files = catalogue(home)
    options = Options(draws=DRAWS, seed=SEED)
    whole = answer_money(files, scenario_money(files, home / "same.yaml", None, options))
    for each in whole.jobs:
        for side in each.sides:
            said = getattr(job(ran, each.id), side.key)
            assert side.ladders[0].views == {view: said.cost[view] for view in VIEWS}


@pytest.mark.parametrize("only", ["train", "chat"])
def test_a_job_alone_costs_what_it_costs_among_others(home: Path, only: str) -> None:
    files = catalogue(home)
    options = Options(draws=DRAWS, seed=SEED)
    one, all_ = (
        answer_money(files, scenario_money(files, home / "same.yaml", which, options)).jobs
        for which in (only, None)
    )
    assert ladder(one[0], "a") == ladder(next(each for each in all_ if each.id == only), "a")


def ladder(job: JobMoney, key: str) -> dict[str, Interval]:
    return next(side for side in job.sides if side.key == key).ladders[0].views


def test_equal_says_what_the_run_says(home: Path, ran: ScenarioRun) -> None:
    question = load_question(catalogue(home), home / "same.yaml")
    for each in equal_answer(question, ["work"], draws=DRAWS, seed=SEED).counts:
        assert each.count is not None
        assert interval(each.count) == job(ran, each.job).equal_count


def test_a_sweep_without_an_axis_says_what_the_run_says(home: Path, ran: ScenarioRun) -> None:
    request = SweepRequest(str(home / "same.yaml"), (), DRAWS, SEED, cache=home / "cache")
    table = counts(wide(sweep(catalogue(home), request).results))
    assert table == {each.id: each.equal_count for each in ran.content.jobs}


def test_a_point_of_a_sweep_is_the_scenario_with_that_value(home: Path) -> None:
    axes = (axis("clusters.a.chips=64,128"),)
    request = SweepRequest(str(home / "same.yaml"), axes, DRAWS, SEED, cache=home / "cache")
    table = wide(sweep(catalogue(home), request).results)
    twice = SCENARIO.replace("id: same", "id: twice").replace(
        "chips: 64, region: us", "chips: 128, region: us"
    )
    (home / "twice.yaml").write_text(twice)
    question = load_question(catalogue(home), home / "twice.yaml")
    answers = equal_answer(question, ["work"], draws=DRAWS, seed=SEED).counts
    assert counts(table[table["point"] == 1]) == {
        each.job: interval(each.count) for each in answers if each.count is not None
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [("2.4 TB/s", "2.0 TB/s"), ("strength: 0.9", "strength: 0.5"), ("weight: 0.7}", "weight: 0.8}")],
)
def test_a_changed_group_or_case_is_computed_anew(home: Path, before: str, after: str) -> None:
    """What a sweep keeps goes by everything the results follow from, groups and cases among it."""
    text = SCENARIO.replace(before, after)
    text = text.replace("weight: 0.3", "weight: 0.2") if "weight" in before else text
    keys = []
    for said in (SCENARIO, text):
        (home / "same.yaml").write_text(said)
        question = load_question(catalogue(home), home / "same.yaml")
        keys.append(piece(question, 1, [quantity.path for quantity in question.inputs], SEED).key)
    (home / "same.yaml").write_text(SCENARIO)
    assert keys[0] != keys[1]


def counts(table: pd.DataFrame) -> dict[str, Interval]:
    rows = table[table["metric"] == "equal_count"].to_dict("records")
    return {str(row["job"]): Interval(*(row[name] for name in Interval.__slots__)) for row in rows}


def points(found: Interval) -> list[float]:
    return [getattr(found, name) for name in Interval.__slots__]


@pytest.mark.parametrize("left_out", ["correlated", "branches"])
def test_groups_and_branches_move_every_answer(home: Path, left_out: str) -> None:
    """What a scenario ties together, or leaves open, shows in capacity and cost: they are not drawn without it."""
    lines = SCENARIO.splitlines(keepends=True)
    start = lines.index(f"  {left_out}:\n")
    rest = next(
        (i for i in range(start + 1, len(lines)) if lines[i].startswith("  ") and lines[i][2] != " "),
        len(lines),
    )
    (home / "plain.yaml").write_text("".join(lines[:start] + lines[rest:]).replace("id: same", "id: plain"))
    with_it, without = (side(home, name) for name in ("same.yaml", "plain.yaml"))
    assert with_it != without


def side(home: Path, name: str) -> SideAnswer:
    files = catalogue(home)
    money = scenario_money(files, home / name, "chat", Options(draws=DRAWS, seed=SEED))
    return answer_money(files, money).jobs[0].sides[0]


def test_a_case_comes_up_as_often_as_it_weighs(home: Path) -> None:
    question = load_question(catalogue(home), home / "same.yaml")
    slower = question.drawn(200, SEED).values["chips/h100-sxm#memory.bandwidth"] == 2.4e12
    assert np.mean(slower) == pytest.approx(0.3, abs=0.01)


def test_inputs_from_outside_leave_the_question_where_it_is(home: Path) -> None:
    question = load_question(catalogue(home), home / "same.yaml")
    other = load_question(catalogue(home), "h20_vs_h800")
    alone, together = question.drawn(32, SEED), question.drawn(32, SEED, other.inputs)
    for path, values in alone.values.items():
        np.testing.assert_array_equal(together.values[path], values)
    new = set(together.values) - set(alone.values)
    assert new
    # Drawn on dimensions of their own: no input repeats another.
    ranks = {tuple(np.argsort(np.asarray(together.values[path]))) for path in together.values}
    assert len(ranks) == len(together.values)
