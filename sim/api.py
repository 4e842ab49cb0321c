"""The public functions: what the command, a notebook and a screen all call."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sim.profiles.catalogue import Catalogue
from sim.profiles.scenario import LEAST_DRAWS
from sim.report.certainty import draws_note, obtained
from sim.report.outputs import write_report
from sim.study.convergence import ends_error
from sim.study.run import ScenarioRun, run_scenario
from sim.views.obtained import TOO_FEW, finer
from sim.views.output import check_folder

REPORTS = Path("reports")


def run_and_report(
    catalogue: Catalogue,
    scenario: str | Path,
    draws: int | None,
    seed: int | None,
    out: Path | None,
    as_of: str | None = None,
    precision: float | None = None,
) -> list[str]:
    """Answer the question of a scenario, write the report, and say what came out and where it is.

    Progress goes to the terminal, if there is one.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    OSError
        When a file cannot be written.
    """
    check_folder(out or REPORTS)
    asked = (("draws", draws), ("seed", seed), ("as-of", as_of), ("precision", precision))
    options = [f"--{name} {shlex.quote(str(value))}" for name, value in asked if value is not None]
    command = " ".join(["parity run", shlex.quote(str(scenario)), *options])
    with _bar() as bar:
        row = bar.add_task("", total=1.0)
        result = run_scenario(
            catalogue,
            scenario,
            draws,
            seed,
            command,
            lambda what, share: bar.update(row, description=what, completed=share),
            as_of,
            precision,
            workers=os.cpu_count() or 1,
        )
        bar.update(row, description="writing the report")
        directory = out or REPORTS / result.content.identity.scenario
        paths = write_report(result.content, directory, result.summary, draws=result.draws)
    return [*_answers(result), *_obtained(result), "", *_places(paths)]


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = TextColumn("{task.description:40.40}"), BarColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())


def _answers(result: ScenarioRun) -> list[str]:
    warned = [f"Note, {job.label}: {warning}" for job in result.content.jobs for warning in job.warnings]
    return [result.content.title, *result.content.answers, *warned]


def _obtained(result: ScenarioRun) -> list[str]:
    """How the headlines were obtained, how well their ends are known, and what would make them better known."""
    content, run = result.content, result.content.identity
    dated = f", prices as of {run.as_of}" if run.as_of else ""
    how = f"{obtained(content)} Seed {run.seed}{dated}."
    if run.draws < LEAST_DRAWS:
        return [f"{how} {run.draws} draws: {TOO_FEW}."]
    note = draws_note(content.convergence, run.draws)
    if note:
        return [how, note]
    counts = result.draws[result.draws["metric"] == "equal_count"].groupby("job", sort=False)["value"]
    more = finer(run.draws, ends_error(values.to_numpy() for _, values in counts), "--precision 0.02")
    return [f"{how} {more}." if more else how]


def _places(paths: list[Path]) -> list[str]:
    pages = [path for path in paths if path.name.startswith("page-")]
    return [
        f"PDF    {paths[0]}",
        f"PNG    {pages[0].parent}/page-*.png ({len(pages)} pages), {pages[0].parent}/figures/",
        f"tables {paths[0].with_name('results.csv')} (.parquet, .xlsx); every draw in draws.parquet",
        f"traces {paths[0].parent}/traces/ (training steps and weeks, for https://ui.perfetto.dev)",
    ]
