"""``parity rules``: what the export rules say of a chip, of all chips, and of a chip yet to be designed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import Profiles, catalogue, group

app = group("Export rules: what they say of a chip on a date. Not legal advice.")

Date = Annotated[
    str | None,
    typer.Option(metavar="YYYY-MM-DD", help="Day; the last one the rules were looked up when left out."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("classify")
def classify(
    chip: Annotated[str | None, typer.Argument(help="Id of a chip.")] = None,
    date: Date = None,
    destination: Annotated[
        str,
        typer.Option(metavar="PLACE", help="Country by two letters, or a group: cn_mo, d5, d1_d4_d5, world."),
    ] = "cn",
    rows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check a table (CSV) of expected results from its own figures instead."
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also show rules that are not in force on the day.")
    ] = False,
    json: Json = False,
    profiles: Profiles = None,
) -> None:
    """Classify a chip under every rule in force: result, branch, margin to each threshold, probability."""
    from sim.views.rules import show_classification, show_rows

    if rows is not None:
        show_rows(catalogue(profiles), rows, sys.stdout, as_json=json)
    else:
        show_classification(
            catalogue(profiles), chip, date, destination, sys.stdout, every=every, as_json=json
        )


@app.command("matrix")
def matrix(
    date: Date = None,
    destination: Annotated[
        str,
        typer.Option(metavar="PLACE", help="Country by two letters, or a group: cn_mo, d5, d1_d4_d5, world."),
    ] = "cn",
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the picture, CSV and JSON there.")
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Show all chips against all rules in force."""
    from sim.views.rules import show_matrix

    show_matrix(catalogue(profiles), date, destination, sys.stdout, as_json=json, out=out)


@app.command("list")
def list_rules(json: Json = False, profiles: Profiles = None) -> None:
    """List the rules with their dates, standing and sources."""
    from sim.views.rules import show_rules

    show_rules(catalogue(profiles), sys.stdout, as_json=json)
