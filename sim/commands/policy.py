"""``parity policy``: what a rule, a quota, a delay or a bottleneck changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.commands.common import (
    Draws,
    Json,
    Profiles,
    Seed,
    catalogue,
    draws_option,
    folder,
    group,
    number_option,
)

app = group("What a rule, a quota, a delay or a bottleneck changes.")

Out = Annotated[Path | None, folder("Where to write; reports/<id of the scenario> when left out.")]
Accounts = Annotated[
    list[str] | None,
    typer.Option(
        "--account",
        metavar="MATTER=ACCOUNT",
        help="Follow one account of a contested matter in every draw. May be given several times.",
    ),
]

Scenario = Annotated[str, typer.Argument(help="Policy scenario: a file, or the id of a shipped one.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="Use no entry, rule or change that became known later than this date."
    ),
]


@app.command("run")
def run(
    scenario: Scenario,
    draws: Draws = None,
    seed: Seed = None,
    account: Accounts = None,
    as_of: AsOf = None,
    json: Json = False,
    out: Out = None,
    profiles: Profiles = None,
) -> None:
    """Answer the question of a policy scenario and write its report."""
    _answer(("run", scenario, None, draws, seed, tuple(account or ()), as_of), profiles, json, out)


@app.command("compare")
def compare(
    a: Annotated[str, typer.Argument(help="Policy scenario.")],
    b: Annotated[str, typer.Argument(help="The one that it is compared with, in the same draws.")],
    draws: Draws = None,
    seed: Seed = None,
    account: Accounts = None,
    as_of: AsOf = None,
    json: Json = False,
    out: Out = None,
    profiles: Profiles = None,
) -> None:
    """Compare two policy scenarios: differences with intervals, what moves them, shifts of dates."""
    _answer(("compare", a, b, draws, seed, tuple(account or ()), as_of), profiles, json, out)


def _answer(typed: tuple[Any, ...], profiles: list[Path] | None, json: bool, out: Path | None) -> None:
    from sim.views.policy import PolicyRequest, show_policy

    show_policy(catalogue(profiles), PolicyRequest(*typed), sys.stdout, as_json=json, out=out)


@app.command("solve")
def solve(
    scenario: Scenario,
    outcome: Annotated[
        str, typer.Option("--for", metavar="OUTCOME", help="What is bounded: ratio, served, stock:fp8, ...")
    ],
    vary: Annotated[
        str,
        typer.Option(metavar="SERIES", help="Series that is set to one level, such as imports.h200.quota."),
    ],
    between: Annotated[
        tuple[str, str],
        typer.Option(metavar="LOW HIGH", help='Range of levels, such as "0 chip/year" "2e6 chip/year".'),
    ],
    above: Annotated[float | None, number_option(help="Bound that the outcome is to stay above.")] = None,
    below: Annotated[float | None, number_option(help="Bound that it is to stay below.")] = None,
    since: Annotated[
        str,
        typer.Option("--from", metavar="DATE", help="First day of the level; of the horizon when left out."),
    ] = "",
    draws: Draws = None,
    seed: Seed = None,
    account: Accounts = None,
    json: Json = False,
    profiles: Profiles = None,
) -> None:
    """Find the level of a quota, a cap or another series that keeps an outcome above or below a bound."""
    from sim.study.policy.solve import Wanted
    from sim.views.policy import PolicyRequest
    from sim.views.policy_solve import show_solution

    if (above is None) == (below is None):
        raise typer.BadParameter("give exactly one of --above and --below")
    bound = above if below is None else below
    assert bound is not None
    wanted = Wanted(outcome, bound, above is not None, vary, *between, since)
    request = PolicyRequest("solve", scenario, None, draws, seed, tuple(account or ()))
    show_solution(catalogue(profiles), request, wanted, sys.stdout, as_json=json)


@app.command("list")
def policy_list(profiles: Profiles = None) -> None:
    """List the policy scenarios and what they ask."""
    from sim.views.listing import print_listing
    from sim.views.policy import list_policies

    print_listing(list_policies(catalogue(profiles)), sys.stdout)


@app.command("validate")
def policy_validate(
    tables: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Tables with the same columns, instead of the published ones."),
    ] = None,
    draws: Annotated[int | None, draws_option("Worlds to draw; 512 when left out.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the draws; 1 when left out.")] = None,
    json: Json = False,
    out: Annotated[Path | None, folder("Also write policy.md and policy_results.csv there.")] = None,
    profiles: Profiles = None,
) -> None:
    """Set published policy tables against our figures: residuals, and the reason for each miss."""
    from sim.views.policy_validation import validate_policy

    validate_policy(catalogue(profiles), tables or [], draws, seed, sys.stdout, as_json=json, out=out)
