"""What every command says first: the answer, how it was obtained, and how well its interval is known."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sim import cli
from sim.profiles.scenario import LEAST_DRAWS
from sim.study.convergence import ends_error
from sim.views.obtained import enough, finer, obtained
from sim.views.sweep import earlier_sweep

SCENARIO = """\
id: small
name: A small question
question: How many H800 do the work of 16 H100?
clusters:
  a: {label: H100, system: hgx-h100-8, chips: 16, region: us}
  b: {label: H800, system: hgx-h800-8, chips: 16, region: china-imported}
jobs: [{id: chat, label: Chat, model: llama-3.1-8b, workload: chat}]
uncertainty: {draws: 128, seed: 5}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.app, words)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "small.yaml"),
        ("capacity", "small.yaml"),
        ("cost", "small.yaml"),
        ("equal", "small.yaml"),
        ("mix", "small.yaml"),
        ("sweep", "small.yaml"),
        ("compare", "small.yaml", "--set", "clusters.a.chips=8"),
        ("curve", "small.yaml", "--along", "chips/h100-sxm#price"),
        ("chip-hour", "--system", "hgx-h100-8", "--region", "us"),
    ],
)
def test_no_command_reads_an_interval_off_a_few_draws(home: Path, words: tuple[str, ...]) -> None:
    """Of 20 draws one lies beyond either end of a 90 % interval; of fewer none need to."""
    shown = typed(*words, "--draws", str(LEAST_DRAWS - 1))
    assert shown.exit_code == 2
    assert shown.stderr.strip() == (
        "--draws: 19 worlds are too few to read a 90 % interval from, of which 5 % lie beyond either end; draw 20 or more"
    )
    assert shown.stdout == ""


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("cost", "small.yaml"), "Chat: a million output tokens, prompts included, cost "),
        (("equal", "small.yaml"), "16 H100 do the work of "),
        (
            ("chip-hour", "--system", "hgx-h100-8", "--region", "us", "--draws", "128", "--seed", "5"),
            "An hour of ",
        ),
    ],
)
def test_the_answer_comes_first_then_how_it_was_obtained(
    home: Path, words: tuple[str, ...], answer: str
) -> None:
    lines = typed(*words).stdout.splitlines()
    assert lines[0].startswith(answer)
    (how,) = [line for line in lines if line.startswith("Closed form, 128 draws, seed 5")]
    assert "Monte Carlo error of the ends of the 90 % intervals: up to " in how
    assert lines.index(how) < lines.index("")


def test_the_cheaper_cluster_is_named_with_the_share_of_draws(home: Path) -> None:
    """Counted again from the two costs of each world."""
    from sim.profiles.catalogue import Catalogue
    from sim.study.question import load_question
    from sim.study.serving import plan_serving, run_serving

    question = load_question(Catalogue(here=home), home / "small.yaml")
    world = question.drawn(128, 5)
    a, b = (
        sum(
            np.asarray(usd)
            for usd in run_serving(plan_serving(side, question.tasks[0]), world)
            .output_cost()["amortised"]
            .values()
        )
        for side in question.sides
    )
    shares = {"H100": np.mean(a < b), "H800": np.mean(b < a)}
    name = max(shares, key=lambda key: shares[key])
    said = typed("cost", "small.yaml", "--draws", "128").stdout.splitlines()[0]
    assert f": {name} is cheaper in " in said
    share = float(said.split("is cheaper in ")[1].split(" %")[0]) / 100
    assert share == pytest.approx(shares[name], abs=0.005)


def test_more_draws_are_suggested_where_the_error_is_large() -> None:
    """An error of 8 % is four times the 2 % wanted, so sixteen times the draws: 256 x 16 = 4,096."""
    assert enough(256, 0.08) == 4096
    assert obtained(256, 1, 0.08).endswith("up to 8.0 % of the median; --draws 4096 brings it to about 2 %.")
    assert finer(256, 0.08, "--precision 0.02") == "--precision 0.02 brings it to about 2 %"
    assert obtained(256, 1, 0.019).endswith("up to 1.9 % of the median.")
    assert "prices as of 2025" in obtained(256, 1, 0.019, "2025")


def test_what_cannot_be_told_is_not_told() -> None:
    assert "can be told from 120 draws on" in obtained(64, 1, math.nan)
    assert "not settled" in obtained(256, 1, math.inf)
    assert "too few to read a 90 % interval from" in obtained(8, 1, math.nan)


def test_the_worst_headline_counts() -> None:
    calm, wild = np.linspace(1.0, 1.001, 800), np.random.default_rng(1).lognormal(0.0, 1.0, 800)
    assert ends_error([calm, wild]) == ends_error([wild]) > ends_error([calm]) > 0
    assert ends_error([np.full(256, np.inf)]) == 0.0  # certain that there is no limit
    assert math.isnan(ends_error([wild[:64]]))
    assert math.isnan(ends_error([np.full(256, np.nan)]))


def test_a_sweep_keeps_the_tables_of_another_one(home: Path) -> None:
    words = ("sweep", "small.yaml", "--draws", "20", "--vary")
    assert typed(*words, "clusters.a.chips=16").exit_code == 0
    tables = home / "reports" / "small-sweep"
    before = (tables / "results.csv").read_bytes()
    again = typed(*words, "clusters.a.chips=24")
    assert again.exit_code == 2
    assert "holds the tables of" in again.stderr
    assert "--vary clusters.a.chips=16 --draws 20" in again.stderr
    assert (tables / "results.csv").read_bytes() == before
    assert typed(*words, "clusters.a.chips=16").exit_code == 0
    forced = typed(*words, "clusters.a.chips=24", "--force")
    assert forced.exit_code == 0
    assert "replaced: " in forced.stdout
    assert (tables / "results.csv").read_bytes() != before


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    assert earlier_sweep(tmp_path, "parity sweep x") == ""
    (tmp_path / "sweep.json").write_text("{")
    assert "cannot be read" in earlier_sweep(tmp_path, "parity sweep x")
    (tmp_path / "sweep.json").write_text(json.dumps({"command": "parity sweep x"}))
    assert earlier_sweep(tmp_path, "parity sweep x") == ""
    (tmp_path / "sweep.json").unlink()
    (tmp_path / "run.json").write_text("{}")
    assert earlier_sweep(tmp_path, "parity sweep x") == "a run (run.json)"


def test_the_folder_of_a_kind_of_file_is_told(home: Path) -> None:
    """Regions stand in scenarios/economics."""
    for words in (("sweep", "small.yaml", "--vary"), ("compare", "small.yaml", "--set")):
        shown = typed(*words, "regions/us#electricity=0.05 USD/kWh")
        assert shown.exit_code == 2
        assert "did you mean economics/us#electricity?" in shown.stderr


def test_before_all_prices_there_is_no_count_by_money(home: Path) -> None:
    shown = typed("equal", "small.yaml", "--as-of", "2015", "--draws", "20").stdout
    assert "no limit" not in shown
    assert "no price of H100 and H800 was known by 2015" in shown
    assert "no market rent of both was known by 2015" in shown
