"""Pools on two systems in closed form, and what is said of the parts of a fleet block that nobody plays."""

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.resolve import MEDIAN
from sim.study.capacity_question import load_capacity_question
from sim.study.serving import plan_serving, run_serving
from sim.study.two_chips import reading_side, two_chips, unplayed

SCENARIO = """\
id: asked
name: Asked
question: Which?
clusters:
  a: {system: hgx-h20-8, chips: 512, region: us, start: 2026-12-01}
  b: {system: hgx-h100-8, chips: 512, region: us, start: 2026-12-01}
jobs:
  - {id: talk, model: deepseek-v3, workload: talk}
"""


def asked(folder, fleet):
    workloads = folder / "workloads"
    workloads.mkdir(exist_ok=True)
    (workloads / "talk.yaml").write_text(
        f"id: talk\nkind_of_job: serving\nname: Talk\nextends: chat\n{fleet}"
    )
    (folder / "asked.yaml").write_text(SCENARIO)
    catalogue = Catalogue(here=folder)
    question = load_capacity_question(catalogue, str(folder / "asked.yaml"), cluster="a")
    return catalogue, question, run_serving(plan_serving(question.side, question.task), MEDIAN)


def test_the_same_system_twice_is_the_fleet_itself(tmp_path):
    """1 / x = 1 / x_read + 1 / x_write: s / (1 - s) readers for each writer, and the cost of the fleet."""
    catalogue, question, runs = asked(tmp_path, "fleet: {prefill_system: hgx-h20-8}\n")
    reader = reading_side(catalogue, question.side, question.task, None)
    found = two_chips(reader, question.side, question.task, runs, MEDIAN)
    share = runs.capacity.prefill_share[0]
    assert found.readers_per_writer.p50 == pytest.approx(share / (1 - share), rel=1e-3)
    for view, usd in found.cost.items():
        assert usd.p50 == pytest.approx(found.alone[view].p50, rel=1e-3)
    assert 1 / runs.capacity.requests_per_s[0] == pytest.approx(
        1 / runs.capacity.prefill_requests_per_s[0] + 1 / runs.capacity.decode_requests_per_s[0], rel=1e-3
    )


def test_a_chip_with_more_arithmetic_reads_for_one_with_more_bandwidth(tmp_path):
    """Six times the arithmetic: fewer chips read, and the writer's own rate stays."""
    catalogue, question, runs = asked(tmp_path, "fleet: {prefill_system: hgx-h100-8}\n")
    reader = reading_side(catalogue, question.side, question.task, None)
    found = two_chips(reader, question.side, question.task, runs, MEDIAN)
    share = runs.capacity.prefill_share[0]
    assert found.readers_per_writer.p50 < 0.5 * share / (1 - share)
    assert found.requests_per_s.p50 == pytest.approx(runs.capacity.decode_requests_per_s[0])
    assert np.isfinite(found.cost["amortised"].p50)


def test_what_is_not_played_is_said(tmp_path):
    fleet = "fleet: {prefill_system: hgx-h20-8, failures: {repair: 30 min}, units: 1}\n"
    _, question, _ = asked(tmp_path, fleet)
    traffic = question.task.workload
    assert unplayed(traffic).endswith("of the `fleet` block of talk: failures; `parity fleet` plays them.")
    assert "failures, prompts on another chip;" in unplayed(traffic, report=True)
    _, question, _ = asked(tmp_path, "")
    assert unplayed(question.task.workload) == ""
