"""What happened to each request of a run, as columns, and what of it falls in a window."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.serving.cluster_run import ClusterRun

Columns = dict[str, NDArray[Any]]


def request_columns(run: ClusterRun) -> Columns:
    """One row per request that was sent.

    Returns
    -------
    dict of str to ndarray
        ``request`` (row of the traffic), ``arrival_s``, ``prompt_tokens``, ``cached_tokens``, ``output_tokens``,
        ``first_token_s``, ``finish_s``, ``ttft_s``, ``tpot_s``, ``e2e_s``; NaN for what had not happened when the run
        ended, and for the time per token of single-token answers.
    """
    asked = run.requests
    sent = np.flatnonzero(np.isfinite(asked.arrival_s))
    columns: Columns = {
        "request": np.arange(len(asked), dtype=np.int64),
        "arrival_s": asked.arrival_s,
        "prompt_tokens": asked.prompt,
        "cached_tokens": asked.cached,
        "output_tokens": asked.output,
        "first_token_s": run.first_token_s,
        "finish_s": run.finish_s,
        "ttft_s": run.ttft_s,
        "tpot_s": run.tpot_s,
        "e2e_s": run.e2e_s,
    }
    return {name: column[sent] for name, column in columns.items()}


def in_window(columns: Columns, start_s: float, end_s: float) -> Columns:
    """Rows that were in the system at any time of a window, in order of arrival."""
    leaves = np.where(np.isfinite(columns["finish_s"]), columns["finish_s"], np.inf)
    inside = np.flatnonzero((columns["arrival_s"] < end_s) & (leaves > start_s))
    order = inside[np.argsort(columns["arrival_s"][inside], kind="stable")]
    return {name: column[order] for name, column in columns.items()}


def lanes(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Lowest free lane of each interval, so that none overlap; starts must not fall.

    Examples
    --------
    >>> lanes(np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, 4.0])).tolist()
    [0, 1, 0]
    """
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    chosen = np.empty(len(starts), np.int64)
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (end, lane))
        chosen[row] = lane
    return chosen
