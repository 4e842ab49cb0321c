"""Sweeps for people and programs: progress in the terminal, tables and a chart in a folder."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.report.charts.sweep import parity_over_axis
from sim.report.content import Interval, RunIdentity
from sim.report.numbers import number
from sim.report.outputs import write_all
from sim.report.workbook import plain_workbook
from sim.study.summary.report import inputs_hash
from sim.study.sweep.block import code_version
from sim.study.sweep.cache import Cache
from sim.study.sweep.grid import Axis
from sim.study.sweep.run import Plan, plan_sweep, run_sweep
from sim.study.sweep.run import Progress as State
from sim.study.sweep.table import draws_table, ends_error, failures_table, results_table
from sim.study.sweep.workers import workers
from sim.views.listing import Listing, print_lines, print_listing
from sim.views.obtained import obtained
from sim.views.output import check_folder, json_text, picture_files

CACHE = Path("reports") / ".cache"
RECORD = "sweep.json"
ERRORS = "errors.log"


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What was typed.

    Attributes
    ----------
    workers : int
        Processes of this machine.
    cluster : str or None
        Address of a Dask scheduler, instead.
    keep_draws : bool
        Also write every draw.
    as_of : str or None
        No price later than this date is used.
    """

    scenario: str
    axes: Sequence[Axis]
    draws: int | None = None
    seed: int | None = None
    workers: int = 1
    cluster: str | None = None
    cache: Path = CACHE
    keep_draws: bool = False
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Tables of a sweep, in memory.

    Attributes
    ----------
    results : DataFrame
        Quantiles, long: point, the varied values, job, cluster, metric, unit, statistic, value.
    failures : DataFrame
        Jobs of points without an answer, and why.
    draws : DataFrame or None
        Every draw.
    traces : tuple of str
        Where our own code failed, each place once; empty where it did not.
    """

    plan: Plan
    results: pd.DataFrame
    failures: pd.DataFrame
    draws: pd.DataFrame | None
    ends_error: float
    traces: tuple[str, ...] = ()


def sweep(catalogue: Catalogue, request: SweepRequest) -> SweepResult:
    """Compute every point of a sweep, or take it from the cache.

    Raises
    ------
    InputError
        When a file, a value or an address is wrong.
    OSError
        When the cache cannot be written.
    """
    plan = plan_sweep(catalogue, request.scenario, request.axes, request.draws, request.seed, request.as_of)
    cache = Cache(request.cache)
    with workers(request.workers, request.cluster) as crew, _bar() as tell:
        refused = run_sweep(plan, cache, crew, tell)
    draws = draws_table(plan, cache, refused) if request.keep_draws else None
    results, failures = results_table(plan, cache, refused), failures_table(plan, refused)
    traces = tuple(dict.fromkeys(each.trace for each in refused.values() if each.trace))
    return SweepResult(plan, results, failures, draws, ends_error(plan, cache, refused), traces)


def sweep_and_write(
    catalogue: Catalogue, request: SweepRequest, out: Path | None, to: TextIO, *, force: bool = False
) -> tuple[str, ...]:
    """Sweep, write the tables, and print the answer at every point.

    Parameters
    ----------
    force : bool
        Replace the tables of another sweep.

    Returns
    -------
    tuple of str
        Tracebacks of what failed by a mistake of ours; all other points are done and written.

    Raises
    ------
    InputError
        When a file or a value is wrong, or the folder holds the tables of another sweep.
    OSError
        When a file cannot be written.
    """
    directory = out or Path("reports") / f"{catalogue.scenario(request.scenario).id}-sweep"
    check_folder(directory)
    command = _command(request)
    said = earlier_sweep(directory, command)
    if said and not force:
        message = f"{directory} holds the tables of {said}; name another folder with --out, or replace them with --force"
        raise InputError([Problem(message)])
    found = sweep(catalogue, request)
    files = sweep_files(found, command)
    write_all(directory, files)
    for name in {"failures.csv", "draws.parquet", ERRORS} - set(files):
        (directory / name).unlink(missing_ok=True)
    as_of = found.plan.questions[0].as_of or ""
    print_lines([obtained(found.plan.draws, found.plan.seed, found.ends_error, as_of)], to)
    print_listing(_listing(found), to)
    written = [f"tables {directory}/results.csv (.parquet, .xlsx)", f"chart  {directory}/parity.png"]
    if found.traces:
        written.append(f"errors {directory}/{ERRORS}: an internal error; please report it")
    print("\n".join([*written, f"replaced: {said}"] if said else written), file=to)
    return found.traces


def earlier_sweep(directory: Path, command: str) -> str:
    """The sweep whose tables are in a folder, by its command; empty where there is none, or the same one.

    A sweep that goes on with more draws is another one: its intervals differ.
    """
    if not (directory / RECORD).exists():
        return "a run (run.json)" if (directory / "run.json").exists() else ""
    try:
        found = str(json.loads((directory / RECORD).read_text(encoding="utf-8"))["command"])
    except (ValueError, KeyError, TypeError):
        return f"a sweep whose {RECORD} cannot be read"
    return "" if found == command else f'"{found}"'


def sweep_files(found: SweepResult, command: str) -> dict[str, bytes]:
    """All files of a sweep by name; the same for the same sweep, however it was computed."""
    files = {
        "results.csv": found.results.to_csv(index=False, lineterminator="\n").encode(),
        "results.parquet": _parquet(found.results),
        "results.xlsx": plain_workbook({"results": wide(found.results), "failures": found.failures}),
        "parity.png": _picture(found, _identity(found.plan, command)),
    }
    if found.draws is not None:
        files["draws.parquet"] = _parquet(found.draws)
    if found.traces:
        files[ERRORS] = "\n".join(found.traces).encode()
    if len(found.failures):
        files["failures.csv"] = found.failures.to_csv(index=False, lineterminator="\n").encode()
    record = {**asdict(_identity(found.plan, command)), "axes": [asdict(axis) for axis in found.plan.axes]}
    files[RECORD] = json_text(record).encode()
    return files


def wide(results: pd.DataFrame) -> pd.DataFrame:
    """One row per point, job, cluster and metric, the quantiles side by side."""
    keys = [name for name in results.columns if name not in ("statistic", "value")]
    table = results.set_index([*keys, "statistic"])["value"].unstack("statistic").reset_index()
    table.columns.name = None
    return table.sort_values(keys, ignore_index=True)


def _identity(plan: Plan, command: str) -> RunIdentity:
    files = tuple(dict.fromkeys(file for each in plan.files for file in each))
    return RunIdentity(
        version=code_version().split("+")[0],
        command=command,
        seed=plan.seed,
        draws=plan.draws,
        event_draws=0,
        inputs_hash=inputs_hash(files),
        files=files,
        scenario=plan.questions[0].scenario.id,
        as_of=plan.questions[0].as_of or "",
    )


def _command(request: SweepRequest) -> str:
    axes = (f"--vary {shlex.quote(axis.path + '=' + ','.join(axis.texts))}" for axis in request.axes)
    options = (("draws", request.draws), ("seed", request.seed), ("as-of", request.as_of))
    chosen = (f"--{name} {value}" for name, value in options if value is not None)
    return " ".join(["parity sweep", shlex.quote(request.scenario), *axes, *chosen])


def _parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, index=False, compression="zstd")
    return stream.getvalue()


@contextmanager
def _bar() -> Iterator[Callable[[State], None]]:
    """Blocks done, rate and time left on a terminal; silent elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} blocks"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("sweep")

        def tell(state: State) -> None:
            refused = f", {state.refused} without an answer" if state.refused else ""
            bar.update(
                row,
                total=state.total,
                completed=state.kept + state.done,
                description=f"{state.kept} kept, {state.done} computed{refused}",
            )

        yield tell


def _listing(found: SweepResult) -> Listing:
    """The answer at every point, then what has none."""
    plan = found.plan
    a, b = plan.questions[0].sides
    axes = [axis.path for axis in plan.axes]
    table = wide(found.results)
    shown = table[table["metric"] == "equal_count"] if len(table) else table
    order = [task.job.id for task in plan.questions[0].tasks]
    rows = [
        (
            *(str(row[path]) for path in axes),
            str(row["job"]),
            number(row["p50"]),
            f"{number(row['p05'])} to {number(row['p95'])}",
        )
        for row in sorted(shown.to_dict("records"), key=lambda row: (row["point"], order.index(row["job"])))
    ]
    notes = [
        f"{' '.join(['no answer:', str(row['job']), *(f'{path}={row[path]}' for path in axes)])}: {row['reason']}"
        for row in found.failures.to_dict("records")
    ]
    title = f"{b.label} that do the work of {a.label}"
    return Listing(title, (*axes, "job", "median", "90 % interval"), rows, notes)


def _picture(found: SweepResult, identity: RunIdentity) -> bytes:
    plan = found.plan
    jobs = {task.job.id: task.label for task in plan.questions[0].tasks}
    points = ["\n".join(change.text for change in point) or "as it stands" for point in plan.points]
    axis = " × ".join(axis.path for axis in plan.axes)
    answered = _series(found.results)
    series = {label: answered[job] for job, label in jobs.items() if job in answered}
    draw = partial(parity_over_axis, identity, axis, points, series, plan.questions[0].b.label)
    return picture_files("parity", draw)["parity.png"]


def _series(results: pd.DataFrame) -> Mapping[str, Mapping[int, Interval]]:
    """Equal counts by job and point."""
    series: dict[str, dict[int, Interval]] = {}
    table = wide(results)
    for row in table[table["metric"] == "equal_count"].to_dict("records"):
        levels = (row[name] for name in ("p05", "p25", "p50", "p75", "p95"))
        series.setdefault(str(row["job"]), {})[int(row["point"])] = Interval(*levels)
    return series
