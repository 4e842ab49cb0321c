"""A sweep gives the same results wherever and however often it runs, and whatever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sim import cli
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.answer import prepare
from sim.study.question import load_question
from sim.study.run import run_scenario
from sim.study.sweep import block as block_module
from sim.study.sweep.block import Piece, Refused, compute
from sim.study.sweep.cache import Cache
from sim.study.sweep.grid import axis
from sim.study.sweep.run import Plan, Progress, Results, plan_sweep, run_sweep
from sim.study.sweep.table import draws_table, failures_table, results_table
from sim.study.sweep.workers import workers
from sim.study.worlds import sobol_probabilities, world_at

CHIPS = "clusters.a.chips=16,24"


def plan(scenario: str, *vary: str, draws: int = 100) -> Plan:
    return plan_sweep(Catalogue(), scenario, [axis(text) for text in vary], draws, 1)


def swept(asked: Plan, folder: Path, processes: int = 1) -> list[Progress]:
    """Run, and give what was told on the way."""
    told: list[Progress] = []

    def tell(state: Progress) -> None:
        told.append(Progress(state.total, state.kept, state.done, state.refused))

    with workers(processes, None) as crew:
        assert run_sweep(asked, Cache(folder), crew, tell) == {}
    return told


def test_a_point_equals_the_question_asked_alone(scenario: str, tmp_path: Path) -> None:
    asked = plan(scenario, CHIPS, draws=64)
    swept(asked, tmp_path / "cache")
    table = draws_table(asked, Cache(tmp_path / "cache"), {})
    question = load_question(Catalogue(), scenario)
    rows = sobol_probabilities(64, len(question.inputs), 1)
    alone = prepare(question, question.tasks[1]).equal(world_at(question.inputs, rows))
    here = (table["point"] == 0) & (table["job"] == "train") & (table["metric"] == "equal_count")
    np.testing.assert_array_equal(table[here]["value"], alone)


def test_points_see_the_same_worlds(scenario: str, tmp_path: Path) -> None:
    """What A does is the same draw by draw, whether or not an input of B still varies."""
    found = []
    for vary in ([], ["chips/h800#memory.bandwidth=3.0 TB/s"]):
        asked = plan(scenario, *vary, draws=64)
        swept(asked, tmp_path)
        table = draws_table(asked, Cache(tmp_path), {})
        found.append(table[(table["metric"] == "throughput") & (table["job"] == "chat")])
    a, b = ([each[each["cluster"] == key]["value"].to_numpy() for each in found] for key in "ab")
    np.testing.assert_array_equal(*a)
    assert not np.array_equal(*b)


def test_more_draws_and_more_points_recompute_nothing(scenario: str, tmp_path: Path) -> None:
    swept(plan(scenario, "clusters.a.chips=16"), tmp_path)
    more = swept(plan(scenario, CHIPS, draws=200), tmp_path)[-1]
    # Two jobs, two points, three blocks each (64, 64, 128); two blocks of each job of the first point are there.
    assert (more.total, more.kept, more.done) == (12, 4, 8)
    assert swept(plan(scenario, CHIPS, draws=200), tmp_path)[-1].done == 0


def test_another_value_another_seed_other_results(scenario: str, tmp_path: Path) -> None:
    first = plan(scenario)
    keys = {work.block_key(0) for work in first.pieces}
    keys |= {work.block_key(0) for work in plan(scenario, "clusters.a.chips=24").pieces}
    keys |= {work.block_key(0) for work in plan_sweep(Catalogue(), scenario, [], 100, 2).pieces}
    assert len(keys) == 6


def die_once(work: Piece, blocks: Sequence[int]) -> Results:
    """Kills its worker the first time it gets the second job."""
    marker = Path(os.environ["PARITY_TEST_MARKER"])
    if work.job == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(work, blocks)


def die_always(work: Piece, blocks: Sequence[int]) -> Results:
    """Kills its worker whenever it gets the second job of the second point."""
    if work.job == 1 and work.question.a.choice.chips == 24:
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(work, blocks)


def test_a_dead_worker_loses_nothing(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_TEST_MARKER", str(tmp_path / "died"))
    asked = plan(scenario, CHIPS)
    with workers(2, None) as crew:
        assert run_sweep(asked, Cache(tmp_path / "two"), crew, work=die_once) == {}
    assert (tmp_path / "died").exists()
    swept(asked, tmp_path / "one")
    one, two = (results_table(asked, Cache(tmp_path / name), {}) for name in ("one", "two"))
    assert one.to_csv() == two.to_csv()


def test_a_poisoned_point_is_reported_and_skipped(scenario: str, tmp_path: Path) -> None:
    asked = plan(scenario, CHIPS)
    with workers(2, None) as crew:
        refused = run_sweep(asked, Cache(tmp_path), crew, work=die_always)
    assert failures_table(asked, refused).to_dict("records") == [
        {
            "point": 1,
            "clusters.a.chips": "24",
            "job": "train",
            "reason": "its worker died each time it was tried",
        }
    ]
    table = results_table(asked, Cache(tmp_path), refused)
    assert set(zip(table["point"], table["job"], strict=True)) == {(0, "chat"), (0, "train"), (1, "chat")}


def test_a_point_without_an_answer_does_not_end_the_sweep(scenario: str, tmp_path: Path) -> None:
    asked = plan(scenario, "jobs.chat.model=llama-3.1-8b,deepseek-v3", "jobs.train.model=deepseek-v3")
    with workers(1, None) as crew:
        refused = run_sweep(asked, Cache(tmp_path), crew)
    assert len(failures_table(asked, refused)) == 2  # V3 cannot be trained on 16 chips
    one = next(iter(refused.values()))
    assert "Train on 16 H100" in one.reason
    assert not one.trace  # no mistake of ours


def fail_once(work: Piece, blocks: Sequence[int]) -> Results:
    """A mistake of ours in the second job of the second point."""
    if work.job == 1 and work.question.a.choice.chips == 24:
        raise NameError("name 'nonsense' is not defined")
    return compute(work, blocks)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_mistake_of_ours_is_told_apart(scenario: str, tmp_path: Path, processes: int) -> None:
    asked = plan(scenario, CHIPS)
    with workers(processes, None) as crew:
        refused = run_sweep(asked, Cache(tmp_path), crew, work=fail_once)
    (one,) = refused.values()
    assert one.reason == "internal error, NameError: name 'nonsense' is not defined"
    assert "in fail_once" in one.trace
    assert "Traceback (most recent call last):" in one.trace
    table = results_table(asked, Cache(tmp_path), refused)
    assert set(zip(table["point"], table["job"], strict=True)) == {(0, "chat"), (0, "train"), (1, "chat")}


def test_a_mistake_in_one_block_keeps_the_others(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 100 draws are blocks of 64 and 64; the second one fails.
    seen = []

    def metrics(*given: object) -> object:
        seen.append(given)
        if len(seen) == 2:
            raise ZeroDivisionError("by hand")
        return real(*given)  # type: ignore[arg-type]

    real = block_module.metrics
    monkeypatch.setattr(block_module, "metrics", metrics)
    first, second = compute(plan(scenario).pieces[0], (0, 1))
    assert not isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert second.reason == "internal error, ZeroDivisionError: by hand"
    assert "in _block" in second.trace


def test_the_command_finishes_the_others_and_says_that_it_failed(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(work: Piece) -> object:
        if work.job == 1:
            raise NameError("name 'nonsense' is not defined")
        return real(work)

    real = block_module._prepared
    monkeypatch.setattr(block_module, "_prepared", prepared)
    words = ["sweep", scenario, "--draws", "32", "--cache", str(tmp_path / "c"), "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1
    assert "internal error, NameError: name 'nonsense' is not defined" in done.stdout
    assert "Traceback" not in done.output
    assert "in prepared" in (tmp_path / "o" / "errors.log").read_text()
    assert {row.split(",")[1] for row in (tmp_path / "o" / "results.csv").read_text().splitlines()[1:]} == {
        "chat"
    }
    assert "Traceback" in CliRunner().invoke(cli.app, [*words, "--debug"]).stderr


def test_killed_in_the_middle_and_run_again(scenario: str, tmp_path: Path) -> None:
    """The process and its workers get SIGKILL; the same command then gives the bytes of an undisturbed run."""

    def command(name: str) -> list[str]:
        words = ["sweep", scenario, "--vary", "clusters.a.chips=16,24", "--draws", "200", "--workers", "2"]
        folders = ["--cache", str(tmp_path / name / "cache"), "--out", str(tmp_path / name / "out")]
        return [sys.executable, "-m", "sim.cli", *words, *folders]

    started = subprocess.Popen(command("killed"), start_new_session=True, stdout=subprocess.DEVNULL)
    cache = tmp_path / "killed" / "cache"
    while started.poll() is None and len(list(cache.glob("*/*.parquet"))) < 3:
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert not (tmp_path / "killed" / "out").exists(), "it was over before it was killed"
    for name in ("killed", "whole"):
        subprocess.run(command(name), check=True, stdout=subprocess.DEVNULL)
    files = sorted((tmp_path / "whole" / "out").iterdir())
    assert len(files) == 5
    for file in files:
        assert file.read_bytes() == (tmp_path / "killed" / "out" / file.name).read_bytes(), file.name


def test_a_damaged_block_is_told_and_removed(scenario: str, tmp_path: Path) -> None:
    asked = plan(scenario)
    swept(asked, tmp_path)
    block = next(tmp_path.glob("*/*.parquet"))
    block.write_bytes(block.read_bytes()[:100])
    with pytest.raises(InputError, match="was damaged and is removed; run the same command again"):
        results_table(asked, Cache(tmp_path), {})
    assert swept(asked, tmp_path)[-1].done == 1


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("clusters.a.chips=16,x", "with clusters.a.chips=x: "),
        ("chips/b200#power.tdp=900 W", "uses no such file, so nothing would change"),
        ("clusters.c.chips=1", "with clusters.c.chips=1"),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(scenario: str, vary: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(scenario, vary)


def test_tables_of_a_sweep_are_those_of_a_run(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same keys, same units, same numbers: the tables of the two commands can be joined."""
    monkeypatch.setattr("sim.study.summary.sensitivity.SAMPLES", 8)
    monkeypatch.setattr("sim.study.events.REQUESTS", 3000)
    asked = plan(scenario, draws=32)
    swept(asked, tmp_path)
    keys = ["job", "cluster", "metric", "unit", "statistic"]
    one = results_table(asked, Cache(tmp_path), {}).set_index(keys)["value"]
    other = run_scenario(Catalogue(), scenario, 32, 1).summary.set_index(keys)["value"]
    pd.testing.assert_series_equal(one.sort_index(), other.sort_index())
