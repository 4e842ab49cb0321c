"""Money of a job: parts add up, break-evens are roots of the same cost, and published days come out."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sim.cli import app
from sim.economics.margin import TokenMix
from sim.economics.ownership import amortised, rental, total
from sim.profiles.catalogue import Catalogue
from sim.profiles.changes import Change
from sim.resolve import MEDIAN
from sim.study.money.answers import BreakEvenAnswer, ladder
from sim.study.money.question import Options, scenario_money
from sim.study.money.study import answer_money
from sim.study.money.tokens import (
    request_revenue,
    serving_break_evens,
    token_costs,
    training_per_million,
)
from sim.study.question import load_question
from sim.study.serving import plan_serving, run_serving
from sim.study.summary.statistics import interval, typical_parts
from sim.views.money import CostRequest, break_even_words, cost_csv, cost_json, money_question
from sim.views.output import plain

SCENARIO = "grey_b200_vs_910c"
CATALOGUE = Catalogue()


@pytest.fixture(scope="module")
def costs():
    question = load_question(CATALOGUE, SCENARIO)
    side, task = question.b, question.tasks[0]
    return token_costs(side, run_serving(plan_serving(side, task), MEDIAN), MEDIAN)


@pytest.fixture(scope="module")
def answer():
    question = scenario_money(CATALOGUE, SCENARIO, "agent-v4-pro", Options(draws=16, session_requests=84))
    return answer_money(CATALOGUE, question, "parity cost")


def test_tokens_pay_for_the_request(costs):
    # Computed prompt tokens and output tokens carry all of the cost: prefill and decode chips are all chips there are.
    for view, request in costs.request.items():
        parts = (
            costs.mix.missed * total(costs.miss[view]) + costs.mix.output * total(costs.output[view])
        ) / 1e6
        assert parts == pytest.approx(total(request), rel=1e-9)
        assert costs.mix.output * total(costs.all_in[view]) / 1e6 == pytest.approx(total(request), rel=1e-9)


def test_a_cached_token_costs_its_way_from_host_memory(costs):
    # DeepSeek-V3 holds 576 x 61 = 35,136 values per token [arXiv:2412.19437]; one byte each in FP8, two in BF16, and one
    # further layer for drafts at most; read over the host path of the B200 server.
    path = CATALOGUE.system("hgx-b200-8").host_bandwidth.value
    hour = float(np.ravel(total(costs.hour["amortised"]))[0])
    reading_s = float(np.ravel(total(costs.hit["amortised"]))[0]) / hour / 1e6
    assert 35_136 / path <= reading_s <= 2 * 62 * 576 / path
    assert total(costs.hit["amortised"]) < 0.05 * total(costs.miss["amortised"])


def test_break_evens_are_roots_of_the_cost(costs):
    runs, own = costs.runs, costs.runs.cluster.ownership
    target = 1.3 * total(costs.request["amortised"])
    found = serving_break_evens(costs, target)
    rate, load = runs.capacity.requests_per_s, runs.job.utilisation

    def request(owner, use):
        return total(amortised(owner, runs.cluster.power(runs.capacity.activity * use))) / (rate * use)

    assert request(replace(own, chip_usd=found.chip_usd), load) == pytest.approx(target)
    assert request(replace(own, electricity_usd_per_j=found.electricity_usd_per_j), load) == pytest.approx(
        target
    )
    assert request(replace(own, grey_premium=found.grey_premium), load) == pytest.approx(target)
    assert request(own, found.utilisation) == pytest.approx(target)
    assert found.utilisation < load
    assert found.chip_usd > own.chip_usd


def test_its_own_cost_is_where_everything_stands(costs):
    own = costs.runs.cluster.ownership
    found = serving_break_evens(costs, total(costs.request["amortised"]))
    assert found.chip_usd == pytest.approx(own.chip_usd)
    assert found.grey_premium == pytest.approx(own.grey_premium)
    assert found.utilisation == pytest.approx(costs.runs.job.utilisation)


def test_margin_of_the_published_day():
    # 87,072 USD of rent against 562,027 USD at the prices of R1: 0.0001 and 0.00065 USD on each of, say, 860 M requests;
    # the ratio is that of the day whatever their number.
    prices = CATALOGUE.price_list("deepseek-r1-2025-01")
    day = TokenMix(missed=np.array(266e9), hit=np.array(342e9), output=np.array(168e9))

    class Costs:
        mix = day

    earned = request_revenue(Costs(), prices)  # type: ignore[arg-type]
    rent = total(rental(2 / 3600)) * 226.75 * 8 * 86_400
    assert earned / rent - 1 == pytest.approx(5.45, abs=0.01)


def test_training_over_the_tokens_of_a_year(costs):
    # 5.576 M USD over a year of 168 G output tokens a day: 5.576e6 / (168e9 x 365) x 1e6 = 0.0909 USD per million.
    runs = costs.runs
    per_s = 168e9 / 86_400
    years = 365 * 86_400.0
    served = float(np.ravel(runs.tokens_per_s * runs.job.utilisation)[0])
    assert training_per_million(5.576e6 * served / per_s, costs, years) == pytest.approx(0.0909, abs=1e-4)


def test_blocks_of_every_ladder_add_up(answer):
    for side in answer.jobs[0].sides:
        first = side.ladders[0]
        for view, parts in first.blocks.items():
            assert sum(parts.values()) == pytest.approx(first.views[view].p50, rel=1e-9)
    grey = answer.jobs[0].sides[1].ladders[0]
    assert grey.blocks["amortised"]["premium"] > 0
    assert answer.jobs[0].sides[0].ladders[0].blocks["amortised"]["premium"] == 0


def test_a_session_is_its_requests(answer):
    for side in answer.jobs[0].sides:
        by_name = {each.what: each for each in side.ladders}
        request, session = by_name["a request"], by_name["a session of 84 requests"]
        assert session.views["amortised"].p50 == pytest.approx(84 * request.views["amortised"].p50)


def test_files_hold_what_the_tables_show(answer):
    record = json.loads(cost_json(answer))
    assert record["jobs"][0]["sides"][1]["margins"][0]["prices"] == "deepseek-v4-pro-2026-08"
    table = pd.read_csv(io.BytesIO(cost_csv(answer)))
    assert list(table) == ["job", "cluster", "label", "what", "metric", "unit", "block", "statistic", "value"]
    assert set(table["cluster"]) == {"a", "b"}
    request = answer.jobs[0].sides[1].ladders[4].views["amortised"]
    row = table.query("cluster == 'b' and metric == 'request_cost_amortised' and statistic == 'p50'")
    assert (row["unit"].item(), row["value"].item()) == ("USD/request", pytest.approx(request.p50))
    assert plain({"x": (1.0, float("inf"))}) == {"x": [1.0, None]}


def test_no_break_even_is_said_plainly():
    def words(values, share):
        found = interval(np.array(values))
        return break_even_words(
            BreakEvenAnswer(
                "utilisation", "1", "b", found, found, 0.0, 1.0, share, "not even a full fleet is enough"
            )
        )

    assert words([1.2, 1.5], 0.0) == "none within range"
    assert words([0.5, 0.5], 1.0) == "0.500"
    assert words([0.5] * 6 + [2.0] * 4, 0.6) == "0.500 (0.500 to above 1)"


def test_one_model_on_one_system_in_one_region():
    request = CostRequest(
        model="deepseek-v3",
        workload="chat",
        system="hgx-h800-8",
        region="china-2023",
        draws=8,
        as_of="2026-11",
    )
    question = money_question(CATALOGUE, request)
    found = answer_money(CATALOGUE, question, request.command)
    assert [side.chips for side in found.jobs[0].sides] == [1024]
    assert found.identity.as_of == "2026-11"
    assert "--as-of 2026-11" in request.command
    assert found.jobs[0].sides[0].margins[0].prices == "deepseek-v3-2025-02"


def test_ladder_of_an_unknown_cost_is_unknown():
    found = ladder("x", "USD", "cost", {"amortised": {"chip": np.array([np.nan, np.nan])}}, split=True)
    assert np.isnan(found.views["amortised"].p50)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=60))
def test_typical_parts_add_up_to_a_typical_gap(rows):
    parts = {"x": np.array([x for x, _ in rows]), "y": np.array([y for _, y in rows])}
    gaps = np.sort(parts["x"] + parts["y"])
    found = sum(typical_parts(parts, 1 / len(rows)).values())
    # One draw counts: the one nearest to the median gap.
    assert abs(found - np.median(gaps)) == pytest.approx(np.min(np.abs(gaps - np.median(gaps))), abs=1e-9)
    assert gaps[0] - 1e-9 <= sum(typical_parts(parts).values()) <= gaps[-1] + 1e-9


def test_worlds_without_an_answer_have_no_parts():
    parts = {"x": np.array([np.nan, 2.0, np.inf]), "y": np.array([1.0, 3.0, 1.0])}
    assert typical_parts(parts) == {"x": 2.0, "y": 3.0}
    assert np.isnan(typical_parts({"x": np.array([np.nan])})["x"])


def typed(*words: str):
    return CliRunner().invoke(app, words)


def test_hour_of_a_chip_from_the_command_line(tmp_path):
    words = ("chip-hour", "--system", "hgx-h800-8", "--region", "china-2023", "--under", "2", "--draws", "64")
    shown = typed(*words, "--out", str(tmp_path))
    assert shown.exit_code == 0
    assert "share under 2 USD" in shown.stdout
    record = json.loads((tmp_path / "hour.json").read_text())
    assert record["views"]["rental"]["p50"] == pytest.approx(2.0, rel=0.02)
    rows = (tmp_path / "hour.csv").read_text().splitlines()
    assert rows[0] == "draw,rental_usd_per_hour,acquisition_usd_per_hour,amortised_usd_per_hour"
    assert len(rows) == 65
    # The share below two dollars is that of the draws that are written down.
    below = np.mean([float(row.split(",")[3]) < 2.0 for row in rows[1:]])
    assert record["under"]["amortised"] == pytest.approx(below)


def test_cost_from_the_command_line_in_yuan(tmp_path):
    words = (
        "cost",
        SCENARIO,
        "--job",
        "chat-v3",
        "--draws",
        "20",
        "--currency",
        "CNY",
        "--as-of",
        "2026-11-22",
    )
    shown = typed(*words, "--out", str(tmp_path))
    assert shown.exit_code == 0
    assert "CNY per million output tokens" in shown.stdout
    assert "prices as of 2026-11-22" in shown.stdout
    record = json.loads((tmp_path / "cost.json").read_text())
    assert record["identity"]["as_of"] == "2026-11-22"
    assert "--currency CNY" in record["identity"]["command"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cost",), "parity cost needs a scenario, or --model, --workload, --system, --region"),
        (("cost", SCENARIO, "--model", "deepseek-v3"), "--model: the scenario says it already"),
        (("cost", SCENARIO, "--job", "chat-v2"), 'did you mean "chat-v3"'),
        (("cost", SCENARIO, "--price-list", "deepseek-r1"), 'did you mean "deepseek-r1-2025-01"'),
        (("cost", SCENARIO, "--currency", "EUR", "--draws", "20"), "--currency EUR: no series of it"),
        (("cost", SCENARIO, "--as-of", "tomorrow"), "--as-of: 'tomorrow' is not a date"),
        (
            ("chip-hour", "--system", "hgx-h800-8", "--region", "china", "--occupancy", "2"),
            "--occupancy: read 2",
        ),
        (
            ("chip-hour", "--system", "cloudmatrix-384", "--region", "china", "--as-of", "2025-06"),
            "the first is of 2026-04",
        ),
    ],
)
def test_mistakes_end_in_plain_lines(words, message):
    shown = typed(*words)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.filterwarnings("error")
def test_where_nothing_is_served_a_request_has_no_finite_price():
    # 6 ms a token is faster than a unit of H20 reads its weights in some worlds, not in all of them: those have no price,
    # and nobody is told of an invalid multiplication.
    files = Catalogue().with_changes([Change("workloads/chat#targets.tpot", "6 ms")])
    question = scenario_money(files, "h20_vs_h800", "chat", Options(draws=64, session_requests=3))
    side, task, world = question.sides[0], question.tasks[0], question.drawn()
    runs = run_serving(plan_serving(side, task), world)
    idle = np.asarray(runs.capacity.requests_per_s) == 0
    assert 0 < idle.sum() < idle.size
    costs = token_costs(side, runs, world)
    for blocks in costs.request.values():
        usd = np.broadcast_to(total(blocks), idle.shape)
        assert np.isinf(usd[idle]).all()
        assert np.isfinite(usd[~idle]).all()
    # A request is its computed prompt and its answer, each at what a million of them cost.
    parts = costs.mix.missed * total(costs.miss["rental"]) + costs.mix.output * total(costs.output["rental"])
    np.testing.assert_allclose(
        np.asarray(parts)[~idle] / 1e6, np.asarray(total(costs.request["rental"]))[~idle]
    )
