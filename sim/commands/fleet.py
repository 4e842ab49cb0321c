"""Commands that play a fleet with its policies."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sim.commands.common import Cluster, Json, Profiles, Scenario, ServingJob, catalogue, group, number_option

app = group("Fleets with their policies, request by request.")


@app.command("fleet")
def fleet(
    scenario: Scenario,
    job: ServingJob = None,
    cluster: Cluster = None,
    load: Annotated[
        float,
        number_option(min=0.01, max=5.0, help="Mean load over the highest that the closed form allows."),
    ] = 0.8,
    requests: Annotated[int, typer.Option(min=10, help="Requests to play.")] = 20_000,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the requests, instead of the scenario's own.")
    ] = None,
    json: Json = False,
    profiles: Profiles = None,
) -> None:
    """Play a unit as the `fleet` block of its traffic file says: modes, caches, failures, autoscaling."""
    from sim.views.fleet import show_fleet

    show_fleet(catalogue(profiles), scenario, job, cluster, load, requests, seed, sys.stdout, as_json=json)
