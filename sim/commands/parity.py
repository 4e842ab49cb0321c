"""``parity equal``, ``curve`` and ``mix``: how many of B equal A, by every measure, along an input, and both together."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import AsOf, Profiles, catalogue

app = typer.Typer()

Draws = Annotated[int | None, typer.Option(min=1, help="Worlds to draw, instead of the scenario's own.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the draws, instead of the scenario's own.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Where = Annotated[Path | None, typer.Option(metavar="DIR", help="Also write tables, JSON and charts there.")]


class CostView(StrEnum):
    """View of cost."""

    amortised = "amortised"
    rental = "rental"
    acquisition = "acquisition"


View = Annotated[CostView, typer.Option(help="Which cost the same money is.")]


@app.command("equal")
def equal(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="tpp, bf16, fp8, fp4, int8, bandwidth, capacity, purchase, rent, work, date, cost or power; "
                     "several may be given, all when left out."),
    ] = None,
    job: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only these jobs.")] = None,
    view: View = CostView.amortised,
    draws: Draws = None,
    seed: Seed = None,
    json: AsJson = False,
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
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")],
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="JOB=NUMBER", help="How much of a job there is beside the others, as chips of B that it "
                     "would keep busy; as in the scenario when left out, 0 leaves a job out."),
    ] = None,
    draws: Draws = None,
    seed: Seed = None,
    json: AsJson = False,
    out: Where = None,
    as_of: AsOf = None,
    profiles: Profiles = None,
) -> None:  # fmt: skip
    """Run both clusters as one fleet, each chip on the jobs it is best at."""
    from sim.views.mix import MixRequest, shares_of, show_mix

    request = MixRequest(scenario, shares_of(share or []), draws, seed, as_of)
    show_mix(catalogue(profiles), request, sys.stdout, as_json=json, folder=out)
