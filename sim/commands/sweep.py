"""``parity sweep`` and ``parity compare``: one question at many values, or two side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import AsOf, Draws, Json, Profiles, Scenario, Seed, catalogue, folder

app = typer.Typer()


@app.command("sweep")
def sweep(
    scenario: Scenario,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=VALUE,...",
            help="What varies: clusters.a.chips=10000,20000 or chips/h100-sxm#price=20 kUSD,30 kUSD. Several "
            "give all combinations.",
        ),
    ] = None,
    draws: Draws = None,
    seed: Seed = None,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Processes on this machine.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead, tcp://HOST:PORT.")
    ] = None,
    cache: Annotated[
        Path | None, folder("Where finished blocks are kept; reports/.cache when left out.")
    ] = None,
    keep_draws: Annotated[bool, typer.Option("--keep-draws", help="Also write every draw.")] = False,
    out: Annotated[Path | None, folder("Where to write; reports/<id>-sweep when left out.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the tables of another sweep there.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print where our own code failed, if it did; exit code 1 says so.")
    ] = False,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:
    """Ask a question again with other values; stop it at any time, the same command goes on."""
    from sim.study.sweep.grid import axis
    from sim.views.sweep import CACHE, SweepRequest, sweep_and_write

    axes = tuple(axis(each) for each in vary or ())
    request = SweepRequest(scenario, axes, draws, seed, workers, cluster, cache or CACHE, keep_draws, as_of)
    traces = sweep_and_write(catalogue(profiles), request, out, sys.stdout, force=force)
    if traces:
        if debug:
            print("\n".join(traces), file=sys.stderr)
        raise typer.Exit(1)


@app.command("compare")
def compare(
    one: Scenario,
    other: Annotated[
        str | None, typer.Argument(help="The other scenario; the same one, changed, when left out.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change a value of the other scenario: chips/h20#memory.bandwidth=3 TB/s.",
        ),
    ] = None,
    draws: Draws = None,
    seed: Seed = None,
    json: Json = False,
    out: Annotated[Path | None, folder("Also write every result there, as comparison.csv.")] = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:
    """Say what changes from one scenario to another, both in the same worlds."""
    from sim.notebook import load
    from sim.profiles.messages import InputError, Problem
    from sim.study.sweep.grid import change as parsed
    from sim.views.compare import show_comparison
    from sim.views.output import Wanted

    if other is None and not change:
        raise InputError(
            [Problem("name another scenario, or change a value of this one with --set PATH=VALUE")]
        )
    changes = dict(parsed(each) for each in change or ())
    first, second = load(one, {}, profiles or (), as_of), load(other or one, changes, profiles or (), as_of)
    show_comparison(first, second, draws, seed, sys.stdout, Wanted(json, out))
