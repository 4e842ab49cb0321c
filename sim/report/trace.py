"""Timelines as Chrome trace JSON, which Perfetto (https://ui.perfetto.dev) and chrome://tracing open.

Format: "Trace Event Format" of the Catapult project. A process is a cluster, a thread a pipeline rank or a line of the
calendar; times are microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.report.content import ReportContent
from sim.report.figures import slug

CATEGORIES = {"F": "forward", "B": "backward", "W": "weight gradient"}
# How a campaign goes on after an event; events that change nothing are marks alone.
STATES = {
    "start": "training",
    "resume": "training",
    "delivery": "training",
    "failure": "stopped",
    "planned": "planned stop",
    "wait": "no spare server",
}


@dataclass(frozen=True, slots=True)
class Slice:
    """Something that lasts.

    Attributes
    ----------
    track : int
        Thread it is drawn on.
    start_s, end_s : float
        [s].
    name, category : str
        What is written on it, and what it is filtered by.
    details : mapping
        Shown when it is selected.
    """

    track: int
    start_s: float
    end_s: float
    name: str
    category: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens at an instant."""

    track: int
    time_s: float
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Counter:
    """A number over time, drawn as an area: (time [s], value) at every change."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Process:
    """One cluster with its timelines.

    Attributes
    ----------
    name : str
        "Ascend 910C, 20,000 chips".
    tracks : sequence of str
        Names of the threads, from the top.
    """

    name: str
    tracks: Sequence[str]
    slices: Sequence[Slice]
    marks: Sequence[Mark] = ()
    counters: Sequence[Counter] = ()


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request of a serving run; times [s], lengths [token]."""

    number: int
    lane: int
    arrival_s: float
    first_s: float
    finish_s: float
    prompt: int
    cached: int
    output: int


def pipeline_process(name: str, bars: Iterable[tuple[int, float, float, str]]) -> Process:
    """One training step: (rank, start [s], end [s], "F" | "B" | "Bi" | "W" | "F&B") per piece of work."""
    slices = [
        Slice(rank, start, end, kind, "&".join(CATEGORIES[part[0]] for part in kind.split("&")))
        for rank, start, end, kind in bars
    ]
    ranks = 1 + max((piece.track for piece in slices), default=-1)
    return Process(name, [f"pipeline rank {rank}" for rank in range(ranks)], slices)


def campaign_process(name: str, events: Iterable[tuple[float, str, str]]) -> Process:
    """Weeks of a training run: (time [s], kind, detail) per event, in order, the last one the end.

    The first line shows what the cluster is doing, the second every event.
    """
    log = list(events)
    turns = [(time, STATES[kind], detail) for time, kind, detail in log if kind in STATES]
    ends = [time for time, _, _ in turns[1:]] + [log[-1][0]] if log else []
    slices = [
        Slice(0, start, end, state, state, {"detail": detail})
        for (start, state, detail), end in zip(turns, ends, strict=True)
        if end > start
    ]
    return Process(name, ["state", "events"], slices, [Mark(1, *event) for event in log])


def serving_process(
    name: str, requests: Iterable[ServedRequest], counters: Sequence[Counter] = ()
) -> Process:
    """Requests of a serving run, each on a lane of its own while it is there: first its wait and prompt, then its answer."""
    slices, lanes = [], 0
    for each in requests:
        lanes = max(lanes, each.lane + 1)
        details = {
            "request": each.number,
            "prompt": each.prompt,
            "cached": each.cached,
            "output": each.output,
        }
        slices.append(Slice(each.lane, each.arrival_s, each.first_s, "prompt", "prompt", details))
        if each.finish_s > each.first_s:
            slices.append(Slice(each.lane, each.first_s, each.finish_s, "answer", "answer", details))
    return Process(name, [f"lane {lane}" for lane in range(lanes)], slices, (), counters)


def report_traces(content: ReportContent) -> dict[str, bytes]:
    """Traces of the training jobs of a report by file name: one step, and the weeks, on each cluster."""
    files = {}
    identity = content.identity
    for job in content.jobs:
        for pid, (cluster, side) in enumerate(zip(content.clusters, (job.a, job.b), strict=True), 1):
            name, stem = f"{cluster.label}, {cluster.chips:,} chips", f"traces/{slug(job.id)}-{cluster.key}"
            about = {
                "job": job.label,
                "layout": side.layout,
                "command": identity.command,
                "seed": identity.seed,
            }
            about["inputs"] = identity.inputs_hash
            if side.timeline:
                files[f"{stem}.json"] = chrome_trace([pipeline_process(name, side.timeline)], about, pid)
            if side.campaign:
                weeks = chrome_trace([campaign_process(name, side.campaign)], about, pid)
                files[f"{stem}-campaign.json"] = weeks
    return files


def chrome_trace(
    processes: Sequence[Process], about: Mapping[str, Any] | None = None, first_pid: int = 1
) -> bytes:
    """Trace of one or more clusters as JSON; the same timelines give the same bytes.

    Parameters
    ----------
    processes : sequence of Process
        Numbered from ``first_pid`` in the order given.
    about : mapping, optional
        Kept under ``otherData``: what the reader needs to run it again. Must be JSON.

    Notes
    -----
    Ends are rounded to whole nanoseconds before durations are taken, so that neighbours never overlap.

    Examples
    --------
    >>> trace = json.loads(chrome_trace([pipeline_process("A", [(0, 0.0, 2e-6, "F")])]))
    >>> trace["traceEvents"][-1]["name"], trace["traceEvents"][-1]["dur"]
    ('F', 2.0)
    """
    events = [row for pid, process in enumerate(processes, first_pid) for row in _rows(pid, process)]
    content = {"displayTimeUnit": "ms", "otherData": dict(about or {}), "traceEvents": events}
    return (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _rows(pid: int, process: Process) -> Iterable[dict[str, Any]]:
    yield _named("process_name", pid, 0, process.name)
    for tid, name in enumerate(process.tracks):
        yield _named("thread_name", pid, tid, name)
        yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": tid}}
    for piece in process.slices:
        start, end = _nanoseconds(piece.start_s), _nanoseconds(piece.end_s)
        yield {
            "ph": "X",
            "name": piece.name,
            "cat": piece.category,
            "pid": pid,
            "tid": piece.track,
            "ts": start / 1e3,
            "dur": (end - start) / 1e3,
            **({"args": dict(piece.details)} if piece.details else {}),
        }
    for counter in process.counters:
        for time, value in counter.points:
            yield {
                "ph": "C",
                "name": counter.name,
                "pid": pid,
                "ts": _nanoseconds(time) / 1e3,
                "args": {"value": value},
            }
    for mark in process.marks:
        yield {
            "ph": "i",
            "s": "t",
            "name": mark.name,
            "cat": "event",
            "pid": pid,
            "tid": mark.track,
            "ts": _nanoseconds(mark.time_s) / 1e3,
            "args": {"detail": mark.detail},
        }


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _nanoseconds(seconds: float) -> int:
    return round(1e9 * seconds)
