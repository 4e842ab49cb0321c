"""Commands that play a fleet with its policies."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sim.commands.common import Profiles, catalogue, group

app = group("Fleets with their policies, request by request.")


@app.command("fleet")
def fleet(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")],
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Serving job of the scenario; the first when left out.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="a|b", help="Which of the two clusters; a when left out.")
    ] = None,
    load: Annotated[
        float, typer.Option(min=0.01, max=5.0, help="Mean load over the highest that the closed form allows.")
    ] = 0.8,
    requests: Annotated[int, typer.Option(min=10, help="Requests to play.")] = 20_000,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the requests, instead of the scenario's own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    profiles: Profiles = None,
) -> None:
    """Play a unit as the `fleet` block of its traffic file says: modes, caches, failures, autoscaling."""
    from sim.views.fleet import show_fleet

    show_fleet(catalogue(profiles), scenario, job, cluster, load, requests, seed, sys.stdout, as_json=json)
