"""``parity equal``, ``curve`` and ``mix``: how many of B equal A, by every measure, along an input, and both together."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import AsOf, Draws, Json, Profiles, Scenario, Seed, catalogue, draws_option

app = typer.Typer()

Where = Annotated[Path | None, typer.Option(metavar="DIR", help="Also write tables, JSON and charts there.")]


class CostView(StrEnum):
    """View of cost."""

    amortised = "amortised"
    rental = "rental"
    acquisition = "acquisition"


View = Annotated[CostView, typer.Option(help="Which cost the same money is.")]


@app.command("equal")
def equal(
    scenario: Scenario,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="tpp, bf16, fp8, fp4, int8, bandwidth, capacity, purchase, rent, work, date, cost, power or energy; "
            "several may be given, all when left out."
        ),
    ] = None,
    job: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only these jobs.")] = None,
    view: View = CostView.amortised,
    draws: Draws = None,
    seed: Seed = None,
    json: Json = False,
    out: Where = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:  # fmt: skip
    """Count the chips of B that equal A: on paper, in money, in power and in work, side by side."""
    from sim.views.equal import EqualRequest, show_equal

    request = EqualRequest(scenario, tuple(metric or ()), tuple(job or ()), view.value, draws, seed, as_of)
    show_equal(catalogue(profiles), request, sys.stdout, as_json=json, folder=out)


@app.command("mix")
def mix(
    scenario: Scenario,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="JOB=NUMBER", help="How much of a job there is beside the others, as chips of B that it "
                     "would keep busy; as in the scenario when left out, 0 leaves a job out."),
    ] = None,
    draws: Draws = None,
    seed: Seed = None,
    json: Json = False,
    out: Where = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:  # fmt: skip
    """Run both clusters as one fleet, each chip on the jobs it is best at."""
    from sim.views.mix import MixRequest, shares_of, show_mix

    request = MixRequest(scenario, shares_of(share or []), draws, seed, as_of)
    show_mix(catalogue(profiles), request, sys.stdout, as_json=json, folder=out)


@app.command("curve")
def curve(
    scenario: Scenario,
    along: Annotated[
        str, typer.Option(metavar="PATH", help="A number of the question, such as chips/h100-sxm#price.")
    ],
    job: Annotated[str | None, typer.Option(metavar="ID", help="Job; the first when left out.")] = None,
    low: Annotated[
        str | None,
        typer.Option("--from", metavar="VALUE", help="First value; the 5th percentile when left out."),
    ] = None,
    high: Annotated[
        str | None,
        typer.Option("--to", metavar="VALUE", help="Last value; the 95th percentile when left out."),
    ] = None,
    points: Annotated[int, typer.Option(min=2, max=200, help="Values from the first to the last.")] = 9,
    view: View = CostView.amortised,
    draws: Annotated[int, draws_option("Worlds to draw at each value.")] = 256,
    seed: Seed = None,
    json: Json = False,
    out: Where = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:
    """Follow the count of B that equals A along one input: lines of equal work and of equal money."""
    from sim.views.curve import CurveRequest, show_curve

    request = CurveRequest(scenario, along, job, low, high, points, view.value, draws, seed, as_of)
    show_curve(catalogue(profiles), request, sys.stdout, as_json=json, folder=out)
