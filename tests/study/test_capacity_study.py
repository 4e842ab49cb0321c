"""Capacity of a fleet: sizing by hand, events against closed form, files, plain mistakes."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.resolve import MEDIAN
from sim.serving.sustained import sustained_load
from sim.study.capacity_question import load_capacity_question
from sim.study.capacity_study import fleet_for, study_capacity, whole_units
from sim.study.serving import plan_serving, run_serving
from sim.views.capacity import CapacityRequest, capacity_files, capacity_record, show_capacity

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


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capacity")
    (folder / "asked.yaml").write_text(SCENARIO)
    return Catalogue(here=folder), str(folder / "asked.yaml")


@pytest.fixture(scope="module")
def study(asked):
    catalogue, scenario = asked
    question = load_capacity_question(catalogue, scenario, cluster="b", demand="8.64e9 token/day", draws=8)
    return study_capacity(catalogue, question, "parity capacity asked.yaml")


def unit(keeps):
    return SimpleNamespace(keeps=lambda ttft_s, tpot_s: keeps)


@pytest.mark.parametrize("edge", [0.3, 0.77, 1.2])
def test_bisection_finds_the_edge(edge):
    """Seven halvings of 0.25..1.5 leave 1.25 / 128."""
    found = sustained_load(lambda load: unit(load <= edge), 1.0, 1.0)
    assert edge - 1.25 / 128 <= found.load <= edge
    assert not found.at_limit
    assert len(found.runs) == 9


@pytest.mark.parametrize(("edge", "load", "at_limit"), [(0.1, 0.0, False), (9.0, 1.5, True)])
def test_bisection_says_when_the_edge_is_outside(edge, load, at_limit):
    found = sustained_load(lambda load: unit(load <= edge), 1.0, 1.0)
    assert (found.load, found.at_limit) == (load, at_limit)


def test_a_demand_is_met_by_so_many_chips(study):
    """A day has 86,400 s: 8.64e9 tokens a day are 1e5 a second, prompts and answers. On the average day chips serve 0.65
    of what they can at the peak (`utilisation` of chat), so they need to be able to serve 1e5 / 0.65."""
    runs = run_serving(plan_serving(study.question.side, study.question.task), MEDIAN)
    chips, tokens = fleet_for(study.question, runs)
    assert chips[
        0
    ] * study.at_median.median_requests_per_s * study.needed.tokens_per_request == pytest.approx(1e5 / 0.65)
    assert tokens[0] == pytest.approx(1e5)
    assert study.needed.tokens_per_day.p50 == pytest.approx(8.64e9)
    count = whole_units(study)
    assert count is not None
    assert 8 * (count - 1) < study.needed.chips.p50 <= 8 * count


def test_without_a_demand_the_cluster_is_what_there_is(asked):
    catalogue, scenario = asked
    question = load_capacity_question(catalogue, scenario, cluster="b", draws=4)
    found = study_capacity(catalogue, question)
    assert found.needed.chips.p50 == 512
    assert whole_units(found) == 64
    assert found.needed.tokens_per_day.p50 > 0


def test_the_chosen_unit_is_the_best_and_the_events_come_near(study):
    for phase in ("prefill", "decode"):
        rates = [each.requests_per_s for each in study.at_median.units if each.phase == phase]
        assert rates == sorted(rates, reverse=True)
        assert len(rates) == len(set(rates)) > 1
    assert study.played.events is not None
    assert 0.7 < study.played.events.load < 1.5
    names = [name.split(",")[0] for name, _, _ in study.played.checks]
    assert names == ["time per output token", "time to first token", "output tokens per second of the unit"]
    # Both pools handle the same requests: 1 / x = 1 / x_prefill + 1 / x_decode.
    best = {each.phase: each.requests_per_s for each in reversed(study.at_median.units)}
    assert study.at_median.median_requests_per_s == pytest.approx(
        1 / (1 / best["prefill"] + 1 / best["decode"]), rel=0.03
    )


def test_files_and_record(study):
    files = capacity_files(study)
    names = {"capacity.json", "capacity.csv", "frontier.csv", "frontier.png", "frontier.svg"}
    assert set(files) == names
    record = json.loads(files["capacity.json"])
    assert record["question"]["job"] == "talk"
    assert record["purchase_units"] == whole_units(study)
    assert len(files["frontier.csv"].decode().splitlines()) == len(study.at_median.frontier) + 1
    assert capacity_record(study)["identity"]["command"] == "parity capacity asked.yaml"
    assert files["frontier.png"].startswith(b"\x89PNG")


def test_tables_and_the_command(asked):
    catalogue, scenario = asked
    request = CapacityRequest(scenario, cluster="b", demand="1e9 token/day", draws=4)
    assert request.command.endswith("--cluster b --demand '1e9 token/day' --draws 4")
    text = io.StringIO()
    show_capacity(catalogue, request, text)
    for words in (
        "highest load that keeps the promise",
        "what the demand needs",
        "of the best",
        "amortised",
        "gap",
    ):
        assert words in text.getvalue()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"job": "tlk"}, 'no serving job "tlk"; did you mean "talk"?'),
        ({"cluster": "c"}, '--cluster: read "c", where a or b is expected'),
        ({"demand": "140e12"}, "--demand: 140e12 needs a unit"),
        ({"demand": "0 token/s"}, "more than nothing"),
        ({"demand": "5 GB/s"}, "--demand: "),
    ],
)
def test_mistakes_are_one_plain_line(asked, options, words):
    catalogue, scenario = asked
    with pytest.raises(InputError) as caught:
        load_capacity_question(catalogue, scenario, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_promise_nobody_can_keep_is_said(tmp_path):
    (tmp_path / "asked.yaml").write_text(SCENARIO.replace("workload: chat", "workload: hasty"))
    (tmp_path / "hasty.yaml").write_text(
        "id: hasty\nkind_of_job: serving\nname: Hasty\nextends: chat\ntargets: {tpot: 0.1 ms}\n"
    )
    (tmp_path / "workloads").mkdir()
    (tmp_path / "hasty.yaml").rename(tmp_path / "workloads" / "hasty.yaml")
    text = io.StringIO()
    show_capacity(
        Catalogue(here=tmp_path),
        CapacityRequest(str(tmp_path / "asked.yaml"), draws=2),
        text,
        out=tmp_path / "out",
    )
    assert "serves nothing" in text.getvalue()
    assert not (tmp_path / "out" / "frontier.png").exists()
    assert json.loads((tmp_path / "out" / "capacity.json").read_text())["events"] is None


def test_limits_and_use_are_shares(study):
    """Parts of a step add up to it; nothing is used beyond its peak; later percentiles are not shorter."""
    for phase in ("prefill", "decode"):
        assert sum(study.served.bounds[phase].values()) == pytest.approx(1.0, abs=0.02)  # medians of parts
        assert all(0 <= share <= 1 for share in study.served.utilisation[phase].values())
    assert set(study.played.latency) == {"ttft_s", "tpot_s", "e2e_s"}
    for points in study.played.latency.values():
        assert points["50"] <= points["90"] <= points["99"]
    assert study.played.latency["e2e_s"]["50"] > study.played.latency["ttft_s"]["50"]


def test_parts_of_the_price_add_up(study):
    """A million output tokens and the prompts that belong to them: output alone, plus computed prompt tokens. Chat has
    prompts of 1,500 x exp(0.72) tokens cut at 126,000, of which 45 % are computed, so more than two per output token."""
    traffic = study.question.task.workload
    assert traffic.prefix_hit.median == pytest.approx(0.55)
    runs = run_serving(plan_serving(study.question.side, study.question.task), MEDIAN)
    per_output = float(runs.capacity.input_tokens_per_s[0] / runs.capacity.output_tokens_per_s[0])
    whole, decode, prompt = (
        sum(float(np.ravel(usd)[0]) for usd in cost()["amortised"].values())
        for cost in (runs.output_cost, runs.decode_cost, runs.input_cost)
    )
    assert whole == pytest.approx(decode + per_output * prompt)
    energy = float(runs.prompt_energy_j_per_million[0]) * per_output
    assert 0 < energy < float(runs.energy_j_per_million[0])
