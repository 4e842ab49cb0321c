"""A played serving unit in files: every request as a table, a window of them as a trace; progress while it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from sim.profiles.messages import InputError, Problem
from sim.report.outputs import write_all
from sim.report.trace import Counter, ServedRequest, chrome_trace, serving_process
from sim.serving.cluster import Watch
from sim.serving.results import Columns, in_window, lanes
from sim.study.capacity_question import CapacityQuestion
from sim.study.played import PlayedUnit, play_question
from sim.views.output import check_file

SHOWN_S = 60.0  # length of a window that nobody has chosen [s]
MOST = 20_000  # requests of a window: more than a screen can show, few enough for a browser


def write_played(
    question: CapacityQuestion,
    to: TextIO,
    table: Path | None,
    trace: Path | None,
    window: str | None,
    precision: float | None,
    command: str,
) -> None:
    """Play the unit, write what is wanted, and say in a line what was played.

    Raises
    ------
    InputError
        When an option cannot be read, or nothing can be played.
    """
    chosen = check_wanted(table, trace, window)
    with progress(to) as watch:
        played = play_question(question, precision, watch)
    for line in _said(played, precision):
        print(line, file=to)
    if table is not None:
        write_all(table.parent, {table.name: request_table(played.columns, table.suffix)})
        print(f"wrote {table}", file=to)
    if trace is not None:
        write_all(trace.parent, {trace.name: window_trace(question, played.columns, chosen, command)})
        print(f"wrote {trace}", file=to)


def check_wanted(table: Path | None, trace: Path | None, window: str | None) -> tuple[float, float] | None:
    """Refuse what cannot be written before the work, and read the window.

    Raises
    ------
    InputError
        When a file cannot be written, or the window is none.
    """
    if table is not None and table.suffix not in (".parquet", ".csv"):
        raise InputError([Problem(f"--requests-table: read {table}, where .parquet or .csv is expected")])
    if window is not None and trace is None:
        raise InputError([Problem("--window needs --trace FILE, where it is written")])
    for path, option in ((table, "--requests-table"), (trace, "--trace")):
        if path is not None:
            check_file(path, option)
    return None if window is None else read_window(window)


def _said(played: PlayedUnit, precision: float | None) -> Iterator[str]:
    found, count = played.ttft_p99, len(played.columns["request"])
    interval = "" if not np.isfinite(found.half_width) else f", 95 % interval +/- {found.relative:.1%}"
    yield (
        f"# played {count:,} requests at {played.load:.0%} of the highest load: 99 % of first tokens within "
        f"{found.value:.3g} s{interval}"
    )
    if not played.reached and precision is not None:
        yield f"# the precision of {precision:.1%} that was asked for was not reached"


def read_window(text: str) -> tuple[float, float]:
    """Start and end of ``"100:160"`` [s].

    Raises
    ------
    InputError
        When it is not two times, the later one last.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*s?\s*:\s*([0-9.]+)\s*s?\s*", text)
    try:
        start, end = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    except ValueError:
        start = end = 0.0
    if not end > start:
        raise InputError(
            [Problem(f'--window: read "{text}", where two times in seconds such as 100:160 are expected')]
        )
    return start, end


def request_table(columns: Columns, suffix: str) -> bytes:
    """All rows as Parquet or CSV."""
    import io

    import pyarrow as pa
    from pyarrow import csv, parquet

    stream, rows = io.BytesIO(), pa.table(columns)
    if suffix == ".csv":
        csv.write_csv(rows, stream)
    else:
        parquet.write_table(rows, stream)
    return stream.getvalue()


def window_trace(
    question: CapacityQuestion, columns: Columns, window: tuple[float, float] | None, command: str
) -> bytes:
    """Requests of a window, each on a lane of its own, and how many there were, as Chrome trace.

    Raises
    ------
    InputError
        When nothing or too much falls into the window.
    """
    last = float(np.nanmax(columns["arrival_s"]))
    start, end = window or (max(last - SHOWN_S, 0.0), last)
    rows = in_window(columns, start, end)
    count = len(rows["request"]) if start < last else 0
    if not 0 < count <= MOST:
        found = f"{count:,} requests between {start:g} and {end:g} s"
        message = f"{found}; choose a window with 1 to {MOST:,}, up to {last:.0f} s"
        raise InputError([Problem(f"--window: {message}")])
    begin = np.clip(rows["arrival_s"], start, end)
    first = np.clip(np.nan_to_num(rows["first_token_s"], nan=np.inf), start, end)
    finish = np.clip(np.nan_to_num(rows["finish_s"], nan=np.inf), first, end)
    lane = lanes(begin, finish)
    names = ("request", "prompt_tokens", "cached_tokens", "output_tokens")
    whole = zip(*(rows[name].tolist() for name in names), strict=True)
    times = zip(lane.tolist(), begin.tolist(), first.tolist(), finish.tolist(), strict=True)
    requests = [
        ServedRequest(number, *when, prompt, cached, output)
        for (number, prompt, cached, output), when in zip(whole, times, strict=True)
    ]
    name = f"{question.side.label}: {question.task.label}"
    counters = [_present("requests", begin, finish), _present("decoding", first, finish)]
    about = {"command": command, "seed": question.seed, "window": f"{start:g} to {end:g} s"}
    return chrome_trace([serving_process(name, requests, counters)], about)


def _present(name: str, begins: np.ndarray, ends: np.ndarray) -> Counter:
    """How many intervals are open over time."""
    times = np.concatenate([begins, ends])
    steps = np.concatenate([np.ones(len(begins)), -np.ones(len(ends))])
    order = np.lexsort((steps, times))
    moments, last = np.unique(times[order][::-1], return_index=True)
    counts = np.cumsum(steps[order])[len(times) - 1 - last]
    return Counter(name, list(zip(moments.tolist(), counts.tolist(), strict=True)))


@contextmanager
def progress(to: TextIO) -> Iterator[Watch | None]:
    """A line that counts requests, where somebody is looking."""
    if not to.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=to), transient=True) as bar:
        task = bar.add_task("playing requests", total=None)

        def watch(gone: int, first: np.ndarray) -> bool:
            bar.update(task, description=f"{gone:,} requests served")
            return False

        yield watch
