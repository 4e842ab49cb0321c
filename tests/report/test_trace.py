"""Traces: valid events, no overlaps, nothing lost, the same bytes."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.report.content import ReportContent
from sim.report.trace import (
    Process,
    Slice,
    campaign_process,
    chrome_trace,
    pipeline_process,
    report_traces,
)

# Two ranks, two micro-batches, F = 1, B = 2 s, and an overlapped pair; times that binary fractions cannot hold.
BARS = [
    (0, 0.0, 0.1, "F"),
    (0, 0.1, 0.2, "F"),
    (0, 0.3, 0.6, "F&B"),
    (1, 0.1, 0.2, "F"),
    (1, 0.2, 0.3, "Bi"),
    (1, 0.3, 0.4, "W"),
]
WEEKS = [
    (0.0, "start", "1024 chips"),
    (1000.0, "failure", "server exchanged"),
    (1000.0, "wait", "no spare server"),
    (1600.0, "resume", "90 s of work left"),
    (2000.0, "slow", "a slow server holds up the others"),
    (3000.0, "planned", "400 s"),
    (3400.0, "resume", "10 s of work left"),
    (3500.0, "end", "1 stops"),
]


def events(trace: bytes, phase: str) -> list[dict[str, Any]]:
    return [event for event in json.loads(trace)["traceEvents"] if event["ph"] == phase]


def test_bars_become_complete_events_in_microseconds() -> None:
    trace = chrome_trace([pipeline_process("H800", BARS)], {"seed": 1})
    assert json.loads(trace)["otherData"] == {"seed": 1}
    pieces = events(trace, "X")
    assert pieces[2] == {
        "ph": "X", "name": "F&B", "cat": "forward&backward", "pid": 1, "tid": 0, "ts": 300000.0, "dur": 300000.0,
    }  # fmt: skip
    assert {piece["cat"] for piece in pieces[4:]} == {"backward", "weight gradient"}
    names = {(event["name"], event["tid"]): event["args"] for event in events(trace, "M")}
    assert names["process_name", 0] == {"name": "H800"}
    assert names["thread_name", 1] == {"name": "pipeline rank 1"}


def test_clusters_are_processes() -> None:
    trace = chrome_trace([pipeline_process("a", BARS), pipeline_process("b", BARS)], first_pid=3)
    assert {event["pid"] for event in events(trace, "X")} == {3, 4}


def test_neighbours_never_overlap_and_no_time_is_lost() -> None:
    ends = np.cumsum(np.random.default_rng(1).exponential(1e-4, 500))
    starts = np.concatenate([[0.0], ends[:-1]])
    slices = [Slice(0, float(s), float(e), "F", "forward") for s, e in zip(starts, ends, strict=True)]
    pieces = events(chrome_trace([Process("x", ["one"], slices)]), "X")
    times = [(round(1e3 * piece["ts"]), round(1e3 * (piece["ts"] + piece["dur"]))) for piece in pieces]
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(times))
    assert sum(piece["dur"] for piece in pieces) == pytest.approx(1e6 * ends[-1], abs=0.01)


def test_weeks_are_states_and_marks() -> None:
    trace = chrome_trace([campaign_process("H100", WEEKS)])
    states = [(piece["name"], piece["ts"] / 1e6, piece["dur"] / 1e6) for piece in events(trace, "X")]
    assert states == [
        ("training", 0.0, 1000.0),
        ("no spare server", 1000.0, 600.0),
        ("training", 1600.0, 1400.0),
        ("planned stop", 3000.0, 400.0),
        ("training", 3400.0, 100.0),
    ]
    marks = events(trace, "i")
    assert [(mark["ts"] / 1e6, mark["name"], mark["args"]["detail"]) for mark in marks] == WEEKS
    assert {mark["tid"] for mark in marks} == {1}


def test_nothing_gives_an_empty_trace() -> None:
    assert events(chrome_trace([pipeline_process("x", []), campaign_process("y", [])]), "X") == []


def test_a_report_brings_a_trace_per_training_job_and_cluster(small: ReportContent) -> None:
    jobs = [
        replace(job, a=replace(job.a, campaign=WEEKS), b=replace(job.b, campaign=WEEKS))
        if job.kind == "training"
        else job
        for job in small.jobs
    ]
    files = report_traces(replace(small, jobs=jobs))
    name = next(job.id for job in jobs if job.kind == "training")
    assert set(files) == {f"traces/{name}-{key}{kind}.json" for key in "ab" for kind in ("", "-campaign")}
    side = next(job.b for job in jobs if job.kind == "training")
    pieces = events(files[f"traces/{name}-b.json"], "X")
    busy: defaultdict[int, float] = defaultdict(float)
    for piece in pieces:
        busy[piece["tid"]] += piece["dur"] / 1e6
    wanted: defaultdict[int, float] = defaultdict(float)
    for rank, start, end, _ in side.timeline:
        wanted[rank] += end - start
    assert busy == pytest.approx(wanted, rel=1e-6)
    assert report_traces(replace(small, jobs=jobs)) == files
