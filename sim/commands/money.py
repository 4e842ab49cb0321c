"""``parity cost`` and ``parity chip-hour``: what tokens, runs and hours cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import AsOf, Json, Profiles, catalogue, draws_option, folder, number_option
from sim.units import DAY, YEAR

app = typer.Typer()

Out = Annotated[Path | None, folder("Also write JSON and CSV there.")]
Draws = Annotated[
    int | None, draws_option("Worlds to draw; 256 when left out, or the fewer of the scenario.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the draws.")]


@app.command("cost")
def cost(
    scenario: Annotated[
        str | None, typer.Argument(help="Scenario file, or the id of a shipped one: both of its clusters.")
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Job of the scenario; all when left out.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="Without a scenario: the model.")] = None,
    workload: Annotated[
        str | None, typer.Option(metavar="ID", help="Its traffic or training recipe.")
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="ID", help="The system it runs on.")] = None,
    region: Annotated[str | None, typer.Option(metavar="ID", help="The region it stands in.")] = None,
    chips: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Chips there are; about 1,000 when left out.")
    ] = None,
    price_list: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Price list to earn by; the model's last one when left out."),
    ] = None,
    as_of: AsOf = None,
    currency: Annotated[str, typer.Option(metavar="CODE", help="Show costs in this currency.")] = "USD",
    session_requests: Annotated[
        float | None, number_option(min=1, help="Requests of a session, to cost one as a whole.")
    ] = None,
    served_days: Annotated[
        float, number_option(min=1, help="Days of serving over which tokens bear the training run.")
    ] = YEAR / DAY,
    draws: Draws = None,
    seed: Seed = None,
    json: Json = False,
    out: Out = None,
    profiles: Profiles = None,
) -> None:
    """Say what tokens, requests and training runs cost, block by block, what they earn, and where they break even."""
    from sim.views.money import CostRequest, show_cost

    request = CostRequest(
        scenario, job, model, workload, system, region, chips, price_list, as_of, currency, session_requests,
        served_days, draws, seed,
    )  # fmt: skip
    show_cost(catalogue(profiles), request, sys.stdout, as_json=json, out=out)


@app.command("chip-hour")
def chip_hour(
    system: Annotated[str, typer.Option(metavar="ID", help="System the chip is in.")],
    region: Annotated[str, typer.Option(metavar="ID", help="Region it stands in.")],
    under: Annotated[
        float | None,
        number_option(min=0, metavar="USD", help="Also say how much of the distribution lies below."),
    ] = None,
    activity: Annotated[
        float, number_option(help="Draw of power, between idle (0) and a training run (1).")
    ] = 1.0,
    occupancy: Annotated[
        float, number_option(help="Share of the hours paid for in which the chip works.")
    ] = 1.0,
    as_of: AsOf = None,
    draws: Annotated[int, draws_option("Worlds to draw.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 1,
    json: Json = False,
    out: Out = None,
    profiles: Profiles = None,
) -> None:
    """Say what an hour of a chip costs, bottom up, as a distribution."""
    from sim.study.money.hour import load_hour
    from sim.views.money_hour import show_hour

    files = catalogue(profiles)
    question = load_hour(files, system, region, draws, seed, activity, occupancy, under, as_of)
    show_hour(files, question, " ".join(["parity", *sys.argv[1:]]), sys.stdout, as_json=json, out=out)
