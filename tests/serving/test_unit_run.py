"""The closed form of a capacity against its own unit played request by request: two roads to the same number."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_capacity import CHAT, ENGINE
from test_iteration import H800, H800_NET, V3, serving

from sim.serving.capacity import serving_capacity
from sim.serving.job import Targets
from sim.serving.pattern import STEADY, Pattern
from sim.serving.sessions import AgentHabits, draw_sessions
from sim.serving.traffic import LengthDistribution, Trace, poisson_arrivals
from sim.serving.unit_run import play_unit


@cache
def highest(job):
    return serving_capacity(job, H800, H800_NET, 4096)


def closed_and_events(pools, load, traffic=CHAT, **options):
    engine = replace(ENGINE, drafts=1, accepted=1.75)
    job = replace(serving(V3, H800), traffic=traffic, targets=Targets(2.0, 0.06), engine=engine, pools=pools)
    capacity = highest(replace(job, traffic=replace(traffic, pattern=STEADY)))  # that at the peak of a swing
    unit = play_unit(job, H800, H800_NET, capacity, np.random.default_rng(0), load=load, **options)
    return unit, {name.split(",")[0]: (closed, events) for name, closed, events in unit.checks}


@pytest.mark.parametrize("pools", ["disaggregated", "aggregated"])
def test_events_confirm_the_closed_form(pools):
    unit, checks = closed_and_events(pools, 0.95)
    closed, events = checks["time per output token"]
    assert events == pytest.approx(closed, rel=0.15)
    closed, events = checks["output tokens per second of the unit"]
    assert events == pytest.approx(closed, rel=0.08)
    assert unit.verdict != "overloaded"
    if pools == "disaggregated":
        assert unit.run.plan.prefill.replicas >= 7  # eight, rounded to whole ones


def test_first_token_of_a_prefill_pool():
    """Away from the limit, where a queue has a steady state, the closed form errs on the long side: events 0.83 and 0.85
    of it with two seeds. They let prompts that wait share a pass, which a queue of single prompts cannot say."""
    _, checks = closed_and_events("disaggregated", 0.8)
    closed, events = checks["time to first token"]
    assert 0.75 * closed < events < closed


def test_first_token_of_aggregated_instances():
    """The closed form speaks of the highest load, where a finite run has no steady state: it lies above the events a
    little below that load, and within a third of those at it."""
    closed, below = closed_and_events("aggregated", 0.95)[1]["time to first token"]
    _, at_it = closed_and_events("aggregated", 1.0)[1]["time to first token"]
    assert below < closed
    assert at_it == pytest.approx(closed, rel=0.33)


def test_too_much_load_is_called_so():
    job = replace(serving(V3, H800), traffic=CHAT, targets=Targets(1.0, 0.06), engine=ENGINE)
    capacity = serving_capacity(job, H800, H800_NET, 4096)
    unit = play_unit(job, H800, H800_NET, capacity, np.random.default_rng(0), load=1.6)
    assert unit.verdict == "overloaded"


def test_nothing_to_play():
    job = replace(serving(V3, H800), traffic=CHAT, targets=Targets(1.0, 0.001), engine=ENGINE)
    capacity = serving_capacity(job, H800, H800_NET, 4096)
    with pytest.raises(ValueError, match="are promised"):
        play_unit(job, H800, H800_NET, capacity, np.random.default_rng(0))


@pytest.mark.parametrize(
    "pattern",
    [Pattern("diurnal", peak_over_mean=1.4, period_s=86400.0), Pattern("on-off", on_s=30.0, off_s=10.0)],
)
def test_a_swing_is_played_up_to_its_peak(pattern):
    """The load is that at the peak, so the mean over the run is mean / peak of it: 1 / 1.4 and 30 / 40."""
    unit, _ = closed_and_events("disaggregated", 0.9, replace(CHAT, pattern=pattern), most_requests=8000)
    steady, _ = closed_and_events("disaggregated", 0.9, most_requests=8000)
    rates = [len(run.requests) / run.requests.arrival_s[-1] for run in (unit.run, steady.run)]
    assert rates[0] / rates[1] == pytest.approx(pattern.mean_over_peak, rel=0.15)
    # A run of minutes sees a whole day: its busiest third has more requests than its quietest.
    if pattern.kind == "diurnal":
        thirds = np.histogram(unit.run.requests.arrival_s, 3)[0]
        assert thirds[1] / thirds[0] == pytest.approx((1 + 0.4 * 0.827) / (1 - 0.4 * 0.413), rel=0.1)


def test_sessions_of_a_trace_are_played_in_turns():
    """Rounds wait for the answers before them, and come at the rate of the unit all the same."""
    rng = np.random.default_rng(2)
    rounds, prompt = LengthDistribution(6, 0.5, 30), LengthDistribution(2000, 0.5, 9000)
    result, answer = LengthDistribution(300, 0.8, 2000), LengthDistribution(120, 0.8, 900)
    habits = AgentHabits(rounds, prompt, result, answer, 4.0, 16000)
    found = draw_sessions(habits, poisson_arrivals(1.0, 200, rng), rng)
    trace = Trace(found.requests, None, found.follows, found.wait_s)
    traffic = replace(
        CHAT, prompt=LengthDistribution(3000, 0.5, 16000), output=LengthDistribution(160, 0.8, 900)
    )
    unit, _ = closed_and_events("disaggregated", 0.5, traffic, trace=trace, most_requests=8000)
    run = unit.run
    assert unit.verdict == "stable"
    asked = run.requests
    sent = np.isfinite(asked.arrival_s)
    assert sent.mean() > 0.9
    # As many rounds come in the first third of the run as in the last.
    thirds = np.histogram(asked.arrival_s[sent], 3)[0]
    assert thirds[0] / thirds[2] == pytest.approx(1.0, abs=0.2)
