"""``parity run``, ``validate``, ``layout`` and ``capacity``: the questions."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import (
    AsOf,
    Cluster,
    Draws,
    Json,
    Profiles,
    Scenario,
    Seed,
    ServingJob,
    catalogue,
    draws_option,
    folder,
    number_option,
)

app = typer.Typer()


@app.command("run")
def run(
    scenario: Scenario,
    draws: Draws = None,
    seed: Seed = None,
    out: Annotated[Path | None, folder("Where to write; reports/<id of the scenario> when left out.")] = None,
    precision: Annotated[
        float | None,
        number_option(
            metavar="SHARE",
            min=1e-4,
            max=0.5,
            help="Double the draws until the ends of every headline are known to this share of its median.",
        ),
    ] = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:
    """Answer the question of a scenario and write its report."""
    from sim.api import run_and_report

    for line in run_and_report(catalogue(profiles), scenario, draws, seed, out, as_of, precision):
        print(line)


class Kind(StrEnum):
    """What is validated."""

    training = "training"
    serving = "serving"
    policy = "policy"


@app.command("validate")
def validate(
    kind: Kind,
    cases: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table with the same columns, instead of the published one."),
    ] = None,
    json: Json = False,
    out: Annotated[Path | None, folder("Also write the page and its charts there.")] = None,
    profiles: Profiles = None,
) -> None:
    """Predict published measurements, or reproduce published policy tables, and say how far off we are."""
    if kind is Kind.policy:
        from sim.views.policy_validation import validate_policy

        tables = [] if cases is None else [cases]
        validate_policy(catalogue(profiles), tables, None, None, sys.stdout, as_json=json, out=out)
        return
    from sim.views.validation import validate_and_show

    print(validate_and_show(kind.value, cases, profiles or (), json, out))


@app.command("layout")
def layout(
    model: Annotated[str, typer.Option(metavar="ID", help="Model to train.")],
    system: Annotated[str, typer.Option(metavar="ID", help="System to train it on.")],
    chips: Annotated[int, typer.Option(min=1, max=10_000_000, help="Chips there are.")],
    recipe: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Training recipe; a plain one for the kind of model when left out."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="best, bf16, fp8 or fp4, instead of the recipe's own.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Layouts to show.")] = 8,
    draws: Annotated[int, draws_option("Worlds in which the best are timed again.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 1,
    json: Json = False,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a step of the best layout for Perfetto.")
    ] = None,
    out: Annotated[Path | None, folder("Also write JSON, trace and timeline there.")] = None,
    profiles: Profiles = None,
) -> None:
    """Find the best parallel layouts of a training job, and say what does not fit and why."""
    from sim.views.layout import LayoutRequest, show_layouts

    request = LayoutRequest(model, system, chips, recipe, precision, top, draws, seed)
    show_layouts(catalogue(profiles), request, sys.stdout, as_json=json, out=out, trace=trace)


@app.command("capacity")
def capacity(
    scenario: Scenario,
    job: ServingJob = None,
    cluster: Cluster = None,
    demand: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help='Prompt and output tokens to serve, "140e12 token/day"; what the cluster can when left out.',
        ),
    ] = None,
    draws: Draws = None,
    seed: Seed = None,
    json: Json = False,
    out: Annotated[Path | None, folder("Also write JSON, the frontier as table and picture there.")] = None,
    requests_table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write every played request there (.parquet or .csv)."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a window of the played requests for ui.perfetto.dev."),
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Seconds of the run in the trace; the last minute.")
    ] = None,
    precision: Annotated[
        float | None,
        number_option(
            metavar="SHARE",
            min=1e-4,
            max=0.5,
            help="Play until the 99th percentile of the first token is known to this share.",
        ),
    ] = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:
    """Say how much a fleet serves within its promise, which units do it, and what a demand needs."""
    from sim.views.capacity import CapacityRequest, PlayedFiles, show_capacity

    request = CapacityRequest(scenario, job, cluster, demand, draws, seed, as_of)
    played = PlayedFiles(requests_table, trace, window, precision)
    show_capacity(catalogue(profiles), request, sys.stdout, as_json=json, out=out, played=played)


@app.command("schema")
def schema(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder that holds the data folders.")
    ] = Path(),
) -> None:
    """Write the JSON Schemas of the input files, for editors."""
    from sim.profiles.schemas import write_schemas

    changed = write_schemas(out)
    print("\n".join(f"wrote {path}" for path in changed) or "all schemas are up to date")
