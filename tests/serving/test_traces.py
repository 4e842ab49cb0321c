"""Trace formats beyond Azure and Mooncake, and agent sessions."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from sim.serving.replay import replayed, trace_traffic
from sim.serving.sessions import AgentHabits, draw_sessions, sessions_of
from sim.serving.traces import load_trace, read_trace
from sim.serving.traffic import LengthDistribution, TraceError, poisson_arrivals

BURST = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n"
    "45,GPT-4,1087,230,1317,API log\n"
    "118,ChatGPT,417,0,417,API log\n"
    "120.5,ChatGPT,300,276,576,API log\n"
)
SESSIONS = (
    "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
    "0,100,0,0,2000,200,300\n"
    "0,100,1,2200,400,100,150\n"
    "0,100,2,2700,800,50,0\n"
    "1,250,0,0,900,100,10\n"
    "1,250,1,1000,500,30,0\n"
)


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def as_jsonl(table):
    keys, *rows = (line.split(",") for line in table.splitlines())
    return "".join(json.dumps(dict(zip(keys, map(int, row), strict=True))) + "\n" for row in rows)


def test_burstgpt_rows_in_seconds_without_failures(tmp_path):
    asked = read_trace(written(tmp_path, "b.csv", BURST))
    assert asked.arrival_s.tolist() == [0.0, 40.0, 115.5]
    assert asked.prompt.tolist() == [472, 1087, 300]
    assert asked.output.tolist() == [18, 230, 276]


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl"])
def test_rounds_follow_each_other(tmp_path, name):
    """Session 0 starts at 0 s, pauses 0.3 and 0.15 s; session 1 starts 0.15 s later and pauses 0.01 s. In order of time:
    0/0 at 0, 1/0 at 0.15, 1/1 at 0.16, 0/1 at 0.3, 0/2 at 0.45."""
    text = SESSIONS if name.endswith("csv") else as_jsonl(SESSIONS)
    trace = load_trace(written(tmp_path, name, text))
    sessions = sessions_of(trace)
    assert sessions is not None
    assert trace.requests.arrival_s.tolist() == pytest.approx([0.0, 0.15, 0.16, 0.3, 0.45])
    assert trace.requests.prompt.tolist() == [2000, 900, 1500, 2600, 3500]
    assert trace.requests.cached.tolist() == [0, 0, 1000, 2200, 2700]
    assert sessions.follows.tolist() == [-1, -1, 1, 0, 3]
    assert sessions.wait_s.tolist() == pytest.approx([0.0, 0.0, 0.01, 0.3, 0.15])
    assert trace_traffic(trace).prefix_hit == pytest.approx(5900 / 10500)
    again = replayed(trace, 10.0, 10, 0.0, np.random.default_rng(0))  # the trace has the say on reuse
    assert set(zip(again.prompt.tolist(), again.cached.tolist(), strict=True)) >= {(2600, 2200), (900, 0)}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", BURST.replace("45,GPT-4", "soon,GPT-4"), "a.csv:3: Timestamp is 'soon'"),
        ("b.csv", BURST.replace("Request tokens", "Tokens"), "b.csv:1: column Request tokens is missing"),
        ("c.csv", BURST.replace("1087", "-1"), "c.csv:3: lengths are -1 and 230"),
        ("d.csv", SESSIONS.replace("0,100,1,2200", "0,100,one,2200"), "d.csv:3: not a round of a session"),
        (
            "e.csv",
            SESSIONS.replace(",tool_wait_after_ms", ""),
            "e.csv:1: column tool_wait_after_ms is missing",
        ),
        ("f.csv", SESSIONS.replace("50,0\n", "50,-3\n"), "f.csv:4: arrival_time 100, tool_wait_after_ms -3"),
        ("g.jsonl", '{"session_id": 1, "arrival_time": 3}\n', "g.jsonl:1: round_idx is missing"),
        ("h.jsonl", as_jsonl(SESSIONS) + '{"timestamp": 1}\n', "h.jsonl:6: session_id is missing"),
        ("i.csv", SESSIONS.splitlines()[0] + "\n", "i.csv: no requests"),
    ],
)
def test_a_broken_trace_says_where(tmp_path, name, text, words):
    with pytest.raises(TraceError) as caught:
        load_trace(written(tmp_path, name, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def habits(rounds=20, window=10**6, sigma=0.5):
    return AgentHabits(
        LengthDistribution(rounds, sigma, 400),
        LengthDistribution(20_000, sigma, 60_000),
        LengthDistribution(800, sigma, 20_000),
        LengthDistribution(300, sigma, 4_000),
        2.0,
        window,
    )


def test_drawn_sessions_grow_by_what_was_asked_and_answered():
    rng = np.random.default_rng(1)
    found = draw_sessions(habits(), poisson_arrivals(0.1, 200, rng), rng)
    asked, before = found.requests, found.follows
    later = before >= 0
    assert np.all(np.diff(asked.arrival_s) >= 0)
    assert np.all(before[later] < np.flatnonzero(later))
    # All that stood in the context before is cached: the prompt before and its answer.
    assert np.array_equal(asked.cached[later], asked.prompt[before[later]] + asked.output[before[later]])
    assert np.all(asked.cached[~later] == 0)
    gap = asked.arrival_s[later] - asked.arrival_s[before[later]]
    assert gap == pytest.approx(found.wait_s[later], abs=1e-6)
    assert found.wait_s[later].mean() == pytest.approx(2.0, rel=0.1)
    assert 0.8 < found.prefix_hit < 1.0


def test_a_window_is_never_exceeded_and_compaction_costs_reuse():
    rng = np.random.default_rng(2)
    found = draw_sessions(habits(rounds=60, window=30_000), poisson_arrivals(1.0, 50, rng), rng)
    assert found.requests.prompt.max() <= 30_000
    assert np.all(found.requests.cached < found.requests.prompt)
    free = draw_sessions(habits(rounds=60), poisson_arrivals(1.0, 50, rng), rng)
    assert found.prefix_hit < free.prefix_hit


def test_sessions_at_a_rate_keep_their_own_clock():
    rng = np.random.default_rng(3)
    drawn = draw_sessions(habits(), poisson_arrivals(1.0, 300, rng), rng)
    faster = drawn.at_rate(100.0)
    first = faster.follows < 0
    rounds = len(drawn) / 300
    starts = faster.requests.arrival_s[first]
    assert 299 / (starts.max() - starts.min()) * rounds == pytest.approx(100.0)
    assert sorted(faster.wait_s.tolist()) == sorted(drawn.wait_s.tolist())


@pytest.mark.skipif(
    not (Path(os.environ.get("CHIP_PARITY_SHARED", "/nonexistent")) / "data" / "traces").is_dir(),
    reason="the public traces are not here (CHIP_PARITY_SHARED)",
)
def test_example_sessions_have_their_stated_reuse():
    """48 sessions, 303 rounds, planned prefix hit 81.7 % (README of the example)."""
    folder = Path(os.environ["CHIP_PARITY_SHARED"]) / "data" / "traces"
    trace = load_trace(folder / "tracelab_agent_sessions_example.csv")
    sessions = sessions_of(trace)
    assert sessions is not None
    assert len(sessions) == 303
    assert int(np.sum(sessions.follows < 0)) == 48
    assert sessions.prefix_hit == pytest.approx(0.817, abs=0.001)
