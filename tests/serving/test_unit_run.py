"""The closed form of a capacity against its own unit played request by request: two roads to the same number."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_capacity import CHAT, ENGINE
from test_iteration import H800, H800_NET, V3, serving

from sim.serving.capacity import serving_capacity
from sim.serving.job import Targets
from sim.serving.unit_run import play_unit


def closed_and_events(pools, load):
    engine = replace(ENGINE, drafts=1, accepted=1.75)
    job = replace(serving(V3, H800), traffic=CHAT, targets=Targets(2.0, 0.06), engine=engine, pools=pools)
    capacity = serving_capacity(job, H800, H800_NET, 4096)
    unit = play_unit(job, H800, H800_NET, capacity, np.random.default_rng(0), load=load)
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
    """Away from the limit, where a queue has a steady state, the closed form errs on the long side: events 0.83 and 0.85 of it
    with two seeds. They let prompts that wait share a pass, which a queue of single prompts cannot say."""
    _, checks = closed_and_events("disaggregated", 0.8)
    closed, events = checks["time to first token"]
    assert 0.75 * closed < events < closed


def test_first_token_of_aggregated_instances():
    """The closed form speaks of the highest load, where a finite run has no steady state: it lies between the events a
    little below that load and those at it."""
    closed, below = closed_and_events("aggregated", 0.95)[1]["time to first token"]
    _, at_it = closed_and_events("aggregated", 1.0)[1]["time to first token"]
    assert below < closed < at_it


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
