"""Every way to ask takes a date, and uses no later price; the numbers are the same whoever asks."""

import inspect
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import sim
from sim import cli
from sim.profiles.catalogue import Catalogue
from sim.study.sweep.grid import axis
from sim.study.sweep.run import plan_sweep

SCENARIO, DATE = "ascend_20k_vs_h100_12k", "2024-06"


def test_every_function_takes_it() -> None:
    for function in (sim.load, sim.run, sim.compare, sim.sweep):
        assert "as_of" in inspect.signature(function).parameters


@pytest.mark.parametrize(
    "command", ["run", "sweep", "compare", "capacity", "cost", "chip-hour", "equal", "mix", "curve"]
)
def test_every_command_takes_it(command: str) -> None:
    said = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert "--as-of" in said


def test_a_date_that_is_none_is_a_plain_line() -> None:
    for words in (("sweep", SCENARIO), ("compare", SCENARIO, "--set", "clusters.a.chips=8")):
        done = CliRunner().invoke(cli.app, [*words, "--as-of", "yesterday"])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert "yesterday" in done.stderr


def test_points_of_a_sweep_rest_on_the_prices_of_the_date() -> None:
    # The question of each point is that which `run --as-of` asks: same rents, same prices, same words for what is late.
    plan = plan_sweep(Catalogue(), SCENARIO, [axis("clusters.a.chips=10000,20000")], 64, 1, DATE)
    asked = sim.load(SCENARIO, as_of=DATE).question
    now = sim.load(SCENARIO).question
    for question in plan.questions:
        assert question.as_of == DATE
        assert repr(question.b) == repr(asked.b)  # an unknown number equals nothing, not even itself
        assert question.a.rent == asked.a.rent
    assert asked.b.rent != now.b.rent or asked.b.chip.price != now.b.chip.price
    later = plan_sweep(Catalogue(), SCENARIO, [axis("clusters.a.chips=10000,20000")], 64, 1)
    assert not {piece.key for piece in plan.pieces} & {piece.key for piece in later.pieces}


def test_a_question_that_is_loaded_can_be_put_on_another_date(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def compared(one: object, other: object, draws: int, seed: int) -> pd.DataFrame:
        seen.extend([one, other])
        return pd.DataFrame()

    monkeypatch.setattr("sim.notebook.compare_questions", compared)
    loaded = sim.load(SCENARIO, {"clusters.a.chips": 16384})
    sim.compare(SCENARIO, loaded, draws=32, as_of=DATE)
    assert [each.as_of for each in seen] == [DATE, DATE]  # type: ignore[attr-defined]
    assert seen[1].a.choice.chips == 16384  # type: ignore[attr-defined]


def test_run_is_asked_on_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    monkeypatch.setattr("sim.notebook.run_scenario", lambda *_, **rest: asked.update(rest))
    sim.run(SCENARIO, as_of=DATE)
    assert asked == {"as_of": DATE}


def test_the_command_of_a_sweep_says_the_date(tmp_path: Path) -> None:
    from sim.views.sweep import SweepRequest, _command

    request = SweepRequest(SCENARIO, (), draws=64, as_of=DATE)
    assert _command(request) == f"parity sweep {SCENARIO} --draws 64 --as-of {DATE}"
