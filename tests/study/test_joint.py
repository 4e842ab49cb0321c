"""Correlated inputs and contested cases: laws of the copula, weights of cases, plain mistakes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.inputs import named_inputs
from sim.study.joint import Tie, tied
from sim.study.question import Question, load_question
from sim.study.worlds import sobol_probabilities

BASE = """\
id: joint
name: A question with inputs that move together
question: How many H800 do the work of 16 H100?
clusters:
  a: {label: H100, system: hgx-h100-8, chips: 16, region: us}
  b: {label: H800, system: hgx-h800-8, chips: 16, region: china-imported}
jobs: [{id: chat, label: Chat, model: llama-3.1-8b, workload: chat}]
uncertainty:
"""
BRANCHES = """\
  branches:
    - id: memory
      note: two readings of one data sheet
      cases:
        - {id: as-filed, weight: 0.7}
        - {id: slower, weight: 0.3, set: {"chips/h100-sxm#memory.bandwidth": 3.0 TB/s}}
"""
MEMORY = "chips/h100-sxm#memory.bandwidth"


def question(tmp_path: Path, text: str) -> Question:
    path = tmp_path / "joint.yaml"
    path.write_text(BASE + text, encoding="utf-8")
    return load_question(Catalogue(), path)


@settings(deadline=None, max_examples=10)
@given(st.floats(0.1, 0.99), st.sampled_from([1, -1]))
def test_tied_inputs_have_the_correlation_asked_for_and_stay_uniform(strength: float, sign: int) -> None:
    rows = sobol_probabilities(4096, 3, 1)
    found = tied(rows[:, :2], rows[:, 2:], [Tie((0, 1), (1, sign), strength)])
    # Spearman's correlation of a Gaussian copula: 6/pi asin(r/2), Nelsen (2006).
    expected = sign * 6 / np.pi * np.arcsin(strength / 2)
    assert stats.spearmanr(found[:, 0], found[:, 1]).statistic == pytest.approx(expected, abs=0.02)
    for column in found.T:
        assert stats.kstest(column, "uniform").statistic < 0.02


def test_others_are_left_alone() -> None:
    rows = sobol_probabilities(64, 4, 1)
    found = tied(rows[:, :3], rows[:, 3:], [Tie((0, 2), (1, 1), 0.5)])
    np.testing.assert_array_equal(found[:, 1], rows[:, 1])


def test_a_group_by_pattern_and_with_a_minus(tmp_path: Path) -> None:
    text = """\
  correlated:
    - {id: cost, inputs: ["systems/hgx-h100-8#price.*", "-economics/us#electricity"], strength: 0.8}
"""
    asked = question(tmp_path, text)
    (tie,) = asked.ties
    paths = {asked.inputs[column].path: sign for column, sign in zip(tie.columns, tie.signs, strict=True)}
    assert paths["economics/us#electricity"] == -1
    assert all(sign == 1 for path, sign in paths.items() if path.startswith("systems/"))
    assert len(paths) >= 3
    assert asked.dimensions == len(asked.inputs) + 1


def test_each_world_takes_one_case(tmp_path: Path) -> None:
    asked = question(tmp_path, BRANCHES)
    rows = asked.probabilities(sobol_probabilities(1024, asked.dimensions, 1))
    drawn = asked.world(rows).values[MEMORY]
    assert np.mean(drawn == 3.0e12) == pytest.approx(0.3, abs=2e-3)
    assert np.median(drawn) == 3.35e12  # of the data sheet


def test_the_middle_is_what_the_files_say(tmp_path: Path) -> None:
    asked = question(tmp_path, BRANCHES)
    middle = asked.world(np.full((1, len(asked.inputs)), 0.5))
    assert middle.values[MEMORY][0] == 3.35e12
    (named,) = [each for each in named_inputs(asked) if each.cases]
    assert (named.at(0.1), named.at(0.9)) == ("as-filed", "slower")
    assert named.name == "Which case holds: memory"


def test_a_case_may_bring_a_range(tmp_path: Path) -> None:
    text = BRANCHES.replace("3.0 TB/s", "{value: 3.0 TB/s, low: 2.8 TB/s, high: 3.2 TB/s}")
    asked = question(tmp_path, text)
    rows = asked.probabilities(sobol_probabilities(2048, asked.dimensions, 1))
    drawn = asked.world(rows).values[MEMORY]
    slower = drawn[drawn != 3.35e12]
    assert np.quantile(slower, [0.05, 0.95]) == pytest.approx([2.8e12, 3.2e12], rel=5e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            BRANCHES.replace("0.7", "0.6"),
            r"joint.yaml:\d+:\d+: .*weights of branch memory add up to 0.9; make it 1",
        ),
        (
            BRANCHES.replace("memory.bandwidth", "memory.bandwith"),
            "it is no number of this question; did you mean",
        ),
        (BRANCHES.replace("3.0 TB/s", "3.0 TB"), "memory.bandwidth"),
        (
            BRANCHES.replace("0.7", "0.2").replace("0.3", "0.8"),
            "half of the probability is reached in case slower",
        ),
        (
            '  correlated: [{id: x, inputs: ["chips/h100-sxm#prize", "a"], strength: 0.5}]\n',
            "no uncertain input",
        ),
        ('  correlated: [{id: x, inputs: ["a", "b"], strength: 2}]\n', "strength"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        question(tmp_path, text)
