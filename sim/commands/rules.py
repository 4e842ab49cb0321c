"""``parity rules``: what the export rules say of a chip, of all chips, and of a chip yet to be designed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import Json, Profiles, catalogue, folder, group, number_option

app = group("Export rules: what they say of a chip on a date. Not legal advice.")

Date = Annotated[
    str | None,
    typer.Option(metavar="YYYY-MM-DD", help="Day; the last one the rules were looked up when left out."),
]
Destination = Annotated[
    str, typer.Option(metavar="PLACE", help="Country by two letters, or a group: cn_mo, d5, d1_d4_d5, world.")
]


@app.command("classify")
def classify(
    chip: Annotated[str | None, typer.Argument(help="Id of a chip.")] = None,
    date: Date = None,
    destination: Destination = "cn",
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
    destination: Destination = "cn",
    json: Json = False,
    out: Annotated[Path | None, folder("Also write the picture, CSV and JSON there.")] = None,
    profiles: Profiles = None,
) -> None:
    """Show all chips against all rules in force."""
    from sim.views.rule_matrix import show_matrix

    show_matrix(catalogue(profiles), date, destination, sys.stdout, as_json=json, out=out)


@app.command("list")
def list_rules(json: Json = False, profiles: Profiles = None) -> None:
    """List the rules with their dates, standing and sources."""
    from sim.views.rules import show_rules

    show_rules(catalogue(profiles), sys.stdout, as_json=json)


@app.command("design")
def design(
    like: Annotated[
        str, typer.Option(metavar="ID", help="System whose chip is the parent: node, kernels, power, price.")
    ] = "hgx-h100-8",
    memory_of: Annotated[
        str,
        typer.Option(metavar="ID", help="Chip whose memory generation is used; the parent's when left out."),
    ] = "",
    die_area: Annotated[
        float | None, number_option(min=1, help="Most logic area, mm2; the parent's when left out.")
    ] = None,
    stacks: Annotated[
        int | None, typer.Option(min=1, max=64, help="Memory stacks; the parent's when left out.")
    ] = None,
    frontier: Annotated[
        str, typer.Option(metavar="ID", help="System whose chip designs are measured against.")
    ] = "hgx-b200-8",
    model: Annotated[str, typer.Option(metavar="ID", help="Model to train and to serve.")] = "deepseek-v3",
    recipe: Annotated[str, typer.Option(metavar="ID", help="Training recipe.")] = "pretrain-v3",
    traffic: Annotated[str, typer.Option(metavar="ID", help="Serving traffic.")] = "chat",
    chips: Annotated[int, typer.Option(min=1, max=10_000_000, help="Chips of the cluster.")] = 1024,
    region: Annotated[str, typer.Option(metavar="ID", help="Region whose prices hold.")] = "us",
    date: Date = None,
    destination: Annotated[
        str, typer.Option(metavar="PLACE", help="Country or group, for all rules in force.")
    ] = "cn",
    json: Json = False,
    out: Annotated[Path | None, folder("Also write the map, the sweep and JSON there.")] = None,
    profiles: Profiles = None,
) -> None:
    """Find the best chip each rule allows, and say what it does on a job against the frontier."""
    from sim.study.rules.bench import DesignRequest
    from sim.views.rule_design import show_designs
    from sim.views.rules import day

    request = DesignRequest(
        like, memory_of, die_area, stacks, frontier, chips, region, model, recipe, traffic, day(date), destination
    )  # fmt: skip
    show_designs(catalogue(profiles), request, sys.stdout, as_json=json, out=out)
